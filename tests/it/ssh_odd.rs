//! The command over unusual servers and `ssh` configurations. FAULTS.md S09, S11, S12, S16, S19.
//!
//! Without an sshd the tests are skipped in words, or fail where `SWITCHBACK_REQUIRE_SSHD=1`.
#![cfg(all(feature = "ssh", feature = "cli"))]

use crate::support;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use support::{
    sshd::{Sshd, text},
    wait::until,
};
use tempfile::TempDir;

/// Runs the command against the root `shop` in `directory`, reached over `sshd`.
fn switchback(sshd: &Sshd, directory: &Path, arguments: &[&str]) -> Output {
    command(sshd, directory, arguments).output().expect("it runs")
}

fn command(sshd: &Sshd, directory: &Path, arguments: &[&str]) -> Command {
    let toml = format!(
        "root = {:?}\n[hooks]\nafter_switch = \"[ ! -e ../../hold ] || {{ echo $$ >../../held; exec sleep 600; }}\"\n[[host]]\nname = \"web1\"\naddress = \"{}\"\n[ssh]\nconfig = {:?}\nknown_hosts_file = {:?}\n",
        text(&directory.join("shop")),
        sshd.address("root"),
        text(&sshd.path("config file")),
        text(&sshd.path("known hosts"))
    );
    fs::write(directory.join("switchback.toml"), toml).expect("a configuration");
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
    command.args(arguments).current_dir(directory).env_remove("SWITCHBACK_CONFIG").env_remove("SWITCHBACK_ENV");
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Checks two deploys and a rollback.
#[track_caller]
fn all_works(sshd: &Sshd, directory: &Path) {
    for version in ["v1", "v2"] {
        let source = format!("{}/examples/site/{version}", env!("CARGO_MANIFEST_DIR"));
        let output = switchback(sshd, directory, &["deploy", &source, "--name", version]);
        assert!(output.status.success(), "{}", said(&output));
    }
    let output = switchback(sshd, directory, &["rollback"]);
    assert!(output.status.success(), "{}", said(&output));
    let current = fs::read_link(directory.join("shop/current")).expect("a link");
    assert_eq!(current, Path::new("releases/v1"));
}

/// The user's configuration asks for more than a connection, and gets only that. FAULTS.md S16.
#[test]
fn a_configuration_for_people() {
    let directory = TempDir::new().expect("a directory");
    let Some(sshd) = Sshd::start("") else { return };
    let mark = directory.path().join("mark");
    let file = sshd.path("config file");
    let ours = fs::read_to_string(&file).expect("a configuration");
    let more = format!(
        "RemoteCommand touch {0}\nRequestTTY force\nPermitLocalCommand yes\nLocalCommand touch {0}\nForwardAgent yes\n\
         ForwardX11 yes\nRemoteForward 0 127.0.0.1:9\nEscapeChar ~\nSessionType none\nStdinNull yes\n\
         ForkAfterAuthentication yes\nLogVerbose *:*:*\nLogLevel QUIET\nControlMaster auto\nControlPath {0}\n\
         ControlPersist yes\nVisualHostKey yes\nTunnel yes\nBatchMode no\nServerAliveInterval 0\nConnectTimeout 1\n",
        text(&mark)
    );
    fs::write(&file, ours + &more).expect("ours");
    all_works(&sshd, directory.path());
    assert!(!mark.exists(), "a command of the configuration ran");
    until("the end of the connections", || connected(&sshd).is_empty());
}

/// Names the user's options that we do not override, and that may be the reason, when no host answers.
#[test]
fn an_option_that_may_be_the_reason_is_named() {
    let directory = TempDir::new().expect("a directory");
    let Some(sshd) = Sshd::start("") else { return };
    let file = sshd.path("config file");
    let ours = fs::read_to_string(&file).expect("a configuration");
    fs::write(&file, ours + "ProxyCommand sleep 600\n").expect("ours");
    let mut status = command(&sshd, directory.path(), &["status"]);
    more_ssh(directory.path(), "connect_timeout = \"1s\"");
    let output = status.env("XDG_RUNTIME_DIR", directory.path()).output().expect("it runs");
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("your ssh configuration sets ProxyCommand"), "{}", said(&output));
    until("the end of the connections", || ours_left(directory.path()).is_empty());
}

/// An `ssh` that is older than some of our options is used without them.
#[test]
fn an_ssh_that_does_not_know_all_options() {
    let directory = TempDir::new().expect("a directory");
    let Some(sshd) = Sshd::start("") else { return };
    let old = directory.path().join("old");
    fs::create_dir(&old).expect("a directory");
    let script = "#!/bin/sh\nfor option in SessionType StdinNull; do\nif grep -q $option \"$2\"; then\n\
                  printf '%s: line 9: Bad configuration option: %s\\r\\n' \"$2\" $option >&2; bad=y\nfi\ndone\n\
                  case $bad in y) exit 255;; esac\nexec /usr/bin/ssh \"$@\"\n";
    fs::write(old.join("ssh"), script).expect("ours");
    fs::set_permissions(old.join("ssh"), fs::Permissions::from_mode(0o755)).expect("ours");
    let path = format!("{}:{}", text(&old), std::env::var("PATH").expect("a path"));
    let output = command(&sshd, directory.path(), &["status"]).env("PATH", path).output().expect("it runs");
    assert!(output.status.success(), "{}", said(&output));
}

/// `[ssh] identity` is the only key that is offered, whatever the user's configuration names; its certificate
/// counts.
#[test]
fn an_identity_is_the_only_key() {
    let directory = TempDir::new().expect("a directory");
    let authority = directory.path().join("authority");
    let keygen = |arguments: &[&str]| {
        let made = Command::new("ssh-keygen").args(arguments).output().expect("it runs");
        assert!(made.status.success(), "{}", said(&made));
    };
    keygen(&["-q", "-t", "ed25519", "-N", "", "-f", text(&authority)]);
    let Some(sshd) = Sshd::start(&format!("TrustedUserCAKeys {}.pub", text(&authority))) else { return };
    // The user's configuration includes another that names the right key.
    let (file, included) = (sshd.path("config file"), directory.path().join("included"));
    fs::rename(&file, &included).expect("ours");
    fs::write(&file, format!("Include {}\n", text(&included))).expect("ours");
    let status = |identity: &str| {
        let mut status = command(&sshd, directory.path(), &["status"]);
        more_ssh(directory.path(), &format!("identity = {:?}", text(&sshd.path(identity))));
        status.output().expect("it runs")
    };
    assert!(status("user").status.success(), "{}", said(&status("user")));
    let refused = status("other");
    assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
    assert!(said(&refused).contains("permission denied (publickey"), "{}", said(&refused));
    keygen(&["-q", "-s", text(&authority), "-I", "x", "-n", "root", text(&sshd.path("other.pub"))]);
    assert!(status("other").status.success(), "with its certificate: {}", said(&status("other")));
}

/// A forced command that splits its words, and passes them to no shell, accepts batches and no uploads: even a
/// command that only asks detects that.
#[test]
fn a_host_without_a_way_for_uploads_is_found_ahead() {
    let directory = TempDir::new().expect("a directory");
    let forced = directory.path().join("forced");
    fs::write(&forced, "#!/bin/sh\nexec $SSH_ORIGINAL_COMMAND\n").expect("ours");
    fs::set_permissions(&forced, fs::Permissions::from_mode(0o755)).expect("ours");
    let Some(sshd) = Sshd::start(&format!("ForceCommand {}", text(&forced))) else { return };
    let source = format!("{}/examples/site/v1", env!("CARGO_MANIFEST_DIR"));
    for arguments in [&["check"][..], &["--dry-run", "deploy", &source], &["deploy", &source]] {
        let output = switchback(&sshd, directory.path(), arguments);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {}", said(&output));
    }
    let output = switchback(&sshd, directory.path(), &["check"]);
    assert!(said(&output).contains("it accepts no uploads"), "{}", said(&output));
}

/// A banner before the login reaches the terminal escaped. FAULTS.md S19.
#[test]
fn a_banner_with_escapes() {
    let directory = TempDir::new().expect("a directory");
    let banner = directory.path().join("banner");
    fs::write(&banner, "\u{1b}[2J\u{1b}]0;evil\u{7}\nSB1 0 hello 1\n").expect("a banner");
    let Some(sshd) = Sshd::start(&format!("Banner {}", text(&banner))) else { return };
    all_works(&sshd, directory.path());
    // Login with the other key fails: then the server's message is shown.
    fs::copy(sshd.path("other"), sshd.path("user")).expect("ours");
    let output = switchback(&sshd, directory.path(), &["rollback"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let words = said(&output);
    assert!(words.chars().all(|c| c == '\n' || !c.is_control()), "{words:?}");
}

/// An upload needs a second session, and takes a second connection for it. FAULTS.md S09.
#[test]
fn one_session_a_connection() {
    let directory = TempDir::new().expect("a directory");
    let Some(sshd) = Sshd::start("MaxSessions 1") else { return };
    all_works(&sshd, directory.path());
}

/// Returns the `ssh` processes that hold a connection to this sshd.
fn connected(sshd: &Sshd) -> Vec<String> {
    let port = format!("-p {} ", sshd.port());
    let line = |pid: &fs::DirEntry| {
        String::from_utf8_lossy(&fs::read(pid.path().join("cmdline")).unwrap_or_default()).replace('\0', " ")
    };
    let all = fs::read_dir("/proc").expect("proc").flatten().map(|pid| line(&pid));
    all.filter(|line| line.starts_with("ssh ") && line.contains(&port)).collect()
}

/// Adds a line to `[ssh]`, the last table of the configuration.
fn more_ssh(directory: &Path, line: &str) {
    let file = directory.join("switchback.toml");
    let toml = fs::read_to_string(&file).expect("a configuration");
    fs::write(&file, toml + line + "\n").expect("ours");
}

/// Returns the processes with `directory` among their arguments: `ssh` and its watchdog, for a command with its
/// sockets there.
fn ours_left(directory: &Path) -> Vec<String> {
    let line = |pid: fs::DirEntry| {
        String::from_utf8_lossy(&fs::read(pid.path().join("cmdline")).unwrap_or_default()).replace('\0', " ")
    };
    let all = fs::read_dir("/proc").expect("proc").flatten().map(line);
    all.filter(|line| line.contains(text(directory)) && !line.contains("sshd")).collect()
}

/// Whatever a host does, and however the command ends, none of its local processes stays.
#[test]
fn a_host_that_hangs_leaves_no_process_here() {
    let directory = TempDir::new().expect("a directory");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("ours");
    let hang = directory.path().join("hang");
    let sockets = TempDir::new_in("/tmp").expect("a directory");
    let status = |sshd: &Sshd, address: &str, line: &str| {
        let mut status = command(sshd, directory.path(), &["status"]);
        more_ssh(directory.path(), line);
        let file = directory.path().join("switchback.toml");
        let toml = fs::read_to_string(&file).expect("a configuration");
        fs::write(&file, toml.replace(&sshd.address("root").to_string(), address)).expect("ours");
        status.env("XDG_RUNTIME_DIR", sockets.path());
        status
    };
    // It hangs before it runs anything, or prints without end.
    for script in
        ["#!/bin/sh\nwhile [ -e \"$0\" ]; do sleep 1; done\n", "#!/bin/sh\nexec yes\n", "#!/bin/sh\nexec yes >&2\n"]
    {
        fs::write(&hang, script).expect("ours");
        fs::set_permissions(&hang, fs::Permissions::from_mode(0o755)).expect("ours");
        let Some(sshd) = Sshd::start("") else { return };
        let Some(user) = support::sshd::User::new(text(&hang)) else { return };
        let address = sshd.address(user.name()).to_string();
        let output = status(&sshd, &address, "exchange_timeout = \"1s\"").output().expect("it runs");
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        let sessions = || fs::read_to_string(sshd.path("log")).map_or(0, |log| log.matches("Starting session").count());
        let before = sessions();
        let mut killed = status(&sshd, &address, "exchange_timeout = \"600s\"").spawn().expect("it runs");
        until("a connection", || sessions() > before);
        killed.kill().expect("it is ours");
        killed.wait().expect("it is ours");
        until("the end of all", || ours_left(sockets.path()).is_empty());
    }
    // A server that accepts connections, and stays silent.
    let Some(sshd) = Sshd::start("") else { return };
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("root@{}", silent.local_addr().expect("an address"));
    let mut killed = status(&sshd, &address, "connect_timeout = \"600s\"").spawn().expect("it runs");
    until("ssh", || ours_left(sockets.path()).iter().any(|line| line.starts_with("ssh ")));
    killed.kill().expect("it is ours");
    killed.wait().expect("it is ours");
    until("the end of all", || ours_left(sockets.path()).is_empty());
}

/// A killed command's connection ends with it. Its hook on the host goes on, and the next command waits for it.
/// FAULTS.md S12.
#[test]
fn nothing_of_a_command_that_is_killed_stays_connected() {
    let directory = TempDir::new().expect("a directory");
    let Some(sshd) = Sshd::start("") else { return };
    all_works(&sshd, directory.path());
    let shop = directory.path().join("shop");
    fs::write(shop.join("hold"), "").expect("a file");
    let source = format!("{}/examples/site/v2", env!("CARGO_MANIFEST_DIR"));
    let mut run =
        command(&sshd, directory.path(), &["-q", "deploy", &source, "--name", "v3"]).spawn().expect("it runs");
    until("the hook", || fs::read_to_string(shop.join("held")).is_ok_and(|pid| pid.ends_with('\n')));
    assert!(!connected(&sshd).is_empty(), "it is connected");
    run.kill().expect("it is ours");
    run.wait().expect("it is ours");
    until("the end of the connection", || connected(&sshd).is_empty());
    let held = fs::read_to_string(shop.join("held")).expect("a process");
    fs::remove_file(shop.join("hold")).expect("ours");
    let ended = Command::new("kill").arg(held.trim()).status().expect("kill runs");
    assert!(ended.success(), "the hook ran on");
    let output = switchback(&sshd, directory.path(), &["recover", "--back"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(fs::read_link(shop.join("current")).expect("a link"), Path::new("releases/v1"));
}

/// The directory for sockets is too long for one, or somebody else's, or full of leftovers of killed runs:
/// another one is used, or the message names it. FAULTS.md S11.
#[test]
fn places_for_sockets_that_will_not_do() {
    let directory = TempDir::new().expect("a directory");
    let Some(sshd) = Sshd::start("") else { return };
    let mut ended = Command::new("true").spawn().expect("it runs");
    ended.wait().expect("it is ours");
    let (long, others, stale) = ("x".repeat(150), "others", "stale");
    for place in [&long, others, stale] {
        let own = directory.path().join(place).join("switchback");
        fs::create_dir_all(&own).expect("a directory");
        fs::set_permissions(&own, fs::Permissions::from_mode(0o700)).expect("ours");
        match place {
            place if place == others => fs::set_permissions(&own, fs::Permissions::from_mode(0o777)).expect("ours"),
            place if place == stale => {
                // The socket of a killed run, on which nobody listens.
                let left = own.join(format!("{}-left", ended.id()));
                fs::create_dir(&left).expect("a directory");
                drop(std::os::unix::net::UnixListener::bind(left.join("master")).expect("a socket"));
            }
            _ => {}
        }
        let source = format!("{}/examples/site/v1", env!("CARGO_MANIFEST_DIR"));
        let name = format!("{}1", &place[..1]);
        let mut run = command(&sshd, directory.path(), &["deploy", &source, "--name", &name]);
        let output = run.env("XDG_RUNTIME_DIR", directory.path().join(place)).output().expect("it runs");
        assert!(output.status.success(), "{place}: {}", said(&output));
        let left: Vec<_> = fs::read_dir(&own).expect("it is there").flatten().collect();
        assert!(left.is_empty(), "{place}: {left:?}");
    }
}
