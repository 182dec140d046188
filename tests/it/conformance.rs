//! The conformance suite on every shell and set of utilities of this machine, and over a real sshd.
//!
//! `carriers.rs` runs it in memory, locally and on the decorators.
#![expect(clippy::print_stderr, reason = "a suite says on what it ran, and what it skipped")]

use crate::support;

use std::{sync::Arc, time::Instant};

use support::local_shell::LocalShell;
use switchback::testing::conformance::{self, Fixture};
use tempfile::TempDir;

fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// Creates a directory, in memory if possible: the suite creates thousands of files.
fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory")
}

fn conforms(shell: &LocalShell) {
    let (began, mounts) = (Instant::now(), support::mounts::are_allowed());
    let make = || {
        let dir = directory();
        let root = dir.path().to_str().expect("UTF-8").parse().expect("a path");
        let fixture = Fixture::new(Arc::clone(&shell.transport()), root).keeping(dir);
        if mounts { fixture.with_mounts() } else { fixture }
    };
    let cases = wait(conformance::transport(make));
    eprintln!("{shell}: {cases} cases in {:.1} s", began.elapsed().as_secs_f64());
}

#[test]
fn every_shell_with_gnu_utilities_conforms() {
    for shell in ["dash", "bash", "busybox", "mksh", "zsh"] {
        match LocalShell::new(shell, "gnu") {
            Some(shell) => conforms(&shell),
            None => eprintln!("skipped: there is no {shell}"),
        }
    }
}

#[test]
fn every_set_of_utilities_conforms() {
    for (shell, tools) in [("busybox", "busybox"), ("dash", "busybox"), ("dash", "toybox"), ("bash", "toybox")] {
        match LocalShell::new(shell, tools) {
            Some(shell) => conforms(&shell),
            None => eprintln!("skipped: there is no {shell} with {tools}"),
        }
    }
}

#[cfg(feature = "ssh")]
mod over_ssh {
    use std::{
        future::ready,
        os::unix::fs::{MetadataExt, chown},
    };

    use futures_util::{StreamExt, stream};

    use super::{
        Fixture, Instant, LocalShell,
        conformance::{self, CASES},
        directory,
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
        let cases = wait(conformance::transport(|| fixture(&sshd, &user)));
        eprintln!("over ssh: {cases} cases in {:.1} s", began.elapsed().as_secs_f64());
    }

    /// The cases in which a login shell takes part: it starts each `sh`, with its own environment and streams. The
    /// work of that `sh` is the same under every login shell.
    const BY_LOGIN: [&str; 6] = ["batch::", "hook::", "hostile::", "process::", "script::", "upload::"];

    /// Runs the cases of the suite in which a login shell takes part.
    fn begins(sshd: &Sshd, shell: &str, with: &str) {
        let Some(user) = User::new(shell) else { return };
        let began = Instant::now();
        let cases = || CASES.iter().filter(|case| BY_LOGIN.iter().any(|about| case.name.starts_with(about)));
        assert!(BY_LOGIN.iter().all(|about| cases().any(|case| case.name.starts_with(about))), "each is there");
        let runs = stream::iter(cases()).map(|case| case.run(fixture(sshd, &user))).buffered(8);
        let broken: Vec<String> = wait(runs.filter_map(|outcome| ready(outcome.err())).collect());
        assert!(broken.is_empty(), "with {shell}{with} as the login shell:\n{}", broken.join("\n"));
        eprintln!("{shell}{with} over ssh: {} cases in {:.1} s", cases().count(), began.elapsed().as_secs_f64());
    }

    #[test]
    fn every_login_shell_begins_well() {
        let Some(sshd) = Sshd::start("") else { return };
        for shell in ["/bin/dash", "/bin/mksh", "/bin/zsh", "/bin/tcsh", "/usr/bin/fish"] {
            begins(&sshd, shell, "");
        }
    }

    #[test]
    fn busybox_and_toybox_begin_well() {
        for (shell, tools) in [("busybox", "busybox"), ("dash", "toybox")] {
            let Some(host) = LocalShell::new(shell, tools) else { continue };
            let Some(sshd) = Sshd::start(&format!("SetEnv PATH={}", host.path())) else { return };
            begins(&sshd, "/bin/dash", &format!(" with {tools}"));
        }
    }
}
