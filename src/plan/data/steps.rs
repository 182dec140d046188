//! The steps by which one host's records say that data is reverted.

use crate::{
    commands::{Commands, DataCommands, DataPlace},
    data::{DataChange, DataRecord, DataVersion},
    name::ReleaseName,
    store::{HostedRelease, Kept, RootState},
};

use super::{
    super::{CommandSource, HostRefusal, Reason, Seen, commands::unsaid},
    DataMeans, RevertBy, RevertStep,
};

/// What is reverted when one host goes from `start` to `target`.
pub(super) fn steps_of(
    seen: &Seen<'_>,
    start: &ReleaseName,
    target: &ReleaseName,
    place: &DataPlace,
    means: DataMeans<'_>,
) -> Result<Vec<RevertStep>, HostRefusal> {
    if start == target {
        return Ok(Vec::new());
    }
    let Some(left) = way(seen.state, start, target) else {
        return off_the_way(seen, start, target).map(|()| Vec::new());
    };
    let steps = left.into_iter().map(|left| step_of(left, place, means).map_err(|reason| seen.refuse(reason)));
    Ok(steps.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// What is known of a release that is left, be it there or gone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left<'s> {
    pub(super) name: &'s ReleaseName,
    is_there: bool,
    pub(super) commands: &'s Kept<Commands>,
    pub(super) data: &'s Kept<DataRecord>,
}

impl<'s> Left<'s> {
    pub(super) fn find(state: &'s RootState, name: &ReleaseName) -> Option<Self> {
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
pub(super) fn way<'s>(state: &'s RootState, start: &ReleaseName, target: &ReleaseName) -> Option<Vec<Left<'s>>> {
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

/// How what a release did to the data at `place` is reverted; `None` when it did nothing.
pub(super) fn step_of(
    release: Left<'_>,
    place: &DataPlace,
    means: DataMeans<'_>,
) -> Result<Option<RevertStep>, Reason> {
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
    let (commands, source) = commands_of(release, place, means)?;
    if commands.as_ref().map_or(!matches!(means.by, RevertBy::Code), |commands| commands.revert.is_none()) {
        return Err(match place {
            DataPlace::Controller if matches!(means.by, RevertBy::Recorded) => {
                Reason::OnController { name: name(), command: "revert" }
            }
            _ => Reason::NoRevert { name: name() },
        });
    }
    let saved = commands.as_ref().is_none_or(|commands| !commands.save.is_empty());
    if !release.is_there && !saved {
        return Err(Reason::RevertGone { name: name() });
    }
    Ok(Some(RevertStep { place: place.clone(), source, ..RevertStep::new(release.name, change, commands) }))
}

/// The commands that work on the data of a release at `place`, and where they come from. What a host recorded runs on
/// that host only; the controller runs what its configuration says.
pub(super) fn commands_of(
    release: Left<'_>,
    place: &DataPlace,
    means: DataMeans<'_>,
) -> Result<(Option<DataCommands>, CommandSource), Reason> {
    let configured = |commands: Option<&Commands>| {
        (commands.and_then(|commands| commands.data.clone()), CommandSource::Configuration)
    };
    let recorded = match (means.by, place, release.commands) {
        (RevertBy::Code, ..) => return Ok((None, CommandSource::Configuration)),
        (RevertBy::Commands(commands), ..) => return Ok(configured(Some(commands))),
        (RevertBy::Recorded, DataPlace::Controller, _) => {
            let data = means
                .configured
                .filter(|commands| commands.data.as_ref().is_some_and(|data| data.place == DataPlace::Controller));
            return Ok(configured(data));
        }
        (RevertBy::Recorded, DataPlace::Host(_), Kept::Unreadable(why)) => {
            return Err(Reason::CommandsUnreadable { name: release.name.clone(), why: why.clone() });
        }
        (RevertBy::Recorded, DataPlace::Host(_), kept) => kept.record(),
    };
    let Some((commands, data)) = recorded.and_then(|commands| Some((commands, commands.data.as_ref()?))) else {
        return Ok((None, CommandSource::Record));
    };
    let needs = unsaid(commands, means.configured);
    if !needs.is_empty() {
        return Err(Reason::SecretsUnsaid { name: release.name.clone(), needs: needs.join(", ") });
    }
    Ok((Some(data.clone()), CommandSource::Record))
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
            source: CommandSource::Configuration,
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
