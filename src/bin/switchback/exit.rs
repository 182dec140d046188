//! What the process ends with.

use switchback::{ExitCode, Report, report::Outcome};

use crate::interrupt::Signal;

/// The command line or the configuration is wrong.
pub(crate) const USAGE: ExitCode = ExitCode::USAGE;

/// The code for a report; an interrupted run says which signal it was, as shells do.
pub(crate) fn of(report: &Report, signal: Option<Signal>) -> std::process::ExitCode {
    match (report.outcome, signal) {
        (Outcome::Interrupted, Some(signal)) => std::process::ExitCode::from(signal.code()),
        _ => report.exit_code().into(),
    }
}
