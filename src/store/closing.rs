//! [`Closing`]: the end of an operation on a host.

use crate::{
    debt::Debt,
    name::ReleaseName,
    outcome::{HostOutcome, Outcome},
    status::{BadMark, PinMark},
};

use super::BrokenLinks;

/// The final writes of an operation on a host.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Closing {
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

/// The result of ending an operation on a host whose lock was released.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Closed {
    /// The failed writes and removals, each in words.
    pub failed: Vec<String>,
    /// The reasons why releases in which commands ran are not sealed, in words.
    pub unsealed: Vec<String>,
    /// The releases that were sealed again because commands changed them.
    pub sealed: Vec<ReleaseName>,
    /// The broken symlinks to shared paths, by release.
    pub links: BrokenLinks,
}

/// The history entry of an operation on a host.
#[derive(Debug, Clone, PartialEq)]
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
    /// The duration until now, in seconds.
    pub seconds: f64,
}
