//! `recover`: finish or undo what an interrupted run left.

use crate::{
    plan::{self, Seen},
    report::Report,
};

use super::{RecoverOptions, run::Run};

/// Settles what was left, if anything was. Asks first: where nothing was left, nothing is locked.
pub(super) async fn recover(run: Run<'_>, options: &RecoverOptions) -> Report {
    run.begin(None);
    let asked = run.ask().await;
    if let Some(report) = run.not_asked(&asked) {
        return report;
    }
    let seen = asked.seen();
    let owes = |host: &str| seen.iter().any(|seen| seen.state.debts.iter().any(|debt| debt.host == host));
    // A lock that somebody may hold is no trace of a run that is over, and not nothing either: taking it says so.
    let is_idle = |seen: &Seen<'_>| seen.state.interrupted.is_empty() && seen.state.lock.is_none();
    if seen.iter().all(|seen| is_idle(seen) && !owes(seen.host)) {
        return run.nothing_to_do(&seen);
    }
    let place = run.options.data_place();
    let means = run.data_means(options.keep_data, place.as_ref());
    run.under_locks(&|seen: &[Seen<'_>]| plan::recover(options.direction, means, seen)).await
}
