//! [`Question`]: everything that can refuse a command before it changes anything, and who asks it.
//!
//! A question that several commands ask has one implementation, here. A run does not ask a question that its own first
//! step answers without changing anything: the first write, for example, shows whether this user may write, and refuses
//! in the same words.

use futures_util::{StreamExt, stream};

use crate::{
    error::ErrorKind,
    name::ReleaseName,
    plan::{self, Refusal},
    report::{Command, Failure, HostOutcome, Outcome, Report},
    store::{RootState, StoreError},
    transport::Liveness,
};

use super::{
    Host,
    observe::{Observed, failed_host, failure, observed_reports},
    phases::lock::NOT_LOCKED,
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
    /// Whether the source may be published.
    Source,
    /// Whether the variables for commands can be read here.
    Variables,
    /// Whether every host answers.
    Answers,
    /// Whether each host has a root of its own.
    OneRootEach,
    /// Whether everything that is renamed is on one filesystem.
    OneFilesystem,
    /// Whether nobody else may write to a directory on the path to the root.
    NobodyElseMayWrite,
    /// Whether the lock is free, or its holder is proven dead.
    LockIsFree,
    /// Whether this user may write, the state has a known format, and the name was not pruned.
    MayWrite,
    /// Whether the host opens a channel for uploads.
    TakesUploads,
    /// Whether the files that the plan relies on belong to nobody else.
    TrustedFiles,
    /// Whether the releases that hosts go to are intact.
    IntactTargets,
}

/// The cost of an answer.
#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cost {
    /// Answered on this machine.
    Nothing,
    /// Answered by the states, which every command reads.
    State,
    /// An exchange of its own with each host.
    Exchange,
}

impl Question {
    #[cfg(test)]
    const ALL: [Self; 11] = [
        Self::Source,
        Self::Variables,
        Self::Answers,
        Self::OneRootEach,
        Self::OneFilesystem,
        Self::NobodyElseMayWrite,
        Self::LockIsFree,
        Self::MayWrite,
        Self::TakesUploads,
        Self::TrustedFiles,
        Self::IntactTargets,
    ];

    /// Returns the cost of the answer.
    #[cfg(test)]
    fn cost(self) -> Cost {
        match self {
            Self::Source | Self::Variables => Cost::Nothing,
            Self::Answers
            | Self::OneRootEach
            | Self::OneFilesystem
            | Self::NobodyElseMayWrite
            | Self::LockIsFree
            | Self::TrustedFiles => Cost::State,
            Self::MayWrite | Self::TakesUploads | Self::IntactTargets => Cost::Exchange,
        }
    }

    /// Whether it can refuse `command`, whoever asks.
    fn concerns(self, command: Command) -> bool {
        use Command::{Activate, Check, Deploy, Prune, Recover, Rollback, Stage, Unlock};
        match self {
            // `check` has no source.
            Self::Source => matches!(command, Deploy | Stage),
            // A rollback works without variables.
            Self::Variables => matches!(command, Deploy | Activate | Check),
            Self::Answers | Self::OneRootEach | Self::MayWrite => true,
            // A rollback never asks these.
            Self::OneFilesystem | Self::NobodyElseMayWrite => matches!(command, Deploy | Stage | Prune | Check),
            // `unlock` asks each host for itself.
            Self::LockIsFree => command != Unlock,
            Self::TakesUploads => matches!(command, Deploy | Stage | Check),
            // A deploy relies only on files that it publishes; the question about the path covers the rest.
            Self::TrustedFiles => matches!(command, Activate | Rollback | Recover),
            Self::IntactTargets => matches!(command, Activate | Rollback),
        }
    }

    /// Whether `asker` asks it. If a run does not, its first step answers in the same words and changes
    /// nothing.
    fn is_asked_by(self, asker: Asker) -> bool {
        match self {
            Self::LockIsFree | Self::MayWrite | Self::TakesUploads => asker != Asker::Run,
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

    /// Whether this run asks `question`.
    pub(super) fn asks(&self, question: Question) -> bool {
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

    /// Reports hosts that would refuse the lock or the writes. Asked after the plan, since a run meets it after the
    /// plan.
    pub(super) async fn refuse_closed_hosts(
        &self,
        observed: &Observed<'_>,
        name: Option<&ReleaseName>,
    ) -> Option<Report> {
        let asks = observed.states.iter().map(|(host, state)| async move {
            let why = match self.held(host, state) {
                Some(held) => Some(held),
                None => self.ask_for_writes(host, name).await.err(),
            };
            why.map(|why| (host.name.clone(), why))
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
        let only_locked = failed.iter().all(|(_, why)| why.kind == ErrorKind::Locked);
        let what = if only_locked { NOT_LOCKED } else { "a host would refuse a write, and nothing was touched" };
        Some(self.report(Outcome::Refused, None, hosts, Some(summary(what, &failed))))
    }

    /// Returns the failure that a lock held by somebody else would be. A run that may wait is only warned.
    fn held(&self, host: &Host, state: &Result<RootState, Failure>) -> Option<Failure> {
        let holder = state.as_ref().ok()?.lock.as_ref()?;
        if !self.asks(Question::LockIsFree) || holder.holder == Liveness::Gone {
            return None;
        }
        let held = failure(StoreError::Locked { host: host.store.to_string(), holder: Box::new(holder.clone()) });
        if self.options.wait.is_zero() {
            return Some(held);
        }
        self.warn(Some(&host.name), format!("{}; the run would wait up to {:?}", held.message, self.options.wait));
        None
    }

    async fn ask_for_writes(&self, host: &Host, name: Option<&ReleaseName>) -> Result<(), Failure> {
        if self.asks(Question::MayWrite) {
            host.store.may_write(name).await.map_err(failure)?;
        }
        if self.asks(Question::TakesUploads) {
            host.store.try_stage().await.map_err(failure)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGING: [Command; 10] = [
        Command::Deploy,
        Command::Stage,
        Command::Activate,
        Command::Rollback,
        Command::Recover,
        Command::Adopt,
        Command::Prune,
        Command::Pin,
        Command::Unpin,
        Command::Unlock,
    ];

    /// The questions in their order, each with its cost, whether `check` asks it, and the commands that ask it in a
    /// dry run; a star means that the run leaves it to its first step.
    #[test]
    fn the_table_of_questions() {
        let row = |question: Question| {
            let commands = CHANGING.into_iter().filter(|command| question.concerns(*command));
            let commands: Vec<String> = commands.map(|command| command.to_string()).collect();
            let commands = if commands.len() == CHANGING.len() { "all".to_owned() } else { commands.join(" ") };
            let check = if question.concerns(Command::Check) { "check" } else { "-" };
            let run = if question.is_asked_by(Asker::Run) { "" } else { "*" };
            format!("{question:?} {:?} {check}: {commands}{run}", question.cost()).to_string()
        };
        let expected = "\
Source Nothing -: deploy stage
Variables Nothing check: deploy activate
Answers State check: all
OneRootEach State check: all
OneFilesystem State check: deploy stage prune
NobodyElseMayWrite State check: deploy stage prune
LockIsFree State check: deploy stage activate rollback recover adopt prune pin unpin*
MayWrite Exchange check: all*
TakesUploads Exchange check: deploy stage*
TrustedFiles State -: activate rollback recover
IntactTargets Exchange -: activate rollback";
        assert_eq!(Question::ALL.map(row).join("\n"), expected);
    }

    /// A question that a run leaves to its first step is asked by `check` and the dry run instead, and
    /// never the reverse.
    #[test]
    fn whatever_a_run_asks_is_asked_by_check_and_the_dry_run() {
        for question in Question::ALL {
            assert!(question.is_asked_by(Asker::Check) && question.is_asked_by(Asker::DryRun), "{question:?}");
            let needs_source = question == Question::Source;
            let asked = question.concerns(Command::Check) || !question.concerns(Command::Deploy);
            assert!(asked || needs_source, "{question:?}");
        }
    }
}
