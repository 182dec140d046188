//! [`HistoryEntry`]: what was done on a host, as its history keeps it.

use serde::{Deserialize, Serialize};

use crate::{
    name::ReleaseName,
    report::{Command, HostOutcome, Outcome},
    time::Timestamp,
    token::Token,
};

/// One line of a host's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HistoryEntry {
    /// The version of this format: 1.
    pub format: u32,
    /// The operation: the same on all hosts.
    pub operation: Token,
    /// The command.
    pub command: Command,
    /// When it ended, by the host's clock.
    pub at: Timestamp,
    /// Who ran it: `user@host` of the controller, and the CI job where there is one.
    pub by: String,
    /// The release that was current before.
    pub from: Option<ReleaseName>,
    /// The release that it was to be.
    pub to: Option<ReleaseName>,
    /// Why, when that was said.
    pub reason: Option<String>,
    /// What became of the command on the whole fleet.
    pub outcome: Outcome,
    /// What became of this host.
    pub host: HostOutcome,
    /// How long it took until then, in seconds.
    pub seconds: f64,
}
