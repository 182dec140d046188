//! [`LockHolder`]: the holder of a root's lock, as the lock describes it.

use serde::{Deserialize, Serialize};

use crate::{
    data::DataIntent, name::ReleaseName, outcome::Command, time::Timestamp, token::Token, transport::Liveness,
};

/// The description of a lock: its owner and the operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LockOwner {
    /// The operation.
    #[serde(rename = "operation")]
    pub operation: Token,
    /// The command.
    #[serde(rename = "command")]
    pub command: Command,
    /// The user who runs it: `user@host` of the controller, and the CI job if there is one.
    #[serde(rename = "by")]
    pub by: String,
    /// The reason, if given.
    #[serde(rename = "reason")]
    pub reason: Option<String>,
    /// The revision of the deployed content in version control, if known.
    #[serde(rename = "revision", default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The hosts that take part, by name.
    #[serde(rename = "hosts")]
    pub hosts: Vec<String>,
    /// The upload. Only the owner of an upload records it; for a lock, the intent beside it does.
    #[serde(rename = "upload", default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<UploadTarget>,
    /// The time when it was taken, by the controller's clock. Shown, never compared.
    #[serde(rename = "since")]
    pub since: Timestamp,
    /// The handling of data that a rollback requested. The host records it in the intent, not in the lock.
    #[serde(skip)]
    pub data: Option<DataIntent>,
}

/// The release that is being uploaded to a host, and the current release meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct UploadTarget {
    /// The current release.
    #[serde(rename = "from")]
    pub from: Option<ReleaseName>,
    /// The uploaded release.
    #[serde(rename = "to")]
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

/// The holder of a root's lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LockHolder {
    /// The lock's own identity; `None` if its directory cannot be read.
    #[serde(rename = "token", default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Token>,
    /// The description that the holder wrote; `None` if it cannot be read.
    #[serde(flatten)]
    pub owner: Option<LockOwner>,
    /// The liveness of the holder's process on the host.
    #[serde(rename = "holder")]
    pub holder: Liveness,
}

impl LockHolder {
    /// The holder of the lock `token`, as it described itself.
    #[must_use]
    pub const fn new(token: Token, owner: LockOwner, holder: Liveness) -> Self {
        Self { token: Some(token), owner: Some(owner), holder }
    }

    /// Describes the holder in words: user, command, time, and whether its process is alive.
    #[must_use]
    pub fn describe(&self) -> String {
        let alive = match self.holder {
            Liveness::Alive => "alive",
            Liveness::Gone => "dead",
            Liveness::Unknown => "state unknown",
        };
        match &self.owner {
            Some(owner) => format!("{} ({}, since {}, {alive})", owner.by, owner.command, owner.since),
            None => format!("an unknown user ({alive})"),
        }
    }
}
