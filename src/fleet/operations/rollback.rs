//! `rollback`: goes to the release that was current before, according to the records.

use crate::{
    data::DataIntent,
    name::ReleaseName,
    plan::{self, Seen},
    report::Report,
    store::QuickCheck,
    target::RollbackTarget,
    target_check::TargetCheck,
};

use crate::fleet::{RollbackOptions, operations::mover::Mover, run::Run};

/// Rolls every host back. Refuses hosts on neither `from` nor the target, if both are given.
pub(in crate::fleet) async fn rollback(
    mut run: Run<'_>,
    options: &RollbackOptions,
    from: Option<&ReleaseName>,
) -> Report {
    run.verify = options.verify.unwrap_or_default();
    run.keep_data = options.keep_data;
    run.owner.data = match &options.data_to {
        _ if options.keep_data => Some(DataIntent::Keep),
        to => to.clone().map(DataIntent::To),
    };
    run.emit_started(None);
    let place = run.options.data_place();
    let means = run.data_means(options.keep_data, place.as_ref()).to(options.data_to.as_ref());
    let plan = |seen: &[Seen<'_>]| {
        if let RollbackTarget::Release(name) = &options.target {
            plan::expect_from(name, from, seen)?;
        }
        plan::rollback(&options.target, options.from.as_ref(), means, seen).map(Some)
    };
    let mut rollback = Mover { planner: &plan, commands: run.command_means(), quick_check: check_of(options) };
    run.with_locks(None, &mut rollback).await
}

/// Returns the check to make while taking the locks; only possible if the target is known by name or to the
/// host itself.
fn check_of(options: &RollbackOptions) -> Option<QuickCheck> {
    match (options.verify.unwrap_or_default(), &options.target) {
        (TargetCheck::Quick, RollbackTarget::Release(name)) => Some(QuickCheck::Release(name.clone())),
        (TargetCheck::Quick, RollbackTarget::Steps(1)) => Some(QuickCheck::Previous),
        _ => None,
    }
}
