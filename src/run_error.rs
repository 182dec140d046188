//! [`RunError`]: a command that did not do what was asked, with its whole report.

use std::{error::Error as StdError, fmt};

use crate::{
    error::{Error, ErrorKind},
    exit::ExitCode,
    hint::Hint,
    report::{Command, Failure, Outcome, Report},
};

/// The error of a command that did not do what was asked, or whose outcome is unknown: every outcome but
/// [`Done`](Outcome::Done) and [`Unchanged`](Outcome::Unchanged).
///
/// It has the whole [report](Self::report). Its text is the report's error, which says what failed, on which host, and
/// where everything is now. Its `source` is the chain of reasons.
///
/// ```
/// # async fn example(fleet: &switchback::Fleet) {
/// use switchback::{ErrorKind, event::Silent, fleet::RollbackOptions};
///
/// match fleet.rollback(&RollbackOptions::default(), Silent).await {
///     Ok(report) => println!("{:?}", report.release),
///     Err(error) if error.kind() == ErrorKind::Locked => println!("somebody else is deploying"),
///     Err(error) => {
///         for host in &error.report().hosts {
///             println!("{}: {:?} on {:?}", host.host, host.outcome, host.after);
///         }
///     }
/// }
/// # }
/// ```
#[derive(Clone)]
#[must_use = "it says where each host is"]
pub struct RunError(Box<Report>);

impl RunError {
    /// Returns `report`, as an error unless its command did what was asked.
    pub(crate) fn check(report: Report) -> Result<Report, Self> {
        if report.exit_code() == ExitCode::DONE { Ok(report) } else { Err(Self(Box::new(report))) }
    }

    /// Creates the error of a command that did not begin.
    pub(crate) fn refused(command: Command, error: Error) -> Self {
        Self(Box::new(Report::refused(command, error)))
    }

    /// Creates the error of a command whose end nobody saw.
    pub(crate) fn unknown(command: Command, error: Error) -> Self {
        let mut report = Report::new(command, Outcome::Inconsistent);
        report.error = Some(error.into());
        Self(Box::new(report))
    }

    /// Returns the whole report: the outcome, and where each host is.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.0
    }

    /// Returns the whole report, for a caller who treats all outcomes alike.
    #[must_use]
    pub fn into_report(self) -> Report {
        *self.0
    }

    /// Returns the kind of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.failure().map_or(ErrorKind::Unknown, |failure| failure.kind)
    }

    /// Returns the outcome of the command.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// Returns the next steps, the best first.
    #[must_use]
    pub fn hints(&self) -> &[Hint] {
        self.failure().map_or(&[], |failure| &failure.hints)
    }

    fn failure(&self) -> Option<&Failure> {
        self.0.error.as_ref()
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.failure() {
            // Without its reasons, which `source` returns.
            Some(failure) => match &failure.error {
                Some(error) => error.fmt(f),
                None => failure.fmt(f),
            },
            None => write!(f, "{} did not do what was asked", self.0.command),
        }
    }
}

/// The text with its reasons, on one line: a program whose `main` returns the error prints this.
impl fmt::Debug for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.failure() {
            Some(failure) => f.write_str(&failure.message),
            None => fmt::Display::fmt(self, f),
        }
    }
}

impl StdError for RunError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.failure()?.source()
    }
}

impl From<RunError> for Report {
    fn from(error: RunError) -> Self {
        error.into_report()
    }
}
