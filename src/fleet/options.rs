//! The options of commands. Their setters, in `setters`, document them.

use std::{sync::Arc, time::Duration};

use camino::Utf8PathBuf;

use crate::{
    commands::{Commands, DataPlace},
    data::{DataMigration, DataVersion},
    hook::Hook,
    name::ReleaseName,
    target::{Direction, RollbackTarget},
    target_check::TargetCheck,
};

/// The options of every command that changes something.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RunOptions {
    pub(crate) by: String,
    pub(crate) reason: Option<String>,
    pub(crate) revision: Option<String>,
    pub(crate) wait: Duration,
    pub(crate) dry_run: bool,
    pub(crate) skip_unreachable: bool,
    pub(crate) allow_empty: bool,
    pub(crate) commands: Option<Commands>,
    pub(crate) code: Code,
    pub(crate) directory: Option<Utf8PathBuf>,
}

/// The caller's own code around a switch. Hooks run in addition to the configured commands, the migration
/// instead of them. It is not recorded with a release, so a rollback or a recovery needs it again.
///
/// Code has no time limit of its own: one that never ends holds the locks of all hosts, in an undo too.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Code {
    pub(crate) prepare: Option<Arc<dyn Hook>>,
    pub(crate) after_switch: Option<Arc<dyn Hook>>,
    pub(crate) validate: Option<Arc<dyn Hook>>,
    pub(crate) migration: Option<Arc<dyn DataMigration>>,
    pub(crate) place: DataPlace,
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
            commands: None,
            code: Code::default(),
            directory: None,
        }
    }
}

impl RunOptions {
    /// Returns the place of the data; `None` if no data is configured.
    pub(super) fn data_place(&self) -> Option<DataPlace> {
        if self.code.migration.is_some() {
            return Some(self.code.place.clone());
        }
        Some(self.commands.as_ref()?.data.as_ref()?.place.clone())
    }
}

/// The commands that a rollback runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CommandsFrom {
    /// The commands recorded with the releases when they were deployed.
    #[default]
    Recorded,
    /// The commands of [`RunOptions::commands`], else those of the configuration.
    Configuration,
}

/// The releases that a deploy or an activation keeps, besides the current one and those that something needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Retention {
    /// Those that the configuration says; all without a configuration, or if it does not say.
    #[default]
    Configured,
    /// All.
    All,
    /// This many good releases.
    Good(u32),
}

impl Retention {
    /// Returns the number of good releases; `None` to remove none.
    pub(super) fn good(self) -> Option<u32> {
        if let Self::Good(keep) = self { Some(keep) } else { None }
    }
}

/// The options of [`Fleet::deploy`](super::Fleet::deploy).
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DeployOptions {
    pub(crate) run: RunOptions,
    pub(crate) allow_split: bool,
    pub(crate) from: Option<ReleaseName>,
    pub(crate) or_return: bool,
    pub(crate) verify: Option<TargetCheck>,
    /// Whether an existing name is refused whatever its content.
    pub(super) anew: bool,
    pub(crate) irreversible: Option<String>,
    pub(crate) accept_data: bool,
    pub(crate) keep: Retention,
}

/// The options of [`Fleet::drill`](super::Fleet::drill).
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DrillOptions {
    pub(crate) run: RunOptions,
}

/// The options of [`Fleet::activate`](super::Fleet::activate).
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ActivateOptions {
    pub(crate) run: RunOptions,
    pub(crate) verify: Option<TargetCheck>,
    pub(crate) allow_split: bool,
    pub(crate) from: Option<ReleaseName>,
    pub(crate) accept_data: bool,
    pub(crate) keep: Retention,
}

/// The options of [`Fleet::rollback`](super::Fleet::rollback).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RollbackOptions {
    pub(crate) run: RunOptions,
    pub(crate) target: RollbackTarget,
    pub(crate) verify: Option<TargetCheck>,
    pub(crate) from: Option<ReleaseName>,
    pub(crate) keep_data: bool,
    pub(crate) data_to: Option<DataVersion>,
    pub(crate) commands: CommandsFrom,
    pub(crate) no_hooks: bool,
}

/// The options of [`Fleet::recover`](super::Fleet::recover).
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RecoverOptions {
    pub(crate) run: RunOptions,
    pub(crate) direction: Direction,
    pub(crate) keep_data: bool,
}

impl Default for RollbackOptions {
    fn default() -> Self {
        Self {
            run: RunOptions::default(),
            target: RollbackTarget::Steps(1),
            verify: None,
            from: None,
            keep_data: false,
            data_to: None,
            commands: CommandsFrom::Recorded,
            no_hooks: false,
        }
    }
}
