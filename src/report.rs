//! [`Report`]: what a command did, host by host, as it was seen to be.

use serde::Serialize;

pub use crate::{
    crowd::crowd,
    outcome::{Command, HostOutcome, Outcome},
    verification::{Damage, Foreign, Verification},
};

use crate::{
    data::DataVersion,
    drill::DrillReport,
    error::{Error, ErrorKind},
    exit::ExitCode,
    name::ReleaseName,
    status::HostStatus,
    time::Timestamp,
    token::Token,
};

/// What a command did, host by host. Every word of it was read back, or says that it could not be.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename = "report")]
#[non_exhaustive]
pub struct Report {
    /// The version of this format: 1.
    pub format: u32,
    /// The command.
    pub command: Command,
    /// What became of it.
    pub outcome: Outcome,
    /// The operation's identity, as the hosts' history has it; `None` for a command that changes nothing.
    pub operation: Option<Token>,
    /// The release that was deployed, staged, activated or gone back to.
    pub release: Option<ReleaseName>,
    /// Each host, in the order of the configuration.
    pub hosts: Vec<HostReport>,
    /// What became of the data; `None` when it was not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<DataReport>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// What a drill did, leg by leg.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drill: Option<DrillReport>,
    /// Why it was refused or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// Whether this was a dry run: what would happen, computed by the same code, and nothing changed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

impl Report {
    /// A report of which only the outcome is known.
    #[must_use]
    pub fn new(command: Command, outcome: Outcome) -> Self {
        Self {
            format: 1,
            command,
            outcome,
            operation: None,
            release: None,
            hosts: Vec::new(),
            data: None,
            seconds: 0.0,
            drill: None,
            error: None,
            dry_run: false,
        }
    }

    /// The exit code that says who must act.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::of(self.outcome, self.error.as_ref().map(|error| error.kind))
    }

    /// The outcome as a result, for callers that use `?`.
    ///
    /// # Errors
    ///
    /// [`Failure`] when the command did not do what was asked.
    pub fn into_result(self) -> Result<Self, Failure> {
        match (&self.error, self.exit_code()) {
            (Some(error), code) if code != ExitCode::DONE => Err(error.clone()),
            _ => Ok(self),
        }
    }
}

/// What became of the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DataReport {
    /// The data version before the command.
    pub before: DataVersion,
    /// The data version now; `None` when it could not be asked any more.
    pub after: Option<DataVersion>,
    /// The data version that was found after the first `apply` or `revert` that failed, before anything was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<DataVersion>,
    /// Whether `fingerprint` prints now what it printed before, after an `apply` or a `revert` failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
}

/// Whether the fingerprint of the data is what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fingerprint {
    /// It is: nothing that it shows was left changed.
    Same,
    /// It is not.
    Changed,
}

/// What became of one host.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct HostReport {
    /// The host's name.
    pub host: String,
    /// What became of it.
    pub outcome: HostOutcome,
    /// The release that was current before, as read under the lock.
    pub before: Option<ReleaseName>,
    /// The release that is current now, as read back.
    pub after: Option<ReleaseName>,
    /// Whether nobody read what is current, so that `before` and `after` say nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unread: bool,
    /// When it was switched, by the host's clock.
    pub switched_at: Option<Timestamp>,
    /// Why it was refused or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// What went wrong without changing the outcome.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The releases that were pruned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pruned: Vec<ReleaseName>,
    /// What `verify` found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    /// What the host has, for the commands that only read.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub status: Option<HostStatus>,
}

impl HostReport {
    /// A host that nobody has asked, and of which only the outcome is known.
    #[must_use]
    pub fn unread(host: impl Into<String>, outcome: HostOutcome) -> Self {
        Self { unread: true, ..Self::new(host, outcome) }
    }

    /// A host of which only the outcome is known by now.
    #[must_use]
    pub fn new(host: impl Into<String>, outcome: HostOutcome) -> Self {
        Self {
            host: host.into(),
            outcome,
            before: None,
            after: None,
            unread: false,
            switched_at: None,
            error: None,
            warnings: Vec::new(),
            pruned: Vec::new(),
            verification: None,
            status: None,
        }
    }
}

/// An error as reports carry it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct Failure {
    /// What kind of error it is.
    pub kind: ErrorKind,
    /// What failed and why, in one sentence.
    pub message: String,
    /// What to do or type next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self { kind: error.kind(), message: error.full_message(), hint: error.next().map(ToOwned::to_owned) }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}
