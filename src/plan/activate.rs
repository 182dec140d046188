//! The plan of `activate`.

use crate::{name::ReleaseName, report::Command, store::Kept};

use super::{
    Action, DataMeans, HostPlan, HostRefusal, Plan, Reason, Refusal, Seen, data,
    deploy::{agree, interrupted, may_switch, new_hosts, record_of},
};

/// Plans a switch to the release `name`, which every host has, with the data migration before it if `means`
/// knows a place.
///
/// Hosts that are already on the release stay; if all are, the data stays too. A removed `current` that last led to the
/// release is only linked again.
///
/// # Errors
///
/// [`Refusal`] when a host lacks the release, when the release is current on a host and the run that went to it was
/// interrupted, when it is in the chain of a host and not bad, when a `current` was not made by this tool, dangles or
/// was removed, or, unless `allow_split`, when the hosts that would move are on different releases.
pub(crate) fn activate(
    name: &ReleaseName,
    hosts: &[Seen<'_>],
    allow_split: bool,
    means: DataMeans<'_>,
) -> Result<Plan, Refusal> {
    let left = hosts.iter().any(|seen| seen.current() == Some(name)).then(|| interrupted(name, hosts)).flatten();
    let refuses = |seen: &Seen<'_>| match &left {
        Some(left) if seen.current() == Some(name) => Some(seen.refuse(left.clone())),
        _ => may_go(seen, name).err(),
    };
    let refusals: Vec<HostRefusal> = hosts.iter().filter_map(refuses).collect();
    if !refusals.is_empty() {
        return Err(Refusal::of(Command::Activate, refusals));
    }
    let moving = hosts.iter().copied().filter(|seen| seen.current() != Some(name) && !seen.owes(hosts));
    agree(Command::Activate, moving, allow_split)?;
    let mut plan = Plan::new(Command::Activate, name.clone(), hosts.iter().map(|seen| plan_of(seen, name)).collect());
    plan.notes.extend(new_hosts(hosts));
    if plan.hosts.iter().any(|host| matches!(host.action, Action::Activate { .. })) {
        plan.data = data::apply(Command::Activate, name, means, hosts)?;
    }
    Ok(plan)
}

fn may_go(seen: &Seen<'_>, name: &ReleaseName) -> Result<(), HostRefusal> {
    if seen.state.was_last(name) {
        return seen.ours();
    }
    may_switch(seen)?;
    let Some(release) = seen.state.release(name) else {
        return Err(seen.refuse(Reason::NoSuchRelease { name: name.clone(), instead: seen.state.stranger(name) }));
    };
    let back = !matches!(release.bad, Kept::Record(_)) && seen.chain().is_some_and(|chain| chain.holds(name));
    if back { Err(seen.refuse(Reason::OnTheWayBack { name: name.clone() })) } else { Ok(()) }
}

fn plan_of(seen: &Seen<'_>, name: &ReleaseName) -> HostPlan {
    let action = match seen.current() {
        Some(current) if current == name => Action::Stay,
        // The release was already current: its record stays.
        None if seen.state.was_last(name) => Action::Relink,
        _ => Action::Activate { record: record_of(&seen.state.current) },
    };
    let clears_mark = seen.state.release(name).is_some_and(|release| release.bad.exists());
    HostPlan { clears_mark, ..HostPlan::new(seen, name, action) }
}
