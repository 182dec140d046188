//! [`LedgerEntry`]: one step of the data, as the host's ledger keeps it.

use serde::{Deserialize, Serialize};

use crate::{lines, name::ReleaseName, time::Timestamp, token::Token};

use super::DataVersion;

/// One line of a host's ledger: what was done to the data, before and after it was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LedgerEntry {
    /// The version of this format: 1.
    pub format: u32,
    /// The operation: the same on all hosts.
    pub operation: Token,
    /// When, by the controller's clock.
    pub at: Timestamp,
    /// The release whose step it is.
    pub release: ReleaseName,
    /// What was done.
    pub step: LedgerStep,
    /// The data version then; `None` when it was not known.
    pub version: Option<DataVersion>,
}

/// What was done to the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LedgerStep {
    /// Applying was about to begin.
    ApplyBegun,
    /// Applying has ended well.
    Applied,
    /// Reverting was about to begin.
    RevertBegun,
    /// Reverting has ended well.
    Reverted,
    /// `deploy --accept-data`: the version that was found with the release stands.
    Accepted,
    /// `rollback --data-to`: the data is at the version that a person decided on, with the release that was rolled back to.
    Decided,
    /// `rollback --keep-data`: the data stayed as it was, with the release that was rolled back to.
    Kept,
}

impl LedgerEntry {
    /// A step of `operation` on the data of `release`, now.
    #[must_use]
    pub fn now(operation: Token, release: ReleaseName, step: LedgerStep, version: Option<DataVersion>) -> Self {
        Self { format: 1, operation, at: Timestamp::now(), release, step, version }
    }

    /// Reads the lines of a ledger, oldest first, and counts those that a crash tore: they mean nothing.
    #[must_use]
    pub(crate) fn read_lines(content: &[u8]) -> (Vec<Self>, usize) {
        lines::read(content)
    }

    /// Whether the last that `entries` say of `release` is that a revert of it was about to begin.
    #[must_use]
    pub(crate) fn revert_is_open(entries: &[Self], release: &ReleaseName) -> bool {
        Self::last_of(entries, release).is_some_and(|entry| entry.step == LedgerStep::RevertBegun)
    }

    /// Returns the last of `entries` that is about `release`.
    #[must_use]
    pub(crate) fn last_of<'e>(entries: &'e [Self], release: &ReleaseName) -> Option<&'e Self> {
        entries.iter().rev().find(|entry| entry.release == *release)
    }
}
