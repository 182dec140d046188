//! Lock, plan, execute: for every command that uploads nothing.

use futures_util::future::join_all;

use crate::{
    event::Phase,
    outcome::{Command, HostOutcome, Outcome},
    plan::{self, Plan, Refusal, Seen},
    report::{Failure, HostReport, Report},
};

use super::{
    locked_host::LockedHost,
    observe::{failed_host, failure, untouched},
    run::{Run, summary},
    verify::Warnings,
};

/// Plans on the states of the hosts; returns no plan if there is nothing to do.
pub(super) type Planner<'p> = dyn Fn(&[Seen<'_>]) -> Result<Option<Plan>, Refusal> + Send + Sync + 'p;

impl<'r> Run<'r> {
    /// Locks, plans on the state read under the locks, and executes. A dry run only observes and plans.
    pub(super) async fn plan_and_execute(&self, plan: &Planner<'_>) -> Report {
        if self.options.dry_run {
            return self.plan_only(plan).await;
        }
        let mut locked = match self.take_locks().await {
            Ok(locked) => locked,
            Err(report) => return report,
        };
        let planned = loop {
            let planned = self.plan(plan, &seen_of(&locked));
            match self.read_more(&mut locked).await {
                Ok(false) => break planned,
                Ok(true) => {}
                Err(report) => {
                    self.release_locks(&mut locked).await;
                    return report;
                }
            }
        };
        let seen = seen_of(&locked);
        let report = match planned {
            Ok(Some(plan)) => {
                self.emit_plan(&plan);
                match self.refuse_untrusted(&plan, &seen) {
                    Some(report) => report,
                    None => match self.verify_locked(&plan, &mut locked).await {
                        Ok(warnings) => {
                            keep_warnings(&mut locked, warnings);
                            return self.execute(&plan, locked).await;
                        }
                        Err(report) => report,
                    },
                }
            }
            Ok(None) => self.nothing_to_do(&seen),
            Err(refusal) => self.refused(refusal, &seen),
        };
        // A run interrupted before it changed anything leaves only traces, which a recovery removes.
        let settles = self.command() == Command::Recover && report.outcome == Outcome::Unchanged;
        self.release_locks_and_settle(&mut locked, settles).await;
        report
    }

    /// Verifies the targets of the plan. If one is damaged, first seals the changes that commands of an
    /// interrupted run made.
    async fn verify_locked(&self, plan: &Plan, locked: &mut [LockedHost<'r>]) -> Result<Warnings, Report> {
        let refused = match self.verify_targets(plan, &seen_of(locked)).await {
            Ok(warnings) => return Ok(warnings),
            Err(report) => report,
        };
        let mut sealed = false;
        for host in locked.iter_mut().filter(|host| !host.guard.state().interrupted.is_empty()) {
            // Sealed only once the last of these commands has ended.
            self.settle_leftovers_on(host).await;
            if host.failure.take().is_none()
                && let Ok(names) = host.guard.seal_left().await
            {
                sealed |= !names.is_empty();
            }
        }
        if sealed { self.verify_targets(plan, &seen_of(locked)).await } else { Err(refused) }
    }

    /// Reads the releases that the plan requested and that were not read yet, on all hosts at once.
    ///
    /// Returns whether there were any: the plan must then be made again.
    async fn read_more(&self, locked: &mut [LockedHost<'_>]) -> Result<bool, Report> {
        let reads = locked.iter_mut().map(|host| host.guard.read_more());
        let results = join_all(reads).await;
        let mut failed: Vec<(String, Failure)> = Vec::new();
        let mut any = false;
        for (host, result) in locked.iter().zip(results) {
            match self.report_phase(host.name(), Phase::Lock, result.map_err(failure)) {
                Ok(more) => any |= more,
                Err(why) => failed.push((host.name().to_owned(), why)),
            }
        }
        if failed.is_empty() {
            return Ok(any);
        }
        let hosts = locked.iter().map(|host| match failed.iter().find(|(name, _)| name == host.name()) {
            Some((name, why)) => failed_host(name, why.clone()),
            None => untouched(host.name(), host.guard.state()),
        });
        let error = summary("a release could not be read, and nothing was touched", &failed);
        Err(self.report(Outcome::Refused, None, hosts.collect(), Some(error)))
    }

    /// Plans on the states of the hosts, and adds the commands that each host runs.
    fn plan(&self, plan: &Planner<'_>, seen: &[Seen<'_>]) -> Result<Option<Plan>, Refusal> {
        plan(seen)?.map(|plan| plan::with_commands(plan, self.command_means(), seen)).transpose()
    }

    async fn plan_only(&self, plan: &Planner<'_>) -> Report {
        let observed = self.observe().await;
        if let Some(report) = self.refuse_unfit_hosts(&observed) {
            return report;
        }
        match self.plan(plan, &observed.seen()) {
            Ok(Some(mut plan)) => {
                self.foresee_pruning(&mut plan).await;
                self.emit_plan(&plan);
                if let Some(report) = self.refuse_untrusted(&plan, &observed.seen()) {
                    return report;
                }
                if let Some(report) = self.refuse_unwritable_hosts(&observed, None).await {
                    return report;
                }
                match self.verify_targets(&plan, &observed.seen()).await {
                    Ok(mut warnings) => {
                        warnings.extend(self.check_links(&plan, &observed.seen()).await);
                        self.dry_run(&plan, &warnings)
                    }
                    Err(report) => report,
                }
            }
            Ok(None) => self.nothing_to_do(&observed.seen()),
            Err(refusal) => self.refused(refusal, &observed.seen()),
        }
    }

    /// Reports that there was nothing to do.
    pub(super) fn nothing_to_do(&self, seen: &[Seen<'_>]) -> Report {
        let hosts: Vec<HostReport> = seen.iter().map(|seen| untouched(seen.host, seen.state)).collect();
        debug_assert!(hosts.iter().all(|host| host.outcome == HostOutcome::Unchanged), "nothing was done");
        self.report(Outcome::Unchanged, None, hosts, None)
    }
}

fn seen_of<'s>(locked: &'s [LockedHost<'_>]) -> Vec<Seen<'s>> {
    locked.iter().map(LockedHost::seen).collect()
}

/// Keeps the warnings for the host reports.
fn keep_warnings(locked: &mut [LockedHost<'_>], warnings: Warnings) {
    for (name, warning) in warnings {
        if let Some(host) = locked.iter_mut().find(|host| host.name() == name) {
            host.reported.push(warning);
        }
    }
}
