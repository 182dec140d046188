//! The end of a run: the state of the fleet, and the next command.

use switchback::{
    ReleaseName, Report,
    report::{Command, DataReport, HostOutcome, HostReport, Outcome, Undone},
};

use super::{escape, hint, hosts, lines::count, moment, style};
use crate::invocation::Invocation;

/// Returns the closing message with the next command; empty if the table says everything.
pub(crate) fn closing(report: &Report, invocation: &Invocation) -> String {
    let state = state(report);
    let took = if changed(report) { format!(" ({})", moment::length(report.seconds)) } else { String::new() };
    let state = if state.is_empty() { state } else { format!("{}{took}\n", state.trim_end()) };
    let phases = moment::phases(&report.phases);
    let phases =
        if only_reads(report.command) || phases.is_empty() { String::new() } else { format!("phases: {phases}\n") };
    let next = next(report, invocation).map(|next| format!("{}: {next}\n", style::next("next")));
    state + &phases + &next.unwrap_or_default()
}

fn changed(report: &Report) -> bool {
    !report.dry_run
        && report.hosts.iter().any(|host| host.switched_at.is_some() || host.outcome == HostOutcome::Switched)
}

/// Describes the state of the fleet. An error's message says what failed and what was changed; the hosts' releases
/// follow where they may not be as expected.
fn state(report: &Report) -> String {
    let why = report.error.as_ref().map(|error| escape::lines(&error.message));
    let error = |usual: &str| {
        let text = why.as_deref().unwrap_or(usual).trim_end_matches('.');
        // A table of hosts below the message ends with its last line.
        format!("{}: {text}{}", style::bad("error"), if text.contains('\n') { "\n" } else { "." })
    };
    let place = whereabouts(&report.hosts);
    let now = |error: &str| format!("{error}{}Now: {place}.", if error.ends_with('\n') { "" } else { " " });
    match report.outcome {
        Outcome::Done | Outcome::Unchanged if report.dry_run => "A dry run: nothing was changed.".to_owned(),
        Outcome::Done if report.drill.is_some() => drilled(report, &place),
        Outcome::Done => done(report.command, &report.hosts, &place),
        Outcome::Unchanged if only_reads(report.command) => done(report.command, &report.hosts, &place),
        Outcome::Unchanged => match &report.undone {
            Some(undone) => undid(undone, report.data.as_ref(), &place),
            None => format!("Nothing to do: {place}."),
        },
        Outcome::Refused => error("refused, and nothing was touched"),
        Outcome::Failed => error("failed before the switch; every `current` is where it was"),
        Outcome::PutBack => now(&error("failed, and everything was reverted")),
        Outcome::Inconsistent => {
            format!("{} A person is needed.", now(&error("not everything succeeded")))
        }
        Outcome::Differs if report.drill.is_some() => now(&error("the drill did not hold")),
        Outcome::Differs if report.command == Command::Verify => error("a release is damaged"),
        Outcome::Differs => format!("{}: {place}.", style::odd("Needs attention")),
        // The error says that nothing was touched; nobody looked where the hosts are.
        Outcome::Interrupted if report.hosts.iter().all(|host| host.unread && host.outcome != HostOutcome::Unknown) => {
            error("interrupted")
        }
        Outcome::Interrupted => now(&error("interrupted")),
        _ => error("failed"),
    }
}

/// Whether the command only reads: "nothing to do" would be the wrong message for it.
fn only_reads(command: Command) -> bool {
    use Command::{Check, Diff, History, Log, Releases, Status, Verify};
    matches!(command, Status | Releases | History | Log | Check | Verify | Diff)
}

/// Describes a passed drill, with the time that the rollback took.
fn drilled(report: &Report, place: &str) -> String {
    let restored = report.drill.as_ref().and_then(|drill| drill.time_to_restore).unwrap_or_default();
    let took = moment::length(restored);
    format!("{}: every proof held, and the rollback took {took}. Now: {place}.", style::good("Drill passed"))
}

/// Describes an undone operation that had moved no `current`, with what became of the data.
fn undid(undone: &Undone, data: Option<&DataReport>, place: &str) -> String {
    let to = undone.release.as_ref().map(|name| format!(" to {name}")).unwrap_or_default();
    let changed = data.and_then(|data| Some((&data.before, data.after.as_ref()?))).filter(|(from, to)| from != to);
    let data = changed.map(|(from, to)| escape::line(&format!(", data {from} -> {to}"))).unwrap_or_default();
    format!("{} the interrupted {}{to}: {place}{data}.", style::good("Reverted"), undone.command)
}

fn done(command: Command, all: &[HostReport], place: &str) -> String {
    match command {
        Command::Deploy => format!("{}: {place}.", style::good("Deployed")),
        Command::Activate => format!("{}: {place}.", style::good("Activated")),
        Command::Rollback => format!("{}: {place}.", style::good("Rolled back")),
        Command::Adopt => format!("{}: {place}.", style::good("Adopted")),
        Command::Recover => format!("{}: {place}.", style::good("Recovered")),
        Command::Unlock => format!("{}: {place}.", style::good("No lock is held")),
        Command::Stage => {
            let hosts = all.iter().filter(|host| host.outcome != HostOutcome::Left).count();
            format!("{} on {}, and not current.", style::good("Staged"), count(hosts))
        }
        Command::Prune => {
            let removed = all.iter().filter(|host| !host.pruned.is_empty()).count();
            format!("{} on {}: {place}.", style::good("Pruned"), count(removed))
        }
        Command::Pin => format!("{} on every selected host.", style::good("Pinned")),
        Command::Unpin => format!("{}: the next prune may remove it.", style::good("No longer pinned")),
        Command::Status => format!("{}{place}.", if is_split(all) { "The hosts differ: " } else { "" }),
        Command::Verify => format!("{}: every listed entry matches the manifest.", style::good("Intact")),
        Command::Check => format!("{}: a deploy would be accepted.", style::good("Ready")),
        _ => String::new(),
    }
}

/// Returns the next command: the error's hint, else the usual one after this outcome.
fn next(report: &Report, invocation: &Invocation) -> Option<String> {
    let hints = report.error.as_ref().map_or(&report.hints, |error| &error.hints);
    if !hints.is_empty() {
        return Some(escape::line(&hint::words(hints, invocation)));
    }
    let run = |words: &str| invocation.command(words);
    let usual = match (report.outcome, report.command) {
        (Outcome::Done | Outcome::Unchanged, _) if report.dry_run => return None,
        (Outcome::Done, Command::Adopt) => format!("{} lists the adopted releases", run("releases")),
        (Outcome::Done, Command::Stage) => {
            format!("{} switches to it", run(&format!("activate {}", report.release.as_ref()?)))
        }
        (Outcome::Inconsistent, _) => format!("{} reads every host again", run("status")),
        (Outcome::Done | Outcome::Unchanged | Outcome::Differs, Command::Status) if is_split(&report.hosts) => {
            format!("{} shows what each host has", run("releases"))
        }
        _ => return None,
    };
    Some(usual)
}

/// The release that a host is on, as far as it is known.
#[derive(PartialEq)]
enum Place<'a> {
    On(&'a ReleaseName),
    /// `current` was removed, as it was before the first deploy.
    Removed,
    Nowhere,
    Unknown,
    Left,
}

fn place(host: &HostReport) -> Place<'_> {
    let is = host.status.as_ref().map_or(host.after.as_ref(), |has| has.current.as_ref());
    match (host.outcome, is) {
        (HostOutcome::Left, _) => Place::Left,
        (HostOutcome::Unknown | HostOutcome::Unreachable, None) | (HostOutcome::Unknown, _) => Place::Unknown,
        (_, Some(name)) => Place::On(name),
        (_, None) if host.unread => Place::Unknown,
        (HostOutcome::Switched | HostOutcome::Reverted, None) => Place::Removed,
        (_, None) => Place::Nowhere,
    }
}

/// Lists the hosts by release: `web1..web97 (97 hosts) on build-17, web98 unknown`.
fn whereabouts(all: &[HostReport]) -> String {
    let mut places: Vec<(Place<'_>, Vec<&str>)> = Vec::new();
    for host in all {
        let at = place(host);
        match places.iter_mut().find(|(other, _)| *other == at) {
            Some((_, names)) => names.push(&host.host),
            None => places.push((at, vec![&host.host])),
        }
    }
    let one = places.len() == 1;
    let text = |(place, names): &(Place<'_>, Vec<&str>)| {
        let who = if one && names.len() > 1 { count(names.len()) } else { escape::line(&hosts::label(names)) };
        match place {
            Place::On(name) => format!("{who} on {name}"),
            Place::Removed => format!("{who} without `current`, as before the first deploy"),
            Place::Nowhere => format!("{who} on no release"),
            Place::Unknown => format!("{who} not known"),
            Place::Left => format!("{who} left out"),
        }
    };
    if places.is_empty() { "no host".to_owned() } else { places.iter().map(text).collect::<Vec<_>>().join("; ") }
}

/// Whether the hosts that were read are on different releases.
fn is_split(hosts: &[HostReport]) -> bool {
    let mut places = hosts.iter().map(place).filter(|place| !matches!(place, Place::Left | Place::Unknown));
    let first = places.next();
    places.any(|place| Some(place) != first)
}
