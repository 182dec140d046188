//! Every changing system call fails, once or from then on, and the report stays true. FAULTS.md E03, E05, E11, E12.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::Output,
};

use serde_json::Value;

use super::{
    calls::{self, Call},
    support::{
        cut,
        site::{Case, DEPLOY, FIRST_DEPLOY, PRUNE, ROLLBACK, Site, said},
    },
};

/// Errors with the system's text for each.
const ERRORS: [(&str, &str); 5] = [
    ("ENOSPC", "No space left on device"),
    ("EIO", "Input/output error"),
    ("EROFS", "Read-only file system"),
    ("EACCES", "Permission denied"),
    ("EMFILE", "Too many open files"),
];

/// A run with one fault.
struct Trial<'t> {
    case: &'t Case,
    call: &'t Call,
    error: (&'static str, &'static str),
    /// Whether every later call of this name fails too.
    lasts: bool,
}

impl Trial<'_> {
    fn describe(&self) -> String {
        let Self { case, call, error, lasts } = self;
        let until = if *lasts { " and all after it" } else { "" };
        format!("{}, {} {}{until} failing with {}", case.what, call.name, call.nth, error.0)
    }

    fn try_on(&self, site: &Site, turn: usize) -> u8 {
        site.restore();
        let at = self.describe();
        let lasting = if self.lasts { "+" } else { "" };
        let fault = format!("{}:error={}:when={}{lasting}", self.call.name, self.error.0, self.call.nth);
        let mut words = site.words(self.case.arguments);
        words.insert(0, "--json");
        let output = calls::with_fault(site.directory(), &fault, &words);
        site.holds(self.case, &at);
        self.is_true(site, &output, &at);
        site.converges(self.case, turn, &at);
        u8::try_from(output.status.code().expect("no signal ended it")).expect("a small number")
    }

    /// Checks the exit code, the report and the messages against the root.
    fn is_true(&self, site: &Site, output: &Output, at: &str) {
        let told = said(output);
        assert!(!told.contains("panicked"), "{at}: {told}");
        let report = report_of(output).unwrap_or_else(|| panic!("{at}: no report: {told}"));
        let (current, host) = (site.current(0), &report["hosts"][0]);
        let (from, to) = (self.case.from(), Some(self.case.to));
        match output.status.code() {
            Some(0) => {
                assert_eq!(current.as_deref(), to, "{at}: it says done: {told}");
                self.is_confessed(site, host, at, &told);
            }
            Some(3 | 4) => assert_eq!(current.as_deref(), from, "{at}: it says untouched or put back: {told}"),
            // After a single failure, the revert succeeds.
            Some(5) => assert!(self.lasts, "{at}: {told}"),
            _ => panic!("{at}: {told}"),
        }
        // A report without a release means that nothing was read; after a switch, the host was always read.
        if host["outcome"] != "unknown" && (host["after"].is_string() || output.status.code() == Some(4)) {
            assert_eq!(host["after"].as_str(), current.as_deref(), "{at}: the report of the host: {told}");
        }
        if output.status.code() != Some(0) {
            let message = report["error"]["message"].as_str().unwrap_or_default();
            assert!(message.contains(self.error.1), "{at}: the message does not say why: {told}");
            // "..., PLACE: WHY", where a move has two places: a path in the root, or in the release that is uploaded.
            let place = message.split(&format!(": {}", self.error.1)).next().and_then(|text| text.rsplit(": ").next());
            let is_path = |text: &str| !text.is_empty() && !text.contains(' ');
            let named =
                place.is_some_and(|place| place.split(" into ").flat_map(|part| part.split(" to ")).all(is_path));
            assert!(named, "{at}: the message does not say where: {told}");
        }
    }

    /// Checks that a run that succeeds although something may not be durable says so.
    fn is_confessed(&self, site: &Site, host: &Value, at: &str, told: &str) {
        // A full filesystem: the reserve was freed, and everything written and synced once more under another name.
        let is_repeated = self.error.0 == "ENOSPC" && !site.root(0).join(".switchback/reserve").exists();
        if self.call.name.contains("sync") && !is_repeated {
            let warnings = host["warnings"].to_string();
            assert!(warnings.contains(self.error.1), "{at}: done, without a word of it: {told}");
        }
    }
}

fn report_of(output: &Output) -> Option<Value> {
    let last = output.stdout.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty())?;
    serde_json::from_slice(last).ok().filter(|report: &Value| report["type"] == "report")
}

/// Returns whether faults last. For `write` they do not: later writes may be those with which the runtime wakes its
/// threads.
fn lasting(call: &Call) -> &'static [bool] {
    if call.name == "write" { &[false] } else { &[false, true] }
}

/// The number of runs by exit code.
type Codes = std::collections::BTreeMap<u8, usize>;

/// Makes the calls of `case` that `take` picks fail with each error, once and permanently.
fn failing(case: &Case, take: impl Fn(usize, &Call, &str) -> bool) -> Codes {
    let site = Site::local(case);
    site.restore();
    let mut words = site.words(case.arguments);
    words.insert(0, "--json");
    let (calls, output) = calls::changing(site.directory(), &words);
    assert!(output.status.success(), "{}: {}", case.what, said(&output));
    let mut codes = Codes::new();
    let (mut trials, mut failed) = (0, Vec::new());
    for (at, call) in calls.iter().enumerate().filter(|(_, call)| call.alone) {
        for error in ERRORS.into_iter().filter(|(error, _)| take(at, call, error)) {
            for &lasts in lasting(call) {
                trials += 1;
                let trial = Trial { case, call, error, lasts };
                // Go on after a failure, to report all of them.
                match catch_unwind(AssertUnwindSafe(|| trial.try_on(&site, trials))) {
                    Ok(code) => *codes.entry(code).or_default() += 1,
                    Err(_) => failed.push(trial.describe()),
                }
            }
        }
    }
    assert!(failed.is_empty(), "{} of {trials} failed:\n{}", failed.len(), failed.join("\n"));
    codes
}

#[expect(clippy::print_stderr, reason = "how many points were tried is part of the result")]
fn sweep(case: &Case, floor: usize, take: impl Fn(usize, &Call, &str) -> bool) {
    if cut::available() {
        let codes = failing(case, take);
        eprintln!("{}: exit codes of failing calls and how often: {codes:?}", case.what);
        assert!(codes.values().sum::<usize>() >= floor, "{}: {codes:?}", case.what);
    }
}

/// Picks every sync with `EIO`, and a sample of the other calls with one error each.
fn some(at: usize, call: &Call, error: &str) -> bool {
    if call.name.contains("sync") { error == "EIO" } else { at % 11 == 3 && ERRORS[at % ERRORS.len()].0 == error }
}

/// Injects an error of a special filesystem, such as a used-up quota or a file that the file server has lost, into each
/// kind of call that can meet it. FAULTS.md E03, E12.
fn elsewhere(error: (&'static str, &'static str), names: &[&str]) {
    if !cut::available() {
        return;
    }
    let site = Site::local(&DEPLOY);
    site.restore();
    let mut words = site.words(DEPLOY.arguments);
    words.insert(0, "--json");
    let (calls, _) = calls::changing(site.directory(), &words);
    let hit: Vec<&Call> = calls.iter().filter(|call| call.alone && names.contains(&call.name.as_str())).collect();
    // Every seventh call, and the last.
    let last = hit.len() - 1;
    let chosen = hit.iter().enumerate().filter(|(at, _)| at % 7 == 0 || *at == last);
    let mut codes = Codes::new();
    for (turn, (_, call)) in chosen.enumerate() {
        for &lasts in lasting(call) {
            let code = Trial { case: &DEPLOY, call, error, lasts }.try_on(&site, turn);
            *codes.entry(code).or_default() += 1;
        }
    }
    assert!(codes.values().sum::<usize>() >= 4, "{codes:?}");
}

#[test]
fn a_quota_that_is_used_up() {
    elsewhere(("EDQUOT", "Disk quota exceeded"), &["mkdirat", "openat", "write", "symlinkat"]);
}

#[test]
fn a_server_of_files_that_forgot() {
    elsewhere(("ESTALE", "Stale file handle"), &["renameat", "renameat2", "fsync", "syncfs", "openat"]);
}

/// NFS supports neither a rename that refuses to replace nor an exchange: `adopt` and publishing work without
/// `renameat2`. FAULTS.md E12.
#[test]
fn a_filesystem_that_only_renames() {
    if !cut::available() {
        return;
    }
    let site = Site::local(&FIRST_DEPLOY);
    site.restore();
    let fault = "renameat2:error=EINVAL:when=1+";
    let output = calls::with_fault(site.directory(), fault, &site.words(DEPLOY.arguments));
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(site.current(0).as_deref(), Some("new"));
    let by_hand = site.directory().join("by-hand");
    fs_err::create_dir_all(by_hand.join("current")).expect("a directory");
    fs_err::write(by_hand.join("current/index.html"), "by hand").expect("a file");
    let words = ["--root", by_hand.to_str().expect("UTF-8"), "--yes", "adopt"];
    let output = calls::with_fault(site.directory(), fault, &words);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(fs_err::read_to_string(by_hand.join("current/index.html")).expect("it is there"), "by hand");
    assert!(fs_err::read_link(by_hand.join("current")).expect("a link").starts_with("releases"));
}

/// A busy release stays and is reported; everything else goes on. `ETXTBSY` needs no test: only a writer of a running
/// program meets it, and nothing writes into a published release. FAULTS.md E11.
#[test]
fn a_release_that_is_busy() {
    if !cut::available() {
        return;
    }
    let site = Site::local(&PRUNE);
    for fault in ["renameat:error=EBUSY:when=1+", "renameat2:error=EBUSY:when=1+", "unlinkat:error=EBUSY:when=1+"] {
        site.restore();
        let before = site.names(0, "releases").len();
        let mut words = site.words(&["prune", "--keep", "0"]);
        words.insert(0, "--json");
        let output = calls::with_fault(site.directory(), fault, &words);
        site.holds(&PRUNE, fault);
        let told = said(&output);
        let report = report_of(&output).unwrap_or_else(|| panic!("{fault}: {told}"));
        let stays = site.names(0, "releases").len() == before;
        let removes = report["hosts"][0]["pruned"].as_array().is_some_and(|pruned| !pruned.is_empty());
        assert!(stays != removes, "{fault}: what it says it removed is gone, and what not is there: {told}");
        if output.status.success() {
            let left = !site.names(0, ".switchback/trash").is_empty();
            assert!(!left || report["hosts"][0]["warnings"].to_string().contains("busy"), "{fault}: {told}");
        } else {
            assert!(told.contains("busy"), "{fault}: it does not say why: {told}");
        }
        site.converges(&PRUNE, 1, fault);
    }
}

#[test]
fn deploy() {
    sweep(&DEPLOY, 20, some);
}

#[test]
fn rollback() {
    sweep(&ROLLBACK, 10, some);
}

/// 1,896 runs: 3 minutes on 2 cores.
#[test]
#[ignore = "a full sweep: cargo test --test sweeps -- --ignored kill_sweep"]
fn everything_fails_once_and_for_good() {
    sweep(&FIRST_DEPLOY, 400, |_, _, error| matches!(error, "EIO" | "ENOSPC"));
    sweep(&DEPLOY, 600, |_, _, _| true);
    sweep(&ROLLBACK, 300, |_, _, _| true);
}
