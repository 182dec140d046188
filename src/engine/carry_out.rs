//! Carries a plan out on locked hosts: prepare, switch, and when anything fails, put back.

use crate::{
    error::{Error, ErrorKind},
    name::ReleaseName,
    plan::Plan,
    report::{Command, Failure, Outcome, Report},
};

use super::{
    finish::Ending,
    run::{Run, interrupted, summary},
    working::Working,
};

impl<'r> Run<'r> {
    /// Carries out `plan` and gives the locks back.
    pub(super) async fn carry_out(&self, plan: &Plan, mut locked: Vec<Working<'r>>) -> Report {
        for working in &mut locked {
            working.plan = plan.host(working.name()).cloned();
        }
        self.prepare(&mut locked).await;
        if any_failed(&locked) || self.is_stopped() {
            let outcome = if any_failed(&locked) { Outcome::Failed } else { Outcome::Interrupted };
            self.unprepare(&mut locked).await;
            return self.end(plan, locked, outcome).await;
        }
        self.switch(&mut locked).await;
        // A rollback that has arrived stays: nobody is sent back to the release that was fled.
        let stopped = self.is_stopped() && plan.command != Command::Rollback && !plan.is_empty();
        if any_failed(&locked) || stopped {
            return self.go_back(plan, locked).await;
        }
        let outcome = if plan.is_empty() { Outcome::Unchanged } else { Outcome::Done };
        self.end(plan, locked, outcome).await
    }

    /// Puts back what took effect, after a failure or because somebody asked to stop.
    async fn go_back(&self, plan: &Plan, mut locked: Vec<Working<'r>>) -> Report {
        let failed = any_failed(&locked);
        let began = locked.iter().any(|working| working.progress.switched.is_some());
        self.put_back(&mut locked).await;
        let outcome = match (locked.iter().any(is_stuck), failed, began) {
            (true, ..) => Outcome::Inconsistent,
            (false, false, _) => Outcome::Interrupted,
            (false, true, true) => Outcome::PutBack,
            (false, true, false) => Outcome::Failed,
        };
        if !began && outcome != Outcome::Inconsistent {
            self.unprepare(&mut locked).await;
        }
        self.end(plan, locked, outcome).await
    }

    /// Ends the run on every host and reports it.
    async fn end(&self, plan: &Plan, mut locked: Vec<Working<'r>>, outcome: Outcome) -> Report {
        let trash = if outcome == Outcome::Done { self.prune_after(&mut locked).await } else { Vec::new() };
        let began = locked.iter().any(|working| working.progress.switched.is_some());
        let fled = (plan.command != Command::Rollback && began && outcome != Outcome::Done).then_some(&plan.release);
        let is_there = |working: &&Working<'_>| working.guard.state().current.release() == Some(&plan.release);
        let arrived = locked.iter().filter(is_there).map(|working| working.name().to_owned()).collect();
        let error = error_of(plan, &locked, outcome);
        let hosts = self.finish(locked, &Ending { outcome, fled, arrived, finishes: plan.finishes }).await;
        let hosts = self.empty_trash(trash, hosts).await;
        let operation = Some(self.owner.operation.clone());
        Report { operation, ..self.report(outcome, Some(&plan.release), hosts, error) }
    }
}

/// The failure of the whole run.
fn error_of(plan: &Plan, locked: &[Working<'_>], outcome: Outcome) -> Option<Failure> {
    let failed: Vec<(String, Failure)> =
        locked.iter().filter_map(|working| Some((working.name().to_owned(), working.failure.clone()?))).collect();
    let command = plan.command;
    match outcome {
        Outcome::Failed => {
            Some(summary(&format!("{command} failed before any switch; every `current` is where it was"), &failed))
        }
        Outcome::PutBack => {
            Some(summary(&format!("{command} failed on the way, and every host was put back"), &failed))
        }
        Outcome::Inconsistent => Some(Failure {
            hint: Some(mend(command, &plan.release)),
            ..summary("the hosts are not on one release", &failed)
        }),
        Outcome::Interrupted => Some(interrupted("every host is where it was")),
        _ if failed.is_empty() => None,
        _ => Some(Error::new(ErrorKind::Internal, "hosts failed without a consequence").into()),
    }
}

fn any_failed(locked: &[Working<'_>]) -> bool {
    locked.iter().any(|working| working.failure.is_some())
}

/// Whether a host is not known to be where it was.
fn is_stuck(working: &Working<'_>) -> bool {
    working.progress.unknown || (working.progress.switched.is_some() && !working.progress.reverted)
}

/// The command that mends a fleet that is left mixed.
fn mend(command: Command, release: &ReleaseName) -> String {
    match command {
        Command::Rollback => {
            format!("see where each host is with `switchback status`, then `switchback rollback --to {release}`")
        }
        _ => "see where each host is with `switchback status`, then `switchback rollback`, which brings them together"
            .to_owned(),
    }
}
