//! The seam to the engine: what is asked, of whom, and the report that comes back.

use switchback::{
    Error, ErrorKind, Observer, Report,
    report::{Command, Outcome},
};
use tokio::sync::watch;

use crate::{command::Request, interrupt::Signal, target::Target};

/// What every run has.
#[expect(dead_code, reason = "the engine reads them; it is joined in this file")]
pub(crate) struct Session<'a> {
    pub(crate) target: &'a Target,
    pub(crate) by: String,
    pub(crate) dry_run: bool,
    pub(crate) interrupt: watch::Receiver<Option<Signal>>,
    pub(crate) observer: &'a dyn Observer,
}

/// Does what is asked, and says what came of it.
#[expect(clippy::unused_async, reason = "the engine is asynchronous; it is joined here")]
pub(crate) async fn run(request: &Request, _: &Session<'_>) -> Report {
    let mut report = Report::new(command(request), Outcome::Error);
    report.error = Some(Error::new(ErrorKind::Internal, "this build has no engine").into());
    report
}

/// The command that a request belongs to.
fn command(request: &Request) -> Command {
    match request {
        Request::Deploy { .. } => Command::Deploy,
        Request::Stage { .. } => Command::Stage,
        Request::Activate { .. } => Command::Activate,
        Request::Rollback { .. } => Command::Rollback,
        Request::Status => Command::Status,
        Request::Releases => Command::Releases,
        Request::History => Command::History,
        Request::Check => Command::Check,
    }
}
