//! [`Answer`]: the output of a tool for its version. [`Tool`]: the commands of a tool.

use std::borrow::Cow;

use super::Preset;
use crate::data::{DataVersion, DataVersionError};

/// The commands of a tool, and the parser of its version output.
pub(super) struct Tool {
    pub(super) version: Option<&'static str>,
    pub(super) apply: &'static str,
    pub(super) revert: Option<&'static str>,
    pub(super) advice: &'static str,
    pub(super) read: fn(&Answer<'_>) -> Result<DataVersion, DataVersionError>,
}

/// The exit status and output of a tool's command.
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

    /// Whether either output contains `words`.
    pub(super) fn says(&self, words: &str) -> bool {
        self.stdout().contains(words) || String::from_utf8_lossy(self.stderr).contains(words)
    }

    /// Fails unless the command exited with 0.
    pub(super) fn succeeded(&self) -> Result<(), DataVersionError> {
        if self.status == 0 { Ok(()) } else { Err(self.failed()) }
    }

    pub(super) fn failed(&self) -> DataVersionError {
        DataVersionError::failed(self.status, self.stdout, self.stderr)
    }

    /// An error for an answer that names no single version.
    pub(super) fn unclear(&self, problem: impl Into<String>) -> DataVersionError {
        DataVersionError::NoSingleVersion { preset: self.preset, problem: problem.into() }
    }
}

/// The version before anything is applied.
pub(super) fn nothing() -> Result<DataVersion, DataVersionError> {
    DataVersion::new("")
}
