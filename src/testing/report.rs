//! [`WholeReport`]: the report of a command, whatever its outcome.

use crate::{Report, RunError};

/// Awaits the report of a command, whatever its outcome: a test usually expects one and looks at all of it.
///
/// ```
/// # async fn example(fleet: &switchback::Fleet) {
/// use switchback::{ExitCode, event::Silent, testing::WholeReport};
///
/// let report = fleet.status(Silent).report().await;
/// assert_eq!(report.exit_code(), ExitCode::REFUSED);
/// # }
/// ```
pub trait WholeReport: Future<Output = Result<Report, RunError>> + Sized {
    /// Awaits the report.
    fn report(self) -> impl Future<Output = Report> {
        async { self.await.unwrap_or_else(RunError::into_report) }
    }
}

impl<F: Future<Output = Result<Report, RunError>>> WholeReport for F {}
