//! Events as lines on standard error: each phase, each failure, and with `-v` each host.

use std::{
    collections::HashSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use switchback::{Event, Observer, Report, data::LedgerStep, event::Phase, hook::HookKind, report::Command};

use super::{escape, fit, message, moment, result, style};
use crate::args::Global;

/// The number of hosts per phase whose failure has a line of its own; the report covers all of them.
const MOST: usize = 8;

/// Prints events as lines.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    quiet: bool,
    verbose: bool,
    dry_run: bool,
    /// Whether the command is `adopt`, whose plan says what it records.
    adopts: AtomicBool,
    /// The number of hosts that failed in this phase.
    said: AtomicUsize,
    /// The warnings that were printed, with their hosts.
    warned: Mutex<HashSet<(String, String)>>,
}

impl Lines {
    /// Takes the verbosity from the flags.
    pub(crate) fn new(global: &Global) -> Self {
        Self { quiet: global.quiet, verbose: global.verbose > 0, dry_run: global.dry_run, ..Self::default() }
    }

    /// Removes the warnings that were printed when they came.
    pub(crate) fn drop_warned(&self, report: &mut Report) {
        let warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        for host in &mut report.hosts {
            host.warnings.retain(|warning| !warned.contains(&(host.host.clone(), warning.text.clone())));
        }
    }

    /// Returns the line for an event, if the verbosity shows it.
    pub(crate) fn text(&self, event: &Event) -> Option<String> {
        let every_host = self.verbose && !self.quiet;
        if let Event::Phase { .. } = event {
            self.said.store(0, Ordering::Relaxed);
        }
        match event {
            _ if self.quiet => None,
            // The report says why, once for all hosts that failed alike.
            Event::HostFailed { host, phase, .. } => match self.said.fetch_add(1, Ordering::Relaxed) {
                MOST if !every_host => Some(format!("{} more hosts failed", name(*phase))),
                said if said > MOST && !every_host => None,
                _ => Some(format!("{} {} failed", name(*phase), escape::line(host))),
            },
            // The output of these hooks is an answer for the tool, not a message.
            Event::HookOutput { hook: HookKind::Version | HookKind::Fingerprint, .. } if !every_host => None,
            Event::HookOutput { host, line, .. } => Some(format!("{:8} | {}", escape::line(host), escape::line(line))),
            Event::HookStarted { host, hook } if every_host => Some(format!("{hook} on {} starts", escape::line(host))),
            Event::HookEnded { host, hook, end } if every_host => {
                Some(format!("{hook} on {} {end}", escape::line(host)))
            }
            Event::Answered { host, question, answer } => {
                Some(format!("{question} on {}: {}", escape::line(host), escape::line(answer)))
            }
            Event::Data { release, step, version } => {
                let version = version.as_ref().map_or("not known".to_owned(), ToString::to_string);
                Some(format!(
                    "{} {release}: {}, data version {}",
                    name(Phase::Data),
                    said(*step),
                    escape::line(&version)
                ))
            }
            Event::Started { command, hosts, release } => {
                self.adopts.store(*command == Command::Adopt, Ordering::Relaxed);
                let release = release.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
                changes(*command).then(|| format!("{command}{release}: {}", count(*hosts)))
            }
            Event::Phase { hosts: 0, .. } => None,
            Event::Phase { phase, hosts } => {
                (*phase != Phase::Ask || every_host).then(|| format!("{} {}", name(*phase), count(*hosts)))
            }
            Event::Warning { host, message } => {
                let host = host.as_ref().map(|host| format!("{}: ", escape::line(host))).unwrap_or_default();
                Some(format!(
                    "{}: {host}{}",
                    style::odd("warning"),
                    escape::lines(&message.to_string()).replace('\n', "\n  ")
                ))
            }
            Event::Waiting { host, lock, seconds } => {
                let most = moment::whole(Duration::try_from_secs_f64(*seconds).unwrap_or(Duration::MAX));
                let holder = lock.owner.as_ref().map_or_else(
                    || "an unknown user".to_owned(),
                    |owner| format!("{} ({})", escape::line(&owner.by), owner.command),
                );
                let (phase, host) = (name(Phase::Lock), escape::line(host));
                Some(format!("{phase} {host} is locked by {holder}; waiting up to {most}"))
            }
            Event::Uploaded { .. } if every_host => uploaded(event),
            Event::HostDone { host, phase } if every_host => {
                Some(format!("{} {} ok", name(*phase), escape::line(host)))
            }
            Event::Switched { host, before, after, .. } if every_host => {
                let shown = |name: &Option<_>| name.as_ref().map_or("none".to_owned(), ToString::to_string);
                Some(format!("{} {} {} -> {}", name(Phase::Switch), escape::line(host), shown(before), shown(after)))
            }
            Event::Planned { plan } if (every_host || self.adopts.load(Ordering::Relaxed)) && !self.dry_run => {
                Some(plan.iter().map(|step| format!("  {}", escape::line(step))).collect::<Vec<_>>().join("\n"))
            }
            _ => None,
        }
    }
}

impl Observer for Lines {
    fn event(&self, event: &Event) {
        if let Event::Planned { plan } = event
            && self.dry_run
        {
            // In a dry run, the plan is the result.
            let steps = plan.iter().map(|step| escape::line(step) + "\n").collect::<String>();
            fit::begin_results();
            let _ = result(&fit::result(steps));
        }
        if let Some(text) = self.text(event) {
            if let Event::Warning { host: Some(host), message } = event {
                let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
                warned.insert((host.clone(), message.text.clone()));
            }
            message(&(text + "\n"));
        }
    }
}

/// Whether the start of the command is worth a line.
fn changes(command: Command) -> bool {
    matches!(command, Command::Deploy | Command::Stage | Command::Activate | Command::Rollback | Command::Drill)
}

/// Describes a step of the data.
fn said(step: LedgerStep) -> &'static str {
    match step {
        LedgerStep::ApplyBegun => "applying begins",
        LedgerStep::Applied => "applied",
        LedgerStep::RevertBegun => "reverting begins",
        LedgerStep::Reverted => "reverted",
        LedgerStep::Accepted => "accepted as it was found",
        LedgerStep::Decided => "reverted to the given version",
        LedgerStep::Kept => "kept as it is",
        _ => "changed",
    }
}

/// Returns the phase's name, padded to the width of its column.
fn name(phase: Phase) -> String {
    format!("{:8}", phase.as_str())
}

/// Describes an upload: bytes sent, bytes over the wire, files copied on the host.
fn uploaded(event: &Event) -> Option<String> {
    let Event::Uploaded { host, files, bytes, files_copied, bytes_copied, transferred } = event else { return None };
    let over = transferred.map(|bytes| format!(", {} over the wire", moment::size(bytes))).unwrap_or_default();
    let copied = match files_copied {
        0 => String::new(),
        _ => format!(", {} copied on the host", amount(*files_copied, *bytes_copied)),
    };
    Some(format!("{} {} {} sent{over}{copied}", name(Phase::Stage), escape::line(host), amount(*files, *bytes)))
}

/// Renders a number of files with their size.
fn amount(files: u64, bytes: u64) -> String {
    let bytes = moment::size(bytes);
    if files == 1 { format!("1 file ({bytes})") } else { format!("{files} files ({bytes})") }
}

/// Renders a number of hosts.
pub(crate) fn count(hosts: usize) -> String {
    if hosts == 1 { "1 host".to_owned() } else { format!("{hosts} hosts") }
}

#[cfg(test)]
mod tests {
    use switchback::{Error, ErrorKind};

    use super::*;

    fn lines(quiet: bool, verbose: bool) -> Lines {
        Lines { quiet, verbose, ..Lines::default() }
    }

    fn shown(lines: &Lines, event: &Event) -> Option<String> {
        lines.text(event).map(|text| anstream::adapter::strip_str(&text).to_string())
    }

    #[test]
    fn phases_are_said_and_hosts_only_when_asked_for() {
        let phase = Event::Phase { phase: Phase::Stage, hosts: 3 };
        let done = Event::HostDone { host: "web1".to_owned(), phase: Phase::Stage };
        let plain = lines(false, false);
        assert_eq!((shown(&plain, &phase).as_deref(), shown(&plain, &done)), (Some("stage    3 hosts"), None));
        assert_eq!(shown(&lines(false, true), &done).as_deref(), Some("stage    web1 ok"));
        assert_eq!(shown(&lines(true, false), &phase), None);
    }

    /// A warning that was printed when it came is not printed again below the table; one that was not shown is.
    #[test]
    fn a_warning_is_printed_once() {
        use switchback::report::{HostOutcome, HostReport, Outcome};

        let warned = Event::Warning { host: Some("web1".to_owned()), message: "the disk is slow".into() };
        let left = |quiet: bool| {
            let lines = lines(quiet, false);
            lines.event(&warned);
            let hosts = ["web1", "web2"].map(|host| HostReport::new(host, HostOutcome::Switched));
            let mut report = Report::new(Command::Deploy, Outcome::Done);
            report.hosts.extend(hosts);
            for host in &mut report.hosts {
                host.warnings.push("the disk is slow".into());
            }
            lines.drop_warned(&mut report);
            report.hosts.iter().map(|host| host.warnings.len()).collect::<Vec<_>>()
        };
        assert_eq!((left(false), left(true)), (vec![0, 1], vec![1, 1]));
    }

    #[test]
    fn what_was_sent_and_what_was_not_is_said_when_asked_for() {
        let uploaded = |files_copied, transferred| Event::Uploaded {
            host: "web1".to_owned(),
            files: 1,
            bytes: 9000,
            files_copied,
            bytes_copied: files_copied * 10,
            transferred,
        };
        let verbose = lines(false, true);
        assert_eq!(
            shown(&verbose, &uploaded(19, Some(4000))).as_deref(),
            Some("stage    web1 1 file (9.0 kB) sent, 4.0 kB over the wire, 19 files (190 B) copied on the host")
        );
        assert_eq!(shown(&verbose, &uploaded(0, None)).as_deref(), Some("stage    web1 1 file (9.0 kB) sent"));
        assert_eq!(shown(&lines(false, false), &uploaded(1, None)), None);
    }

    /// The report gives the reason.
    #[test]
    fn a_failure_is_said_without_its_reason_and_shown_safely() {
        let error = Error::new(ErrorKind::UploadFailed, "cut").into();
        let failed = Event::HostFailed { host: "web\u{1b}1".to_owned(), phase: Phase::Stage, error };
        assert_eq!(shown(&lines(false, false), &failed).as_deref(), Some("stage    web\\u{1b}1 failed"));
        assert_eq!(shown(&lines(true, false), &failed), None);
    }

    #[test]
    fn a_hundred_failures_are_a_few_lines() {
        let error = || Error::new(ErrorKind::Unreachable, "cannot be reached").into();
        let failed = |host: usize| Event::HostFailed { host: format!("web{host}"), phase: Phase::Ask, error: error() };
        let count = |lines: &Lines| (0..100).filter(|host| shown(lines, &failed(*host)).is_some()).count();
        let plain = lines(false, false);
        assert_eq!((count(&plain), count(&plain), count(&lines(false, true))), (MOST + 1, 0, 100));
        shown(&plain, &Event::Phase { phase: Phase::Lock, hosts: 100 });
        assert_eq!(count(&plain), MOST + 1);
    }

    #[test]
    fn a_warning_names_its_host() {
        let warning = Event::Warning { host: Some("web2".to_owned()), message: "is new".into() };
        assert_eq!(shown(&lines(false, false), &warning).as_deref(), Some("warning: web2: is new"));
    }
}
