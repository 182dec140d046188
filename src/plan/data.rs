//! [`DataPlan`]: what becomes of the data, once for the whole fleet.

use crate::{
    commands::{Commands, DataCommands, DataPlace, RevertWhen},
    data::{DataChange, DataRecord, DataVersion},
    name::ReleaseName,
    report::Command,
    store::{HostedRelease, Kept, RootState},
};

use super::{HostRefusal, Reason, Refusal, Seen};

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
        /// Whether an interrupted operation is finished: the data version says how far that came.
        resumes: bool,
    },
    /// What releases applied is reverted, one after the other.
    Revert {
        /// Before the switch, or after it.
        when: RevertWhen,
        /// The releases that are reverted, newest first.
        steps: Vec<RevertStep>,
        /// Whether an interrupted rollback is finished: the data version says how far that came.
        resumes: bool,
    },
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
    /// The data version before it.
    pub to: DataVersion,
    /// The commands that revert it; `None` when the caller's own code does.
    pub commands: Option<DataCommands>,
}

/// How a rollback may treat the data.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct DataMeans<'m> {
    /// Whether the data stays as it is, and only the code goes back.
    pub keep: bool,
    /// Which commands revert.
    pub by: RevertBy<'m>,
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
        Self { keep, by }
    }
}

impl DataPlan {
    /// The plan in words, line by line.
    pub(super) fn lines(&self) -> Vec<String> {
        match self {
            Self::Apply { release, place, .. } => {
                vec![format!("data on {place}: apply what {release} brings, before the switch")]
            }
            Self::Revert { when, steps, .. } => {
                let when = match when {
                    RevertWhen::AfterSwitch => "after the switch",
                    RevertWhen::BeforeSwitch => "before the switch",
                };
                let line = |step: &RevertStep| {
                    let from = step.from.as_ref().map_or("wherever applying it came".to_owned(), ToString::to_string);
                    format!("data on {}: revert {} from {from} to {}, {when}", step.place, step.release, step.to)
                };
                steps.iter().map(line).collect()
            }
        }
    }
}

/// Plans to take `release` to its data at `place`, when there is one.
///
/// # Errors
///
/// [`Refusal`] when the data is on a host that does not take part.
pub(super) fn apply(
    command: Command,
    release: &ReleaseName,
    place: Option<&DataPlace>,
    hosts: &[Seen<'_>],
) -> Result<Option<DataPlan>, Refusal> {
    let Some(place) = place else { return Ok(None) };
    takes_part(place, hosts).map_err(|refusal| Refusal::of(command, vec![refusal]))?;
    Ok(Some(DataPlan::Apply { release: release.clone(), place: place.clone(), resumes: false }))
}

/// Refuses data on a host that does not take part.
fn takes_part(place: &DataPlace, hosts: &[Seen<'_>]) -> Result<(), HostRefusal> {
    let DataPlace::Host(name) = place else { return Ok(()) };
    if hosts.iter().any(|seen| seen.host == name) {
        return Ok(());
    }
    Err(hosts[0].refuse(Reason::DataElsewhere { place: name.clone() }))
}

/// Plans what undoes the part of an interrupted deploy of `release` that was applied.
///
/// # Errors
///
/// As a rollback from it.
pub(super) fn undo(command: Command, release: &ReleaseName, hosts: &[Seen<'_>]) -> Result<Option<DataPlan>, Refusal> {
    let refuse = |refusal: HostRefusal| Refusal::of(command, vec![refusal]);
    for seen in hosts {
        let Some(hosted) = seen.state.release(release) else { continue };
        let step = step_of(hosted.into(), DataMeans::default()).map_err(|reason| refuse(seen.refuse(reason)))?;
        if let Some(step) = step {
            takes_part(&step.place, hosts).map_err(refuse)?;
            return Ok(Some(DataPlan::Revert { when: RevertWhen::AfterSwitch, steps: vec![step], resumes: true }));
        }
    }
    Ok(None)
}

/// Plans to take `release` to its data again, or for the rest of the way, after an operation that was interrupted.
///
/// # Errors
///
/// [`Refusal`] when the data is on a host that does not take part.
pub(super) fn redo(command: Command, release: &ReleaseName, hosts: &[Seen<'_>]) -> Result<Option<DataPlan>, Refusal> {
    let commands = |seen: &Seen<'_>| seen.state.release(release)?.commands.record()?.data.clone();
    let Some(commands) = hosts.iter().find_map(commands) else { return Ok(None) };
    let plan = apply(command, release, Some(&commands.place), hosts)?;
    Ok(plan.map(|plan| match plan {
        DataPlan::Apply { release, place, .. } => DataPlan::Apply { release, place, resumes: true },
        other => other,
    }))
}

/// Plans what a rollback of these hosts to `target` reverts. `starts` are the releases that each host leaves, where it
/// leaves one.
///
/// # Errors
///
/// [`Refusal`] when something on the way was changed in the data and cannot be taken back.
pub(super) fn revert(
    command: Command,
    target: &ReleaseName,
    starts: &[(Seen<'_>, &ReleaseName)],
    hosts: &[Seen<'_>],
    means: DataMeans<'_>,
    resumes: bool,
) -> Result<Option<DataPlan>, Refusal> {
    if means.keep {
        return Ok(None);
    }
    let refuse = |refusal: HostRefusal| Refusal::of(command, vec![refusal]);
    let mut longest: Vec<RevertStep> = Vec::new();
    for (seen, start) in starts {
        let steps = steps_of(seen, start, target, means).map_err(refuse)?;
        if steps.len() > longest.len() {
            longest = steps;
        }
    }
    for step in &longest {
        takes_part(&step.place, hosts).map_err(refuse)?;
    }
    let Some(first) = longest.first() else { return Ok(None) };
    let when = first.commands.as_ref().map(|commands| commands.revert_when).unwrap_or_default();
    Ok(Some(DataPlan::Revert { when, steps: longest, resumes }))
}

/// What is reverted when one host goes from `start` to `target`.
fn steps_of(
    seen: &Seen<'_>,
    start: &ReleaseName,
    target: &ReleaseName,
    means: DataMeans<'_>,
) -> Result<Vec<RevertStep>, HostRefusal> {
    if start == target {
        return Ok(Vec::new());
    }
    let Some(left) = way(seen.state, start, target) else {
        return off_the_way(seen, start, target).map(|()| Vec::new());
    };
    let steps = left.into_iter().map(|left| step_of(left, means).map_err(|reason| seen.refuse(reason)));
    Ok(steps.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// What is known of a release that is left, be it there or gone.
#[derive(Debug, Clone, Copy)]
struct Left<'s> {
    name: &'s ReleaseName,
    is_there: bool,
    commands: &'s Kept<Commands>,
    data: &'s Kept<DataRecord>,
}

impl<'s> Left<'s> {
    fn find(state: &'s RootState, name: &ReleaseName) -> Option<Self> {
        let there = state.release(name).map(Self::from);
        let gone = || state.gone.iter().find(|gone| gone.name == *name);
        there.or_else(|| {
            gone().map(|gone| Self { name: &gone.name, is_there: false, commands: &gone.commands, data: &gone.data })
        })
    }
}

impl<'s> From<&'s HostedRelease> for Left<'s> {
    fn from(release: &'s HostedRelease) -> Self {
        Self { name: &release.name, is_there: true, commands: &release.commands, data: &release.data }
    }
}

/// The releases that are left on the way from `start` to `target`, newest first; `None` when no record leads there. What
/// was before a release that is gone stands with its data.
fn way<'s>(state: &'s RootState, start: &ReleaseName, target: &ReleaseName) -> Option<Vec<Left<'s>>> {
    let mut left: Vec<Left<'s>> = Vec::new();
    let mut at = start;
    while at != target {
        let release = Left::find(state, at)?;
        if left.iter().any(|earlier| earlier.name == release.name) {
            return None;
        }
        left.push(release);
        at = match state.release(at) {
            Some(there) => there.previous.as_ref().ok()?.release()?,
            None => release.data.record()?.change.as_ref()?.previous.as_ref()?,
        };
    }
    Some(left)
}

/// How what a release did to the data is reverted; `None` when it did nothing.
fn step_of(release: Left<'_>, means: DataMeans<'_>) -> Result<Option<RevertStep>, Reason> {
    let name = || release.name.clone();
    let record = match release.data {
        Kept::Nothing => return Ok(None),
        Kept::Unreadable(why) => return Err(Reason::DataUnreadable { name: name(), why: why.clone() }),
        Kept::Record(record) => record,
    };
    if let Some(why) = &record.irreversible {
        return Err(Reason::Irreversible { name: name(), why: why.clone() });
    }
    let Some(change) = record.change.as_ref().filter(|change| change.changed()) else { return Ok(None) };
    let commands = match (means.by, release.commands) {
        (RevertBy::Code, _) => None,
        (RevertBy::Commands(commands), _) => {
            Some(revert_of(commands.data.as_ref()).ok_or(Reason::NoRevert { name: name() })?)
        }
        (RevertBy::Recorded, Kept::Unreadable(why)) => {
            return Err(Reason::DataUnreadable { name: name(), why: why.clone() });
        }
        (RevertBy::Recorded, kept) => {
            let recorded = kept.record().and_then(|commands| commands.data.as_ref());
            Some(revert_of(recorded).ok_or(Reason::NoRevert { name: name() })?)
        }
    };
    let saved = commands.as_ref().is_none_or(|commands| !commands.save.is_empty());
    if !release.is_there && !saved {
        return Err(Reason::RevertGone { name: name() });
    }
    Ok(Some(RevertStep::new(release.name, change, commands)))
}

/// The commands, when they know a way back.
fn revert_of(commands: Option<&DataCommands>) -> Option<DataCommands> {
    commands.filter(|commands| commands.revert.is_some()).cloned()
}

impl RevertStep {
    /// Reverts `change`, which `release` made.
    pub(crate) fn new(release: &ReleaseName, change: &DataChange, commands: Option<DataCommands>) -> Self {
        Self {
            release: release.clone(),
            place: change.place.clone(),
            from: change.after.clone(),
            to: change.before.clone(),
            commands,
        }
    }
}

/// Refuses a target that no record leads to, unless both releases are known to have the same data.
fn off_the_way(seen: &Seen<'_>, start: &ReleaseName, target: &ReleaseName) -> Result<(), HostRefusal> {
    let version = |name| version_with(seen, name).map_err(|reason| seen.refuse(reason));
    let (here, there) = (version(start)?, version(target)?);
    if here == there {
        return Ok(());
    }
    let words = |version: Option<DataVersion>| version.map_or("not recorded".to_owned(), |version| version.to_string());
    Err(seen.refuse(Reason::DataOffTheWay { name: target.clone(), here: words(here), there: words(there) }))
}

/// The data version that a release was left with when it was taken to its data; `None` when it never was.
///
/// # Errors
///
/// [`Reason::DataUnreadable`] when nobody can say.
fn version_with(seen: &Seen<'_>, name: &ReleaseName) -> Result<Option<DataVersion>, Reason> {
    let Some(release) = seen.state.release(name) else { return Ok(None) };
    match &release.data {
        Kept::Nothing => Ok(None),
        Kept::Unreadable(why) => Err(Reason::DataUnreadable { name: name.clone(), why: why.clone() }),
        Kept::Record(record) => Ok(record.change.as_ref().and_then(|change| change.after.clone())),
    }
}
