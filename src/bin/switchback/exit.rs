//! Exit codes of the process.

use switchback::{ExitCode, Report, report::Outcome};

use crate::interrupt::Signal;

/// The exit code for a wrong command line or configuration.
pub(crate) const USAGE: ExitCode = ExitCode::USAGE;

/// Returns the exit code of a report; for an interrupted run 128 plus the signal's number, as shells do.
pub(crate) fn of(report: &Report, signal: Option<Signal>) -> std::process::ExitCode {
    match (report.outcome, signal) {
        (Outcome::Interrupted, Some(signal)) => std::process::ExitCode::from(signal.code()),
        _ => report.exit_code().into(),
    }
}
