//! The conformance suite on every shell and set of utilities of this machine, and over a real sshd.
//!
//! `carriers.rs` runs it in memory, locally and on the decorators.
#![expect(clippy::print_stderr, reason = "a suite says on what it ran, and what it skipped")]

use crate::support;

use std::time::{Duration, Instant};

use support::{local_shell::LocalShell, mounts};
use switchback::{
    testing::conformance::{Case, Fixture, all_of, cases},
    transport::{ShellTransport, Transport, shell::CommandShell},
};
use tempfile::TempDir;

fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// Creates a directory, in memory if possible: the suite creates thousands of files.
fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory")
}

fn fixture_on(transport: impl Transport) -> Fixture {
    let dir = directory();
    let root = dir.path().to_str().expect("UTF-8").parse().expect("a path");
    Fixture::new(transport, root).keeping(dir)
}

/// A shell and the utilities that it finds, in which every case runs by default.
const EVERY_CASE: [(&str, &str); 2] = [("dash", "gnu"), ("busybox", "busybox")];

/// The others share the cases between them by default.
const SHARED: [(&str, &str); 6] =
    [("bash", "gnu"), ("busybox", "gnu"), ("mksh", "gnu"), ("zsh", "gnu"), ("dash", "busybox"), ("dash", "toybox")];

/// Returns the cases of the turn `turn` of `turns`.
fn share(turn: usize, turns: usize) -> impl Fn(&(usize, &'static Case)) -> bool {
    move |(at, _)| at % turns == turn
}

fn conforms((shell, tools): (&str, &str), is_meant: impl Fn(&(usize, &'static Case)) -> bool) {
    let Some(shell) = LocalShell::new(shell, tools) else {
        eprintln!("skipped: there is no {shell} with {tools}");
        return;
    };
    let began = Instant::now();
    let make = || {
        let fixture = fixture_on(shell.transport());
        if mounts::are_allowed() { fixture.with_mounts() } else { fixture }
    };
    let cases = cases().iter().enumerate().filter(is_meant);
    let summary = wait(all_of(cases.map(|(_, case)| case), make));
    eprintln!("{shell}: {summary}, in {:.1} s", began.elapsed().as_secs_f64());
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

/// Runs half of the cases over one of the commands that start shells.
#[test]
fn commands_that_start_shells_conform() {
    let plain = |words: &[&str]| CommandShell::new(words[0], &words[1..]);
    let shells = [plain(&["env"]), plain(&["sh", "-c"]).taking_a_line()];
    let own_mounts = mounts::are_allowed().then(|| plain(&["unshare", "--mount"]));
    let shells: Vec<_> = shells.into_iter().chain(own_mounts).collect();
    for (turn, shell) in shells.iter().enumerate() {
        let began = Instant::now();
        let make = || fixture_on(ShellTransport::new(shell.clone(), Duration::from_secs(60)));
        // Every second case by default: `examples/custom_transport.rs` runs them all over `env -i`.
        let meant = cases().iter().enumerate().filter(share(turn, 2 * shells.len())).map(|(_, case)| case);
        eprintln!("{shell}: {}, in {:.1} s", wait(all_of(meant, make)), began.elapsed().as_secs_f64());
    }
}

#[cfg(feature = "ssh")]
mod over_ssh {
    use std::os::unix::fs::{MetadataExt, chown};

    use super::{
        Case, Fixture, Instant, LocalShell, all_of, cases, directory, share,
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
        let summary = wait(all_of(cases(), || fixture(&sshd, &user)));
        eprintln!("over ssh: {summary}, in {:.1} s", began.elapsed().as_secs_f64());
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
        let by_login = || cases().iter().filter(|case| BY_LOGIN.iter().any(|about| case.name().starts_with(about)));
        assert!(BY_LOGIN.iter().all(|about| by_login().any(|case| case.name().starts_with(about))), "each is there");
        let meant = by_login().enumerate().filter(is_meant).map(|(_, case)| case);
        let summary = wait(all_of(meant, || fixture(&sshd, &user)));
        let tools = set.map_or("", |(_, tools)| tools);
        eprintln!("{login} {tools} over ssh: {summary}, in {:.1} s", began.elapsed().as_secs_f64());
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
