//! The lock phase: takes the locks of all hosts or of none.
//!
//! One host, the first in a fixed order, is the arbiter. Its lock is taken first, so that of two runs on the same fleet
//! one wins and the other gets nothing. The others are then locked at once: a fleet costs one round trip more than a
//! single host, not one for each.
//!
//! * Failure: no lock is left; one that could not be released again is taken over by the next run.
//! * Kill: locks of a dead holder, which the next run takes over.
//! * Lost answer: the store reads whether it holds the lock; if that fails too, a failure, and the lock is that of a dead
//!   holder once this process ends.

use std::{collections::HashSet, time::Duration};

use futures_util::{StreamExt, future::join_all, stream};
use tokio::time::Instant;

use crate::{
    error::{Error, ErrorKind},
    event::{Event, Phase},
    lock::LockHolder,
    name::ReleaseName,
    plan::{Plan, Seen},
    report::{Failure, HostOutcome, HostReport, Outcome, Report},
    store::{Ended, Finish, FinishError, QuickCheck, StoreError},
};

use crate::fleet::{
    Host,
    locked_host::LockedHost,
    observe::{failed_host, untouched},
    operations::recover::has_caught_up,
    run::{Run, summary},
};

/// The words for a lock that was not taken, and for one that would not be.
pub(in crate::fleet) const NOT_LOCKED: &str = "a lock could not be taken, and nothing was touched";

/// The pause between two attempts to take a lock.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// A host whose lock was not taken.
struct NotLocked {
    host: String,
    failure: Failure,
    /// The holder, if that is why.
    holder: Option<Box<LockHolder>>,
}

/// The hosts whose lock could not be taken, and the reports of those whose lock was taken and released
/// again.
type NotTaken = (Vec<NotLocked>, Vec<HostReport>);

/// The hosts of which an event has told already: an attempt every half second is not worth one.
#[derive(Default)]
struct Told {
    locked: HashSet<String>,
    waiting: HashSet<String>,
}

impl<'r> Run<'r> {
    /// Takes the lock of every host and reads its state; or takes none and reports why.
    ///
    /// The same exchange makes the quick `check`.
    pub(in crate::fleet) async fn take_locks(&self, check: Option<&QuickCheck>) -> Result<Vec<LockedHost<'r>>, Report> {
        self.enter_phase(Phase::Lock, self.hosts.len());
        let until = Instant::now() + self.options.wait;
        let mut told = Told::default();
        if let Err(failed) = self.connect().await {
            return Err(self.not_locked(&failed, &[]));
        }
        loop {
            let (failed, seen) = match self.try_locks(check, &mut told).await {
                Ok(locked) => return Ok(locked),
                Err(not_taken) => not_taken,
            };
            let only_locked = failed.iter().all(|failed| failed.failure.kind == ErrorKind::Locked);
            if !only_locked || Instant::now() >= until || self.is_stopped() {
                let failed: Vec<_> = failed.into_iter().map(|failed| (failed.host, failed.failure)).collect();
                for (host, error) in failed.iter().filter(|_| !self.is_stopped()) {
                    self.emit(&Event::HostFailed { host: host.clone(), phase: Phase::Lock, error: error.clone() });
                }
                return Err(self.not_locked(&failed, &seen));
            }
            for NotLocked { host, holder, .. } in failed {
                if let Some(lock) = holder.filter(|_| told.waiting.insert(host.clone())) {
                    self.emit(&Event::Waiting { host, lock, seconds: self.options.wait.as_secs_f64() });
                }
            }
            let rest = RETRY_PAUSE.min(until.saturating_duration_since(Instant::now()));
            let _ = tokio::time::timeout(rest, self.stop_requested()).await;
        }
    }

    /// Connects to all hosts at once, which takes longer than everything that follows.
    ///
    /// Otherwise the others would wait for the arbiter's connection. This also finds unreachable hosts before any lock
    /// is taken.
    async fn connect(&self) -> Result<(), Vec<(String, Failure)>> {
        let connect = |host: &'r Host| async move {
            let connected = self.connect_to(host).await.map_err(|error| Failure::from(Error::from(error)));
            let error = connected.err()?;
            Some((host.name.clone(), self.report_step::<()>(&host.name, Phase::Lock, Err(error)).err()?))
        };
        let connects: Vec<_> = self.hosts.iter().map(connect).collect();
        let results: Vec<_> = stream::iter(connects).buffer_unordered(self.parallel).collect().await;
        let failed: Vec<_> = results.into_iter().flatten().collect();
        if failed.is_empty() { Ok(()) } else { Err(failed) }
    }

    async fn try_locks(&self, check: Option<&QuickCheck>, told: &mut Told) -> Result<Vec<LockedHost<'r>>, NotTaken> {
        let mut order: Vec<&'r Host> = self.hosts.iter().collect();
        // Neither names nor their order in a configuration decide, as these differ between machines.
        order.sort_by_key(|host| (host.store.to_string(), host.store.root().clone()));
        let (arbiter, others) = order.split_first().expect("a fleet has a host");
        let mut locked = vec![self.lock(arbiter, check).await.map_err(|failed| (vec![failed], Vec::new()))?];
        self.tell_locked(&arbiter.name, told);
        let locks: Vec<_> = others.iter().map(|host| self.lock(host, check)).collect();
        let mut results = stream::iter(locks).buffer_unordered(self.parallel);
        let mut failed = Vec::new();
        while let Some(result) = results.next().await {
            match result {
                Ok(host) => {
                    self.tell_locked(host.name(), told);
                    locked.push(host);
                }
                Err(failure) => failed.push(failure),
            }
        }
        drop(results);
        if failed.is_empty() {
            locked.sort_by_key(|host| self.hosts.iter().position(|member| member.name == host.member.name));
            return Ok(locked);
        }
        let seen = locked.iter().map(|host| untouched(host.name(), host.guard.state())).collect();
        self.release_locks(locked).await;
        Err((failed, seen))
    }

    /// Emits that a host is locked, once.
    fn tell_locked(&self, host: &str, told: &mut Told) {
        if told.locked.insert(host.to_owned()) {
            self.emit(&Event::HostDone { host: host.to_owned(), phase: Phase::Lock });
        }
    }

    async fn lock(&self, host: &'r Host, check: Option<&QuickCheck>) -> Result<LockedHost<'r>, NotLocked> {
        let guard = host.store.lock(&self.owner, check).await.map_err(|error| {
            let holder = match &error {
                StoreError::Locked { holder, .. } => Some(holder.clone()),
                _ => None,
            };
            NotLocked { host: host.name.clone(), failure: self.not_taken(error), holder }
        })?;
        Ok(LockedHost::new(host, guard))
    }

    /// Converts the error. A lock held by this very run means that two of its hosts have the same root.
    fn not_taken(&self, error: StoreError) -> Failure {
        match &error {
            StoreError::Locked { host, holder }
                if holder.owner.as_ref().is_some_and(|owner| owner.operation == self.owner.operation) =>
            {
                let message = format!("the root of {host} is also the root of another host; nothing was touched");
                Error::new(ErrorKind::Config, message).hint("list each root once").into()
            }
            _ => Error::from(error).into(),
        }
    }

    fn not_locked(&self, failed: &[(String, Failure)], seen: &[HostReport]) -> Report {
        let host = |host: &Host| match failed.iter().find(|(name, _)| *name == host.name) {
            Some((_, failure)) => failed_host(&host.name, failure.clone()),
            None => seen
                .iter()
                .find(|seen| seen.host == host.name)
                .cloned()
                .unwrap_or_else(|| HostReport::unread(&host.name, HostOutcome::Unchanged)),
        };
        if self.is_stopped() {
            return self.stopped(self.hosts.iter().map(host).collect());
        }
        let mut failed = failed.to_vec();
        failed.sort_by_key(|(name, _)| self.hosts.iter().position(|host| host.name == *name));
        let error = summary(NOT_LOCKED, &failed);
        self.report(Outcome::Refused, None, self.hosts.iter().map(host).collect(), Some(error))
    }

    /// Writes an attempt that failed before any lock into the history of every reachable host.
    ///
    /// Ignores failures: whoever holds a lock goes first, and a full disk was already reported. Returns the report with
    /// the releases that are current now, since others may have switched meanwhile.
    pub(in crate::fleet) async fn record_attempt(&self, plan: &Plan, mut report: Report) -> Report {
        let is_away = |host: &&'r Host| {
            let report = report.hosts.iter().find(|report| report.host == host.name);
            report.and_then(|report| report.error.as_ref()).is_some_and(|error| {
                matches!(error.kind, ErrorKind::Unreachable | ErrorKind::Unknown | ErrorKind::Unsuitable)
            })
        };
        let notes: Vec<_> = self
            .hosts
            .iter()
            .filter(|host| !is_away(host))
            .map(|host| self.record_attempt_on(host, plan, &report))
            .collect();
        let seen: Vec<_> = stream::iter(notes).buffer_unordered(self.parallel).collect().await;
        for (name, current) in seen.into_iter().flatten() {
            if let Some(host) = report.hosts.iter_mut().find(|host| host.host == name) {
                (host.before, host.after) = (current.clone(), current);
            }
        }
        report
    }

    /// Writes the attempt on one host, and returns the release that was current then.
    async fn record_attempt_on(
        &self,
        host: &'r Host,
        plan: &Plan,
        report: &Report,
    ) -> Option<(String, Option<ReleaseName>)> {
        let Ok(guard) = host.store.lock(&self.owner, None).await else {
            // The holder of the lock may have switched.
            let state = host.store.state().await.ok()?;
            return Some((host.name.clone(), state.current.release().cloned()));
        };
        let current = guard.state().current.release().cloned();
        let history = Ended {
            from: plan.host(&host.name).and_then(|plan| plan.before.named()).cloned(),
            to: Some(plan.release.clone()),
            pruned: Vec::new(),
            outcome: report.outcome,
            host: HostOutcome::Unchanged,
            unwell: false,
            seconds: self.seconds(),
            phases: self.phase_times(),
        };
        // If the lock is not released, the next run takes it over.
        let _ = guard.finish(&Finish { history: Some(history), ..Finish::default() }).await;
        Some((host.name.clone(), current))
    }

    /// Releases every lock, with nothing done. A failure is a warning: the next run takes the lock over.
    pub(in crate::fleet) async fn release_locks(&self, locked: Vec<LockedHost<'r>>) {
        self.release_locks_and_settle(locked, false).await;
    }

    /// Releases every lock, and with `settles` removes the leftovers of interrupted runs.
    pub(in crate::fleet) async fn release_locks_and_settle(&self, locked: Vec<LockedHost<'r>>, settles: bool) {
        let caught_up: Vec<Vec<String>> =
            locked.iter().map(|host| if settles { caught_up(host, &locked) } else { Vec::new() }).collect();
        join_all(locked.into_iter().zip(caught_up).map(|(host, caught_up)| async move {
            let nothing = Finish { paid: caught_up, settles, ..Finish::default() };
            let warnings = match host.guard.finish(&nothing).await {
                Ok(finished) => self.describe_seals(finished.sealed, finished.unsealed),
                Err(failed) => vec![lock_not_released(failed)],
            };
            for warning in warnings {
                self.warn(Some(host.member.name()), warning);
            }
        }))
        .await;
    }
}

/// Returns the pending hosts, as this one remembers them, that have caught up.
fn caught_up(host: &LockedHost<'_>, locked: &[LockedHost<'_>]) -> Vec<String> {
    let hosts: Vec<Seen<'_>> = locked.iter().map(LockedHost::seen).collect();
    let debts = host.guard.state().debts.iter();
    debts.filter(|debt| has_caught_up(debt, &host.seen(), &hosts)).map(|debt| debt.host.clone()).collect()
}

/// Describes a lock that could not be released.
pub(in crate::fleet) fn lock_not_released(failed: FinishError) -> String {
    let why = Error::from(failed.error).full_message();
    format!("cannot release the lock; the next run takes it over ({why})")
}
