//! Output: results on standard output, messages on standard error; for people or as JSON.

mod diff;
mod escape;
mod fit;
pub(crate) mod hint;
mod hosts;
mod human;
pub(crate) mod json;
mod lines;
mod live;
mod log;
mod moment;
mod progress;
mod sentence;
mod style;
mod table;
#[cfg(test)]
mod tests;

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Instant,
};

use switchback::{Error, Event, ExitCode as Code, Observer, Report, Timestamp, report::Command as Reported};

pub(crate) use log::DIGITS;

use crate::{args::Global, invocation::Invocation};

/// The observer that shows events as they happen.
#[derive(Debug)]
pub(crate) enum Watcher {
    /// As JSON Lines.
    Json(json::Lines),
    /// As lines of text, with the live line below where the terminal can show it.
    Lines(lines::Lines),
}

impl Observer for Watcher {
    fn event(&self, event: &Event) {
        match self {
            Self::Json(lines) => lines.event(event),
            Self::Lines(lines) => {
                note(event);
                lines.event(event);
            }
        }
    }
}

impl Watcher {
    /// Removes from a report what was printed already, so that people see it once.
    pub(crate) fn drop_told(&self, report: &mut Report) {
        if let Self::Lines(lines) = self {
            lines.drop_warned(report);
        }
    }
}

/// Returns the observer that fits the flags.
pub(crate) fn observer(global: &Global) -> Watcher {
    if global.json { Watcher::Json(json::Lines::default()) } else { Watcher::Lines(lines::Lines::new(global)) }
}

/// Shows the live line until [`end`], where the flags and the terminal allow it. `first` is the activity before the first
/// phase, if that may take long.
pub(crate) fn begin(global: &Global, hosts: Vec<String>, first: Option<&'static str>) {
    if !global.json && !global.quiet && live::is_possible() {
        live::begin(progress::Progress::new(hosts, first, Instant::now()));
    }
}

pub(crate) use live::{end, interrupted, is_possible as is_live, note};

/// Prints a report, with the next commands on the same fleet as this one.
pub(crate) fn report(report: &Report, global: &Global, invocation: &Invocation) -> io::Result<()> {
    if global.json {
        return json::line(report);
    }
    fit::begin_results();
    let table = human::result(report, global.verbose > 0, Timestamp::now());
    // `stage` prints only the name to standard output, so that `name=$(switchback stage .)` works.
    let written = match (&report.release, report.command) {
        (Some(name), Reported::Stage) if report.exit_code() == Code::DONE && !report.dry_run => {
            message(&table);
            result(&format!("{name}\n"))
        }
        _ => result(&table),
    };
    let is_done = report.exit_code() == Code::DONE;
    if !global.quiet || !is_done || report.hosts.iter().any(|host| host.error.is_some()) {
        message(&human::notes(report, invocation));
    }
    if !global.quiet || !is_done {
        message(&sentence::closing(report, invocation));
    }
    written
}

/// Prints the report to standard error after standard output failed: the outcome must be visible in any case.
pub(crate) fn report_elsewhere(report: &Report, global: &Global, invocation: &Invocation, error: &Error) {
    message(&human::result(report, global.verbose > 0, Timestamp::now()));
    // `report` has printed these already, except in the two cases here.
    if global.json || global.quiet && report.exit_code() == Code::DONE {
        message(&human::notes(report, invocation));
        message(&sentence::closing(report, invocation));
    }
    message(&format!("{}: {}\n", style::odd("warning"), escape::lines(&error.full_message()).trim_end()));
}

/// Ends a command without hosts: prints its message, or with `--json` its report.
pub(crate) fn done(command: &str, global: &Global, text: Option<&str>) -> Result<ExitCode, Error> {
    if global.json {
        crate::run::printed(json::line(&json::done(command)))?;
    } else if let Some(text) = text.filter(|_| !global.quiet) {
        message(&format!("{text}\n"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints an error of the command line, the configuration, or this machine.
pub(crate) fn error(command: Option<&str>, error: &Error, json: bool) {
    if json {
        json::error(command, error);
    }
    let text = escape::lines(&error.full_message());
    message(&format!("{}: {}\n", style::bad("error"), text.trim_end()));
    if !error.next().is_empty() {
        let next = hint::words(error.next(), &Invocation::default());
        message(&format!("{}: {}\n", style::next("next"), escape::line(&next)));
    }
}

/// Escapes text of others for a message.
pub(crate) fn escaped(text: &str) -> String {
    escape::lines(text)
}

/// Writes a result to standard output.
pub(crate) fn result(text: &str) -> io::Result<()> {
    live::aside(|| {
        let mut out = anstream::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    })
}

/// Writes a message to standard error, on a terminal without breaking words. A failure is ignored: there is no place left
/// to report it.
pub(crate) fn message(text: &str) {
    let text = fit::of_messages().map_or_else(|| text.to_owned(), |columns| fit::wrap(text, columns));
    let _ = live::aside(|| anstream::stderr().lock().write_all(text.as_bytes()));
}
