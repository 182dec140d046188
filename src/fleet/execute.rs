//! Executes a plan on locked hosts: prepare, migrate, switch, validate; and undoes it all if a phase fails.

use crate::{
    commands::RevertWhen,
    error::{Error, ErrorKind},
    hint::Hint,
    name::ReleaseName,
    plan::{Plan, previous_of},
    report::{Command, Failure, Outcome, Report, crowd},
};

use super::{
    execution::Execution,
    locked_host::LockedHost,
    outcome::{Aim, Code, DataState, Reached, Stop, outcome},
    phases::conclude::{Conclusion, OperationKind},
    run::{Run, interrupted, summary},
};

impl<'r> Run<'r> {
    /// Executes `plan` and releases the locks.
    pub(super) async fn execute(&self, plan: &Plan, locked: Vec<LockedHost<'r>>) -> Report {
        let mut execution = Execution::new(self, plan, locked);
        let stop = self.advance(&mut execution).await.err();
        if stop.is_some() {
            self.undo(&mut execution).await;
        }
        let outcome = outcome(execution.reached, execution.code(), execution.data.state, stop, aim(plan));
        self.conclude(execution, outcome).await
    }

    /// Runs the phases in order, until one fails or a stop is requested.
    async fn advance(&self, execution: &mut Execution<'r, '_>) -> Result<(), Stop> {
        self.settle_leftovers(execution).await;
        if !execution.failed()
            && let Err(why) = self.find_pending_reverts(execution).await
        {
            execution.failure = Some(self.redacted(why));
        }
        if execution.failed() {
            return Err(Stop::Failure);
        }
        execution.reached = Reached::Preparation;
        self.before_switch(execution).await;
        self.may_continue(execution)?;
        execution.reached = Reached::Switch;
        self.switch(&mut execution.locked).await;
        // Only if every host arrived: a rollback that switched some hosts is reverted, so that they stay on one release.
        if !execution.failed() && matches!(execution.plan.command, Command::Rollback | Command::Recover) {
            execution.reached = Reached::Pivot;
            self.hide_stop();
        }
        self.may_continue(execution)?;
        self.after_switch(execution).await;
        self.may_continue(execution)
    }

    /// Runs the phases before the switch. Ends at the first that fails, or when a stop is requested.
    async fn before_switch(&self, execution: &mut Execution<'r, '_>) {
        self.prepare(execution).await;
        if self.may_continue(execution).is_ok() {
            self.run_prepare(execution).await;
        }
        if self.may_continue(execution).is_ok() && !execution.data.pending.is_empty() {
            self.announce(execution).await;
        }
        if self.may_continue(execution).is_ok() {
            self.apply_data(execution).await;
        }
        if self.may_continue(execution).is_ok() {
            self.revert_data(execution, RevertWhen::BeforeSwitch).await;
        }
    }

    /// Runs the phases after the switch.
    async fn after_switch(&self, execution: &mut Execution<'r, '_>) {
        // After a stage, the current release is the one that it was.
        if execution.plan.is_empty() || execution.plan.command == Command::Stage {
            return;
        }
        let runs = !execution.plan.moves_nothing() && !execution.plan.only_relinks();
        if runs {
            self.run_after_switch(execution).await;
        }
        // Even after a failed hook: a rollback is not undone, and the old code works better with the old data.
        if !execution.failed() || execution.is_past_pivot() {
            let hook = execution.failure.take();
            self.revert_data(execution, RevertWhen::AfterSwitch).await;
            self.settle_data(execution).await;
            self.describe_damage(execution).await;
            execution.failure = hook.or(execution.failure.take());
        }
        if !execution.failed() && runs && (execution.is_past_pivot() || !self.is_stopped()) {
            self.validate(execution).await;
        }
        self.check_current_stayed(execution).await;
    }

    /// Checks that the next phase may begin; the error is the reason to stop.
    fn may_continue(&self, execution: &Execution<'r, '_>) -> Result<(), Stop> {
        let may_stop = match execution.reached {
            Reached::Checks | Reached::Preparation => true,
            Reached::Switch => !execution.plan.is_empty(),
            Reached::Pivot => false,
        };
        if execution.failed_itself() {
            Err(Stop::Failure)
        } else if execution.failed() || (may_stop && self.is_stopped()) {
            Err(Stop::Interruption)
        } else {
            Ok(())
        }
    }

    /// Undoes everything that took effect, fleet-wide, in this order.
    ///
    /// First `current` on every host. Then, only if that is restored everywhere, the data, and the `after_switch` hooks
    /// of the restored releases. Last the preparation, if no host had switched and the data is settled. A failed undo
    /// does not stop the same undo on other hosts, but blocks the undos that depend on it.
    async fn undo(&self, execution: &mut Execution<'r, '_>) {
        if matches!(execution.reached, Reached::Checks | Reached::Pivot) {
            return;
        }
        self.hide_stop();
        if execution.reached == Reached::Switch {
            self.revert_switch(&mut execution.locked).await;
        }
        if execution.code().is_restored() {
            self.undo_apply(execution).await;
            if execution.data.state == DataState::Settled {
                self.undo_revert(execution).await;
            }
            self.describe_damage(execution).await;
            self.run_after_revert(execution).await;
        } else if execution.data.log.standing().next().is_some() {
            execution.data.state = DataState::Unsettled;
        }
        // Restoring unsettled data may need the release.
        if execution.code() == Code::Untouched && execution.data.state == DataState::Settled {
            self.unprepare(&mut execution.locked).await;
        }
    }

    /// Concludes the run on every host, and reports it.
    async fn conclude(&self, mut execution: Execution<'r, '_>, outcome: Outcome) -> Report {
        let plan = execution.plan;
        let kind = OperationKind::of(plan);
        let trash = if outcome == Outcome::Done && kind != OperationKind::Relinks {
            self.prune_after(&mut execution.locked).await
        } else {
            Vec::new()
        };
        let began = execution.locked.iter().any(|host| host.state.switch().is_some());
        let arrived = match outcome {
            Outcome::Done => true,
            Outcome::Inconsistent => execution.is_past_pivot(),
            Outcome::Unchanged => execution.is_past_pivot() && plan.finishes,
            _ => false,
        };
        let bad_release =
            (!matches!(plan.command, Command::Rollback) && began && !arrived && kind != OperationKind::Relinks)
                .then_some(&plan.release);
        let is_on_release = |host: &&LockedHost<'_>| host.guard.state().current.release() == Some(&plan.release);
        let on_release = execution.locked.iter().filter(is_on_release).map(|host| host.name().to_owned()).collect();
        let error =
            error_of(&execution, outcome).map(|error| if plan.data.is_some() { self.redacted(error) } else { error });
        let unfinished =
            execution.data.state == DataState::Unsettled || (arrived && !execution.data.pending.is_empty());
        let conclusion = Conclusion { outcome, bad_release, on_release, arrived, unfinished, kind };
        let hints = match outcome {
            Outcome::Done if self.rollback_reverts(&execution) => vec![Hint::RollbackReverts],
            _ => Vec::new(),
        };
        let hosts = self.finish(std::mem::take(&mut execution.locked), &conclusion).await;
        let hosts = self.empty_trash(trash, hosts).await;
        let operation = (outcome != Outcome::Refused).then(|| self.owner.operation.clone());
        Report {
            operation,
            data: execution.data_report(self),
            undone: plan.undoes.clone().filter(|_| matches!(outcome, Outcome::Done | Outcome::Unchanged)),
            hints,
            ..self.report(outcome, Some(&plan.release), hosts, error)
        }
    }
}

impl Run<'_> {
    /// Whether a plain rollback would revert this deploy or activation, and not be refused.
    fn rollback_reverts(&self, execution: &Execution<'_, '_>) -> bool {
        let plan = execution.plan;
        let stays = |host: &LockedHost<'_>| {
            let release = host.guard.state().release(&plan.release);
            let record = release.and_then(|release| release.data.record());
            record.is_some_and(|record| record.irreversible.is_some())
        };
        if !matches!(plan.command, Command::Deploy | Command::Activate)
            || self.irreversible.is_some()
            || execution.data.disagrees
            || self.lacks_revert(execution)
            || execution.locked.iter().any(stays)
        {
            return false;
        }
        let mut targets = execution.locked.iter().map(target_of);
        targets.next().flatten().is_some_and(|first| targets.all(|target| target == Some(first)))
    }

    /// Whether the data changed, and nothing can revert that.
    fn lacks_revert(&self, execution: &Execution<'_, '_>) -> bool {
        let commands = self.options.commands.as_ref().and_then(|commands| commands.data.as_ref());
        let reverts = self.options.code.migration.is_some() || commands.is_some_and(|data| data.revert.is_some());
        execution.data.before != execution.data.after && !reverts
    }
}

/// Returns the good release that a rollback of this host leads to; `None` if there is none, or it is not certain.
fn target_of<'h>(host: &'h LockedHost<'_>) -> Option<&'h ReleaseName> {
    let before = host.plan.as_ref()?.before.release()?;
    if !host.switches() {
        return previous_of(&host.seen());
    }
    let is_good = host.guard.state().release(before).is_some_and(|release| !release.bad.exists());
    is_good.then_some(before)
}

/// Returns the failure of the whole run.
fn error_of(execution: &Execution<'_, '_>, outcome: Outcome) -> Option<Failure> {
    let on_hosts = execution.locked.iter().filter_map(|host| Some((host.name().to_owned(), host.failure.clone()?)));
    let of_all = execution.failure.clone().map(|failure| (String::new(), failure));
    let failed: Vec<(String, Failure)> = of_all.into_iter().chain(on_hosts).collect();
    let command = execution.plan.command;
    let say = |what: &str| Some(summary(&format!("{command} {what}"), &failed));
    match outcome {
        Outcome::Refused => say("refused, nothing was touched"),
        Outcome::Failed => say("failed before any switch; every `current` is where it was"),
        Outcome::PutBack => say("failed after the switch began, and every host was reverted"),
        Outcome::Inconsistent => Some(inconsistency(execution, &failed)),
        Outcome::Interrupted => Some(interrupted("every host is where it was")),
        _ if failed.is_empty() => None,
        _ => Some(Error::new(ErrorKind::Internal, "hosts failed, but the outcome does not say so").into()),
    }
}

/// Returns the failure of an inconsistent run: where everything is, and the next command.
fn inconsistency(execution: &Execution<'_, '_>, failed: &[(String, Failure)]) -> Failure {
    let (command, release) = (execution.plan.command, &execution.plan.release);
    let stays = execution.is_past_pivot();
    let code_is_mixed = if stays { execution.code() == Code::Lost } else { !execution.code().is_restored() };
    let version = execution.data.after.as_ref().map_or("not known".to_owned(), ToString::to_string);
    let here = describe_position(execution);
    if failed.is_empty() && !execution.plan.stranded.is_empty() {
        return stranded_hosts(execution);
    }
    let (what, hints) = if code_is_mixed {
        ("the hosts are not on one release".to_owned(), hints_for_mixed_fleet(command, release))
    } else if stays && execution.data.state == DataState::Unsettled {
        let hints = vec!["fix the cause".into(), Hint::ResumeRevert(command)];
        (format!("{here}, but the data is not: its version is {version}"), hints)
    } else if stays && !execution.failed_itself() {
        let look = vec!["see whether it works".into()];
        (
            format!("{here}, and stays there, but the run was interrupted: its health is unknown"),
            [look, further_back(execution)].concat(),
        )
    } else if stays {
        // The step that failed knows where its output is.
        let look = summary("", failed).hints;
        let look = if look.is_empty() { vec!["see what failed".into()] } else { look };
        (
            format!("{here}, and stays there, but a step after the switch failed"),
            [look, further_back(execution)].concat(),
        )
    } else if execution.data.state == DataState::Unsettled {
        let hints = vec!["fix the cause".into(), Hint::RecoverBack];
        (format!("every `current` is where it was, but the data is not: its version is {version}"), hints)
    } else {
        (
            "every `current` is where it was, but a hook failed after the revert".to_owned(),
            vec!["do by hand what that hook should have done".into()],
        )
    };
    Failure { hints, ..summary(&what, failed) }
}

/// Returns the hint that another rollback goes further back, unless there is nothing before.
fn further_back(execution: &Execution<'_, '_>) -> Vec<Hint> {
    let goes_on = |host: &LockedHost<'_>| {
        let state = host.guard.state();
        let current = state.current.release().and_then(|name| state.release(name));
        current.is_some_and(|current| current.previous.as_ref().is_ok_and(|record| record.release().is_some()))
    };
    let all = execution.locked.iter().all(goes_on);
    all.then_some(Hint::RollbackFurther).into_iter().collect()
}

/// Returns the failure of a run that left hosts behind, with the command that moves them.
fn stranded_hosts(execution: &Execution<'_, '_>) -> Failure {
    let Plan { release, stranded, .. } = execution.plan;
    let hosts: Vec<&str> = stranded.iter().map(String::as_str).collect();
    let moved = execution.locked.iter().find(|host| !stranded.iter().any(|name| name == host.name()));
    let on = moved.and_then(|host| host.guard.state().current.release().cloned());
    let on = on.as_ref().unwrap_or(release);
    let what = format!("did not move {}, whose records do not lead to {on}, where the others are", crowd(&hosts, 10));
    Error::new(ErrorKind::HostsDiffer, what).hint(Hint::Status).hint(Hint::RollbackTo(on.clone())).into()
}

/// Returns the state that `plan` leads to if all of it succeeds.
fn aim(plan: &Plan) -> Aim {
    if !plan.stranded.is_empty() {
        Aim::Strands
    } else if plan.moves_nothing() {
        Aim::Stays
    } else {
        Aim::Moves
    }
}

/// Describes the releases that the hosts are on.
fn describe_position(execution: &Execution<'_, '_>) -> String {
    let mut on: Vec<&str> = Vec::new();
    for host in &execution.locked {
        let name = host.guard.state().current.named().map_or("nothing", ReleaseName::as_str);
        if !on.contains(&name) {
            on.push(name);
        }
    }
    match on.as_slice() {
        [name] => format!("every host is on {name}"),
        names => format!("every host is on its target ({})", names.join(", ")),
    }
}

/// Returns the hints for a fleet whose hosts are on different releases.
fn hints_for_mixed_fleet(command: Command, release: &ReleaseName) -> Vec<Hint> {
    let together = if command == Command::Rollback { Hint::RollbackTo(release.clone()) } else { Hint::Rollback };
    vec![Hint::Status, together]
}
