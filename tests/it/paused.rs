//! A run that is paused just before its switch, and wakes up after its lock was taken over: it switches nothing.
//! FAULTS.md K06.
//!
//! Locally `strace` stops the command after it made the prepared link; over SSH a wrapper stops the host's `mv`.
//! Without these tools the tests are skipped in words.
#![cfg(feature = "cli")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so in words")]

use crate::support;

use std::{
    fs,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use support::wait::until;
use tempfile::TempDir;

const SWITCHBACK: &str = env!("CARGO_BIN_EXE_switchback");

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(SWITCHBACK);
    command.args(arguments).env_remove("SWITCHBACK_CONFIG").env_remove("SWITCHBACK_ENV").stdin(Stdio::null());
    command
}

#[track_caller]
fn done(arguments: &[&str]) {
    let output = command(arguments).output().expect("the command runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn source(version: &str) -> String {
    format!("{}/examples/site/{version}", env!("CARGO_MANIFEST_DIR"))
}

fn signal(name: &str, pid: u32) {
    let status = Command::new("kill").args([name, &pid.to_string()]).status();
    assert!(status.expect("kill runs").success(), "kill {name} {pid}");
}

/// Returns the state of a process, as `/proc` spells it: `T` when it is stopped.
fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Checks the end of the run that was paused: it reports that it lost its lock, and nothing else changed.
fn woke_up_late(output: &Output, root: &Path) {
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{words}");
    assert!(words.contains("taken over by somebody else"), "{words}");
    assert_eq!(fs::read_link(root.join("current")).expect("a link"), Path::new("releases/v3"), "{words}");
}

fn child_of(parent: &Child) -> Option<u32> {
    let id = parent.id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

#[test]
fn a_local_run_that_wakes_up_late_switches_nothing() {
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("skipped: there is no strace on this machine");
        return;
    }
    let directory = TempDir::new().expect("a directory");
    let root = directory.path().to_str().expect("UTF-8");
    for version in ["v1", "v2"] {
        done(&["--root", root, "deploy", &source(version), "--name", version]);
    }
    // Delays each symlink that it creates, long enough to be stopped at the prepared one.
    let stop = "inject=symlinkat:delay_exit=2000000";
    let mut paused = Command::new("strace");
    paused.args([
        "-f",
        "-qq",
        "-e",
        "trace=symlinkat",
        "-e",
        stop,
        "-o",
        "/dev/null",
        SWITCHBACK,
        "--root",
        root,
        "rollback",
    ]);
    let paused =
        paused.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("strace runs");
    let prepared = || {
        fs::read_dir(directory.path().join(".switchback/lock")).is_ok_and(|mut lock| {
            lock.any(|held| held.is_ok_and(|held| fs::read_link(held.path().join("current")).is_ok()))
        })
    };
    until("the prepared link", prepared);
    // Only now: `strace` tests itself on children of its own before it starts the command.
    let pid = child_of(&paused).expect("the command runs");
    signal("-STOP", pid);
    done(&["--root", root, "unlock", "--force"]);
    done(&["--root", root, "deploy", &source("v3"), "--name", "v3"]);
    signal("-CONT", pid);
    let output = paused.wait_with_output().expect("it ends");
    woke_up_late(&output, directory.path());
}

#[cfg(feature = "ssh")]
#[test]
fn a_hosts_shell_that_wakes_up_late_switches_nothing() {
    use support::sshd::{Sshd, text};

    let directory = TempDir::new().expect("a directory");
    let tools = directory.path().join("tools");
    fs::create_dir(&tools).expect("a directory");
    // Stops at the switch, once: the first that finds the order removes it.
    let script = format!(
        "#!/bin/sh\ncase $* in *'/current ./') rm {order} 2>/dev/null && {{ echo $$ >{pid}.new; mv2() {{ /bin/mv \"$@\"; }}; mv2 {pid}.new {pid}; kill -STOP $$; }};; esac\nexec /bin/mv \"$@\"\n",
        order = directory.path().join("order").display(),
        pid = directory.path().join("pid").display(),
    );
    fs::write(tools.join("mv"), script).expect("a wrapper");
    assert!(Command::new("chmod").args(["755", text(&tools.join("mv"))]).status().expect("chmod").success());
    let Some(sshd) = Sshd::start(&format!("SetEnv PATH={}:/usr/bin:/bin HOME=/nonexistent", tools.display())) else {
        return;
    };
    let root = directory.path().join("shop");
    let config = directory.path().join("switchback.toml");
    let toml = format!(
        "root = {:?}\n[[host]]\nname = \"web1\"\naddress = \"{}\"\n[ssh]\nconfig = {:?}\nknown_hosts_file = {:?}\n",
        text(&root),
        sshd.address("root"),
        text(&sshd.path("config file")),
        text(&sshd.path("known hosts"))
    );
    fs::write(&config, toml).expect("a configuration");
    for version in ["v1", "v2"] {
        done(&["--config", text(&config), "deploy", &source(version), "--name", version]);
    }
    fs::write(directory.path().join("order"), "").expect("an order");
    let paused =
        command(&["--config", text(&config), "rollback"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let paused = paused.expect("the command runs");
    let pid = || fs::read_to_string(directory.path().join("pid")).ok().and_then(|pid| pid.trim().parse().ok());
    until("the switch, and the stop", || pid().is_some_and(|pid| state(pid) == Some('T')));
    done(&["--config", text(&config), "unlock", "--force"]);
    done(&["--config", text(&config), "deploy", &source("v3"), "--name", "v3"]);
    signal("-CONT", pid().expect("it was there"));
    woke_up_late(&paused.wait_with_output().expect("it ends"), &root);
}
