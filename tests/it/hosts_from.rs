//! `hosts_from`: hosts that a command lists, through the library and the command line.
#![cfg(feature = "cli")]
#![expect(clippy::print_stderr, reason = "a test says what it skips")]

use std::{
    fs,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

use camino::Utf8Path;
use snapbox::{assert_data_eq, str};
use switchback::{Config, Error, ErrorKind, Fleet, config::HostsFrom};
use tempfile::TempDir;

use crate::support::wait::until;

/// A directory with this configuration, whose command can read the file `hosts`.
fn site(text: &str, hosts: &str) -> TempDir {
    let site = TempDir::new().expect("a directory");
    fs::write(site.path().join("switchback.toml"), text).expect("written");
    fs::write(site.path().join("hosts"), hosts).expect("written");
    site
}

fn read(site: &TempDir, environment: Option<&str>) -> Config {
    let file = site.path().join("switchback.toml");
    let file = Utf8Path::from_path(&file).expect("UTF-8");
    Config::from_file(file, environment).unwrap_or_else(|error| panic!("{error}"))
}

fn names(config: &Config) -> Vec<&str> {
    config.hosts.iter().map(|host| host.name.as_str()).collect()
}

fn command(site: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
    command.args(args).current_dir(site).env_remove("SWITCHBACK_CONFIG").env_remove("SWITCHBACK_ENV");
    command.env("HOME", site).env_remove("XDG_CACHE_HOME").stdin(Stdio::null());
    command
}

fn run(site: &TempDir, args: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command(site.path(), args).output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code().expect("a code"), text(stdout), text(stderr))
}

const CAT: &str = "root = '/srv/shop'\nhosts_from = 'cat hosts'\n";

#[test]
fn the_listed_hosts_are_those_of_the_configuration() {
    let site = site(CAT, "deploy@web[1-2].example.com\n# the database\ndb=10.0.0.7:2222\n");
    let config = read(&site, None);
    assert_eq!((names(&config), config.hosts_from.as_ref().map(HostsFrom::command)), (vec![], Some("cat hosts")));
    let listed = config.list_hosts().expect("it lists hosts");
    assert_eq!(names(&listed), ["web1.example.com", "web2.example.com", "db"]);
    assert_eq!(listed.clone().list_hosts().expect("nothing to do"), listed);
    let again = Config::parse(&listed.to_toml(), None).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((&again.hosts, again.hosts_from), (&listed.hosts, None), "what `config` prints needs no command");
    let other = listed.with_hosts_from("echo web9").expect("a command").list_hosts().expect("hosts");
    assert_eq!(names(&other), ["web9"]);
}

/// A list of hosts replaces the list of the other kind too.
#[test]
fn an_environment_replaces_the_command_or_the_hosts() {
    let text = "root = '/a'\n[env.x]\nhosts_from = 'echo x1'\n[env.y]\nhost = [{ name = 'y1' }]\n[env.z]\nkeep = 1\n";
    let hosts = |first: &str, environment| {
        let site = site(&format!("{first}\n{text}"), "");
        let config = read(&site, Some(environment)).list_hosts().expect("hosts");
        names(&config).join(" ")
    };
    for (first, z) in [("hosts_from = 'echo z1'", "z1"), ("host = [{ name = 'z2' }]", "z2")] {
        assert_eq!([hosts(first, "x"), hosts(first, "y"), hosts(first, "z")], ["x1", "y1", z]);
    }
}

/// Each mistake, with the exit code and a part of the message. FAULTS.md N22, N23.
#[test]
fn a_wrong_list_is_refused_before_any_host() {
    for (hosts, after, code, message) in [
        ("", "", 2, "the command lists no hosts"),
        ("# none\n\n", "", 2, "the command lists no hosts"),
        ("web1\nweb2\nweb1\n", "", 2, "host \"web1\" is listed twice"),
        ("a=web1\nb=x@WEB1\n", "", 2, "hosts \"a\" and \"b\" are the same place"),
        ("web1\n-oProxyCommand=x\n", "", 2, "line 2 of its output: \"-oProxyCommand\" is not a host name"),
        ("w[1-4000]\nv[1-97]\n", "", 2, "lists more than 4096 hosts"),
        ("{\"all\": 1}", "", 2, "group \"all\" of its output"),
        ("web1\n", "[data]\nhost='db'\nversion='v'\napply='a'\n", 2, "does not list \"db\", the host of `[data]`"),
        ("controller\n", "[data]\nhost='controller'\nversion='v'\napply='a'\n", 2, "a host is called \"controller\""),
    ] {
        let site = site(&format!("{CAT}{after}"), hosts);
        let (exit, out, err) = run(&site, &["status", "--json"]);
        let report: serde_json::Value = serde_json::from_str(&out).expect("one line");
        assert_eq!((exit, report["outcome"].as_str()), (code, Some("error")), "{hosts:?}: {err}");
        assert!(err.contains(message) && err.contains("switchback.toml:2:14"), "{hosts:?}: {err}");
        let error: Error = Fleet::from_config(&read(&site, None)).expect_err("the library refuses it too");
        assert!(error.kind() == ErrorKind::Config && error.to_string().contains(message), "{error}");
    }
    for (text, line, message) in [
        ("hosts_from = 'x'", Some(1), "need a `root` for all hosts"),
        ("root = '/a'\nhosts_from = ' '", Some(2), "the command is empty"),
        ("root = '/a'\nhosts_from = ['x']", Some(2), "`hosts_from`"),
        ("root = '/a'\nhosts_from = 'x'\n[[host]]\nname = 'a'", Some(2), "`hosts_from` and `[[host]]` exclude"),
        ("root = '/a'\n[env.b]\nhosts_from = 'x'\nhost = [{ name = 'a' }]", Some(3), "`env.b.hosts_from` and"),
        ("root = '/a'\nhosts_from = 'x'\n[data]\nversion = 'v'\napply = 'a'", Some(4), "`[data]` needs a `host`"),
        (
            "root = '/a'\nhosts_from = 'x'\n[data]\nhost = 'a b'\nversion = 'v'\napply = 'a'",
            Some(4),
            "no host is called",
        ),
    ] {
        let error = Config::parse(text, None).expect_err(text);
        assert!(error.line() == line && error.message().contains(message), "{text:?}: {error}");
    }
}

/// A failed command is no mistake in the configuration: refused (3), and the way on is named. FAULTS.md N22.
#[test]
fn a_failed_command_is_3_and_other_hosts_can_be_given() {
    let down = "echo web1; echo the inventory is down >&2; exit 4";
    let root = TempDir::new().expect("a directory");
    let text = format!("root = '{}/shop'\n[env.live]\nhosts_from = '{down}'\n", root.path().display());
    let site =
        site(&text, r#"{"all":{"hosts":["here"]},"_meta":{"hostvars":{"here":{"ansible_connection":"local"}}}}"#);
    let (code, out, err) = run(&site, &["-e", "live", "rollback", "--json"]);
    let report: serde_json::Value = serde_json::from_str(out.lines().last().expect("a line")).expect("JSON");
    assert_eq!(
        (code, &report["outcome"], &report["error"]["kind"]),
        (3, &"refused".into(), &"inventory".into()),
        "{err}"
    );
    assert!(report["error"]["hint"].as_str().is_some_and(|hint| hint.contains("--hosts-from")), "{report}");
    let (code, _, err) = run(&site, &["-e", "live", "status"]);
    assert_eq!(code, 3);
    assert_data_eq!(
        err,
        str![[r"
error: `env.live.hosts_from`: the command exited with 4: the inventory is down[..]
...
"]]
    );
    let (code, out, _) = run(&site, &["-e", "live", "config", "--json"]);
    assert!(code == 3 && out.contains(r#""outcome":"refused""#), "{out}");
    fs::create_dir(site.path().join("dist")).expect("made");
    fs::write(site.path().join("dist/page"), "1").expect("written");
    let given = ["-e", "live", "--hosts-from", "cat hosts", "deploy", "dist", "--name", "one", "--json"];
    let (code, out, err) = run(&site, &given);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains(r#""host":"here""#), "{out}");
    // A hint means the same hosts.
    let (_, _, err) = run(&site, &["-e", "live", "--hosts-from", "cat hosts", "activate", "nowhere"]);
    assert!(err.contains("switchback -e live --hosts-from 'cat hosts' releases"), "{err}");
    // Without a configuration too.
    let shop = format!("{}/shop", root.path().display());
    let (code, out, err) = run(&site, &["--root", &shop, "--hosts-from", "cat hosts", "status", "--json"]);
    assert!(code == 0 && out.contains(r#""current":"one""#), "{err}{out}");
}

#[test]
fn hosts_are_picked_from_the_list_and_the_configuration_says_where_they_come_from() {
    let site = site(CAT, "web[01-10]\n");
    let (code, out, err) = run(&site, &["--host", "web[02-03]", "config", "--except", "web03"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("# The hosts are those that this command listed:\n#     cat hosts\n\nroot = "), "{out}");
    assert!(out.ends_with("[[host]]\nname = \"web02\"\naddress = \"web02\"\nroot = \"/srv/shop\"\n"), "{out}");
    let (_, out, _) = run(&site, &["--host", "web01", "config", "--json"]);
    let config: serde_json::Value = serde_json::from_str(out.lines().next().expect("a line")).expect("JSON");
    assert_eq!(
        (&config["config"]["hosts_from"], &config["config"]["host"][0]["name"]),
        (&"cat hosts".into(), &"web01".into())
    );
    let (code, _, err) = run(&site, &["--host", "wbe01", "status"]);
    assert!(code == 2 && err.contains("did you mean web01?"), "{err}");
}

/// Only commands that reach hosts, and `config`, run it: once each.
#[test]
fn the_command_runs_when_hosts_are_needed_and_once() {
    let site = site("root = '/srv/none'\nhosts_from = 'echo ran >>ran; cat hosts'\n", "here=127.0.0.1:1\n");
    let ran = || fs::read_to_string(site.path().join("ran")).unwrap_or_default().lines().count();
    for args in [&["man"][..], &["completions", "bash"], &["init", "--config", "other.toml"], &["status", "--help"]] {
        assert_eq!(run(&site, args).0, 0, "{args:?}");
    }
    for word in ["--host=", "--except=", "-e"] {
        let mut asked = command(site.path(), &["--", "switchback", "status", word]);
        let asked = asked.env("_SWITCHBACK_COMPLETE", "fish").output().expect("it runs");
        assert!(asked.status.success(), "{asked:?}");
    }
    assert_eq!(ran(), 0);
    assert_eq!((run(&site, &["config"]).0, ran()), (0, 1));
    // Nothing listens there.
    assert_eq!((run(&site, &["status"]).0, ran()), (3, 2));
}

/// A killed controller leaves no process of the command. FAULTS.md N22.
#[test]
fn a_killed_run_leaves_no_command() {
    let site = site("root = '/srv/none'\nhosts_from = 'echo >>began; sleep 1000 <>fifo >/dev/null 2>&1'\n", "");
    let fifo = site.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("it runs").success());
    let mut running = command(site.path(), &["status"]).stderr(Stdio::null()).spawn().expect("it runs");
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).expect("a flag");
    // It can be opened while a process of the command holds its other end.
    let is_held = || fs::OpenOptions::new().write(true).custom_flags(flags).open(&fifo).is_ok();
    until("the command runs", is_held);
    running.kill().expect("it runs");
    running.wait().expect("it was killed");
    until("the command has ended", || !is_held());
}

#[test]
fn a_real_inventory_of_ansible() {
    if Command::new("ansible-inventory").arg("--version").output().is_err() {
        return eprintln!("skipped: ansible-inventory is not installed");
    }
    let text = "root = '/srv/shop'\nhosts_from = 'ansible-inventory -i inventory.yml --list --limit web'\n";
    let inventory = r"
all:
  hosts:
    lone:
  vars:
    ansible_user: deploy
  children:
    web:
      hosts:
        web[01:02]:
          ansible_port: 2222
      children:
        edge:
          hosts:
            edge1: {ansible_host: 'fe80::1', ansible_user: root}
            web02:
    db:
      hosts:
        db1:
";
    let site = site(text, "");
    fs::write(site.path().join("inventory.yml"), inventory).expect("written");
    let config = read(&site, None).list_hosts().unwrap_or_else(|error| panic!("{error}"));
    let addresses: Vec<String> = config.hosts.iter().map(|host| format!("{} {:?}", host.name, host.place)).collect();
    let expected =
        ["deploy@web01:2222", "deploy@web02:2222", "root@[fe80::1]"].map(|text| text.parse().expect("an address"));
    let places: Vec<_> = config.hosts.iter().map(|host| host.place.clone()).collect();
    assert_eq!(places, expected.map(switchback::config::Place::Ssh), "{addresses:?}");
    assert_eq!(names(&config), ["web01", "web02", "edge1"]);
    // It exits with 0 without an inventory; the list is empty then, and its warning is shown.
    fs::remove_file(site.path().join("inventory.yml")).expect("removed");
    let error = read(&site, None).list_hosts().expect_err("no hosts");
    assert!(error.to_string().contains("the command lists no hosts: [WARNING]"), "{error}");
}
