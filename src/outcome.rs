//! Outcomes of a command and of each host, as reports, histories and exit codes share them.

use serde::{Deserialize, Serialize};

/// The commands, as reports and histories name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Command {
    /// Upload a release and switch to it.
    Deploy,
    /// Upload a release only.
    Stage,
    /// Rehearse a rollback: deploy, roll back, deploy again.
    Drill,
    /// Switch to a release that the hosts already have.
    Activate,
    /// Switch to an earlier release.
    Rollback,
    /// Adopt a tree that another tool made.
    Adopt,
    /// Finish or undo an interrupted run.
    Recover,
    /// Show the lock holder, and break the lock.
    Unlock,
    /// Remove releases beyond the retention.
    Prune,
    /// Keep a release regardless of the retention.
    Pin,
    /// Remove a pin.
    Unpin,
    /// Show the current release of every host.
    Status,
    /// List the releases of every host.
    Releases,
    /// List past operations.
    History,
    /// Check whether a deploy would be refused.
    Check,
    /// Compare a release with its manifest.
    Verify,
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
            Self::Check => "check",
            Self::Verify => "verify",
        }
    }

    /// Whether it uploads content to the hosts, and therefore creates a root that does not exist yet.
    #[must_use]
    pub fn brings_content(self) -> bool {
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
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Outcome {
    /// Done as asked.
    Done,
    /// There was nothing to do.
    Unchanged,
    /// Refused before anything was touched.
    Refused,
    /// Failed before the switch; every `current` is unchanged.
    Failed,
    /// Failed after the switch began, and everything was reverted.
    PutBack,
    /// The hosts are on different releases, or the state of one is unknown: a person is needed.
    Inconsistent,
    /// A check found a difference.
    Differs,
    /// Ended by a signal; everything that had begun was reverted.
    Interrupted,
    /// The command line, the configuration or the controller was at fault.
    Error,
}

/// The outcome of one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum HostOutcome {
    /// Switched, and `current` read back.
    Switched,
    /// Unchanged.
    Unchanged,
    /// Switched and reverted.
    Reverted,
    /// Failed; the error describes its state.
    Failed,
    /// Refused the command.
    Refused,
    /// Unreachable.
    Unreachable,
    /// Excluded by request.
    Left,
    /// Unknown: its answer was lost, and it could not be asked again.
    Unknown,
}
