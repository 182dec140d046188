//! [`HostStatus`]: the state of a host, as reports show it.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Map, Value};

use crate::{
    adoption::AdoptedRecord, hint::Notice, history::HistoryEntry, lock::LockHolder, name::ReleaseName,
    store::UnreadableFile, time::Timestamp,
};

/// The state of a host, as read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct HostStatus {
    /// The current release; `None` if there is none, or `current` is not ours (the host's error says so).
    #[serde(rename = "current")]
    pub current: Option<ReleaseName>,
    /// The revision that the current release was built from, if known.
    #[serde(rename = "revision", default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The release that the next rollback would go to; `None` if it would be refused.
    #[serde(rename = "previous")]
    pub previous: Option<ReleaseName>,
    /// Whether `previous` is `None` because a record of the rollback chain is broken; not known of a report that was
    /// read back, whose warnings say it in words.
    #[serde(skip)]
    pub chain_broken: bool,
    /// Whether the root does not exist yet; a deploy would create it.
    #[serde(rename = "root_missing", default, skip_serializing_if = "std::ops::Not::not")]
    pub root_missing: bool,
    /// The lock holder.
    #[serde(rename = "lock")]
    pub lock: Option<LockHolder>,
    /// The releases: the current one, then the recorded rollback chain, nearest first, then the rest, newest upload
    /// first.
    #[serde(rename = "releases")]
    pub releases: Vec<ReleaseStatus>,
    /// Leftovers of interrupted runs, in words.
    #[serde(rename = "leftovers", default, skip_serializing_if = "Vec::is_empty")]
    pub leftovers: Vec<Notice>,
    /// Files of the tool that exist and cannot be read.
    #[serde(rename = "unreadable", default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<UnreadableFile>,
    /// The damaged ones among the current release and the next rollback's target; only for `status` and `check`.
    #[serde(rename = "damaged", default, skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<DamagedRelease>,
    /// The operations on this host, newest first; only if requested.
    #[serde(rename = "history", default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Vec<HistoryEntry>>,
}

impl HostStatus {
    /// Reads the state that a host's report contains; `None` if it contains none.
    pub(crate) fn of_report<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        let fields = Map::deserialize(deserializer)?;
        let is_there = fields.contains_key("releases");
        is_there.then(|| Self::deserialize(Value::Object(fields))).transpose().map_err(D::Error::custom)
    }
}

/// A damaged release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DamagedRelease {
    /// The name of the release.
    #[serde(rename = "release")]
    pub release: ReleaseName,
    /// The number of missing or changed entries and shared symlinks.
    #[serde(rename = "damaged")]
    pub damaged: u64,
    /// Some of them, each in words.
    #[serde(rename = "some")]
    pub some: Vec<String>,
}

/// One release of a host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ReleaseStatus {
    /// The name.
    #[serde(rename = "name")]
    pub name: ReleaseName,
    /// The state.
    #[serde(rename = "state")]
    pub state: ReleaseState,
    /// The previous release, as the record names it; `None` if there is no readable record, or the release was the
    /// first.
    #[serde(rename = "previous")]
    pub previous: Option<ReleaseName>,
    /// The time of staging, by the host's clock; `None` if the tool did not stage it.
    #[serde(rename = "staged_at")]
    pub staged_at: Option<Timestamp>,
    /// The user who staged it.
    #[serde(rename = "staged_by")]
    pub staged_by: Option<String>,
    /// Bytes of content, as staged.
    #[serde(rename = "bytes")]
    pub bytes: Option<u64>,
    /// Files, as staged.
    #[serde(rename = "files")]
    pub files: Option<u64>,
    /// The revision that it was built from, if known.
    #[serde(rename = "revision", default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Whether its `prepare` was interrupted or failed, so that nothing vouches for its content.
    #[serde(rename = "unsealed", default, skip_serializing_if = "std::ops::Not::not")]
    pub unsealed: bool,
    /// The bad mark, if any.
    #[serde(rename = "bad", default, skip_serializing_if = "Option::is_none")]
    pub bad: Option<BadMark>,
    /// The adoption record, if another tool made the release.
    #[serde(rename = "adopted", default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<AdoptedRecord>,
    /// The pin, if any.
    #[serde(rename = "pinned", default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<PinMark>,
}

impl ReleaseStatus {
    /// A release with nothing but the state.
    #[must_use]
    pub fn new(name: ReleaseName, state: ReleaseState) -> Self {
        Self {
            name,
            state,
            previous: None,
            staged_at: None,
            staged_by: None,
            bytes: None,
            files: None,
            revision: None,
            unsealed: false,
            bad: None,
            adopted: None,
            pinned: None,
        }
    }
}

/// The state of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum ReleaseState {
    /// Complete, and never current.
    #[serde(rename = "staged")]
    Staged,
    /// Current.
    #[serde(rename = "current")]
    Current,
    /// Was current once.
    #[serde(rename = "good")]
    Good,
    /// Rolled back from.
    #[serde(rename = "bad")]
    Bad,
    /// A state that only a later version knows, read back.
    #[serde(rename = "other", other)]
    Other,
}

impl ReleaseState {
    /// Returns the state as JSON spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Staged => "staged",
            Self::Current => "current",
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Other => "other",
        }
    }
}

/// A mark on a release that was rolled back from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BadMark {
    /// The time, by the host's clock.
    #[serde(rename = "at")]
    pub at: Timestamp,
    /// The user whose command marked it.
    #[serde(rename = "by")]
    pub by: String,
    /// The reason, if given.
    #[serde(rename = "reason")]
    pub reason: Option<String>,
    /// The number of the mark within the root. It orders marks, since clocks cannot.
    #[serde(rename = "number", default)]
    pub number: u64,
}

/// A mark that keeps a release regardless of the retention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PinMark {
    /// The time, by the host's clock.
    #[serde(rename = "at")]
    pub at: Timestamp,
    /// The user who pinned it.
    #[serde(rename = "by")]
    pub by: String,
    /// The reason, if given.
    #[serde(rename = "reason")]
    pub reason: Option<String>,
}
