//! `recover`: completes or undoes an interrupted run.

use crate::{
    debt::Debt,
    error::{Error, ErrorKind},
    hint::Hint,
    plan::{self, Seen},
    report::{Command, Outcome, Report},
};

use crate::fleet::{RecoverOptions, operations::mover::Mover, run::Run};

/// Settles an interrupted run, creates a removed `current` again, and names the hosts that missed a
/// release.
///
/// Locks nothing if there is nothing to do.
pub(in crate::fleet) async fn recover(mut run: Run<'_>, options: &RecoverOptions) -> Report {
    run.keep_data = options.keep_data;
    run.emit_started(None);
    let observed = run.observe().await;
    if let Some(report) = run.refuse_unobserved(&observed) {
        return report;
    }
    let seen = observed.seen();
    if is_idle(&seen) {
        return with_missed(run.nothing_to_do(None, &seen), &seen);
    }
    let place = run.options.data_place();
    let means = run.data_means(options.keep_data, place.as_ref());
    let plan = |seen: &[Seen<'_>]| plan::recover(options.direction, means, seen);
    let mut recover = Mover { planner: &plan, commands: run.command_means(), quick_check: None };
    with_missed(run.with_locks(Some(&observed), &mut recover).await, &seen)
}

/// Returns `true` if no host has anything to settle.
fn is_idle(hosts: &[Seen<'_>]) -> bool {
    let caught_up = hosts.iter().any(|seen| seen.state.debts.iter().any(|debt| has_caught_up(debt, seen, hosts)));
    // A lock may be held by a live run. It is no leftover then, but no reason to stop either: taking it decides.
    let is_sealed = |seen: &Seen<'_>| seen.state.releases.iter().all(|release| !release.touched.exists());
    // A first deploy interrupted in its upload made only some of the roots, and the others have nothing to lock. The
    // next deploy removes that upload.
    let lacks_root = hosts.iter().any(|seen| seen.state.identity.is_none());
    let is_idle = |seen: &Seen<'_>| {
        let mut left = seen.state.interrupted.iter();
        let is_over = left.all(|left| lacks_root && left.is_upload());
        let is_over = is_over && !seen.state.journal.exists() && seen.state.lock.is_none();
        is_over && !seen.state.lost_current() && is_sealed(seen)
    };
    hosts.iter().all(is_idle) && !caught_up
}

/// Whether a pending host is on the release that it missed, or on the same one as the host that remembers
/// it.
pub(in crate::fleet) fn has_caught_up(debt: &Debt, keeper: &Seen<'_>, hosts: &[Seen<'_>]) -> bool {
    let on = |seen: &Seen<'_>| seen.state.current.release().cloned();
    let current = hosts.iter().find(|seen| seen.host == debt.host).and_then(on);
    current.is_some() && (current.as_ref() == Some(&debt.release) || current == on(keeper))
}

/// Adds to the report the hosts that still miss a release, each with the command for it.
///
/// What one host remembers about another is shown and never acted on.
fn with_missed(mut report: Report, hosts: &[Seen<'_>]) -> Report {
    if !matches!(report.outcome, Outcome::Done | Outcome::Unchanged) {
        return report;
    }
    let after = |host: &str| report.hosts.iter().find(|report| report.host == host).map(|report| report.after.clone());
    let mut missed: Vec<(String, Hint)> = Vec::new();
    for keeper in hosts {
        for debt in &keeper.state.debts {
            let (Some(owing), Some(seen)) = (after(&debt.host), hosts.iter().find(|seen| seen.host == debt.host))
            else {
                continue;
            };
            if owing.as_ref() == Some(&debt.release) || (owing.is_some() && Some(&owing) == after(keeper.host).as_ref())
            {
                continue;
            }
            let release = &debt.release;
            let next = match debt.command {
                Command::Rollback => Hint::RollbackTo(release.clone()),
                _ if seen.state.release(release).is_some() => Hint::Activate(release.clone()),
                _ => Hint::DeployAs(release.clone()),
            };
            let what = debt.describe();
            if !missed.iter().any(|(known, _)| *known == what) {
                missed.push((what, next));
            }
        }
    }
    if let Some((_, next)) = missed.first().cloned() {
        let what: Vec<String> = missed.into_iter().map(|(what, _)| what).collect();
        report.outcome = Outcome::Inconsistent;
        report.error = Some(Error::new(ErrorKind::HostsDiffer, what.join("; ")).hint(next).into());
    }
    report
}
