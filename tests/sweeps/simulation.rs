//! Seeded simulation: controllers compete on hosts in memory, while calls are lost, cut off and late, and people
//! interfere. After every event the invariants are checked against the hosts. FAULTS.md I01 to I27.
//!
//! A failure prints the seed of its world; `SWITCHBACK_SEED=SEED cargo test --all-features --test sweeps simulation`
//! replays exactly that one. The long run is `cargo test --all-features --test sweeps -- --ignored simulation`.

mod checker;
mod command;
mod counts;
use crate::support::ground;
use crate::support::names;
mod oracle;
use crate::support::puppet;
use crate::support::rng;
mod weather;
mod world;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};

use counts::Counts;
use world::World;

/// The number of commands in a world.
const COMMANDS: usize = 30;

/// The number of operations (commands and exchanges) in the long run.
const LONG: usize = 200_000;

/// The number of operations in the quick run.
const QUICK: usize = 12_000;

/// Returns the requested seed; then only that world runs.
fn wanted() -> Option<u64> {
    let text = std::env::var("SWITCHBACK_SEED").ok()?;
    Some(text.parse().expect("SWITCHBACK_SEED is a number"))
}

/// Runs the world of `seed`.
fn live(seed: u64) -> Counts {
    let mut world = World::new(seed, wanted().is_some());
    let lived = catch_unwind(AssertUnwindSafe(|| world.live(COMMANDS)));
    match lived {
        Ok(Ok(())) => world.counts,
        Ok(Err(why)) => panic!("SWITCHBACK_SEED={seed}: {why}"),
        Err(panic) => {
            let why = panic.downcast_ref::<String>().map_or("see above", String::as_str);
            panic!("SWITCHBACK_SEED={seed}: a panic: {why}")
        }
    }
}

/// Runs worlds from the seed `first` on, until there were `operations` operations.
fn live_until(first: u64, operations: usize) -> Counts {
    let mut counts = Counts::default();
    for seed in first.. {
        if counts.operations() >= operations {
            break;
        }
        counts.add(live(seed));
    }
    counts
}

#[expect(clippy::print_stderr, reason = "how much was simulated is part of the result")]
fn simulate(first: u64, operations: usize) {
    if let Some(seed) = wanted() {
        eprintln!("the world of seed {seed}: {:?}", live(seed));
        return;
    }
    let began = Instant::now();
    // Two halves in parallel, one per core.
    let other = std::thread::spawn(move || live_until(first + (1 << 32), operations / 2));
    let mut counts = live_until(first, operations / 2);
    counts.add(other.join().expect("it says itself what is wrong"));
    eprintln!(
        "{} operations ({} commands, {} exchanges), {} steps and {} mishaps in {} worlds, {:.1} s",
        counts.operations(),
        counts.commands,
        counts.exchanges,
        counts.steps,
        counts.mishaps,
        counts.worlds,
        began.elapsed().as_secs_f64()
    );
    assert!(counts.operations() >= operations);
}

#[test]
fn whatever_happens_the_invariants_hold() {
    simulate(1, QUICK);
}

#[test]
#[ignore = "takes a minute or two"]
fn whatever_happens_for_long_the_invariants_hold() {
    simulate(1 << 48, LONG);
}

#[test]
fn one_seed_is_one_world() {
    for seed in 1..6 {
        let (one, other) = (live(seed), live(seed));
        assert_eq!(format!("{one:?}"), format!("{other:?}"));
    }
}
