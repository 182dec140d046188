//! Signals to the command. The first brings a run to a safe point and reverts what had begun; the second says
//! what is left and ends it at once. FAULTS.md K05.
//!
//! `strace` holds the run up after each link that it makes. Without it these tests are skipped in words, or fail where
//! `SWITCHBACK_REQUIRE_STRACE=1`.
#![cfg(feature = "cli")]

use crate::support;

use std::{
    fs,
    process::{Child, Command, Output, Stdio},
};

use support::{
    cut,
    site::{DEPLOY, Site, UNLOCK_FORCE, said},
    wait::until,
};

/// The signals, and the exit codes that shells use for them.
const SIGNALS: [(&str, i32); 3] = [("INT", 130), ("TERM", 143), ("HUP", 129)];

fn signal(name: &str, pid: u32) {
    let status = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    assert!(status.expect("kill runs").success(), "kill -{name} {pid}");
}

/// Starts the command with a delay of two seconds after each symlink that it creates.
fn held_up(site: &Site, arguments: &[&str]) -> Child {
    let stop = ["-e", "trace=symlinkat", "-e", "inject=symlinkat:delay_exit=2000000", "-o", "/dev/null"];
    let mut command = Command::new("strace");
    command.args(["-f", "-qq"]).args(stop).arg(env!("CARGO_BIN_EXE_switchback")).args(site.words(arguments));
    command.current_dir(site.directory()).env_remove("SWITCHBACK_CONFIG").env_remove("SWITCHBACK_ENV");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("strace runs")
}

/// Returns the process of the command under `strace`. Call it only after the command has done something, since
/// `strace` first tests itself on children of its own.
fn traced(strace: &Child) -> u32 {
    let id = strace.id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).expect("strace runs");
    children.split_whitespace().next().and_then(|pid| pid.parse().ok()).expect("the command runs")
}

/// Whether the symlink for the switch is prepared.
fn is_prepared(site: &Site) -> bool {
    let held = site.names(0, ".switchback/lock");
    held.iter().any(|token| site.root(0).join(format!(".switchback/lock/{token}/current")).is_symlink())
}

fn says(output: &Output, words: &str) {
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains(words), "{words:?} is not in {}", said(output));
}

#[test]
fn the_first_puts_back_what_had_begun() {
    if !cut::available() {
        return;
    }
    std::thread::scope(|scope| {
        for (name, code) in SIGNALS {
            scope.spawn(move || {
                let site = Site::local(&DEPLOY);
                site.restore();
                let run = held_up(&site, DEPLOY.arguments);
                until("the prepared link", || is_prepared(&site));
                signal(name, traced(&run));
                let output = run.wait_with_output().expect("it ends");
                assert_eq!(output.status.code(), Some(code), "SIG{name}: {}", said(&output));
                assert_eq!(site.current(0).as_deref(), Some("a"), "SIG{name}: {}", said(&output));
                assert_eq!(site.names(0, ".switchback/lock"), [""; 0], "SIG{name}: {}", said(&output));
                says(&output, "Interrupted: stopping at a safe point");
                says(&output, "every host is where it was");
            });
        }
    });
}

#[test]
fn the_second_says_what_is_left_and_goes() {
    if !cut::available() {
        return;
    }
    let site = Site::local(&DEPLOY);
    site.restore();
    let run = held_up(&site, DEPLOY.arguments);
    until("the prepared link", || is_prepared(&site));
    let pid = traced(&run);
    signal("INT", pid);
    signal("TERM", pid);
    let output = run.wait_with_output().expect("it ends");
    // Two signals at the same moment may arrive in either order.
    assert!([Some(130), Some(143)].contains(&output.status.code()), "{}", said(&output));
    says(&output, "Ended at once, in switch");
    says(&output, "recover`");
    assert_ne!(site.names(0, ".switchback/lock"), [""; 0], "it gave nothing back: {}", said(&output));
    site.holds(&DEPLOY, "after the second signal");
    site.converges(&DEPLOY, 1, "after the second signal");
}

/// The lock of another run stays when a waiting run is interrupted.
#[test]
fn who_waits_for_a_lock_stops_waiting() {
    if !cut::available() {
        return;
    }
    let site = Site::local(&UNLOCK_FORCE);
    let waiting = |before: &str, names: &[&str], code: i32| {
        site.restore();
        let held = site.names(0, ".switchback/lock");
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{before}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_switchback"), "--root"]);
        command.arg(site.root(0)).args(["rollback", "--wait", "5m"]).current_dir(site.directory());
        command.env_remove("SWITCHBACK_CONFIG").env_remove("SWITCHBACK_ENV");
        let mut run = command.stdin(Stdio::null()).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("runs");
        let mut lines = std::io::BufReader::new(run.stderr.take().expect("piped"));
        let mut told = String::new();
        while !told.contains("waiting up to") {
            assert_ne!(std::io::BufRead::read_line(&mut lines, &mut told).expect("UTF-8"), 0, "{told}");
        }
        for name in names {
            signal(name, run.id());
        }
        std::io::Read::read_to_string(&mut lines, &mut told).expect("UTF-8");
        assert_eq!(run.wait().expect("it ends").code(), Some(code), "{names:?}: {told}");
        assert!(told.contains("interrupted") && !told.contains("Ended at once"), "{names:?}: {told}");
        assert_eq!(site.names(0, ".switchback/lock"), held, "{names:?}: {told}");
    };
    for (name, code) in SIGNALS {
        waiting(":", &[name], code);
    }
    // As `nohup` starts it.
    waiting("trap '' HUP", &["HUP", "TERM"], 143);
}
