//! Outcomes of a command and of each host, as reports, histories and exit codes share them.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// The commands, as reports and histories name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum Command {
    /// Upload a release and switch to it.
    #[serde(rename = "deploy")]
    Deploy,
    /// Upload a release only.
    #[serde(rename = "stage")]
    Stage,
    /// Rehearse a rollback: deploy, roll back, deploy again.
    #[serde(rename = "drill")]
    Drill,
    /// Switch to a release that the hosts already have.
    #[serde(rename = "activate")]
    Activate,
    /// Switch to an earlier release.
    #[serde(rename = "rollback")]
    Rollback,
    /// Adopt a tree that another tool made.
    #[serde(rename = "adopt")]
    Adopt,
    /// Finish or undo an interrupted run.
    #[serde(rename = "recover")]
    Recover,
    /// Show the lock holder, and break the lock.
    #[serde(rename = "unlock")]
    Unlock,
    /// Remove releases beyond the retention.
    #[serde(rename = "prune")]
    Prune,
    /// Keep a release regardless of the retention.
    #[serde(rename = "pin")]
    Pin,
    /// Remove a pin.
    #[serde(rename = "unpin")]
    Unpin,
    /// Show the current release of every host.
    #[serde(rename = "status")]
    Status,
    /// List the releases of every host.
    #[serde(rename = "releases")]
    Releases,
    /// List past operations.
    #[serde(rename = "history")]
    History,
    /// Show the output of an operation's commands.
    #[serde(rename = "log")]
    Log,
    /// Check whether a deploy would be refused.
    #[serde(rename = "check")]
    Check,
    /// Compare a release with its manifest.
    #[serde(rename = "verify")]
    Verify,
    /// Compare two releases by their manifests.
    #[serde(rename = "diff")]
    Diff,
    /// A command that only a later version knows, read back.
    #[serde(rename = "other", other)]
    Other,
}

impl Command {
    /// Returns the command as typed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Stage => "stage",
            Self::Drill => "drill",
            Self::Activate => "activate",
            Self::Rollback => "rollback",
            Self::Adopt => "adopt",
            Self::Recover => "recover",
            Self::Unlock => "unlock",
            Self::Prune => "prune",
            Self::Pin => "pin",
            Self::Unpin => "unpin",
            Self::Status => "status",
            Self::Releases => "releases",
            Self::History => "history",
            Self::Log => "log",
            Self::Check => "check",
            Self::Verify => "verify",
            Self::Diff => "diff",
            Self::Other => "other",
        }
    }

    /// Reads a command that decides something: one that only a later version knows is an error.
    pub(crate) fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Self::deserialize(deserializer)? {
            Self::Other => Err(D::Error::custom("only a later version knows the command")),
            known => Ok(known),
        }
    }

    /// Whether it uploads content to the hosts, and therefore creates a root that does not exist yet.
    #[must_use]
    pub(crate) fn brings_content(self) -> bool {
        matches!(self, Self::Deploy | Self::Stage)
    }
}

impl std::fmt::Display for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// The outcome of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum Outcome {
    /// Done as asked.
    #[serde(rename = "done")]
    Done,
    /// There was nothing to do.
    #[serde(rename = "unchanged")]
    Unchanged,
    /// Refused before anything was touched.
    #[serde(rename = "refused")]
    Refused,
    /// Failed before the switch; every `current` is unchanged.
    #[serde(rename = "failed")]
    Failed,
    /// Failed after the switch began, and everything was reverted.
    #[serde(rename = "put-back")]
    PutBack,
    /// The hosts are on different releases, or the state of one is unknown: a person is needed.
    #[serde(rename = "inconsistent")]
    Inconsistent,
    /// A check found a difference.
    #[serde(rename = "differs")]
    Differs,
    /// Stopped by a signal, a [`Cancel`](crate::fleet::Cancel) or a caller who stopped waiting; everything that had begun
    /// was reverted.
    #[serde(rename = "interrupted")]
    Interrupted,
    /// The command line, the configuration or the controller was at fault.
    #[serde(rename = "error")]
    Error,
    /// An outcome that only a later version knows, read back.
    #[serde(rename = "other", other)]
    Other,
}

/// The outcome of one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum HostOutcome {
    /// Switched, and `current` read back.
    #[serde(rename = "switched")]
    Switched,
    /// Unchanged.
    #[serde(rename = "unchanged")]
    Unchanged,
    /// Switched and reverted.
    #[serde(rename = "reverted")]
    Reverted,
    /// Failed; the error describes its state.
    #[serde(rename = "failed")]
    Failed,
    /// Refused the command.
    #[serde(rename = "refused")]
    Refused,
    /// Unreachable.
    #[serde(rename = "unreachable")]
    Unreachable,
    /// Excluded by request.
    #[serde(rename = "left")]
    Left,
    /// Unknown: its answer was lost, and it could not be asked again.
    #[serde(rename = "unknown")]
    Unknown,
    /// An outcome that only a later version knows, read back.
    #[serde(rename = "other", other)]
    Other,
}
