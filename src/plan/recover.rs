//! The plan of `recover`: finish or undo an interrupted operation.
//!
//! By default a deploy goes forward only if every host had switched, and is undone otherwise; a rollback goes forward.
//! Both are safe: a release that did not reach every host does not spread further, and no host returns to a release
//! that was being rolled back.

use crate::{
    commands::DataPlace, name::ReleaseName, outcome::Command, record::PreviousVersion, report::crowd,
    status::ReleaseState, store::Intent, target::Direction,
};

use super::{
    Action, DataMeans, DataPlan, HostPlan, HostRefusal, NAMED, Plan, Reason, Refusal, Seen, data,
    deploy::record_of,
    interrupted::{self, Begun, Part, latest},
    rollback::previous_of,
};

/// Plans to finish or undo an interrupted operation, each host by its own intent, and to link a removed
/// `current` again.
///
/// `None` when there are only traces to remove.
///
/// # Errors
///
/// [`Refusal`] when a `current` was not made by this tool; when two operations were interrupted and neither knew of the
/// other; when a host cannot move to the target of the operation or back to its start; or when nothing tells which
/// release a removed `current` led to.
pub(crate) fn recover(direction: Direction, means: DataMeans<'_>, hosts: &[Seen<'_>]) -> Result<Option<Plan>, Refusal> {
    refuse_any(hosts.iter().filter_map(|seen| seen.ours().err()).collect())?;
    relinked(settle(direction, means, hosts)?, hosts)
}

/// Extends `plan`, or makes one, to link each removed `current` again that would otherwise stay missing.
///
/// The target is the release that the host's own history last names as current. No record is rewritten, and the data
/// stays.
fn relinked(plan: Option<Plan>, hosts: &[Seen<'_>]) -> Result<Option<Plan>, Refusal> {
    let stays = |seen: &Seen<'_>| {
        let host = plan.as_ref().and_then(|plan| plan.host(seen.host));
        host.is_none_or(|host| host.action == Action::Stay)
    };
    let is_lost = |seen: &Seen<'_>| seen.state.lost_current() && stays(seen);
    let (found, refusals): (Vec<_>, Vec<_>) =
        hosts.iter().filter(|seen| is_lost(seen)).map(last_of).partition(Result::is_ok);
    refuse_any(refusals.into_iter().filter_map(Result::err).collect())?;
    let Some(to) = found.into_iter().find_map(Result::ok) else { return Ok(plan) };
    let host = |seen: &Seen<'_>| match (is_lost(seen), plan.as_ref().and_then(|plan| plan.host(seen.host))) {
        (true, _) => HostPlan::new(seen, last_of(seen).unwrap_or(to), Action::Relink),
        (false, Some(host)) => host.clone(),
        (false, None) => HostPlan::new(seen, seen.current().unwrap_or(to), Action::Stay),
    };
    let relinked = hosts.iter().map(host).collect();
    let note = "restores `current` where somebody removed it".to_owned();
    Ok(Some(match plan {
        Some(mut plan) => {
            if plan.hosts.iter().all(|host| !host.action.switches()) {
                plan.release = to.clone();
            }
            plan.hosts = relinked;
            plan.notes.push(note);
            plan
        }
        None => finishing(to.clone(), relinked, note),
    }))
}

/// Returns the release that a removed `current` last led to, if it can be linked to again.
fn last_of<'s>(seen: &Seen<'s>) -> Result<&'s ReleaseName, HostRefusal> {
    let refuse = |why: String| {
        let states = seen.state.states();
        let were = seen.state.releases.iter().filter(|release| states.of(release) == ReleaseState::Good);
        let names: Vec<&str> = were.map(|release| release.name.as_str()).collect();
        let why = format!("{why}; releases that were current here: {}", crowd(&names, NAMED));
        seen.refuse(Reason::NothingToLink { why })
    };
    let Some(last) = &seen.state.last else {
        return Err(refuse("the history does not name its last target".to_owned()));
    };
    match seen.state.release(last) {
        None => Err(refuse(format!("its last target, {last}, does not exist"))),
        Some(release) if release.bad.exists() => Err(refuse(format!("its last target, {last}, is bad"))),
        Some(_) => Ok(last),
    }
}

/// Plans to finish or undo an interrupted operation.
fn settle(direction: Direction, means: DataMeans<'_>, hosts: &[Seen<'_>]) -> Result<Option<Plan>, Refusal> {
    let leads = |seen: &Seen<'_>, to: &ReleaseName| previous_of(seen) == Some(to);
    if let Some(begun) = interrupted::rollback(Command::Recover, &leads, hosts)? {
        return match direction {
            Direction::Back => back_again(&begun, means, hosts),
            Direction::Forward | Direction::Safest => finish(&begun, means, hosts),
        }
        .map(Some);
    }
    let Some(begun) = interrupted::forward(Command::Recover, hosts)? else { return Ok(None) };
    let Some(intent) = begun.intent else { return Ok(None) };
    let took_part = begun.parts.iter().zip(hosts).filter(|(part, _)| **part != Part::Outside);
    let arrived = || took_part.clone().all(|(_, seen)| seen.current() == Some(&intent.to));
    match direction {
        Direction::Back => interrupted::undo(Command::Recover, &begun, true, means, hosts),
        Direction::Forward => forward(&begun, intent, means, hosts),
        Direction::Safest if arrived() => forward(&begun, intent, means, hosts),
        Direction::Safest => interrupted::undo(Command::Recover, &begun, false, means, hosts),
    }
    .map(Some)
}

/// Plans to finish the rollback on every host with an intent.
fn finish(begun: &Begun<'_>, means: DataMeans<'_>, hosts: &[Seen<'_>]) -> Result<Plan, Refusal> {
    let plan = interrupted::finish(Command::Recover, begun, hosts)?;
    let data = match begun.intent {
        Some(intent) => rest_of_the_way_back(intent, means, hosts)?,
        None => None,
    };
    Ok(Plan { data, ..plan })
}

/// Plans to move every host back to its release before the rollback, by its own intent.
fn back_again(begun: &Begun<'_>, means: DataMeans<'_>, hosts: &[Seen<'_>]) -> Result<Plan, Refusal> {
    let Some(intent) = begun.intent else { return finish(begun, means, hosts) };
    let to = &intent.to;
    let (mut plans, mut refusals) = (Vec::new(), Vec::new());
    for (part, seen) in begun.parts.iter().zip(hosts) {
        let from = latest(seen, false).and_then(|own| own.from.as_ref());
        let (release, action) = match from.filter(|_| seen.current() == Some(to)) {
            Some(from) => (from, Action::GoBack),
            None => (to, Action::Stay),
        };
        if action == Action::GoBack && seen.state.release(release).is_none() {
            refusals.push(no_such(seen, release));
        }
        // The rollback ended on this host, so no intent says any longer where it came from.
        if *part == Part::There {
            refusals.push(seen.refuse(Reason::HostsDiffer));
        }
        plans.push(HostPlan::new(seen, release, action));
    }
    refuse_any(refusals)?;
    let from = plans.iter().find(|plan| plan.action == Action::GoBack).map_or(to, |plan| &plan.release).clone();
    let note = format!("undoes the interrupted rollback to {to}");
    let data = match &intent.from {
        Some(left) => data::redo(Command::Recover, left, means, hosts)?,
        None => None,
    };
    Ok(Plan { data, ..finishing(from, plans, note) })
}

/// Plans to finish the deploy or activation on every host that took part.
fn forward(begun: &Begun<'_>, intent: &Intent, means: DataMeans<'_>, hosts: &[Seen<'_>]) -> Result<Plan, Refusal> {
    let to = &intent.to;
    let (mut plans, mut refusals) = (Vec::new(), Vec::new());
    for (part, seen) in begun.parts.iter().zip(hosts) {
        let there = seen.current() == Some(to);
        let moves = !there && *part != Part::Outside;
        if moves && seen.state.release(to).is_none() {
            refusals.push(no_such(seen, to));
        } else if moves && *part != Part::Own {
            refusals.push(seen.refuse(Reason::HostsDiffer));
        }
        refusals.extend(seen.sealed(to).err().filter(|_| moves || there));
        // If `current` was removed meanwhile, the intent says what the operation found.
        let found = latest(seen, true).and_then(|own| own.from.clone()).filter(|_| seen.state.lost_current());
        let record = found.map_or_else(|| record_of(&seen.state.current), PreviousVersion::Release);
        plans.push(HostPlan::new(seen, to, if moves { Action::Activate { record } } else { Action::Stay }));
    }
    refuse_any(refusals)?;
    let plan = finishing(to.clone(), plans, format!("finishes the interrupted {} to {to}", intent.command));
    Ok(Plan { data: rest_of_the_way(intent, means, hosts)?, ..plan })
}

/// Plans the remaining reverts of an interrupted rollback: the data version tells how far it came.
fn rest_of_the_way_back(
    intent: &Intent,
    means: DataMeans<'_>,
    hosts: &[Seen<'_>],
) -> Result<Option<DataPlan>, Refusal> {
    fn start<'s>(seen: &Seen<'s>) -> Option<&'s ReleaseName> {
        latest(seen, false).and_then(|own| own.from.as_ref())
    }
    let starts: Vec<_> = hosts.iter().filter_map(|seen| start(seen).map(|from| (*seen, from))).collect();
    let means = data::as_begun(Command::Recover, &intent.to, means, hosts)?;
    data::revert(Command::Recover, &intent.to, &starts, hosts, means, true)
}

/// Plans the remaining migration of an interrupted deploy; none if its end was recorded.
fn rest_of_the_way(intent: &Intent, means: DataMeans<'_>, hosts: &[Seen<'_>]) -> Result<Option<DataPlan>, Refusal> {
    let applied = |seen: &Seen<'_>| {
        let record = seen.state.release(&intent.to).and_then(|release| release.data.record());
        record.and_then(|record| record.change.as_ref()).is_some_and(|change| change.after.is_some())
    };
    // If a data host is known, only its own record decides.
    let is_asked = |seen: &&Seen<'_>| !matches!(means.place, Some(DataPlace::Host(name)) if *name != seen.host);
    if hosts.iter().filter(is_asked).any(applied) {
        Ok(None)
    } else {
        data::redo(Command::Recover, &intent.to, means, hosts)
    }
}

fn finishing(release: ReleaseName, hosts: Vec<HostPlan>, note: String) -> Plan {
    Plan { notes: vec![note], finishes: true, ..Plan::new(Command::Recover, release, hosts) }
}

fn no_such(seen: &Seen<'_>, name: &ReleaseName) -> HostRefusal {
    seen.refuse(Reason::NoSuchRelease { name: name.clone(), instead: seen.state.stranger(name) })
}

fn refuse_any(refusals: Vec<HostRefusal>) -> Result<(), Refusal> {
    if refusals.is_empty() { Ok(()) } else { Err(Refusal::of(Command::Recover, refusals)) }
}
