//! [`DataPlan`]: the data migration, revert or decision to keep the data, made once for the whole fleet.

mod layers;
mod place;
mod steps;
mod walk;

use crate::{
    commands::{Commands, DataCommands, DataPlace, RevertWhen},
    data::{DataIntent, DataRecord, DataVersion},
    name::ReleaseName,
    report::Command,
    store::Kept,
};

pub(crate) use self::walk::kept_since;

use self::{
    layers::way,
    place::{agree, keeper, ledger_is_open, place_of, record_of, records_differ, takes_part},
    steps::{Left, commands_of, step_of},
    walk::{Walk, walk},
};
use super::{CommandSource, HostRefusal, Reason, Refusal, Seen, commands::shown, interrupted::latest};

/// The plan for the data, made once for the whole fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum DataPlan {
    /// Migrates the data for a release, before the switch.
    Apply {
        /// The release.
        release: ReleaseName,
        /// The place of the data.
        place: DataPlace,
        /// The migration's commands; `None` when the caller's own code migrates.
        commands: Option<DataCommands>,
        /// The source of the commands.
        source: CommandSource,
        /// Whether the plan resumes an interrupted operation: the data version tells how far that one came.
        resumes: bool,
        /// The last known data version; `None` when none was recorded yet.
        last_known: Option<LastKnown>,
    },
    /// Keeps the data unchanged, and records that with the release that is rolled back to.
    Keep {
        /// The new record of that release.
        settled: Settled,
    },
    /// Reverts the migrations of releases, one after the other.
    Revert {
        /// The time of the revert: before or after the switch.
        when: RevertWhen,
        /// The releases whose migrations are reverted, newest first.
        steps: Vec<RevertStep>,
        /// Whether the plan resumes an interrupted rollback: the data version tells how far that one came.
        resumes: bool,
        /// The version chosen with `--data-to`, at which the last step ends.
        to: Option<DataVersion>,
        /// The new record of the release that is rolled back to; `None` if it does not change.
        settles: Option<Settled>,
    },
}

/// The last known data version, and the release that it was recorded with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) struct LastKnown {
    /// The release whose record holds the version.
    pub release: ReleaseName,
    /// The version.
    pub version: DataVersion,
}

/// The data record that a release gets when it is rolled back to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) struct Settled {
    /// The release.
    pub release: ReleaseName,
    /// Its record.
    pub record: DataRecord,
}

/// The revert of one release's migration.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) struct RevertStep {
    /// The release whose migration is reverted.
    pub release: ReleaseName,
    /// The place of the data.
    pub place: DataPlace,
    /// The data version after the migration; `None` when the migration was interrupted.
    pub from: Option<DataVersion>,
    /// The data version before the migration, or the one chosen with `--data-to`.
    pub to: DataVersion,
    /// The commands that revert; `None` when the caller's own code reverts.
    pub commands: Option<DataCommands>,
    /// The source of the commands.
    pub source: CommandSource,
}

/// The options for the data.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub(crate) struct DataMeans<'m> {
    /// Whether the data stays unchanged and only the code is rolled back.
    pub keep: bool,
    /// The version to which the data is reverted, chosen with `--data-to`.
    pub to: Option<&'m DataVersion>,
    /// The source of the revert.
    pub by: RevertBy<'m>,
    /// The place of the data according to the configuration or the caller's code.
    pub place: Option<&'m DataPlace>,
    /// The configuration's commands: the controller runs no others, and passes on only the variables and files that
    /// they name.
    pub configured: Option<&'m Commands>,
}

/// The source of the commands that revert.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub(crate) enum RevertBy<'m> {
    /// The commands recorded with each release when it was deployed.
    #[default]
    Recorded,
    /// The given commands.
    Commands(&'m Commands),
    /// The caller's own code.
    Code,
}

impl<'m> DataMeans<'m> {
    /// Creates options that revert with `by`, unless `keep` is set.
    #[must_use]
    pub(crate) fn new(keep: bool, by: RevertBy<'m>) -> Self {
        Self { keep, to: None, by, place: None, configured: None }
    }

    /// Adds the place and the commands of a configuration or of the caller's code.
    #[must_use]
    pub(crate) fn configured(self, place: Option<&'m DataPlace>, configured: Option<&'m Commands>) -> Self {
        Self { place, configured, ..self }
    }

    /// Sets the version to which the data is reverted, whatever the records say.
    #[must_use]
    pub(crate) fn to(self, version: Option<&'m DataVersion>) -> Self {
        Self { to: version, ..self }
    }
}

impl DataPlan {
    /// Describes the plan line by line.
    pub(super) fn lines(&self) -> Vec<String> {
        match self {
            Self::Apply { release, place, commands, source, .. } => {
                let mut lines = vec![format!("data on {place}: apply what {release} brings, before the switch")];
                let run = |commands: &DataCommands| {
                    [("version", &commands.version), ("apply", &commands.apply)].map(|run| line_of(place, run, *source))
                };
                lines.extend(commands.iter().flat_map(run));
                lines
            }
            Self::Keep { settled: Settled { release, record } } => {
                let version = record.kept.as_ref().and_then(|kept| kept.version.as_ref());
                let version = version.map_or("as it is".to_owned(), |version| format!("at {version}"));
                vec![format!("data: stays {version}, which is recorded with {release}")]
            }
            Self::Revert { when, steps, .. } => {
                let when = match when {
                    RevertWhen::AfterSwitch => "after the switch",
                    RevertWhen::BeforeSwitch => "before the switch",
                };
                let mut lines: Vec<String> = Vec::new();
                for step in steps {
                    let from = step.from.as_ref().map_or("wherever it was applied".to_owned(), ToString::to_string);
                    let (place, release, to) = (&step.place, &step.release, &step.to);
                    lines.push(format!("data on {place}: revert {release} from {from} to {to}, {when}"));
                    if let Some(commands) = &step.commands {
                        let run = [("version", Some(&commands.version)), ("revert", commands.revert.as_ref())];
                        let run =
                            run.into_iter().filter_map(|(kind, text)| Some(line_of(place, (kind, text?), step.source)));
                        let new: Vec<String> = run.filter(|line| !lines.contains(line)).collect();
                        lines.extend(new);
                    }
                }
                lines
            }
        }
    }
}

/// Describes a command that works on the data.
fn line_of(place: &DataPlace, (kind, text): (&str, &String), source: CommandSource) -> String {
    format!("data on {place}: {kind} {}, {source}", shown(text))
}

/// Plans the data migration of `release`, if the configuration or the caller's code has a place for the data.
///
/// # Errors
///
/// [`Refusal`] when the data is on a host that does not take part, when the hosts' records about it differ, or when its
/// ledger cannot be read.
pub(super) fn apply(
    command: Command,
    release: &ReleaseName,
    means: DataMeans<'_>,
    hosts: &[Seen<'_>],
) -> Result<Option<DataPlan>, Refusal> {
    let Some(place) = means.place else { return Ok(None) };
    takes_part(place, hosts).map_err(|refusal| Refusal::of(command, vec![refusal]))?;
    agree(command, release, place, hosts)?;
    ledger_is_open(command, place, hosts)?;
    let commands = match means.by {
        RevertBy::Code => None,
        _ => means.configured.and_then(|commands| commands.data.clone()),
    };
    let source = CommandSource::Configuration;
    let last_known = last_known(command, place, hosts);
    let (release, place) = (release.clone(), place.clone());
    Ok(Some(DataPlan::Apply { release, place, commands, source, resumes: false, last_known }))
}

/// Returns the last known version of the data at `place`, from the record of the data host.
///
/// For data on the controller, the records of all hosts that have one must agree.
fn last_known(command: Command, place: &DataPlace, hosts: &[Seen<'_>]) -> Option<LastKnown> {
    let says = |seen: &&Seen<'_>| match place {
        DataPlace::Host(name) => seen.host == name,
        DataPlace::Controller => seen.current().is_some(),
    };
    let seen = hosts.iter().find(says)?;
    let (release, version) = layers::last_known(seen.state, seen.current()?)?;
    agree(command, release, place, hosts).ok()?;
    Some(LastKnown { release: release.clone(), version: version.clone() })
}

/// Returns `true` if the host's record says that the migration of `release` started.
pub(super) fn was_begun(seen: &Seen<'_>, release: &ReleaseName) -> bool {
    record_of(seen, release).is_some_and(|record| record.change.is_some())
}

/// Plans the revert of the part that an interrupted deploy of `release` migrated.
///
/// # Errors
///
/// As a rollback from the release.
pub(super) fn undo(
    command: Command,
    release: &ReleaseName,
    means: DataMeans<'_>,
    hosts: &[Seen<'_>],
) -> Result<Option<DataPlan>, Refusal> {
    if means.keep {
        return Ok(None);
    }
    let Some(place) = place_of(command, &[release], means, hosts)? else { return Ok(None) };
    let keeper = keeper(command, release, &place, hosts)?;
    let refuse = |reason| Refusal::of(command, vec![keeper.refuse(reason)]);
    let Some(left) = Left::find(keeper.state, release) else { return Ok(None) };
    let Some(mut step) = step_of(left, &place, means).map_err(refuse)? else { return Ok(None) };
    // This deploy may have found data that still held the change. It then stays as it was found.
    let found = left.data.record().and_then(|record| record.change.as_ref()?.found.clone());
    step.to = found.unwrap_or(step.to);
    let (when, steps) = (RevertWhen::AfterSwitch, vec![step]);
    if !steps[0].changes() {
        return Ok(None);
    }
    ledger_is_open(command, &place, hosts)?;
    Ok(Some(DataPlan::Revert { when, steps, resumes: true, to: None, settles: None }))
}

/// Plans to run or to resume the migration of `release` after an interrupted operation.
///
/// # Errors
///
/// [`Refusal`] when the data is on a host that does not take part, when the hosts' records about it differ, when its
/// ledger cannot be read, or when the controller would have to run commands that only hosts recorded.
pub(super) fn redo(
    command: Command,
    release: &ReleaseName,
    means: DataMeans<'_>,
    hosts: &[Seen<'_>],
) -> Result<Option<DataPlan>, Refusal> {
    if means.keep {
        return Ok(None);
    }
    let mut places: Vec<&DataPlace> = Vec::new();
    for seen in hosts {
        let recorded = Left::find(seen.state, release).and_then(|left| left.commands.record()?.data.as_ref());
        places.extend(recorded.map(|data| &data.place).filter(|place| !places.contains(place)));
    }
    let by_code = matches!(means.by, RevertBy::Code);
    let place = match (means.place, &places[..]) {
        (Some(place), recorded) if by_code || !recorded.is_empty() => place,
        (_, []) => return Ok(None),
        (_, [place]) => *place,
        (_, _) => return Err(records_differ(command, release, hosts)),
    };
    let keeper = keeper(command, release, place, hosts)?;
    let Some(left) = Left::find(keeper.state, release) else { return Ok(None) };
    let refuse = |reason| Refusal::of(command, vec![keeper.refuse(reason)]);
    let (commands, source) = commands_of(left, place, means).map_err(refuse)?;
    match &commands {
        None if by_code && *left.data == Kept::Nothing => return Ok(None),
        None if by_code => {}
        None if *place == DataPlace::Controller => {
            return Err(refuse(Reason::OnController { name: release.clone(), command: "apply" }));
        }
        None => return Ok(None),
        Some(_) => {}
    }
    ledger_is_open(command, place, hosts)?;
    let (release, place) = (release.clone(), place.clone());
    Ok(Some(DataPlan::Apply { release, place, commands, source, resumes: true, last_known: None }))
}

/// Applies the data options of an interrupted rollback to `release`, unless this command sets its own.
///
/// The intent of the data host decides. If that host is unknown, the intents of all hosts must agree.
///
/// # Errors
///
/// [`Refusal`] when the intents of several hosts differ: nothing tells which of them is right.
pub(super) fn as_begun<'m>(
    command: Command,
    release: &ReleaseName,
    means: DataMeans<'m>,
    hosts: &[Seen<'m>],
) -> Result<DataMeans<'m>, Refusal> {
    if means.keep || means.to.is_some() {
        return Ok(means);
    }
    let decides = |seen: &&Seen<'m>| match means.place {
        Some(DataPlace::Host(name)) => seen.host == name,
        Some(DataPlace::Controller) | None => true,
    };
    let intents = hosts.iter().filter(decides).filter_map(|seen| latest(seen, false));
    let mut intents = intents.map(|intent| intent.data.as_ref());
    let begun = intents.next().flatten();
    if intents.any(|intent| intent != begun) {
        return Err(records_differ(command, release, hosts));
    }
    Ok(match begun {
        Some(DataIntent::Keep) => DataMeans { keep: true, ..means },
        Some(DataIntent::To(version)) => means.to(Some(version)),
        None => means,
    })
}

/// Plans the reverts for a rollback of these hosts to `target`; `starts` holds the release that each host
/// leaves, if any.
///
/// # Errors
///
/// [`Refusal`] when a migration on the way cannot be reverted, when the records of two releases disagree about the data
/// version between them, when the hosts' records about the data differ, or when its ledger cannot be read.
pub(super) fn revert(
    command: Command,
    target: &ReleaseName,
    starts: &[(Seen<'_>, &ReleaseName)],
    hosts: &[Seen<'_>],
    means: DataMeans<'_>,
    resumes: bool,
) -> Result<Option<DataPlan>, Refusal> {
    if means.keep {
        return Ok(keep(target, starts, means));
    }
    let refuse = |refusal: HostRefusal| Refusal::of(command, vec![refusal]);
    let ways = starts.iter().filter_map(|(seen, start)| way(seen.state, start, target));
    let mut left: Vec<&ReleaseName> = ways.flatten().map(|left| left.name).collect();
    // An earlier rollback may have kept migrations in the data. They are reverted too.
    let kept = |name: &&ReleaseName| hosts.iter().find_map(|seen| record_of(seen, name)?.kept.as_ref());
    let kept: Vec<&ReleaseName> = left.iter().filter_map(kept).flat_map(|kept| &kept.releases).collect();
    left.extend(kept);
    left.sort();
    left.dedup();
    let place = place_of(command, &left, means, hosts)?;
    let Walk { steps, settles } = match &place {
        None => {
            // No record has a change. The walk still refuses unreadable and irreversible records.
            for (seen, start) in starts {
                walk(seen, start, target, &DataPlace::Controller, means).map_err(refuse)?;
            }
            return Ok(None);
        }
        Some(place @ DataPlace::Host(name)) => {
            takes_part(place, hosts).map_err(refuse)?;
            let walk = walk_on(name, target, starts, hosts, means).map_err(refuse)?;
            // The data host records a change before making it, so it knows of every finished one.
            let finished = |name: &&&ReleaseName| {
                let mut changes = hosts.iter().filter_map(|seen| record_of(seen, name)?.change.as_ref());
                changes.any(|change| change.changed() && change.after.is_some())
            };
            if let Some(name) = left.iter().find(finished).filter(|_| walk.steps.is_empty()) {
                return Err(records_differ(command, name, hosts));
            }
            walk
        }
        Some(place @ DataPlace::Controller) => {
            for name in &left {
                agree(command, name, place, hosts)?;
            }
            let mut longest = Walk::default();
            for (seen, start) in starts {
                longest = longest.or(walk(seen, start, target, place, means).map_err(refuse)?);
            }
            // A record that only some of the moving hosts have must not decide what happens on the controller.
            let knows = |name: &ReleaseName| starts.iter().all(|(seen, _)| record_of(seen, name).is_some());
            if let Some(step) = longest.steps.iter().find(|step| !knows(&step.release)) {
                return Err(records_differ(command, &step.release, hosts));
            }
            longest
        }
    };
    let Some(first) = steps.first() else { return Ok(None) };
    ledger_is_open(command, &first.place, hosts)?;
    let when = first.commands.as_ref().map(|commands| commands.revert_when).unwrap_or_default();
    let settles = settles.map(|record| Settled { release: target.clone(), record });
    Ok(Some(DataPlan::Revert { when, steps, resumes, to: means.to.cloned(), settles }))
}

/// Plans the new record when only the code is rolled back.
///
/// The record comes from the data host, or from the first host that has one if no data host is known.
fn keep(target: &ReleaseName, starts: &[(Seen<'_>, &ReleaseName)], means: DataMeans<'_>) -> Option<DataPlan> {
    let recorded = starts.iter().find_map(|(seen, start)| Some(&record_of(seen, start)?.change.as_ref()?.place));
    let decides = |seen: &Seen<'_>| match means.place.or(recorded) {
        Some(DataPlace::Host(name)) => seen.host == name,
        Some(DataPlace::Controller) | None => true,
    };
    let mut deciding = starts.iter().filter(|(seen, _)| decides(seen));
    let record = deciding.find_map(|(seen, start)| walk::kept(seen, start, target))?;
    Some(DataPlan::Keep { settled: Settled { release: target.clone(), record } })
}

/// Plans the reverts on the data host `name` from its own records.
///
/// Picks the longest walk that it knows from any release that a host leaves: an unfinished deploy may have switched the
/// other hosts only.
fn walk_on(
    name: &str,
    target: &ReleaseName,
    starts: &[(Seen<'_>, &ReleaseName)],
    hosts: &[Seen<'_>],
    means: DataMeans<'_>,
) -> Result<Walk, HostRefusal> {
    let place = DataPlace::Host(name.to_owned());
    let mut longest = Walk::default();
    let Some(keeper) = hosts.iter().find(|seen| seen.host == name) else { return Ok(longest) };
    for (seen, start) in starts {
        let knows = Left::find(keeper.state, start).is_some_and(|left| *left.data != Kept::Nothing);
        if seen.host == name || knows {
            longest = longest.or(walk(keeper, start, target, &place, means)?);
        }
    }
    Ok(longest)
}
