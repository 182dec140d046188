//! `verify`, and the look at a release before a host goes to one that was there before.

use futures_util::{StreamExt, future::join_all, stream};

use crate::{
    error::{Error, ErrorKind},
    event::Phase,
    manifest::DifferenceKind,
    name::ReleaseName,
    plan::{Action, Plan},
    report::{Command, Failure, HostOutcome, HostReport, Outcome, Report, Verification},
    store::{Checked, RootState, Verified},
    target_check::TargetCheck,
};

use super::{
    Host,
    ask::{failed_host, failure, untouched},
    run::{Run, summary},
    working::Working,
};

/// How many entries are named in a message; `switchback verify` names them all.
const NAMED: usize = 5;

impl Run<'_> {
    /// Looks whether every release that a host is about to go to, back or by name, is what it was, on all hosts at once, and
    /// refuses when one is not: no host was touched then. That was looked at in the exchange that took the lock, where it
    /// could be; where the way back passes over bad releases it is looked at again.
    pub(super) async fn verify_targets(&self, plan: &Plan, locked: &mut [Working<'_>]) -> Result<(), Report> {
        let was_there = |action: &Action| matches!(action, Action::GoBack | Action::Activate { .. });
        let goes = |working: &&mut Working<'_>| plan.host(working.name()).is_some_and(|host| was_there(&host.action));
        if self.verify == TargetCheck::None {
            return Ok(());
        }
        let going: Vec<_> = locked.iter_mut().filter(goes).collect();
        join_all(going.into_iter().map(|working| self.verify_target(plan, working))).await;
        let failed: Vec<(String, Failure)> =
            locked.iter().filter_map(|working| Some((working.name().to_owned(), working.failure.clone()?))).collect();
        if failed.is_empty() {
            return Ok(());
        }
        let hosts = locked.iter().map(|working| {
            let mut report = untouched(working.name(), working.guard.state());
            report.outcome = if working.failure.is_some() { HostOutcome::Refused } else { report.outcome };
            report.error.clone_from(&working.failure);
            report
        });
        let error = summary(&format!("{} refused, nothing was touched", plan.command), &failed);
        Err(self.report(Outcome::Refused, None, hosts.collect(), Some(error)))
    }

    async fn verify_target(&self, plan: &Plan, working: &mut Working<'_>) {
        let Some(name) = plan.host(working.name()).map(|host| host.release.clone()) else { return };
        let release = working.guard.state().release(&name);
        if let Some(why) = release.and_then(|release| release.unsealed.unreadable()) {
            working.failure = Some(unreadable(&name, why));
            return;
        }
        let known = working.guard.state().checked.as_ref().filter(|(checked, _)| *checked == name);
        let checked = match (known, self.verify) {
            (Some((_, checked)), TargetCheck::Quick) => Ok(checked.clone()),
            _ => working.guard.check(&name, self.verify == TargetCheck::Full).await,
        };
        match checked {
            Ok(checked) => self.judge(&name, checked, working),
            Err(error) => working.failure = Some(failure(error)),
        }
    }

    fn judge(&self, name: &ReleaseName, checked: Checked, working: &mut Working<'_>) {
        let said = match checked {
            Checked::Holds { added: 0, .. } => return,
            Checked::Holds { added, some } => {
                format!("{name} holds what was not staged with it: {}", named(&some, added))
            }
            Checked::NoManifest => {
                format!(
                    "{name} has no manifest, so nobody can say whether it is what it was: it was made by hand or by an older version"
                )
            }
            Checked::Unreadable { why } => {
                working.failure = self.told::<()>(working.name(), Phase::Lock, Err(unreadable(name, &why))).err();
                return;
            }
            Checked::Impossible { why } => format!("it could not be looked whether {name} is what it was ({why})"),
            Checked::Damaged { entries, some } => {
                let error =
                    self.told::<()>(working.name(), Phase::Lock, Err(damaged(self.command(), name, entries, &some)));
                working.failure = error.err();
                return;
            }
        };
        self.warn(Some(working.name()), said.clone());
        working.warnings.push(said);
    }
}

/// The failure of a release whose manifest, or the mark that it was never sealed, cannot be read.
fn unreadable(name: &ReleaseName, why: &str) -> Failure {
    let message = format!("cannot read the manifest of {name}, so nobody can say whether it is what it was: {why}");
    let hint = "`switchback status` names the file; `--verify none` goes there without looking";
    Error::new(ErrorKind::DamagedState, message).hint(hint).into()
}

fn damaged(command: Command, name: &ReleaseName, entries: u64, some: &[String]) -> Failure {
    let message = format!("{name} is damaged: {}", named(some, entries));
    let see = format!("see all of it with `switchback verify {name} --full`");
    let hint = match command {
        Command::Activate => format!(
            "{see}; bring it again with `switchback deploy` and another --name, or go there all the same with `switchback \
             activate {name} --verify none`"
        ),
        _ => format!(
            "{see}; go elsewhere with `switchback rollback --to NAME`, or there all the same with `switchback rollback \
             --to {name} --verify none`"
        ),
    };
    Error::new(ErrorKind::DamagedRelease, message).hint(hint).into()
}

/// Some of many, and how many more.
fn named(some: &[String], in_all: u64) -> String {
    let shown: Vec<&str> = some.iter().take(NAMED).map(String::as_str).collect();
    let more = in_all.saturating_sub(shown.len() as u64);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    shown.join(", ") + &more
}

/// Holds a release, the current one by default, against its manifest on every host.
pub(super) async fn verify(run: Run<'_>, name: Option<&ReleaseName>, full: bool) -> Report {
    run.begin(name);
    let asked = run.ask().await;
    let looks = asked.answers.iter().map(|(host, answer)| verify_on(&run, host, answer, name, full));
    // Made first, since a closure in the stream keeps the whole from being known as `Send`.
    let looks: Vec<_> = looks.collect();
    let hosts: Vec<HostReport> = stream::iter(looks).buffered(run.parallel).collect().await;
    conclude(&run, name, hosts)
}

async fn verify_on(
    run: &Run<'_>,
    host: &Host,
    answer: &Result<RootState, Failure>,
    name: Option<&ReleaseName>,
    full: bool,
) -> HostReport {
    let state = match answer {
        Ok(state) => state,
        Err(why) => return failed_host(&host.name, why.clone()),
    };
    let mut report = untouched(&host.name, state);
    let Some(name) = name.or(state.current.release()) else {
        let message = "no release is current here, so there is nothing to verify";
        report.outcome = HostOutcome::Refused;
        report.error = Some(Error::new(ErrorKind::NotDeployed, message).into());
        return report;
    };
    let verified = host.store.verify(name, full).await.map_err(failure);
    match run.told(&host.name, Phase::Verify, verified) {
        Ok(verified) => {
            let report = found(report, name, &verified, full);
            for warning in &report.warnings {
                run.warn(Some(&host.name), warning.clone());
            }
            report
        }
        Err(why) => HostReport { before: report.before, after: report.after, ..failed_host(&host.name, why) },
    }
}

fn found(mut report: HostReport, name: &ReleaseName, verified: &Verified, full: bool) -> HostReport {
    let Some(digest) = verified.manifest else {
        let message = format!("{name} has no manifest to be held against: it was made by hand or by an older version");
        report.outcome = HostOutcome::Refused;
        report.error = Some(Error::new(ErrorKind::NoManifest, message).into());
        return report;
    };
    let verification = Verification::of(name, digest, full, &verified.differences, &verified.foreign);
    if verification.foreign > 0 {
        let some: Vec<String> = verification.owners.iter().map(ToString::to_string).collect();
        let whose = "belongs to others than root and those who deploy, who may change it at any time";
        report.warnings.push(format!("{}: {whose}", named(&some, verification.foreign)));
    }
    if verification.damaged > 0 {
        let some: Vec<String> = verification.damage.iter().map(ToString::to_string).collect();
        report.outcome = HostOutcome::Failed;
        report.error = Some(Failure { hint: None, ..damaged(Command::Verify, name, verification.damaged, &some) });
    }
    let deep = verified.differences.iter().find(|difference| difference.kind == DifferenceKind::TooDeep);
    if let Some(deep) = deep.filter(|_| verification.damaged == 0) {
        let message = format!("not all of {name} could be verified: {}", deep.shown_path());
        let hint = "see what made it with `ls` there; what the manifest lists is intact";
        report.outcome = HostOutcome::Refused;
        report.error = Some(Error::new(ErrorKind::DamagedRelease, message).hint(hint).into());
    }
    report.verification = Some(verification);
    report
}

fn conclude(run: &Run<'_>, name: Option<&ReleaseName>, hosts: Vec<HostReport>) -> Report {
    let is_damaged = |host: &HostReport| host.verification.as_ref().is_some_and(|found| found.damaged > 0);
    let of = |wanted: bool| -> Vec<(String, Failure)> {
        let failed = hosts.iter().filter(|host| is_damaged(host) == wanted);
        failed.filter_map(|host| Some((host.host.clone(), host.error.clone()?))).collect()
    };
    let (damaged, failed) = (of(true), of(false));
    let (outcome, error) = match (damaged.is_empty(), failed.is_empty()) {
        (true, true) => (Outcome::Done, None),
        (false, _) => (Outcome::Differs, Some(summary("a release is not what it was", &damaged))),
        (true, false) => (Outcome::Refused, Some(summary("a release could not be verified", &failed))),
    };
    run.report(outcome, name, hosts, error)
}
