//! Reports as tables, for people.

use switchback::{
    ReleaseName, Report, Timestamp,
    drill::DrillReport,
    history::HistoryEntry,
    lock::LockHolder,
    report::{Command, Damage, Failure, HostOutcome, HostReport, Merged, Outcome, Verification, merge},
    status::{HostStatus, ReleaseStatus},
    transport::Liveness,
};

use super::{
    diff, escape, hint,
    hosts::{self, Group},
    log, moment, style,
    table::Table,
};
use crate::invocation::Invocation;

/// Renders the result of a command. With `each`, every host has its own line.
pub(crate) fn result(report: &Report, each: bool, now: Timestamp) -> String {
    match report.command {
        Command::Status => status(report, each, now),
        Command::Releases => lists(report, each, |host| Some(releases(host.status.as_ref()?, now))),
        Command::History => lists(report, each, |host| Some(history(host.status.as_ref()?, now))),
        Command::Log if report.error.is_some() && report.hosts.iter().all(|host| host.log.is_none()) => String::new(),
        Command::Log => lists(report, each, |host| (!host.unread).then(|| log::log(host.log.as_ref(), now))),
        Command::Diff => lists(report, each, |host| host.diff.as_ref().map(diff::diff)),
        Command::Drill => report.drill.as_ref().map(legs).unwrap_or_default() + &switches(report, each),
        Command::Prune => pruned(report, each),
        Command::Verify => verifications(report, each),
        _ => switches(report, each),
    }
}

/// Renders the legs of a drill, each with the number of proofs that held.
fn legs(drill: &DrillReport) -> String {
    let mut table = Table::new(&["LEG", "SECONDS", "DATA", "PROOFS"]);
    for leg in &drill.legs {
        let held = leg.proofs.iter().filter(|proof| proof.held).count();
        let data = leg.data.as_ref().map_or("-".to_owned(), |version| escape::line(&version.to_string()));
        let proofs = format!("{held} of {} held", leg.proofs.len());
        let mark = (held < leg.proofs.len()).then_some("does not hold");
        table.row(
            vec![leg.name.clone(), format!("{:.2}", leg.seconds), data, proofs + &apart(moment::phases(&leg.phases))],
            mark,
        );
    }
    table.print()
}

/// Renders each host's outcome, and its release before and after.
fn switches(report: &Report, each: bool) -> String {
    let mut table = Table::new(&["HOST", "OUTCOME", "BEFORE", "AFTER"]);
    for group in hosts::group(&report.hosts, each, |host| (host.outcome, &host.before, &host.after), |host| &host.after)
    {
        let host = group.hosts[0];
        let cells = vec![
            label(&group),
            outcome(host.outcome).to_owned(),
            place(host, host.before.as_ref()),
            place(host, host.after.as_ref()),
        ];
        table.row(cells, group.mark());
    }
    table.print()
}

/// Renders the releases that each host removed.
fn pruned(report: &Report, each: bool) -> String {
    let mut table = Table::new(&["HOST", "OUTCOME", "CURRENT", "REMOVED"]);
    for group in hosts::group(&report.hosts, each, |host| (host.outcome, &host.after, &host.pruned), |host| &host.after)
    {
        let host = group.hosts[0];
        let names: Vec<&str> = host.pruned.iter().map(ReleaseName::as_str).collect();
        let removed = if names.is_empty() { "nothing".to_owned() } else { names.join(" ") };
        let current = place(host, host.after.as_ref());
        table.row(vec![label(&group), outcome(host.outcome).to_owned(), current, removed], group.mark());
    }
    table.print()
}

/// Renders each host's verdict on the release.
fn verifications(report: &Report, each: bool) -> String {
    let mut table = Table::new(&["HOST", "RELEASE", "VERDICT", "DIGEST"]);
    for group in hosts::group(&report.hosts, each, |host| (host.outcome, &host.verification), |host| &host.verification)
    {
        let cells = group.hosts[0].verification.as_ref().map_or_else(
            || vec![label(&group), "-".to_owned(), outcome(group.hosts[0].outcome).to_owned()],
            |found| {
                let digest = found.digest.to_string()[..12].to_owned();
                vec![label(&group), found.release.to_string(), verdict(found), digest]
            },
        );
        table.row(cells, group.mark());
    }
    table.print()
}

fn verdict(found: &Verification) -> String {
    let how = if found.full { "intact" } else { "intact (types, modes, sizes)" };
    match (found.damaged, found.added) {
        (0, 0) => how.to_owned(),
        (0, added) => format!("{how}; {added} added"),
        (damaged, _) => format!("{damaged} missing or changed"),
    }
}

/// Renders each host's current and previous release, and its lock.
fn status(report: &Report, each: bool, now: Timestamp) -> String {
    let revisions = report.hosts.iter().any(|host| host.status.as_ref().is_some_and(|has| has.revision.is_some()));
    let headings = ["HOST", "CURRENT", "REVISION", "PREVIOUS", "LOCK"];
    let mut table = Table::new(&with_revision(revisions, headings));
    let key = |host: &HostReport| {
        let has = host.status.as_ref();
        (
            host.outcome == HostOutcome::Left,
            has.map(|has| (has.current.clone(), has.previous.clone(), has.chain_broken, has.lock.clone())),
        )
    };
    for group in hosts::group(&report.hosts, each, key, key) {
        let host = group.hosts[0];
        let cells = host.status.as_ref().map_or_else(
            || vec![label(&group), outcome(host.outcome).to_owned()],
            |has| {
                let lock = has.lock.as_ref().map(|lock| holder(lock, now)).unwrap_or_default();
                let cells = [
                    label(&group),
                    name(has.current.as_ref()),
                    revision(has.revision.as_ref()),
                    if has.chain_broken { "broken".to_owned() } else { name(has.previous.as_ref()) },
                    lock,
                ];
                with_revision(revisions, cells)
            },
        );
        table.row(cells, group.mark());
    }
    table.print()
}

/// Returns the cells of a line; `revisions` keeps the third.
fn with_revision<T>(revisions: bool, cells: [T; 5]) -> Vec<T> {
    let [first, second, third, fourth, fifth] = cells;
    let mut all = vec![first, second];
    all.extend(revisions.then_some(third));
    all.extend([fourth, fifth]);
    all
}

/// Renders a revision: 12 digits of a commit's hash, all of anything else.
fn revision(revision: Option<&String>) -> String {
    let Some(text) = revision else { return "-".to_owned() };
    let is_commit = text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    escape::line(if is_commit { &text[..12] } else { text })
}

/// Renders one text for each group of hosts with the same content.
fn lists(report: &Report, each: bool, print: impl Fn(&HostReport) -> Option<String>) -> String {
    let text = |host: &HostReport| print(host).unwrap_or_else(|| format!("{}\n", outcome(host.outcome)));
    let sections = hosts::share(&report.hosts, each, text).into_iter().map(|(text, group)| {
        let mark = group.mark().map(|mark| style::odd(&format!("  <- {mark}"))).unwrap_or_default();
        format!("{}{mark}\n{text}", style::heading(&label(&group)))
    });
    sections.collect::<Vec<_>>().join("\n")
}

fn releases(has: &HostStatus, now: Timestamp) -> String {
    let mut table = Table::new(&["RELEASE", "STATE", "SIZE", "STAGED", "BY"]);
    for release in &has.releases {
        table.row(release_cells(release, now), None);
    }
    if has.releases.is_empty() { "no releases\n".to_owned() } else { table.print() }
}

fn release_cells(release: &ReleaseStatus, now: Timestamp) -> Vec<String> {
    let bad = release.bad.as_ref().map(|bad| {
        let why = bad.reason.as_ref().map(|why| format!(": {}", escape::line(why))).unwrap_or_default();
        format!("  marked bad by {} {}{why}", escape::line(&bad.by), moment::absolute(bad.at, now))
    });
    let adopted = release.adopted.as_ref().map(|adopted| {
        let inferred = if adopted.inferred { format!(", from {}", adopted.evidence) } else { String::new() };
        format!("adopted from {}{inferred}", adopted.tool)
    });
    let pinned = release.pinned.as_ref().map(|pin| {
        let why = pin.reason.as_ref().map(|why| format!(": {}", escape::line(why))).unwrap_or_default();
        format!("  pinned by {} {}{why}", escape::line(&pin.by), moment::absolute(pin.at, now))
    });
    let built = release.revision.as_ref().map(|_| format!("  revision {}", revision(release.revision.as_ref())));
    let built = built.unwrap_or_default();
    let marks = bad.into_iter().chain(pinned).collect::<String>();
    vec![
        release.name.to_string(),
        release.state.as_str().to_owned() + if release.unsealed { ", not ready" } else { "" },
        release.bytes.map_or("-".to_owned(), moment::size),
        release.staged_at.map_or("-".to_owned(), |at| moment::absolute(at, now)),
        release.staged_by.as_deref().map_or(adopted.unwrap_or("-".to_owned()), escape::line) + &built + &marks,
    ]
}

/// Sets a remark apart from the text of its cell.
fn apart(remark: String) -> String {
    if remark.is_empty() { remark } else { format!("  {remark}") }
}

fn history(has: &HostStatus, now: Timestamp) -> String {
    let mut table = Table::new(&["OPERATION", "WHEN", "WHAT", "FROM", "TO", "OUTCOME", "TOOK", "BY"]);
    for entry in has.history.iter().flatten() {
        table.row(history_cells(entry, now), None);
    }
    if has.history.as_ref().is_none_or(Vec::is_empty) { "no operations yet\n".to_owned() } else { table.print() }
}

fn history_cells(entry: &HistoryEntry, now: Timestamp) -> Vec<String> {
    let why = entry.reason.as_ref().map(|why| format!(": {}", escape::line(why))).unwrap_or_default();
    let built = entry.revision.as_ref().map(|_| format!(", revision {}", revision(entry.revision.as_ref())));
    let built = built.unwrap_or_default();
    let names: Vec<&str> = entry.pruned.iter().map(ReleaseName::as_str).collect();
    let removed = if names.is_empty() { String::new() } else { format!("  removed {}", names.join(" ")) };
    vec![
        entry.operation.as_str()[..log::DIGITS].to_owned(),
        moment::absolute(entry.at, now),
        entry.command.to_string(),
        name(entry.from.as_ref()),
        name(entry.to.as_ref()),
        ended(entry),
        if entry.seconds > 0.0 { moment::length(entry.seconds) } else { "-".to_owned() },
        escape::line(&entry.by) + &built + &why + &removed + &apart(moment::phases(&entry.phases)),
    ]
}

/// Renders the command's outcome, and this host's if it differs.
pub(crate) fn ended(entry: &HistoryEntry) -> String {
    let of_all = match entry.outcome {
        Outcome::Done => "done",
        Outcome::Unchanged => "unchanged",
        Outcome::Refused => "refused",
        Outcome::Failed => "failed",
        Outcome::PutBack => "put back",
        Outcome::Inconsistent => "inconsistent",
        Outcome::Differs => "differs",
        Outcome::Interrupted => "interrupted",
        _ => "error",
    };
    match entry.host {
        HostOutcome::Switched | HostOutcome::Unchanged | HostOutcome::Reverted => of_all.to_owned(),
        other => format!("{of_all}, here {}", outcome(other)),
    }
}

/// Renders the notes below the table: errors that the closing message lacks, damage, warnings and leftovers, each text
/// once for all hosts that it is about.
pub(crate) fn notes(report: &Report, invocation: &Invocation) -> String {
    let of_host = |host: &HostReport| host_notes(host, report.error.as_ref(), invocation);
    let notes: Vec<(&str, Vec<String>)> = report.hosts.iter().map(|host| (&*host.host, of_host(host))).collect();
    let notes: Vec<(&str, &str)> =
        notes.iter().flat_map(|(host, texts)| texts.iter().map(|text| (*host, text.as_str()))).collect();
    let line = |note: &Merged<'_>| {
        if note.names_hosts {
            return format!("{}\n", note.text);
        }
        format!("{}: {}\n", style::odd(&escape::line(&hosts::label(&note.hosts))), note.text)
    };
    merge(&notes, hosts::NAMED).iter().map(line).collect()
}

/// Returns the notes on a host, without an error that the closing message contains.
fn host_notes(host: &HostReport, of_all: Option<&Failure>, invocation: &Invocation) -> Vec<String> {
    let indented = |text: &str| escape::lines(text).replace('\n', "\n    ");
    let is_told =
        |failure: &Failure| of_all.is_some_and(|all| all.covers(&host.host) || all.message.contains(&failure.message));
    let failure = host.error.iter().filter(|failure| !is_told(failure)).map(|Failure { message, hints, .. }| {
        let next = || format!("\n    {}: {}", style::next("next"), indented(&hint::words(hints, invocation)));
        indented(message) + &if hints.is_empty() { String::new() } else { next() }
    });
    let warnings = host.warnings.iter().map(|warning| format!("warning: {}", indented(&warning.to_string())));
    let leftovers = host.status.iter().flat_map(|has| &has.leftovers);
    let is_named = |entry: &String| of_all.is_some_and(|all| all.message.contains(entry));
    let found = host.verification.iter().flat_map(found_there).filter(|entry| !is_named(entry));
    failure
        .chain(found)
        .chain(warnings)
        .chain(leftovers.map(|left| format!("left over: {}", indented(&left.to_string()))))
        .collect()
}

/// The number of damaged, and of added, entries listed for people; the JSON report lists more.
const NAMED: usize = 20;

/// Lists the missing, changed and added entries, one a line.
fn found_there(found: &Verification) -> Vec<String> {
    let more = |shown: usize, in_all: u64, what: &str| {
        let more = in_all.saturating_sub(shown.min(NAMED) as u64);
        (more > 0).then(|| format!("and {more} more {what}"))
    };
    let damage = found.damage.iter().take(NAMED).map(|Damage { path, what }| format!("{path} {what}"));
    let added = found.additions.iter().take(NAMED).map(|path| format!("{path} was added"));
    let lines = damage.chain(more(found.damage.len(), found.damaged, "missing or changed"));
    lines.chain(added).chain(more(found.additions.len(), found.added, "added")).collect()
}

fn holder(lock: &LockHolder, now: Timestamp) -> String {
    let alive = match lock.holder {
        Liveness::Alive => "alive",
        Liveness::Gone => "dead",
        Liveness::Unknown => "unknown",
    };
    lock.owner.as_ref().map_or_else(
        || format!("held by an unknown user, {alive}"),
        |owner| {
            format!(
                "{} by {} since {}, {alive}",
                owner.command,
                escape::line(&owner.by),
                moment::absolute(owner.since, now)
            )
        },
    )
}

fn label(group: &Group<'_>) -> String {
    escape::line(&group.label())
}

/// Renders a host's release: `none` without one, `-` if left out, `?` if unknown.
fn place(host: &HostReport, is: Option<&ReleaseName>) -> String {
    match (host.outcome, is) {
        (HostOutcome::Left, None) => "-".to_owned(),
        (HostOutcome::Unknown | HostOutcome::Unreachable, None) => "?".to_owned(),
        (_, None) if host.unread => "?".to_owned(),
        _ => name(is),
    }
}

fn name(name: Option<&ReleaseName>) -> String {
    name.map_or("none".to_owned(), ToString::to_string)
}

/// Returns the outcome as JSON spells it.
pub(crate) fn outcome(outcome: HostOutcome) -> &'static str {
    match outcome {
        HostOutcome::Switched => "switched",
        HostOutcome::Unchanged => "unchanged",
        HostOutcome::Reverted => "reverted",
        HostOutcome::Failed => "failed",
        HostOutcome::Refused => "refused",
        HostOutcome::Unreachable => "unreachable",
        HostOutcome::Left => "left",
        _ => "unknown",
    }
}
