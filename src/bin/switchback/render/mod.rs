//! Output: results on standard output, messages on standard error; for people or as JSON.

mod diff;
mod escape;
pub(crate) mod hint;
mod hosts;
mod human;
pub(crate) mod json;
mod lines;
mod log;
mod moment;
mod progress;
mod sentence;
mod style;
mod table;
#[cfg(test)]
mod tests;

use std::{
    io::{self, IsTerminal, Write, stderr},
    process::ExitCode,
};

use switchback::{Error, Event, ExitCode as Code, Observer, Report, Timestamp, report::Command as Reported};

pub(crate) use log::DIGITS;

use crate::{args::Global, invocation::Invocation};

/// The observer that shows events as they happen.
#[derive(Debug)]
pub(crate) enum Watcher {
    /// As JSON Lines.
    Json(json::Lines),
    /// As lines of text.
    Lines(lines::Lines),
    /// As bars on a terminal.
    Bars(progress::Bars),
}

impl Watcher {
    /// Clears the bars from the terminal.
    pub(crate) fn end(&self) {
        if let Self::Bars(bars) = self {
            bars.end();
        }
    }
}

impl Observer for Watcher {
    fn event(&self, event: &Event) {
        match self {
            Self::Json(lines) => lines.event(event),
            Self::Lines(lines) => lines.event(event),
            Self::Bars(bars) => bars.event(event),
        }
    }
}

/// Returns the observer that fits the flags and the terminal.
pub(crate) fn observer(global: &Global) -> Watcher {
    let lines = lines::Lines::new(global);
    if global.json {
        Watcher::Json(json::Lines::default())
    } else if stderr().is_terminal() && !global.quiet && global.verbose == 0 {
        // Not with `-v`: many lines would disturb the bars.
        Watcher::Bars(progress::Bars::new(lines))
    } else {
        Watcher::Lines(lines)
    }
}

/// Prints a report, with the next commands on the same fleet as this one.
pub(crate) fn report(report: &Report, global: &Global, invocation: &Invocation) -> io::Result<()> {
    if global.json {
        return json::line(report);
    }
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
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Writes a message to standard error. A failure is ignored: there is no place left to report it.
pub(crate) fn message(text: &str) {
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}
