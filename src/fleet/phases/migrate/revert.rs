//! The data revert phase: reverts the migrations of releases, newest first, and reads the version after
//! each.

use std::sync::Arc;

use crate::{
    commands::RevertWhen,
    data::{DataMigration, DataVersion, LedgerStep},
    error::{Error, ErrorKind},
    event::Phase,
    hint::Hint,
    plan::{DataPlan, RevertStep},
    report::Failure,
    store::HookDirectory,
};

use super::{MigrationCall, MigrationContext, apply::ApplyMode, damage::found_after};
use crate::fleet::{
    execution::Execution,
    log::{DataAct, Settled},
    outcome::DataState,
    run::Run,
};

impl<'r> Run<'r> {
    /// Reads the data version before anything changes, and determines which steps are still to be reverted.
    ///
    /// # Errors
    ///
    /// When the version cannot be read, or is none of those recorded for these steps. Nothing was changed.
    pub(in crate::fleet) async fn find_pending_reverts(
        &self,
        execution: &mut Execution<'r, '_>,
    ) -> Result<(), Failure> {
        let Some(DataPlan::Revert { steps, resumes, to, .. }) = &execution.plan.data else { return Ok(()) };
        let (steps, resumes, to) = (steps.clone(), *resumes, to.clone());
        let Some(first) = steps.first() else { return Ok(()) };
        let version = self.version_at(execution, first).await?;
        let done = match completed_steps(&steps, &version, resumes) {
            // The data is already at the version given by `--data-to`.
            _ if to.as_ref() == Some(&version) => steps.len(),
            Some(done) => done,
            None => match (self.open_step(execution, &steps, resumes).await?, to) {
                (Some(open), _) => open,
                // The newest record disagrees with the data: its release reverts straight to the version given by
                // `--data-to`.
                (None, Some(to)) => {
                    execution.data.pending = vec![direct_step(first, &version, to)?];
                    return Ok(());
                }
                (None, None) => return Err(data_differs(&steps, &version)),
            },
        };
        execution.data.pending = steps[done..].to_vec();
        Ok(())
    }

    /// Returns the step that was begun and not completed: the data version is somewhere within it.
    async fn open_step(
        &self,
        execution: &Execution<'r, '_>,
        steps: &[RevertStep],
        resumes: bool,
    ) -> Result<Option<usize>, Failure> {
        if !resumes {
            return Ok(None);
        }
        for (index, step) in steps.iter().enumerate() {
            if self.revert_is_open(execution, &step.place, &step.release).await? {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// Reverts the pending steps, if the plan reverts them at this point. A failure is in
    /// [`Execution::failure`].
    ///
    /// Each step has a ledger line before (`revert-begun`) and after it (`reverted`).
    ///
    /// * Failure: the remaining steps stay pending. Before the switch, [`undo_revert`](Self::undo_revert) applies the
    ///   reverted steps again. After it, `current` stays, the data is [unsettled](DataState::Unsettled), and the intent
    ///   stays, so that the next `rollback` continues.
    /// * Kill: the version and the ledger tell the next `rollback` which step to continue with.
    /// * Lost answer: a failure, if the store cannot fetch the result later.
    pub(in crate::fleet) async fn revert_data(&self, execution: &mut Execution<'r, '_>, now: RevertWhen) {
        let its_time = matches!(&execution.plan.data, Some(DataPlan::Revert { when, .. }) if *when == now);
        if !its_time || execution.data.pending.is_empty() {
            return;
        }
        self.enter_phase(Phase::Data, execution.data.pending.len());
        while let Some(step) = execution.data.pending.first().cloned() {
            execution.data.log.begin(DataAct::Revert(step.clone()));
            let result = self.revert_one(execution, &step).await;
            execution.data.log.settle(Settled::by_command(result.as_ref().err()));
            if let Err(why) = result {
                execution.failure = Some(why);
                // Before the switch, the undo applies it again together with the others.
                if now == RevertWhen::AfterSwitch {
                    execution.data.state = DataState::Unsettled;
                }
                return;
            }
            execution.data.pending.remove(0);
        }
    }

    /// Undoes the revert after a failure before the switch: applies the newest reverted migration again.
    ///
    /// A failure, or another version than before, leaves the data [unsettled](DataState::Unsettled).
    pub(in crate::fleet) async fn undo_revert(&self, execution: &mut Execution<'r, '_>) {
        let Some(newest) = execution.data.log.undo(DataAct::reverted) else { return };
        let result =
            self.apply(execution, &newest.release, &newest.place, newest.commands.clone(), ApplyMode::Restore).await;
        let back = newest.from.is_none() || execution.data.after == newest.from;
        if let Err(why) =
            result.and_then(|()| if back { Ok(()) } else { Err(not_restored(&newest, execution.data.after.as_ref())) })
        {
            execution.data.state = DataState::Unsettled;
            execution.failure = Some(crate::fleet::phases::revert::join_failures(execution.failure.take(), why));
        }
    }

    /// Reverts one step, and checks that the data has the version it should have.
    pub(super) async fn revert_one(&self, execution: &mut Execution<'r, '_>, step: &RevertStep) -> Result<(), Failure> {
        let (migration, directory) = self.revert_of(execution, step).await?;
        let context = MigrationContext::of_revert(step, directory, migration.as_ref());
        let now = execution.data.after.clone();
        if now.as_ref() == Some(&step.to) && step.from.as_ref() == Some(&step.to) {
            return Ok(());
        }
        self.take_fingerprint(execution, &context).await;
        self.record(execution, &step.place, &step.release, None, (LedgerStep::RevertBegun, now.as_ref())).await?;
        if let Err(why) = self.call_migration(execution, &context, MigrationCall::Revert(&step.to)).await {
            self.find_after(execution, &context).await;
            return Err(why);
        }
        let version = self.version(execution, &context).await?;
        if version != step.to {
            found_after(execution, &context, Some(version));
            return Err(not_there(step));
        }
        self.record(execution, &step.place, &step.release, None, (LedgerStep::Reverted, Some(&version))).await
    }

    /// Returns the migration that reverts `step`, and the directory where it runs.
    async fn revert_of(
        &self,
        execution: &mut Execution<'r, '_>,
        step: &RevertStep,
    ) -> Result<(Arc<dyn DataMigration>, HookDirectory), Failure> {
        let Some(migration) = self.migration(step.commands.as_ref()) else {
            return Err(
                Error::new(ErrorKind::Irreversible, format!("no `revert` is known for {}", step.release)).into()
            );
        };
        let saved = step.commands.as_ref().map(|commands| commands.save.clone()).unwrap_or_default();
        let directory = self.directory_of(execution, &step.place, &step.release, &saved).await?;
        Ok((migration, directory))
    }

    async fn version_at(&self, execution: &mut Execution<'r, '_>, step: &RevertStep) -> Result<DataVersion, Failure> {
        let (migration, directory) = self.revert_of(execution, step).await?;
        let context = MigrationContext::of_revert(step, directory, migration.as_ref());
        self.version(execution, &context).await
    }
}

/// Returns how many of `steps` are complete at this data version; `None` if it is none of theirs.
fn completed_steps(steps: &[RevertStep], version: &DataVersion, resumes: bool) -> Option<usize> {
    let begins_at = |step: &RevertStep| step.from.as_ref().is_none_or(|from| from == version);
    if !resumes {
        return steps.first().is_some_and(begins_at).then_some(0);
    }
    // As far as it can be: if two steps end at the same version, the later one is complete too.
    if steps.last().is_some_and(|step| step.to == *version) {
        return Some(steps.len());
    }
    let exactly = |step: &RevertStep| step.from.as_ref() == Some(version);
    steps.iter().rposition(exactly).or_else(|| steps.iter().position(|step| step.from.is_none()))
}

/// Returns the single step from the present version to the one given by `--data-to`.
fn direct_step(first: &RevertStep, version: &DataVersion, to: DataVersion) -> Result<RevertStep, Failure> {
    if first.commands.as_ref().is_some_and(|commands| commands.revert.is_none()) {
        let what = format!("no `revert` is known for {}, so nothing can revert the data to {to}", first.release);
        return Err(Error::new(ErrorKind::Irreversible, what).into());
    }
    Ok(RevertStep { from: Some(version.clone()), to, ..first.clone() })
}

fn data_differs(steps: &[RevertStep], version: &DataVersion) -> Failure {
    let first = &steps[0];
    let recorded = first.from.as_ref().map_or("another".to_owned(), ToString::to_string);
    let what = format!(
        "the data version on {} is {version}, and {recorded} was recorded when {} was deployed",
        first.place, first.release
    );
    let ways = ["find out who changed the data".into(), Hint::DataTo, Hint::KeepData];
    Error::new(ErrorKind::DataDiffers, what).hints(ways).into()
}

fn not_there(step: &RevertStep) -> Failure {
    let what = format!("the revert of {} did not lead to {}", step.release, step.to);
    Error::new(ErrorKind::DataFailed, what).into()
}

fn not_restored(step: &RevertStep, version: Option<&DataVersion>) -> Failure {
    let words = |version: Option<&DataVersion>| version.map_or("not known".to_owned(), ToString::to_string);
    let (now, before) = (words(version), words(step.from.as_ref()));
    let what = format!(
        "after {} was applied again the data version on {} is {now}, and not {before}",
        step.release, step.place
    );
    Error::new(ErrorKind::DataFailed, what).into()
}

#[cfg(test)]
mod tests {
    use crate::{commands::DataPlace, data::DataChange};

    use super::*;

    fn version(text: &str) -> DataVersion {
        DataVersion::new(text).expect("a version")
    }

    fn step(release: &str, from: Option<&str>, to: &str) -> RevertStep {
        let begun = DataChange::begun(DataPlace::Controller, None, version(to));
        let change = DataChange { after: from.map(version), ..begun };
        RevertStep::new(&release.parse().expect("a name"), &change, None)
    }

    #[test]
    fn the_version_says_how_far_a_rollback_came() {
        let steps = [step("c", Some("3"), "2"), step("b", Some("2"), "1")];
        for (now, fresh, resumed) in
            [("3", Some(0), Some(0)), ("2", None, Some(1)), ("1", None, Some(2)), ("9", None, None), ("", None, None)]
        {
            assert_eq!(completed_steps(&steps, &version(now), false), fresh, "{now} fresh");
            assert_eq!(completed_steps(&steps, &version(now), true), resumed, "{now} resumed");
        }
    }

    #[test]
    fn a_release_whose_apply_was_interrupted_may_be_anywhere() {
        let steps = [step("c", None, "2")];
        assert_eq!(completed_steps(&steps, &version("2b"), false), Some(0));
        assert_eq!(completed_steps(&steps, &version("2"), true), Some(1));
    }
}
