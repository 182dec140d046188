//! `pin` and `unpin`: keep a release whatever the retention says, or no longer.

use futures_util::future::join_all;

use crate::{
    adoption::Traces,
    event::{Event, Phase},
    future::BoxFuture,
    name::ReleaseName,
    outcome::{HostOutcome, Outcome},
    plan::{self, Pinning, Refusal, Seen},
    report::{HostReport, Report},
    status::PinMark,
    store::{Ended, Finish},
    time::Timestamp,
};

use crate::fleet::{
    locked_host::LockedHost,
    observe::{failure, untouched},
    phases::lock::lock_not_released,
    run::{Run, summary},
    with_locks::{Needs, Operation, Survey},
};

/// Pins `name` on every host, or removes its pin.
pub(in crate::fleet) async fn pin(run: Run<'_>, name: &ReleaseName, pins: bool) -> Report {
    run.emit_started(Some(name));
    run.with_locks(None, &mut Pin { name, pins }).await
}

/// The writing or the removal of a pin.
struct Pin<'n> {
    name: &'n ReleaseName,
    pins: bool,
}

impl<'r> Operation<'r> for Pin<'_> {
    type Plan = Pinning;

    fn needs(&self) -> Needs {
        Needs { before_lock: true, survey: Survey::Release(self.name.clone()), ..Needs::default() }
    }

    fn plan(&mut self, seen: &[Seen<'_>], _traces: &[Traces]) -> Result<Option<Pinning>, Refusal> {
        if self.pins { plan::pin(self.name, seen) } else { plan::unpin(self.name, seen) }.map(Some)
    }

    fn release(&self, _plan: &Pinning) -> Option<ReleaseName> {
        Some(self.name.clone())
    }

    fn emit_plan(&self, run: &Run<'r>, plan: &Pinning) {
        run.emit(&Event::Planned { plan: plan.lines() });
    }

    fn needs_no_lock(&self, plan: &Pinning, _seen: &[Seen<'_>]) -> bool {
        plan.hosts.is_empty()
    }

    fn act<'a>(&'a mut self, run: &'a Run<'r>, plan: Pinning, locked: Vec<LockedHost<'r>>) -> BoxFuture<'a, Report> {
        Box::pin(async move { run.write_pins(&plan, locked).await })
    }
}

impl<'r> Run<'r> {
    /// Writes or removes the marks, and releases the locks.
    ///
    /// There is no undo: after a failure, a kill or a lost answer, the command can be repeated.
    async fn write_pins(&self, pinning: &Pinning, locked: Vec<LockedHost<'r>>) -> Report {
        self.enter_phase(Phase::Finish, locked.len());
        let hosts = join_all(locked.into_iter().map(|host| self.pin_on(pinning, host))).await;
        let failed: Vec<_> =
            hosts.iter().filter_map(|host: &HostReport| Some((host.host.clone(), host.error.clone()?))).collect();
        let what = "a pin could not be written everywhere; every `current` is where it was";
        let error = (!failed.is_empty()).then(|| summary(what, &failed));
        let outcome = match &error {
            Some(_) => Outcome::Failed,
            // Somebody else was faster.
            None if pinning.hosts.is_empty() => Outcome::Unchanged,
            None => Outcome::Done,
        };
        let operation = Some(self.owner.operation.clone());
        Report { operation, ..self.report(outcome, Some(&pinning.release), hosts, error) }
    }

    async fn pin_on(&self, pinning: &Pinning, host: LockedHost<'r>) -> HostReport {
        let state = host.guard.state();
        let mut report = untouched(host.member.name(), state);
        let (by, reason) = (self.owner.by.clone(), self.owner.reason.clone());
        let mark = PinMark { at: state.clock.unwrap_or_else(Timestamp::now), by, reason };
        let mut writes = Finish::default();
        if pinning.hosts.iter().any(|name| name == host.name()) {
            writes.pinned = pinning.pins.then(|| (pinning.release.clone(), mark));
            writes.unpinned = (!pinning.pins).then(|| pinning.release.clone());
            writes.history = Some(Ended {
                from: report.before.clone(),
                to: Some(pinning.release.clone()),
                pruned: Vec::new(),
                outcome: Outcome::Done,
                host: HostOutcome::Unchanged,
                unwell: false,
                seconds: self.seconds(),
                phases: self.phase_times(),
            });
        }
        let writes_mark = writes.history.is_some();
        match host.guard.finish(&writes).await {
            Ok(finished) if finished.failed.is_empty() => {}
            Ok(finished) => {
                let error = crate::Error::new(crate::ErrorKind::HostFailed, finished.failed.join("; "));
                report.outcome = HostOutcome::Failed;
                report.error = Some(error.into());
            }
            // The mark is written in the exchange that releases the lock.
            Err(failed) if writes_mark => {
                report.outcome = HostOutcome::Failed;
                report.error = Some(failure(failed.error));
            }
            Err(failed) => report.warnings.push(lock_not_released(failed).into()),
        }
        report
    }
}
