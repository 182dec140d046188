//! The conformance suite on every shell and set of utilities of this machine, and over a real sshd.
//!
//! `carriers.rs` runs it in memory, locally and on the decorators.
#![expect(clippy::print_stderr, reason = "a suite says on what it ran, and what it skipped")]

use crate::support;

use std::{future::ready, sync::Arc, time::Instant};

use futures_util::{StreamExt, stream};
use support::local_shell::LocalShell;
use switchback::testing::conformance::{CASES, Case, Fixture};
use tempfile::TempDir;

fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// Creates a directory, in memory if possible: the suite creates thousands of files.
fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory")
}

/// A shell and the utilities that it finds, in which every case runs by default.
const EVERY_CASE: [(&str, &str); 3] = [("dash", "gnu"), ("busybox", "busybox"), ("dash", "toybox")];

/// The others share the cases between them by default.
const SHARED: [(&str, &str); 6] =
    [("bash", "gnu"), ("busybox", "gnu"), ("mksh", "gnu"), ("zsh", "gnu"), ("dash", "busybox"), ("bash", "toybox")];

/// Runs these cases, several at the same time; returns how many ran.
async fn run(cases: Vec<&'static Case>, make: impl Fn() -> Fixture) -> usize {
    let runs: Vec<_> = cases.into_iter().map(|case| case.run(make())).collect();
    let count = runs.len();
    let broken: Vec<String> = stream::iter(runs).buffered(8).filter_map(|outcome| ready(outcome.err())).collect().await;
    assert!(broken.is_empty(), "{} of {count} cases do not hold:\n{}", broken.len(), broken.join("\n"));
    count
}

/// Returns the cases of the turn `turn` of `turns`.
fn share(turn: usize, turns: usize) -> impl Fn(&(usize, &'static Case)) -> bool {
    move |(at, _)| at % turns == turn
}

fn conforms((shell, tools): (&str, &str), is_meant: impl Fn(&(usize, &'static Case)) -> bool) {
    let Some(shell) = LocalShell::new(shell, tools) else {
        eprintln!("skipped: there is no {shell} with {tools}");
        return;
    };
    let (began, mounts) = (Instant::now(), support::mounts::are_allowed());
    let make = || {
        let dir = directory();
        let root = dir.path().to_str().expect("UTF-8").parse().expect("a path");
        Fixture::new(Arc::clone(&shell.transport()), root).keeping(dir)
    };
    let cases = CASES.iter().filter(|case| mounts || !case.needs_mounts).enumerate().filter(is_meant);
    let count = wait(run(cases.map(|(_, case)| case).collect(), make));
    eprintln!("{shell}: {count} cases in {:.1} s", began.elapsed().as_secs_f64());
}

#[test]
fn main_shells_and_utilities_conform() {
    for set in EVERY_CASE {
        conforms(set, |_| true);
    }
}

/// Runs each case in one of the other shells and utilities: what they do differently concerns many cases at once.
#[test]
fn other_shells_and_utilities_conform() {
    for (turn, set) in SHARED.into_iter().enumerate() {
        conforms(set, share(turn, SHARED.len()));
    }
}

#[test]
#[ignore = "long: every case in every shell"]
fn every_case_holds_in_every_shell() {
    for set in SHARED {
        conforms(set, |_| true);
    }
}

#[cfg(feature = "ssh")]
mod over_ssh {
    use std::os::unix::fs::{MetadataExt, chown};

    use super::{
        CASES, Case, Fixture, Instant, LocalShell, directory, run, share,
        support::sshd::{Sshd, User},
        wait,
    };

    /// A root for a user other than root, who works on it over SSH.
    fn fixture(sshd: &Sshd, user: &User) -> Fixture {
        let dir = directory();
        let owner = std::fs::metadata(user.home()).expect("a home").uid();
        chown(dir.path(), Some(owner), None).expect("the tests run as root here");
        let root = dir.path().to_str().expect("UTF-8").parse().expect("a path");
        Fixture::new(sshd.transport(user.name()), root).keeping(dir)
    }

    /// Runs the suite as a user with bash; the suite closes the connection after each case.
    #[test]
    fn it_conforms() {
        let Some(sshd) = Sshd::start("") else { return };
        let Some(user) = User::new("/bin/bash") else { return };
        let began = Instant::now();
        let cases = wait(run(CASES.iter().filter(|case| !case.needs_mounts).collect(), || fixture(&sshd, &user)));
        eprintln!("over ssh: {cases} cases in {:.1} s", began.elapsed().as_secs_f64());
    }

    /// The cases in which a login shell takes part: it starts each `sh`, with its own environment and streams. The
    /// work of that `sh` is the same under every login shell.
    const BY_LOGIN: [&str; 6] = ["batch::", "hook::", "hostile::", "process::", "script::", "upload::"];

    /// Login shells, and the utilities that `sh` finds; each `None` is what the machine has.
    const LOGINS: [(&str, Option<(&str, &str)>); 7] = [
        ("/bin/dash", None),
        ("/bin/mksh", None),
        ("/bin/zsh", None),
        ("/bin/tcsh", None),
        ("/usr/bin/fish", None),
        ("/bin/dash", Some(("busybox", "busybox"))),
        ("/bin/dash", Some(("dash", "toybox"))),
    ];

    /// Runs the meant cases of those in which a login shell takes part.
    fn begins((login, set): (&str, Option<(&str, &str)>), is_meant: impl Fn(&(usize, &'static Case)) -> bool) {
        let path = match set.map(|(shell, tools)| LocalShell::new(shell, tools)) {
            Some(None) => return,
            Some(Some(host)) => format!("SetEnv PATH={}", host.path()),
            None => String::new(),
        };
        let Some(sshd) = Sshd::start(&path) else { return };
        let Some(user) = User::new(login) else { return };
        let began = Instant::now();
        let cases = || CASES.iter().filter(|case| BY_LOGIN.iter().any(|about| case.name.starts_with(about)));
        assert!(BY_LOGIN.iter().all(|about| cases().any(|case| case.name.starts_with(about))), "each is there");
        let meant = cases().enumerate().filter(is_meant).map(|(_, case)| case).collect();
        let count = wait(run(meant, || fixture(&sshd, &user)));
        let tools = set.map_or("", |(_, tools)| tools);
        eprintln!("{login} {tools} over ssh: {count} cases in {:.1} s", began.elapsed().as_secs_f64());
    }

    /// Runs each case under one of the login shells.
    #[test]
    fn login_shells_begin_well() {
        for (turn, login) in LOGINS.into_iter().enumerate() {
            begins(login, share(turn, LOGINS.len()));
        }
    }

    #[test]
    #[ignore = "long: every case under every login shell"]
    fn every_login_shell_begins_well() {
        for login in LOGINS {
            begins(login, |_| true);
        }
    }
}
