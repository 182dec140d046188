//! The options of commands. Their setters are in `setters`.

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
    /// The name of the user, as locks and histories show it: `user@host`, and the CI job if there is one.
    pub(crate) by: String,
    /// The reason, as locks and histories show it.
    pub(crate) reason: Option<String>,
    /// The revision that is deployed, as version control calls it; kept with the staged release and in the
    /// history.
    pub(crate) revision: Option<String>,
    /// The maximum time to wait for a lock that somebody else holds; zero by default.
    pub(crate) wait: Duration,
    /// Whether to stop after planning, with nothing changed.
    pub(crate) dry_run: bool,
    /// Whether to skip unreachable hosts.
    ///
    /// The other hosts record what these miss. The next run that reaches them, or a recovery, handles it.
    pub(crate) skip_unreachable: bool,
    /// Whether a source without any file is accepted. Such a source is most often a failed build.
    pub(crate) allow_empty: bool,
    /// The commands around a switch; `None` for those of the configuration, if the fleet was made from one.
    ///
    /// A rollback runs the commands recorded with the releases, unless it is asked to run these.
    pub(crate) commands: Option<Commands>,
    /// The caller's own code around a switch.
    pub(crate) code: Code,
    /// The working directory of commands on the controller; by default, the directory of the configuration file, else
    /// the current directory.
    pub(crate) directory: Option<Utf8PathBuf>,
}

/// The caller's own code around a switch. Hooks run in addition to the configured commands, the migration
/// instead of them. It is not recorded with a release, so a rollback or a recovery needs it again.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Code {
    /// Runs on every host, in the new release, before any switch.
    pub(crate) prepare: Option<Arc<dyn Hook>>,
    /// Runs on every host after the switch, in both directions.
    pub(crate) after_switch: Option<Arc<dyn Hook>>,
    /// Decides on every host whether the switch was good.
    pub(crate) validate: Option<Arc<dyn Hook>>,
    /// Applies and reverts data migrations, instead of the configured commands.
    pub(crate) migration: Option<Arc<dyn DataMigration>>,
    /// The place where the migration runs its commands; the controller by default.
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
    /// The commands of the configuration.
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
    /// The options of every command.
    pub(crate) run: RunOptions,
    /// Whether to deploy although the hosts are on different releases.
    pub(crate) allow_split: bool,
    /// The release that must be current on every host that is not yet on the new one.
    ///
    /// Otherwise the deploy is refused, so that an older pipeline does not overwrite the deploy of a newer one.
    pub(crate) from: Option<ReleaseName>,
    /// Whether a deploy of an existing release that is not current goes to it.
    ///
    /// It does so by an activation; or by a rollback, with the data, if the records lead back to it. Every host must
    /// need the same command, and a bad release is refused.
    pub(crate) or_return: bool,
    /// How to verify an existing release against its manifest before going to it; `None` for the configured check.
    pub(crate) verify: Option<TargetCheck>,
    /// Whether an existing name is refused whatever its content.
    pub(super) anew: bool,
    /// The reason why the release cannot be rolled back together with its data, if there is one.
    pub(crate) irreversible: Option<String>,
    /// Whether to accept and record a data version other than the last known one.
    pub(crate) accept_data: bool,
    /// The releases to keep; others that nothing needs are removed after success.
    pub(crate) keep: Retention,
}

/// The options of [`Fleet::drill`](super::Fleet::drill).
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DrillOptions {
    /// The options of every command.
    pub(crate) run: RunOptions,
}

/// The options of [`Fleet::activate`](super::Fleet::activate).
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ActivateOptions {
    /// The options of every command.
    pub(crate) run: RunOptions,
    /// How to verify the release against its manifest before switching; `None` for the configured check.
    pub(crate) verify: Option<TargetCheck>,
    /// Whether to switch although the hosts are on different releases.
    pub(crate) allow_split: bool,
    /// Whether to accept and record a data version other than the last known one.
    pub(crate) accept_data: bool,
    /// The releases to keep; others that nothing needs are removed after success.
    pub(crate) keep: Retention,
}

/// The options of [`Fleet::rollback`](super::Fleet::rollback).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RollbackOptions {
    /// The options of every command.
    pub(crate) run: RunOptions,
    /// The target: one good release back, by default.
    pub(crate) target: RollbackTarget,
    /// How to verify the target against its manifest before switching; `None` for the configured check.
    pub(crate) verify: Option<TargetCheck>,
    /// Moves only hosts that are on this release. If none is, does nothing.
    pub(crate) from: Option<ReleaseName>,
    /// Whether to keep the data as it is, and roll back the code alone.
    pub(crate) keep_data: bool,
    /// The version to revert the data to, if the records disagree about it or are wrong.
    pub(crate) data_to: Option<DataVersion>,
    /// The commands to run.
    pub(crate) commands: CommandsFrom,
    /// Whether to skip hooks and validations, those of the caller's own code too.
    ///
    /// Together with `keep_data` nothing is run, so that the rollback needs no records of commands or data and trusts
    /// nobody.
    pub(crate) no_hooks: bool,
}

/// The options of [`Fleet::recover`](super::Fleet::recover).
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RecoverOptions {
    /// The options of every command.
    pub(crate) run: RunOptions,
    /// The direction of the recovery.
    pub(crate) direction: Direction,
    /// Whether to keep the data as it is.
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
