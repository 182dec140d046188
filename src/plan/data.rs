//! [`DataPlan`]: what becomes of the data, once for the whole fleet.

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

/// What becomes of the data, once for the whole fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DataPlan {
    /// A release is taken to its data, before the switch.
    Apply {
        /// The release.
        release: ReleaseName,
        /// Where.
        place: DataPlace,
        /// The commands that do; `None` when the caller's own code does.
        commands: Option<DataCommands>,
        /// Where they come from.
        source: CommandSource,
        /// Whether an interrupted operation is finished: the data version says how far that came.
        resumes: bool,
        /// What was last known of the data; `None` where nothing was recorded yet.
        last_known: Option<LastKnown>,
    },
    /// The data stays as it is, and the record of the release that is rolled back to says so.
    Keep {
        /// That record.
        settled: Settled,
    },
    /// What releases applied is reverted, one after the other.
    Revert {
        /// Before the switch, or after it.
        when: RevertWhen,
        /// The releases that are reverted, newest first.
        steps: Vec<RevertStep>,
        /// Whether an interrupted rollback is finished: the data version says how far that came.
        resumes: bool,
        /// The version that a person decided on, which the last step leads to.
        to: Option<DataVersion>,
        /// What the record of the release that is rolled back to says afterwards, where that is new.
        settles: Option<Settled>,
    },
}

/// What was last known of the data, and with which release.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastKnown {
    /// The release whose record says so.
    pub release: ReleaseName,
    /// The version.
    pub version: DataVersion,
}

/// The data record of a release after a rollback to it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settled {
    /// The release.
    pub release: ReleaseName,
    /// Its record.
    pub record: DataRecord,
}

/// Reverts what one release applied.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RevertStep {
    /// The release that applied it.
    pub release: ReleaseName,
    /// Where it was applied.
    pub place: DataPlace,
    /// The data version that it left; `None` when applying it was interrupted.
    pub from: Option<DataVersion>,
    /// The data version before it, or the one that a person decided on.
    pub to: DataVersion,
    /// The commands that revert it; `None` when the caller's own code does.
    pub commands: Option<DataCommands>,
    /// Where they come from.
    pub source: CommandSource,
}

/// How a rollback may treat the data.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct DataMeans<'m> {
    /// Whether the data stays as it is, and only the code goes back.
    pub keep: bool,
    /// The version to which the data is reverted, as a person decided.
    pub to: Option<&'m DataVersion>,
    /// Which commands revert.
    pub by: RevertBy<'m>,
    /// Where the configuration, or the caller's code, says that the data is.
    pub place: Option<&'m DataPlace>,
    /// The commands of the configuration: the controller runs no others, and sends nothing that they do not name.
    pub configured: Option<&'m Commands>,
}

/// Which commands revert.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub enum RevertBy<'m> {
    /// Those that were recorded with each release when it was deployed.
    #[default]
    Recorded,
    /// These.
    Commands(&'m Commands),
    /// The caller's own code.
    Code,
}

impl<'m> DataMeans<'m> {
    /// Reverts by `by`, unless `keep` says that the data stays as it is.
    #[must_use]
    pub fn new(keep: bool, by: RevertBy<'m>) -> Self {
        Self { keep, to: None, by, place: None, configured: None }
    }

    /// The same, where a configuration or the caller's code is known.
    #[must_use]
    pub fn configured(self, place: Option<&'m DataPlace>, configured: Option<&'m Commands>) -> Self {
        Self { place, configured, ..self }
    }

    /// Reverts the data to `version`, whatever the records say.
    #[must_use]
    pub fn to(self, version: Option<&'m DataVersion>) -> Self {
        Self { to: version, ..self }
    }
}

impl DataPlan {
    /// The plan in words, line by line.
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
                    let from = step.from.as_ref().map_or("wherever applying it came".to_owned(), ToString::to_string);
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

/// A command that works on the data, in words.
fn line_of(place: &DataPlace, (kind, text): (&str, &String), source: CommandSource) -> String {
    format!("data on {place}: {kind} {}, {source}", shown(text))
}

/// Plans to take `release` to its data, when the configuration or the caller's code says where that is.
///
/// # Errors
///
/// [`Refusal`] when the data is on a host that does not take part, or the hosts recorded different things about it.
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

/// Returns what was last known of the data at `place`: what the data host recorded, or for data on the controller what all
/// hosts recorded that have a record.
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

/// Whether a host recorded that `release` began to change data.
pub(super) fn was_begun(seen: &Seen<'_>, release: &ReleaseName) -> bool {
    record_of(seen, release).is_some_and(|record| record.change.is_some())
}

/// Plans what undoes the part of an interrupted deploy of `release` that was applied.
///
/// # Errors
///
/// As a rollback from it.
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
    // Data that still held the change stays where this deploy found it.
    let found = left.data.record().and_then(|record| record.change.as_ref()?.found.clone());
    step.to = found.unwrap_or(step.to);
    let (when, steps) = (RevertWhen::AfterSwitch, vec![step]);
    if !steps[0].changes() {
        return Ok(None);
    }
    ledger_is_open(command, &place, hosts)?;
    Ok(Some(DataPlan::Revert { when, steps, resumes: true, to: None, settles: None }))
}

/// Plans to take `release` to its data again, or for the rest of the way, after an operation that was interrupted.
///
/// # Errors
///
/// [`Refusal`] when the data is on a host that does not take part, or only hosts say what the controller would run.
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

/// Takes over how an interrupted rollback to `release` was asked to treat the data, unless this command says so itself. The data host's
/// own intent decides. Where that host is not known, the intents of all must agree.
///
/// # Errors
///
/// [`Refusal`] when the intents of several hosts differ: nobody knows which of them is right.
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

/// Plans what a rollback of these hosts to `target` reverts. `starts` are the releases that each host leaves, where it
/// leaves one.
///
/// # Errors
///
/// [`Refusal`] when something on the way was changed in the data and cannot be taken back, or when the records of two
/// releases disagree about what the data was between them.
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
    // What a rollback with the code alone left in the data is reverted too.
    let kept = |name: &&ReleaseName| hosts.iter().find_map(|seen| record_of(seen, name)?.kept.as_ref());
    let kept: Vec<&ReleaseName> = left.iter().filter_map(kept).flat_map(|kept| &kept.releases).collect();
    left.extend(kept);
    left.sort();
    left.dedup();
    let place = place_of(command, &left, means, hosts)?;
    let Walk { steps, settles } = match &place {
        None => {
            // No record tells of a change: what cannot be read, or cannot go back, is still refused.
            for (seen, start) in starts {
                walk(seen, start, target, &DataPlace::Controller, means).map_err(refuse)?;
            }
            return Ok(None);
        }
        Some(place @ DataPlace::Host(name)) => {
            takes_part(place, hosts).map_err(refuse)?;
            let walk = walk_on(name, target, starts, hosts, means).map_err(refuse)?;
            // The data host records a change before it makes one, so that it knows of every finished one.
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
            // What only some of the hosts that move remember decides nothing on the controller.
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

/// Plans what is recorded where the code alone goes back: by the data host, or by the first host where none is known.
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

/// What is reverted on the data host `name`, by its own records: the longest way that it knows from what it, or another
/// host, leaves. Half-done deploys may have switched the others only.
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
