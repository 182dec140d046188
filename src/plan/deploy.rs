//! The plans of `deploy` and `stage`.

use crate::{
    name::ReleaseName,
    record::PreviousVersion,
    report::Command,
    status::ReleaseState,
    store::{Current, HostedRelease},
    transport::FileId,
};

use super::{Action, DataMeans, HostPlan, HostRefusal, Plan, Reason, Refusal, Seen, data, describe, stragglers};

/// The options of a deploy that its plan depends on.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub(crate) struct DeployTerms<'t> {
    /// The release that must be current on every host that is not yet on the new one.
    pub from: Option<&'t ReleaseName>,
    /// Whether a deploy proceeds when the hosts are on different releases.
    pub allow_split: bool,
    /// The place of the data, if there is any, and the source of the migration's commands.
    pub means: DataMeans<'t>,
    /// The hosts on which a release of that name has the same content, each with the directory that was compared.
    pub same: &'t [(String, FileId)],
}

/// Plans an upload of `name` to the hosts and a switch to it, with the data migration before the switch if the
/// data has a place.
///
/// A host on which the same content is current under that name stays. The other hosts then receive it without a
/// migration: the data was migrated when the release was first deployed.
///
/// # Errors
///
/// [`Refusal`] when a host is on neither the required release nor the new one; when a host has that name with other
/// content, or has the release and is not on it; when a run that went to the release was interrupted; when a `current`
/// was not made by this tool, dangles or was removed; or, unless split hosts are allowed, when the hosts that move are
/// on different releases.
pub(crate) fn deploy(name: &ReleaseName, hosts: &[Seen<'_>], terms: &DeployTerms<'_>) -> Result<Plan, Refusal> {
    refuse(hosts.iter().filter_map(|seen| comes_from(seen, name, terms.from).err()))?;
    let left = interrupted(name, hosts);
    let may = |seen: &Seen<'_>| {
        if let (Some(refusal), true) = (&left, seen.state.release(name).is_some()) {
            return Err(seen.refuse(refusal.clone()));
        }
        may_take(seen, name, terms.same).and_then(|()| may_switch(seen))
    };
    refuse(hosts.iter().filter_map(|seen| may(seen).err()))?;
    let moves = |seen: &Seen<'_>| seen.current() != Some(name);
    agree(Command::Deploy, hosts.iter().copied().filter(|seen| moves(seen) && !seen.owes(hosts)), terms.allow_split)?;
    let action = |seen: &Seen<'_>| {
        if moves(seen) { Action::Deploy { record: record_of(&seen.state.current) } } else { Action::Stay }
    };
    let plans = hosts.iter().map(|seen| HostPlan::new(seen, name, action(seen)));
    let mut plan = Plan::new(Command::Deploy, name.clone(), plans.collect());
    let behind = stragglers(hosts, Some(&plan));
    plan.notes.extend(new_hosts(hosts));
    plan.warnings.extend(behind.into_iter().map(|(_, why)| why));
    if hosts.iter().all(moves) {
        plan.data = data::apply(Command::Deploy, name, terms.means, hosts)?;
    }
    Ok(plan)
}

fn refuse(refusals: impl Iterator<Item = HostRefusal>) -> Result<(), Refusal> {
    let refusals: Vec<HostRefusal> = refusals.collect();
    if refusals.is_empty() { Ok(()) } else { Err(Refusal::of(Command::Deploy, refusals)) }
}

/// Refuses a host on neither `from` nor the new release, so that an older pipeline cannot overtake a newer one.
fn comes_from(seen: &Seen<'_>, name: &ReleaseName, from: Option<&ReleaseName>) -> Result<(), HostRefusal> {
    let Some(from) = from else { return Ok(()) };
    if [Some(from), Some(name)].contains(&seen.current()) {
        return Ok(());
    }
    Err(seen.refuse(Reason::NotFrom { from: from.clone(), current: describe(&seen.state.current) }))
}

/// Returns the reason to refuse when a deploy or an activation of `name` was interrupted on any of these hosts:
/// its remaining steps were not done.
pub(super) fn interrupted(name: &ReleaseName, hosts: &[Seen<'_>]) -> Option<Reason> {
    if let Some(why) = hosts.iter().find_map(|seen| seen.state.journal.unreadable()) {
        return Some(Reason::IntentUnreadable { why: why.to_owned() });
    }
    let mut left = hosts.iter().flat_map(|seen| &seen.state.interrupted);
    left.find_map(|left| {
        if let Some(why) = left.intent.unreadable() {
            return Some(Reason::IntentUnreadable { why: why.to_owned() });
        }
        let intent = left.intent.record().filter(|intent| intent.to == *name)?;
        let by = left.owner.record().map_or_else(|| "somebody".to_owned(), |owner| owner.by.clone());
        matches!(intent.command, Command::Deploy | Command::Activate).then(|| Reason::WasInterrupted {
            name: name.clone(),
            command: intent.command,
            by,
        })
    })
}

/// Plans an upload of `name` to the hosts that lack it, without a switch.
pub(crate) fn stage(name: &ReleaseName, hosts: &[Seen<'_>], same: &[(String, FileId)]) -> Result<Plan, Refusal> {
    let may = |seen: &Seen<'_>| existing(seen, name, same).map(|_| ());
    let refusals: Vec<HostRefusal> = hosts.iter().filter_map(|seen| may(seen).err()).collect();
    if !refusals.is_empty() {
        return Err(Refusal::of(Command::Stage, refusals));
    }
    let action = |seen: &Seen<'_>| if seen.state.release(name).is_some() { Action::Stay } else { Action::Stage };
    let plans = hosts.iter().map(|seen| HostPlan::new(seen, name, action(seen)));
    Ok(Plan::new(Command::Stage, name.clone(), plans.collect()))
}

/// Refuses a name that is taken on a host. A name that belonged to a pruned release is refused later, by the
/// upload.
fn is_free(seen: &Seen<'_>, name: &ReleaseName) -> Result<(), HostRefusal> {
    let taken = seen.state.release(name).is_some() || seen.state.stranger(name).is_some();
    if taken {
        return Err(seen.refuse(Reason::NameTaken { name: name.clone() }));
    }
    let unreadable = seen.state.pruned.unreadable();
    let refuse = |why: &str| seen.refuse(Reason::PrunedUnreadable { name: name.clone(), why: why.to_owned() });
    unreadable.map_or(Ok(()), |why| Err(refuse(why)))
}

/// Returns the `previousVersion` record of the next release, given `current`.
pub(super) fn record_of(current: &Current) -> PreviousVersion {
    current.release().map_or(PreviousVersion::None, |name| PreviousVersion::Release(name.clone()))
}

/// Returns the release of that name if it has the same content, and `None` if the name is free.
fn existing<'s>(
    seen: &Seen<'s>,
    name: &ReleaseName,
    same: &[(String, FileId)],
) -> Result<Option<&'s HostedRelease>, HostRefusal> {
    let Some(release) = seen.state.release(name) else {
        return is_free(seen, name).map(|()| None);
    };
    let is_same = same.iter().any(|(host, id)| host == seen.host && *id == release.id);
    if is_same { Ok(Some(release)) } else { Err(seen.refuse(Reason::OtherContent { name: name.clone() })) }
}

/// Refuses a host that has the name, unless the same content is current there under it.
fn may_take(seen: &Seen<'_>, name: &ReleaseName, same: &[(String, FileId)]) -> Result<(), HostRefusal> {
    let name_of = || name.clone();
    let Some(release) = existing(seen, name, same)? else { return Ok(()) };
    let on_the_way = || seen.chain().is_some_and(|chain| chain.holds(name));
    let reason = match seen.state.state_of(release) {
        ReleaseState::Current => return Ok(()),
        ReleaseState::Bad => Reason::IsBad { name: name_of() },
        ReleaseState::Good if on_the_way() => Reason::OnTheWayBack { name: name_of() },
        ReleaseState::Good | ReleaseState::Staged | ReleaseState::Other => Reason::IsThere { name: name_of() },
    };
    Err(seen.refuse(reason))
}

/// Builds the refusal of a host that had the release when it was queried, and lacks it under the lock.
pub(crate) fn moved_meanwhile(seen: &Seen<'_>, name: &ReleaseName) -> HostRefusal {
    seen.refuse(Reason::GoneMeanwhile { name: name.clone() })
}

/// The command to use instead of a deploy of an existing release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Return {
    /// Activation: the release was never current, or is in no host's chain.
    Activate,
    /// Rollback: the release is in the chain.
    Rollback,
}

/// Returns the one command that would take every refusing host to its release, if there is one.
#[must_use]
pub(crate) fn return_of(refusal: &Refusal, hosts: &[Seen<'_>], name: &ReleaseName) -> Option<Return> {
    let way = |reason: &Reason| match reason {
        Reason::IsThere { .. } => Some(Return::Activate),
        Reason::OnTheWayBack { .. } => Some(Return::Rollback),
        _ => None,
    };
    let mut ways = refusal.hosts.iter().map(|refused| way(&refused.reason));
    let first = ways.next()??;
    let everybody_has_it = hosts.iter().all(|seen| seen.state.release(name).is_some());
    (everybody_has_it && ways.all(|way| way == Some(first))).then_some(first)
}

/// Refuses hosts that are on neither `from` nor `name`, if `from` is given.
pub(crate) fn expect_from(name: &ReleaseName, from: Option<&ReleaseName>, hosts: &[Seen<'_>]) -> Result<(), Refusal> {
    refuse(hosts.iter().filter_map(|seen| comes_from(seen, name, from).err()))
}

/// Refuses a `current` from which no true `previousVersion` record can be derived.
pub(super) fn may_switch(seen: &Seen<'_>) -> Result<(), HostRefusal> {
    match current_fault(seen) {
        Some(reason) => Err(seen.refuse(reason)),
        None => Ok(()),
    }
}

/// Returns the fault of a `current` that this tool did not make, that dangles, or that somebody removed.
pub(crate) fn current_fault(seen: &Seen<'_>) -> Option<Reason> {
    if let Err(refusal) = seen.ours() {
        return Some(refusal.reason);
    }
    match &seen.state.current {
        Current::Dangling { .. } => Some(Reason::Dangling),
        Current::Absent if seen.state.lost_current() => Some(seen.no_current()),
        _ => None,
    }
}

/// Refuses hosts on different releases; a host without a current release is new and passes.
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

/// Notes the hosts that have nothing to roll back to, if others have.
pub(super) fn new_hosts(hosts: &[Seen<'_>]) -> Option<String> {
    let new: Vec<&str> = hosts
        .iter()
        .filter(|seen| seen.current().is_none() && !seen.state.lost_current())
        .map(|seen| seen.host)
        .collect();
    (!new.is_empty() && new.len() < hosts.len())
        .then(|| format!("new, with nothing to roll back to: {}", new.join(", ")))
}
