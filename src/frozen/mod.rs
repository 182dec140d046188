//! Freezes the words that other programs and other versions read: the files on hosts, `--json`, the configuration.
//!
//! `words.txt` has a line for each type: its name, and one value of it with every option set, or all of its words.
//! `switchback.toml` has every key. A test fails when a word in them changes, whatever Rust calls the thing. Add a
//! line for a new word; change one only with a new version of the format.

mod later;
mod words;

use std::{fmt::Write as _, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, to_string, to_value};

use crate::{
    Error, ErrorKind, Event, InnerPath, ReleaseName, Report, Timestamp, Token,
    adoption::{AdoptedRecord, Evidence, Tool},
    commands::{Commands, DataCommands, DataPlace, RevertWhen, ValidateOn, Validation},
    data::{
        DataChange, DataIntent, DataRecord, DataVersion, KeptData, KnownBy, KnownData, LedgerEntry, LedgerStep, Preset,
    },
    debt::Debt,
    drill::{DrillReport, Leg, Proof},
    event::{Phase, Record},
    history::HistoryEntry,
    hook::HookKind,
    lock::{LockHolder, LockOwner, UploadTarget},
    manifest::Digest,
    report::{
        Command, CommandLog, DataReport, EntryChange, EntryDiff, EntryFacts, Failure, Fingerprint, HostOutcome,
        HostReport, OperationLog, Outcome, PhaseTime, ReleaseDiff,
    },
    shared::SharedRecord,
    status::{BadMark, DamagedRelease, HostStatus, PinMark, ReleaseState, ReleaseStatus},
    store::{Intent, StagedRecord, UnreadableFile},
    transport::{FileId, Liveness, Stream},
    verification::{Damage, Foreign, Verification},
};

const WORDS: &str = include_str!("words.txt");
#[cfg(feature = "config")]
const CONFIG: &str = include_str!("switchback.toml");

fn name(text: &str) -> ReleaseName {
    text.parse().expect("a release name")
}

fn token() -> Token {
    "0123456789abcdef0123456789abcdef".parse().expect("a token")
}

fn at() -> Timestamp {
    Timestamp::from_unix(1_795_000_000, 0).expect("a time")
}

fn version(text: &str) -> DataVersion {
    DataVersion::new(text).expect("a data version")
}

fn path(text: &str) -> InnerPath {
    InnerPath::new(text).expect("a path")
}

fn text(text: &str) -> String {
    text.to_owned()
}

/// The lines of `words.txt`, as this program writes them.
struct Lines(String);

impl Lines {
    /// Adds the words of an enum.
    fn words<T: Serialize>(&mut self, name: &str, values: &[T]) {
        let words: Vec<String> = values.iter().map(|value| to_string(value).expect("JSON")).collect();
        writeln!(self.0, "{name} {}", words.join(" ")).expect("a string");
    }

    /// Adds the words of an enum, which are read too.
    fn read_words<T: Serialize + DeserializeOwned>(&mut self, name: &str, values: &[T]) {
        for value in values {
            let word = to_value(value).expect("JSON");
            let read: T = serde_json::from_value(word.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(to_value(read).expect("JSON"), word, "{name}");
        }
        self.words(name, values);
    }

    /// Adds a part of an event or a report, which is read too, also with fields and words of a later version.
    fn reported<T: Serialize + DeserializeOwned>(&mut self, name: &str, value: &T) {
        self.record(name, value);
        let read: Result<T, _> = serde_json::from_value(later::later(to_value(value).expect("JSON")));
        assert!(read.is_ok(), "{name}: {:?}", read.err());
    }

    /// Adds a value.
    fn value(&mut self, name: &str, value: &impl Serialize) {
        writeln!(self.0, "{name} {}", to_string(value).expect("JSON")).expect("a string");
    }

    /// Adds a value that is read too, also with a field that a newer version has added.
    fn record<T: Serialize + DeserializeOwned>(&mut self, name: &str, value: &T) {
        let written = to_value(value).expect("JSON");
        let mut newer = written.clone();
        newer.as_object_mut().expect("an object").insert(text("added-later"), Value::Bool(true));
        let read: T = serde_json::from_value(newer).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(to_value(read).expect("JSON"), written, "{name}");
        self.value(name, value);
    }
}

fn adopted() -> AdoptedRecord {
    AdoptedRecord {
        format: 1,
        tool: Tool::Capistrano,
        evidence: Evidence::RevisionsLog,
        inferred: true,
        at: at(),
        by: text("ann"),
    }
}

fn bad() -> BadMark {
    BadMark { at: at(), by: text("ann"), reason: Some(text("slow")), number: 3 }
}

fn pinned() -> PinMark {
    PinMark { at: at(), by: text("ann"), reason: Some(text("audit")) }
}

fn owner() -> LockOwner {
    LockOwner {
        operation: token(),
        command: Command::Deploy,
        by: text("ann"),
        reason: Some(text("fix")),
        revision: Some(text("abc123")),
        hosts: vec![text("web1")],
        upload: Some(UploadTarget { from: Some(name("b-1")), to: name("b-2") }),
        since: at(),
        data: None,
    }
}

fn holder() -> LockHolder {
    LockHolder::new(token(), owner(), Liveness::Gone)
}

fn history() -> HistoryEntry {
    HistoryEntry {
        format: 1,
        operation: token(),
        command: Command::Rollback,
        at: at(),
        by: text("ann"),
        from: Some(name("b-2")),
        to: Some(name("b-1")),
        pruned: vec![name("b-0")],
        reason: Some(text("slow")),
        revision: Some(text("abc123")),
        outcome: Outcome::PutBack,
        host: HostOutcome::Reverted,
        unwell: true,
        seconds: 1.5,
        phases: vec![PhaseTime::new(Phase::AfterSwitch, 0.5)],
    }
}

fn drill() -> DrillReport {
    DrillReport {
        digest: text("d"),
        baseline: Some(name("b-1")),
        legs: vec![Leg {
            name: text("deploy"),
            seconds: 1.5,
            phases: vec![PhaseTime::new(Phase::AfterSwitch, 0.5)],
            data: Some(version("7")),
            proofs: vec![Proof { name: text("current"), held: true, seen: text("b-2") }],
        }],
        time_to_restore: Some(1.5),
        passed: true,
    }
}

fn add_records(lines: &mut Lines) {
    let validation = Validation {
        command: text("curl"),
        on: ValidateOn::Hosts,
        start_within: Duration::from_secs(10),
        every: Duration::from_secs(2),
        hold_for: Duration::from_secs(30),
        rollback_hold_for: Duration::from_secs(5),
        allow_failures: 1,
    };
    let data = DataCommands {
        place: DataPlace::Host(text("web1")),
        preset: Some(Preset::SeaOrm),
        version: text("v"),
        apply: text("a"),
        revert: Some(text("r")),
        revert_when: RevertWhen::BeforeSwitch,
        timeout: Some(Duration::from_millis(1500)),
        save: vec![path("db")],
    };
    let commands = Commands {
        format: 1,
        prepare: Some(text("make")),
        after_switch: Some(text("reload")),
        timeout: Duration::from_secs(300),
        env_file: Some("/etc/secrets".into()),
        pass_env: vec![text("TOKEN")],
        validation: Some(validation.clone()),
        data: Some(data.clone()),
        fingerprint: Some(text("schema")),
    };
    lines.record("AdoptedRecord", &adopted());
    lines.record("BadMark", &bad());
    lines.record("Commands", &commands);
    lines.record("DataCommands", &data);
    let change = DataChange {
        place: DataPlace::Controller,
        previous: Some(name("b-1")),
        before: version("6"),
        after: Some(version("7")),
        found: Some(version("5")),
    };
    let known = KnownData { version: version("7"), by: KnownBy::DataTo };
    let kept = KeptData { version: Some(version("7")), releases: vec![name("b-2")] };
    lines.record("DataChange", &change);
    let record = DataRecord {
        format: 1,
        irreversible: Some(text("drops a table")),
        change: Some(change),
        known: Some(known.clone()),
        kept: Some(kept.clone()),
    };
    lines.record("DataRecord", &record);
    let debt = Debt {
        format: 1,
        host: text("web1"),
        operation: token(),
        command: Command::Activate,
        release: name("b-2"),
        at: at(),
    };
    lines.record("Debt", &debt);
    lines.record("DrillReport", &drill());
    lines.record("FileId", &FileId { device: 1, inode: 2 });
    lines.record("HistoryEntry", &history());
    let intent = Intent {
        format: 1,
        operation: token(),
        command: Command::Rollback,
        from: Some(name("b-2")),
        to: name("b-1"),
        supersedes: vec![token()],
        record: Some(text("/srv/shop/releases/b-0")),
        data: Some(DataIntent::Keep),
    };
    lines.record("Intent", &intent);
    lines.record("KeptData", &kept);
    lines.record("KnownData", &known);
    let entry = LedgerEntry {
        format: 1,
        operation: token(),
        at: at(),
        release: name("b-2"),
        step: LedgerStep::ApplyBegun,
        version: Some(version("7")),
    };
    lines.record("LedgerEntry", &entry);
    lines.record("LockOwner", &owner());
    lines.record("PinMark", &pinned());
    lines.record("SharedRecord", &SharedRecord { format: 1, links: vec![path("a")], places: vec![path("b")] });
    let staged = StagedRecord {
        format: 1,
        at: at(),
        by: text("ann"),
        files: 1,
        bytes: 2,
        digest: Some(Digest::of(b"")),
        revision: Some(text("abc123")),
    };
    lines.record("StagedRecord", &staged);
    lines.record("Validation", &validation);
}

fn failure() -> Failure {
    Error::new(ErrorKind::RootRefused, text("m")).hint("h").into()
}

fn add_events(lines: &mut Lines) {
    let (host, hook) = (text("web1"), HookKind::AfterSwitch);
    for event in [
        Event::Started { command: Command::Deploy, hosts: 1, release: Some(name("b-2")) },
        Event::Planned { plan: vec![text("p")] },
        Event::Phase { phase: Phase::PutBack, hosts: 1 },
        Event::Connected { host: host.clone() },
        Event::Waiting { host: host.clone(), lock: Box::new(holder()), seconds: 300.0 },
        Event::Progress { host: host.clone(), files: 1, files_total: 2, bytes: 3, bytes_total: 4 },
        Event::Uploaded {
            host: host.clone(),
            files: 1,
            bytes: 2,
            files_copied: 3,
            bytes_copied: 4,
            transferred: Some(5),
        },
        Event::HostDone { host: host.clone(), phase: Phase::AfterSwitch },
        Event::Switched { host: host.clone(), before: Some(name("b-1")), after: Some(name("b-2")), at: Some(at()) },
        Event::HostFailed { host: host.clone(), phase: Phase::Ask, error: failure() },
        Event::HookStarted { host: host.clone(), hook },
        Event::HookOutput { host: host.clone(), hook, stream: Stream::Stdout, line: text("l") },
        Event::HookEnded { host: host.clone(), hook, end: text("e") },
        Event::Answered { host: host.clone(), question: HookKind::Version, answer: text("7") },
        Event::Data { release: name("b-2"), step: LedgerStep::Applied, version: Some(version("7")) },
        Event::Warning { host: Some(host), message: "m".into() },
    ] {
        lines.reported("Event", &event);
    }
    let event = Event::Planned { plan: Vec::new() };
    lines.reported("Record", &Record { fleet: text("shop"), operation: Some(token()), at: at(), event });
}

fn status() -> HostStatus {
    let release = ReleaseStatus {
        name: name("b-2"),
        state: ReleaseState::Bad,
        previous: Some(name("b-1")),
        staged_at: Some(at()),
        staged_by: Some(text("ann")),
        bytes: Some(1),
        files: Some(2),
        revision: Some(text("abc123")),
        unsealed: true,
        bad: Some(bad()),
        adopted: Some(adopted()),
        pinned: Some(pinned()),
    };
    HostStatus {
        current: Some(name("b-2")),
        revision: Some(text("abc123")),
        previous: Some(name("b-1")),
        chain_broken: false,
        root_missing: true,
        lock: Some(holder()),
        releases: vec![release],
        leftovers: vec!["an upload".into()],
        unreadable: vec![UnreadableFile { path: text("p"), owner: Some(1), why: text("w") }],
        damaged: vec![DamagedRelease { release: name("b-1"), damaged: 1, some: vec![text("a")] }],
        history: Some(vec![history()]),
    }
}

fn diff() -> ReleaseDiff {
    let file = EntryFacts { kind: text("file"), mode: Some(text("644")), bytes: Some(1), target: None };
    let link = EntryFacts { kind: text("symlink"), mode: None, bytes: None, target: Some(text("t")) };
    let entry = |path: &str, change, before, after| EntryDiff { path: text(path), change, before, after };
    ReleaseDiff {
        from: name("b-1"),
        to: name("b-2"),
        added: 1,
        removed: 0,
        changed: 1,
        bytes_before: 2,
        bytes_after: 3,
        entries: vec![
            entry("a", EntryChange::Type, Some(file), Some(link.clone())),
            entry("b", EntryChange::Added, None, Some(link)),
        ],
    }
}

fn log() -> OperationLog {
    let mut command = CommandLog::new(HookKind::AfterSwitch, "reload");
    command.end = Some(text("exited with 1"));
    command.stdout = text("o");
    command.stderr = text("e");
    command.cut = true;
    command.unreadable = Some(text("w"));
    OperationLog { operation: token(), entry: Some(history()), commands: vec![command] }
}

fn add_report(lines: &mut Lines) {
    let damage = || vec![Damage { path: text("a"), what: text("changed") }];
    let verification = Verification {
        release: name("b-2"),
        digest: Digest::of(b""),
        full: true,
        damaged: 1,
        damage: damage(),
        modes: 1,
        mode_changes: damage(),
        added: 1,
        additions: vec![text("b")],
        foreign: 1,
        owners: vec![Foreign { path: text("c"), owner: 1 }],
    };
    let data = DataReport {
        before: version("6"),
        after: Some(version("7")),
        found: Some(version("5")),
        fingerprint: Some(Fingerprint::Changed),
    };
    lines.reported("DataReport", &data);
    lines.reported("OperationLog", &log());
    lines.reported("ReleaseDiff", &diff());
    lines.reported("HostStatus", &status());
    lines.reported("Verification", &verification);
    let mut host = HostReport::new("web1", HostOutcome::Switched);
    host.before = Some(name("b-1"));
    host.after = Some(name("b-2"));
    host.unread = true;
    host.switched_at = Some(at());
    host.error = Some(failure());
    host.warnings = vec!["w".into()];
    host.pruned = vec![name("b-0")];
    // The empty status shows where its fields go.
    host.status = Some(HostStatus::default());
    host.verification = Some(verification);
    host.diff = Some(diff());
    host.log = Some(log());
    lines.reported("HostReport", &host);
    let mut report = Report::new(Command::Deploy, Outcome::PutBack);
    report.operation = Some(token());
    report.release = Some(name("b-2"));
    report.hosts = vec![HostReport::new("web1", HostOutcome::Left)];
    report.data = Some(data);
    report.seconds = 1.5;
    report.phases = vec![PhaseTime::new(Phase::AfterSwitch, 0.5)];
    report.drill = Some(drill());
    report.error = Some(failure());
    report.dry_run = true;
    lines.reported("Report", &report);
}

/// Lists the lines that differ, each from shortly before the place where the most similar one does.
fn differences(frozen: &str, now: &str) -> String {
    let lines_without = |text: &str, other: &str| -> Vec<String> {
        text.lines().filter(|line| !other.lines().any(|one| one == *line)).map(str::to_owned).collect()
    };
    let (gone, added) = (lines_without(frozen, now), lines_without(now, frozen));
    let shown = |sign: char, line: &String, others: &[String]| {
        let same = |other: &String| line.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
        let skipped = others.iter().map(same).max().unwrap_or(0).saturating_sub(30);
        let name = line.split(' ').next().unwrap_or_default();
        format!("\n{sign} {name}: ...{}", line.chars().skip(skipped).take(90).collect::<String>())
    };
    let gone_text: String = gone.iter().map(|line| shown('-', line, &added)).collect();
    gone_text + &added.iter().map(|line| shown('+', line, &gone)).collect::<String>()
}

#[test]
fn words_on_disk_and_in_json_are_frozen() {
    let mut lines = Lines(String::new());
    words::add_words(&mut lines);
    words::add_reported_words(&mut lines);
    add_records(&mut lines);
    add_events(&mut lines);
    add_report(&mut lines);
    assert!(lines.0 == WORDS, "other programs read src/frozen/words.txt:{}", differences(WORDS, &lines.0));
}

#[cfg(feature = "config")]
#[test]
fn keys_of_the_configuration_are_frozen() {
    use crate::Config;

    let config = Config::parse(CONFIG, None).unwrap_or_else(|error| panic!("{error}"));
    let printed = config.to_toml();
    assert!(printed == CONFIG, "users write src/frozen/switchback.toml:{}", differences(CONFIG, &printed));
    let listed = "root = \"/a\"\nhosts_from = \"list\"\n";
    let printed = Config::parse(listed, None).expect("a command").to_toml();
    assert!(printed.starts_with(listed), "{printed}");
    let nested = "root = '/a'\n[env.staging]\nroot = '/b'";
    assert_eq!(Config::parse(nested, Some("staging")).expect("an environment").hosts[0].root.as_str(), "/b");
}
