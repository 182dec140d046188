//! `unlock`: shows the lock holders, and removes their locks.

use futures_util::{StreamExt, stream};

use crate::{
    error::{Error, ErrorKind},
    event::{Event, Phase},
    hint::Hint,
    lock::LockHolder,
    outcome::{HostOutcome, Outcome},
    report::{Failure, HostReport, Report},
    store::{Finish, RootState},
    transport::Liveness,
};

use crate::fleet::{
    Host,
    observe::{failed_host, failure, untouched},
    run::{Run, summary},
};

/// Removes every lock whose holder is dead; with `force`, every lock. Keeps the holder's leftovers for
/// `recover`.
pub(in crate::fleet) async fn unlock(run: Run<'_>, force: bool) -> Report {
    run.emit_started(None);
    let observed = run.observe().await;
    if let Some(report) = run.refuse_unobserved(&observed) {
        return report;
    }
    if run.options.dry_run
        && let Some(report) = run.refuse_closed_hosts(&observed, None).await
    {
        return report;
    }
    let states = observed.states.iter().filter_map(|(host, answer)| Some((*host, answer.as_ref().ok()?)));
    let unlocking = states.map(|(host, state)| unlock_on(&run, host, state, force));
    let hosts: Vec<HostReport> =
        stream::iter(unlocking.collect::<Vec<_>>()).buffer_unordered(run.parallel).collect().await;
    conclude(&run, hosts)
}

async fn unlock_on(run: &Run<'_>, host: &Host, state: &RootState, force: bool) -> HostReport {
    let mut report = untouched(&host.name, state);
    let Some(holder) = &state.lock else { return report };
    if holder.holder != Liveness::Gone && !force {
        report.outcome = HostOutcome::Refused;
        report.error = Some(held(host, holder));
        return report;
    }
    if run.options.dry_run {
        run.emit(&Event::Planned { plan: vec![format!("{}: remove the lock of {}", host.name, holder.describe())] });
        return report;
    }
    match steal_lock(run, host, holder).await {
        Ok(()) => {
            run.warn(Some(&host.name), format!("removed the lock of {}", holder.describe()));
            report
        }
        Err(why) => failed_host(&host.name, why),
    }
}

/// Takes the lock over and releases it at once. No request of its holder can take effect afterwards.
async fn steal_lock(run: &Run<'_>, host: &Host, holder: &LockHolder) -> Result<(), Failure> {
    let Some(token) = &holder.token else { return Err(hidden(host)) };
    let stolen = host.store.steal(&run.owner, token).await.map_err(failure);
    let guard = run.report_phase(&host.name, Phase::Lock, stolen)?;
    guard.finish(&Finish::default()).await.map(drop).map_err(|failed| failure(failed.error))
}

fn held(host: &Host, holder: &LockHolder) -> Failure {
    let message = format!("{} is locked by {}", host.name, holder.describe());
    Error::new(ErrorKind::Locked, message).hint(Hint::UnlockForce).into()
}

/// Returns the failure for a lock in a directory that this user cannot read.
fn hidden(host: &Host) -> Failure {
    let what = format!("cannot read the lock on {}: only its owner can remove it", host.name);
    Error::new(ErrorKind::Locked, what).hint(Hint::UnreadableFile).hint("connect as its owner").into()
}

fn conclude(run: &Run<'_>, hosts: Vec<HostReport>) -> Report {
    let failed: Vec<(String, Failure)> =
        hosts.iter().filter_map(|host| Some((host.host.clone(), host.error.clone()?))).collect();
    if failed.is_empty() && run.options.dry_run {
        return Report { dry_run: true, ..run.report(Outcome::Unchanged, None, hosts, None) };
    }
    if failed.is_empty() {
        return run.report(Outcome::Done, None, hosts, None);
    }
    let error = summary("a lock was not removed; no `current` was changed", &failed);
    run.report(Outcome::Refused, None, hosts, Some(error))
}
