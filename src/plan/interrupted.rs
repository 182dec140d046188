//! What interrupted operations left, host by host: what one host's journal says moves that host alone.

use crate::{
    name::ReleaseName,
    outcome::Command,
    store::{Intent, Interrupted},
    token::Token,
};

use super::{
    Action, DataMeans, HostPlan, HostRefusal, Plan, Reason, Refusal, Seen, data, describe,
    rollback::{is_markable, previous_of},
};

/// What a host has to do with an interrupted operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// It has an intent of its own.
    Own,
    /// It has none, and is where the operation was going.
    There,
    /// It has none, and its own record leads where those with an intent go.
    Along,
    /// It has none, and its own record leads elsewhere.
    Apart,
    /// It did not take part.
    Outside,
}

/// An interrupted operation.
#[derive(Debug)]
pub(super) struct Begun<'s> {
    /// The command; that of its intents, where any host has one.
    pub(super) command: Command,
    /// What it was about to do: on a host that has an intent, since all go to one release. `None` when it had come no
    /// further than its locks.
    pub(super) intent: Option<&'s Intent>,
    /// The part of each host, in their order.
    pub(super) parts: Vec<Part>,
}

/// What the last interrupted rollback, or (`forward`) deploy or activation, was about to do on a host: the one that knew
/// of all others there.
pub(super) fn latest<'s>(seen: &Seen<'s>, forward: bool) -> Option<&'s Intent> {
    let intents = || {
        let intents = seen.state.interrupted.iter().filter_map(|left: &Interrupted| left.intent.record());
        intents
            .filter(|intent| if forward { goes_forward(intent.command) } else { intent.command == Command::Rollback })
    };
    intents().find(|intent| !intents().any(|other| other.supersedes.contains(&intent.operation)))
}

fn goes_forward(command: Command) -> bool {
    matches!(command, Command::Deploy | Command::Activate)
}

/// The interrupted rollback that is to be finished. `None` when there is none, or it moved no host and a host that took part
/// has no intent: that one leaves only traces.
///
/// # Errors
///
/// [`Refusal`] when hosts have intents of several rollbacks.
pub(super) fn rollback<'s>(
    command: Command,
    leads: Leads<'_>,
    hosts: &[Seen<'s>],
) -> Result<Option<Begun<'s>>, Refusal> {
    let Some(begun) = find(command, leads, hosts, false)? else { return Ok(None) };
    let Some(intent) = begun.intent else { return Ok(None) };
    let with_parts = || begun.parts.iter().zip(hosts);
    let switched = with_parts().any(|(part, seen)| *part == Part::Own && seen.current() == Some(&intent.to));
    let missing = begun.parts.iter().any(|part| matches!(part, Part::Along | Part::Apart));
    Ok((switched || !missing).then_some(begun))
}

/// The interrupted deploy or activation, be it no more than its locks.
///
/// # Errors
///
/// [`Refusal`] when hosts have intents of several.
pub(super) fn forward<'s>(command: Command, hosts: &[Seen<'s>]) -> Result<Option<Begun<'s>>, Refusal> {
    let leads = |seen: &Seen<'_>, to: &ReleaseName| previous_of(seen) == Some(to);
    if let Some(begun) = find(command, &leads, hosts, true)? {
        return Ok(Some(begun));
    }
    let trace = |left: &Interrupted| {
        let command = left.owner.record().map(|owner| owner.command);
        command.filter(|command| goes_forward(*command) && !left.intent.exists())
    };
    let traced = hosts.iter().find_map(|seen| seen.state.interrupted.iter().find_map(trace));
    Ok(traced.map(|command| Begun { command, intent: None, parts: vec![Part::Outside; hosts.len()] }))
}

/// Whether a host's own records lead where the command that is typed now would take it: to this release.
type Leads<'l> = &'l dyn Fn(&Seen<'_>, &ReleaseName) -> bool;

fn find<'s>(
    command: Command,
    leads: Leads<'_>,
    hosts: &[Seen<'s>],
    forward: bool,
) -> Result<Option<Begun<'s>>, Refusal> {
    let own = |seen: &Seen<'s>| latest(seen, forward);
    let Some(intent) = hosts.iter().find_map(own) else { return Ok(None) };
    if hosts.iter().filter_map(own).any(|other| other.operation != intent.operation || other.to != intent.to) {
        return Err(several(command, hosts));
    }
    let took_part = members(hosts, &intent.operation);
    // Where a host goes that switched and has an intent no more: those with one say where the others go back to.
    let goal = if forward { intent.from.as_ref() } else { Some(&intent.to) };
    let part = |seen: &Seen<'s>| {
        let there = seen.current() == Some(&intent.to);
        match own(seen) {
            Some(_) => Part::Own,
            None if !took_part(seen.host) => Part::Outside,
            None if there && forward && goal.is_some_and(|goal| leads(seen, goal)) => Part::Along,
            None if there => Part::There,
            None if !forward && leads(seen, &intent.to) => Part::Along,
            None => Part::Apart,
        }
    };
    Ok(Some(Begun { command: intent.command, intent: Some(intent), parts: hosts.iter().map(part).collect() }))
}

/// Whether a host took part in an operation, as those say that it left something on; all did where one cannot say.
fn members<'s>(hosts: &[Seen<'s>], operation: &Token) -> impl Fn(&str) -> bool + use<'s> {
    let mut members: Vec<&'s str> = Vec::new();
    let mut all = false;
    for left in hosts.iter().flat_map(|seen| &seen.state.interrupted) {
        if left.intent.record().is_some_and(|intent| intent.operation == *operation) {
            match left.owner.record() {
                Some(owner) if !owner.hosts.is_empty() => members.extend(owner.hosts.iter().map(String::as_str)),
                _ => all = true,
            }
        }
    }
    move |host| all || members.contains(&host)
}

/// The refusal because several operations were interrupted, none of which knew of the others.
fn several(command: Command, hosts: &[Seen<'_>]) -> Refusal {
    let words = |seen: &Seen<'_>| {
        let intent = latest(seen, false).or(latest(seen, true));
        intent.map_or_else(
            || "nothing was left".to_owned(),
            |intent| format!("{} to {} interrupted", intent.command, intent.to),
        )
    };
    let row = |seen: &Seen<'_>| (seen.host.to_owned(), describe(&seen.state.current), words(seen));
    let refusals = hosts.iter().map(|seen| seen.refuse(Reason::HostsDiffer)).collect();
    Refusal { table: hosts.iter().map(row).collect(), ..Refusal::of(command, refusals) }
}

/// Plans to finish an interrupted rollback. Hosts that it has nothing to do with stay where they are; those that should have
/// come along, and whose own records lead elsewhere, are named.
///
/// # Errors
///
/// [`Refusal`] when a host lacks the release that it would go to, or that was never made ready there.
pub(super) fn finish(command: Command, begun: &Begun<'_>, hosts: &[Seen<'_>]) -> Result<Plan, Refusal> {
    let Some(intent) = begun.intent else { return Err(several(command, hosts)) };
    let to = &intent.to;
    let (mut plans, mut refusals) = (Vec::new(), Vec::new());
    for (part, seen) in begun.parts.iter().zip(hosts) {
        let moves = matches!(part, Part::Own | Part::Along) && seen.current() != Some(to);
        if moves {
            refusals.extend(has(seen, to).and_then(|()| seen.sealed(to)).err());
        }
        let left =
            latest(seen, false).and_then(|own| own.from.as_ref()).or(seen.state.current.named().filter(|_| moves));
        let takes_part = !matches!(part, Part::Apart | Part::Outside);
        plans.push(HostPlan {
            marks_bad: left.filter(|left| takes_part && is_markable(seen, left, to)).cloned(),
            clears_mark: moves && seen.state.release(to).is_some_and(|release| release.bad.exists()),
            ..HostPlan::new(seen, to, if moves { Action::GoBack } else { Action::Stay })
        });
    }
    if !refusals.is_empty() {
        return Err(Refusal::of(command, refusals));
    }
    let mut plan = Plan::new(command, to.clone(), plans);
    plan.finishes = true;
    plan.notes.push(format!("finishes the rollback to {to} that was interrupted, and goes no further back"));
    plan.stranded = stranded(begun, hosts);
    Ok(plan)
}

/// The hosts that should have come along, and do not.
fn stranded(begun: &Begun<'_>, hosts: &[Seen<'_>]) -> Vec<String> {
    let apart = begun.parts.iter().zip(hosts).filter(|(part, _)| **part == Part::Apart);
    apart.map(|(_, seen)| seen.host.to_owned()).collect()
}

/// Plans to undo an interrupted deploy or activation: each host goes back by its own intent, and with `along` those too
/// that have none any more and whose own record leads to the same release.
///
/// # Errors
///
/// [`Refusal`] when a host lacks the release that it would go back to, when one that switched has no way back with the
/// others, or when the data cannot be reverted.
pub(super) fn undo(
    command: Command,
    begun: &Begun<'_>,
    along: bool,
    means: DataMeans<'_>,
    hosts: &[Seen<'_>],
) -> Result<Plan, Refusal> {
    let what = begun.command;
    let Some(intent) = begun.intent else {
        let Some(current) = hosts.iter().find_map(Seen::current) else {
            let refusals = hosts.iter().map(|seen| seen.refuse(Reason::NotDeployed)).collect();
            return Err(Refusal::of(command, refusals));
        };
        let note = format!("undoes the {what} that was interrupted before it changed anything");
        return Ok(undone(Plan::staying(command, current, hosts), note, hosts));
    };
    let to = &intent.to;
    let (mut plans, mut refusals) = (Vec::new(), Vec::new());
    let mut apart: Vec<String> = Vec::new();
    let switched = |part: &Part| *part == Part::Own || (along && *part == Part::Along);
    let fled = begun.parts.iter().zip(hosts).any(|(part, seen)| switched(part) && seen.current() == Some(to));
    for (part, seen) in begun.parts.iter().zip(hosts) {
        let from = match part {
            Part::Own => latest(seen, true).map(|own| own.from.as_ref()),
            Part::Along if along => Some(intent.from.as_ref()),
            _ => None,
        };
        let (release, action) = match from.filter(|_| seen.current() == Some(to)) {
            None => (to, Action::Stay),
            Some(None) => (to, Action::TakeAway),
            Some(Some(from)) => (from, Action::GoBack),
        };
        if action == Action::GoBack {
            refusals.extend(has(seen, release).err());
        }
        if matches!(part, Part::Along | Part::There) && action == Action::Stay {
            if along {
                refusals.push(seen.refuse(Reason::HostsDiffer));
            } else {
                apart.push(seen.host.to_owned());
            }
        }
        let is_good = seen.state.release(to).is_some_and(|release| !release.bad.exists());
        let marks_bad = (fled && switched(part) && is_good).then(|| to.clone());
        plans.push(HostPlan { marks_bad, ..HostPlan::new(seen, release, action) });
    }
    if !refusals.is_empty() {
        return Err(Refusal::of(command, refusals));
    }
    let from = plans.iter().find(|plan| plan.action == Action::GoBack).map(|plan| plan.release.clone());
    let note = format!("undoes the {what} to {to} that was interrupted");
    let mut plan = undone(Plan::new(command, to.clone(), plans), note, hosts);
    plan.release = from.unwrap_or(plan.release);
    plan.stranded = apart;
    plan.data = data::undo(command, to, means, hosts)?;
    Ok(plan)
}

/// The plan `plan`, which undoes an operation.
fn undone(mut plan: Plan, note: String, hosts: &[Seen<'_>]) -> Plan {
    let current = hosts.iter().find_map(Seen::current);
    (plan.finishes, plan.undoes) = (true, true);
    if plan.command == Command::Rollback && !plan.hosts.iter().any(|host| host.action.switches()) {
        let still = current.map_or("nothing is".to_owned(), |current| format!("{current} is still"));
        plan.warnings.push(format!("{note}: {still} current, and another `switchback rollback` goes one further back"));
    }
    plan.notes.push(note);
    plan
}

fn has(seen: &Seen<'_>, name: &ReleaseName) -> Result<(), HostRefusal> {
    if seen.state.release(name).is_some() {
        return Ok(());
    }
    Err(seen.refuse(Reason::NoSuchRelease { name: name.clone(), instead: seen.state.stranger(name) }))
}
