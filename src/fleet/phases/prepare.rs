//! The prepare phase: publishes and records the release on every host, under the locks. Moves no `current`.
//!
//! * Failure: [`unprepare`](Run::unprepare) frees the name again, and restores the record.
//! * Kill: the lock stays, with the upload, or with the complete release as `staged` once it is published. A plain
//!   `rollback` undoes the deploy; `activate` goes to the release.
//! * Lost answer: the undo takes a new lock first, so that the request cannot take effect later, and then removes
//!   what it finds. If that fails too, a warning says so, and the release stays as `staged`.

use futures_util::future::join_all;

use crate::{
    data::DataRecord,
    event::Phase,
    plan::{Action, HostPlan},
    record::PreviousVersion,
    report::Command,
    store::{Preparation, Staged},
};

use crate::fleet::{
    execution::Execution,
    hooks::{HookBatch, hooks, join_bounded},
    locked_host::LockedHost,
    log::{HostAct, Settled},
    observe::failure,
    run::Run,
};

impl<'r> Run<'r> {
    /// Makes the release ready on every host. A failure is in [`LockedHost::failure`].
    ///
    /// The store writes the intent, publishes the upload under its name, writes the record, and syncs.
    pub(in crate::fleet) async fn prepare(&self, execution: &mut Execution<'r, '_>) {
        self.enter_phase(Phase::Prepare, execution.locked.len());
        let (command, announces) = (execution.plan.command, !execution.data.pending.is_empty());
        join_all(execution.locked.iter_mut().map(|host| self.prepare_on(host, command, announces))).await;
    }

    /// Whether the `prepare` hook runs on a host, before its release is sealed: in one that was never current there.
    fn runs_prepare(&self, command: Command, host: &LockedHost<'r>) -> bool {
        let goes_forward = matches!(command, Command::Deploy | Command::Activate);
        let has_hook = self.options.code.prepare.is_some() || host.commands().prepare.is_some();
        let is_new = || host.plan.as_ref().is_some_and(|plan| plan.action.switches() && host.is_new(&plan.release));
        goes_forward && has_hook && is_new()
    }

    /// Writes the intent on every host that switches, for the phases before the switch.
    ///
    /// A revert of data needs it: killed there, the rollback must be completed and not begun anew.
    pub(in crate::fleet) async fn announce(&self, execution: &mut Execution<'r, '_>) {
        let release = execution.plan.release.clone();
        let switching = execution.locked.iter_mut().filter(|host| needs_intent(host));
        join_all(switching.map(|host| async {
            host.log.begin(HostAct::Announce);
            let announced = host.guard.announce(&release).await;
            host.log.settle(Settled::by_store(&announced));
            if let Err(why) = self.report_phase(host.member.name(), Phase::Prepare, announced.map_err(failure)) {
                host.failure = Some(why);
            }
        }))
        .await;
    }

    async fn prepare_on(&self, host: &mut LockedHost<'r>, command: Command, announces: bool) {
        let runs_prepare = self.runs_prepare(command, host);
        let goes_on = runs_prepare || announces && needs_intent(host);
        let kept = matches!(command, Command::Deploy | Command::Stage | Command::Activate);
        let commands = Some(host.commands()).filter(|commands| kept && !commands.is_empty()).cloned();
        let Some(plan) = &host.plan else { return };
        let result = match preparation_of(plan, host.staged.take()) {
            Some(mut preparation) => {
                preparation.commands = commands;
                preparation.data = self.data_of_release(&preparation);
                preparation.unsealed = runs_prepare;
                host.log.begin(HostAct::Prepare(Box::new(preparation.clone())));
                let ready = host.guard.prepare(&preparation).await;
                host.log.settle(Settled::by_store(&ready));
                ready.map(Some)
            }
            None if matches!(plan.action, Action::GoBack | Action::Relink) => host.guard.ready(&plan.release).map(Some),
            None => Ok(None),
        };
        let (name, result) = (host.member.name(), result.map_err(failure));
        let report = if goes_on { Self::report_step } else { Self::report_phase };
        match report(self, name, Phase::Prepare, result) {
            Ok(ready) => host.ready = ready,
            Err(why) => host.failure = Some(why),
        }
    }

    /// Runs the `prepare` hook on every host, in a release that was never current, and seals the release.
    ///
    /// * Failure: the undo removes the release again.
    /// * Kill: the release stays published and marked as unsealed. The next run ends the hook with its process group; a
    ///   plain `rollback` undoes the deploy.
    /// * Lost answer: the store fetches the result later; if it stays lost, this is a failure.
    pub(in crate::fleet) async fn run_prepare(&self, execution: &mut Execution<'r, '_>) {
        let command = execution.plan.command;
        let (code, direction) = (self.options.code.prepare.clone(), execution.direction());
        let (release, secrets) = (execution.plan.release.clone(), execution.secrets.clone());
        let chosen = execution.locked.iter_mut().filter(|host| self.runs_prepare(command, host));
        let runs = chosen.map(|host| {
            let command = host.commands().prepare_hook();
            let (code, release, secrets) = (code.as_deref(), release.clone(), &secrets);
            async move {
                let hooks = hooks(code, command.as_ref());
                host.log.begin(HostAct::RunPrepare);
                let batch = HookBatch { hooks: &hooks, release, direction, secrets, phase: Phase::Prepare };
                self.run_hooks_on(host, batch).await;
                host.log.settle(Settled::by_command(host.failure.as_ref()));
                if host.failure.is_none() {
                    self.seal_on(host).await;
                }
            }
        });
        join_bounded(runs.collect(), self.parallel).await;
    }

    /// Records the present content as the manifest, because `prepare` may have changed it.
    async fn seal_on(&self, host: &mut LockedHost<'r>) {
        let Some(release) = host.plan.as_ref().map(|plan| plan.release.clone()) else { return };
        host.log.begin(HostAct::Seal);
        let sealed = host.guard.seal(&release).await;
        host.log.settle(Settled::by_store(&sealed));
        if let Err(why) = self.report_phase(host.member.name(), Phase::Prepare, sealed.map_err(failure)) {
            host.failure = Some(why);
        }
    }

    /// Returns the first data record of a release that is published: irreversible, or not yet applied.
    fn data_of_release(&self, preparation: &Preparation) -> Option<DataRecord> {
        let has_data = self.options.data_place().is_some() || self.irreversible.is_some();
        (preparation.staged.is_some() && has_data).then(|| DataRecord::new(self.irreversible.clone()))
    }

    /// Undoes the preparation on every host: frees the names, and restores the records.
    ///
    /// A failure is a warning: a release that is published stays as `staged`, and no `current` has moved.
    pub(in crate::fleet) async fn unprepare(&self, locked: &mut [LockedHost<'r>]) {
        join_all(locked.iter_mut().map(|host| self.unprepare_on(host))).await;
    }

    async fn unprepare_on(&self, host: &mut LockedHost<'r>) {
        let Some(preparation) = host.log.undo(HostAct::preparation) else { return };
        let mut result = Ok(());
        // A request that is under way could still publish the release once it is removed.
        if host.log.has_unknown() {
            result = host.guard.fence().await;
            if result.is_err() {
                // Another run may have switched meanwhile: the report must show where the host is now.
                let _ = host.guard.look().await;
            }
        }
        if result.is_ok() {
            result = host.guard.unprepare(&preparation).await;
        }
        if let Err(error) = result {
            let why = failure(error).message;
            self.warn(Some(host.name()), format!("cannot discard the preparation of {} ({why})", preparation.name));
        }
    }
}

/// Whether a host needs an intent before it switches. Creating `current` again needs no undo.
fn needs_intent(host: &LockedHost<'_>) -> bool {
    host.plan.as_ref().is_some_and(|plan| plan.action.switches() && plan.action != Action::Relink)
}

fn preparation_of(plan: &HostPlan, staged: Option<Staged>) -> Option<Preparation> {
    let preparation = |staged, record: Option<PreviousVersion>| Preparation {
        name: plan.release.clone(),
        staged,
        record,
        shared: plan.shared.clone(),
        commands: None,
        unsealed: false,
        data: None,
    };
    match &plan.action {
        Action::Deploy { record } => Some(preparation(staged, Some(record.clone()))),
        Action::Activate { record } => Some(preparation(None, Some(record.clone()))),
        Action::Stage => Some(preparation(staged, None)),
        Action::GoBack | Action::Relink | Action::TakeAway | Action::Stay => None,
    }
}
