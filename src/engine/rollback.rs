//! `rollback`: go back to what the records say was current before.

use crate::{
    plan::{self, DataMeans, RevertBy, Seen},
    report::Report,
};

use super::{CommandsFrom, RollbackOptions, run::Run};

/// Goes back on every host.
pub(super) async fn rollback(run: Run<'_>, options: &RollbackOptions) -> Report {
    run.begin(None);
    let by = match (&run.options.code.migration, options.commands, &run.options.commands) {
        (Some(_), ..) => RevertBy::Code,
        (None, CommandsFrom::Configuration, Some(commands)) => RevertBy::Commands(commands),
        (None, ..) => RevertBy::Recorded,
    };
    let means = DataMeans::new(options.keep_data, by);
    let plan = |seen: &[Seen<'_>]| plan::rollback(&options.target, options.from.as_ref(), means, seen).map(Some);
    run.under_locks(&plan).await
}
