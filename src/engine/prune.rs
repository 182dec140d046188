//! `prune`: removes the releases that retention does not keep; also at the end of a deploy.
//!
//! Under the locks it only moves them into the trash. It removes them after the locks are released, because that can
//! take long and a rollback must not wait for it.
//!
//! There is no undo. After a failure, a kill or a lost answer each release is either complete under its name or in the
//! trash.

use futures_util::{
    future::join_all,
    stream::{self, StreamExt},
};

use crate::{
    error::{Error, ErrorKind},
    event::Phase,
    name::ReleaseName,
    outcome::{HostOutcome, Outcome},
    plan::{self, Plan, Pruning, Refusal, Seen},
    report::{Failure, HostReport, Report},
    store::{Closing, Ended, RootState},
    token::Token,
};

use super::{
    Host,
    locked_host::LockedHost,
    observe::{Observed, failed_host, failure, observed_reports, untouched},
    run::{Run, summary},
    take_locks::lock_not_released,
};

/// The releases in the trash of a host, to be removed without its lock.
pub(super) type Trash<'r> = (&'r Host, Vec<(ReleaseName, Token)>);

/// Keeps the `keep` nearest good releases on every host, and all that something still needs.
pub(super) async fn prune(run: Run<'_>, keep: u32) -> Report {
    run.emit_started(None);
    if run.options.dry_run {
        return run.plan_pruning_only(keep).await;
    }
    let mut locked = match run.take_locks().await {
        Ok(locked) => locked,
        Err(report) => return report,
    };
    run.survey(&mut locked).await;
    if let Some(report) = run.not_surveyed(&mut locked).await {
        return report;
    }
    if let Some(report) = run.refuse_unfit_paths(&locked.iter().map(LockedHost::seen).collect::<Vec<_>>()) {
        run.release_locks(&mut locked).await;
        return report;
    }
    let pruning = match plan::prune(keep, &locked.iter().map(LockedHost::seen).collect::<Vec<_>>()) {
        Ok(pruning) => pruning,
        Err(refusal) => {
            let report = run.refused(refusal, &locked.iter().map(LockedHost::seen).collect::<Vec<_>>());
            run.release_locks(&mut locked).await;
            return report;
        }
    };
    run.emit_pruning(&pruning);
    let trash = run.execute_pruning(&pruning, &mut locked).await;
    run.end_pruning(locked, trash).await
}

impl<'r> Run<'r> {
    async fn plan_pruning_only(&self, keep: u32) -> Report {
        self.enter_phase(Phase::Ask, self.hosts.len());
        let observed = Observed { states: self.survey_unlocked().await };
        if let Some(report) = self.refuse_unfit_hosts(&observed) {
            return report;
        }
        let seen = observed.seen();
        match plan::prune(keep, &seen) {
            Ok(pruning) => {
                self.emit_pruning(&pruning);
                if let Some(report) = self.refuse_unwritable_hosts(&observed, None).await {
                    return report;
                }
                Report { dry_run: true, ..self.report(Outcome::Unchanged, None, observed_reports(&observed), None) }
            }
            Err(refusal) => self.refused(refusal, &seen),
        }
    }

    /// Reads the facts that decide which releases are removed, on every host, without its lock.
    async fn survey_unlocked(&self) -> Vec<(&'r Host, Result<RootState, Failure>)> {
        let observe = |host: &'r Host| async move {
            let answer = host.store.survey().await.map_err(failure);
            (host, self.report_phase(&host.name, Phase::Ask, answer))
        };
        let observations: Vec<_> = self.hosts.iter().map(observe).collect();
        stream::iter(observations).buffered(self.parallel).collect().await
    }

    /// Adds to a dry run's plan which releases its end would remove, if it would prune.
    pub(super) async fn foresee_pruning(&self, plan: &mut Plan) {
        let Some(keep) = self.keep.filter(|_| !plan.only_relinks()) else { return };
        let answers = self.survey_unlocked().await;
        let seen: Vec<Seen<'_>> = answers
            .iter()
            .filter_map(|(host, answer)| Some(Seen { host: &host.name, state: answer.as_ref().ok()? }))
            .collect();
        let lines = if seen.len() < answers.len() {
            vec!["a host could not be asked again, so it is not told what would be removed at the end".to_owned()]
        } else {
            let refused = |refusal: Refusal| vec![format!("nothing would be removed at the end: {refusal}")];
            plan::removed_after(plan, keep, &seen).unwrap_or_else(refused)
        };
        plan.notes.extend(lines);
    }

    fn emit_pruning(&self, pruning: &Pruning) {
        self.emit(&crate::event::Event::Planned { plan: pruning.lines() });
    }

    /// Reads the facts that decide which releases are removed, on every host.
    async fn survey(&self, locked: &mut [LockedHost<'r>]) {
        join_all(locked.iter_mut().map(|host| async {
            let answer = host.guard.survey().await.map_err(failure);
            host.failure = self.report_phase(host.member.name(), Phase::Ask, answer).err();
        }))
        .await;
    }

    async fn not_surveyed(&self, locked: &mut [LockedHost<'r>]) -> Option<Report> {
        let report = self.report_unread_hosts(locked, "a host could not be asked, and nothing was removed")?;
        self.release_locks(locked).await;
        Some(report)
    }

    /// Reports that locked hosts could not be read, if any failed.
    pub(super) fn report_unread_hosts(&self, locked: &[LockedHost<'r>], what: &str) -> Option<Report> {
        let failed = failures(locked);
        if failed.is_empty() {
            return None;
        }
        let report_of = |host: &LockedHost<'_>| match &host.failure {
            Some(why) => failed_host(host.name(), why.clone()),
            None => untouched(host.name(), host.guard.state()),
        };
        let hosts = locked.iter().map(report_of).collect();
        Some(self.report(Outcome::Refused, None, hosts, Some(summary(what, &failed))))
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
                let stays = |(name, why): (ReleaseName, String)| format!("{name} could not be removed ({why})");
                host.warnings.extend(pruned.failed.into_iter().map(stays));
                host.pruned.extend(pruned.moved.iter().map(|(name, _)| name.clone()));
                (host.member, pruned.moved)
            }
            Err(error) => {
                let why = failure(error).message;
                host.warnings.push(format!("old releases could not be removed ({why})"));
                (host.member, Vec::new())
            }
        }
    }

    /// Prunes at the end of a successful command, if that was requested.
    ///
    /// A failure is a warning: everything is where it should be.
    pub(super) async fn prune_after(&self, locked: &mut [LockedHost<'r>]) -> Vec<Trash<'r>> {
        let Some(keep) = self.keep else { return Vec::new() };
        self.survey(locked).await;
        for host in locked.iter_mut() {
            if let Some(why) = host.failure.take() {
                host.warnings.push(format!("old releases are not removed: {}", why.message));
                return Vec::new();
            }
        }
        match plan::prune(keep, &locked.iter().map(LockedHost::seen).collect::<Vec<_>>()) {
            Ok(pruning) if pruning.is_empty() => Vec::new(),
            Ok(pruning) => self.execute_pruning(&pruning, locked).await,
            Err(refusal) => {
                not_pruned(locked, &refusal);
                Vec::new()
            }
        }
    }

    /// Empties the trash, without any lock. A failure is a warning with its path.
    pub(super) async fn empty_trash(&self, trash: Vec<Trash<'r>>, mut hosts: Vec<HostReport>) -> Vec<HostReport> {
        let left = join_all(trash.into_iter().map(|trash| self.empty_trash_of(trash))).await;
        for (host, warnings) in left {
            if let Some(report) = hosts.iter_mut().find(|report| report.host == host.name) {
                report.warnings.extend(warnings);
            }
        }
        hosts
    }

    async fn empty_trash_of(&self, (host, trash): Trash<'r>) -> (&'r Host, Vec<String>) {
        let mut warnings = Vec::new();
        for (name, place) in trash {
            if let Err(error) = host.store.empty_trash(&place).await {
                let why = Error::from(error).full_message();
                let left = format!("{name} is out of sight, but a part of it still lies in the trash ({why})");
                self.warn(Some(&host.name), left.clone());
                warnings.push(left);
            }
        }
        (host, warnings)
    }

    /// Writes the history, releases the locks, empties the trash, and reports.
    async fn end_pruning(&self, mut locked: Vec<LockedHost<'r>>, trash: Vec<Trash<'r>>) -> Report {
        let stayed = locked.iter().any(|host| !host.warnings.is_empty());
        let outcome = match (stayed, locked.iter().all(|host| host.pruned.is_empty())) {
            (true, _) => Outcome::Failed,
            (false, true) => Outcome::Unchanged,
            (false, false) => Outcome::Done,
        };
        let hosts = join_all(locked.iter_mut().map(|host| self.end_pruning_on(host, outcome))).await;
        let error = stayed.then(|| {
            let message = "not all that is not needed could be removed; every `current` is where it was";
            Error::new(ErrorKind::HostFailed, message)
                .hint("see the warnings of each host, then `switchback prune` again")
        });
        let hosts = self.empty_trash(trash, hosts).await;
        let operation = Some(self.owner.operation.clone());
        Report { operation, ..self.report(outcome, None, hosts, error.map(Into::into)) }
    }

    async fn end_pruning_on(&self, host: &mut LockedHost<'r>, outcome: Outcome) -> HostReport {
        let current = host.guard.state().current.release().cloned();
        let history = (!host.pruned.is_empty()).then(|| Ended {
            from: current.clone(),
            to: current.clone(),
            pruned: host.pruned.clone(),
            outcome,
            host: HostOutcome::Unchanged,
            seconds: self.seconds(),
        });
        match host.guard.finish(&Closing { history, ..Closing::default() }).await {
            Ok(closed) => host.warnings.extend(closed.failed),
            Err(error) => host.warnings.push(lock_not_released(error)),
        }
        for warning in &host.warnings {
            self.warn(Some(host.name()), warning.clone());
        }
        let mut report = HostReport::new(host.name(), HostOutcome::Unchanged);
        (report.before, report.after) = (current.clone(), current);
        report.pruned = std::mem::take(&mut host.pruned);
        report.warnings = std::mem::take(&mut host.warnings);
        report
    }
}

fn failures(locked: &[LockedHost<'_>]) -> Vec<(String, Failure)> {
    locked.iter().filter_map(|host| Some((host.name().to_owned(), host.failure.clone()?))).collect()
}

/// Warns on each host that refuses the pruning.
fn not_pruned(locked: &mut [LockedHost<'_>], refusal: &Refusal) {
    for host in locked {
        let why = refusal.hosts.iter().find(|why| why.host == host.name());
        let warning = why.map(|why| format!("old releases are not removed: {}", why.reason));
        host.warnings.extend(warning);
    }
}
