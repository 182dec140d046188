//! [`DataRecord`]: a release's effect on the data, as recorded with the release.

use serde::{Deserialize, Serialize};

use crate::{commands::DataPlace, name::ReleaseName};

use super::DataVersion;

/// The effect of a release on the data, and whether it can be reverted. Every host keeps it with the release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DataRecord {
    /// The version of this format: 1.
    #[serde(rename = "format")]
    pub format: u32,
    /// The reason why the data of the release cannot be reverted; `None` if it can.
    #[serde(rename = "irreversible", default, skip_serializing_if = "Option::is_none")]
    pub irreversible: Option<String>,
    /// The applied migration; `None` if the release never began one.
    #[serde(rename = "change", default, skip_serializing_if = "Option::is_none")]
    pub change: Option<DataChange>,
    /// The data version that a person chose while the release was current. Takes precedence over the result of
    /// `change`.
    #[serde(rename = "known", default, skip_serializing_if = "Option::is_none")]
    pub known: Option<KnownData>,
    /// The changes that a rollback with `--keep-data` to this release left in the data.
    #[serde(rename = "kept", default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<KeptData>,
}

/// A data version that a person chose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KnownData {
    /// The version.
    #[serde(rename = "version")]
    pub version: DataVersion,
    /// The option that chose it.
    #[serde(rename = "by")]
    pub by: KnownBy,
}

/// The option with which a person chose a data version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum KnownBy {
    /// `deploy --accept-data`: the version found was accepted.
    #[serde(rename = "accept-data")]
    AcceptData,
    /// `rollback --data-to VERSION`: the data was reverted to it.
    #[serde(rename = "data-to")]
    DataTo,
    /// An option of a newer version of the program.
    #[serde(rename = "other", other)]
    Other,
}

/// Changes that stay in the data after a rollback from the releases that made them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeptData {
    /// The data version with these changes; `None` if unknown.
    #[serde(rename = "version")]
    pub version: Option<DataVersion>,
    /// The releases that made them, newest first. A further rollback reverts them before this release's own change.
    #[serde(rename = "releases")]
    pub releases: Vec<ReleaseName>,
}

/// A migration of the data by one release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DataChange {
    /// The place where it was applied.
    #[serde(rename = "place")]
    pub place: DataPlace,
    /// The release that was current before, so that the rollback target is known even after the release is removed.
    #[serde(rename = "previous", default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<ReleaseName>,
    /// The data version before.
    #[serde(rename = "before")]
    pub before: DataVersion,
    /// The data version after; `None` while `apply` runs, and after an interruption.
    #[serde(rename = "after")]
    pub after: Option<DataVersion>,
    /// The version that `apply` found. It differs from `before` if the release returned to data that still contained
    /// its change. `None` in the record of an older program, which did not record `kept` either.
    #[serde(rename = "found", default, skip_serializing_if = "Option::is_none")]
    pub found: Option<DataVersion>,
}

impl DataRecord {
    /// The record of a release that has not migrated the data yet.
    #[must_use]
    pub fn new(irreversible: Option<String>) -> Self {
        Self { format: 1, irreversible, change: None, known: None, kept: None }
    }

    /// Returns the version of the data with this release and without the changes in `kept`.
    pub(crate) fn own_version(&self) -> Option<&DataVersion> {
        self.known.as_ref().map(|known| &known.version).or_else(|| self.change.as_ref()?.after.as_ref())
    }

    /// Whether the record tells the data version while the release was current.
    pub(crate) fn is_finished(&self) -> bool {
        self.kept.is_some() || self.own_version().is_some()
    }
}

impl DataChange {
    /// A migration that begins at `before`.
    #[must_use]
    pub fn begun(place: DataPlace, previous: Option<ReleaseName>, before: DataVersion) -> Self {
        let found = Some(before.clone());
        Self { place, previous, before, after: None, found }
    }

    /// Whether the data version changed, as far as is known; an interrupted migration may have changed it.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.after.as_ref() != Some(&self.before)
    }
}

/// The handling of data that a rollback requested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum DataIntent {
    /// `--keep-data`: it stays unchanged.
    #[serde(rename = "keep")]
    Keep,
    /// `--data-to`: it is reverted to this version.
    #[serde(rename = "to")]
    To(DataVersion),
}
