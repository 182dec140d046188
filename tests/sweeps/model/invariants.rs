//! Invariants of every step of the model. FAULTS.md I01 to I27.

use switchback::{
    ReleaseName, Report,
    report::{HostOutcome, HostReport, Outcome},
};

use crate::model::{
    HOSTS,
    command::Command,
    ground::{Ground, record_line},
    names::lock_of,
    puppet::Call,
};

/// The violated invariant, as a message.
pub(crate) type Verdict = Result<(), String>;

/// A value of `current`: nothing, a release of the model, or not read yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum On {
    NotSeen,
    Nothing,
    Release(&'static str),
}

impl On {
    pub(crate) fn of(name: Option<&str>) -> Self {
        let known =
            |name: &str| crate::model::RELEASES.into_iter().find(|known| *known == name).expect("a known release");
        name.map_or(Self::Nothing, |name| Self::Release(known(name)))
    }
}

/// The view and the changes of one controller on each host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Trace {
    /// `current` when the controller last read it.
    pub(crate) view: [On; HOSTS],
    /// `current` before the controller's first switch.
    pub(crate) before: [On; HOSTS],
}

impl Trace {
    pub(crate) fn new() -> Self {
        Self { view: [On::NotSeen; HOSTS], before: [On::NotSeen; HOSTS] }
    }
}

macro_rules! hold {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err(format!($($words)+));
        }
    };
}

/// An executed call.
pub(crate) struct Step<'s> {
    pub(crate) controller: usize,
    pub(crate) command: Command,
    pub(crate) host: usize,
    pub(crate) call: &'s Call,
    pub(crate) before: &'s Ground,
    /// The state of every host after the call.
    pub(crate) after: [&'s Ground; HOSTS],
    /// Whether locks are taken from live holders: then no command can keep the other hosts prepared.
    pub(crate) steals: bool,
}

impl Step<'_> {
    /// Checks the step against the invariants, and records it in the trace.
    pub(crate) fn check(&self, trace: &mut Trace) -> Verdict {
        let after = self.after[self.host];
        if self.before.link == after.link && self.before.releases == after.releases {
            return Ok(());
        }
        self.under_the_lock()?;
        for (name, release) in &after.releases {
            hold!(release.complete, "I09: {name} is not complete");
        }
        for (name, release) in &self.before.releases {
            let Some(new) = after.releases.get(name) else {
                hold!(self.command.target() == Some(name), "I13: {name} was removed");
                continue;
            };
            let may = self.command.target() == Some(name) || self.before.intents.contains(name);
            hold!(new.record == release.record || may, "I15: the record of {name} was changed");
        }
        let leads = after.on().is_some_and(|on| after.is_complete(on));
        hold!(leads, "I01: `current` leads to {:?}", after.link);
        if self.before.link == after.link { Ok(()) } else { self.switched(trace) }
    }

    /// Checks that the call holds the lock under which it was sent. FAULTS.md I26.
    fn under_the_lock(&self) -> Verdict {
        let Call::Execute(batch) = self.call else { return Err("an upload changed a release".to_owned()) };
        let held = self.before.lock.as_deref();
        let own = match lock_of(batch) {
            Some(token) => held == Some(&token),
            None => held.is_some_and(|held| held.starts_with(&format!("{:08x}", self.controller))),
        };
        hold!(own, "I26: {:?} changed host {} while {held:?} held its lock", self.command, self.host);
        Ok(())
    }

    fn switched(&self, trace: &mut Trace) -> Verdict {
        let (after, on) = (self.after[self.host], self.after[self.host].on());
        let was = trace.before[self.host];
        if was != On::NotSeen && was == On::of(on) {
            return Ok(());
        }
        let name = on.unwrap_or_default();
        if let Some(target) = self.command.target() {
            hold!(target == name, "switched to {name}, which nobody asked for");
            let (record, expected) = (after.record(name), record_line(self.before.on()));
            hold!(record == Some(&expected), "I10: {name} was switched to from {expected:?}, its record is {record:?}");
        }
        for (host, ground) in self.after.iter().enumerate() {
            let recorded = self.command.target().is_none() || ground.record(name).is_some();
            let ready = ground.is_complete(name) && recorded;
            hold!(self.steals || ready, "I25: switched to {name} before host {host} was prepared");
        }
        if was == On::NotSeen {
            trace.before[self.host] = On::of(self.before.on());
        }
        Ok(())
    }
}

/// Checks a command's report against the hosts. FAULTS.md I21, I22, I23, I25.
pub(crate) fn reported(trace: &Trace, reports: &[Report]) -> Verdict {
    let hosts = reports.iter().flat_map(|report| &report.hosts);
    for (host, report) in hosts.enumerate() {
        host_is_true(report, trace.view[host], trace.before[host])?;
    }
    let untouched = trace.before.iter().all(|before| *before == On::NotSeen);
    for report in reports {
        let outcome = report.outcome;
        let back = (0..HOSTS).all(|host| trace.before[host] == On::NotSeen || trace.before[host] == trace.view[host]);
        match outcome {
            Outcome::Done => {
                let target = On::of(report.release.as_ref().map(ReleaseName::as_str));
                let all = reports.len() > 1 || trace.view.iter().all(|view| *view == target);
                hold!(all, "I22: it says done, and saw {:?}", trace.view);
            }
            Outcome::PutBack => hold!(back, "it says put back, and saw {:?}", trace.view),
            Outcome::Inconsistent => {}
            _ => hold!(untouched, "I25: it says {outcome:?}, and something was switched"),
        }
    }
    Ok(())
}

fn host_is_true(report: &HostReport, view: On, before: On) -> Verdict {
    let after = On::of(report.after.as_ref().map(ReleaseName::as_str));
    let (seen, said) = (view == after, report.after.is_some());
    let holds = match report.outcome {
        HostOutcome::Switched => seen && said,
        HostOutcome::Reverted => seen && before == after,
        HostOutcome::Unchanged => before == On::NotSeen && (seen || !said),
        HostOutcome::Failed => seen || !said,
        HostOutcome::Refused | HostOutcome::Unreachable => before == On::NotSeen,
        _ => true,
    };
    hold!(holds, "I21: it was on {before:?} and last seen on {view:?}, and is said to be {report:?}");
    Ok(())
}
