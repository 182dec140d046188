//! [`LedgerEntry`]: one step of a data migration, as a host's ledger records it.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{lines, name::ReleaseName, time::Timestamp, token::Token};

use super::DataVersion;

/// One line of a host's ledger: a step on the data, recorded when it begins or ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LedgerEntry {
    /// The version of this format: 1.
    #[serde(rename = "format")]
    pub format: u32,
    /// The operation: the same on all hosts.
    #[serde(rename = "operation")]
    pub operation: Token,
    /// The time, by the controller's clock.
    #[serde(rename = "at")]
    pub at: Timestamp,
    /// The release of the step.
    #[serde(rename = "release")]
    pub release: ReleaseName,
    /// The step.
    #[serde(rename = "step", deserialize_with = "LedgerStep::known")]
    pub step: LedgerStep,
    /// The data version at that time; `None` if unknown.
    #[serde(rename = "version")]
    pub version: Option<DataVersion>,
}

/// A step on the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum LedgerStep {
    /// `apply` is about to begin.
    #[serde(rename = "apply-begun")]
    ApplyBegun,
    /// `apply` succeeded.
    #[serde(rename = "applied")]
    Applied,
    /// `revert` is about to begin.
    #[serde(rename = "revert-begun")]
    RevertBegun,
    /// `revert` succeeded.
    #[serde(rename = "reverted")]
    Reverted,
    /// `deploy --accept-data`: the data version found with the release was accepted.
    #[serde(rename = "accepted")]
    Accepted,
    /// `rollback --data-to`: the data is at a version chosen by a person, with the release that was rolled back to.
    #[serde(rename = "decided")]
    Decided,
    /// `rollback --keep-data`: the data stayed unchanged, with the release that was rolled back to.
    #[serde(rename = "kept")]
    Kept,
    /// A step that only a later version knows, read back from an event.
    #[serde(rename = "other", other)]
    Other,
}

impl LedgerStep {
    /// Reads a step that decides something: one that only a later version knows is an error.
    fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Self::deserialize(deserializer)? {
            Self::Other => Err(D::Error::custom("only a later version knows the step")),
            known => Ok(known),
        }
    }
}

impl LedgerEntry {
    /// A step of `operation` on the data of `release`, now.
    #[must_use]
    pub fn now(operation: Token, release: ReleaseName, step: LedgerStep, version: Option<DataVersion>) -> Self {
        Self { format: 1, operation, at: Timestamp::now(), release, step, version }
    }

    /// Parses the lines of a ledger, oldest first, and counts those that a crash tore.
    #[must_use]
    pub(crate) fn read_lines(content: &[u8]) -> (Vec<Self>, usize) {
        lines::read(content)
    }

    /// Whether the last entry about `release` says that a revert of it was about to begin.
    #[must_use]
    pub(crate) fn revert_is_open(entries: &[Self], release: &ReleaseName) -> bool {
        Self::last_of(entries, release).is_some_and(|entry| entry.step == LedgerStep::RevertBegun)
    }

    /// Returns the last of `entries` about `release`.
    #[must_use]
    pub(crate) fn last_of<'e>(entries: &'e [Self], release: &ReleaseName) -> Option<&'e Self> {
        entries.iter().rev().find(|entry| entry.release == *release)
    }
}
