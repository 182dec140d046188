//! `prune`: removes the releases that retention does not keep; also at the end of a deploy.
//!
//! Under the locks it only moves them into the trash. It removes them after the locks are released, because that can
//! take long and a rollback must not wait for it.
//!
//! There is no undo. After a failure, a kill or a lost answer each release is either complete under its name or in the
//! trash.

use futures_util::future::join_all;

use crate::{
    adoption::Traces,
    error::{Error, ErrorKind},
    event::{Event, Phase},
    future::BoxFuture,
    hint::{Hint, Notice},
    name::ReleaseName,
    outcome::{HostOutcome, Outcome},
    plan::{self, Plan, Pruning, Refusal, Seen},
    report::{HostReport, Report},
    store::{Ended, Finish},
    token::Token,
};

use crate::fleet::{
    Host,
    locked_host::LockedHost,
    observe::failure,
    phases::lock::lock_not_released,
    run::Run,
    with_locks::{Needs, Operation, Survey, seen_of},
};

/// The releases in the trash of a host, to be removed without its lock.
pub(in crate::fleet) type Trash<'r> = (&'r Host, Vec<(ReleaseName, Token)>);

/// Keeps the `keep` nearest good releases on every host, and all that something still needs.
pub(in crate::fleet) async fn prune(run: Run<'_>, keep: u32) -> Report {
    run.emit_started(None);
    run.with_locks(None, &mut Prune { keep }).await
}

/// The removal of the releases that retention does not keep.
struct Prune {
    keep: u32,
}

impl<'r> Operation<'r> for Prune {
    type Plan = Pruning;

    fn needs(&self) -> Needs {
        Needs { survey: Survey::Everything, ..Needs::default() }
    }

    fn plan(&mut self, seen: &[Seen<'_>], _traces: &[Traces]) -> Result<Option<Pruning>, Refusal> {
        plan::prune(self.keep, seen).map(Some)
    }

    fn release(&self, _plan: &Pruning) -> Option<ReleaseName> {
        None
    }

    fn emit_plan(&self, run: &Run<'r>, plan: &Pruning) {
        run.emit(&Event::Planned { plan: plan.lines() });
    }

    fn act<'a>(
        &'a mut self,
        run: &'a Run<'r>,
        plan: Pruning,
        mut locked: Vec<LockedHost<'r>>,
    ) -> BoxFuture<'a, Report> {
        Box::pin(async move {
            let trash = run.execute_pruning(&plan, &mut locked).await;
            run.end_pruning(locked, trash).await
        })
    }
}

impl<'r> Run<'r> {
    /// Adds to a dry run's plan which releases its end would remove, if it would prune.
    pub(in crate::fleet) async fn foresee_pruning(&self, plan: &mut Plan) {
        let Some(keep) = self.keep.filter(|_| !plan.is_empty() && !plan.only_relinks()) else { return };
        let answers = self.survey_unlocked().await;
        let seen: Vec<Seen<'_>> = answers
            .iter()
            .filter_map(|(host, answer)| Some(Seen { host: &host.name, state: answer.as_ref().ok()? }))
            .collect();
        let lines = if seen.len() < answers.len() {
            vec!["a host could not be asked again, so the releases that would be pruned are unknown".to_owned()]
        } else {
            let refused = |refusal: Refusal| vec![format!("nothing would be pruned: {refusal}")];
            plan::removed_after(plan, keep, &seen).unwrap_or_else(refused)
        };
        plan.notes.extend(lines);
    }

    /// Moves the removable releases into the trash on every host. A failure is a warning of that host.
    async fn execute_pruning(&self, pruning: &Pruning, locked: &mut [LockedHost<'r>]) -> Vec<Trash<'r>> {
        self.enter_phase(Phase::Prune, locked.len());
        join_all(locked.iter_mut().map(|host| self.prune_on(pruning, host))).await
    }

    async fn prune_on(&self, pruning: &Pruning, host: &mut LockedHost<'r>) -> Trash<'r> {
        let goes: Vec<ReleaseName> = pruning.goes(host.name()).cloned().collect();
        match host.guard.prune(&goes).await {
            Ok(pruned) => {
                let stays = |(name, why): (ReleaseName, String)| format!("cannot remove {name} ({why})");
                host.warnings.extend(pruned.failed.into_iter().map(stays));
                host.pruned.extend(pruned.moved.iter().map(|(name, _)| name.clone()));
                (host.member, pruned.moved)
            }
            Err(error) => {
                let why = failure(error).message;
                host.warnings.push(format!("cannot prune old releases ({why})"));
                (host.member, Vec::new())
            }
        }
    }

    /// Prunes at the end of a successful command, if that was requested.
    ///
    /// A failure is a warning: everything is where it should be.
    pub(in crate::fleet) async fn prune_after(&self, locked: &mut [LockedHost<'r>]) -> Vec<Trash<'r>> {
        let Some(keep) = self.keep else { return Vec::new() };
        if let Some((name, why)) = self.survey(locked.iter_mut()).await.into_iter().next() {
            let warned = locked.iter_mut().filter(|host| host.name() == name);
            warned.for_each(|host| host.warnings.push(format!("did not prune old releases: {}", why.message)));
            return Vec::new();
        }
        match plan::prune(keep, &seen_of(locked)) {
            Ok(pruning) if pruning.is_empty() => Vec::new(),
            Ok(pruning) => self.execute_pruning(&pruning, locked).await,
            Err(refusal) => {
                not_pruned(locked, &refusal);
                Vec::new()
            }
        }
    }

    /// Empties the trash, without any lock. A failure is a warning with its path.
    pub(in crate::fleet) async fn empty_trash(
        &self,
        trash: Vec<Trash<'r>>,
        mut hosts: Vec<HostReport>,
    ) -> Vec<HostReport> {
        let left = join_all(trash.into_iter().map(|trash| self.empty_trash_of(trash))).await;
        for (host, warnings) in left {
            if let Some(report) = hosts.iter_mut().find(|report| report.host == host.name) {
                report.warnings.extend(warnings.into_iter().map(Notice::from));
            }
        }
        hosts
    }

    async fn empty_trash_of(&self, (host, trash): Trash<'r>) -> (&'r Host, Vec<String>) {
        let mut warnings = Vec::new();
        for (name, place) in trash {
            if let Err(error) = host.store.empty_trash(&place).await {
                let why = Error::from(error).full_message();
                let left = format!("{name} was moved to the trash, but a part of it is still there ({why})");
                self.warn(Some(&host.name), left.clone());
                warnings.push(left);
            }
        }
        (host, warnings)
    }

    /// Writes the history, releases the locks, empties the trash, and reports.
    async fn end_pruning(&self, locked: Vec<LockedHost<'r>>, trash: Vec<Trash<'r>>) -> Report {
        let stayed = locked.iter().any(|host| !host.warnings.is_empty());
        let outcome = match (stayed, locked.iter().all(|host| host.pruned.is_empty())) {
            (true, _) => Outcome::Failed,
            (false, true) => Outcome::Unchanged,
            (false, false) => Outcome::Done,
        };
        let hosts = join_all(locked.into_iter().map(|host| self.end_pruning_on(host, outcome))).await;
        let error = stayed.then(|| {
            let message = "some old releases could not be removed; every `current` is where it was";
            Error::new(ErrorKind::HostFailed, message).hint("see the warnings of each host").hint(Hint::Prune)
        });
        let hosts = self.empty_trash(trash, hosts).await;
        let operation = Some(self.owner.operation.clone());
        Report { operation, ..self.report(outcome, None, hosts, error.map(Into::into)) }
    }

    async fn end_pruning_on(&self, host: LockedHost<'r>, outcome: Outcome) -> HostReport {
        let current = host.guard.state().current.release().cloned();
        let history = (!host.pruned.is_empty()).then(|| Ended {
            from: current.clone(),
            to: current.clone(),
            pruned: host.pruned.clone(),
            outcome,
            host: HostOutcome::Unchanged,
            unwell: false,
            seconds: self.seconds(),
            phases: self.phase_times(),
        });
        let mut report = HostReport::new(host.name(), HostOutcome::Unchanged);
        let mut warnings = host.warnings;
        match host.guard.finish(&Finish { history, ..Finish::default() }).await {
            Ok(finished) => warnings.extend(finished.failed),
            Err(failed) => warnings.push(lock_not_released(failed)),
        }
        for warning in &warnings {
            self.warn(Some(&report.host), warning.clone());
        }
        (report.before, report.after) = (current.clone(), current);
        report.pruned = host.pruned;
        report.warnings = warnings.into_iter().map(Notice::from).collect();
        report
    }
}

/// Warns on each host that refuses the pruning.
fn not_pruned(locked: &mut [LockedHost<'_>], refusal: &Refusal) {
    for host in locked {
        let why = refusal.hosts.iter().find(|why| why.host == host.name());
        let warning = why.map(|why| format!("did not prune old releases: {}", why.reason));
        host.warnings.extend(warning);
    }
}
