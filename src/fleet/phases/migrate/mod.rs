//! The migrate phase: applies and reverts data migrations, once for the whole fleet, on the data host or on the
//! controller.
//!
//! * Failure: before the switch, what was applied is reverted and what was reverted is applied again. After it, the data
//!   is unsettled, and the next rollback continues.
//! * Kill: the ledger ends with a line that something began; the data version and the ledger tell the next command how
//!   far it came.
//! * Lost answer: the store fetches the result of the command later; if it stays lost, this is a failure, and the
//!   version is read.

mod apply;
mod damage;
mod known;
mod revert;

use std::sync::Arc;

use futures_util::future::try_join_all;

use crate::{
    commands::{DataCommands, DataPlace},
    data::{DataMigration, DataRecord, DataVersion, LedgerEntry, LedgerStep, ShellMigration},
    error::{Error, ErrorKind},
    event::Event,
    hook::{HookDirection, HookShell, Occasion},
    name::ReleaseName,
    path::InnerPath,
    plan::RevertStep,
    report::Failure,
    store::{HookDirectory, StoreError},
};

use self::damage::Fingerprint;
pub(in crate::fleet) use self::known::VERSION_PAUSE;
use crate::fleet::{
    execution::Execution,
    hooks::contained,
    locked_host::LockedHost,
    log::{DataAct, Log},
    outcome::DataState,
    run::Run,
    secrets::redact,
    shell::{CONTROLLER, ControllerShell, HostShell},
};

/// The progress of the data.
#[derive(Debug, Default)]
pub(in crate::fleet) struct DataProgress {
    /// The data version before the operation.
    pub(in crate::fleet) before: Option<DataVersion>,
    /// The data version as last read; `None` while it is unknown.
    pub(in crate::fleet) after: Option<DataVersion>,
    /// Whether `apply` began at a version that contradicts the last known one, so that a rollback must be told where
    /// to go.
    pub(in crate::fleet) disagrees: bool,
    /// The migrations that this operation applied and reverted, completely or in part.
    pub(in crate::fleet) log: Log<DataAct>,
    /// The steps still to be reverted, newest first.
    pub(in crate::fleet) pending: Vec<RevertStep>,
    pub(in crate::fleet) state: DataState,
    /// The first failed `apply` or `revert`, if one failed.
    pub(in crate::fleet) failure: Option<DataFailure>,
    /// The output of `fingerprint` before the first `apply` or `revert`, and its command.
    pub(in crate::fleet) fingerprint: Option<Fingerprint>,
    /// Whether the fingerprint was the same at the end, after a failure.
    pub(in crate::fleet) same: Option<bool>,
}

/// A failed `apply` or `revert`.
#[derive(Debug)]
pub(in crate::fleet) struct DataFailure {
    /// The place of the data.
    pub(in crate::fleet) place: DataPlace,
    /// The version found after it; `None` if it could not be read.
    pub(in crate::fleet) found: Option<DataVersion>,
}

/// A call of a migration.
#[derive(Debug, Clone, Copy)]
enum MigrationCall<'a> {
    Version,
    Apply,
    Revert(&'a DataVersion),
}

/// The context in which a migration runs: where, for which release, in which directory and direction.
pub(in crate::fleet) struct MigrationContext<'a> {
    pub(in crate::fleet) place: &'a DataPlace,
    pub(in crate::fleet) release: &'a ReleaseName,
    pub(in crate::fleet) directory: HookDirectory,
    pub(in crate::fleet) direction: HookDirection,
    pub(in crate::fleet) migration: &'a dyn DataMigration,
}

impl<'a> MigrationContext<'a> {
    /// Returns the context in which `step` is reverted.
    fn of_revert(step: &'a RevertStep, directory: HookDirectory, migration: &'a dyn DataMigration) -> Self {
        let direction = HookDirection::Rollback;
        Self { place: &step.place, release: &step.release, directory, direction, migration }
    }
}

impl<'r> Run<'r> {
    /// Returns the caller's own migration, else the one that these commands make up.
    pub(in crate::fleet) fn migration(&self, commands: Option<&DataCommands>) -> Option<Arc<dyn DataMigration>> {
        if let Some(own) = &self.options.code.migration {
            return Some(Arc::clone(own));
        }
        commands.map(|commands| Arc::new(ShellMigration::new(commands.clone())) as Arc<dyn DataMigration>)
    }

    /// Reads the data version, and keeps it for the report.
    pub(in crate::fleet) async fn version(
        &self,
        execution: &mut Execution<'r, '_>,
        context: &MigrationContext<'_>,
    ) -> Result<DataVersion, Failure> {
        let version = self.call_migration(execution, context, MigrationCall::Version).await?;
        let version = version.expect("a version was asked for");
        execution.data.before.get_or_insert_with(|| version.clone());
        execution.data.after = Some(version.clone());
        Ok(version)
    }

    async fn call_migration(
        &self,
        execution: &mut Execution<'r, '_>,
        context: &MigrationContext<'_>,
        call: MigrationCall<'_>,
    ) -> Result<Option<DataVersion>, Failure> {
        if !matches!(call, MigrationCall::Version) {
            // The call may leave the data anywhere, until its version is read again.
            execution.data.after = None;
        }
        let secrets = execution.secrets.clone();
        match context.place {
            DataPlace::Controller => {
                let at = Occasion {
                    host: CONTROLLER.to_owned(),
                    ..self.occasion(&execution.locked[0], context.release, context.direction)
                };
                dispatch(
                    context.migration,
                    &at,
                    call,
                    &mut ControllerShell { run: self, at: at.clone(), secrets: &secrets },
                )
                .await
            }
            DataPlace::Host(name) => {
                let host = execution
                    .locked
                    .iter_mut()
                    .find(|host| host.member.name == *name)
                    .ok_or_else(|| elsewhere(name))?;
                let at = self.occasion(host, context.release, context.direction);
                let guard = host.guard.as_mut();
                let mut shell =
                    HostShell { run: self, guard, at: at.clone(), directory: context.directory, secrets: &secrets };
                dispatch(context.migration, &at, call, &mut shell).await
            }
        }
        .map_err(|error| {
            let why = Failure::from(error);
            let message = redact(&secrets, &why.message);
            why.reworded(message)
        })
    }

    /// Returns the directory for a release's commands: the release, or its saved files.
    async fn directory_of(
        &self,
        execution: &Execution<'r, '_>,
        place: &DataPlace,
        release: &ReleaseName,
        saved: &[InnerPath],
    ) -> Result<HookDirectory, Failure> {
        let DataPlace::Host(name) = place else { return Ok(HookDirectory::Release) };
        if saved.is_empty() {
            return Ok(HookDirectory::Release);
        }
        let host = execution
            .locked
            .iter()
            .find(|host| host.member.name == *name)
            .ok_or_else(|| Failure::from(elsewhere(name)))?;
        host.guard.directory_of(release, saved).await.map_err(crate::fleet::observe::failure)
    }

    /// Durably writes a release's data record on every host, and a ledger line on the data host.
    ///
    /// For data on the controller every host keeps the ledger, so that no single host decides.
    async fn record(
        &self,
        execution: &mut Execution<'r, '_>,
        place: &DataPlace,
        release: &ReleaseName,
        record: Option<&DataRecord>,
        step: (LedgerStep, Option<&DataVersion>),
    ) -> Result<(), Failure> {
        let entry = LedgerEntry::now(self.owner.operation.clone(), release.clone(), step.0, step.1.cloned());
        for host in &mut execution.locked {
            let entry = keeps_ledger(host, place).then_some(&entry);
            if record.is_some() || entry.is_some() {
                let written: Result<(), StoreError> = host.guard.record_data(release, record, entry).await;
                written.map_err(crate::fleet::observe::failure)?;
            }
        }
        self.emit(&Event::Data { release: release.clone(), step: step.0, version: step.1.cloned() });
        Ok(())
    }

    /// Whether an operation began a revert of `release` and did not complete it.
    async fn revert_is_open(
        &self,
        execution: &Execution<'r, '_>,
        place: &DataPlace,
        release: &ReleaseName,
    ) -> Result<bool, Failure> {
        let keepers = execution.locked.iter().filter(|host| keeps_ledger(host, place));
        let ledgers =
            try_join_all(keepers.map(|host| host.guard.ledger())).await.map_err(crate::fleet::observe::failure)?;
        let torn: usize = ledgers.iter().map(|(_, torn)| torn).sum();
        if torn > 0 {
            self.warn(None, format!("skipped {torn} torn or unreadable lines of the ledger"));
        }
        // Hosts without a line for this release do not count: an older program, or a run without them, left none.
        let mut says = ledgers
            .iter()
            .map(|(ledger, _)| ledger)
            .filter(|ledger| ledger.iter().any(|entry| entry.release == *release))
            .peekable();
        Ok(says.peek().is_some() && says.all(|ledger| LedgerEntry::revert_is_open(ledger, release)))
    }
}

/// Whether a host keeps the ledger of data at `place`.
fn keeps_ledger(host: &LockedHost<'_>, place: &DataPlace) -> bool {
    match place {
        DataPlace::Host(name) => host.member.name == *name,
        DataPlace::Controller => true,
    }
}

fn elsewhere(name: &str) -> Error {
    Error::new(ErrorKind::DataDiffers, format!("the data is on {name}, which is not selected"))
}

async fn dispatch(
    migration: &dyn DataMigration,
    at: &Occasion,
    call: MigrationCall<'_>,
    shell: &mut dyn HookShell,
) -> Result<Option<DataVersion>, Error> {
    let result = async {
        match call {
            MigrationCall::Version => migration.version(at, shell).await.map(Some),
            MigrationCall::Apply => migration.apply(at, shell).await.map(|()| None),
            MigrationCall::Revert(target) => migration.revert(at, target, shell).await.map(|()| None),
        }
    };
    contained(result, ErrorKind::DataFailed, || format!("the migration of the data for {}", at.release)).await
}
