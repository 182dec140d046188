//! [`DataPlan`]: what becomes of the data, once for the whole fleet.

mod place;
mod steps;

use crate::{
    commands::{Commands, DataCommands, DataPlace, RevertWhen},
    data::DataVersion,
    name::ReleaseName,
    report::Command,
    store::Kept,
};

use self::{
    place::{agree, keeper, place_of, record_of, records_differ, takes_part},
    steps::{Left, commands_of, step_of, steps_of, way},
};
use super::{CommandSource, HostRefusal, Reason, Refusal, Seen, commands::shown};

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
    /// Where they come from.
    pub source: CommandSource,
}

/// How a rollback may treat the data.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct DataMeans<'m> {
    /// Whether the data stays as it is, and only the code goes back.
    pub keep: bool,
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
        Self { keep, by, place: None, configured: None }
    }

    /// The same, where a configuration or the caller's code is known.
    #[must_use]
    pub fn configured(self, place: Option<&'m DataPlace>, configured: Option<&'m Commands>) -> Self {
        Self { place, configured, ..self }
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
    let commands = match means.by {
        RevertBy::Code => None,
        _ => means.configured.and_then(|commands| commands.data.clone()),
    };
    let source = CommandSource::Configuration;
    Ok(Some(DataPlan::Apply { release: release.clone(), place: place.clone(), commands, source, resumes: false }))
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
    let step = step_of(left, &place, means).map_err(refuse)?;
    Ok(step.map(|step| DataPlan::Revert { when: RevertWhen::AfterSwitch, steps: vec![step], resumes: true }))
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
    let (release, place) = (release.clone(), place.clone());
    Ok(Some(DataPlan::Apply { release, place, commands, source, resumes: true }))
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
    let ways = starts.iter().filter_map(|(seen, start)| way(seen.state, start, target));
    let mut left: Vec<&ReleaseName> = ways.flatten().map(|left| left.name).collect();
    left.sort();
    left.dedup();
    let place = place_of(command, &left, means, hosts)?;
    let steps = match &place {
        None => {
            // No record tells of a change: what cannot be read, or cannot go back, is still refused.
            for (seen, start) in starts {
                steps_of(seen, start, target, &DataPlace::Controller, means).map_err(refuse)?;
            }
            return Ok(None);
        }
        Some(place @ DataPlace::Host(name)) => {
            takes_part(place, hosts).map_err(refuse)?;
            let steps = steps_on(name, target, starts, hosts, means).map_err(refuse)?;
            // The data host records a change before it makes one, so that it knows of every finished one.
            let finished = |name: &&&ReleaseName| {
                let mut changes = hosts.iter().filter_map(|seen| record_of(seen, name)?.change.as_ref());
                changes.any(|change| change.changed() && change.after.is_some())
            };
            if let Some(name) = left.iter().find(finished).filter(|_| steps.is_empty()) {
                return Err(records_differ(command, name, hosts));
            }
            steps
        }
        Some(place @ DataPlace::Controller) => {
            for name in &left {
                agree(command, name, place, hosts)?;
            }
            let mut longest: Vec<RevertStep> = Vec::new();
            for (seen, start) in starts {
                let steps = steps_of(seen, start, target, place, means).map_err(refuse)?;
                if steps.len() > longest.len() {
                    longest = steps;
                }
            }
            // What only some of the hosts that move remember decides nothing on the controller.
            let knows = |name: &ReleaseName| starts.iter().all(|(seen, _)| record_of(seen, name).is_some());
            if let Some(step) = longest.iter().find(|step| !knows(&step.release)) {
                return Err(records_differ(command, &step.release, hosts));
            }
            longest
        }
    };
    let Some(first) = steps.first() else { return Ok(None) };
    let when = first.commands.as_ref().map(|commands| commands.revert_when).unwrap_or_default();
    Ok(Some(DataPlan::Revert { when, steps, resumes }))
}

/// What is reverted on the data host `name`, by its own records: the longest way that it knows from what it, or another
/// host, leaves. Half-done deploys may have switched the others only.
fn steps_on(
    name: &str,
    target: &ReleaseName,
    starts: &[(Seen<'_>, &ReleaseName)],
    hosts: &[Seen<'_>],
    means: DataMeans<'_>,
) -> Result<Vec<RevertStep>, HostRefusal> {
    let place = DataPlace::Host(name.to_owned());
    let mut longest: Vec<RevertStep> = Vec::new();
    let Some(keeper) = hosts.iter().find(|seen| seen.host == name) else { return Ok(longest) };
    for (seen, start) in starts {
        let knows = Left::find(keeper.state, start).is_some_and(|left| *left.data != Kept::Nothing);
        if seen.host == name || knows {
            let steps = steps_of(keeper, start, target, &place, means)?;
            if steps.len() > longest.len() {
                longest = steps;
            }
        }
    }
    Ok(longest)
}
