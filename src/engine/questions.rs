//! [`Question`]: everything that can refuse a command before it changes anything, and who asks it.
//!
//! A question that several commands ask has one implementation, here. A run does not ask a question that its own first
//! step answers without changing anything: the first write, for example, shows whether this user may write, and refuses
//! in the same words.

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

/// The one who asks a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    /// `check`, which asks on behalf of every possible deploy.
    Check,
    /// A dry run.
    DryRun,
    /// The run itself.
    Run,
}

/// A reason to refuse a command before it changes anything, besides those of its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// Whether the variables for commands can be read here. Costs the hosts nothing.
    Variables,
    /// Whether every host answers. The observed states answer this question and the next three.
    Answers,
    /// Whether each host has a root of its own.
    OneRootEach,
    /// Whether everything that is renamed is on one filesystem.
    OneFilesystem,
    /// Whether nobody else may write to a directory on the path to the root.
    NobodyElseMayWrite,
    /// Whether this user may write, the state has a known format, and the name was not pruned. Costs an
    /// exchange.
    MayWrite,
    /// Whether the host opens a channel for uploads. Costs an exchange over one.
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
            // A rollback works without variables.
            Self::Variables => matches!(command, Deploy | Activate | Check),
            Self::Answers | Self::OneRootEach | Self::MayWrite => true,
            // A rollback never asks these.
            Self::OneFilesystem | Self::NobodyElseMayWrite => matches!(command, Deploy | Stage | Prune | Check),
            Self::TakesUploads => matches!(command, Deploy | Stage | Check),
        }
    }

    /// Whether `asker` asks it. If a run does not, its first step answers in the same words and changes
    /// nothing.
    fn is_asked_by(self, asker: Asker) -> bool {
        match self {
            Self::MayWrite | Self::TakesUploads => asker != Asker::Run,
            _ => true,
        }
    }
}

impl Run<'_> {
    /// Returns the one who asks in this run.
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

    /// Reports that variables are missing on this machine, before any host is contacted.
    pub(super) fn refuse_missing_variables(&self, release: Option<&ReleaseName>) -> Option<Report> {
        let commands = self.options.commands.as_ref().filter(|_| self.asks(Question::Variables))?;
        let error = super::secrets::missing(commands)?;
        Some(self.report(Outcome::Error, release, Vec::new(), Some(error.into())))
    }

    /// Reports the first question that the observed states answer with a refusal.
    pub(super) fn refuse_unfit_hosts(&self, observed: &Observed<'_>) -> Option<Report> {
        if let Some(report) = self.refuse_unobserved(observed).filter(|_| self.asks(Question::Answers)) {
            return Some(report);
        }
        let seen = observed.seen();
        if self.asks(Question::OneRootEach)
            && let Err(refusal) = plan::one_root_each(self.command(), &seen)
        {
            return Some(self.refused(refusal, &seen));
        }
        self.refuse_unfit_paths(&seen)
    }

    /// Reports a root on several filesystems, or a path to it that others may write to.
    ///
    /// Write permission of a group, and network filesystems that other machines see late, are only warnings.
    pub(super) fn refuse_unfit_paths(&self, seen: &[plan::Seen<'_>]) -> Option<Report> {
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

    /// Reports hosts that would refuse the writes. Asked after the plan, since a run meets it after the
    /// plan.
    pub(super) async fn refuse_unwritable_hosts(
        &self,
        observed: &Observed<'_>,
        name: Option<&ReleaseName>,
    ) -> Option<Report> {
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
        // Collected first: with a closure in the stream, the compiler cannot prove the future `Send`.
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

    /// A question that a run leaves to its first step is asked by `check` and the dry run instead, and
    /// never the reverse.
    #[test]
    fn whatever_a_run_asks_is_asked_by_check_and_the_dry_run() {
        for question in Question::ALL {
            assert!(question.is_asked_by(Asker::Check) && question.is_asked_by(Asker::DryRun), "{question:?}");
            assert!(question.concerns(Command::Check) || !question.concerns(Command::Deploy), "{question:?}");
        }
    }
}
