//! The plan of `recover`: finish or undo what an interrupted operation left.
//!
//! By default a deploy goes forward only when every host had switched, and else back; a rollback goes forward. Both are
//! safe: a release that did not arrive everywhere is never spread, and nobody is sent back to a release that was fled.

use crate::{
    name::ReleaseName,
    outcome::Command,
    store::{Intent, Interrupted},
};

use super::{
    Action, DataMeans, DataPlan, HostPlan, HostRefusal, Plan, Reason, Refusal, Seen, data, deploy::record_of, describe,
};

/// Which way [`recover`] goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Forward when every host had switched, or when it was a rollback; else back.
    #[default]
    Safest,
    /// To where the interrupted operation was going.
    Forward,
    /// To where every host was before it.
    Back,
}

/// Plans to settle what an interrupted operation left, and then to bring along hosts that missed an operation. `None` when
/// there is nothing to do but to remove traces.
///
/// # Errors
///
/// [`Refusal`] when a `current` is not ours, when two operations were interrupted neither of which knew of the other, or
/// when a host lacks the release that it would go to, or that release was never made ready there.
pub fn recover(direction: Direction, means: DataMeans<'_>, hosts: &[Seen<'_>]) -> Result<Option<Plan>, Refusal> {
    refuse_any(hosts.iter().filter_map(|seen| seen.ours().err()).collect())?;
    let Some(intent) = the_one(hosts)? else {
        return bring_along(hosts);
    };
    let arrived = || hosts.iter().all(|seen| seen.current() == Some(&intent.to));
    let goes_forward = match direction {
        Direction::Forward => true,
        Direction::Back => false,
        Direction::Safest => intent.command == Command::Rollback || arrived(),
    };
    if goes_forward { forward(intent, means, hosts) } else { back(intent, means, hosts) }.map(Some)
}

/// What the last interrupted operation was about to do on a host: the one that knew of all others there.
///
/// A recovery that was itself interrupted says nothing: what it was to settle is still there, and is decided anew.
pub(super) fn latest<'s>(seen: &Seen<'s>) -> Option<&'s Intent> {
    let intents = || {
        let intents = seen.state.interrupted.iter().filter_map(|left: &Interrupted| left.intent.record());
        intents.filter(|intent| intent.command != Command::Recover)
    };
    intents().find(|intent| !intents().any(|other| other.supersedes.contains(&intent.operation)))
}

/// What the last interrupted operation of the fleet was about to do, on any of its hosts.
fn the_one<'s>(hosts: &[Seen<'s>]) -> Result<Option<&'s Intent>, Refusal> {
    let latest: Vec<&'s Intent> = hosts.iter().filter_map(latest).collect();
    let superseded = |intent: &&&Intent| latest.iter().any(|other| other.supersedes.contains(&intent.operation));
    let open: Vec<&'s Intent> = latest.iter().filter(|intent| !superseded(intent)).copied().collect();
    let alike = open.windows(2).all(|pair| pair[0].operation == pair[1].operation);
    if alike { Ok(open.first().copied()) } else { Err(several(hosts)) }
}

fn several(hosts: &[Seen<'_>]) -> Refusal {
    let words = |intent: Option<&Intent>| {
        intent.map_or_else(
            || "nothing was left".to_owned(),
            |intent| format!("{} to {} interrupted", intent.command, intent.to),
        )
    };
    let row = |seen: &Seen<'_>| (seen.host.to_owned(), describe(&seen.state.current), words(latest(seen)));
    let refusals = hosts.iter().map(|seen| seen.refuse(Reason::HostsDiffer)).collect();
    Refusal { table: hosts.iter().map(row).collect(), ..Refusal::of(Command::Recover, refusals) }
}

/// Hosts that missed an operation go where the others are, when all of those are on one release.
fn bring_along(hosts: &[Seen<'_>]) -> Result<Option<Plan>, Refusal> {
    let debts = || hosts.iter().flat_map(|seen| &seen.state.debts);
    let owed = |seen: &Seen<'_>| debts().find(|debt| debt.host == seen.host);
    if hosts.iter().all(|seen| owed(seen).is_none()) {
        return Ok(None);
    }
    let mut others = hosts.iter().filter(|seen| owed(seen).is_none()).map(Seen::current);
    let goal = others.next().flatten();
    let Some(goal) = goal.filter(|_| others.all(|other| other == goal)) else {
        return Err(several(hosts));
    };
    let lacking = hosts.iter().filter(|seen| seen.state.release(goal).is_none());
    refuse_any(lacking.map(|seen| no_such(seen, goal)).collect())?;
    let plan = |seen: &Seen<'_>| match (owed(seen), seen.current()) {
        (Some(debt), current) if current != Some(goal) && debt.command == Command::Rollback => {
            HostPlan { marks_bad: markable(seen, current), ..HostPlan::new(seen, goal, Action::GoBack) }
        }
        (Some(_), current) if current != Some(goal) => {
            HostPlan::new(seen, goal, Action::Activate { record: record_of(&seen.state.current) })
        }
        _ => HostPlan::new(seen, goal, Action::Stay),
    };
    let plans = hosts.iter().map(plan).collect();
    Ok(Some(finishing(goal.clone(), plans, "brings along the hosts that were not reached before".to_owned())))
}

/// Every host ends where the operation was going.
fn forward(intent: &Intent, means: DataMeans<'_>, hosts: &[Seen<'_>]) -> Result<Plan, Refusal> {
    let to = &intent.to;
    let lacking = hosts.iter().filter(|seen| seen.state.release(to).is_none());
    refuse_any(lacking.map(|seen| no_such(seen, to)).collect())?;
    refuse_any(hosts.iter().filter_map(|seen| seen.sealed(to).err()).collect())?;
    let going_back = intent.command == Command::Rollback;
    let plan = |seen: &Seen<'_>| {
        let action = match seen.current() {
            Some(current) if current == to => Action::Stay,
            _ if going_back => Action::GoBack,
            _ => Action::Activate { record: record_of(&seen.state.current) },
        };
        let from = latest(seen).and_then(|intent| intent.from.as_ref()).or(seen.current());
        let fled = from.filter(|from| going_back && *from != to);
        HostPlan { marks_bad: markable(seen, fled), ..HostPlan::new(seen, to, action) }
    };
    let note = format!("finishes the {} to {to} that was interrupted", intent.command);
    let plan = finishing(to.clone(), hosts.iter().map(plan).collect(), note);
    let data =
        if going_back { rest_of_the_way_back(intent, means, hosts)? } else { rest_of_the_way(intent, means, hosts)? };
    Ok(Plan { data, ..plan })
}

/// What an interrupted rollback has yet to revert: the data version says how far it came.
fn rest_of_the_way_back(
    intent: &Intent,
    means: DataMeans<'_>,
    hosts: &[Seen<'_>],
) -> Result<Option<DataPlan>, Refusal> {
    fn start<'s>(seen: &Seen<'s>) -> Option<&'s ReleaseName> {
        latest(seen).and_then(|own| own.from.as_ref())
    }
    let starts: Vec<_> = hosts.iter().filter_map(|seen| start(seen).map(|from| (*seen, from))).collect();
    let means = means.or_as_begun(Some(intent));
    data::revert(Command::Recover, &intent.to, &starts, hosts, means, true)
}

/// What an interrupted deploy has yet to apply: nothing, when its end was recorded.
fn rest_of_the_way(intent: &Intent, means: DataMeans<'_>, hosts: &[Seen<'_>]) -> Result<Option<DataPlan>, Refusal> {
    let applied = |seen: &Seen<'_>| {
        let record = seen.state.release(&intent.to).and_then(|release| release.data.record());
        record.and_then(|record| record.change.as_ref()).is_some_and(|change| change.after.is_some())
    };
    if hosts.iter().any(applied) { Ok(None) } else { data::redo(Command::Recover, &intent.to, means, hosts) }
}

/// Every host ends where it was before the operation.
fn back(intent: &Intent, means: DataMeans<'_>, hosts: &[Seen<'_>]) -> Result<Plan, Refusal> {
    let to = &intent.to;
    let switched = |seen: &&Seen<'_>| seen.current() == Some(to);
    let fled = (intent.command != Command::Rollback && hosts.iter().any(|seen| switched(&seen))).then_some(to);
    let (mut plans, mut refusals) = (Vec::new(), Vec::new());
    for seen in hosts {
        let (release, action) = match way_back(seen, intent).filter(|_| switched(&seen)) {
            None => (to, Action::Stay),
            Some(WayBack::Nothing) => (to, Action::TakeAway),
            Some(WayBack::Release(from)) => (from, Action::GoBack),
        };
        if action == Action::GoBack && seen.state.release(release).is_none() {
            refusals.push(no_such(seen, release));
        }
        plans.push(HostPlan { marks_bad: markable(seen, fled), ..HostPlan::new(seen, release, action) });
    }
    refuse_any(refusals)?;
    let from = plans.iter().find(|plan| plan.action == Action::GoBack).map_or(to, |plan| &plan.release).clone();
    let note = format!("undoes the {} to {to} that was interrupted", intent.command);
    let data = match (intent.command, &intent.from) {
        (Command::Rollback, Some(left)) => data::redo(Command::Recover, left, means, hosts)?,
        (Command::Rollback, None) => None,
        _ => data::undo(Command::Recover, to, means, hosts)?,
    };
    Ok(Plan { data, ..finishing(from, plans, note) })
}

/// What was current on a host before an operation.
enum WayBack<'s> {
    /// Nothing was.
    Nothing,
    /// This release was.
    Release(&'s ReleaseName),
}

/// What was current on a host before this operation: what it wrote there, and where it had ended, what the record of the
/// release says that it switched to, or, for a rollback, which rewrites no record, what was current on the other hosts.
fn way_back<'s>(seen: &Seen<'s>, intent: &'s Intent) -> Option<WayBack<'s>> {
    let own = latest(seen).filter(|own| own.operation == intent.operation);
    let from = match own {
        Some(own) => own.from.as_ref(),
        None if intent.command == Command::Rollback => intent.from.as_ref(),
        None => seen.state.release(&intent.to)?.previous.as_ref().ok()?.release(),
    };
    Some(from.map_or(WayBack::Nothing, WayBack::Release))
}

fn finishing(release: ReleaseName, hosts: Vec<HostPlan>, note: String) -> Plan {
    Plan { notes: vec![note], finishes: true, ..Plan::new(Command::Recover, release, hosts) }
}

fn markable(seen: &Seen<'_>, name: Option<&ReleaseName>) -> Option<ReleaseName> {
    name.filter(|name| seen.state.release(name).is_some_and(|release| release.bad.record().is_none())).cloned()
}

fn no_such(seen: &Seen<'_>, name: &ReleaseName) -> HostRefusal {
    seen.refuse(Reason::NoSuchRelease { name: name.clone(), instead: seen.state.stranger(name) })
}

fn refuse_any(refusals: Vec<HostRefusal>) -> Result<(), Refusal> {
    if refusals.is_empty() { Ok(()) } else { Err(Refusal::of(Command::Recover, refusals)) }
}
