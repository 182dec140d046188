//! The data apply phase: runs a release's migration, and undoes it if a later phase fails.

use std::fmt::Write;

use crate::{
    commands::{DataCommands, DataPlace},
    data::{DataChange, DataRecord, DataVersion, LedgerStep},
    error::{Error, ErrorKind},
    event::Phase,
    hook::{HookDirection, HookKind, HookShell, ShellHook},
    name::ReleaseName,
    path::InnerPath,
    plan::{DataPlan, RevertStep},
    report::Failure,
    store::HookDirectory,
    transport::shell::ShellWord,
};

use super::{MigrationCall, MigrationContext, keeps_ledger, known::data_record};
use crate::fleet::{
    execution::Execution,
    locked_host::LockedHost,
    log::{DataAct, Settled},
    outcome::DataState,
    run::Run,
    shell::HostShell,
};

/// The kind of an apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ApplyMode {
    /// A new migration, whether or not the release was applied before.
    Fresh,
    /// The rest of an interrupted apply.
    Resume,
    /// Undoes a revert made by this operation; the recorded starting version stays.
    Restore,
}

impl<'r> Run<'r> {
    /// Applies the migration of the plan's release, if the plan has one. A failure is in
    /// [`Execution::failure`].
    ///
    /// Writes the data record and the ledger line `apply-begun` before the migration runs, and `applied` after it, with
    /// the version found.
    ///
    /// * Failure: [`undo_apply`](Self::undo_apply) reverts to the version found before. `current` has not moved.
    /// * Kill: the ledger ends with `apply-begun`, and the data may be anywhere between the two versions. The next
    ///   `rollback` reverts it.
    /// * Lost answer: the store fetches the result of the command later. If it stays lost, this is a failure: the
    ///   version is read, and the apply undone.
    pub(in crate::fleet) async fn apply_data(&self, execution: &mut Execution<'r, '_>) {
        let Some(DataPlan::Apply { release, place, commands, resumes, .. }) = &execution.plan.data else { return };
        self.enter_phase(Phase::Data, 1);
        let (release, place, commands) = (release.clone(), place.clone(), commands.clone());
        let mode = if *resumes { ApplyMode::Resume } else { ApplyMode::Fresh };
        if let Err(why) = self.apply(execution, &release, &place, commands, mode).await {
            execution.failure = Some(why);
        }
    }

    pub(super) async fn apply(
        &self,
        execution: &mut Execution<'r, '_>,
        release: &ReleaseName,
        place: &DataPlace,
        commands: Option<DataCommands>,
        mode: ApplyMode,
    ) -> Result<(), Failure> {
        let Some(migration) = self.migration(commands.as_ref()) else {
            let what = format!("no `apply` is known for {release}");
            return Err(Error::new(ErrorKind::DataFailed, what).into());
        };
        let direction = execution.direction();
        let context = MigrationContext {
            place,
            release,
            directory: HookDirectory::Release,
            direction,
            migration: migration.as_ref(),
        };
        let known = data_record(execution, place, release);
        let known = known.unwrap_or_else(|| DataRecord::new(self.irreversible.clone()));
        let version = if mode == ApplyMode::Fresh {
            let last = match &execution.plan.data {
                Some(DataPlan::Apply { last_known, .. }) => last_known.clone(),
                _ => None,
            };
            self.version_before_apply(execution, &context, last.as_ref(), &known).await?
        } else {
            self.version(execution, &context).await?
        };
        if mode != ApplyMode::Fresh
            && known.change.as_ref().is_some_and(|change| change.after.as_ref() == Some(&version))
        {
            return Ok(());
        }
        let change = change_to_make(&known, mode, place, previous_release(execution, place), &version);
        // If the data is already at this version, because a rollback of the code alone left it there, this operation
        // changes nothing and has nothing to undo.
        let is_there = known.change.as_ref().is_some_and(|known| known.after.as_ref() == Some(&version));
        let back_to = if is_there { version } else { change.before.clone() };
        // An earlier decision (`--accept-data`, `--keep-data`) was about the data as it was then.
        let kept = known.kept.clone().filter(|_| mode != ApplyMode::Fresh);
        let mut record = DataRecord { change: Some(change.clone()), known: None, kept, ..known };
        if let Some(commands) = &commands {
            self.save(execution, release, place, commands).await?;
        }
        self.record(execution, place, release, Some(&record), (LedgerStep::ApplyBegun, Some(&change.before))).await?;
        let step = RevertStep::new(release, &change, commands);
        execution.data.log.begin(DataAct::Apply(RevertStep { to: back_to, place: place.clone(), ..step }));
        self.take_fingerprint(execution, &context).await;
        let applied = self.call_migration(execution, &context, MigrationCall::Apply).await;
        execution.data.log.settle(Settled::by_command(applied.as_ref().err()));
        if let Err(why) = applied {
            self.find_after(execution, &context).await;
            return Err(why);
        }
        let after = self.version(execution, &context).await?;
        record.change = Some(DataChange { after: Some(after.clone()), ..change });
        if let Some(DataAct::Apply(applied)) = execution.data.log.newest_mut() {
            applied.from = Some(after.clone());
        }
        self.record(execution, place, release, Some(&record), (LedgerStep::Applied, Some(&after))).await
    }

    /// Copies the files that the revert needs to a place outside the release.
    async fn save(
        &self,
        execution: &mut Execution<'r, '_>,
        release: &ReleaseName,
        place: &DataPlace,
        commands: &DataCommands,
    ) -> Result<(), Failure> {
        let DataPlace::Host(name) = place else { return Ok(()) };
        if commands.save.is_empty() {
            return Ok(());
        }
        let secrets = execution.secrets.clone();
        let Some(host) = execution.locked.iter_mut().find(|host| host.member.name == *name) else {
            return Ok(());
        };
        let at = self.occasion(host, release, HookDirection::Deploy);
        let host_name = host.name();
        let guard = host.guard.as_mut();
        let mut shell =
            HostShell { run: self, guard, at: at.clone(), directory: HookDirectory::Release, secrets: &secrets };
        let exit =
            shell.sh(&ShellHook::new(HookKind::Save, save_script(&commands.save))).await.map_err(Failure::from)?;
        if exit.success() {
            return Ok(());
        }
        Err(crate::hook::failed(ErrorKind::DataFailed, host_name, HookKind::Save, &exit).into())
    }

    /// Reverts the migration that this operation applied, if any.
    ///
    /// A failure leaves the data [unsettled](DataState::Unsettled): it is joined to the failure that led here, and the
    /// release stays for `recover`.
    pub(in crate::fleet) async fn undo_apply(&self, execution: &mut Execution<'r, '_>) {
        let Some(step) = execution.data.log.undo(DataAct::applied) else { return };
        if let Err(why) = self.undo_apply_step(execution, &step).await {
            execution.data.state = DataState::Unsettled;
            execution.failure = Some(crate::fleet::phases::revert::join_failures(execution.failure.take(), why));
        }
    }

    async fn undo_apply_step(&self, execution: &mut Execution<'r, '_>, step: &RevertStep) -> Result<(), Failure> {
        let commands = step.commands.clone();
        let Some(migration) = self.migration(commands.as_ref()) else { return Ok(()) };
        let context = MigrationContext::of_revert(step, HookDirectory::Release, migration.as_ref());
        if self.version(execution, &context).await? == step.to {
            return Ok(());
        }
        self.revert_one(execution, step).await
    }
}

/// Returns the release that was current before: on the data host, else on the first host that had one.
fn previous_release(execution: &Execution<'_, '_>, place: &DataPlace) -> Option<ReleaseName> {
    deciding_hosts(execution, place).find_map(|host| host.plan.as_ref()?.before.release().cloned())
}

/// Returns the hosts whose records decide about data at `place`.
pub(super) fn deciding_hosts<'c, 'r>(
    execution: &'c Execution<'r, '_>,
    place: &'c DataPlace,
) -> impl Iterator<Item = &'c LockedHost<'r>> {
    execution.locked.iter().filter(|host| keeps_ledger(host, place))
}

/// Returns the change about to be made, or the one already begun if this apply completes it.
fn change_to_make(
    known: &DataRecord,
    mode: ApplyMode,
    place: &DataPlace,
    previous: Option<ReleaseName>,
    version: &DataVersion,
) -> DataChange {
    match &known.change {
        Some(change) if mode == ApplyMode::Resume && change.after.is_none() => change.clone(),
        Some(change) if mode == ApplyMode::Restore => DataChange { after: None, ..change.clone() },
        // A rollback of the code alone left this data. A later revert must still lead to the version before the first
        // apply.
        Some(change) if change.after.as_ref() == Some(version) => {
            DataChange { previous, after: None, found: Some(version.clone()), ..change.clone() }
        }
        _ => DataChange::begun(place.clone(), previous, version.clone()),
    }
}

/// Writes the script that copies `paths` of the release to the place for saved files, completely or not at
/// all.
fn save_script(paths: &[InnerPath]) -> String {
    let mut script = "set -eu\nto=$SWITCHBACK_SAVED\nrm -rf -- \"$to.new\"\nmkdir -p -- \"$to.new\"\n".to_owned();
    for path in paths {
        let word = String::from_utf8_lossy(ShellWord::operand(path).as_bytes()).into_owned();
        let _ = write!(
            script,
            "mkdir -p -- \"$to.new\"/\"$(dirname -- {word})\"\ncp -R -P -p -- {word} \"$to.new\"/\"$(dirname -- {word})\"/\n"
        );
    }
    script.push_str("rm -rf -- \"$to\"\nmv -- \"$to.new\" \"$to\"\nsync\n");
    script
}
