//! [`HostStatus`]: what a host has, as reports show it.

use serde::Serialize;

use crate::{
    adoption::AdoptedRecord, history::HistoryEntry, lock::LockHolder, name::ReleaseName, store::UnreadableFile,
    time::Timestamp,
};

/// What a host has, as it was read.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct HostStatus {
    /// The release that is current; `None` when there is none, or what is there is not ours (the host's error says so).
    pub current: Option<ReleaseName>,
    /// What that was built from, as version control calls it, when that was known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Where the next rollback would go; `None` when it would be refused.
    pub previous: Option<ReleaseName>,
    /// Whether there is no root yet: a deploy would make it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub root_missing: bool,
    /// Who holds the lock.
    pub lock: Option<LockHolder>,
    /// The releases: the current one, then those on the recorded way back, nearest first, then the rest, newest upload first.
    pub releases: Vec<ReleaseStatus>,
    /// What interrupted runs left, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leftovers: Vec<String>,
    /// The tool's own files that are there and cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<UnreadableFile>,
    /// Of the release that is current and the one that the next rollback goes to, those that are not what they were; only for
    /// `status` and `check`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<DamagedRelease>,
    /// What was done here, newest first; only where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<Vec<HistoryEntry>>,
}

/// A release that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DamagedRelease {
    /// Its name.
    pub release: ReleaseName,
    /// How many entries and links to what is shared are missing or changed.
    pub damaged: u64,
    /// Some of them, each in words.
    pub some: Vec<String>,
}

/// One release of a host.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ReleaseStatus {
    /// Its name.
    pub name: ReleaseName,
    /// Its state.
    pub state: ReleaseState,
    /// What was current before it, as its record says; `None` when it has no readable record, or was the first.
    pub previous: Option<ReleaseName>,
    /// When it was staged, by the host's clock; `None` for one that the tool did not stage.
    pub staged_at: Option<Timestamp>,
    /// Who staged it.
    pub staged_by: Option<String>,
    /// Bytes of content, as staged.
    pub bytes: Option<u64>,
    /// Files, as staged.
    pub files: Option<u64>,
    /// What it was built from, as version control calls it, when that was known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Whether its `prepare` was cut off or failed, so that nothing vouches for what it holds.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unsealed: bool,
    /// Why it was left, when it is bad.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bad: Option<BadMark>,
    /// That it was taken over from another tool, and whether what was before it is a conclusion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adopted: Option<AdoptedRecord>,
    /// Why it stays whatever is counted, when it is pinned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned: Option<PinMark>,
}

impl ReleaseStatus {
    /// A release of which only the state is known.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseState {
    /// Complete, and never current.
    Staged,
    /// Current.
    Current,
    /// Was current once.
    Good,
    /// Was gone back from.
    Bad,
}

impl ReleaseState {
    /// The state as it is spelled.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Staged => "staged",
            Self::Current => "current",
            Self::Good => "good",
            Self::Bad => "bad",
        }
    }
}

/// Why and when a release was left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct BadMark {
    /// When, by the host's clock.
    pub at: Timestamp,
    /// Who left it.
    pub by: String,
    /// Why, when that was said.
    pub reason: Option<String>,
    /// Counts the marks of a root, so that no clock says which came last.
    #[serde(default)]
    pub number: u64,
}

/// That a release stays whatever is counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct PinMark {
    /// When it was pinned, by the host's clock.
    pub at: Timestamp,
    /// Who pinned it.
    pub by: String,
    /// Why, when that was said.
    pub reason: Option<String>,
}
