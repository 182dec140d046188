//! Makes the release ready on every host, under the locks: published, recorded, synced. No `current` is touched.

use futures_util::future::join_all;

use crate::{
    data::DataRecord,
    event::Phase,
    plan::{Action, HostPlan},
    record::PreviousVersion,
    report::Command,
    store::{Preparation, Staged},
};

use super::{execution::Execution, locked_host::LockedHost, observe::failure, run::Run};

impl<'r> Run<'r> {
    /// Makes the release ready everywhere. What fails stands in [`LockedHost::failure`].
    pub(super) async fn prepare(&self, execution: &mut Execution<'r, '_>) {
        self.enter_phase(Phase::Prepare, execution.locked.len());
        let command = execution.plan.command;
        join_all(execution.locked.iter_mut().map(|host| self.prepare_on(host, command))).await;
    }

    /// Whether anything is run in a release that is new before it is sealed.
    fn prepares(&self, command: Command, host: &LockedHost<'r>) -> bool {
        let goes_forward = matches!(command, Command::Deploy | Command::Activate);
        goes_forward && (self.options.code.prepare.is_some() || host.commands().prepare.is_some())
    }

    /// Writes what is about to be done on every host that is switched, for what comes before the switch.
    pub(super) async fn announce(&self, execution: &mut Execution<'r, '_>) {
        let release = execution.plan.release.clone();
        // Linking again is nothing that would have to be undone.
        let relinks = |host: &LockedHost<'r>| host.plan.as_ref().is_some_and(|plan| plan.action == Action::Relink);
        let switching = execution.locked.iter_mut().filter(|host| host.switches() && !relinks(host));
        join_all(switching.map(|host| async {
            let announced = host.guard.announce(&release).await.map_err(failure);
            if let Err(why) = self.report_phase(host.member.name(), Phase::Prepare, announced) {
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
                let preparation = host.preparation.insert(preparation);
                host.guard.prepare(preparation).await.map(Some)
            }
            None if matches!(plan.action, Action::GoBack | Action::Relink) => host.guard.ready(&plan.release).map(Some),
            None => Ok(None),
        };
        match self.report_phase(host.member.name(), Phase::Prepare, result.map_err(failure)) {
            Ok(ready) => host.ready = ready,
            Err(why) => host.failure = Some(why),
        }
    }

    /// What is known of the data of a release that is published: that it cannot go back, or that it has not gone anywhere.
    fn data_of_release(&self, preparation: &Preparation) -> Option<DataRecord> {
        let has_data = self.options.data_place().is_some() || self.irreversible.is_some();
        (preparation.staged.is_some() && has_data).then(|| DataRecord::new(self.irreversible.clone()))
    }

    /// Takes back what was prepared, everywhere: names are free again, records as they were.
    pub(super) async fn unprepare(&self, locked: &mut [LockedHost<'r>]) {
        join_all(locked.iter_mut().map(|host| self.unprepare_on(host))).await;
    }

    async fn unprepare_on(&self, host: &mut LockedHost<'r>) {
        let Some(preparation) = host.preparation.take() else { return };
        let mut result = Ok(());
        if host.failure.as_ref().is_some_and(|failure| failure.kind == crate::ErrorKind::Unknown) {
            result = host.guard.fence().await;
            if result.is_err() {
                // Another may decide here by now: what is reported of this host is where it is, not where it was before that.
                let _ = host.guard.look().await;
            }
        }
        if result.is_ok() {
            result = host.guard.unprepare(&preparation).await;
        }
        if let Err(error) = result {
            let why = failure(error).message;
            self.warn(
                Some(host.name()),
                format!("what was prepared for {} could not be taken back ({why})", preparation.name),
            );
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
