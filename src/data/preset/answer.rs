//! [`Answer`]: what a tool said when it was asked for its version. [`Tool`]: its commands.

use std::borrow::Cow;

use super::Preset;
use crate::data::{DataVersion, DataVersionError};

/// The commands of a tool, and how its answer is read.
pub(super) struct Tool {
    pub(super) name: &'static str,
    pub(super) version: Option<&'static str>,
    pub(super) apply: &'static str,
    pub(super) revert: Option<&'static str>,
    pub(super) advice: &'static str,
    pub(super) read: fn(&Answer<'_>) -> Result<DataVersion, DataVersionError>,
}

/// How a tool's command ended, and what it printed.
pub(super) struct Answer<'a> {
    pub(super) preset: Preset,
    pub(super) status: u8,
    pub(super) stdout: &'a [u8],
    pub(super) stderr: &'a [u8],
}

impl<'a> Answer<'a> {
    pub(super) fn stdout(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.stdout)
    }

    /// Whether the tool said this, on either output.
    pub(super) fn says(&self, words: &str) -> bool {
        self.stdout().contains(words) || String::from_utf8_lossy(self.stderr).contains(words)
    }

    /// Nothing where it ended well.
    pub(super) fn succeeded(&self) -> Result<(), DataVersionError> {
        if self.status == 0 { Ok(()) } else { Err(self.failed()) }
    }

    pub(super) fn failed(&self) -> DataVersionError {
        DataVersionError::failed(self.status, self.stdout, self.stderr)
    }

    /// The error of an answer that names no single version.
    pub(super) fn unclear(&self, problem: impl Into<String>) -> DataVersionError {
        DataVersionError::NoSingleVersion { preset: self.preset, problem: problem.into() }
    }
}

/// Nothing was ever applied.
pub(super) fn nothing() -> Result<DataVersion, DataVersionError> {
    DataVersion::new("")
}
