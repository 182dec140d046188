//! Makes the release ready on every host, under the locks: published, recorded, synced. No `current` is touched.

use futures_util::future::join_all;

use crate::{
    event::Phase,
    plan::{Action, HostPlan},
    record::PreviousVersion,
    store::{Preparation, Staged},
};

use super::{ask::failure, run::Run, working::Working};

impl<'r> Run<'r> {
    /// Makes the release ready everywhere. What fails stands in [`Working::failure`].
    pub(super) async fn prepare(&self, locked: &mut [Working<'r>]) {
        self.enter(Phase::Prepare, locked.len());
        join_all(locked.iter_mut().map(|working| self.prepare_on(working))).await;
    }

    async fn prepare_on(&self, working: &mut Working<'r>) {
        let Some(plan) = &working.plan else { return };
        let result = match preparation_of(plan, working.staged.take()) {
            Some(preparation) => {
                let preparation = working.progress.preparation.insert(preparation);
                working.guard.prepare(preparation).await.map(Some)
            }
            None if plan.action == Action::GoBack => working.guard.ready(&plan.release).map(Some),
            None => Ok(None),
        };
        match self.told(working.host.name(), Phase::Prepare, result.map_err(failure)) {
            Ok(ready) => working.progress.ready = ready,
            Err(why) => working.failure = Some(why),
        }
    }

    /// Takes back what was prepared, everywhere: names are free again, records as they were.
    pub(super) async fn unprepare(&self, locked: &mut [Working<'r>]) {
        join_all(locked.iter_mut().map(|working| self.unprepare_on(working))).await;
    }

    async fn unprepare_on(&self, working: &mut Working<'r>) {
        let Some(preparation) = working.progress.preparation.take() else { return };
        let mut result = Ok(());
        if working.failure.as_ref().is_some_and(|failure| failure.kind == crate::ErrorKind::Unknown) {
            result = working.guard.fence().await;
        }
        if result.is_ok() {
            result = working.guard.unprepare(&preparation).await;
        }
        if let Err(error) = result {
            let why = failure(error).message;
            self.warn(
                Some(working.name()),
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
    };
    match &plan.action {
        Action::Deploy { record } => Some(preparation(staged, Some(record.clone()))),
        Action::Activate { record } => Some(preparation(None, Some(record.clone()))),
        Action::Stage => Some(preparation(staged, None)),
        Action::GoBack | Action::TakeAway | Action::Stay => None,
    }
}
