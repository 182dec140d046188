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

/// Kills `case` before each changing call that `take` picks, and checks that the next runs recover. Returns the number
/// of kills.
///
/// The next runs are a rollback and a deploy, or only a deploy, in turn. The effect of each call is seen at the kill
/// before the next one; that of the last call, by the undisturbed run.
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

/// Picks every rename and a sample of the other calls.
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

/// The current and the previous release stay; a removed release is, at every instant, intact or gone.
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

/// The killed run leaves a complete file or none, and the next run agrees. FAULTS.md K13.
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

/// Interrupts `recover` and `unlock` themselves at every call.
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
