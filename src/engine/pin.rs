//! `pin` and `unpin`: keep a release whatever the retention says, or no longer.

use futures_util::future::join_all;

use crate::{
    event::{Event, Phase},
    name::ReleaseName,
    outcome::{HostOutcome, Outcome},
    plan::{self, Pinning, Refusal, Seen},
    report::{HostReport, Report},
    status::PinMark,
    store::{Closing, Ended},
    time::Timestamp,
};

use super::{locked_host::LockedHost, observe::untouched, run::Run, take_locks::lock_not_released};

/// Pins `name` on every host, or removes its pin.
pub(super) async fn pin(run: Run<'_>, name: &ReleaseName, pins: bool) -> Report {
    run.emit_started(Some(name));
    let observed = run.observe().await;
    if let Some(report) = run.refuse_unfit_hosts(&observed) {
        return report;
    }
    let seen = observed.seen();
    let planned = match planned(name, &seen, pins) {
        Ok(planned) => planned,
        Err(refusal) => return run.refused(refusal, &seen),
    };
    run.emit(&Event::Planned { plan: planned.lines() });
    let hosts: Vec<HostReport> = seen.iter().map(|seen| untouched(seen.host, seen.state)).collect();
    if run.options.dry_run {
        if let Some(report) = run.refuse_unwritable_hosts(&observed, None).await {
            return report;
        }
        return Report { dry_run: true, ..run.report(Outcome::Unchanged, Some(name), hosts, None) };
    }
    if planned.hosts.is_empty() {
        return run.report(Outcome::Unchanged, Some(name), hosts, None);
    }
    let mut locked = match run.take_locks().await {
        Ok(locked) => locked,
        Err(report) => return report,
    };
    // The plan was made without the lock, and the release may have been pruned since. Whether it is pinned is not read
    // again.
    let gone = |host: &&LockedHost<'_>| pins && host.guard.state().release(name).is_none();
    if locked.iter().any(|host| gone(&host)) {
        let seen: Vec<Seen<'_>> = locked.iter().map(LockedHost::seen).collect();
        let refusal = plan::pin(name, &seen).expect_err("a host does not have it");
        let report = run.refused(refusal, &seen);
        run.release_locks(&mut locked).await;
        return report;
    }
    run.write_pins(&planned, locked).await
}

fn planned(name: &ReleaseName, seen: &[Seen<'_>], pins: bool) -> Result<Pinning, Refusal> {
    if pins { plan::pin(name, seen) } else { plan::unpin(name, seen) }
}

impl<'r> Run<'r> {
    /// Writes or removes the marks, and releases the locks.
    ///
    /// There is no undo: after a failure, a kill or a lost answer, the command can be repeated.
    async fn write_pins(&self, pinning: &Pinning, mut locked: Vec<LockedHost<'r>>) -> Report {
        self.enter_phase(Phase::Finish, locked.len());
        let hosts = join_all(locked.iter_mut().map(|host| self.pin_on(pinning, host))).await;
        let failed: Vec<_> =
            hosts.iter().filter_map(|host: &HostReport| Some((host.host.clone(), host.error.clone()?))).collect();
        let what = "a pin could not be written everywhere; every `current` is where it was";
        let error = (!failed.is_empty()).then(|| super::run::summary(what, &failed));
        let outcome = if error.is_some() { Outcome::Failed } else { Outcome::Done };
        let operation = Some(self.owner.operation.clone());
        Report { operation, ..self.report(outcome, Some(&pinning.release), hosts, error) }
    }

    async fn pin_on(&self, pinning: &Pinning, host: &mut LockedHost<'r>) -> HostReport {
        let state = host.guard.state();
        let mut report = untouched(host.member.name(), state);
        let (by, reason) = (self.owner.by.clone(), self.owner.reason.clone());
        let mark = PinMark { at: state.clock.unwrap_or_else(Timestamp::now), by, reason };
        let mut closing = Closing::default();
        if pinning.hosts.iter().any(|name| name == host.name()) {
            closing.pinned = pinning.pins.then(|| (pinning.release.clone(), mark));
            closing.unpinned = (!pinning.pins).then(|| pinning.release.clone());
            closing.history = Some(Ended {
                from: report.before.clone(),
                to: Some(pinning.release.clone()),
                pruned: Vec::new(),
                outcome: Outcome::Done,
                host: HostOutcome::Unchanged,
                seconds: self.seconds(),
            });
        }
        match host.guard.finish(&closing).await {
            Ok(closed) if closed.failed.is_empty() => {}
            Ok(closed) => {
                let error = crate::Error::new(crate::ErrorKind::HostFailed, closed.failed.join("; "));
                report.outcome = HostOutcome::Failed;
                report.error = Some(error.into());
            }
            Err(error) => report.warnings.push(lock_not_released(error)),
        }
        report
    }
}
