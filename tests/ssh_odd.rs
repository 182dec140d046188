//! `cases.md` S09, S16 and S19: servers and configurations that are unusual, and must not be in the way.
//!
//! Without an sshd the tests are skipped in words, or fail where `SWITCHBACK_REQUIRE_SSHD=1`.
#![cfg(all(feature = "ssh", feature = "cli"))]

mod support;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use support::sshd::{Sshd, text};
use tempfile::TempDir;

/// Runs the command against the root `shop` in `directory`, reached over `sshd`.
fn switchback(sshd: &Sshd, directory: &Path, arguments: &[&str]) -> Output {
    let toml = format!(
        "root = {:?}\n[[host]]\nname = \"web1\"\naddress = \"{}\"\n[ssh]\nconfig = {:?}\nknown_hosts_file = {:?}\n",
        text(&directory.join("shop")),
        sshd.address("root"),
        text(&sshd.path("config file")),
        text(&sshd.path("known hosts"))
    );
    fs::write(directory.join("switchback.toml"), toml).expect("a configuration");
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
    command.args(arguments).current_dir(directory).env_remove("SWITCHBACK_CONFIG").env_remove("SWITCHBACK_ENV");
    command.output().expect("it runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Two releases and the way back.
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

/// S16. What the user's configuration asks for besides a connection is not done.
#[test]
fn a_configuration_for_people() {
    let directory = TempDir::new().expect("a directory");
    let Some(sshd) = Sshd::start("") else { return };
    let mark = directory.path().join("mark");
    let file = sshd.path("config file");
    let ours = fs::read_to_string(&file).expect("a configuration");
    let more = format!(
        "RemoteCommand touch {0}\nRequestTTY force\nPermitLocalCommand yes\nLocalCommand touch {0}\nForwardAgent yes\n\
         ForwardX11 yes\nRemoteForward 0 127.0.0.1:9\nEscapeChar ~\n",
        text(&mark)
    );
    fs::write(&file, ours + &more).expect("ours");
    all_works(&sshd, directory.path());
    assert!(!mark.exists(), "a command of the configuration ran");
}

/// S19. What a server prints before anybody is known reaches no terminal as it is.
#[test]
fn a_banner_with_escapes() {
    let directory = TempDir::new().expect("a directory");
    let banner = directory.path().join("banner");
    fs::write(&banner, "\u{1b}[2J\u{1b}]0;evil\u{7}\nSB1 0 hello 1\n").expect("a banner");
    let Some(sshd) = Sshd::start(&format!("Banner {}", text(&banner))) else { return };
    all_works(&sshd, directory.path());
    // Nobody may log in with the other key: then what the server said is shown.
    fs::copy(sshd.path("other"), sshd.path("user")).expect("ours");
    let output = switchback(&sshd, directory.path(), &["rollback"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let words = said(&output);
    assert!(words.chars().all(|c| c == '\n' || !c.is_control()), "{words:?}");
}

/// S09. One session a connection is one too few while something is uploaded.
#[test]
fn one_session_a_connection() {
    let directory = TempDir::new().expect("a directory");
    let Some(sshd) = Sshd::start("MaxSessions 1") else { return };
    all_works(&sshd, directory.path());
}
