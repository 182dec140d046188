//! Checks the invariants against the hosts after every event. FAULTS.md I01 to I26.

use std::collections::BTreeSet;

use switchback::{
    ReleaseName, Report,
    report::{HostOutcome, HostReport, Outcome},
    transport::{
        MemoryHost,
        raw::{Op, Reply},
    },
};

use crate::simulation::{
    command::Command,
    ground::{Ground, record_line},
    names::lock_of,
    puppet::{Answer, Call, ROOT},
};

/// The violated invariant, as a message.
pub(crate) type Verdict = Result<(), String>;

/// The actions of one command, as the checker saw them.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) id: usize,
    pub(crate) command: Command,
    /// The release that it switches to, once that is known.
    target: Option<String>,
    hosts: Vec<HostTrace>,
}

/// A value of `current`: a release or nothing.
#[derive(Debug, Clone, PartialEq)]
struct On(Option<String>);

impl On {
    fn named(name: Option<&str>) -> Self {
        Self(name.map(ToOwned::to_owned))
    }
}

#[derive(Debug, Clone, Default)]
struct HostTrace {
    /// `current` when the command last read it and received the answer.
    view: Option<On>,
    /// `current` before the command first changed it.
    before: Option<On>,
}

impl Trace {
    pub(crate) fn new(id: usize, command: Command, hosts: usize) -> Self {
        let target = command.names().map(ToOwned::to_owned);
        Self { id, command, target, hosts: vec![HostTrace::default(); hosts] }
    }
}

/// Returns the suffix of every token of the command `id`.
pub(crate) fn signature(id: usize) -> String {
    format!("{id:06x}")
}

/// The state of each host, as the checker knows it.
#[derive(Debug, Default)]
pub(crate) struct Checker {
    hosts: Vec<Watched>,
    /// Whether people change hosts by hand, or take locks from live holders.
    people: bool,
}

#[derive(Debug, Default)]
struct Watched {
    ground: Ground,
    /// Somebody changed `current`, or its target, by hand.
    meddled: bool,
    was_current: BTreeSet<String>,
}

macro_rules! hold {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err(format!($($words)+));
        }
    };
}

impl Checker {
    pub(crate) fn new(hosts: usize, people: bool) -> Self {
        Self { hosts: (0..hosts).map(|_| Watched::default()).collect(), people }
    }

    pub(crate) fn ground(&self, host: usize) -> &Ground {
        &self.hosts[host].ground
    }

    /// Records a change by hand.
    pub(crate) fn meddled(&mut self, at: usize, host: &MemoryHost) {
        let watched = &mut self.hosts[at];
        let ground = Ground::read(host);
        let on = ground.on().map(ToOwned::to_owned);
        watched.meddled |=
            ground.link != watched.ground.link || !on.as_deref().is_some_and(|on| ground.is_complete(on));
        watched.was_current.extend(on);
        watched.ground = ground;
    }

    /// Checks a host after a call was executed there, completely or partly.
    pub(crate) fn carried_out(&mut self, trace: &mut Trace, at: usize, host: &MemoryHost, call: &Call) -> Verdict {
        if !call.changes() {
            return Ok(());
        }
        let before = std::mem::replace(&mut self.hosts[at].ground, Ground::read(host));
        let after = self.hosts[at].ground.clone();
        if before.link != after.link {
            self.switched(trace, at, &before)?;
        }
        under_the_lock(trace, &before, &after, call)?;
        self.releases(trace, at, &before)?;
        let watched = &self.hosts[at];
        let leads = after.on().is_some_and(|on| after.is_complete(on));
        hold!(watched.meddled || after.link.is_none() || leads, "I01: `current` leads to no complete release");
        Ok(())
    }

    /// Checks a change of `current`.
    fn switched(&mut self, trace: &mut Trace, at: usize, before: &Ground) -> Verdict {
        let after = &self.hosts[at].ground;
        let Some(on) = after.on().map(ToOwned::to_owned) else {
            let first = trace.hosts[at].before == Some(On(None));
            // A rollback reverts an interrupted first deploy.
            let is_interrupted_first =
                |on: &str| before.intents.contains(on) && before.record(on) == Some(record_line(None).as_str());
            let reverts =
                matches!(trace.command, Command::Rollback { .. }) && before.on().is_some_and(is_interrupted_first);
            hold!(first || reverts, "I01: `current` was taken away, and there was one before this command");
            trace.hosts[at].before.get_or_insert_with(|| On::named(before.on()));
            return Ok(());
        };
        hold!(after.is_complete(&on), "I01: switched to {on}, which is not complete");
        if trace.target.get_or_insert_with(|| on.clone()) == &on {
            if trace.command.records() {
                let was = record_line(before.on());
                let record = after.record(&on);
                // A removed `current` is only linked again, and the record stays.
                let relinked = before.link.is_none() && record.is_some() && record == before.record(&on);
                let holds = record == Some(&was) || relinked;
                hold!(holds, "I10: {on} was switched to from {was:?}, and its record says {record:?}");
            }
            self.barrier(trace, &on)?;
            trace.hosts[at].before.get_or_insert_with(|| On::named(before.on()));
        } else {
            let was = trace.hosts[at].before.as_ref();
            hold!(was == Some(&On::named(Some(&on))), "put back to {on}, and it was on {was:?} before");
        }
        let watched = &mut self.hosts[at];
        watched.meddled = false;
        watched.was_current.insert(on);
        Ok(())
    }

    /// Checks that every host has the target, with its record. FAULTS.md I25.
    fn barrier(&self, trace: &Trace, target: &str) -> Verdict {
        for (at, watched) in self.hosts.iter().enumerate() {
            let ready = watched.ground.is_complete(target)
                && (!trace.command.records() || watched.ground.record(target).is_some());
            hold!(self.people || ready, "I25: switched to {target} before host {at} was prepared");
        }
        Ok(())
    }

    /// Checks that releases appear complete, stay unchanged, and are removed only if they were never current. FAULTS.md
    /// I09, I11, I13, I14, I15.
    fn releases(&self, trace: &Trace, at: usize, before: &Ground) -> Verdict {
        let Watched { ground: after, was_current, .. } = &self.hosts[at];
        let own = |name: &str| trace.command.names() == Some(name);
        for (name, old) in &before.releases {
            let Some(new) = after.releases.get(name) else {
                if let Command::Prune { .. } = trace.command {
                    hold!(after.link == before.link, "{name} was pruned as `current` changed");
                    self.pruned(at, before, name)?;
                    continue;
                }
                let free = own(name) && !was_current.contains(name) && after.on() != Some(name);
                hold!(free, "I13: {name} was removed");
                continue;
            };
            hold!(new.page == old.page && new.complete == old.complete, "I14: {name} was changed");
            let may = own(name) && trace.command.records() || before.intents.contains(name);
            hold!(new.record == old.record || may, "I15: the record of {name} was changed");
        }
        for (name, new) in &after.releases {
            hold!(before.releases.contains_key(name) || own(name), "I09: {name} came from nowhere");
            hold!(new.complete, "I09: {name} is not complete");
            let record = new.record.as_deref().map(str::trim_end);
            let own_path = record_line(Some(name));
            hold!(
                record != Some("") && record != Some(own_path.trim_end()),
                "I11: the record of {name} says {record:?}"
            );
        }
        Ok(())
    }

    /// Checks rule 9 of the contract: pruning keeps the current release, the target of a rollback, pinned releases and
    /// those that an interrupted operation names. People may change these between the read and the removal.
    fn pruned(&self, at: usize, before: &Ground, name: &str) -> Verdict {
        hold!(before.on() != Some(name), "{name} was pruned, and is current");
        if self.people {
            return Ok(());
        }
        hold!(!before.releases[name].pinned, "{name} was pruned, and is pinned");
        hold!(!before.intents.contains(name), "{name} was pruned, and an interrupted operation names it");
        let others = self.hosts.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, other)| &other.ground);
        for ground in others.chain([before]) {
            let needed = ground.on() == Some(name) || way_back(ground) == Some(name);
            hold!(!needed, "{name} was pruned, and a host is on it, or would go back to it: {ground:?}");
        }
        Ok(())
    }

    /// Records what a command has read, with its answer.
    pub(crate) fn answered(&self, trace: &mut Trace, at: usize, call: &Call, answer: &Answer) {
        let (Call::Execute(batch), Answer::Replies(replies)) = (call, answer) else { return };
        let reads = batch.steps.iter().zip(replies).any(|(step, reply)| {
            matches!((&step.op, reply), (Op::ReadLink { path }, Reply::Link(_)) if path.as_str() == "current")
        });
        // Removing `current` after a first deploy is not read back: the rename itself is the proof.
        let away =
            batch.steps.iter().any(|step| matches!(&step.op, Op::MoveInto { from, .. } if from.as_str() == "current"));
        if reads || away {
            let ground = &self.hosts[at].ground;
            let on = ground.on().filter(|on| ground.releases.contains_key(*on));
            trace.hosts[at].view = Some(On::named(on));
        }
    }
}

/// Checks that a report is true. FAULTS.md I21, I22, I23, I25.
pub(crate) fn reported(trace: &Trace, report: &Report) -> Verdict {
    hold!(report.hosts.len() == trace.hosts.len(), "I21: a host is missing in the report");
    for (host, done) in report.hosts.iter().zip(&trace.hosts) {
        host_is_true(host, done).map_err(|why| format!("I21: {}: {why}, it says {host:?}", host.host))?;
    }
    let untouched = trace.hosts.iter().all(|host| host.before.is_none());
    let where_it_was = trace.hosts.iter().all(|host| host.before.is_none() || host.before == host.view);
    match report.outcome {
        Outcome::Done => is_done(trace, report),
        Outcome::Unchanged | Outcome::Refused | Outcome::Failed if !untouched => {
            Err(format!("I25: it says {:?}, and something was switched", report.outcome))
        }
        Outcome::PutBack | Outcome::Interrupted if !where_it_was => {
            Err(format!("it says {:?}, and a host is not where it was", report.outcome))
        }
        Outcome::Error | Outcome::Differs => Err(format!("a bug: {report:?}")),
        _ => Ok(()),
    }
}

/// Checks that after `done`, every host was read back in the requested state. FAULTS.md I22.
fn is_done(trace: &Trace, report: &Report) -> Verdict {
    if let (Command::Stage { .. } | Command::Pin { .. } | Command::Status, _) | (_, None) =
        (&trace.command, &report.release)
    {
        return Ok(());
    }
    let target = On::named(report.release.as_ref().map(ReleaseName::as_str));
    // The revert of an interrupted first deploy names that deploy.
    let reverted = |host: &HostTrace| host.view == Some(On(None)) && host.before.as_ref() == Some(&target);
    let all = trace.hosts.iter().all(|host| host.view.as_ref() == Some(&target) || reverted(host));
    hold!(all, "I22: it says done, and was seen on {:?}", trace.hosts);
    Ok(())
}

/// Checks that a call that changes a root holds its lock at that moment. FAULTS.md I26.
fn under_the_lock(trace: &Trace, before: &Ground, after: &Ground, call: &Call) -> Verdict {
    if before.link == after.link && before.releases == after.releases {
        return Ok(());
    }
    let Call::Execute(batch) = call else { return Err("an upload changed more than its own".to_owned()) };
    let held = before.lock.as_deref();
    let own = match lock_of(batch) {
        Some(token) => held == Some(&token),
        None => held.is_some_and(|held| held.ends_with(&signature(trace.id))),
    };
    hold!(own, "I26: changed by {:?} although {held:?} holds the lock", trace.command);
    Ok(())
}

/// Checks that the report shows a host as the command last read it.
fn host_is_true(host: &HostReport, done: &HostTrace) -> Verdict {
    let after = On::named(host.after.as_ref().map(ReleaseName::as_str));
    let seen = done.view.as_ref() == Some(&after);
    match host.outcome {
        HostOutcome::Switched => hold!(seen && done.before.is_some(), "the last look saw {:?}", done.view),
        HostOutcome::Reverted => hold!(seen && done.before.as_ref() == Some(&after), "it was on {:?}", done.before),
        HostOutcome::Unchanged => {
            hold!(done.before.is_none(), "it was switched");
            hold!(seen || host.after.is_none(), "the last look saw {:?}", done.view);
        }
        HostOutcome::Failed => hold!(seen || host.after.is_none(), "the last look saw {:?}", done.view),
        HostOutcome::Refused | HostOutcome::Unreachable => hold!(done.before.is_none(), "it was switched"),
        _ => {}
    }
    Ok(())
}

/// Returns the target of a host's next rollback: along the records, past bad releases.
fn way_back(ground: &Ground) -> Option<&str> {
    let mut passed: Vec<&str> = ground.on().into_iter().collect();
    loop {
        let line = ground.record(passed.last()?)?.trim_end();
        let name = line.strip_prefix(ROOT)?.strip_prefix("/releases/")?;
        let (name, before) = ground.releases.get_key_value(name)?;
        match before {
            _ if passed.contains(&name.as_str()) => return None,
            before if before.bad => passed.push(name),
            _ => return Some(name),
        }
    }
}
