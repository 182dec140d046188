//! The words of enums.

use serde::Serialize;
use serde_json::to_value;

use crate::{
    ErrorKind, TargetCheck,
    adoption::{Evidence, Tool},
    commands::{DataPlace, RevertWhen, ValidateOn},
    data::{DataIntent, KnownBy, LedgerStep, Preset},
    event::Phase,
    hook::{HookDirection, HookKind},
    report::{Command, EntryChange, Fingerprint, HostOutcome, Outcome},
    status::ReleaseState,
    transport::{EntryKind, KnownHosts, Liveness, Stream},
};

use super::{Lines, text, version};

/// Checks that `as_str` spells each value as JSON does.
fn check_as_str<T: Serialize + Copy>(values: &[T], as_str: fn(T) -> &'static str) {
    for value in values {
        assert_eq!(to_value(value).expect("JSON"), as_str(*value));
    }
}

/// Adds the words that files and reports share.
pub(super) fn add_words(lines: &mut Lines) {
    use Command::{
        Activate, Adopt, Check, Deploy, Diff, Drill, History, Log, Pin, Prune, Recover, Releases, Rollback, Stage,
        Status, Unlock, Unpin, Verify,
    };
    let commands = [
        Deploy, Stage, Drill, Activate, Rollback, Adopt, Recover, Unlock, Prune, Pin, Unpin, Status, Releases, History,
        Check, Verify, Diff, Log,
    ];
    lines.read_words("Command", &commands);
    check_as_str(&commands, Command::as_str);
    lines.read_words("DataIntent", &[DataIntent::Keep, DataIntent::To(version("7"))]);
    lines.read_words("DataPlace", &[DataPlace::Host(text("web1")), DataPlace::Controller]);
    lines.read_words("EntryKind", &[EntryKind::Directory, EntryKind::File, EntryKind::Link, EntryKind::Other]);
    lines.read_words("ErrorKind", ErrorKind::ALL);
    lines.read_words(
        "Evidence",
        &[
            Evidence::RevisionsLog,
            Evidence::ReleasesLog,
            Evidence::Names,
            Evidence::Times,
            Evidence::Records,
            Evidence::Nothing,
        ],
    );
    lines.read_words(
        "HostOutcome",
        &[
            HostOutcome::Switched,
            HostOutcome::Unchanged,
            HostOutcome::Reverted,
            HostOutcome::Failed,
            HostOutcome::Refused,
            HostOutcome::Unreachable,
            HostOutcome::Left,
            HostOutcome::Unknown,
        ],
    );
    lines.read_words("KnownBy", &[KnownBy::AcceptData, KnownBy::DataTo, KnownBy::Other]);
    lines.read_words("KnownHosts", &[KnownHosts::Strict, KnownHosts::AcceptNew]);
    lines.read_words(
        "LedgerStep",
        &[
            LedgerStep::ApplyBegun,
            LedgerStep::Applied,
            LedgerStep::RevertBegun,
            LedgerStep::Reverted,
            LedgerStep::Accepted,
            LedgerStep::Decided,
            LedgerStep::Kept,
        ],
    );
    lines.read_words("Liveness", &[Liveness::Alive, Liveness::Gone, Liveness::Unknown]);
    lines.read_words(
        "Outcome",
        &[
            Outcome::Done,
            Outcome::Unchanged,
            Outcome::Refused,
            Outcome::Failed,
            Outcome::PutBack,
            Outcome::Inconsistent,
            Outcome::Differs,
            Outcome::Interrupted,
            Outcome::Error,
        ],
    );
    lines.read_words("Preset", &Preset::ALL);
    let states = [ReleaseState::Staged, ReleaseState::Current, ReleaseState::Good, ReleaseState::Bad];
    lines.read_words("ReleaseState", &states);
    check_as_str(&states, ReleaseState::as_str);
    lines.read_words("RevertWhen", &[RevertWhen::AfterSwitch, RevertWhen::BeforeSwitch]);
    lines.read_words("TargetCheck", TargetCheck::ALL);
    check_as_str(TargetCheck::ALL, TargetCheck::as_str);
    lines.read_words("Tool", Tool::ALL);
    check_as_str(Tool::ALL, Tool::as_str);
    lines.read_words("ValidateOn", &[ValidateOn::Hosts, ValidateOn::Controller]);
}

/// Adds the words of events, reports and hooks.
pub(super) fn add_reported_words(lines: &mut Lines) {
    let changes =
        [EntryChange::Added, EntryChange::Removed, EntryChange::Changed, EntryChange::Mode, EntryChange::Type];
    lines.read_words("EntryChange", &changes);
    check_as_str(&changes, EntryChange::as_str);
    lines.read_words("Fingerprint", &[Fingerprint::Same, Fingerprint::Changed]);
    let directions = [HookDirection::Deploy, HookDirection::Activate, HookDirection::Rollback];
    lines.words("HookDirection", &directions);
    check_as_str(&directions, HookDirection::as_str);
    let hooks = [
        HookKind::Prepare,
        HookKind::AfterSwitch,
        HookKind::Validate,
        HookKind::Version,
        HookKind::Fingerprint,
        HookKind::Apply,
        HookKind::Revert,
        HookKind::Save,
    ];
    lines.read_words("HookKind", &hooks);
    // The configuration has an underscore where JSON has a hyphen.
    lines.words("HookKind::as_str", &hooks.map(HookKind::as_str));
    let phases = [
        Phase::Ask,
        Phase::Stage,
        Phase::Lock,
        Phase::Verify,
        Phase::Prepare,
        Phase::Data,
        Phase::Switch,
        Phase::AfterSwitch,
        Phase::Validate,
        Phase::PutBack,
        Phase::Prune,
        Phase::Finish,
    ];
    lines.read_words("Phase", &phases);
    check_as_str(&phases, Phase::as_str);
    lines.read_words("Stream", &[Stream::Stdout, Stream::Stderr]);
}
