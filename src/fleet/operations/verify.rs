//! `verify`, and the check of a release before a host goes to it.

use futures_util::{StreamExt, future::join_all, stream};

use crate::{
    error::{Error, ErrorKind},
    event::Phase,
    hint::{Hint, Notice},
    manifest::DifferenceKind,
    name::ReleaseName,
    plan::{Action, Plan, Seen},
    report::{Command, Failure, HostOutcome, HostReport, Outcome, Report, Verification},
    shared::BrokenLink,
    store::{Checked, HostedRelease, RootState, StoreError, Verified},
    target_check::TargetCheck,
};

use crate::fleet::{
    Host,
    observe::{failed_host, failure, untouched},
    questions::Question,
    run::{Run, summary},
};

/// The maximum number of entries in a message; `switchback verify` names them all.
const MAX_NAMED: usize = 5;

/// The warning about a release that commands changed and nobody sealed.
pub(in crate::fleet) const CHANGED: &str = "commands of an interrupted run changed it";

/// The warnings of each host, which are no reason to refuse.
pub(in crate::fleet) type Warnings = Vec<(String, String)>;

impl Run<'_> {
    /// Verifies, on all hosts at once, every existing release that a host is about to go to. Refuses a
    /// damaged one.
    ///
    /// Nothing has changed then, and a dry run checks in the same way. Uses the result of the check made together with
    /// the lock, if it was of that release; a rollback that passes over bad releases has another target, which is
    /// checked here.
    pub(in crate::fleet) async fn verify_targets(&self, plan: &Plan, seen: &[Seen<'_>]) -> Result<Warnings, Report> {
        let was_there = |action: &Action| matches!(action, Action::GoBack | Action::Relink | Action::Activate { .. });
        let target = |seen: &Seen<'_>| {
            plan.host(seen.host).filter(|host| was_there(&host.action)).map(|host| host.release.clone())
        };
        if !self.asks(Question::IntactTargets) || self.verify == TargetCheck::None {
            return Ok(Warnings::new());
        }
        let looks = seen.iter().filter_map(|seen| Some(self.verify_target(*seen, target(seen)?)));
        let (mut warnings, mut failed) = (Warnings::new(), Vec::new());
        for (host, found) in join_all(looks).await {
            match found {
                Ok(found) => warnings.extend(found.into_iter().map(|warning| (host.clone(), warning))),
                Err(why) => failed.push((host, why)),
            }
        }
        if failed.is_empty() {
            return Ok(warnings);
        }
        let hosts = seen.iter().map(|seen| {
            let mut report = untouched(seen.host, seen.state);
            if let Some((_, why)) = failed.iter().find(|(host, _)| host == seen.host) {
                (report.outcome, report.error) = (HostOutcome::Refused, Some(why.clone()));
            }
            report
        });
        let error = summary(&format!("{} refused, nothing was touched", plan.command), &failed);
        Err(self.report(Outcome::Refused, None, hosts.collect(), Some(error)))
    }

    /// Verifies the release that one host is about to go to. The warnings are no reason to refuse.
    async fn verify_target(&self, seen: Seen<'_>, name: ReleaseName) -> (String, Result<Vec<String>, Failure>) {
        if let Some(why) = seen.state.release(&name).and_then(|release| release.unsealed.unreadable()) {
            return (seen.host.to_owned(), self.report_step(seen.host, Phase::Verify, Err(unreadable(&name, why))));
        }
        let touched = seen.state.release(&name).is_some_and(|release| release.touched.record().is_some());
        let known = seen.state.checked.as_ref().filter(|(checked, _)| *checked == name);
        let checked = match (known, self.verify) {
            (Some((_, checked)), TargetCheck::Quick) => Ok(checked.clone()),
            _ => self.check_on(&seen, &name).await,
        };
        let found = checked.and_then(|checked| {
            let refused = match &checked {
                // The run will seal it first.
                Checked::Damaged { .. } if self.options.dry_run && touched => None,
                Checked::Damaged { entries, some } => Some(damaged(self.command(), &name, *entries, some)),
                Checked::Unreadable { why } => Some(unreadable(&name, why)),
                _ => None,
            };
            if let Some(why) = refused {
                return self.report_step(seen.host, Phase::Verify, Err(why));
            }
            let said = match &checked {
                Checked::Damaged { .. } => vec![format!("seals {name} first: {CHANGED}")],
                checked => describe_check(&name, checked),
            };
            for said in &said {
                self.warn(Some(seen.host), said.clone());
            }
            Ok(said)
        });
        (seen.host.to_owned(), found)
    }

    async fn check_on(&self, seen: &Seen<'_>, name: &ReleaseName) -> Result<Checked, Failure> {
        let host = self.hosts.iter().find(|host| host.name == seen.host);
        match (host, seen.state.release(name)) {
            (Some(host), Some(release)) => {
                host.store.check(release, self.verify == TargetCheck::Full).await.map_err(failure)
            }
            _ => Err(missing(name)),
        }
    }
}

pub(in crate::fleet) fn missing(name: &ReleaseName) -> Failure {
    Error::new(ErrorKind::NoSuchRelease, format!("there is no release {name}")).into()
}

/// Describes the result of a check of a release.
pub(in crate::fleet) fn describe_check(name: &ReleaseName, checked: &Checked) -> Vec<String> {
    match checked {
        Checked::Holds { added, some, modes, changed } => {
            let added = (*added > 0)
                .then(|| format!("{name} has entries that are not in its manifest: {}", list_some(some, *added)));
            let modes = (*modes > 0).then(|| format!("modes in {name} were changed: {}", list_some(changed, *modes)));
            added.into_iter().chain(modes).collect()
        }
        Checked::NoManifest => vec![format!(
            "{name} has no manifest, so it cannot be verified: it was made by hand or by an older version"
        )],
        Checked::Impossible { why } => vec![format!("{name} could not be verified ({why})")],
        Checked::Unreadable { why } => vec![unreadable(name, why).message],
        Checked::Damaged { entries, some } => vec![format!("{name} is damaged: {}", list_some(some, *entries))],
    }
}

/// Returns the failure for a release whose manifest, or `unsealed` mark, cannot be read.
fn unreadable(name: &ReleaseName, why: &str) -> Failure {
    let message = format!("cannot read the manifest of {name}, so it cannot be verified: {why}");
    Error::new(ErrorKind::DamagedState, message).hint(Hint::UnreadableFile).hint(Hint::Unverified).into()
}

fn damaged(command: Command, name: &ReleaseName, entries: u64, some: &[String]) -> Failure {
    let message = format!("{name} is damaged: {}", list_some(some, entries));
    let ways = match command {
        Command::Activate => ["deploy it again under another name".into(), Hint::ActivateUnverified(name.clone())],
        _ => [Hint::RollbackToAnother, Hint::RollbackUnverified(name.clone())],
    };
    Error::new(ErrorKind::DamagedRelease, message).hint(Hint::VerifyFull(name.clone())).hints(ways).into()
}

/// Lists some of many entries, and how many more there are.
pub(in crate::fleet) fn list_some(some: &[String], in_all: u64) -> String {
    let shown: Vec<&str> = some.iter().take(MAX_NAMED).map(String::as_str).collect();
    let more = in_all.saturating_sub(shown.len() as u64);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    shown.join(", ") + &more
}

/// Verifies a release, by default the current one, against its manifest on every host.
pub(in crate::fleet) async fn verify(run: Run<'_>, name: Option<&ReleaseName>, full: bool) -> Report {
    run.emit_started(name);
    let observed = run.observe().await;
    let looks = observed.states.iter().map(|(host, answer)| verify_on(&run, host, answer, name, full));
    // Collected first: with a closure in the stream, the compiler cannot prove the future `Send`.
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
    let verified = match state.release(name) {
        Some(release) => verify_release(host, release, full).await.map_err(failure),
        None => Err(missing(name)),
    };
    match run.report_phase(&host.name, Phase::Verify, verified) {
        Ok((verified, links)) => {
            let mut report = found(report, name, &verified, &links, full);
            if state.release(name).is_some_and(|release| release.touched.record().is_some()) {
                report.warnings.push(Notice::new(CHANGED).hint(Hint::Seal));
            }
            for warning in &report.warnings {
                run.warn(Some(&host.name), warning.clone());
            }
            report
        }
        Err(why) => HostReport { before: report.before, after: report.after, ..failed_host(&host.name, why) },
    }
}

/// Verifies a release against its manifest, and checks its symlinks to shared paths.
async fn verify_release(
    host: &Host,
    release: &HostedRelease,
    full: bool,
) -> Result<(Verified, Vec<BrokenLink>), StoreError> {
    let verified = host.store.verify(release, full).await?;
    let broken = host.store.broken_links(std::slice::from_ref(release)).await?;
    Ok((verified, broken.into_iter().flat_map(|(_, links)| links).collect()))
}

fn found(
    mut report: HostReport,
    name: &ReleaseName,
    verified: &Verified,
    links: &[BrokenLink],
    full: bool,
) -> HostReport {
    let Some(digest) = verified.manifest else {
        let message =
            format!("{name} has no manifest to verify it against: it was made by hand or by an older version");
        report.outcome = HostOutcome::Refused;
        report.error = Some(Error::new(ErrorKind::NoManifest, message).into());
        return report;
    };
    let verification = Verification::of(name, digest, full, verified, links);
    if verification.foreign > 0 {
        let some: Vec<String> = verification.owners.iter().map(ToString::to_string).collect();
        let whose = "belongs to other users than root and the deploying ones, who can change it at any time";
        report.warnings.push(format!("{}: {whose}", list_some(&some, verification.foreign)).into());
    }
    if verification.modes > 0 {
        let some: Vec<String> = verification.mode_changes.iter().map(ToString::to_string).collect();
        report.warnings.push(
            format!("modes were changed, without granting any right: {}", list_some(&some, verification.modes)).into(),
        );
    }
    if verification.damaged > 0 {
        let some: Vec<String> = verification.damage.iter().map(ToString::to_string).collect();
        report.outcome = HostOutcome::Failed;
        report.error =
            Some(Failure { hints: Vec::new(), ..damaged(Command::Verify, name, verification.damaged, &some) });
    }
    let deep = verified.differences.added.some.iter().find(|difference| difference.kind == DifferenceKind::TooDeep);
    if let Some(deep) = deep.filter(|_| verification.damaged == 0) {
        let message = format!("not all of {name} could be verified: {}", deep.shown_path());
        let hint = "find out with `ls` there what made it; every listed entry is intact";
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
        (false, _) => (Outcome::Differs, Some(summary("a release is damaged", &damaged))),
        (true, false) => (Outcome::Refused, Some(summary("a release could not be verified", &failed))),
    };
    run.report(outcome, name, hosts, error)
}
