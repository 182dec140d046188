//! [`Question`]: everything that can refuse a command before it changes anything, who asks it, and the one place that asks.
//!
//! A question that several ask has one implementation here. A run does not ask what its own first step would find out without
//! touching anything: the right to write, say, is refused by the first thing that is written, and in the same words.

use futures_util::{StreamExt, stream};

use crate::{
    name::ReleaseName,
    plan::{self, Refusal},
    report::{Command, Failure, HostOutcome, Outcome, Report},
};

use super::{
    observe::{Observed, failed_host, failure, observed_reports},
    run::{Run, summary},
};

/// Whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    /// `check`, which asks for every deploy there may be.
    Check,
    /// A dry run.
    DryRun,
    /// The run itself.
    Run,
}

/// What can refuse a command before it changes anything, beside its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// Whether the variables for commands can be read here. Costs nothing on the hosts.
    Variables,
    /// Whether every host answers. The states of the hosts answer this and the next three.
    Answers,
    /// Whether each host is a root of its own.
    OneRootEach,
    /// Whether all that is moved lies on one filesystem.
    OneFilesystem,
    /// Whether nobody else may write to a directory on the way.
    NobodyElseMayWrite,
    /// Whether this user may write, to a state of a known format, under a name that was not pruned. An exchange.
    MayWrite,
    /// Whether the host opens a channel for uploads. An exchange over one.
    TakesUploads,
}

impl Question {
    #[cfg(test)]
    const ALL: [Self; 7] = [
        Self::Variables,
        Self::Answers,
        Self::OneRootEach,
        Self::OneFilesystem,
        Self::NobodyElseMayWrite,
        Self::MayWrite,
        Self::TakesUploads,
    ];

    /// Whether it can refuse `command`, whoever asks.
    fn concerns(self, command: Command) -> bool {
        use Command::{Activate, Check, Deploy, Prune, Stage};
        match self {
            // What goes back does without variables.
            Self::Variables => matches!(command, Deploy | Activate | Check),
            Self::Answers | Self::OneRootEach | Self::MayWrite => true,
            // Going back never asks.
            Self::OneFilesystem | Self::NobodyElseMayWrite => matches!(command, Deploy | Stage | Prune | Check),
            Self::TakesUploads => matches!(command, Deploy | Stage | Check),
        }
    }

    /// Whether `asker` asks it of hosts. Where a run does not, what it does first says the same and touches nothing.
    fn is_asked_by(self, asker: Asker) -> bool {
        match self {
            Self::MayWrite | Self::TakesUploads => asker != Asker::Run,
            _ => true,
        }
    }
}

impl Run<'_> {
    /// Whoever asks in this run.
    pub(super) fn asker(&self) -> Asker {
        match (self.command(), self.options.dry_run) {
            (Command::Check, _) => Asker::Check,
            (_, true) => Asker::DryRun,
            (_, false) => Asker::Run,
        }
    }

    fn asks(&self, question: Question) -> bool {
        question.concerns(self.command()) && question.is_asked_by(self.asker())
    }

    /// The report that variables are missing here, which is known before any host is asked.
    pub(super) fn lacks_variables(&self, release: Option<&ReleaseName>) -> Option<Report> {
        let commands = self.options.commands.as_ref().filter(|_| self.asks(Question::Variables))?;
        let error = super::secrets::missing(commands)?;
        Some(self.report(Outcome::Error, release, Vec::new(), Some(error.into())))
    }

    /// The report of the first question that the states of the hosts answer with a refusal.
    pub(super) fn unfit(&self, observed: &Observed<'_>) -> Option<Report> {
        if let Some(report) = self.not_observed(observed).filter(|_| self.asks(Question::Answers)) {
            return Some(report);
        }
        let seen = observed.seen();
        if self.asks(Question::OneRootEach)
            && let Err(refusal) = plan::one_root_each(self.command(), &seen)
        {
            return Some(self.refused(refusal, &seen));
        }
        self.unfit_way(&seen)
    }

    /// The report that a root is on several filesystems, or that others may write on the way to it; what a group may do there, and
    /// that other machines may see it late, are only warnings.
    pub(super) fn unfit_way(&self, seen: &[plan::Seen<'_>]) -> Option<Report> {
        let divided: Vec<_> = seen
            .iter()
            .filter(|_| self.asks(Question::OneFilesystem))
            .filter_map(|seen| plan::one_filesystem(seen).err())
            .collect();
        if !divided.is_empty() {
            return Some(self.refused(Refusal::of(self.command(), divided), seen));
        }
        if !self.asks(Question::NobodyElseMayWrite) {
            return None;
        }
        let closed: Vec<_> = seen.iter().filter_map(|seen| plan::team(seen).err()).collect();
        if !closed.is_empty() {
            return Some(self.refused(Refusal::of(self.command(), closed), seen));
        }
        for seen in seen {
            let warnings = [plan::writable_by_group(seen), plan::on_network(seen), plan::given_to_a_member(seen)];
            for warning in warnings.into_iter().flatten() {
                self.warn(Some(seen.host), warning);
            }
        }
        let guarded = |seen: &plan::Seen<'_>| plan::guard(seen).and_then(|()| plan::trusted_state(seen)).err();
        let refusals: Vec<_> = seen.iter().filter_map(guarded).collect();
        if refusals.is_empty() {
            return None;
        }
        if self.allow_writable {
            for refusal in &refusals {
                self.warn(Some(&refusal.host), refusal.reason.to_string());
            }
            return None;
        }
        Some(self.refused(Refusal::of(self.command(), refusals), seen))
    }

    /// The report that a host would not let this be written: asked after the plan, as it is met after the plan.
    pub(super) async fn may_not_write(&self, observed: &Observed<'_>, name: Option<&ReleaseName>) -> Option<Report> {
        if !self.asks(Question::MayWrite) {
            return None;
        }
        let asks = observed.states.iter().map(|(host, _)| async move {
            let answer = match host.store.may_write(name).await {
                Ok(()) if self.asks(Question::TakesUploads) => host.store.try_stage().await,
                answer => answer,
            };
            answer.map_err(failure).err().map(|why| (host.name.clone(), why))
        });
        // Made first, since a closure in the stream keeps the whole from being known as `Send`.
        let asks: Vec<_> = asks.collect();
        let failed: Vec<Option<(String, Failure)>> = stream::iter(asks).buffered(self.parallel).collect().await;
        let failed: Vec<(String, Failure)> = failed.into_iter().flatten().collect();
        if failed.is_empty() {
            return None;
        }
        let mut hosts = observed_reports(observed);
        for report in &mut hosts {
            if let Some((_, why)) = failed.iter().find(|(host, _)| *host == report.host) {
                let outcome = failed_host(&report.host, why.clone()).outcome;
                report.outcome = if outcome == HostOutcome::Failed { HostOutcome::Refused } else { outcome };
                report.error = Some(why.clone());
            }
        }
        let error = summary("a host would refuse what is to be written, and nothing was touched", &failed);
        Some(self.report(Outcome::Refused, None, hosts, Some(error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a run leaves to its first step is asked by `check` and the dry run instead, and never the other way round.
    #[test]
    fn whatever_a_run_asks_is_asked_by_check_and_the_dry_run() {
        for question in Question::ALL {
            assert!(question.is_asked_by(Asker::Check) && question.is_asked_by(Asker::DryRun), "{question:?}");
            assert!(question.concerns(Command::Check) || !question.concerns(Command::Deploy), "{question:?}");
        }
    }
}
