//! What became of a command and of each host, as words that reports, histories and exit codes share.

use serde::{Deserialize, Serialize};

/// The commands, as reports and histories name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Command {
    /// Stage, switch.
    Deploy,
    /// Only the upload.
    Stage,
    /// Rehearse the way back: deploy, roll back, deploy again.
    Drill,
    /// Switch to a release that is there.
    Activate,
    /// Go back.
    Rollback,
    /// Take over a tree that another tool made.
    Adopt,
    /// Finish or undo what an interrupted run left.
    Recover,
    /// Show who holds the lock, and take it away.
    Unlock,
    /// Remove what is not needed any more.
    Prune,
    /// Keep a release whatever is counted.
    Pin,
    /// Keep it no more.
    Unpin,
    /// Where every host is.
    Status,
    /// What every host has.
    Releases,
    /// What was done.
    History,
    /// Whether a deploy would be refused.
    Check,
    /// Whether a release is what its manifest says.
    Verify,
}

impl Command {
    /// The command as it is typed.
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

    /// Whether it brings content to the hosts, and so makes a root that is not there yet.
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

/// What became of a command.
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
    /// Failed before the switch; every `current` is where it was.
    Failed,
    /// Failed after the switch began, and everything was put back.
    PutBack,
    /// The hosts are mixed, or one is unknown: a person is needed.
    Inconsistent,
    /// A check found a difference.
    Differs,
    /// A signal ended it; what had begun was put back.
    Interrupted,
    /// The command line, the configuration or the controller was at fault.
    Error,
}

/// What became of one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum HostOutcome {
    /// It was switched, and read back.
    Switched,
    /// It is as it was.
    Unchanged,
    /// It was switched and put back.
    Reverted,
    /// It failed; the error says in which state it is.
    Failed,
    /// It refused.
    Refused,
    /// It could not be reached.
    Unreachable,
    /// It was left out by request.
    Left,
    /// Nobody knows: its answer was lost, and it could not be asked again.
    Unknown,
}
