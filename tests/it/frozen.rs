//! Roots as earlier versions wrote them, kept for ever: every later version reads them, settles what was interrupted
//! there, and goes on with them. FAULTS.md W09.

mod make;
mod roots;
mod runs;
mod text;

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;
use switchback::{Report, fleet::RollbackTarget, report::HostReport};

use roots::{Roots, name};

/// The ways on from a root, each tried on a fresh copy.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// `recover`, then a deploy and a rollback.
    Recover,
    /// A rollback.
    Rollback,
    /// A deploy and a rollback.
    Deploy,
    /// `unlock --force` and `recover`, then a deploy and a rollback.
    Force,
    /// `rollback --to a --no-hooks --keep-data`.
    RollbackTo,
}

use Way::{Deploy, Force, Recover, Rollback, RollbackTo};

/// Defines a test for each case, and `CASES`.
macro_rules! cases {
    ($($case:ident: $ways:expr,)+) => {
        /// Every case, and the ways on from it.
        const CASES: &[(&str, &[Way])] = &[$((stringify!($case), &$ways),)+];

        $(#[test]
        fn $case() {
            goes_on("v0.1", stringify!($case));
        })+
    };
}

cases! {
    idle: [Recover, Rollback],
    idle_with_data: [Recover, Rollback, RollbackTo],
    adopted: [Recover, Rollback],
    skipped_host: [Recover, Rollback, Deploy],
    deploy_in_upload: [Recover, Rollback, Deploy],
    deploy_in_prepare: [Recover, Rollback, Deploy],
    deploy_locked: [Recover, Rollback, Deploy],
    deploy_prepared: [Recover, Rollback, Deploy],
    deploy_before_apply: [Recover, Rollback, Deploy],
    deploy_after_apply: [Recover, Rollback, Deploy],
    deploy_switched_on_one: [Recover, Rollback, Deploy],
    deploy_switched: [Recover, Rollback, Deploy],
    deploy_after_switch: [Recover, Rollback, Deploy],
    deploy_in_apply: [Recover, Rollback, Deploy],
    deploy_in_after_switch: [Recover, Rollback, Deploy],
    deploy_validated: [Recover, Rollback, Deploy],
    deploy_before_unlock: [Recover, Rollback, Deploy],
    rollback_before_switch: [Recover, Rollback, Deploy],
    rollback_switched_on_one: [Recover, Rollback, Deploy],
    rollback_before_revert: [Recover, Rollback, Deploy],
    rollback_reverted: [Recover, Rollback, Deploy],
    activate_before_switch: [Recover, Rollback, Deploy],
    activate_switched_on_one: [Recover, Rollback, Deploy],
    locked_elsewhere: [Recover, Rollback, Force],
    torn_previous_version: [Recover, Rollback, RollbackTo],
    torn_history: [Recover, Rollback],
    torn_data_record: [Recover, Rollback, RollbackTo],
    torn_lock: [Recover, Rollback, Force],
    torn_intent: [Recover, Rollback, Deploy, RollbackTo, Force],
}

fn file(generation: &str, case: &str, kind: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/frozen");
    here.join(generation).join(format!("{case}.{kind}"))
}

#[test]
fn every_root_has_a_test() {
    let files = fs::read_dir(file("v0.1", "idle", "root").parent().expect("a directory")).expect("it is there");
    for path in files.map(|entry| entry.expect("an entry").path()) {
        let case = path.file_stem().expect("a name").to_str().expect("UTF-8");
        assert!(CASES.iter().any(|(known, _)| *known == case), "{case} has no test");
    }
}

/// Checks that this version finds in the roots of `case`, and makes of them, what is written beside them.
fn goes_on(generation: &str, case: &str) {
    if text::host_name().is_none() {
        #[expect(clippy::print_stderr, reason = "a skip is reported")]
        {
            eprintln!("skipped: the name of this machine does not fit into a process mark");
        }
        return;
    }
    let read = |kind| fs::read_to_string(file(generation, case, kind)).expect("a case has two files");
    let (found, expected) = (transcript(&read("root"), case), read("expected"));
    assert_eq!(found, expected, "{case} is\n{found}\nand was\n{expected}");
}

/// Describes what the roots of `text` hold, and the outcome of each way on.
fn transcript(text: &str, case: &str) -> String {
    let unpacked = || {
        let mut roots = Roots::empty();
        roots.hosts = text::unpack(text, roots.directory.path());
        roots
    };
    let roots = unpacked();
    let mut lines = String::new();
    let status = roots.status();
    add(&mut lines, "status", &roots, &status);
    for (place, host) in status.hosts.iter().enumerate() {
        lines += &shown(&roots, place, host);
    }
    for host in &roots.history().hosts {
        let entries = host.status.as_ref().and_then(|status| status.history.as_deref()).unwrap_or_default();
        for entry in entries {
            let (from, to) = (name_of(entry.from.as_ref()), name_of(entry.to.as_ref()));
            let (outcome, at) = (word(&entry.outcome), word(&entry.host));
            writeln!(lines, "  {} history: {} {from} -> {to}: {outcome}, {at}", host.host, entry.command)
                .expect("memory");
        }
    }
    add(&mut lines, "check", &roots, &roots.check());
    let (_, ways) = CASES.iter().find(|(known, _)| *known == case).expect("a case");
    for way in *ways {
        let roots = unpacked();
        lines.push('\n');
        match way {
            Recover => add(&mut lines, "recover", &roots, &roots.recover()),
            Rollback => add(&mut lines, "rollback", &roots, &roots.rollback(|options| options)),
            Deploy => {}
            Force => {
                add(&mut lines, "unlock", &roots, &roots.unlock(false));
                add(&mut lines, "unlock --force", &roots, &roots.unlock(true));
                add(&mut lines, "recover", &roots, &roots.recover());
            }
            RollbackTo => {
                let report = roots.rollback(|options| {
                    options.target(RollbackTarget::Release(name("a"))).no_hooks(true).keep_data(true)
                });
                add(&mut lines, "rollback --to a --no-hooks --keep-data", &roots, &report);
            }
        }
        if !matches!(way, Rollback) {
            add(&mut lines, "deploy x", &roots, &roots.deploy("x"));
            add(&mut lines, "rollback", &roots, &roots.rollback(|options| options));
        }
        lines += &left(&roots);
    }
    lines
}

/// Spells a value as in JSON.
fn word<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value).expect("JSON").as_str().expect("a word").to_owned()
}

/// Appends the outcome of a command, and where it left the hosts and the data.
fn add(lines: &mut String, command: &str, roots: &Roots, report: &Report) {
    let kind = report.error.as_ref().map(|error| format!(" ({})", error.kind.as_str())).unwrap_or_default();
    let currents: Vec<String> = (0..roots.hosts.len()).map(|host| roots.current(host)).collect();
    let data = roots.text(0, "data");
    let data = if data.is_empty() { data } else { format!(", data {}", data.trim_end()) };
    let (code, outcome) = (report.exit_code().code(), word(&report.outcome));
    writeln!(lines, "{command}: {code} {outcome}{kind}; on {}{data}", currents.join(" ")).expect("memory");
}

/// Describes a host as `status` shows it. Texts for people are counted: their wording may change.
fn shown(roots: &Roots, place: usize, host: &HostReport) -> String {
    let Some(status) = &host.status else { return format!("  {}: not read\n", host.host) };
    let (current, previous) = (name_of(status.current.as_ref()), name_of(status.previous.as_ref()));
    let mut lines = format!("  {}: {current}, previous {previous}", host.host);
    if let Some(lock) = &status.lock {
        let command = lock.owner.as_ref().map_or("unknown", |owner| owner.command.as_str());
        write!(lines, ", {command} holds the lock: {:?}", lock.holder).expect("memory");
    }
    writeln!(lines, ", leftovers {}", status.leftovers.len()).expect("memory");
    for release in &status.releases {
        let marks = [(release.unsealed, " unsealed"), (release.pinned.is_some(), " pinned")];
        let marks = marks.iter().filter_map(|(is, mark)| is.then_some(*mark)).collect::<String>();
        let tool = release.adopted.as_ref().map(|adopted| format!(" from {}", word(&adopted.tool)));
        let (state, previous) = (release.state.as_str(), name_of(release.previous.as_ref()));
        writeln!(lines, "    {} {state}, previous {previous}{marks}{}", release.name, tool.unwrap_or_default())
            .expect("memory");
    }
    let root = roots.path(place, "");
    for file in &status.unreadable {
        let inner = Path::new(&file.path).strip_prefix(&root).expect("a file of the root");
        writeln!(lines, "    unreadable: {}", inner.display()).expect("memory");
    }
    for damaged in &status.damaged {
        writeln!(lines, "    damaged: {}, {}", damaged.release, damaged.damaged).expect("memory");
    }
    lines
}

fn name_of<T: ToString>(name: Option<&T>) -> String {
    name.map_or("-".to_owned(), ToString::to_string)
}

/// Names what an interrupted run left, and this version did not remove.
fn left(roots: &Roots) -> String {
    let mut lines = String::new();
    for (place, host) in roots.hosts.iter().enumerate() {
        for directory in ["lock", "journal", "staging", "trash", "live", "tmp", "debts"] {
            for left in roots.names(place, &format!(".switchback/{directory}")) {
                // A token is 32 random digits.
                let left = if left.len() == 32 { "TOKEN" } else { &left };
                writeln!(lines, "left: {host} {directory}/{left}").expect("memory");
            }
        }
    }
    if lines.is_empty() { "left: nothing\n".to_owned() } else { lines }
}
