//! The commands of a [`Fleet`], each with its future.

use std::sync::Arc;

use crate::{
    adoption::Tool,
    name::ReleaseName,
    release::Release,
    report::{Command, Report},
    run_error::RunError,
};

use super::{
    ActivateOptions, Call, DeployOptions, DrillOptions, Fleet, RecoverOptions, RollbackOptions, RunOptions,
    operations::{check, diff, drill, inspect, log, verify},
    run::Run,
};

/// The commands that change something.
///
/// Each runs in a task of the fleet, and owns what it needs.
impl Fleet {
    /// Stages `release` on every host and switches to it. If a phase fails, reverts everything.
    ///
    /// A host that already is on a release of that name with the same content stays as it is, and the others are
    /// switched to it. Repeating a deploy therefore does nothing.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the deploy at the next safe point and reverts it, in a task that [`close`](Self::close)
    /// waits for.
    pub async fn deploy(
        &self,
        release: Arc<dyn Release>,
        options: &DeployOptions,
        call: impl Into<Call>,
    ) -> Result<Report, RunError> {
        let options = options.clone();
        self.in_task(Command::Deploy, call.into(), |fleet, call| async move {
            fleet.run_deploy(release, &options, &call).await
        })
        .await
    }

    /// Rehearses a rollback: deploys `release`, rolls back, and deploys it again.
    ///
    /// Each leg runs over fresh connections, and proofs are taken after it. [`Report::drill`] has the legs. If a host
    /// has no release to roll back to, the content is first deployed as a baseline, under a generated name. If a proof
    /// fails, the fleet stays where that leg left it, and the report says where.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the drill: the leg under way is stopped as its command would be, in a task that
    /// [`close`](Self::close) waits for. The fleet stays where that leg left it.
    pub async fn drill(
        &self,
        release: Arc<dyn Release>,
        options: &DrillOptions,
        call: impl Into<Call>,
    ) -> Result<Report, RunError> {
        let options = options.clone();
        self.in_task(Command::Drill, call.into(), |fleet, call| async move {
            drill::drill(&fleet, release, &options, &call).await
        })
        .await
    }

    /// Stages `release` on every host: complete, durable, and not current.
    ///
    /// A host that has the release with the same content keeps it as it is.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the upload, in a task that [`close`](Self::close) waits for. The next upload removes what
    /// has arrived.
    pub async fn stage(
        &self,
        release: Arc<dyn Release>,
        options: &RunOptions,
        call: impl Into<Call>,
    ) -> Result<Report, RunError> {
        let options = options.clone();
        self.in_task(Command::Stage, call.into(), |fleet, call| async move {
            fleet.run_stage(release, &options, &call).await
        })
        .await
    }

    /// Switches every host to the release `name`, which all of them must have.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the activation at the next safe point and reverts it, in a task that
    /// [`close`](Self::close) waits for.
    pub async fn activate(
        &self,
        name: &ReleaseName,
        options: &ActivateOptions,
        call: impl Into<Call>,
    ) -> Result<Report, RunError> {
        let (name, options) = (name.clone(), options.clone());
        self.in_task(Command::Activate, call.into(), |fleet, call| async move {
            fleet.run_activate(&name, &options, &call).await
        })
        .await
    }

    /// Rolls every host back to its recorded previous release, or to the target in `options`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the rollback at the next safe point and reverts it, in a task that [`close`](Self::close)
    /// waits for. Once every host has switched, the task completes it instead.
    pub async fn rollback(&self, options: &RollbackOptions, call: impl Into<Call>) -> Result<Report, RunError> {
        let options = options.clone();
        self.in_task(
            Command::Rollback,
            call.into(),
            |fleet, call| async move { fleet.run_rollback(&options, &call).await },
        )
        .await
    }

    /// Completes or undoes an interrupted run. If there is none, does nothing.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the recovery at the next safe point and reverts it, in a task that [`close`](Self::close)
    /// waits for. Once every host has switched, the task completes it instead.
    pub async fn recover(&self, options: &RecoverOptions, call: impl Into<Call>) -> Result<Report, RunError> {
        let options = options.clone();
        self.in_task(
            Command::Recover,
            call.into(),
            |fleet, call| async move { fleet.run_recover(&options, &call).await },
        )
        .await
    }

    /// Adopts the trees that other tools made: `from`, or the tool detected on each host.
    ///
    /// Changes nothing of theirs, except a plain directory `current`, which becomes a release.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends a wait for locks. Under the locks the command is completed, in a task that
    /// [`close`](Self::close) waits for.
    pub async fn adopt(
        &self,
        from: Option<Tool>,
        options: &RunOptions,
        call: impl Into<Call>,
    ) -> Result<Report, RunError> {
        let options = options.clone();
        self.in_task(
            Command::Adopt,
            call.into(),
            |fleet, call| async move { fleet.run_adopt(from, &options, &call).await },
        )
        .await
    }

    /// Removes old releases, and keeps the `keep` good ones nearest to the current one; `None` for the configured
    /// number.
    ///
    /// Also keeps the current release, the target of the next rollback, pinned releases, releases in use, and
    /// everything that switchback did not create.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends a wait for locks. Under the locks the command is completed, in a task that
    /// [`close`](Self::close) waits for.
    pub async fn prune(
        &self,
        keep: impl Into<Option<u32>>,
        options: &RunOptions,
        call: impl Into<Call>,
    ) -> Result<Report, RunError> {
        let (keep, options) = (keep.into(), options.clone());
        self.in_task(
            Command::Prune,
            call.into(),
            |fleet, call| async move { fleet.run_prune(keep, &options, &call).await },
        )
        .await
    }

    /// Pins the release `name` on every host, so that retention never removes it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends a wait for locks. Under the locks the command is completed, in a task that
    /// [`close`](Self::close) waits for.
    pub async fn pin(
        &self,
        name: &ReleaseName,
        options: &RunOptions,
        call: impl Into<Call>,
    ) -> Result<Report, RunError> {
        let (name, options) = (name.clone(), options.clone());
        self.in_task(Command::Pin, call.into(), |fleet, call| async move {
            fleet.run_pin(&name, true, &options, &call).await
        })
        .await
    }

    /// Removes the pin of the release `name` on every host.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends a wait for locks. Under the locks the command is completed, in a task that
    /// [`close`](Self::close) waits for.
    pub async fn unpin(
        &self,
        name: &ReleaseName,
        options: &RunOptions,
        call: impl Into<Call>,
    ) -> Result<Report, RunError> {
        let (name, options) = (name.clone(), options.clone());
        self.in_task(Command::Unpin, call.into(), |fleet, call| async move {
            fleet.run_pin(&name, false, &options, &call).await
        })
        .await
    }

    /// Removes the locks whose holder is proven dead; with `force`, every lock.
    ///
    /// The former holder can change nothing any more. The state it left is there for [`recover`](Self::recover).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing: the command is completed, in a task that [`close`](Self::close) waits for.
    pub async fn unlock(&self, force: bool, options: &RunOptions, call: impl Into<Call>) -> Result<Report, RunError> {
        let options = options.clone();
        self.in_task(Command::Unlock, call.into(), |fleet, call| async move {
            fleet.run_unlock(force, &options, &call).await
        })
        .await
    }
}

/// The commands that only read.
///
/// A host that cannot be read makes the result an error; its report has the other hosts.
impl Fleet {
    /// Reports the state of every host. Changes nothing.
    ///
    /// Also checks the current release and the target of the next rollback: types, modes, sizes, and symlinks to shared
    /// paths.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the command. There is nothing to revert.
    pub async fn status(&self, call: impl Into<Call>) -> Result<Report, RunError> {
        let call = call.into();
        self.in_caller(Command::Status, Box::pin(self.run_status(&call))).await
    }

    /// Reports the releases of every host. Changes nothing.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the command. There is nothing to revert.
    pub async fn releases(&self, call: impl Into<Call>) -> Result<Report, RunError> {
        let call = call.into();
        self.in_caller(Command::Releases, Box::pin(inspect::releases(Run::reading(self, Command::Releases, &call))))
            .await
    }

    /// Reports the history of every host. Changes nothing.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the command. There is nothing to revert.
    pub async fn history(&self, call: impl Into<Call>) -> Result<Report, RunError> {
        let call = call.into();
        self.in_caller(Command::History, Box::pin(inspect::history(Run::reading(self, Command::History, &call), None)))
            .await
    }

    /// Reports the `newest` operations of every host, and reads no more of the history than that takes.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the command. There is nothing to revert.
    pub async fn recent_history(&self, newest: usize, call: impl Into<Call>) -> Result<Report, RunError> {
        let call = call.into();
        let run = Run::reading(self, Command::History, &call);
        self.in_caller(Command::History, Box::pin(inspect::history(run, Some(newest)))).await
    }

    /// Reports the output of an operation's commands on every host, as it is kept there: of the operation that begins
    /// with these digits, or else of the newest that ran commands. Changes nothing.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the command. There is nothing to revert.
    pub async fn log(&self, operation: Option<&str>, call: impl Into<Call>) -> Result<Report, RunError> {
        let call = call.into();
        self.in_caller(Command::Log, Box::pin(log::log(Run::reading(self, Command::Log, &call), operation))).await
    }

    /// Verifies the release `name`, or the current one, against its manifest on every host. Changes
    /// nothing.
    ///
    /// With `full`, also compares the content of every file.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the command. There is nothing to revert.
    pub async fn verify(
        &self,
        name: Option<&ReleaseName>,
        full: bool,
        call: impl Into<Call>,
    ) -> Result<Report, RunError> {
        let call = call.into();
        self.in_caller(
            Command::Verify,
            Box::pin(verify::verify(Run::reading(self, Command::Verify, &call), name, full)),
        )
        .await
    }

    /// Compares the releases `from` and `to` by their manifests on every host. Changes nothing.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the command. There is nothing to revert.
    pub async fn diff(&self, from: &ReleaseName, to: &ReleaseName, call: impl Into<Call>) -> Result<Report, RunError> {
        let call = call.into();
        self.in_caller(Command::Diff, Box::pin(diff::diff(Run::reading(self, Command::Diff, &call), from, to))).await
    }

    /// Asks every question that could refuse a deploy with these options, and reports the present data
    /// version and validation.
    ///
    /// Changes nothing itself; runs only these two commands, in the current release.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the command. There is nothing to revert; a command that it started on a host may run to
    /// its end.
    pub async fn check(&self, options: &RunOptions, call: impl Into<Call>) -> Result<Report, RunError> {
        let call = call.into();
        self.in_caller(Command::Check, Box::pin(check::check(Run::new(self, Command::Check, options, &call)))).await
    }
}
