//! Interrupted operations, host by host: a host's journal moves that host alone.

use crate::{
    hint::{Hint, Notice},
    name::ReleaseName,
    outcome::Command,
    report::Undone,
    store::{Intent, Interrupted},
    token::Token,
};

use super::{
    Action, DataMeans, HostPlan, HostRefusal, Plan, Reason, Refusal, Seen, data, describe,
    rollback::{is_markable, previous_of},
};

/// A host's role in an interrupted operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Has an intent of its own.
    Own,
    /// Has no intent, and is on the operation's target.
    There,
    /// Has no intent, and its own record leads to the target of the hosts that have one.
    Along,
    /// Has no intent, and its own record leads elsewhere.
    Apart,
    /// Did not take part.
    Outside,
}

/// An interrupted operation.
#[derive(Debug)]
pub(super) struct Begun<'s> {
    /// The command, from the intents if any host has one.
    pub(super) command: Command,
    /// The intent of one host, which stands for all, since all move to one release. `None` when the operation only
    /// held its locks.
    pub(super) intent: Option<&'s Intent>,
    /// The role of each host, in the order of the hosts.
    pub(super) parts: Vec<Part>,
}

/// Returns a host's intent of its last interrupted rollback, or, with `forward`, deploy or activation.
///
/// The last one is the intent that no other intent on the host supersedes.
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

/// Returns the interrupted rollback to finish.
///
/// `None` when there is none, or when it moved no host and a participating host has no intent: such a rollback leaves
/// only traces.
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

/// Returns the interrupted deploy or activation, even if it only held its locks.
///
/// # Errors
///
/// [`Refusal`] when hosts have intents of several operations.
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

/// Returns `true` if a host's own records lead to this release with the command that is running now.
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
    // A host that switched and no longer has an intent goes where the intents of the others lead.
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

/// Returns a test of whether a host took part in an operation, according to the lock owners that it left.
///
/// If one of them cannot tell, all hosts took part.
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

/// Builds the refusal of several interrupted operations, none of which knew of the others.
fn several(command: Command, hosts: &[Seen<'_>]) -> Refusal {
    let words = |seen: &Seen<'_>| {
        let intent = latest(seen, false).or(latest(seen, true));
        intent.map_or_else(
            || "no leftovers".to_owned(),
            |intent| format!("{} to {} interrupted", intent.command, intent.to),
        )
    };
    let row = |seen: &Seen<'_>| (seen.host.to_owned(), describe(&seen.state.current), words(seen));
    let refusals = hosts.iter().map(|seen| seen.refuse(Reason::HostsDiffer)).collect();
    Refusal { table: hosts.iter().map(row).collect(), ..Refusal::of(command, refusals) }
}

/// Plans to finish an interrupted rollback.
///
/// Hosts that did not take part stay. Hosts that should have rolled back but whose own records lead elsewhere are
/// listed in [`Plan::stranded`].
///
/// # Errors
///
/// [`Refusal`] when a host lacks its target, or never sealed it.
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
    plan.notes.push(format!("finishes the interrupted rollback to {to}, and goes no further back"));
    plan.stranded = stranded(begun, hosts);
    Ok(plan)
}

/// Returns the hosts that took part and whose own records lead elsewhere.
fn stranded(begun: &Begun<'_>, hosts: &[Seen<'_>]) -> Vec<String> {
    let apart = begun.parts.iter().zip(hosts).filter(|(part, _)| **part == Part::Apart);
    apart.map(|(_, seen)| seen.host.to_owned()).collect()
}

/// Plans to undo an interrupted deploy or activation, each host by its own intent.
///
/// With `along`, hosts without an intent whose own record leads to the same release move back too.
///
/// # Errors
///
/// [`Refusal`] when a host lacks the release that it would move back to, when with `along` a host that switched cannot
/// move back with the others, or when the data cannot be reverted.
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
        let note = format!("undoes the interrupted {what}, which changed nothing");
        return Ok(undone(Plan::staying(command, current, hosts), Undone::new(what, None), note));
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
    let going_back = plans.iter().filter(|plan| plan.action == Action::GoBack);
    let release = going_back.chain(&plans).find_map(HostPlan::arrives_on).unwrap_or(to).clone();
    let note = format!("undoes the interrupted {what} to {to}");
    let mut plan = undone(Plan::new(command, release, plans), Undone::new(what, Some(to.clone())), note);
    plan.stranded = apart;
    plan.data = data::undo(command, to, means, hosts)?;
    Ok(plan)
}

/// Marks `plan` as one that undoes an operation, and adds `note`.
fn undone(mut plan: Plan, undoes: Undone, note: String) -> Plan {
    (plan.finishes, plan.undoes) = (true, Some(undoes));
    if plan.command == Command::Rollback && plan.moves_nothing() {
        let current = plan.hosts.iter().find_map(HostPlan::arrives_on);
        let still = current.map_or("nothing is".to_owned(), |current| format!("{current} is still"));
        plan.warnings.push(Notice::new(format!("{note}: {still} current")).hint(Hint::RollbackFurther));
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
