//! `activate`: switch to a release that every host has.

use crate::{
    name::ReleaseName,
    plan::{self, Seen},
    report::Report,
};

use super::run::Run;

/// Switches every host to `name`.
pub(super) async fn activate(run: Run<'_>, name: &ReleaseName, allow_split: bool) -> Report {
    if let Some(report) = run.lacks_secrets(name) {
        return report;
    }
    run.begin(Some(name));
    let place = run.options.data_place();
    run.under_locks(&|seen: &[Seen<'_>]| plan::activate(name, seen, allow_split, place.as_ref()).map(Some)).await
}
