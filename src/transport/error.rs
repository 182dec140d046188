//! [`TransportError`]: what went wrong, and how much took effect.

use std::{error::Error as StdError, fmt};

use thiserror::Error;

use crate::{path::HostPath, tree::TreeError};

use super::{Batch, Reply};

/// Why a call to a host gave no full answer. [`effect`](Self::effect) says what took effect.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The host could not be reached. Nothing was sent; trying again is safe.
    #[error("cannot reach {host}")]
    Unreachable {
        /// The host.
        host: String,
        /// What `ssh` or the system said.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The host was reached, and lacks something that the work needs. No step ran.
    #[error("{host} cannot be worked with: {lacks}")]
    Unsuitable {
        /// The host.
        host: String,
        /// What it lacks, in words.
        lacks: String,
    },
    /// The deploy root is missing, is no directory, cannot be entered or made, or is not the one seen before. No step ran.
    #[error("the root {root} on {host} cannot be used: {failure}")]
    Root {
        /// The host.
        host: String,
        /// The root.
        root: HostPath,
        /// Why; [`FailureKind::Missing`] when it is not there, [`FailureKind::Mismatch`] when it is another one than before.
        failure: StepFailure,
    },
    /// A step failed. The steps before it took effect, it and the later ones did not.
    #[error("step {} on {host} failed in {root}: {failure}", index + 1)]
    Step {
        /// The host.
        host: String,
        /// The root, which the places in `failure` are below.
        root: HostPath,
        /// The step's index in the batch.
        index: usize,
        /// Why it failed.
        failure: StepFailure,
        /// The replies of the steps before it.
        replies: Vec<Reply>,
    },
    /// What is uploaded could not be read, or changed while it was read. Part of it may have arrived in [`Upload::into`](super::Upload::into).
    #[error("what is uploaded to {host} cannot be read")]
    Source {
        /// The host.
        host: String,
        /// Why.
        source: TreeError,
    },
    /// An upload did not arrive whole. Part of it may stand in [`Upload::into`](super::Upload::into).
    #[error("the upload to {host} did not arrive whole in {root}: {failure}")]
    Upload {
        /// The host.
        host: String,
        /// The root, which the places in `failure` are below.
        root: HostPath,
        /// What the host said.
        failure: StepFailure,
    },
    /// A command could not be started: the parent of its record or its working directory is not there, for one. It was not run.
    #[error("the command was not run on {host}: {failure}")]
    Hook {
        /// The host.
        host: String,
        /// Why; [`FailureKind::Missing`] when a directory is not there.
        failure: StepFailure,
    },
    /// The answer was lost, or was none. The steps may have run or not: read the state before anything else.
    #[error("no answer from {host}, so it is not known what took effect")]
    Unknown {
        /// The host.
        host: String,
        /// How the answer was lost.
        source: Box<dyn StdError + Send + Sync>,
    },
}

/// How much of a batch took effect when it gave no full answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: no step ran.
    Nothing,
    /// The first so many steps did, and no other.
    Steps(usize),
    /// Unknown. The state must be read again.
    Unknown,
}

impl TransportError {
    /// How much took effect.
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

    /// The failure of a step or of the root, when that is what it was.
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

    /// An [`Unknown`](Self::Unknown) answer from `host`, lost in the way that `reason` says.
    pub fn unknown(host: impl fmt::Display, reason: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Unknown { host: host.to_string(), source: reason.into() }
    }

    /// A failure of step `index` of `batch` on `host`.
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

/// Why a step failed: a kind to act on, and the host's own words.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{kind}: {detail}")]
pub struct StepFailure {
    /// What kind of failure it was.
    pub kind: FailureKind,
    /// The place and what the host said of it, on one line, printable.
    pub detail: String,
}

impl StepFailure {
    /// A failure of this kind; control characters in `detail` are escaped.
    pub fn new(kind: FailureKind, detail: impl AsRef<str>) -> Self {
        let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
        Self { kind, detail: detail.as_ref().trim().chars().map(escape).collect() }
    }
}

/// The kinds of failure of a step, as far as a caller can act on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum FailureKind {
    /// Something stands where nothing should (`EEXIST`, `ENOTEMPTY`).
    #[error("already there")]
    Exists,
    /// Nothing stands where something should (`ENOENT`).
    #[error("not there")]
    Missing,
    /// An expectation did not hold.
    #[error("not as expected")]
    Mismatch,
    /// What stands there is of another kind (`ENOTDIR`, `EISDIR`, `ELOOP`).
    #[error("of the wrong kind")]
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
    /// The two places are on different filesystems (`EXDEV`).
    #[error("on another filesystem")]
    CrossDevice,
    /// A name or path is too long (`ENAMETOOLONG`).
    #[error("name too long")]
    TooLong,
    /// Anything else the system said.
    #[error("failed")]
    Io,
}

impl FailureKind {
    /// The kind that the words of `strerror(3)` in the C locale tell of, as found in a utility's message.
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
