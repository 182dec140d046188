//! Carries a plan out on locked hosts: prepare, switch, and when anything fails, put back.

use crate::{
    error::{Error, ErrorKind},
    name::ReleaseName,
    plan::Plan,
    report::{Command, Failure, Outcome, Report},
};

use super::{
    finish::Ending,
    run::{Run, summary},
    working::Working,
};

impl<'r> Run<'r> {
    /// Carries out `plan` and gives the locks back.
    pub(super) async fn carry_out(&self, plan: &Plan, mut locked: Vec<Working<'r>>) -> Report {
        for working in &mut locked {
            working.plan = plan.host(working.name()).cloned();
        }
        self.prepare(&plan.release, &mut locked).await;
        if any_failed(&locked) {
            self.unprepare(&mut locked).await;
            return self.end(plan, locked, Outcome::Failed).await;
        }
        self.switch(&mut locked).await;
        if !any_failed(&locked) {
            let outcome = if plan.is_empty() { Outcome::Unchanged } else { Outcome::Done };
            return self.end(plan, locked, outcome).await;
        }
        self.after_failed_switch(plan, locked).await
    }

    async fn after_failed_switch(&self, plan: &Plan, mut locked: Vec<Working<'r>>) -> Report {
        let began = locked.iter().any(|working| working.progress.switched.is_some());
        self.put_back(&mut locked).await;
        let stuck = |working: &Working<'_>| {
            working.progress.unknown || (working.progress.switched.is_some() && !working.progress.reverted)
        };
        let outcome = match (locked.iter().any(stuck), began) {
            (true, _) => Outcome::Inconsistent,
            (false, true) => Outcome::PutBack,
            (false, false) => Outcome::Failed,
        };
        if outcome == Outcome::Failed {
            self.unprepare(&mut locked).await;
        }
        self.end(plan, locked, outcome).await
    }

    /// Ends the run on every host and reports it.
    async fn end(&self, plan: &Plan, locked: Vec<Working<'r>>, outcome: Outcome) -> Report {
        let fled = (plan.command != Command::Rollback && matches!(outcome, Outcome::PutBack | Outcome::Inconsistent))
            .then_some(&plan.release);
        let error = error_of(plan, &locked, outcome);
        let hosts = self.finish(locked, &Ending { outcome, release: &plan.release, fled }).await;
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
        _ if failed.is_empty() => None,
        _ => Some(Error::new(ErrorKind::Internal, "hosts failed without a consequence").into()),
    }
}

fn any_failed(locked: &[Working<'_>]) -> bool {
    locked.iter().any(|working| working.failure.is_some())
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
