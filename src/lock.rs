//! [`LockHolder`]: who holds a root's lock, as the lock itself says.

use serde::{Deserialize, Serialize};

use crate::{
    data::DataIntent, name::ReleaseName, outcome::Command, time::Timestamp, token::Token, transport::Liveness,
};

/// What stands in a lock: who took it, and for what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LockOwner {
    /// The operation.
    pub operation: Token,
    /// The command.
    pub command: Command,
    /// Who runs it: `user@host` of the controller, and the CI job where there is one.
    pub by: String,
    /// Why, when that was said.
    pub reason: Option<String>,
    /// What is deployed, as version control calls it, when that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The hosts that take part, by name.
    pub hosts: Vec<String>,
    /// What is uploaded. Only the owner of an upload says so; the intent beside a lock does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<UploadTarget>,
    /// When it was taken, by the controller's clock. Shown, never compared.
    pub since: Timestamp,
    /// How a rollback was asked to treat the data. Its intent says so on the host; the lock does not.
    #[serde(skip)]
    pub data: Option<DataIntent>,
}

/// The release that is uploaded to a host, and the one that is current there meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UploadTarget {
    /// The release that is current there.
    pub from: Option<ReleaseName>,
    /// The release that is uploaded.
    pub to: ReleaseName,
}

impl LockOwner {
    /// An operation of its own, run by `by`, that begins now.
    #[must_use]
    pub fn new(command: Command, by: impl Into<String>) -> Self {
        let (operation, since) = (Token::random(), Timestamp::now());
        Self {
            operation,
            command,
            by: by.into(),
            reason: None,
            revision: None,
            hosts: Vec::new(),
            upload: None,
            since,
            data: None,
        }
    }
}

/// Who holds the lock of a root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LockHolder {
    /// The lock's own identity; `None` when the directory that holds it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Token>,
    /// What the holder wrote; `None` when it cannot be read.
    #[serde(flatten)]
    pub owner: Option<LockOwner>,
    /// Whether the holder's process on the host still runs.
    pub holder: Liveness,
}

impl LockHolder {
    /// The holder in words: who, for what, since when, and whether it still runs.
    #[must_use]
    pub fn describe(&self) -> String {
        let alive = match self.holder {
            Liveness::Alive => "still running",
            Liveness::Gone => "its process is gone",
            Liveness::Unknown => "its process cannot be looked at",
        };
        match &self.owner {
            Some(owner) => format!("{} ({}, since {}, {alive})", owner.by, owner.command, owner.since),
            None => format!("somebody whose name cannot be read ({alive})"),
        }
    }
}
