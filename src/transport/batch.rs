//! [`Batch`]: a list of typed operations that a host runs in one exchange.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::path::HostPath;

#[cfg(doc)]
use super::Reply;
use super::{Ask, FileId, Handle, Op, StepFailure, TransportError};

/// A list of steps that run in order on one host, in one exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The deploy root. Every path of a step lies inside it. It may itself be a symlink, which is followed once.
    pub root: HostPath,
    /// Whether to create a missing root (with its parents, mode 0755); else a missing root fails the batch.
    ///
    /// It fails before the first step. A root with a `pin` existed before, and is never created.
    pub make_root: bool,
    /// Whether the group may write the files that steps append to and mark processes with.
    ///
    /// Their mode is then 0660 instead of 0600.
    pub for_group: bool,
    /// The identity of the root, if it is known.
    ///
    /// Another device or inode fails the batch before its first step.
    pub pin: Option<FileId>,
    /// The steps.
    pub steps: Vec<Step>,
    /// The identity of the batch, which its handles have too. It is not sent.
    pub id: BatchId,
}

/// The identity of a [`Batch`] and its clones in this process.
///
/// It is no part of a batch's content: all are equal.
#[derive(Clone, Copy)]
pub struct BatchId(u64);

impl BatchId {
    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether it is the same batch, or a clone of it.
    pub(super) const fn is(self, other: Self) -> bool {
        self.0 == other.0
    }
}

impl PartialEq for BatchId {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for BatchId {}

impl fmt::Debug for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

impl Batch {
    /// Creates a batch without steps, on a root that must exist.
    #[must_use]
    pub fn new(root: HostPath) -> Self {
        Self { root, make_root: false, for_group: false, pin: None, steps: Vec::new(), id: BatchId::next() }
    }

    /// Adds a step whose failure ends the batch.
    pub fn push<T>(&mut self, ask: impl Into<Ask<T>>) -> Handle<T> {
        self.add(ask.into().op, OnFailure::Stop)
    }

    /// Adds a step whose failure is only a [`Reply::Failed`].
    pub fn push_lenient<T>(&mut self, ask: impl Into<Ask<T>>) -> Handle<Result<T, StepFailure>> {
        self.add(ask.into().op, OnFailure::GoOn)
    }

    fn add<T>(&mut self, op: Op, on_failure: OnFailure) -> Handle<T> {
        self.steps.push(Step { op, on_failure });
        Handle::new(self.id, self.steps.len() - 1)
    }

    /// Checks that a transport to `host` knows every operation, before it runs the first.
    ///
    /// # Errors
    ///
    /// [`TransportError::unknown_op`] with the first operation for which `knows` is `false`.
    pub fn expect_known(&self, host: impl fmt::Display, knows: impl Fn(&Op) -> bool) -> Result<(), TransportError> {
        let unknown = self.steps.iter().find(|step| !knows(&step.op));
        unknown.map_or(Ok(()), |step| Err(TransportError::unknown_op(host, &step.op)))
    }

    /// Whether any step changes the host.
    #[must_use]
    pub fn changes(&self) -> bool {
        self.make_root || self.steps.iter().any(|step| step.op.changes())
    }
}

/// One step of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The operation.
    pub op: Op,
    /// The effect of a failure on the rest of the batch.
    pub on_failure: OnFailure,
}

/// The effect of a failed step on the rest of its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// Runs no later step; the batch fails with [`TransportError::Step`](super::TransportError::Step).
    Stop,
    /// Replies [`Reply::Failed`] and runs the next step.
    GoOn,
}
