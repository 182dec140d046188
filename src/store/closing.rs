//! [`Closing`]: how an operation ends on a host.

use crate::{
    debt::Debt,
    name::ReleaseName,
    outcome::{HostOutcome, Outcome},
    status::{BadMark, PinMark},
};

use super::BrokenLinks;

/// How an operation ends on a host.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Closing {
    /// The release that is bad from now on, with why.
    pub bad: Option<(ReleaseName, BadMark)>,
    /// The release that is pinned from now on, with why.
    pub pinned: Option<(ReleaseName, PinMark)>,
    /// The release that is pinned no more.
    pub unpinned: Option<ReleaseName>,
    /// The release that is bad no more.
    pub cleared: Option<ReleaseName>,
    /// The line for the history; `None` when nothing was done here that is worth one.
    pub history: Option<Ended>,
    /// What hosts missed that could not be reached.
    pub debts: Vec<Debt>,
    /// The hosts, by name, that owe nothing any more.
    pub paid: Vec<String>,
    /// Whether what interrupted operations left is settled by this one, and is forgotten.
    pub settles: bool,
    /// Whether this operation is not done, and its intent is kept for the next one.
    pub unfinished: bool,
    /// The releases whose links to what is shared are looked at.
    pub links_of: Vec<ReleaseName>,
}

/// What came of ending an operation on a host whose lock was given back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Closed {
    /// What could not be written or removed, each in words.
    pub failed: Vec<String>,
    /// Why a release in which commands ran is not sealed, each in words.
    pub unsealed: Vec<String>,
    /// The releases that are sealed anew, because commands changed them.
    pub sealed: Vec<ReleaseName>,
    /// The links to what is shared that are not what they were made as, by release.
    pub links: BrokenLinks,
}

/// What the history says of an operation on a host.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// What was current before.
    pub from: Option<ReleaseName>,
    /// What it was to be.
    pub to: Option<ReleaseName>,
    /// The releases that were pruned.
    pub pruned: Vec<ReleaseName>,
    /// What became of the command on the whole fleet.
    pub outcome: Outcome,
    /// What became of this host.
    pub host: HostOutcome,
    /// How long it took until then, in seconds.
    pub seconds: f64,
}
