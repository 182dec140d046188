//! Whether commands may run in a release: they run what its owner put there.

use crate::name::ReleaseName;

use super::{DataPlan, HostRefusal, Plan, Reason, Refusal, Seen};

/// Refuses a plan by which commands would run in a release that belongs to somebody who may not be trusted with it: in the
/// one that a host switches to, where `commands` says that there are any for it, and in those whose data is reverted there.
///
/// # Errors
///
/// [`Refusal`] with [`Reason::ForeignRelease`] for every such host.
pub fn trust(plan: &Plan, commands: bool, hosts: &[Seen<'_>]) -> Result<(), Refusal> {
    let refusals: Vec<HostRefusal> = hosts
        .iter()
        .filter_map(|seen| {
            let target =
                plan.host(seen.host).filter(|host| commands && host.action.switches()).map(|host| &host.release);
            let foreign = target.into_iter().chain(reverted(plan, seen.host)).find_map(|name| foreign(seen, name));
            foreign.map(|(name, owner)| seen.refuse(Reason::ForeignRelease { name: name.clone(), owner }))
        })
        .collect();
    if refusals.is_empty() { Ok(()) } else { Err(Refusal::of(plan.command, refusals)) }
}

fn foreign<'n>(seen: &Seen<'_>, name: &'n ReleaseName) -> Option<(&'n ReleaseName, u32)> {
    Some((name, seen.state.release(name)?.foreign?))
}

/// The releases whose commands revert the data on `host`.
fn reverted<'p>(plan: &'p Plan, host: &'p str) -> impl Iterator<Item = &'p ReleaseName> {
    let steps = if let Some(DataPlan::Revert { steps, .. }) = &plan.data { &steps[..] } else { &[] };
    let here = move |place: &crate::commands::DataPlace| matches!(place, crate::commands::DataPlace::Host(name) if name == host);
    steps.iter().filter(move |step| step.commands.is_some() && here(&step.place)).map(|step| &step.release)
}
