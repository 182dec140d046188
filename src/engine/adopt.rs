//! `adopt`: takes over trees that other tools made.

use futures_util::{StreamExt, future::join_all, stream};

use crate::{
    adoption::{Tool, Traces},
    event::{Event, Phase},
    name::ReleaseName,
    plan::{self, AdoptPlan, HostAdoption, Seen},
    report::{Failure, HostOutcome, HostReport, Outcome, Report},
    store::{Activated, Closing, Ended},
    time::Timestamp,
    token::Token,
};

use super::{
    Host,
    locked_host::LockedHost,
    observe::{failed_host, failure, untouched},
    outcome::HostState,
    run::{Run, summary},
    take_locks::lock_not_released,
};

/// Adopts the tree of every host.
pub(super) async fn adopt(run: Run<'_>, from: Option<Tool>) -> Report {
    run.emit_started(None);
    let observed = run.observe().await;
    if let Some(report) = run.refuse_unfit_hosts(&observed) {
        return report;
    }
    let fresh = ReleaseName::made_at(Timestamp::now(), &Token::random());
    let traces = match run.traces(run.hosts.iter()).await {
        Ok(traces) => traces,
        Err(report) => return report,
    };
    let seen = observed.seen();
    let plan = match plan::adopt(from, &fresh, &zipped(&seen, &traces)) {
        Ok(plan) => plan,
        Err(refusal) => return run.refused(refusal, &seen),
    };
    run.emit(&Event::Planned { plan: plan.lines() });
    if let Some(report) = run.refuse_unwritable_hosts(&observed, None).await {
        return report;
    }
    if plan.is_empty() || run.options.dry_run {
        return Report { dry_run: run.options.dry_run, ..run.nothing_to_do(&seen) };
    }
    let mut locked = match run.take_locks().await {
        Ok(locked) => locked,
        Err(report) => return report,
    };
    adopt_locked(&run, from, &fresh, &mut locked).await
}

/// Plans again on the state read under the locks, and executes that plan.
async fn adopt_locked<'r>(
    run: &Run<'r>,
    from: Option<Tool>,
    fresh: &ReleaseName,
    locked: &mut [LockedHost<'r>],
) -> Report {
    let traces = match run.traces(locked.iter().map(|host| host.member)).await {
        Ok(traces) => traces,
        Err(report) => {
            run.release_locks(locked).await;
            return report;
        }
    };
    let seen: Vec<Seen<'_>> = locked.iter().map(LockedHost::seen).collect();
    match plan::adopt(from, fresh, &zipped(&seen, &traces)) {
        Ok(plan) => run.execute_adoption(&plan, locked).await,
        Err(refusal) => {
            let report = run.refused(refusal, &seen);
            run.release_locks(locked).await;
            report
        }
    }
}

fn zipped<'s>(seen: &[Seen<'s>], traces: &'s [Traces]) -> Vec<(Seen<'s>, &'s Traces)> {
    seen.iter().copied().zip(traces).collect()
}

impl<'r> Run<'r> {
    /// Reads the traces that other tools left on these hosts.
    async fn traces(&self, hosts: impl Iterator<Item = &'r Host>) -> Result<Vec<Traces>, Report> {
        let hosts: Vec<&Host> = hosts.collect();
        let reads: Vec<_> = hosts.iter().map(|host| host.store.traces()).collect();
        let answers: Vec<_> = stream::iter(reads).buffered(self.parallel).collect().await;
        let (mut traces, mut failed) = (Vec::new(), Vec::new());
        for (host, answer) in hosts.iter().zip(answers) {
            match answer {
                Ok(found) => traces.push(found),
                Err(error) => failed.push((host.name.clone(), failure(error))),
            }
        }
        if failed.is_empty() {
            return Ok(traces);
        }
        let error = summary("a host could not be asked, and nothing was touched", &failed);
        let report = |host: &&Host| match failed.iter().find(|(name, _)| *name == host.name) {
            Some((_, why)) => failed_host(&host.name, why.clone()),
            None => HostReport::new(&host.name, HostOutcome::Unchanged),
        };
        Err(self.report(Outcome::Refused, None, hosts.iter().map(report).collect(), Some(error)))
    }

    /// Executes the planned adoption on every host, and releases the locks.
    ///
    /// There is no undo. Records already written are true and stay; the next `adopt` continues from there, after a
    /// failure, a kill or a lost answer alike.
    async fn execute_adoption(&self, plan: &AdoptPlan, locked: &mut [LockedHost<'r>]) -> Report {
        self.enter_phase(Phase::Prepare, locked.len());
        join_all(locked.iter_mut().map(|host| self.adopt_on(host, plan))).await;
        let failed: Vec<(String, Failure)> =
            locked.iter().filter_map(|host| Some((host.name().to_owned(), host.failure.clone()?))).collect();
        let outcome = if failed.is_empty() { Outcome::Done } else { Outcome::Failed };
        let error = (!failed.is_empty()).then(|| Failure {
            hint: Some("see why, then run `switchback adopt` again: it goes on from where it is".to_owned()),
            ..summary("a tree was not taken over, or only in part; every release is where it can be reached", &failed)
        });
        self.enter_phase(Phase::Finish, locked.len());
        let hosts = join_all(locked.iter_mut().map(|host| self.end_adoption(host, plan, outcome))).await;
        let operation = Some(self.owner.operation.clone());
        Report { operation, ..self.report(outcome, None, hosts, error) }
    }

    async fn adopt_on(&self, host: &mut LockedHost<'r>, plan: &AdoptPlan) {
        let Some(HostAdoption { adoption, before, .. }) = plan.host(&host.member.name) else { return };
        if adoption.is_empty() {
            return;
        }
        let result = host.guard.adopt(adoption).await.map_err(failure);
        if let Err(why) = self.report_phase(&host.member.name, Phase::Prepare, result) {
            host.failure = Some(why);
        } else if adoption.becomes.is_some() {
            let after = host.guard.state().current.clone();
            let activated = Activated { before: before.clone(), after, at: host.guard.state().clock };
            self.emit_switched(&host.member.name, &activated);
            host.state = HostState::Switched(activated);
        }
    }

    async fn end_adoption(&self, host: &mut LockedHost<'r>, plan: &AdoptPlan, outcome: Outcome) -> HostReport {
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
            seconds: self.seconds(),
        });
        let closing = Closing { history, settles: false, ..Closing::default() };
        match host.guard.finish(&closing).await {
            Ok(closed) => report.warnings.extend(closed.failed),
            Err(error) => report.warnings.push(lock_not_released(error)),
        }
        for warning in &report.warnings {
            self.warn(Some(host.name()), warning.clone());
        }
        report
    }
}
