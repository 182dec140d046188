//! [`Kept`]: the result of reading one of the tool's own files; [`UnreadableFile`].

use std::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::transport::{Found, StepFailure};

/// A record of the tool's own that is missing, read, or unreadable.
///
/// Only a file that does not exist (`ENOENT`) counts as missing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Kept<T> {
    /// The file does not exist.
    #[default]
    Nothing,
    /// The record.
    Record(T),
    /// The file exists and cannot be read; holds the reason.
    Unreadable(String),
}

impl<T> Kept<T> {
    /// Returns the record if it was read.
    #[must_use]
    pub fn record(&self) -> Option<&T> {
        match self {
            Self::Record(record) => Some(record),
            Self::Nothing | Self::Unreadable(_) => None,
        }
    }

    /// Returns `true` if the file exists, readable or not.
    #[must_use]
    pub fn exists(&self) -> bool {
        !matches!(self, Self::Nothing)
    }

    /// Returns the reason an existing file cannot be read.
    #[must_use]
    pub fn unreadable(&self) -> Option<&str> {
        match self {
            Self::Unreadable(why) => Some(why),
            Self::Nothing | Self::Record(_) => None,
        }
    }
}

impl<T: DeserializeOwned> Kept<T> {
    /// Parses a JSON record from a read.
    pub(super) fn json(found: Option<&Found>) -> Self {
        match Kept::bytes(found) {
            Kept::Nothing => Self::Nothing,
            Kept::Unreadable(why) => Self::Unreadable(why),
            Kept::Record(content) => match serde_json::from_slice(content) {
                Ok(record) => Self::Record(record),
                Err(_) if content.is_empty() => Self::Unreadable("it is empty".to_owned()),
                Err(error) => Self::Unreadable(format!("it is torn or another program wrote it ({error})")),
            },
        }
    }
}

impl<'f> Kept<&'f [u8]> {
    /// Returns the content of a read.
    pub(super) fn bytes(found: Option<&'f Found>) -> Self {
        match found {
            None => Self::Nothing,
            Some(Found::Content(content)) => Self::Record(content),
            Some(Found::TooLarge) => Self::Unreadable("it is too large".to_owned()),
            Some(Found::NotAFile(kind)) => Self::Unreadable(format!("it is {}", kind.with_article())),
            Some(Found::Unreadable(failure)) => Self::Unreadable(reason(failure)),
        }
    }

    /// Discards the content, for files that matter only by their existence.
    pub(super) fn mark(self) -> Kept<()> {
        match self {
            Self::Nothing => Kept::Nothing,
            Self::Record(_) => Kept::Record(()),
            Self::Unreadable(why) => Kept::Unreadable(why),
        }
    }
}

/// Returns the system's error text of a failure without the path before it, which messages print separately.
pub(super) fn reason(failure: &StepFailure) -> String {
    failure.detail.rsplit(": ").next().unwrap_or(&failure.detail).to_owned()
}

/// A file or directory of the tool that exists and cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct UnreadableFile {
    /// The absolute path on the host; the nearest parent directory's if that cannot be entered.
    #[serde(rename = "path")]
    pub path: String,
    /// The owner's UID; `None` if that is not visible either.
    #[serde(rename = "owner")]
    pub owner: Option<u32>,
    /// The reason.
    #[serde(rename = "why")]
    pub why: String,
}

impl UnreadableFile {
    /// A file that cannot be read, and the reason.
    #[must_use]
    pub fn new(path: impl Into<String>, owner: Option<u32>, why: impl Into<String>) -> Self {
        Self { path: path.into(), owner, why: why.into() }
    }
}

impl fmt::Display for UnreadableFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot read {}", self.path)?;
        match self.owner {
            Some(0) => f.write_str(" (owned by root)")?,
            Some(owner) => write!(f, " (owned by user {owner})")?,
            None => {}
        }
        write!(f, ": {}", self.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::{EntryKind, FailureKind};

    #[test]
    fn only_what_is_not_there_is_nothing() {
        let denied = StepFailure::new(FailureKind::Denied, "a/pin: Permission denied");
        assert_eq!(Kept::<u32>::json(None), Kept::Nothing);
        assert_eq!(Kept::<u32>::json(Some(&Found::Content(b"7".to_vec()))), Kept::Record(7));
        for found in [
            Found::Content(Vec::new()),
            Found::Content(b"{".to_vec()),
            Found::TooLarge,
            Found::NotAFile(EntryKind::Link),
            Found::Unreadable(denied.clone()),
        ] {
            let kept = Kept::<u32>::json(Some(&found));
            assert!(kept.exists() && kept.record().is_none() && kept.unreadable().is_some(), "{found:?}");
        }
        let kept = Kept::<u32>::json(Some(&Found::Unreadable(denied)));
        assert_eq!(kept.unreadable(), Some("Permission denied"));
        let file = UnreadableFile { path: "/srv/a".into(), owner: Some(0), why: "Permission denied".into() };
        assert_eq!(file.to_string(), "cannot read /srv/a (owned by root): Permission denied");
    }
}
