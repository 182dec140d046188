//! The collection in `examples/ansible`, with the real Ansible on hosts of a private sshd.
#![cfg(all(feature = "ssh", feature = "cli"))]

use crate::support;

use std::{
    collections::{BTreeMap, BTreeSet},
    process::{Command, Output},
};

use support::{
    nodes::{Nodes, is_here},
    sshd::text,
    wait::until,
};

const COLLECTION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/ansible");

/// Hosts, an inventory of them, and a copy of the collection where Ansible looks for it.
struct Site(Nodes);

/// What a playbook printed, and whether it succeeded.
struct Played {
    succeeded: bool,
    said: String,
}

impl Site {
    fn new(count: usize) -> Option<Self> {
        let site = Self(is_here("ansible-playbook").then(|| Nodes::start(count)).flatten()?);
        let (nodes, sshd) = (&site.0, &site.0.sshd);
        site.install_collection();
        let python = Command::new("sh").args(["-c", "command -v python3"]).output().expect("sh runs").stdout;
        let directory = text(&nodes.path("")).trim_end_matches('/').to_owned();
        let variables = [
            ("ansible_host", "127.0.0.1".to_owned()),
            ("ansible_user", "root".to_owned()),
            ("ansible_ssh_private_key_file", text(&sshd.path("user")).to_owned()),
            (
                "ansible_ssh_common_args",
                format!(
                    "-F none -o IdentitiesOnly=yes -o \"UserKnownHostsFile=\\\"{}\\\"\"",
                    text(&sshd.path("known hosts"))
                ),
            ),
            ("ansible_remote_tmp", format!("{directory}/remote")),
            ("ansible_python_interpreter", String::from_utf8_lossy(&python).trim().to_owned()),
            ("switchback_executable", format!("{directory}/stand-in")),
        ];
        let of_host = |node: String| {
            let variables = serde_json::json!({
                // Read for each task, so that a host can be lost for good.
                "ansible_port": format!("{{{{ lookup('file', '{directory}/{node}.port') | int }}}}"),
                // All names lead to one address, and each has a connection of its own.
                "ansible_control_path": format!("{directory}/{node}.ssh"),
                "switchback_root": format!("{directory}/{node}"),
            });
            (node, variables)
        };
        let hosts = nodes.names().into_iter().map(of_host);
        let inventory = serde_json::json!({"web": {
            "vars": variables.into_iter().collect::<BTreeMap<_, _>>(),
            "hosts": hosts.collect::<serde_json::Map<_, _>>(),
        }});
        nodes.write("ansible.cfg", "[connection]\npipelining = true\n");
        nodes.write("inventory.json", &inventory.to_string());
        Some(site)
    }

    fn install_collection(&self) {
        let target = self.0.path("collections/ansible_collections/switchback");
        fs_err::create_dir_all(&target).expect("a directory");
        let copied = Command::new("cp").arg("-R").arg(COLLECTION).arg(target.join("deploy")).status();
        assert!(copied.expect("cp runs").success());
    }

    /// Returns a command of Ansible that reads and writes nothing of the user who runs the tests.
    fn ansible(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let path = |name: &str| text(&self.0.path(name)).to_owned();
        command.current_dir(self.0.path("")).env("ANSIBLE_COLLECTIONS_PATH", path("collections"));
        command.env("ANSIBLE_HOME", path("home")).env("HOME", path("home"));
        command.env("ANSIBLE_CONFIG", path("ansible.cfg")).env("ANSIBLE_NOCOLOR", "1").env("LC_ALL", "C.UTF-8");
        command.env("ANSIBLE_FORKS", "20");
        command.env("ANSIBLE_SSH_ARGS", "-o ControlMaster=auto -o ControlPersist=20s");
        command.env_remove("SWITCHBACK_CONFIG").env_remove("SWITCHBACK_ENV");
        command
    }

    fn play(&self, playbook: &str, variables: &[(&str, &str)], words: &[&str]) -> Played {
        let mut command = self.ansible("ansible-playbook");
        command.args(["-i", text(&self.0.path("inventory.json")), playbook]).args(words);
        for (name, value) in variables {
            command.arg("-e").arg(format!("{name}={value}"));
        }
        let Output { status, stdout, stderr } = command.output().expect("Ansible runs");
        let said = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
        Played { succeeded: status.success(), said }
    }

    /// Plays `per_host` for a release over another one.
    fn deploy(&self, release: &str, from: &str) -> Played {
        let (source, settings) = (self.0.path(release), self.0.path("host.toml"));
        let variables = [
            ("switchback_source", text(&source)),
            ("switchback_release", release),
            ("switchback_from", from),
            ("switchback_config", text(&settings)),
        ];
        self.play("switchback.deploy.per_host", &variables, &[])
    }

    fn roll_back(&self, from: &str) -> Played {
        self.play("switchback.deploy.rollback", &[("switchback_from", from)], &[])
    }
}

impl Played {
    #[track_caller]
    fn done(&self, changes: bool) {
        assert!(self.succeeded, "{}", self.said);
        assert_eq!(self.said.contains("changed: ["), changes, "{}", self.said);
    }

    #[track_caller]
    fn failed(&self, words: &[&str]) {
        assert!(!self.succeeded, "{}", self.said);
        // Ansible folds long lines of a message.
        let unfolded = self.said.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in words {
            assert!(unfolded.contains(word), "{word:?} is not in {}", self.said);
        }
    }
}

/// Twenty hosts: a deploy; one in which a host fails and another is lost for a moment; and a rollback. FAULTS.md F09.
#[test]
fn a_playbook_deploys_survives_a_failing_host_and_rolls_back_twenty_hosts() {
    let Some(site) = Site::new(20) else { return };
    let played = site.deploy("v2", "v1");
    played.done(true);
    site.0.all_on("v2", &played.said);

    site.0.write("web07.fail-validate", "");
    site.0.write("web09.lose-activate", "");
    let played = site.deploy("v3", "v2");
    let undone: Vec<String> = site.0.names().into_iter().filter(|node| node != "web07" && node != "web09").collect();
    // The lost host is rolled back last.
    let told = format!("The deploy of v3 failed. Rolled back: {}, web09. No host is on it", undone.join(", "));
    played.failed(&[&told]);
    site.0.all_on("v2", &played.said);

    let played = site.roll_back("v2");
    played.done(true);
    site.0.all_on("v1", &played.said);
}

/// Returns the directories that the playbook makes on hosts, which are all this machine.
fn left_in_tmp() -> BTreeSet<String> {
    let names = fs_err::read_dir("/var/tmp").expect("a directory").map(|entry| entry.expect("an entry").file_name());
    names.filter_map(|name| name.into_string().ok()).filter(|name| name.starts_with("switchback-")).collect()
}

/// A retry has nothing to do, an older pipeline is refused, and a check says what a deploy would change. FAULTS.md F05.
#[test]
#[ignore = "takes minutes; run with --ignored"]
fn a_playbook_that_runs_again_changes_nothing() {
    let Some(site) = Site::new(2) else { return };
    for release in ["v1", "v2"] {
        let (archive, content) = (site.0.path(&format!("{release}.tar")), site.0.path(release));
        let tar = Command::new("tar").arg("-cf").arg(archive).arg("-C").arg(content).arg(".").status();
        assert!(tar.expect("tar runs").success());
    }
    // It counts from the current directory.
    let variables = [("switchback_archive", "v2.tar"), ("switchback_release", "v2")];
    let before = left_in_tmp();
    let check = site.play("switchback.deploy.per_host", &variables, &["--check"]);
    assert!(check.succeeded && check.said.contains("changed: [web02]"), "{}", check.said);
    site.0.all_on("v1", &check.said);

    site.play("switchback.deploy.per_host", &variables, &[]).done(true);
    let again = site.play("switchback.deploy.per_host", &variables, &[]);
    again.done(false);
    site.0.all_on("v2", &again.said);

    let back = [("switchback_archive", "v1.tar"), ("switchback_release", "v1")];
    let told = ["v1 is a release that web01 can roll back to, from v2", "-e switchback_to=v1"];
    site.play("switchback.deploy.per_host", &back, &[]).failed(&told);
    site.0.all_on("v2", "a release on the way back");
    assert_eq!(left_in_tmp(), before, "what was sent");

    let older = site.deploy("v3", "v1");
    older.failed(&["deploy refused, nothing was touched", "is v2, and not v1"]);
    site.0.all_on("v2", &older.said);

    // One host had the release before the play that failed, and stays on it.
    site.0.switchback("web01", &["deploy", text(&site.0.path("v3")), "--name", "v3"]);
    site.0.write("web02.fail-after", "");
    let played = site.deploy("v3", "v2");
    played.failed(&["Rolled back: no host. No host is on it because of this play."]);
    assert_eq!((site.0.current("web01"), site.0.current("web02")), ("v3".to_owned(), "v2".to_owned()));

    site.roll_back("v3").done(true);
    site.roll_back("v3").done(false);
    site.0.all_on("v2", &played.said);
}

/// One transaction for the fleet, and none under `serial`, nor once for each host. FAULTS.md F09.
#[test]
fn one_controller_deploys_once_for_all_hosts() {
    let Some(site) = Site::new(3) else { return };
    let (config, known) = (site.0.sshd.path("config file"), site.0.sshd.path("known hosts"));
    let ssh = format!("root = \"/none\"\n[ssh]\nconfig = {:?}\nknown_hosts_file = {:?}\n", text(&config), text(&known));
    site.0.write("settings.toml", &ssh);
    let (source, written) = (site.0.path("v2"), site.0.path("switchback.toml"));
    let program = env!("CARGO_BIN_EXE_switchback");
    // Paths count from the current directory, and the configuration is written there.
    let fleet = [("switchback_settings", "settings.toml"), ("switchback_executable", program)];
    let deploy = [("switchback_source", "v2"), ("switchback_release", "v2"), ("switchback_from", "v1")];
    let play = |more: &[(&str, &str)], words: &[&str]| {
        site.play("switchback.deploy.one_controller", &[&fleet[..], more].concat(), words)
    };
    let check = play(&deploy, &["--check"]);
    assert!(check.succeeded && check.said.contains("web01: v1"), "{}", check.said);
    site.0.all_on("v1", &check.said);
    assert!(!written.exists(), "{}", check.said);
    site.0.write("switchback.toml", "keep = 3\n");
    play(&deploy, &[]).failed(&["was not written by this playbook"]);
    fs_err::remove_file(&written).expect("it was written");

    // The configuration is for all hosts all the same.
    let limited = play(&deploy, &["--limit", "web01"]);
    limited.done(true);
    assert_eq!(["web01", "web02", "web03"].map(|node| site.0.current(node)), ["v2", "v1", "v1"], "{}", limited.said);
    assert_eq!(fs_err::read_to_string(&written).expect("it is there").matches("[[host]]").count(), 3);
    let deployed = play(&deploy, &[]);
    deployed.done(true);
    site.0.all_on("v2", &deployed.said);
    play(&deploy, &[]).done(false);
    play(&[("switchback_command", "rollback"), ("switchback_from", "v2")], &[]).done(true);
    site.0.all_on("v1", &deployed.said);

    let task = format!(
        "  gather_facts: false\n  tasks:\n    - switchback.deploy.switchback: {{command: deploy, source: {source:?}, \
         executable: {program:?}, config: {written:?}}}\n      delegate_to: localhost\n"
    );
    site.0.write("serial.yml", &format!("- hosts: all\n  serial: 2\n{task}      run_once: true\n"));
    site.0.write("each.yml", &format!("- hosts: all\n{task}"));
    site.0.write("free.yml", &format!("- hosts: all\n  strategy: free\n{task}      run_once: true\n"));
    site.play("free.yml", &[], &[]).failed(&["this play has `strategy: free`"]);
    site.play("serial.yml", &[], &[]).failed(&["this play has `serial`"]);
    site.play("each.yml", &[], &[]).failed(&["once for each of 3 hosts"]);
    site.0.all_on("v1", "a refusal");
}

/// The controller dies, and its connections with it: the host ends what it began, and the same command goes on.
#[test]
fn a_playbook_goes_on_after_its_controller_died() {
    let Some(site) = Site::new(1) else { return };
    // As by default, so that the module has a terminal, which hangs up.
    site.0.write("ansible.cfg", "[defaults]\n");
    site.0.write("host.toml", "[hooks]\nafter_switch = \"sleep 2\"\n");
    let mut dying = site.ansible("sh");
    let line = "echo $$ >web01.orphan-activate && exec ansible-playbook -i inventory.json switchback.deploy.per_host \
                -e switchback_source=$PWD/v2 -e switchback_release=v2 -e switchback_from=v1 \
                -e switchback_config=$PWD/host.toml";
    let output = dying.args(["-c", line]).output().expect("sh runs");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(!site.0.path("web01.orphan-activate").exists(), "{said}");
    until("the end of the activation", || {
        site.0.current("web01") == "v2" && !site.0.path("web01/.switchback/lock").exists()
    });
    site.0.all_on("v2", &said);
    site.deploy("v2", "v1").done(false);
}

/// What the modules return: check mode, diff, refusals, secrets.
#[test]
fn the_modules_report_what_changed() {
    let Some(site) = Site::new(0) else { return };
    let target = site.0.path("collections/ansible_collections/switchback/deploy/tests/integration/targets/switchback");
    let tasks = text(&target.join("tasks/main.yml")).to_owned();
    site.0.write(
        "modules.yml",
        &format!("- hosts: localhost\n  gather_facts: false\n  tasks:\n    - include_tasks: {tasks}\n"),
    );
    let (output, program) = (site.0.path("output"), env!("CARGO_BIN_EXE_switchback"));
    let played =
        site.play("modules.yml", &[("output_dir", text(&output)), ("switchback_executable", program)], &["--diff"]);
    assert!(played.succeeded, "{}", played.said);
    assert!(!played.said.contains("very-secret-value"), "{}", played.said);
}

/// A host that fails in each step, or is lost for good: every host is back, or named. FAULTS.md F09.
#[test]
#[ignore = "takes minutes; run with --ignored"]
fn a_host_that_fails_in_any_step_takes_no_other_along() {
    let Some(site) = Site::new(4) else { return };
    for (number, (fault, told)) in [
        ("fail-stage", "Rolled back: no host. No host is on it"),
        ("fail-prepare", "Rolled back: web01, web03, web04. No host is on it"),
        ("fail-after", "Rolled back: web01, web03, web04. No host is on it"),
        ("fail-validate", "Rolled back: web01, web03, web04. No host is on it"),
        ("lose-stage", "Rolled back: no host. No host is on it"),
        ("lose-activate", "Rolled back: web01, web03, web04, web02. No host is on it"),
    ]
    .into_iter()
    .enumerate()
    {
        let release = format!("b{number}");
        fs_err::create_dir(site.0.path(&release)).expect("a directory");
        site.0.write(&format!("{release}/index.html"), &release);
        site.0.write(&format!("web02.{fault}"), "");
        let played = site.deploy(&release, "v1");
        played.failed(&[told]);
        site.0.all_on("v1", &played.said);
        let _: std::io::Result<()> = fs_err::remove_file(site.0.path(&format!("web02.{fault}")));
    }

    // A host that cannot be rolled back, and one that is lost for good once it has switched.
    site.0.write("web01.fail-activate", "");
    site.0.write("web02.fail-rollback", "");
    site.0.write("web03.lose-activate", "");
    // The stand-in makes its port a closed one only where this file says so.
    site.0.write("web03.vanish", "");
    let played = site.deploy("v2", "v1");
    played.failed(&[
        "Rolled back: web04. A person is needed on web02, web03, then",
        "switchback_from=v2 --limit web02,web03",
    ]);
    let on = |node: &str| site.0.current(node);
    assert_eq!(["web01", "web02", "web03", "web04"].map(on), ["v1", "v2", "v2", "v1"], "{}", played.said);

    // What the message says to type mends it.
    fs_err::remove_file(site.0.path("web02.fail-rollback")).expect("it was there");
    site.0.write("web03.port", &site.0.sshd.port().to_string());
    site.roll_back("v2").done(true);
    site.0.all_on("v1", &played.said);

    // Hosts without a release before are told from those that a rollback helps.
    for node in ["web02", "web03"] {
        fs_err::remove_dir_all(site.0.path(node)).expect("a root");
    }
    site.0.write("web01.fail-after", "");
    let played = site.play(
        "switchback.deploy.per_host",
        &[
            ("switchback_source", text(&site.0.path("v3"))),
            ("switchback_release", "v3"),
            ("switchback_config", text(&site.0.path("host.toml"))),
        ],
        &[],
    );
    played.failed(&["Rolled back: web04. No release to roll back to on web02, web03, which may be on it"]);
}

/// `ansible-test sanity`, with what it installs below `target/`.
#[test]
#[ignore = "installs from PyPI; run with --ignored"]
fn the_collection_passes_the_sanity_tests() {
    let Some(site) = is_here("ansible-test").then(|| Site::new(0)).flatten() else { return };
    let home = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp/ansible-test");
    let cache = home.join(".ansible/test/cache");
    fs_err::create_dir_all(&cache).expect("a directory");
    // It wants pip from a site of its own; the pip that comes with Python does.
    fs_err::write(cache.join("get_pip_24_2.py"), BOOTSTRAP).expect("a file is written");
    let collection = site.0.path("collections/ansible_collections/switchback/deploy");
    let mut command = site.ansible("ansible-test");
    command.args(["sanity", "--color", "no", "--python", "default"]).env("HOME", &home).current_dir(collection);
    let output = command.output().expect("ansible-test runs");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
}

const BOOTSTRAP: &str = r#"import subprocess
import sys

subprocess.check_call([sys.executable, "-m", "ensurepip"])
words = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "pip", "install", "--quiet", *words])
"#;
