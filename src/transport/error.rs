//! [`TransportError`]: the cause of a failed call, and its effect on the host.

use std::{error::Error as StdError, fmt};

use thiserror::Error;

use crate::{path::HostPath, tree::TreeError};

use super::{Batch, Op, Reply};

/// The cause of a call without a full reply. [`effect`](Self::effect) returns what took effect.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The host could not be reached. Nothing was sent; a retry is safe.
    #[error("cannot reach {host}")]
    Unreachable {
        /// The host.
        host: String,
        /// The error from `ssh` or the system.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The host was reached, but lacks something that the work needs. No step ran.
    #[error("{host} is not suitable: {lacks}")]
    Unsuitable {
        /// The host.
        host: String,
        /// The missing requirement, in words.
        lacks: String,
    },
    /// The deploy root cannot be used. No step ran.
    ///
    /// It is missing, is not a directory, cannot be entered or created, or is not the one seen before.
    #[error("cannot use the root {root} on {host}: {failure}")]
    Root {
        /// The host.
        host: String,
        /// The root.
        root: HostPath,
        /// The cause: [`FailureKind::Missing`] when it does not exist, [`FailureKind::Mismatch`] when it was replaced.
        failure: StepFailure,
    },
    /// A step failed. The steps before it took effect; it and the later ones did not.
    #[error("step {} on {host} failed in {root}: {failure}", index + 1)]
    Step {
        /// The host.
        host: String,
        /// The root; the paths in `failure` are relative to it.
        root: HostPath,
        /// The step's index in the batch.
        index: usize,
        /// The cause.
        failure: StepFailure,
        /// The replies of the steps before it.
        replies: Vec<Reply>,
    },
    /// The source of an upload could not be read, or changed while it was read.
    ///
    /// A part of it may have arrived in [`Upload::into`](super::raw::Upload::into).
    #[error("cannot read the source of the upload to {host}")]
    Source {
        /// The host.
        host: String,
        /// The cause.
        source: TreeError,
    },
    /// An upload did not arrive whole. A part of it may be in [`Upload::into`](super::raw::Upload::into).
    #[error("the upload to {host} failed in {root}: {failure}")]
    Upload {
        /// The host.
        host: String,
        /// The root; the paths in `failure` are relative to it.
        root: HostPath,
        /// The host's error.
        failure: StepFailure,
    },
    /// A command could not be started, for example because its working directory or its record's parent is missing.
    ///
    /// It did not run.
    #[error("the command did not run on {host}: {failure}")]
    Hook {
        /// The host.
        host: String,
        /// The cause; [`FailureKind::Missing`] when a directory does not exist.
        failure: StepFailure,
    },
    /// The reply was lost or malformed. The steps may have run or not: read the state before anything else.
    #[error("no answer from {host}, so its state is unknown")]
    Unknown {
        /// The host.
        host: String,
        /// The reason why the reply was lost.
        source: Box<dyn StdError + Send + Sync>,
    },
}

/// The extent to which a batch without a full reply took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// No step ran.
    Nothing,
    /// The first n steps took effect, and no other.
    Steps(usize),
    /// Unknown. The state must be read again.
    Unknown,
}

impl TransportError {
    /// Returns the extent to which the call took effect.
    #[must_use]
    pub fn effect(&self) -> Effect {
        match self {
            Self::Unreachable { .. } | Self::Unsuitable { .. } | Self::Root { .. } | Self::Hook { .. } => {
                Effect::Nothing
            }
            Self::Step { index, .. } => Effect::Steps(*index),
            Self::Source { .. } | Self::Upload { .. } | Self::Unknown { .. } => Effect::Unknown,
        }
    }

    /// Returns the failure of a step, a root, an upload or a command, if the error is one.
    #[must_use]
    pub fn failure(&self) -> Option<&StepFailure> {
        match self {
            Self::Root { failure, .. }
            | Self::Step { failure, .. }
            | Self::Upload { failure, .. }
            | Self::Hook { failure, .. } => Some(failure),
            Self::Unreachable { .. } | Self::Unsuitable { .. } | Self::Source { .. } | Self::Unknown { .. } => None,
        }
    }

    /// Whether the root does not exist.
    pub(crate) fn is_missing_root(&self) -> bool {
        matches!(self, Self::Root { failure, .. } if failure.kind == FailureKind::Missing)
    }

    /// Creates an [`Unknown`](Self::Unknown) error for `host`, whose reply was lost because of `reason`.
    pub fn unknown(host: impl fmt::Display, reason: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Unknown { host: host.to_string(), source: reason.into() }
    }

    /// Creates the error of a transport that does not know an operation, and ran no step of its batch.
    #[must_use]
    pub fn unknown_op(host: impl fmt::Display, op: &Op) -> Self {
        let lacks = format!("its transport does not know the operation {}", op.name());
        Self::Unsuitable { host: host.to_string(), lacks }
    }

    /// Creates the error for the failed step `index` of `batch` on `host`.
    pub fn step(
        host: impl fmt::Display,
        batch: &Batch,
        index: usize,
        failure: StepFailure,
        replies: Vec<Reply>,
    ) -> Self {
        debug_assert!(
            index < batch.steps.len() && replies.len() == index,
            "one reply for each step before the failed one"
        );
        Self::Step { host: host.to_string(), root: batch.root.clone(), index, failure, replies }
    }
}

/// The cause of a failed step: a kind to act on, and the host's own message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{kind}: {detail}")]
pub struct StepFailure {
    /// The kind of failure.
    pub kind: FailureKind,
    /// The path and the host's message about it, on one line, printable.
    pub detail: String,
}

impl StepFailure {
    /// Creates a failure of this kind; escapes control characters in `detail`.
    pub fn new(kind: FailureKind, detail: impl AsRef<str>) -> Self {
        let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
        Self { kind, detail: detail.as_ref().trim().chars().map(escape).collect() }
    }
}

/// The kinds of failure of a step that a caller can act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum FailureKind {
    /// An entry exists where none should (`EEXIST`, `ENOTEMPTY`).
    #[error("already exists")]
    Exists,
    /// No entry exists where one should (`ENOENT`).
    #[error("does not exist")]
    Missing,
    /// An expectation did not hold.
    #[error("not as expected")]
    Mismatch,
    /// The entry is of another kind (`ENOTDIR`, `EISDIR`, `ELOOP`).
    #[error("wrong type")]
    WrongType,
    /// No permission (`EACCES`, `EPERM`).
    #[error("permission denied")]
    Denied,
    /// No space or no inodes left, or over a quota (`ENOSPC`, `EDQUOT`).
    #[error("no space left")]
    NoSpace,
    /// The filesystem is read-only (`EROFS`).
    #[error("read-only filesystem")]
    ReadOnly,
    /// The two paths are on different filesystems (`EXDEV`).
    #[error("on another filesystem")]
    CrossDevice,
    /// A name or path is too long (`ENAMETOOLONG`).
    #[error("name too long")]
    TooLong,
    /// Any other error.
    #[error("failed")]
    Io,
}

impl FailureKind {
    /// Returns the kind for a utility's message that contains the words of `strerror(3)` in the C locale.
    #[must_use]
    pub fn from_message(message: &str) -> Self {
        const WORDS: &[(&str, FailureKind)] = &[
            ("File exists", FailureKind::Exists),
            ("Directory not empty", FailureKind::Exists),
            ("No such file or directory", FailureKind::Missing),
            ("Not a directory", FailureKind::WrongType),
            ("Is a directory", FailureKind::WrongType),
            ("Too many levels of symbolic links", FailureKind::WrongType),
            ("Symbolic link loop", FailureKind::WrongType),
            ("Permission denied", FailureKind::Denied),
            ("Operation not permitted", FailureKind::Denied),
            ("No space left on device", FailureKind::NoSpace),
            ("Disk quota exceeded", FailureKind::NoSpace),
            ("Read-only file system", FailureKind::ReadOnly),
            ("Invalid cross-device link", FailureKind::CrossDevice),
            ("Cross-device link", FailureKind::CrossDevice),
            ("File name too long", FailureKind::TooLong),
            ("Filename too long", FailureKind::TooLong),
        ];
        WORDS.iter().find(|(words, _)| message.contains(words)).map_or(Self::Io, |(_, kind)| *kind)
    }
}
