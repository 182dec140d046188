//! The conclude phase: writes marks and history, and releases the lock of every host.
//!
//! * Failure: a warning. `current` is where it should be; a mark or a history line may be missing. If a lock is not
//!   released, the next run takes it over.
//! * Kill: the lock stays, perhaps without a mark or a history line. The next run takes it over. The next `rollback`
//!   finishes a killed rollback: it marks the bad release, and goes no further.
//! * Lost answer: as a failure.

use futures_util::future::join_all;

use crate::{
    error::ErrorKind,
    event::Phase,
    hint::Notice,
    name::ReleaseName,
    plan::{Action, HostPlan, Plan},
    report::{Command, HostOutcome, HostReport, Outcome},
    status::BadMark,
    store::{Ended, Finish},
    time::Timestamp,
};

use crate::fleet::{links, locked_host::LockedHost, outcome::HostState, phases::lock::lock_not_released, run::Run};

/// The conclusion of a run.
pub(in crate::fleet) struct Conclusion<'e> {
    /// The outcome on the whole fleet.
    pub(in crate::fleet) outcome: Outcome,
    /// The release to mark bad on every host that has it, because its switch was reverted.
    pub(in crate::fleet) bad_release: Option<&'e ReleaseName>,
    /// The hosts that are on the plan's release.
    pub(in crate::fleet) on_release: Vec<String>,
    /// Whether every host reached its target, healthy or not.
    pub(in crate::fleet) arrived: bool,
    /// Whether work remains, so that the intent is kept for the next run.
    pub(in crate::fleet) unfinished: bool,
    /// The kind of the operation.
    pub(in crate::fleet) kind: OperationKind,
}

/// The kind of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::fleet) enum OperationKind {
    /// New work.
    Own,
    /// Completes or undoes an interrupted run.
    Finishes,
    /// Only creates a removed `current` again.
    Relinks,
}

impl OperationKind {
    pub(in crate::fleet) fn of(plan: &Plan) -> Self {
        match plan.finishes {
            _ if plan.only_relinks() => Self::Relinks,
            true => Self::Finishes,
            false => Self::Own,
        }
    }
}

impl<'r> Run<'r> {
    /// Writes marks and history on every host, releases the locks, and returns the host reports.
    ///
    /// A host whose `current` is unknown keeps its lock and its intent.
    pub(in crate::fleet) async fn finish(
        &self,
        locked: Vec<LockedHost<'r>>,
        conclusion: &Conclusion<'_>,
    ) -> Vec<HostReport> {
        self.enter_phase(Phase::Finish, locked.len());
        join_all(locked.into_iter().map(|host| self.finish_on(host, conclusion))).await
    }

    async fn finish_on(&self, mut host: LockedHost<'r>, conclusion: &Conclusion<'_>) -> HostReport {
        let outcome = outcome_of(&host);
        let writes = self.final_writes(&host, conclusion, outcome);
        let mut report = report_of(&mut host, outcome);
        let mut warnings = host.warnings;
        // The next run reads them and settles the host.
        if outcome != HostOutcome::Unknown {
            match host.guard.finish(&writes).await {
                Ok(finished) => {
                    let failed = finished.failed.into_iter();
                    let failed = failed.map(|why| format!("cannot write a mark or the history ({why})"));
                    let links = finished.links.iter().map(|(name, links)| links::describe_links(name, links));
                    warnings.extend(failed.chain(links));
                    warnings.extend(self.describe_seals(finished.sealed, finished.unsealed));
                }
                Err(failed) => warnings.push(lock_not_released(failed)),
            }
        }
        for warning in &warnings {
            self.warn(Some(&report.host), warning.clone());
        }
        report.warnings.extend(warnings.into_iter().map(Notice::from));
        report
    }

    fn final_writes(&self, host: &LockedHost<'r>, conclusion: &Conclusion<'_>, host_outcome: HostOutcome) -> Finish {
        let plan = host.plan.as_ref();
        let done = conclusion.arrived;
        let left = plan.and_then(|plan| plan.marks_bad.as_ref()).filter(|_| done);
        // Not marked on a host where it was current before: a failed attempt on other hosts says nothing about this
        // one.
        let was_on_it = |name: &ReleaseName| {
            plan.is_some_and(|plan| plan.before.release() == Some(name) || plan.action == Action::Relink)
        };
        let has = |name: &&ReleaseName| {
            !was_on_it(name) && (host.guard.state().release(name).is_some() || host.log.preparation().is_some())
        };
        let bad = left.or_else(|| conclusion.bad_release.filter(has)).map(|name| (name.clone(), self.mark(host)));
        let cleared = plan.filter(|plan| done && plan.clears_mark).map(|plan| plan.release.clone());
        // An attempt that was undone before the switch is in the history too.
        let tried = matches!(conclusion.outcome, Outcome::Failed | Outcome::Interrupted | Outcome::Inconsistent);
        let acted = tried
            || host.state.switch().is_some()
            || host.log.preparation().is_some()
            || bad.is_some()
            || conclusion.kind == OperationKind::Finishes;
        let history = acted.then(|| Ended {
            from: plan.and_then(|plan| plan.before.named()).cloned(),
            to: plan.and_then(HostPlan::arrives_on).cloned(),
            pruned: host.pruned.clone(),
            outcome: conclusion.outcome,
            host: host_outcome,
            unwell: matches!(host.state, HostState::Unwell(_)),
            seconds: self.seconds(),
            phases: self.phase_times(),
        });
        let debts = plan
            .filter(|_| done && conclusion.kind != OperationKind::Relinks)
            .map(|plan| self.debts(&plan.release))
            .unwrap_or_default();
        let settled = done || conclusion.outcome == Outcome::Unchanged;
        let caught_up = if settled { caught_up(host, &conclusion.on_release) } else { Vec::new() };
        Finish {
            bad,
            cleared,
            history,
            debts,
            paid: caught_up,
            // A stage does not settle an interrupted run: its hook and its validation are still open.
            settles: done && !conclusion.unfinished && self.command() != Command::Stage,
            unfinished: conclusion.unfinished,
            links_of: links::links_of(
                plan.and_then(|plan| plan.before.release()),
                host.guard.state().current.release(),
            ),
            ..Finish::default()
        }
    }

    /// Describes releases sealed again because commands changed them; successes only if this is a recovery.
    pub(in crate::fleet) fn describe_seals(&self, sealed: Vec<ReleaseName>, failed: Vec<String>) -> Vec<String> {
        let recovers = self.command() == Command::Recover;
        let sealed = sealed.into_iter().filter(|_| recovers);
        let sealed = sealed.map(|name| format!("sealed what commands of an interrupted run changed in {name}"));
        sealed.chain(failed).collect()
    }

    fn mark(&self, host: &LockedHost<'r>) -> BadMark {
        let state = host.guard.state();
        BadMark {
            number: state.last_mark() + 1,
            at: state.clock.unwrap_or_else(Timestamp::now),
            by: self.owner.by.clone(),
            reason: self.owner.reason.clone(),
        }
    }
}

/// Returns the pending hosts that are now on the plan's release.
fn caught_up(host: &LockedHost<'_>, arrived: &[String]) -> Vec<String> {
    let owing = host.guard.state().debts.iter().map(|debt| &debt.host);
    owing.filter(|host| arrived.contains(host)).cloned().collect()
}

fn outcome_of(host: &LockedHost<'_>) -> HostOutcome {
    match host.state {
        HostState::Unknown(_) => HostOutcome::Unknown,
        HostState::Reverted(_) | HostState::Unwell(_) => HostOutcome::Reverted,
        HostState::Strayed(_) => HostOutcome::Failed,
        // A requested stop is the failure of no host.
        _ if host.failure.as_ref().is_some_and(|why| why.kind != ErrorKind::Interrupted) => HostOutcome::Failed,
        HostState::Switched(_) => HostOutcome::Switched,
        HostState::Untouched => HostOutcome::Unchanged,
    }
}

fn report_of(host: &mut LockedHost<'_>, outcome: HostOutcome) -> HostReport {
    // A requested stop is the failure of no host, and the error of the run says it.
    host.failure.take_if(|why| why.kind == ErrorKind::Interrupted);
    let mut report = HostReport::new(host.name(), outcome);
    report.before = host.plan.as_ref().and_then(|plan| plan.before.release()).cloned();
    report.after = (outcome != HostOutcome::Unknown).then(|| host.guard.state().current.release().cloned()).flatten();
    report.switched_at = host.state.switch().and_then(|switched| switched.at);
    report.error = host.failure.take();
    report.warnings = host.reported.drain(..).map(Notice::from).collect();
    report.pruned = std::mem::take(&mut host.pruned);
    report
}
