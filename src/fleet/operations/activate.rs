//! `activate`: switches to a release that every host has.

use crate::{
    name::ReleaseName,
    plan::{self, Seen},
    report::Report,
    store::QuickCheck,
    target_check::TargetCheck,
};

use crate::fleet::{ActivateOptions, operations::mover::Mover, run::Run};

/// Switches every host to `name`.
pub(in crate::fleet) async fn activate(mut run: Run<'_>, name: &ReleaseName, options: &ActivateOptions) -> Report {
    if let Some(report) = run.refuse_missing_variables(Some(name)) {
        return report;
    }
    run.verify = options.verify.unwrap_or_default();
    run.accept_data = options.accept_data;
    run.emit_started(Some(name));
    let place = run.options.data_place();
    let means = run.data_means(false, place.as_ref());
    let plan = |seen: &[Seen<'_>]| {
        plan::expect_from(name, options.from.as_ref(), seen)?;
        plan::activate(name, seen, options.allow_split, means).map(Some)
    };
    let quick_check = (run.verify == TargetCheck::Quick).then(|| QuickCheck::Release(name.clone()));
    run.with_locks(None, &mut Mover { planner: &plan, commands: run.command_means(), quick_check }).await
}
