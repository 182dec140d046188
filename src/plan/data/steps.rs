//! The revert step of one release, derived from one host's records.

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

/// A left release's commands and data record; the release may exist or have been pruned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left<'s> {
    pub(super) name: &'s ReleaseName,
    pub(super) is_there: bool,
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

    /// Returns the release that was current before. For a pruned release, the data record names it.
    pub(super) fn previous(self, state: &'s RootState) -> Option<&'s ReleaseName> {
        match state.release(self.name) {
            Some(there) => there.previous.as_ref().ok()?.release(),
            None => self.data.record()?.change.as_ref()?.previous.as_ref(),
        }
    }

    /// Returns `true` if the record determines the data version: a finished one, or one that cannot be read.
    pub(super) fn is_decisive(self) -> bool {
        match self.data {
            Kept::Nothing => false,
            Kept::Record(record) => record.is_finished(),
            Kept::Unreadable(_) => true,
        }
    }
}

impl<'s> From<&'s HostedRelease> for Left<'s> {
    fn from(release: &'s HostedRelease) -> Self {
        Self { name: &release.name, is_there: true, commands: &release.commands, data: &release.data }
    }
}

/// Builds the step that reverts the migration of a release at `place`.
///
/// `None` when the release never migrated. A step that changes nothing may lack a `revert`.
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
    let Some(change) = &record.change else { return Ok(None) };
    let step = RevertStep { from: record.own_version().cloned(), ..RevertStep::new(release.name, change, None) };
    let step = RevertStep { place: place.clone(), ..step };
    if !step.changes() {
        // The step's commands run only for a version chosen with `--data-to`.
        let (commands, source) = commands_of(release, place, means).unwrap_or((None, CommandSource::Record));
        return Ok(Some(RevertStep { commands, source, ..step }));
    }
    let (commands, source) = commands_of(release, place, means)?;
    let step = RevertStep { commands, source, ..step };
    step.has_revert(means)?;
    let saved = step.commands.as_ref().is_none_or(|commands| !commands.save.is_empty());
    if !release.is_there && !saved {
        return Err(Reason::RevertGone { name: name() });
    }
    Ok(Some(step))
}

/// Returns the data commands of a release at `place`, and their source.
///
/// Recorded commands run only on the host that recorded them; the controller runs only its configuration's commands.
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
    /// Creates the step that reverts `change`, made by `release`.
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

    /// Returns `true` if there is anything to revert.
    pub(super) fn changes(&self) -> bool {
        self.from.as_ref() != Some(&self.to)
    }

    /// Refuses a step without a known revert.
    pub(super) fn has_revert(&self, means: DataMeans<'_>) -> Result<(), Reason> {
        let by_code = matches!(means.by, RevertBy::Code);
        if self.commands.as_ref().map_or(by_code, |commands| commands.revert.is_some()) {
            return Ok(());
        }
        let name = self.release.clone();
        Err(match self.place {
            DataPlace::Controller if matches!(means.by, RevertBy::Recorded) => {
                Reason::OnController { name, command: "revert" }
            }
            _ => Reason::NoRevert { name },
        })
    }
}

/// Refuses a target that no record leads to, unless both releases are known to have the same data version.
pub(super) fn off_the_way(seen: &Seen<'_>, start: &ReleaseName, target: &ReleaseName) -> Result<(), HostRefusal> {
    let version = |name| version_with(seen, name).map_err(|reason| seen.refuse(reason));
    let (here, there) = (version(start)?, version(target)?);
    if here == there {
        return Ok(());
    }
    let words = |version: Option<&DataVersion>| version.map_or("not recorded".to_owned(), ToString::to_string);
    Err(seen.refuse(Reason::DataOffTheWay { name: target.clone(), here: words(here), there: words(there) }))
}

/// Returns the last known data version with a release; `None` if none was recorded.
///
/// # Errors
///
/// [`Reason::DataUnreadable`] when the record cannot be read.
pub(super) fn version_with<'s>(seen: &Seen<'s>, name: &ReleaseName) -> Result<Option<&'s DataVersion>, Reason> {
    let Some(release) = seen.state.release(name) else { return Ok(None) };
    match &release.data {
        Kept::Nothing => Ok(None),
        Kept::Unreadable(why) => Err(Reason::DataUnreadable { name: name.clone(), why: why.clone() }),
        Kept::Record(record) => Ok(record.kept.as_ref().map_or(record.own_version(), |kept| kept.version.as_ref())),
    }
}
