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
}

impl DataRecord {
    /// A release that has not been taken to its data yet.
    #[must_use]
    pub fn new(irreversible: Option<String>) -> Self {
        Self { format: 1, irreversible, change: None }
    }
}

impl DataChange {
    /// A step that begins at `before`.
    #[must_use]
    pub fn begun(place: DataPlace, previous: Option<ReleaseName>, before: DataVersion) -> Self {
        Self { place, previous, before, after: None }
    }

    /// Whether the data is another than before, as far as that was seen; one that was interrupted may be.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.after.as_ref() != Some(&self.before)
    }
}
