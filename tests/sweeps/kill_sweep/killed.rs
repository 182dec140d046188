//! SIGKILL before each changing system call of the command. FAULTS.md K01, K02, K13, K14, K15.

use std::os::unix::process::ExitStatusExt;

use super::{
    calls,
    support::{
        cut,
        site::{
            ACTIVATE, Case, DEPLOY, FIRST_DEPLOY, PRUNE, RECOVER, RECOVER_BACK, RECOVER_FORWARD, RECOVER_ROLLBACK,
            ROLLBACK, Site, UNLOCK, UNLOCK_FORCE, said,
        },
    },
};

/// Kills `case` before the changing calls that `take` picks, and lets the next runs look at what is left: by turns a
/// rollback and a deploy, or only a deploy. Returns at how many.
///
/// What a call leaves is seen by the kill before the next one, and what the last leaves by the undisturbed run.
fn killed_at_each(case: &Case, take: fn(usize, &str) -> bool, turn: usize) -> usize {
    let site = Site::local(case);
    site.restore();
    let words = site.words(case.arguments);
    let (calls, output) = calls::changing(site.directory(), &words);
    assert!(output.status.success(), "{}: {}", case.what, said(&output));
    let mut killed = 0;
    for (at, call) in calls.iter().enumerate().filter(|(at, call)| take(*at, &call.name)) {
        site.restore();
        let fault = format!("{}:signal=SIGKILL:when={}", call.name, call.nth);
        let output = calls::with_fault(site.directory(), &fault, &words);
        let at_call = format!("{}, killed at call {at}, {} {}", case.what, call.name, call.nth);
        assert_eq!(output.status.signal(), Some(9), "{at_call}: {}", said(&output));
        killed += 1;
        site.holds(case, &at_call);
        site.converges(case, killed + turn, &at_call);
    }
    killed
}

/// Every rename, and some of the rest.
fn some(at: usize, name: &str) -> bool {
    name.starts_with("rename") || at % 9 == 4
}

#[expect(clippy::print_stderr, reason = "how many points were tried is part of the result")]
fn sweep(case: &Case, take: fn(usize, &str) -> bool, turn: usize, floor: usize) {
    if cut::available() {
        let killed = killed_at_each(case, take, turn);
        eprintln!("{}: killed at {killed} calls", case.what);
        assert!(killed >= floor, "{}: killed at {killed} calls only", case.what);
    }
}

#[test]
fn first_deploy() {
    sweep(&FIRST_DEPLOY, some, 0, 10);
}

#[test]
fn deploy() {
    sweep(&DEPLOY, some, 0, 10);
}

#[test]
fn activate() {
    sweep(&ACTIVATE, some, 0, 5);
}

#[test]
fn rollback() {
    sweep(&ROLLBACK, some, 0, 5);
}

/// What is current and the way back stay, and what goes is gone or whole at every instant.
#[test]
fn prune() {
    sweep(&PRUNE, some, 0, 5);
}

#[test]
fn recover() {
    sweep(&RECOVER, some, 0, 5);
    sweep(&RECOVER_BACK, some, 1, 5);
}

#[test]
fn recover_of_a_rollback() {
    sweep(&RECOVER_ROLLBACK, some, 0, 5);
}

#[test]
fn unlock() {
    sweep(&UNLOCK, some, 0, 5);
    sweep(&UNLOCK_FORCE, some, 1, 5);
}

/// There is no file afterwards, or a whole one, and another run says which. FAULTS.md K13.
#[test]
fn init() {
    if !cut::available() {
        return;
    }
    let whole = tempfile::tempdir().expect("a directory");
    let (calls, output) = calls::changing(whole.path(), &["init"]);
    assert!(output.status.success(), "{}", said(&output));
    let content = std::fs::read(whole.path().join("switchback.toml")).expect("it was written");
    for call in &calls {
        let dir = tempfile::tempdir().expect("a directory");
        let at_call = format!("killed at {} {}", call.name, call.nth);
        let fault = format!("{}:signal=SIGKILL:when={}", call.name, call.nth);
        let output = calls::with_fault(dir.path(), &fault, &["init"]);
        assert_eq!(output.status.signal(), Some(9), "{at_call}: {}", said(&output));
        let file = dir.path().join("switchback.toml");
        let is_there = file.exists();
        let again = calls::changing(dir.path(), &["init"]).1;
        assert_eq!(again.status.code(), Some(if is_there { 2 } else { 0 }), "{at_call}: {}", said(&again));
        assert_eq!(std::fs::read(file).expect("it is there now"), content, "{at_call}");
    }
    assert!(calls.len() > 3, "{calls:?}");
}

/// A kill at each of some hundred calls, three times over: a minute or two on 2 cores.
#[test]
#[ignore = "a full sweep: cargo test --test sweeps -- --ignored kill_sweep"]
fn everywhere() {
    for (case, floor) in [(FIRST_DEPLOY, 100), (DEPLOY, 90), (ACTIVATE, 45), (ROLLBACK, 50), (PRUNE, 20)] {
        for turn in 0..3 {
            sweep(&case, |_, _| true, turn, floor);
        }
    }
}

/// A recovery, and the taking away of a lock, are themselves cut off everywhere.
#[test]
#[ignore = "a full sweep: cargo test --test sweeps -- --ignored kill_sweep"]
fn recovery_everywhere() {
    let cases = [(RECOVER, 40), (RECOVER_BACK, 45), (RECOVER_FORWARD, 45), (RECOVER_ROLLBACK, 45)];
    for (case, floor) in cases.into_iter().chain([(UNLOCK, 25), (UNLOCK_FORCE, 25)]) {
        for turn in 0..3 {
            sweep(&case, |_, _| true, turn, floor);
        }
    }
}
