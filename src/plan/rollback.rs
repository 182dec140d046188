//! The plan of `rollback`.
//!
//! Each host's target is determined from the record of its current release. The fleet rolls back to the one release
//! that every host is on already or would roll back to by itself.

use crate::{name::ReleaseName, report::Command, store::Intent, target::RollbackTarget};

use super::{
    Action, Chain, ChainEnd, DataMeans, HostPlan, HostRefusal, Plan, Reason, Refusal, Seen, data, describe,
    interrupted::{self, latest},
    shared_lines,
};

/// Plans a rollback. With `from`, only hosts on that release move; if none is, the plan is empty.
///
/// An interrupted rollback is finished first: no host moves further than that one would have moved it.
///
/// # Errors
///
/// [`Refusal`] when a `current` was not made by this tool, or was removed and did not last lead to the named release;
/// when the chain of a host ends before its target; when hosts would move to different releases, or a host lacks the
/// target; or when a migration in the chain cannot be reverted by these `means`.
pub(crate) fn rollback(
    target: &RollbackTarget,
    from: Option<&ReleaseName>,
    means: DataMeans<'_>,
    hosts: &[Seen<'_>],
) -> Result<Plan, Refusal> {
    if let Some(refusal) = refusal_of(hosts.iter().filter_map(|seen| seen.ours().err())) {
        return Err(refusal);
    }
    let asked = |seen: &Seen<'_>, to: &ReleaseName| match target {
        RollbackTarget::Steps(steps) => target_of(seen, *steps).is_ok_and(|target| target == *to),
        RollbackTarget::Release(name) => name == to,
    };
    let begun = interrupted::rollback(Command::Rollback, &asked, hosts)?;
    if let Some(begun) = begun.filter(|begun| begun.intent.is_some_and(|intent| finishes(target, intent))) {
        let plan = interrupted::finish(Command::Rollback, &begun, hosts)?;
        return with_data(plan, means, hosts);
    }
    let begun = interrupted::forward(Command::Rollback, hosts)?;
    if let (Some(begun), RollbackTarget::Steps(1), None) = (&begun, target, from) {
        // Whoever kills a deploy and types `rollback` wants to undo that deploy, not the release before it.
        let plan = interrupted::undo(Command::Rollback, begun, true, means, hosts)?;
        return refuse_lost(plan, hosts);
    }
    let plan = code(target, from, begun.as_ref().and_then(|begun| begun.intent), hosts)?;
    with_data(plan, means, hosts)
}

/// Adds the plan for the data.
fn with_data(mut plan: Plan, means: DataMeans<'_>, hosts: &[Seen<'_>]) -> Result<Plan, Refusal> {
    let mut starts: Vec<(Seen<'_>, &ReleaseName)> = Vec::new();
    let mut resumes = plan.finishes;
    for (host, seen) in plan.hosts.iter().zip(hosts) {
        let left = if host.action.switches() { seen.state.current.named() } else { None };
        let begun = latest(seen, false).filter(|_| plan.finishes).and_then(|intent| intent.from.as_ref());
        // A migration of an interrupted deploy is reverted too, whether or not the host had switched.
        let applied = latest(seen, true).filter(|_| !plan.finishes).map(|intent| &intent.to);
        let applied = applied.filter(|name| **name != plan.release && data::was_begun(seen, name));
        resumes |= applied.is_some();
        starts.extend(begun.or(applied).or(left).map(|start| (*seen, start)));
    }
    let means = if plan.finishes { data::as_begun(plan.command, &plan.release, means, hosts)? } else { means };
    plan.data = data::revert(plan.command, &plan.release, &starts, hosts, means, resumes)?;
    if means.keep {
        plan.notes.push("the data stays as it is: the old code runs on the new data".to_owned());
    }
    Ok(plan)
}

/// Returns the refusal of these hosts, if any.
fn refusal_of(refusals: impl Iterator<Item = HostRefusal>) -> Option<Refusal> {
    let refusals: Vec<HostRefusal> = refusals.collect();
    (!refusals.is_empty()).then(|| Refusal::of(Command::Rollback, refusals))
}

/// Plans the code's moves. An interrupted deploy or activation counts as one step.
fn code(
    target: &RollbackTarget,
    from: Option<&ReleaseName>,
    begun: Option<&Intent>,
    hosts: &[Seen<'_>],
) -> Result<Plan, Refusal> {
    let relinks = |seen: &&Seen<'_>| matches!(target, RollbackTarget::Release(name) if seen.state.was_last(name));
    let others = hosts.iter().filter(|seen| !relinks(seen));
    let refusals: Vec<HostRefusal> = others.filter_map(|seen| Some(seen.refuse(seen.without_current()?))).collect();
    // A host without a release is not on `from`; where somebody removed `current`, that is not known.
    let any_lost = hosts.iter().any(|seen| seen.state.lost_current());
    if let Some(plan) = from.filter(|_| !any_lost).and_then(|from| nobody_on(from, hosts)) {
        return Ok(plan);
    }
    if let Some(refusal) = refusal_of(refusals.into_iter()) {
        return Err(refusal);
    }
    match target {
        RollbackTarget::Release(name) => go_to(name, hosts),
        RollbackTarget::Steps(steps) => {
            let undone =
                |seen: &Seen<'_>| from.is_none() && begun.is_some_and(|begun| seen.current() != Some(&begun.to));
            go_back(&|seen| if undone(seen) { steps - 1 } else { *steps }, from, hosts)
        }
    }
}

/// Refuses a plan that would leave a removed `current` missing.
fn refuse_lost(plan: Plan, hosts: &[Seen<'_>]) -> Result<Plan, Refusal> {
    let stays = |seen: &&Seen<'_>| plan.host(seen.host).is_some_and(|host| host.action == Action::Stay);
    let lost = hosts.iter().filter(|seen| seen.state.lost_current()).filter(stays);
    match refusal_of(lost.map(|seen| seen.refuse(seen.no_current()))) {
        Some(refusal) => Err(refusal),
        None => Ok(plan),
    }
}

/// Returns `true` if the request can be the interrupted rollback itself; another target means a new rollback.
fn finishes(target: &RollbackTarget, intent: &Intent) -> bool {
    match target {
        RollbackTarget::Steps(_) => true,
        RollbackTarget::Release(name) => *name == intent.to,
    }
}

/// Returns `true` if a host marks `name` bad when it moves to `target`.
pub(super) fn is_markable(seen: &Seen<'_>, name: &ReleaseName, target: &ReleaseName) -> bool {
    name != target && seen.state.release(name).is_some_and(|release| release.bad.record().is_none())
}

/// Returns the empty plan if no host is on `from`.
fn nobody_on(from: &ReleaseName, hosts: &[Seen<'_>]) -> Option<Plan> {
    if hosts.iter().any(|seen| seen.current() == Some(from)) {
        return None;
    }
    let release = hosts.iter().find_map(Seen::current).unwrap_or(from).clone();
    let stay = hosts.iter().map(|seen| HostPlan::new(seen, seen.current().unwrap_or(from), Action::Stay)).collect();
    let mut plan = Plan::new(Command::Rollback, release, stay);
    let on = shared_lines(hosts.iter().map(|seen| (seen.host, format!("on {}", describe(&seen.state.current)))));
    let why = format!("{from} is not current, so there is nothing to roll back: {}", on.join("; "));
    plan.warnings.push(why.into());
    Some(plan)
}

/// Plans a rollback to a named release.
fn go_to(name: &ReleaseName, hosts: &[Seen<'_>]) -> Result<Plan, Refusal> {
    let lacking = hosts.iter().filter(|seen| seen.state.release(name).is_none());
    let refuse =
        |seen: &Seen<'_>| seen.refuse(Reason::NoSuchRelease { name: name.clone(), instead: seen.state.stranger(name) });
    let refusals: Vec<HostRefusal> = lacking.map(refuse).collect();
    if !refusals.is_empty() {
        let table = hosts
            .iter()
            .map(|seen| row(seen, if seen.state.release(name).is_some() { "has it" } else { "lacks it" }))
            .collect();
        return Err(Refusal { table, ..Refusal::of(Command::Rollback, refusals) });
    }
    let unsealed: Vec<HostRefusal> = hosts.iter().filter_map(|seen| seen.sealed(name).err()).collect();
    if unsealed.is_empty() { Ok(plan_to(name, hosts)) } else { Err(Refusal::of(Command::Rollback, unsealed)) }
}

/// Plans a rollback along the records, by `steps` good releases on each host.
fn go_back(steps: &dyn Fn(&Seen<'_>) -> u32, from: Option<&ReleaseName>, hosts: &[Seen<'_>]) -> Result<Plan, Refusal> {
    let moves = |seen: &Seen<'_>| from.is_none_or(|from| seen.current() == Some(from));
    let targets: Vec<Result<ReleaseName, HostRefusal>> =
        hosts.iter().map(|seen| target_of(seen, steps(seen))).collect();
    let moving = hosts.iter().zip(&targets).filter(|(seen, _)| moves(seen));
    let mut wanted: Vec<&ReleaseName> = moving.filter_map(|(_, target)| target.as_ref().ok()).collect();
    wanted.sort();
    wanted.dedup();
    let reached = |seen: &Seen<'_>, target: &Result<ReleaseName, HostRefusal>, name: &ReleaseName| {
        seen.current() == Some(name) || (moves(seen) && target.as_ref().is_ok_and(|target| target == name))
    };
    let common: Vec<&ReleaseName> = wanted
        .iter()
        .copied()
        .filter(|name| hosts.iter().zip(&targets).all(|(seen, target)| reached(seen, target, name)))
        .collect();
    match common[..] {
        [name] => Ok(plan_to(name, hosts)),
        _ => Err(refuse(hosts, targets)),
    }
}

/// Builds the refusal of a rollback without a target, or with several.
fn refuse(hosts: &[Seen<'_>], targets: Vec<Result<ReleaseName, HostRefusal>>) -> Refusal {
    let go = |target: &Result<ReleaseName, HostRefusal>| match target {
        Ok(name) => format!("would go to {name}"),
        Err(_) => "has no target".to_owned(),
    };
    let table: Vec<_> = hosts.iter().zip(&targets).map(|(seen, target)| row(seen, &go(target))).collect();
    let differ = targets.iter().any(Result::is_ok);
    let mut refusals: Vec<HostRefusal> = targets.into_iter().filter_map(Result::err).collect();
    if differ {
        refusals.extend(hosts.iter().map(|seen| seen.refuse(Reason::HostsDiffer)));
    }
    // Where no host has a target, the reasons say all of it.
    let table = if differ && hosts.len() > 1 { table } else { Vec::new() };
    Refusal { table, ..Refusal::of(Command::Rollback, refusals) }
}

fn row(seen: &Seen<'_>, target: &str) -> (String, String, String) {
    (seen.host.to_owned(), describe(&seen.state.current), target.to_owned())
}

/// Returns the release that is `steps` good ones back on this host.
fn target_of(seen: &Seen<'_>, steps: u32) -> Result<ReleaseName, HostRefusal> {
    let Some(current) = seen.current() else {
        return Err(seen.refuse(Reason::Dangling));
    };
    let nth = usize::try_from(steps).unwrap_or(usize::MAX).saturating_sub(1);
    match Chain::target_from(seen.state, current, nth) {
        Ok(Some(release)) => Ok(release.name.clone()),
        Ok(None) => Err(seen.refuse(end_of(&Chain::from(seen.state, current), seen))),
        Err(release) => {
            let why = release.bad.unreadable().unwrap_or_default().to_owned();
            Err(seen.refuse(Reason::MarkUnreadable { name: release.name.clone(), why }))
        }
    }
}

/// Returns the target of the host's own next rollback.
#[must_use]
pub(crate) fn previous_of<'s>(seen: &Seen<'s>) -> Option<&'s ReleaseName> {
    Chain::target_from(seen.state, seen.current()?, 0).ok().flatten().map(|release| &release.name)
}

/// Returns the current release of a host, followed by its chain, nearest first.
pub(crate) fn way_back<'s>(seen: &Seen<'s>) -> Vec<&'s ReleaseName> {
    let links = seen.chain().map(|chain| chain.links().iter().map(|link| &link.name).collect::<Vec<_>>());
    seen.current().into_iter().chain(links.unwrap_or_default()).collect()
}

/// Explains why the next rollback has no target on this host, unless the chain simply ends at the first release.
pub(crate) fn broken_way(seen: &Seen<'_>) -> Option<String> {
    let ends = |chain: &Chain<'_>| chain.target(0) == Ok(None) && *chain.end() != ChainEnd::First;
    let chain = seen.chain().filter(ends)?;
    Some(end_of(&chain, seen).to_string())
}

fn end_of(chain: &Chain<'_>, seen: &Seen<'_>) -> Reason {
    let words = chain.to_string();
    match chain.end().clone() {
        ChainEnd::First => Reason::NothingBefore {
            at: seen.current().expect("a chain starts at what is current").clone(),
            chain: words,
        },
        ChainEnd::Broken { at, .. } => Reason::BadRecord { at, chain: words },
        ChainEnd::Gone { name, .. } => Reason::PreviousGone { name, chain: words },
        ChainEnd::Loops { .. } => Reason::ChainLoops { chain: words },
    }
}

/// Creates the plan in which every host ends on `name`.
fn plan_to(name: &ReleaseName, hosts: &[Seen<'_>]) -> Plan {
    let left = hosts.iter().find_map(|seen| seen.state.current.named().filter(|current| *current != name));
    // The release that other hosts leave is marked here too if its own records lead from it to `name`.
    let leads = |seen: &Seen<'_>, left: &ReleaseName| Chain::leads(seen.state, left, name);
    let plan = |seen: &Seen<'_>| {
        let stays = seen.current() == Some(name);
        let action = match stays {
            true => Action::Stay,
            false if seen.state.was_last(name) => Action::Relink,
            false => Action::GoBack,
        };
        let leaving = if stays { left.filter(|left| leads(seen, left)) } else { seen.state.current.named() };
        HostPlan {
            marks_bad: leaving.filter(|leaving| is_markable(seen, leaving, name)).cloned(),
            clears_mark: seen.state.release(name).is_some_and(|release| release.bad.exists()),
            ..HostPlan::new(seen, name, action)
        }
    };
    Plan::new(Command::Rollback, name.clone(), hosts.iter().map(plan).collect())
}
