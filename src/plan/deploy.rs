//! The plans of `deploy` and `stage`.

use crate::{name::ReleaseName, record::PreviousVersion, report::Command, status::ReleaseState, store::Current};

use super::{Action, DataMeans, HostPlan, HostRefusal, Plan, Reason, Refusal, Seen, data, describe};

/// Plans to bring `name` to the hosts and switch to it, and before that to take it to its data, where these `means` know a place.
///
/// # Errors
///
/// [`Refusal`] when a host has that name, its `current` is not ours, dangling or was removed, or, unless `allow_split`,
/// when the hosts that have a `current` are on different releases.
pub fn deploy(
    name: &ReleaseName,
    hosts: &[Seen<'_>],
    allow_split: bool,
    means: DataMeans<'_>,
) -> Result<Plan, Refusal> {
    let refusals: Vec<HostRefusal> =
        hosts.iter().filter_map(|seen| may_take(seen, name).and_then(|()| may_switch(seen)).err()).collect();
    if !refusals.is_empty() {
        return Err(Refusal::of(Command::Deploy, refusals));
    }
    agree(Command::Deploy, hosts.iter().copied().filter(|seen| !seen.owes(hosts)), allow_split)?;
    let action = |seen: &Seen<'_>| Action::Deploy { record: record_of(&seen.state.current) };
    let plans = hosts.iter().map(|seen| HostPlan::new(seen, name, action(seen)));
    let mut plan = Plan::new(Command::Deploy, name.clone(), plans.collect());
    plan.notes.extend(new_hosts(hosts));
    plan.data = data::apply(Command::Deploy, name, means, hosts)?;
    Ok(plan)
}

/// Plans to bring `name` to the hosts, and nothing more.
///
/// # Errors
///
/// [`Refusal`] when a host has that name.
pub fn stage(name: &ReleaseName, hosts: &[Seen<'_>]) -> Result<Plan, Refusal> {
    let refusals: Vec<HostRefusal> = hosts.iter().filter_map(|seen| may_take(seen, name).err()).collect();
    if !refusals.is_empty() {
        return Err(Refusal::of(Command::Stage, refusals));
    }
    let plans = hosts.iter().map(|seen| HostPlan::new(seen, name, Action::Stage));
    Ok(Plan::new(Command::Stage, name.clone(), plans.collect()))
}

/// What the record of the next release says when `current` is this.
pub(super) fn record_of(current: &Current) -> PreviousVersion {
    current.release().map_or(PreviousVersion::None, |name| PreviousVersion::Release(name.clone()))
}

fn may_take(seen: &Seen<'_>, name: &ReleaseName) -> Result<(), HostRefusal> {
    let taken = seen.state.release(name).is_some() || seen.state.stranger(name).is_some();
    if taken {
        return Err(seen.refuse(Reason::NameTaken { name: name.clone() }));
    }
    let unreadable = seen.state.pruned.unreadable();
    let refuse = |why: &str| seen.refuse(Reason::PrunedUnreadable { name: name.clone(), why: why.to_owned() });
    unreadable.map_or(Ok(()), |why| Err(refuse(why)))
}

/// Refuses a `current` that a new release could not be put in the place of with a record that says the truth.
pub(super) fn may_switch(seen: &Seen<'_>) -> Result<(), HostRefusal> {
    seen.ours()?;
    match &seen.state.current {
        Current::Dangling { .. } => Err(seen.refuse(Reason::Dangling)),
        Current::Absent
            if seen.state.releases.iter().any(|release| seen.state.state_of(release) == ReleaseState::Good) =>
        {
            Err(seen.refuse(Reason::NoCurrent))
        }
        _ => Ok(()),
    }
}

/// Refuses hosts that are on different releases; a host without any is new.
pub(super) fn agree<'s>(
    command: Command,
    hosts: impl Iterator<Item = Seen<'s>>,
    allow_split: bool,
) -> Result<(), Refusal> {
    let on: Vec<(Seen<'_>, &ReleaseName)> = hosts.filter_map(|seen| Some((seen, seen.current()?))).collect();
    let agreed = on.windows(2).all(|pair| pair[0].1 == pair[1].1);
    if agreed || allow_split {
        return Ok(());
    }
    let row = |(seen, _): &(Seen<'_>, &ReleaseName)| {
        (seen.host.to_owned(), describe(&seen.state.current), "to be replaced".to_owned())
    };
    let refusals = on.iter().map(|(seen, _)| seen.refuse(Reason::HostsDiffer)).collect();
    Err(Refusal { table: on.iter().map(row).collect(), ..Refusal::of(command, refusals) })
}

/// The note that some hosts have nothing to go back to, where others have.
pub(super) fn new_hosts(hosts: &[Seen<'_>]) -> Option<String> {
    let new: Vec<&str> = hosts.iter().filter(|seen| seen.current().is_none()).map(|seen| seen.host).collect();
    (!new.is_empty() && new.len() < hosts.len()).then(|| format!("new, with nothing to go back to: {}", new.join(", ")))
}
