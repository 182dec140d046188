//! SIGKILL of a host's `sh`, and of each utility that it runs, over a real sshd. FAULTS.md K03, K04.
//!
//! Wrappers on the hosts' `PATH` count and kill. Without an sshd the tests print that they are skipped, or fail with
//! `SWITCHBACK_REQUIRE_SSHD=1`. The full sweeps, well over 1,000 kills, take 22 minutes on two busy cores: `cargo test
//! --all-features --test sweeps -- --ignored kill_remote --test-threads 2`.
#![cfg(all(feature = "ssh", feature = "cli"))]

mod host;
use crate::support;

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use host::{Host, Kill};
use support::{
    cut,
    site::{
        Case, DEPLOY, FIRST_DEPLOY, RECOVER, RECOVER_BACK, RECOVER_FORWARD, RECOVER_ROLLBACK, ROLLBACK, Site, UNLOCK,
        UNLOCK_FORCE, said,
    },
    truth::is_true,
};

/// A fleet of hosts that can lose a process.
struct Fleet<'c> {
    case: &'c Case,
    hosts: Vec<Host>,
    site: Site,
}

impl<'c> Fleet<'c> {
    fn new(hosts: usize, case: &'c Case) -> Option<Self> {
        let hosts: Vec<Host> = (0..hosts).map(|_| Host::start()).collect::<Option<_>>()?;
        let mut site = Site::fleet(hosts.len(), case);
        let places: String = hosts
            .iter()
            .enumerate()
            .map(|(at, host)| host.toml(&format!("web{}", at + 1), support::sshd::text(&site.root(at))))
            .collect();
        let toml = Host::ssh(&hosts) + &places;
        site.configure(&toml, &toml);
        Some(Self { case, hosts, site })
    }

    /// Returns the calls of an undisturbed run on the last host. The first host is the arbiter, which the others
    /// follow.
    fn calls(&self) -> Vec<String> {
        self.site.restore();
        let host = self.hosts.last().expect("a host");
        host.plan(0, Kill::ShellBefore);
        let output = self.run();
        assert!(output.status.success(), "{}: {}", self.case.what, said(&output));
        host.unplan()
    }

    fn run(&self) -> std::process::Output {
        let mut words = self.site.words(self.case.arguments);
        words.insert(0, "--json");
        self.site.command(&words).output().expect("the command runs")
    }

    /// Kills at call `nth` of the last host, checks the report and the host, and returns the exit code.
    fn killed_at(&self, nth: usize, kill: Kill, turn: usize, at: &str) -> i32 {
        self.site.restore();
        let host = self.hosts.last().expect("a host");
        host.plan(nth, kill);
        let output = self.run();
        host.unplan();
        self.site.holds(self.case, at);
        let code = is_true(&self.site, self.case, &output, at);
        self.site.settles(self.case, turn, at);
        // A deploy removes leftovers when it begins, so no late utility may still be at work.
        host.ends();
        self.site.deploys_next(at);
        code
    }
}

/// Kills at the calls that `take` picks, and prints how often each exit code occurred.
#[expect(clippy::print_stderr, reason = "how many points were tried is part of the result")]
fn sweep(case: &Case, hosts: usize, floor: usize, take: impl Fn(usize, &str, Kill) -> bool) {
    if case.cut.is_some() && !cut::available() {
        return;
    }
    let Some(fleet) = Fleet::new(hosts, case) else { return };
    let mut codes: BTreeMap<i32, usize> = BTreeMap::new();
    let (mut trials, mut failed) = (0, Vec::new());
    for (place, call) in fleet.calls().iter().enumerate() {
        for kill in Kill::ALL.into_iter().filter(|kill| take(place, call, *kill)) {
            trials += 1;
            let at = format!("{} on {hosts} hosts, {kill:?} at call {}, {call}", case.what, place + 1);
            // A rollback may take the lock before or after a late call that forgets a journal, and either is right. A
            // recovery ends in the same state.
            let turn = if kill == Kill::ShellThenLate && call.ends_with("trash/") { 1 } else { trials };
            match catch_unwind(AssertUnwindSafe(|| fleet.killed_at(place + 1, kill, turn, &at))) {
                Ok(code) => *codes.entry(code).or_default() += 1,
                Err(_) => failed.push(at),
            }
        }
    }
    eprintln!("{} on {hosts} hosts: {trials} kills, exit codes and how often: {codes:?}", case.what);
    assert!(failed.is_empty(), "{} of {trials} failed:\n{}", failed.len(), failed.join("\n"));
    assert!(trials >= floor, "{}: only {trials} kills", case.what);
}

/// Samples the upload and the renames with one kind of kill each, and a few other calls.
fn some(place: usize, call: &str, kill: Kill) -> bool {
    if call.starts_with("tar") {
        return kill == Kill::ShellBefore;
    }
    let picked = call.starts_with("mv -f") || place % 23 == 11;
    picked && Kill::ALL[place % Kill::ALL.len()] == kill
}

/// Picks every kill. A late utility matters only if it moves something into place.
fn all(_: usize, call: &str, kill: Kill) -> bool {
    kill != Kill::ShellThenLate || call.starts_with("mv -f")
}

/// Picks two kinds of kill for each call, in turn.
fn by_turns(place: usize, call: &str, kill: Kill) -> bool {
    let turn = |at: usize| Kill::ALL[at % Kill::ALL.len()] == kill;
    all(place, call, kill) && (turn(place) || turn(place + 2))
}

#[test]
fn deploy() {
    sweep(&DEPLOY, 1, 5, some);
}

#[test]
fn rollback_of_two_hosts() {
    sweep(&ROLLBACK, 2, 3, some);
}

#[test]
fn recover() {
    sweep(&RECOVER_BACK, 1, 3, some);
}

#[test]
fn unlock() {
    sweep(&UNLOCK, 1, 2, some);
}

/// Interrupts `recover` and `unlock` themselves on the host.
#[test]
#[ignore = "a full sweep: cargo test --test sweeps -- --ignored kill_remote"]
fn recover_everywhere() {
    sweep(&RECOVER, 1, 50, by_turns);
    sweep(&RECOVER_BACK, 1, 50, by_turns);
    sweep(&RECOVER_FORWARD, 1, 50, by_turns);
}

#[test]
#[ignore = "a full sweep: cargo test --test sweeps -- --ignored kill_remote"]
fn recover_of_a_rollback_everywhere() {
    sweep(&RECOVER_ROLLBACK, 1, 50, by_turns);
}

#[test]
#[ignore = "a full sweep: cargo test --test sweeps -- --ignored kill_remote"]
fn unlock_everywhere() {
    sweep(&UNLOCK, 1, 50, all);
    sweep(&UNLOCK_FORCE, 1, 30, by_turns);
}

#[test]
#[ignore = "a full sweep: cargo test --test sweeps -- --ignored kill_remote"]
fn deploy_everywhere() {
    sweep(&DEPLOY, 1, 200, all);
}

#[test]
#[ignore = "a full sweep: cargo test --test sweeps -- --ignored kill_remote"]
fn first_deploy_everywhere() {
    sweep(&FIRST_DEPLOY, 1, 80, by_turns);
}

#[test]
#[ignore = "a full sweep: cargo test --test sweeps -- --ignored kill_remote"]
fn rollback_everywhere() {
    sweep(&ROLLBACK, 1, 100, all);
}

#[test]
#[ignore = "a full sweep: cargo test --test sweeps -- --ignored kill_remote"]
fn deploy_on_two_hosts_everywhere() {
    sweep(&DEPLOY, 2, 80, by_turns);
}

#[test]
#[ignore = "a full sweep: cargo test --test sweeps -- --ignored kill_remote"]
fn rollback_of_two_hosts_everywhere() {
    sweep(&ROLLBACK, 2, 50, by_turns);
}
