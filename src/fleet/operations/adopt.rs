//! `adopt`: takes over trees that other tools made.

use futures_util::future::join_all;

use crate::{
    adoption::{Tool, Traces},
    event::{Event, Phase},
    future::BoxFuture,
    hint::{Hint, Notice},
    name::ReleaseName,
    plan::{self, AdoptPlan, HostAdoption, Refusal, Seen},
    report::{Failure, HostOutcome, HostReport, Outcome, Report},
    store::{Activated, Ended, Finish, StoreError},
    time::Timestamp,
    token::Token,
};

use crate::fleet::{
    locked_host::LockedHost,
    observe::{failure, untouched},
    outcome::HostState,
    phases::lock::lock_not_released,
    run::{Run, summary},
    with_locks::{ADOPT, Needs, Operation},
};

/// Adopts the tree of every host.
pub(in crate::fleet) async fn adopt(run: Run<'_>, from: Option<Tool>) -> Report {
    run.emit_started(None);
    let fresh = ReleaseName::made_at(Timestamp::now(), &Token::random());
    run.with_locks(None, &mut Adopt { from, fresh }).await
}

/// The adoption of trees made by `from`, or by the tool detected on each host.
struct Adopt {
    from: Option<Tool>,
    /// The name of the release that a plain directory becomes.
    fresh: ReleaseName,
}

impl<'r> Operation<'r> for Adopt {
    type Plan = AdoptPlan;

    fn needs(&self) -> Needs {
        Needs { before_lock: true, traces: true, ..Needs::default() }
    }

    fn plan(&mut self, seen: &[Seen<'_>], traces: &[Traces]) -> Result<Option<AdoptPlan>, Refusal> {
        let hosts: Vec<_> = seen.iter().copied().zip(traces).collect();
        plan::adopt(self.from, &self.fresh, &hosts).map(Some)
    }

    fn release(&self, _plan: &AdoptPlan) -> Option<ReleaseName> {
        None
    }

    fn emit_plan(&self, run: &Run<'r>, plan: &AdoptPlan) {
        run.emit(&Event::Planned { plan: plan.lines() });
    }

    fn needs_no_lock(&self, plan: &AdoptPlan, _seen: &[Seen<'_>]) -> bool {
        plan.is_empty()
    }

    fn act<'a>(&'a mut self, run: &'a Run<'r>, plan: AdoptPlan, locked: Vec<LockedHost<'r>>) -> BoxFuture<'a, Report> {
        Box::pin(async move { run.execute_adoption(&plan, locked).await })
    }
}

impl<'r> Run<'r> {
    /// Executes the planned adoption on every host, and releases the locks.
    ///
    /// There is no undo. Records already written are true and stay; the next `adopt` continues from there, after a
    /// failure, a kill or a lost answer alike.
    async fn execute_adoption(&self, plan: &AdoptPlan, mut locked: Vec<LockedHost<'r>>) -> Report {
        self.enter_phase(Phase::Prepare, locked.len());
        join_all(locked.iter_mut().map(|host| self.adopt_on(host, plan))).await;
        let failed: Vec<(String, Failure)> =
            locked.iter().filter_map(|host| Some((host.name().to_owned(), host.failure.clone()?))).collect();
        let outcome = if failed.is_empty() { Outcome::Done } else { Outcome::Failed };
        let error = (!failed.is_empty()).then(|| Failure {
            hints: vec![Hint::AdoptAgain],
            ..summary("a tree was not adopted, or only in part; every release is still reachable", &failed)
        });
        self.enter_phase(Phase::Finish, locked.len());
        let hosts = join_all(locked.into_iter().map(|host| self.end_adoption(host, plan, outcome))).await;
        let operation = Some(self.owner.operation.clone());
        Report { operation, ..self.report(outcome, None, hosts, error) }
    }

    async fn adopt_on(&self, host: &mut LockedHost<'r>, plan: &AdoptPlan) {
        let Some(HostAdoption { adoption, before, .. }) = plan.host(&host.member.name) else { return };
        if adoption.is_empty() {
            return;
        }
        let result = match host.guard.adoption() {
            Some(guard) => guard.adopt(adoption).await,
            None => Err(StoreError::Unsupported { what: ADOPT }),
        };
        let result = result.map_err(failure);
        if let Err(why) = self.report_phase(&host.member.name, Phase::Prepare, result) {
            host.failure = Some(why);
        } else if adoption.becomes.is_some() {
            let after = host.guard.state().current.clone();
            let activated = Activated { before: before.clone(), after, at: host.guard.state().clock };
            self.emit_switched(&host.member.name, &activated);
            host.state = HostState::Switched(activated);
        }
    }

    async fn end_adoption(&self, mut host: LockedHost<'r>, plan: &AdoptPlan, outcome: Outcome) -> HostReport {
        let adoption = plan.host(host.name()).map(|host| &host.adoption);
        let mut report = untouched(host.name(), host.guard.state());
        report.error = host.failure.take();
        report.outcome = match (&report.error, host.state.switch()) {
            (Some(_), _) => HostOutcome::Failed,
            (None, Some(_)) => HostOutcome::Switched,
            (None, None) => HostOutcome::Unchanged,
        };
        if let Some(switched) = host.state.switch() {
            (report.before, report.switched_at) = (switched.before.release().cloned(), switched.at);
        }
        let acted = adoption.is_some_and(|adoption| !adoption.is_empty());
        let history = acted.then(|| Ended {
            pruned: Vec::new(),
            from: report.before.clone(),
            to: report.after.clone(),
            outcome,
            host: report.outcome,
            unwell: false,
            seconds: self.seconds(),
            phases: self.phase_times(),
        });
        match host.guard.finish(&Finish { history, ..Finish::default() }).await {
            Ok(finished) => report.warnings.extend(finished.failed.into_iter().map(Notice::from)),
            Err(failed) => report.warnings.push(lock_not_released(failed).into()),
        }
        for warning in &report.warnings {
            self.warn(Some(host.member.name()), warning.clone());
        }
        report
    }
}
