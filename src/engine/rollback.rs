//! `rollback`: go back to what the records say was current before.

use crate::{
    plan::{self, Seen},
    report::Report,
};

use super::{RollbackOptions, run::Run};

/// Goes back on every host.
pub(super) async fn rollback(run: Run<'_>, options: &RollbackOptions) -> Report {
    run.begin(None);
    run.under_locks(&|seen: &[Seen<'_>]| plan::rollback(&options.target, options.from.as_ref(), seen).map(Some)).await
}
