//! [`DataRecord`]: what a release did to the data, as it is kept with the release.

use serde::{Deserialize, Serialize};

use crate::{commands::DataPlace, name::ReleaseName};

use super::DataVersion;

/// What a release did to the data, and whether that can be undone. Every host keeps it with the release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DataRecord {
    /// The version of this format: 1.
    pub format: u32,
    /// Why the release cannot be gone back from with its data; `None` when it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub irreversible: Option<String>,
    /// What was applied; `None` when the release was never taken to its data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<DataChange>,
    /// The data version that a person decided on while the release was current. Stands above what `change` left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<KnownData>,
    /// What a rollback with `--keep-data` to this release left in the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<KeptData>,
}

/// A data version that a person decided on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KnownData {
    /// The version.
    pub version: DataVersion,
    /// The option by which it was decided.
    pub by: KnownBy,
}

/// The option by which a person decided on a data version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum KnownBy {
    /// `deploy --accept-data`: the version that was found stands.
    AcceptData,
    /// `rollback --data-to VERSION`: the data was reverted to it.
    DataTo,
    /// An option of a newer program.
    #[serde(other)]
    Other,
}

/// Changes that stay in the data although the releases that made them were left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeptData {
    /// The data version with these changes; `None` where it was not known.
    pub version: Option<DataVersion>,
    /// The releases that made them, newest first. Going further back reverts them before this release's own change.
    pub releases: Vec<ReleaseName>,
}

/// A step of the data, taken by one release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DataChange {
    /// Where it was applied.
    pub place: DataPlace,
    /// The release that was current before, so that the way back is known though the release should be gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<ReleaseName>,
    /// The data version before.
    pub before: DataVersion,
    /// The data version after; `None` while it is being applied, and when that was interrupted.
    pub after: Option<DataVersion>,
    /// The version that `apply` found. It differs from `before` where the release returned to data that still held its change.
    /// `None` in the record of an older program, which recorded no `kept` either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<DataVersion>,
}

impl DataRecord {
    /// A release that has not been taken to its data yet.
    #[must_use]
    pub fn new(irreversible: Option<String>) -> Self {
        Self { format: 1, irreversible, change: None, known: None, kept: None }
    }

    /// Returns the version of the data with this release and without what it `kept`.
    pub(crate) fn own_version(&self) -> Option<&DataVersion> {
        self.known.as_ref().map(|known| &known.version).or_else(|| self.change.as_ref()?.after.as_ref())
    }

    /// Whether the record says what the data was while the release was current.
    pub(crate) fn is_finished(&self) -> bool {
        self.kept.is_some() || self.own_version().is_some()
    }
}

impl DataChange {
    /// A step that begins at `before`.
    #[must_use]
    pub fn begun(place: DataPlace, previous: Option<ReleaseName>, before: DataVersion) -> Self {
        let found = Some(before.clone());
        Self { place, previous, before, after: None, found }
    }

    /// Whether the data is another than before, as far as that was seen; one that was interrupted may be.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.after.as_ref() != Some(&self.before)
    }
}

/// How a rollback was asked to treat the data, where it was asked for anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DataIntent {
    /// `--keep-data`: it stays as it is.
    Keep,
    /// `--data-to`: it is reverted to this version.
    To(DataVersion),
}
