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
        let command = execution.plan.command;
        join_all(execution.locked.iter_mut().map(|host| self.prepare_on(host, command))).await;
    }

    /// Whether hooks run in a new release before it is sealed.
    fn prepares(&self, command: Command, host: &LockedHost<'r>) -> bool {
        let goes_forward = matches!(command, Command::Deploy | Command::Activate);
        goes_forward && (self.options.code.prepare.is_some() || host.commands().prepare.is_some())
    }

    /// Writes the intent on every host that switches, for the phases before the switch.
    ///
    /// A revert of data needs it: killed there, the rollback must be completed and not begun anew.
    pub(in crate::fleet) async fn announce(&self, execution: &mut Execution<'r, '_>) {
        let release = execution.plan.release.clone();
        // Creating `current` again needs no undo.
        let relinks = |host: &LockedHost<'r>| host.plan.as_ref().is_some_and(|plan| plan.action == Action::Relink);
        let switching = execution.locked.iter_mut().filter(|host| host.switches() && !relinks(host));
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

    async fn prepare_on(&self, host: &mut LockedHost<'r>, command: Command) {
        let prepares = self.prepares(command, host);
        let kept = matches!(command, Command::Deploy | Command::Stage | Command::Activate);
        let commands = Some(host.commands()).filter(|commands| kept && !commands.is_empty()).cloned();
        let Some(plan) = &host.plan else { return };
        let result = match preparation_of(plan, host.staged.take()) {
            Some(mut preparation) => {
                preparation.commands = commands;
                preparation.data = self.data_of_release(&preparation);
                preparation.unsealed = prepares && host.is_new(&preparation.name);
                host.log.begin(HostAct::Prepare(Box::new(preparation.clone())));
                let ready = host.guard.prepare(&preparation).await;
                host.log.settle(Settled::by_store(&ready));
                ready.map(Some)
            }
            None if matches!(plan.action, Action::GoBack | Action::Relink) => host.guard.ready(&plan.release).map(Some),
            None => Ok(None),
        };
        match self.report_phase(host.member.name(), Phase::Prepare, result.map_err(failure)) {
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
        if !matches!(execution.plan.command, Command::Deploy | Command::Activate) {
            return;
        }
        let code = self.options.code.prepare.clone();
        let is_new = |host: &LockedHost<'_>| host.switches() && host.is_new(&execution.plan.release);
        let prepares = |host: &LockedHost<'_>| code.is_some() || host.commands().prepare.is_some();
        let new: Vec<bool> = execution.locked.iter().map(|host| is_new(host) && prepares(host)).collect();
        if !new.contains(&true) {
            return;
        }
        let (direction, release, secrets) =
            (execution.direction(), execution.plan.release.clone(), execution.secrets.clone());
        let chosen = execution.locked.iter_mut().zip(&new).filter(|(_, new)| **new);
        let runs = chosen.map(|(host, _)| {
            let command = host.commands().prepare_hook();
            let (code, release, secrets) = (code.as_deref(), release.clone(), &secrets);
            async move {
                let hooks = hooks(code, command.as_ref());
                host.log.begin(HostAct::RunPrepare);
                self.run_hooks_on(
                    host,
                    HookBatch { hooks: &hooks, release, direction, secrets, phase: Phase::Prepare },
                )
                .await;
                host.log.settle(Settled::by_command(host.failure.as_ref()));
            }
        });
        join_bounded(runs.collect(), self.parallel).await;
        self.seal(execution).await;
    }

    /// Records the present content as the manifest, because `prepare` may have changed it.
    async fn seal(&self, execution: &mut Execution<'r, '_>) {
        let release = execution.plan.release.clone();
        let ran = |host: &LockedHost<'_>| host.log.standing().any(|act| *act == HostAct::RunPrepare);
        let prepared = execution.locked.iter_mut().filter(|host| ran(host) && host.failure.is_none());
        let seals = prepared.map(|host| async {
            host.log.begin(HostAct::Seal);
            let sealed = host.guard.seal(&release).await;
            host.log.settle(Settled::by_store(&sealed));
            if let Err(why) = self.report_phase(host.member.name(), Phase::Prepare, sealed.map_err(failure)) {
                host.failure = Some(why);
            }
        });
        join_bounded(seals.collect(), self.parallel).await;
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
