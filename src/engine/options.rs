//! What a caller can ask of a command.

use std::{sync::Arc, time::Duration};

use camino::Utf8PathBuf;

use crate::{
    commands::{Commands, DataPlace},
    data::{DataMigration, DataVersion},
    hook::Hook,
    name::ReleaseName,
    plan::{Direction, RollbackTarget},
    target_check::TargetCheck,
};

use super::Cancel;

/// What every command that changes something can be asked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RunOptions {
    /// Who runs it, as locks and histories show it: `user@host`, and the CI job where there is one.
    pub by: String,
    /// Why, as locks and histories show it.
    pub reason: Option<String>,
    /// What is deployed, as version control calls it: kept with what is staged, and in the history.
    pub revision: Option<String>,
    /// How long to wait for a lock that somebody else holds; not at all by default.
    pub wait: Duration,
    /// Whether to stop after planning, with nothing changed.
    pub dry_run: bool,
    /// Whether to go on without hosts that cannot be reached. What they miss is recorded on the others as a debt, and the
    /// next run that reaches them, or a recovery, brings them along.
    pub skip_unreachable: bool,
    /// Whether a source without any file may be brought, by a command that brings one. It is most often a build that failed.
    pub allow_empty: bool,
    /// What asks the command to stop at the next safe point.
    pub cancel: Cancel,
    /// The commands that are configured; `None` where there is no configuration. What goes back runs those that were recorded
    /// with the releases, unless it is asked for these.
    pub commands: Option<Commands>,
    /// The caller's own code around a switch.
    pub code: Code,
    /// The directory in which commands on the controller run; the current one, when there is none.
    pub directory: Option<Utf8PathBuf>,
}

/// A caller's own code around a switch: each beside the command of its name, the migration in its stead.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Code {
    /// Runs on every host, in the new release, before anything is switched.
    pub prepare: Option<Arc<dyn Hook>>,
    /// Runs on every host after the switch, in either direction.
    pub after_switch: Option<Arc<dyn Hook>>,
    /// Decides on every host whether the switch was good.
    pub validate: Option<Arc<dyn Hook>>,
    /// Takes the data forward and back, in the stead of the commands that do.
    pub migration: Option<Arc<dyn DataMigration>>,
    /// Where the migration's commands run; on the controller, by default.
    pub place: DataPlace,
}

impl Default for Code {
    fn default() -> Self {
        Self { prepare: None, after_switch: None, validate: None, migration: None, place: DataPlace::Controller }
    }
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            by: "an unnamed caller".to_owned(),
            reason: None,
            revision: None,
            wait: Duration::ZERO,
            dry_run: false,
            skip_unreachable: false,
            allow_empty: false,
            cancel: Cancel::new(),
            commands: None,
            code: Code::default(),
            directory: None,
        }
    }
}

impl RunOptions {
    /// The defaults, run by `by`.
    pub fn by(by: impl Into<String>) -> Self {
        Self { by: by.into(), ..Self::default() }
    }

    /// Where the data goes forward; `None` when nothing is known of any data.
    pub(super) fn data_place(&self) -> Option<DataPlace> {
        if self.code.migration.is_some() {
            return Some(self.code.place.clone());
        }
        Some(self.commands.as_ref()?.data.as_ref()?.place.clone())
    }
}

/// Which commands a rollback runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CommandsFrom {
    /// Those that were recorded with the releases when they were deployed.
    #[default]
    Recorded,
    /// Those of the configuration.
    Configuration,
}

/// What [`Fleet::deploy`](super::Fleet::deploy) can be asked.
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DeployOptions {
    /// What every command can be asked.
    pub run: RunOptions,
    /// Whether hosts that are on different releases are deployed to all the same.
    pub allow_split: bool,
    /// The release that must be current on every host that is not on the new one already; else the deploy is refused, so that an
    /// older pipeline does not overtake a newer one.
    pub from: Option<ReleaseName>,
    /// Whether a deploy of a release that is there already, and not current, goes to it: by an activation, or, where it lies on
    /// the recorded way back, by a rollback with the data. Every host must need the same; a bad release is refused.
    pub or_return: bool,
    /// How the release is held against its manifest first where it is returned to.
    pub verify: TargetCheck,
    /// Whether a name that exists is refused whatever it holds.
    pub(super) anew: bool,
    /// Why the release cannot be gone back from with its data, when it cannot.
    pub irreversible: Option<String>,
    /// Whether a data version that is not what was last known is accepted, and recorded.
    pub accept_data: bool,
    /// How many good releases stay beside the current one; what is not needed besides is removed when all went well.
    /// `None`: none is removed.
    pub keep: Option<u32>,
}

/// What [`Fleet::drill`](super::Fleet::drill) can be asked.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DrillOptions {
    /// What every command can be asked.
    pub run: RunOptions,
}

/// What [`Fleet::activate`](super::Fleet::activate) can be asked.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ActivateOptions {
    /// What every command can be asked.
    pub run: RunOptions,
    /// How the release that is gone to is held against its manifest first.
    pub verify: TargetCheck,
    /// Whether hosts that are on different releases are switched all the same.
    pub allow_split: bool,
    /// Whether a data version that is not what was last known is accepted, and recorded.
    pub accept_data: bool,
    /// How many good releases stay beside the current one; what is not needed besides is removed when all went well.
    /// `None`: none is removed.
    pub keep: Option<u32>,
}

/// What [`Fleet::rollback`](super::Fleet::rollback) can be asked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RollbackOptions {
    /// What every command can be asked.
    pub run: RunOptions,
    /// Where to go: one good release back, by default.
    pub target: RollbackTarget,
    /// How the release that is gone back to is held against its manifest first.
    pub verify: TargetCheck,
    /// Only hosts that are on this release move; where none is, there is nothing to do.
    pub from: Option<ReleaseName>,
    /// Whether the data stays as it is, and only the code goes back.
    pub keep_data: bool,
    /// The version to which the data is reverted, where the records disagree about it or say something else.
    pub data_to: Option<DataVersion>,
    /// Which commands are run.
    pub commands: CommandsFrom,
    /// Whether hooks and validations are skipped, those of the caller's own code too. With `keep_data` as well nothing is
    /// run, so no record of commands or data is needed, and nobody need be trusted.
    pub no_hooks: bool,
}

/// What [`Fleet::recover`](super::Fleet::recover) can be asked.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RecoverOptions {
    /// What every command can be asked.
    pub run: RunOptions,
    /// Which way to go.
    pub direction: Direction,
    /// Whether the data stays as it is.
    pub keep_data: bool,
}

impl RecoverOptions {
    /// Recovers in this direction.
    #[must_use]
    pub fn new(direction: Direction, run: RunOptions) -> Self {
        Self { run, direction, keep_data: false }
    }
}

impl Default for RollbackOptions {
    fn default() -> Self {
        Self {
            run: RunOptions::default(),
            target: RollbackTarget::Steps(1),
            verify: TargetCheck::default(),
            from: None,
            keep_data: false,
            data_to: None,
            commands: CommandsFrom::Recorded,
            no_hooks: false,
        }
    }
}
