//! The read-only commands: `status`, `releases` and `history`.

use std::collections::HashMap;

use futures_util::{StreamExt, stream};

use crate::{
    error::Error,
    event::Phase,
    hint::{Hint, Notice},
    history::HistoryEntry,
    name::ReleaseName,
    plan::{self, Seen},
    report::{Command, Failure, HostOutcome, HostReport, Outcome, Report},
    status::{DamagedRelease, HostStatus, ReleaseState, ReleaseStatus},
    store::{Checked, Examined, HostedRelease, Intent, Interrupted, Kept, RECENT_HISTORY, RootState},
    transport::Liveness,
};

use crate::fleet::{
    Host,
    links::{describe_links, links_of},
    observe::{Observed, failed_host, failure, untouched},
    operations::verify::describe_check,
    run::{Run, summary},
};

/// Reports the state of every host, and whether the current release and the target of a rollback are
/// intact.
pub(in crate::fleet) async fn status(run: Run<'_>) -> Report {
    run.emit_started(None);
    let observed = run.observe().await;
    let mut hosts = examined(&run, &observed).await;
    for (name, why) in plan::stragglers(&observed.seen(), None) {
        if let Some(host) = hosts.iter_mut().find(|host| host.host == name) {
            host.warnings.push(why);
        }
    }
    let states = observed.states.iter().map(|(host, answer)| (*host, answer.as_ref().ok()));
    let told: Vec<_> = states.zip(hosts).map(|((host, state), report)| add_failed_end(host, state, report)).collect();
    let hosts = stream::iter(told).buffered(run.parallel).collect().await;
    conclude(&run, hosts, |host| host.status.is_none())
}

/// Adds that the last operation failed after a switch, unless this host is as it was: somebody has to see to it.
///
/// Only a host that was rolled back, or was left with work, is asked for the end of its history.
async fn add_failed_end(host: &Host, state: Option<&RootState>, mut report: HostReport) -> HostReport {
    let is_suspect =
        |state: &&RootState| !state.interrupted.is_empty() || state.releases.iter().any(|release| release.bad.exists());
    let (Some(state), Some(status)) = (state.filter(is_suspect), report.status.as_mut()) else { return report };
    // A history that cannot be read is named by `history`.
    let Ok((entries, _)) = host.store.history(Some(1)).await else { return report };
    let Some(last) = entries.last().filter(|last| last.outcome == Outcome::Inconsistent) else { return report };
    let is_open = |left: &Interrupted| left.owner.record().is_some_and(|owner| owner.operation == last.operation);
    if state.interrupted.iter().any(is_open) {
        status.leftovers = leftovers(state, Some(last));
    } else {
        let text = failed_end(last).map(|text| Notice::new(text).hint(Hint::Log));
        report.warnings.extend(text);
    }
    report
}

/// Describes an operation that failed after a switch; `None` if this host is as it was before.
fn failed_end(last: &HistoryEntry) -> Option<String> {
    let how = match last.host {
        HostOutcome::Failed => "switched, and then failed here",
        HostOutcome::Reverted if last.unwell => "failed and was reverted, and then a hook failed here",
        HostOutcome::Reverted | HostOutcome::Unchanged => return None,
        _ => "switched, and then failed",
    };
    let to = last.to.as_ref().map(|to| format!(" to {to}")).unwrap_or_default();
    Some(format!("{}'s {}{to} {how}", last.by, last.command))
}

/// Reports the releases of every host.
pub(in crate::fleet) async fn releases(run: Run<'_>) -> Report {
    run.emit_started(None);
    let observed = run.observe().await;
    let hosts: Vec<HostReport> = observed.states.iter().map(|(host, answer)| report_state(host, answer)).collect();
    conclude(&run, hosts, |host| host.status.is_none())
}

/// Returns the host reports, with the current release and the target of a rollback checked.
pub(in crate::fleet) async fn examined(run: &Run<'_>, observed: &Observed<'_>) -> Vec<HostReport> {
    let looks = observed.states.iter().map(|(host, answer)| examine(host, answer, report_state(host, answer)));
    // Collected first: with a closure in the stream, the compiler cannot prove the future `Send`.
    let looks: Vec<_> = looks.collect();
    stream::iter(looks).buffered(run.parallel).collect().await
}

/// Checks the current release and the target of a rollback, and adds the findings to the host's report.
async fn examine(host: &Host, answer: &Result<RootState, Failure>, mut report: HostReport) -> HostReport {
    let (Ok(state), Some(mut has)) = (answer, report.status.take()) else { return report };
    let names = links_of(has.current.as_ref(), has.previous.as_ref());
    let releases: Vec<HostedRelease> = names.iter().filter_map(|name| state.release(name)).cloned().collect();
    let found = if releases.is_empty() { Ok(Vec::new()) } else { host.store.examine(&releases).await };
    match found {
        Ok(found) => {
            for found in found {
                let unsealed = state.release(&found.name).is_some_and(|release| release.touched.record().is_some());
                examine_one(found, unsealed, &mut report, &mut has);
            }
        }
        Err(error) => {
            let why = failure(error).message;
            report.warnings.push(format!("its releases could not be verified ({why})").into());
        }
    }
    report.status = Some(has);
    report
}

/// Adds the findings about a release. An `unsealed` one, changed by a run under way or interrupted, is not
/// called damaged.
fn examine_one(found: Examined, unsealed: bool, report: &mut HostReport, has: &mut HostStatus) {
    let Examined { name, checked, links } = found;
    let (damaged, mut some) = match &checked {
        Checked::Damaged { .. } if unsealed => (0, Vec::new()),
        Checked::Damaged { entries, some } => (*entries, some.clone()),
        // Added files and releases without a manifest are not worth a warning in every `status`.
        Checked::Holds { .. } | Checked::NoManifest => (0, Vec::new()),
        Checked::Impossible { .. } | Checked::Unreadable { .. } => {
            report.warnings.extend(describe_check(&name, &checked).into_iter().map(Notice::from));
            (0, Vec::new())
        }
    };
    if damaged > 0 {
        let see = |said| Notice::new(said).hint(Hint::VerifyFull(name.clone()));
        report.warnings.extend(describe_check(&name, &checked).into_iter().map(see));
    }
    if !links.is_empty() {
        report.warnings.push(describe_links(&name, &links).into());
        some.splice(0..0, links.iter().map(ToString::to_string));
    }
    let damaged = damaged + links.len() as u64;
    if damaged > 0 {
        has.damaged.push(DamagedRelease { release: name, damaged, some });
    }
}

/// Reports the history of every host.
pub(in crate::fleet) async fn history(run: Run<'_>, newest: Option<usize>) -> Report {
    run.emit_started(None);
    let observed = run.observe().await;
    let looked = observed.states.iter().map(|(host, answer)| (*host, report_state(host, answer)));
    let looked: Vec<(&Host, HostReport)> = looked.collect();
    let open = observed.states.iter().map(|(_, answer)| answer.as_ref().map(interrupted).unwrap_or_default());
    let read: Vec<_> = looked
        .into_iter()
        .zip(open)
        .map(|((host, report), open)| history_of(&run, host, report, open, newest))
        .collect();
    let hosts: Vec<HostReport> = stream::iter(read).buffer_unordered(run.parallel).collect().await;
    conclude(&run, hosts, |host| host.status.is_none())
}

/// Adds the history to the report of a host that was read.
async fn history_of(
    run: &Run<'_>,
    host: &Host,
    report: HostReport,
    open: Vec<HistoryEntry>,
    newest: Option<usize>,
) -> HostReport {
    if report.status.is_none() {
        return report;
    }
    // An unsettled operation may have written its own end, among the newest entries.
    let read = newest.map(|newest| if open.is_empty() { newest } else { newest.max(RECENT_HISTORY) });
    let answer = host.store.history(read).await.map_err(failure);
    let answer = answer.map(|(mut entries, torn)| {
        let untold: Vec<_> = open.into_iter().filter(|open| !open.is_among(&entries)).collect();
        entries.extend(untold);
        (entries, torn)
    });
    with_history(report, newest, run.report_step(&host.name, Phase::Ask, answer))
}

/// Returns the interrupted operations that are not settled yet, oldest first.
fn interrupted(state: &RootState) -> Vec<HistoryEntry> {
    let mut open: Vec<HistoryEntry> = state.interrupted.iter().filter_map(HistoryEntry::of_interrupted).collect();
    open.sort_by_key(|entry| entry.at);
    open
}

fn with_history(
    mut report: HostReport,
    newest: Option<usize>,
    answer: Result<(Vec<HistoryEntry>, usize), Failure>,
) -> HostReport {
    match answer {
        Ok((mut entries, torn)) => {
            entries.reverse();
            entries.truncate(newest.unwrap_or(usize::MAX));
            if torn > 0 {
                report.warnings.push(format!("{torn} torn or unreadable lines in the history").into());
            }
            if let Some(status) = &mut report.status {
                status.history = Some(entries);
            }
            report
        }
        Err(failure) => failed_host(&report.host, failure),
    }
}

/// Reports the hosts; those that lack an answer because of an error make it a refusal.
pub(in crate::fleet) fn conclude(
    run: &Run<'_>,
    hosts: Vec<HostReport>,
    lacks_answer: impl Fn(&HostReport) -> bool,
) -> Report {
    let without = || hosts.iter().filter(|host| lacks_answer(host) && host.error.is_some());
    let failed: Vec<(String, Failure)> =
        without().filter_map(|host| Some((host.host.clone(), host.error.clone()?))).collect();
    if failed.is_empty() {
        return run.report(Outcome::Done, None, hosts, None);
    }
    let what = match (failed.len() == run.hosts.len(), without().all(|host| host.unread)) {
        (true, true) => "no host could be read".to_owned(),
        (false, true) => "a host could not be read; the others could".to_owned(),
        (true, false) => format!("{} failed on every host", run.command()),
        (false, false) => format!("{} failed on some hosts", run.command()),
    };
    let error = summary(&what, &failed);
    run.report(Outcome::Refused, None, hosts, Some(error))
}

/// Returns the report of a host that was only read.
fn report_state(host: &Host, answer: &Result<RootState, Failure>) -> HostReport {
    let state = match answer {
        Ok(state) => state,
        Err(failure) => return failed_host(&host.name, failure.clone()),
    };
    let seen = Seen { host: &host.name, state };
    let mut report = untouched(&host.name, state);
    report.error = plan::current_fault(&seen)
        .map(|reason| Error::new(reason.kind(), reason.to_string()).hints(reason.hints(Command::Status)).into());
    report.warnings.extend(plan::broken_way(&seen).map(Notice::from));
    let status = status_of(&host.name, state);
    if status.root_missing {
        report.warnings.push(format!("{} does not exist; a deploy would create it", host.store.root()).into());
    }
    report.warnings.extend(state.unreadable.iter().map(|file| file.to_string().into()));
    report.status = Some(status);
    report
}

fn status_of(host: &str, state: &RootState) -> HostStatus {
    let states = state.states();
    let mut releases: Vec<ReleaseStatus> =
        state.releases.iter().map(|release| release_status(states.of(release), release)).collect();
    let place = places(&Seen { host, state });
    // Clocks decide only between releases that no record puts in order.
    releases.sort_by(|one, other| {
        let by_chain = place(&one.name).cmp(&place(&other.name));
        by_chain.then_with(|| other.staged_at.cmp(&one.staged_at)).then_with(|| other.name.cmp(&one.name))
    });
    HostStatus {
        current: state.current.release().cloned(),
        revision: state.current.release().and_then(|name| state.release(name)?.staged.record()?.revision.clone()),
        previous: plan::previous_of(&Seen { host, state }).cloned(),
        chain_broken: plan::broken_way(&Seen { host, state }).is_some(),
        root_missing: state.identity.is_none(),
        lock: state.lock.clone(),
        releases,
        leftovers: leftovers(state, None),
        damaged: Vec::new(),
        history: None,
        unreadable: state.unreadable.clone(),
    }
}

/// Returns the position of each release in a list: the current one, then its recorded predecessors, then
/// the rest.
fn places<'s>(seen: &Seen<'s>) -> impl Fn(&ReleaseName) -> usize + use<'s> {
    let chain = plan::way_back(seen);
    let places: HashMap<&'s ReleaseName, usize> = chain.into_iter().enumerate().map(|(at, name)| (name, at)).collect();
    move |name| places.get(name).copied().unwrap_or(usize::MAX)
}

fn release_status(state: ReleaseState, release: &HostedRelease) -> ReleaseStatus {
    let staged = release.staged.record();
    ReleaseStatus {
        name: release.name.clone(),
        state,
        previous: release.previous.as_ref().ok().and_then(|previous| previous.release().cloned()),
        staged_at: staged.map(|staged| staged.at),
        staged_by: staged.map(|staged| staged.by.clone()),
        bytes: staged.map(|staged| staged.bytes),
        files: staged.map(|staged| staged.files),
        revision: staged.and_then(|staged| staged.revision.clone()),
        unsealed: release.unsealed.record().is_some(),
        bad: release.bad.record().cloned(),
        adopted: release.adopted.record().cloned(),
        pinned: release.pinned.record().cloned(),
    }
}

/// Describes an operation that failed and left the data unsettled, by the versions that were recorded.
fn failed_work(who: &str, left: &Interrupted, intent: &Intent, state: &RootState) -> Notice {
    let command = left.owner.record().map_or(Command::Other, |owner| owner.command);
    let goes_back = matches!(command, Command::Rollback | Command::Recover);
    let changed = if goes_back { intent.from.as_ref() } else { Some(&intent.to) };
    let change = changed.and_then(|name| Some((name, state.release(name)?.data.record()?.change.as_ref()?)));
    let versions = change.map(|(name, change)| {
        let after = change.after.as_ref().map_or("not known".to_owned(), ToString::to_string);
        format!(": {name} brought it from {} to {after}", change.before)
    });
    let text = format!("{who} to {} failed, and its data is not reverted{}", intent.to, versions.unwrap_or_default());
    let next = if goes_back { Hint::ResumeRevert(command) } else { Hint::RecoverBack };
    Notice::new(text).hint("fix the cause").hint(next)
}

/// Describes the leftovers of interrupted runs. `failed` is one that was not interrupted, but failed and left work.
fn leftovers(state: &RootState, failed: Option<&HistoryEntry>) -> Vec<Notice> {
    let left = |left: &Interrupted| {
        let who = left
            .owner
            .record()
            .map_or_else(|| "somebody's operation".to_owned(), |owner| format!("{}'s {}", owner.by, owner.command));
        if left.owner.record().is_some_and(|owner| owner.command == Command::Adopt) {
            return Notice::new(format!("{who} was interrupted")).hint(Hint::AdoptAgain);
        }
        let operation = left.owner.record().map(|owner| &owner.operation);
        let what = match &left.intent {
            Kept::Record(intent) if failed.is_some_and(|failed| operation == Some(&failed.operation)) => {
                return failed_work(&who, left, intent, state);
            }
            Kept::Record(intent) => format!("{who} to {} was interrupted", intent.to),
            Kept::Nothing if left.is_upload() => format!("{who} was interrupted during its upload"),
            Kept::Nothing => format!("{who} was interrupted before it changed anything here"),
            Kept::Unreadable(why) => format!("{who} was interrupted, and its intent cannot be read ({why})"),
        };
        what.into()
    };
    let is_held = state.lock.as_ref().is_some_and(|lock| lock.holder != Liveness::Gone);
    let touched = state.releases.iter().filter(|release| !is_held && release.touched.record().is_some());
    let touched = touched.map(|release| {
        Notice::new(format!("commands of an interrupted run changed {}", release.name)).hint(Hint::Seal)
    });
    let uploads = match state.staging.len() {
        0 => None,
        1 => Some("an unfinished upload by an older version".into()),
        uploads => Some(format!("{uploads} unfinished uploads by older versions").into()),
    };
    state
        .interrupted
        .iter()
        .map(left)
        .chain(state.debts.iter().map(|debt| debt.describe().into()))
        .chain(touched)
        .chain(uploads)
        .collect()
}
