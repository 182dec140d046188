//! [`Report`]: the result of a command, host by host.

use std::{error::Error as StdError, fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize};

pub use crate::{
    crowd::{Merged, crowd, merge},
    diff::{EntryChange, EntryDiff, EntryFacts, ReleaseDiff},
    log::{CommandLog, OperationLog},
    outcome::{Command, HostOutcome, Outcome},
    verification::{Damage, Foreign, Verification},
};

use crate::{
    data::DataVersion,
    drill::{self, DrillReport},
    error::{Error, ErrorKind},
    event::Phase,
    exit::ExitCode,
    hint::{self, Hint, Notice, Words},
    name::ReleaseName,
    status::HostStatus,
    time::Timestamp,
    token::Token,
};

/// The result of a command, host by host. Every state in it was read back, or is marked as unread.
///
/// The last line of `--json` can be read back, also that of a later version: unknown fields are ignored, and unknown
/// words become `Other`. Hints are then one [advice](Hint::Advice), as they were worded.
///
/// ```
/// use switchback::{Event, Report, report::{Command, Outcome}};
///
/// let line = r#"{"type":"report","format":1,"command":"teleport","outcome":"done","hosts":[],"seconds":0.1}"#;
/// let report: Report = serde_json::from_str(line)?;
/// assert_eq!((report.command, report.outcome), (Command::Other, Outcome::Done));
/// // The lines before it are events.
/// assert!(matches!(serde_json::from_str(line)?, Event::Other));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename = "report")]
#[non_exhaustive]
pub struct Report {
    /// The version of this format: 1.
    #[serde(rename = "format")]
    pub format: u32,
    /// The command.
    #[serde(rename = "command", deserialize_with = "command")]
    pub command: Command,
    /// The outcome.
    #[serde(rename = "outcome")]
    pub outcome: Outcome,
    /// The operation's identity, as in the hosts' history; `None` for a command that changes nothing.
    #[serde(rename = "operation")]
    pub operation: Option<Token>,
    /// The release that was deployed, staged, activated or rolled back to.
    #[serde(rename = "release")]
    pub release: Option<ReleaseName>,
    /// The hosts, in the order of the configuration.
    #[serde(rename = "hosts")]
    pub hosts: Vec<HostReport>,
    /// The result for the data; `None` if the data was not looked at.
    #[serde(rename = "data", default, skip_serializing_if = "Option::is_none")]
    pub data: Option<DataReport>,
    /// The interrupted operation that was undone; `None` if none was.
    #[serde(rename = "undone", default, skip_serializing_if = "Option::is_none")]
    pub undone: Option<Undone>,
    /// The duration, in seconds.
    #[serde(rename = "seconds", default)]
    pub seconds: f64,
    /// The time of each phase, in order; empty if no phase began.
    #[serde(rename = "phases", default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<PhaseTime>,
    /// The report of a drill, leg by leg.
    #[serde(rename = "drill", default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<DrillReport>,
    /// The error, if it was refused or failed.
    #[serde(rename = "error", default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// The next steps after a success, the best first. JSON lacks them.
    #[serde(skip)]
    pub hints: Vec<Hint>,
    /// Whether this was a dry run: the same code computed what would happen, and nothing changed. The plan is in
    /// [`Event::Planned`](crate::Event::Planned); the hosts are described as they are.
    #[serde(rename = "dry_run", default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

impl Report {
    /// A report with nothing but the outcome.
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
            undone: None,
            seconds: 0.0,
            phases: Vec::new(),
            drill: None,
            error: None,
            hints: Vec::new(),
            dry_run: false,
        }
    }

    /// A report of an error before the first request to a host: nothing was changed.
    ///
    /// That is a refusal, unless the arguments or the configuration are wrong, or this machine failed.
    #[must_use]
    pub fn refused(command: Command, error: Error) -> Self {
        let wrong = matches!(error.kind(), ErrorKind::Usage | ErrorKind::Config | ErrorKind::Internal);
        let outcome = if wrong { Outcome::Error } else { Outcome::Refused };
        Self { error: Some(error.into()), ..Self::new(command, outcome) }
    }

    /// Returns the exit code, which says who must act.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::of(self.outcome, self.error.as_ref().map(|error| error.kind))
    }

    /// Formats a drill as JUnit XML, for pipelines: a leg becomes a suite, a proof a case. A drill that did not pass has
    /// a failed case, also if it never began.
    #[must_use]
    pub fn to_junit(&self) -> String {
        drill::junit(self)
    }

    /// Words all hints, so that people can read them and JSON contains them: hints that were not worded are missing there.
    pub fn word_hints(&mut self, words: &Words<'_>) {
        let errors = self.hosts.iter_mut().filter_map(|host| host.error.as_mut());
        errors.chain(self.error.as_mut()).for_each(|error| error.word_hints(words));
        hint::word(&mut self.hints, words);
        for host in &mut self.hosts {
            let leftovers = host.status.iter_mut().flat_map(|status| &mut status.leftovers);
            host.warnings.iter_mut().chain(leftovers).for_each(|notice| notice.word_hints(words));
        }
    }
}

/// Reads the command of a report. It is `null` where the command line was not understood.
fn command<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Command, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(Command::Other))
}

/// The time that a phase took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PhaseTime {
    /// The phase.
    #[serde(rename = "phase")]
    pub phase: Phase,
    /// The duration, in seconds; of a phase that came twice, of both.
    #[serde(rename = "seconds")]
    pub seconds: f64,
}

impl PhaseTime {
    /// A phase that took this long.
    #[must_use]
    pub const fn new(phase: Phase, seconds: f64) -> Self {
        Self { phase, seconds }
    }
}

/// An interrupted deploy or activation that was undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Undone {
    /// The interrupted command.
    #[serde(rename = "command")]
    pub command: Command,
    /// The release that it went to; `None` if it was interrupted before it recorded that.
    #[serde(rename = "release")]
    pub release: Option<ReleaseName>,
}

impl Undone {
    /// The interrupted `command`, which went to `release`.
    #[must_use]
    pub const fn new(command: Command, release: Option<ReleaseName>) -> Self {
        Self { command, release }
    }
}

/// The result for the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DataReport {
    /// The data version before the command.
    #[serde(rename = "before")]
    pub before: DataVersion,
    /// The data version now; `None` if it could not be read any more.
    #[serde(rename = "after")]
    pub after: Option<DataVersion>,
    /// The data version after the first `apply` or `revert` that failed, before any migration was reverted.
    #[serde(rename = "found", default, skip_serializing_if = "Option::is_none")]
    pub found: Option<DataVersion>,
    /// The comparison of the `fingerprint` output with the one before, after an `apply` or a `revert` failed.
    #[serde(rename = "fingerprint", default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
}

/// The comparison of two fingerprints of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum Fingerprint {
    /// Equal: the data is as before, as far as the fingerprint shows.
    #[serde(rename = "same")]
    Same,
    /// Different.
    #[serde(rename = "changed")]
    Changed,
    /// A result that only a later version knows, read back.
    #[serde(rename = "other", other)]
    Other,
}

/// The result for one host.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct HostReport {
    /// The host's name.
    #[serde(rename = "host")]
    pub host: String,
    /// The outcome.
    #[serde(rename = "outcome")]
    pub outcome: HostOutcome,
    /// The release that was current before, as read under the lock.
    #[serde(rename = "before")]
    pub before: Option<ReleaseName>,
    /// The release that is current now, as read back.
    #[serde(rename = "after")]
    pub after: Option<ReleaseName>,
    /// Whether nobody read `current`, so that `before` and `after` have no meaning.
    #[serde(rename = "unread", default, skip_serializing_if = "std::ops::Not::not")]
    pub unread: bool,
    /// The time of the switch, by the host's clock.
    #[serde(rename = "switched_at")]
    pub switched_at: Option<Timestamp>,
    /// The error, if it was refused or failed.
    #[serde(rename = "error", default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// Problems that did not change the outcome.
    #[serde(rename = "warnings", default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Notice>,
    /// The releases that were pruned.
    #[serde(rename = "pruned", default, skip_serializing_if = "Vec::is_empty")]
    pub pruned: Vec<ReleaseName>,
    /// The result of `verify`.
    #[serde(rename = "verification", default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    /// The result of `diff`.
    #[serde(rename = "diff", default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<ReleaseDiff>,
    /// The result of `log`; `None` if the host knows of no operation.
    #[serde(rename = "log", default, skip_serializing_if = "Option::is_none")]
    pub log: Option<OperationLog>,
    /// The state of the host, for the commands that only read.
    #[serde(flatten, skip_serializing_if = "Option::is_none", deserialize_with = "HostStatus::of_report")]
    pub status: Option<HostStatus>,
}

impl HostReport {
    /// A host that nobody asked, with nothing but the outcome.
    #[must_use]
    pub fn unread(host: impl Into<String>, outcome: HostOutcome) -> Self {
        Self { unread: true, ..Self::new(host, outcome) }
    }

    /// A host with nothing but the outcome so far.
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
            diff: None,
            log: None,
            status: None,
        }
    }
}

/// An error, as reports contain it.
///
/// Its `source` is the chain of its reasons, which the message contains too.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Failure {
    /// The kind of error.
    #[serde(rename = "kind")]
    pub kind: ErrorKind,
    /// The failure and its reason, in one sentence.
    #[serde(rename = "message")]
    pub message: String,
    /// The next steps, the best first. JSON has those that are in words, as one text.
    #[serde(rename = "hint", default, skip_serializing_if = "hint::is_wordless", with = "hint")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub hints: Vec<Hint>,
    /// The error that this was made of, with its chain of reasons; `None` once it is reworded.
    #[serde(skip)]
    pub(crate) error: Option<Arc<Error>>,
    /// The hosts whose errors the message contains.
    #[serde(skip)]
    pub(crate) covers: Vec<String>,
}

impl PartialEq for Failure {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, &self.message, &self.hints) == (other.kind, &other.message, &other.hints)
    }
}

impl Eq for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Failure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.error.as_ref()?.source()
    }
}

impl Failure {
    /// Returns the failure with another message. Its reasons, which the message may not contain any more, are dropped:
    /// they may hold secrets.
    pub(crate) fn reworded(self, message: String) -> Self {
        if message == self.message { self } else { Self { message, error: None, ..self } }
    }

    /// Returns the failure with hints that name these hosts where they are to leave out a host.
    pub(crate) fn of_hosts<'h>(mut self, hosts: impl IntoIterator<Item = &'h str>) -> Self {
        let hosts: Vec<String> = hosts.into_iter().filter(|host| !host.is_empty()).map(ToOwned::to_owned).collect();
        for hint in &mut self.hints {
            if let Hint::Except(named) = hint {
                named.clone_from(&hosts);
            }
        }
        self
    }

    /// Returns the failure of these hosts together.
    pub(crate) fn covering<'h>(self, hosts: impl IntoIterator<Item = &'h str>) -> Self {
        Self { covers: hosts.into_iter().map(ToOwned::to_owned).collect(), ..self }
    }

    /// Whether the message contains the error of this host, which then needs no line of its own.
    ///
    /// Not known of a report that was read back.
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        self.covers.iter().any(|covered| covered == host)
    }

    /// Words all hints, so that people can read them and JSON contains them.
    pub fn word_hints(&mut self, words: &Words<'_>) {
        hint::word(&mut self.hints, words);
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let (kind, message, hints) = (error.kind(), error.full_message(), error.next().to_vec());
        Self { kind, message, hints, error: Some(Arc::new(error.clone())), covers: Vec::new() }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}
