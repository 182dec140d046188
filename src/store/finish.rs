//! [`Finish`]: the end of an operation on a host.

use thiserror::Error;

use crate::{
    debt::Debt,
    name::ReleaseName,
    outcome::{HostOutcome, Outcome},
    report::PhaseTime,
    status::{BadMark, PinMark},
};

use super::{BrokenLinks, StoreError, StoreGuard};

/// The request for [`StoreGuard::finish`]: the final writes of an operation on a host.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Finish {
    /// The release to mark bad, with the mark.
    pub bad: Option<(ReleaseName, BadMark)>,
    /// The release to pin, with the mark.
    pub pinned: Option<(ReleaseName, PinMark)>,
    /// The release whose pin is removed.
    pub unpinned: Option<ReleaseName>,
    /// The release whose bad mark is removed.
    pub cleared: Option<ReleaseName>,
    /// The history entry; `None` if nothing worth one was done here.
    pub history: Option<Ended>,
    /// The operations that unreachable hosts missed.
    pub debts: Vec<Debt>,
    /// The names of the hosts that no longer miss anything.
    pub paid: Vec<String>,
    /// Whether this operation settles the interrupted ones, so that their leftovers are removed.
    pub settles: bool,
    /// Whether this operation is incomplete, so that its intent stays for the next one.
    pub unfinished: bool,
    /// The releases whose symlinks to shared paths are checked.
    pub links_of: Vec<ReleaseName>,
}

/// The result of [`StoreGuard::finish`]: the lock is released.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Finished {
    /// The failed writes and removals, each in words.
    pub failed: Vec<String>,
    /// The reasons why releases in which commands ran are not sealed, in words.
    pub unsealed: Vec<String>,
    /// The releases that were sealed again because commands changed them.
    pub sealed: Vec<ReleaseName>,
    /// The broken symlinks to shared paths, by release.
    pub links: BrokenLinks,
}

/// A failure to release a lock. The guard comes back with it, so that the caller can [`fence`](StoreGuard::fence) and
/// finish again. If it drops the guard, the next run takes the lock over.
#[derive(Debug, Error)]
#[error("the lock could not be released")]
pub struct FinishError {
    /// The cause. Its [effect](StoreError::effect) says whether marks and history may have been written.
    #[source]
    pub error: StoreError,
    /// The guard, with the state as last read.
    pub guard: Box<dyn StoreGuard>,
}

/// The history entry of an operation on a host.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Ended {
    /// The release that was current before.
    pub from: Option<ReleaseName>,
    /// The release that the operation went to.
    pub to: Option<ReleaseName>,
    /// The pruned releases.
    pub pruned: Vec<ReleaseName>,
    /// The outcome of the command on the whole fleet.
    pub outcome: Outcome,
    /// The outcome on this host.
    pub host: HostOutcome,
    /// Whether a hook of the restored release failed on this host after the revert.
    pub unwell: bool,
    /// The duration until now, in seconds.
    pub seconds: f64,
    /// The time of each phase until now.
    pub phases: Vec<PhaseTime>,
}

impl Ended {
    /// An entry with these outcomes, without releases.
    #[must_use]
    pub const fn new(outcome: Outcome, host: HostOutcome) -> Self {
        Self {
            from: None,
            to: None,
            pruned: Vec::new(),
            outcome,
            host,
            unwell: false,
            seconds: 0.0,
            phases: Vec::new(),
        }
    }
}
