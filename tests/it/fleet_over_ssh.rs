//! The command on a fleet of three hosts over a real sshd, as a person at a terminal uses it.
//!
//! The test starts a private sshd on a free port. Without one on the machine the tests are skipped in words, or fail
//! where `SWITCHBACK_REQUIRE_SSHD=1`.
#![cfg(all(feature = "ssh", feature = "cli"))]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so in words")]

use crate::support;

use std::{fs, path::PathBuf, process::Output};

use assert_cmd::Command;
use serde_json::Value;
use support::sshd::{Sshd, User, text};
use tempfile::TempDir;

/// Three hosts: three roots, reached over SSH, one of them as a user other than root.
struct Site {
    sshd: Sshd,
    dir: TempDir,
    user: Option<User>,
}

impl Site {
    fn new() -> Option<Self> {
        let sshd = Sshd::start("")?;
        let site = Self { sshd, dir: TempDir::new().expect("a directory"), user: User::new("/bin/dash") };
        site.write_config();
        Some(site)
    }

    fn write_config(&self) {
        let (config, known) = (self.sshd.path("config file"), self.sshd.path("known hosts"));
        let ssh = format!("[ssh]\nconfig = {:?}\nknown_hosts_file = {:?}\n", text(&config), text(&known));
        let host = |host: u32| {
            let user = self.user.as_ref().filter(|_| host == 3).map_or("root", User::name);
            let (address, root) = (self.sshd.address(user), text(&self.root(host)).to_owned());
            format!("[[host]]\nname = \"web{host}\"\naddress = \"{address}\"\nroot = {root:?}\n")
        };
        let toml = [ssh, host(1), host(2), host(3)].concat();
        fs::write(self.dir.path().join("switchback.toml"), toml).expect("a configuration");
    }

    fn root(&self, host: u32) -> PathBuf {
        let home = self.user.as_ref().filter(|_| host == 3).map_or(self.dir.path(), User::home);
        home.join(format!("web{host}"))
    }

    fn run(&self, line: &str) -> Output {
        let mut command = Command::cargo_bin("switchback").expect("the command");
        command.current_dir(self.dir.path()).args(line.split(' ')).output().expect("it runs")
    }

    #[track_caller]
    fn done(&self, line: &str) -> Output {
        let output = self.run(line);
        assert!(
            output.status.success(),
            "{line}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        output
    }

    /// Runs a shell script in the root of a host.
    #[track_caller]
    fn by_hand(&self, host: u32, script: &str) {
        let root = self.root(host);
        let mut shell = std::process::Command::new("sh");
        let status = shell.args(["-c", script]).current_dir(&root).env("ROOT", &root).status();
        assert!(status.expect("sh runs").success(), "web{host}: {script}");
    }

    fn report(&self, line: &str) -> Value {
        let output = self.run(&format!("--json {line}"));
        let last = output.stdout.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty()).expect("a report");
        serde_json::from_slice(last).expect("JSON")
    }

    #[track_caller]
    fn all_on(&self, version: &str) {
        for host in 1..=3 {
            let page = fs::read_to_string(self.root(host).join("current/version.txt")).expect("a page");
            assert_eq!(format!("v{}", page.trim()), version, "web{host}");
            assert_eq!(
                fs::read_link(self.root(host).join("current")).expect("a link"),
                PathBuf::from(format!("releases/{version}"))
            );
            assert!(!self.root(host).join(".switchback/lock").exists(), "web{host} is locked");
        }
    }

    /// Returns the path of the example site in one of its versions.
    fn source(version: &str) -> String {
        format!("{}/examples/site/{version}", env!("CARGO_MANIFEST_DIR"))
    }

    fn deploy(&self, version: &str) {
        self.done(&format!("deploy {} --name {version}", Self::source(version)));
    }
}

#[test]
fn two_releases_on_three_hosts_and_one_rollback() {
    let Some(site) = Site::new() else { return };
    site.deploy("v1");
    site.all_on("v1");
    site.deploy("v2");
    site.all_on("v2");
    let record = fs::read_to_string(site.root(2).join("releases/v2/previousVersion")).expect("a record");
    assert_eq!(record, format!("{}/releases/v1\n", text(&site.root(2))));
    let report = site.report("rollback -m broken");
    assert_eq!((&report["outcome"], &report["release"]), (&"done".into(), &"v1".into()), "{report}");
    for host in report["hosts"].as_array().expect("hosts") {
        assert_eq!(
            (&host["outcome"], &host["before"], &host["after"]),
            (&"switched".into(), &"v2".into(), &"v1".into())
        );
        assert!(host["switched_at"].is_string());
    }
    site.all_on("v1");
    let status = site.report("status");
    assert_eq!(status["hosts"][0]["releases"].as_array().map(Vec::len), Some(2), "{status}");
    let history = site.report("history");
    assert_eq!(history["hosts"][2]["history"][0]["reason"], "broken", "{history}");
}

/// Both promises of the record: the recipe's own shell script rolls back our tree, and we roll back a tree that
/// it made.
#[test]
fn the_recipes_own_shell_goes_back_on_our_tree_and_we_on_its() {
    let Some(site) = Site::new() else { return };
    site.deploy("v1");
    site.deploy("v2");
    let back = "cd current && P=`cat previousVersion` && [ -d $P ] && cd $ROOT && rm -fR current && ln -s $P current";
    for host in 1..=3 {
        site.by_hand(host, back);
    }
    let status = site.report("status");
    assert_eq!(status["hosts"][1]["current"], "v1", "{status}");
    // The recipe's deploy: the record, then the symlink, by hand.
    for host in 1..=3 {
        site.by_hand(host, "echo `readlink current` > releases/v2/previousVersion");
        site.by_hand(host, "rm -f current && ln -s $ROOT/releases/v2 current");
    }
    site.done("rollback");
    site.all_on("v1");
}

#[test]
fn a_host_that_is_away_refuses_for_all() {
    let Some(site) = Site::new() else { return };
    site.deploy("v1");
    let path = site.dir.path().join("switchback.toml");
    let toml = fs::read_to_string(&path).expect("a configuration");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("a port").port();
    let away = toml.replacen(&format!(":{}\"", site.sshd.port()), &format!(":{nobody}\""), 1);
    fs::write(&path, away).expect("a configuration");
    let report = site.report(&format!("deploy {} --name next", Site::source("v2")));
    assert_eq!(report["outcome"], "refused", "{report}");
    assert_eq!(report["hosts"][0]["outcome"], "unreachable", "{report}");
    assert_eq!(site.run("rollback").status.code(), Some(3));
    assert_eq!(site.run("status").status.code(), Some(3));
    site.all_on("v1");
}

/// The changes of a command on each host are sealed there, each time anew.
#[test]
fn a_command_that_changes_its_release_does_not_damage_it() {
    let Some(site) = Site::new() else { return };
    let path = site.dir.path().join("switchback.toml");
    let toml = fs::read_to_string(&path).expect("a configuration");
    fs::write(&path, format!("{toml}\n[hooks]\nafter_switch = \"echo $SWITCHBACK_HOST >>stamp; rm -f index.html\"\n"))
        .expect("a configuration");
    let source = site.dir.path().join("source");
    fs::create_dir(&source).expect("a directory");
    for version in ["v1", "v2"] {
        for (file, content) in [("version.txt", &version[1..]), ("stamp", ""), ("index.html", "x")] {
            fs::write(source.join(file), content).expect("a file");
        }
        site.done(&format!("deploy {} --name {version}", text(&source)));
    }
    site.done("status --check");
    site.done("rollback");
    site.all_on("v1");
    site.done("verify v1 --full");
    site.done("verify v2 --full");
    assert_eq!(fs::read_to_string(site.root(3).join("current/stamp")).expect("a file"), "web3\nweb3\n");
}

/// A rollback that asks first does so on the connections that it then uses.
#[test]
fn a_rollback_that_asks_logs_in_once() {
    let Some(site) = Site::new() else { return };
    for version in ["v1", "v2", "v3"] {
        site.deploy(version);
    }
    site.done("rollback");
    let logins = || fs::read_to_string(site.sshd.path("log")).expect("a log").matches("Accepted publickey").count();
    let before = logins();
    // `script` gives the program a terminal.
    let program = assert_cmd::cargo::cargo_bin("switchback");
    let mut script = Command::new("script");
    script.args(["-qec", &format!("{} rollback", text(&program)), "/dev/null"]).current_dir(site.dir.path());
    let output = match script.write_stdin("y\n").output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: there is no `script` on this machine");
            return;
        }
        output => output.expect("it runs"),
    };
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("Continue? [y/N]"), "{told}");
    site.all_on("v1");
    assert_eq!(logins() - before, 3, "{told}");
}
