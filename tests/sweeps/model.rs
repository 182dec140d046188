//! A model checker for the tool itself: two controllers on two hosts in memory, in every order of their calls, with
//! lost answers, late calls, crashes, dying processes and stolen locks.
//!
//! It explores the real code: the commands are the library's own futures, and their batches run on copies of hosts. It
//! is fast because a host is identified by its content and a command by its replies so far, so that a state is a few
//! numbers ([`memo`]). FAULTS.md I01 to I27.
//!
//! We do not use `stateright`: it depends on a web server (`tiny_http`) that no feature turns off, and we would use
//! only its queue of states.
//!
//! The long run is `cargo test --all-features --test sweeps -- --ignored model`.

mod command;
mod explorer;
use crate::support::ground;
mod invariants;
mod memo;
use crate::support::names;
use crate::support::puppet;

use std::time::Instant;

use switchback::{DirStore, Fleet, Host, HostPath, Layout, transport::MemoryHost};

use command::{Command, Planted};
use explorer::{Budget, Explorer, Found};

/// The number of hosts.
pub(crate) const HOSTS: usize = 2;

/// All possible releases: the first three are deployed beforehand, the third is current, and the fourth is staged.
pub(crate) const RELEASES: [&str; 6] = ["a", "b", "c", "s", "d", "e"];

thread_local! {
    /// A host in the initial state.
    pub(crate) static START: MemoryHost = start();
}

fn start() -> MemoryHost {
    let host = MemoryHost::new();
    let root: HostPath = puppet::ROOT.parse().expect("a path");
    let store = DirStore::new(host.connect("start"), root, Layout::default());
    let fleet = Fleet::new(vec![Host::new("start", store)]).expect("a fleet");
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(async {
        for name in &RELEASES[..3] {
            Command::Deploy(name).run(&fleet).await;
        }
        command::stage(&fleet, RELEASES[3]).await;
    });
    // Remove records whose times and tokens differ in every run: they would make equal states different.
    host.remove(&ground::at(".switchback/history"));
    for name in &RELEASES[..4] {
        host.remove(&ground::at(&format!(".switchback/releases/{name}/staged")));
    }
    host
}

#[expect(clippy::print_stderr, reason = "how much was explored is part of the result")]
fn explore(commands: [Command; 2], planted: Planted, budget: Budget, limit: usize) -> Found {
    let began = Instant::now();
    let mut explorer = Explorer::new(commands, planted, budget);
    let found = explorer.explore(limit);
    eprintln!(
        "{commands:?}, {planted:?}, {budget:?}: {} states, {} steps, {} places of commands ({} run again), {} hosts, {} {:.1} s",
        found.states,
        found.steps,
        found.places,
        found.runs,
        found.hosts,
        if found.exhausted { "all there are," } else { "more to explore," },
        began.elapsed().as_secs_f64()
    );
    found
}

#[track_caller]
fn holds(found: &Found) {
    if let Some(wrong) = &found.wrong {
        panic!("{wrong}");
    }
}

#[track_caller]
fn caught(found: &Found, invariant: &str) {
    let wrong = found.wrong.as_ref().expect("a planted fault is found");
    assert!(wrong.contains(invariant), "{wrong}");
}

const DEPLOYS: [Command; 2] = [Command::Deploy("d"), Command::Deploy("e")];
const DEPLOY_AND_BACK: [Command; 2] = [Command::Deploy("d"), Command::Rollback];
const ACTIVATE_AND_BACK: [Command; 2] = [Command::Activate("s"), Command::Rollback];
const BACK_TWICE: [Command; 2] = [Command::Rollback, Command::Rollback];

const NOTHING: Budget = Budget { lost: 0, hung_up: 0, delayed: 0, cut: 0, crashes: 0, steals: 0, by_hand: 0 };

/// One mishap of each kind, except those that take a lock from a live holder.
const ONE_OF_EACH: [Budget; 5] = [
    Budget { lost: 1, ..NOTHING },
    Budget { delayed: 1, ..NOTHING },
    Budget { crashes: 1, ..NOTHING },
    Budget { cut: 1, ..NOTHING },
    Budget { hung_up: 1, ..NOTHING },
];

/// Explores the whole model.
#[track_caller]
fn exhaust(commands: [Command; 2], budget: Budget) -> usize {
    let found = explore(commands, Planted::Nothing, budget, usize::MAX);
    holds(&found);
    assert!(found.exhausted);
    found.states
}

#[test]
fn every_order_of_two_commands_holds() {
    for commands in [BACK_TWICE, ACTIVATE_AND_BACK] {
        exhaust(commands, NOTHING);
    }
    holds(&explore(DEPLOYS, Planted::Nothing, NOTHING, 5_000));
}

#[test]
fn every_order_with_one_mishap_holds() {
    for budget in ONE_OF_EACH.into_iter().filter(|budget| budget.cut == 0) {
        exhaust(BACK_TWICE, budget);
    }
    holds(&explore(ACTIVATE_AND_BACK, Planted::Nothing, Budget { steals: 1, delayed: 1, ..NOTHING }, 5_000));
}

#[test]
fn a_switch_that_compares_nothing_is_caught() {
    let budget = Budget { by_hand: 1, ..NOTHING };
    exhaust(ACTIVATE_AND_BACK, budget);
    caught(&explore(ACTIVATE_AND_BACK, Planted::NoCompare, budget, usize::MAX), "I10");
}

#[test]
fn a_switch_without_a_fence_is_caught() {
    let budget = Budget { delayed: 1, steals: 1, ..NOTHING };
    caught(&explore(ACTIVATE_AND_BACK, Planted::NoFence, budget, usize::MAX), "I26");
}

#[test]
fn a_fleet_without_a_barrier_is_caught() {
    caught(&explore(DEPLOYS, Planted::NoBarrier, NOTHING, usize::MAX), "I25");
}

#[test]
fn a_record_that_is_written_early_is_caught() {
    caught(&explore(DEPLOY_AND_BACK, Planted::EarlyRecord, NOTHING, usize::MAX), "I10");
}

/// The whole model, with every kind of mishap except those that take a lock from a live holder.
#[test]
#[ignore = "takes many minutes"]
fn every_order_of_longer_stories_holds() {
    let three = Budget { lost: 1, delayed: 1, crashes: 1, ..NOTHING };
    let mut states = exhaust(BACK_TWICE, three);
    for commands in [BACK_TWICE, ACTIVATE_AND_BACK] {
        states += ONE_OF_EACH.into_iter().map(|budget| exhaust(commands, budget)).sum::<usize>();
    }
    states += exhaust(DEPLOY_AND_BACK, NOTHING);
    assert!(states > 100_000, "only {states} states");
    // Uploads take no lock: two of them at once have more orders than can be explored.
    holds(&explore(DEPLOYS, Planted::Nothing, NOTHING, 500_000));
}

/// Locks are stolen from live holders too: more states than can be explored, so the limit is two million.
#[test]
#[ignore = "takes many minutes"]
fn two_million_states_with_theft_hold() {
    let budget = Budget { lost: 1, hung_up: 1, delayed: 1, cut: 0, crashes: 1, steals: 2, by_hand: 0 };
    let found = explore(ACTIVATE_AND_BACK, Planted::Nothing, budget, 2_000_000);
    holds(&found);
    assert!(found.states >= 2_000_000);
}
