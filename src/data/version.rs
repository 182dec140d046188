//! [`DataVersion`]: a migration tool's name for the state of the schema and data.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Preset;

/// The maximum length of a data version, in bytes.
const LIMIT: usize = 4096;

/// A migration tool's name for the state of the schema and data: one line, compared and never interpreted. Empty
/// if nothing was ever applied.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct DataVersion(Box<str>);

/// An invalid data version, or a failure of the command that prints it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DataVersionError {
    /// The text is not a data version.
    #[error("{shown} is not a data version: one line of at most {LIMIT} bytes, without control characters")]
    NoVersion {
        /// The beginning of the text, quoted.
        shown: String,
    },
    /// The command failed.
    #[error("the command that prints the data version ended with {status}: {said}")]
    Failed {
        /// The exit status.
        status: u8,
        /// The last line of its output.
        said: String,
    },
    /// The tool's output names no single version to revert to.
    #[error("{preset} {problem}")]
    NoSingleVersion {
        /// The tool.
        preset: Preset,
        /// The problem.
        problem: String,
    },
}

impl DataVersion {
    /// Parses `text` as a data version.
    ///
    /// # Errors
    ///
    /// [`DataVersionError`] when it is longer than 4096 bytes, or contains a control character.
    pub fn new(text: &str) -> Result<Self, DataVersionError> {
        let text = text.trim();
        if text.len() > LIMIT || text.chars().any(char::is_control) {
            return Err(DataVersionError::of(text));
        }
        Ok(Self(text.into()))
    }

    /// Parses the last line of `stdout` that is not blank, without the white space around it; empty if there is
    /// none.
    ///
    /// # Errors
    ///
    /// [`DataVersionError`] when that line is not UTF-8, is too long, or contains a control character.
    pub fn last_line(stdout: &[u8]) -> Result<Self, DataVersionError> {
        let line = stdout.split(|byte| *byte == b'\n').rev().find(|line| !line.trim_ascii().is_empty());
        let Some(line) = line else { return Self::new("") };
        let text = std::str::from_utf8(line).map_err(|_| DataVersionError::of(&String::from_utf8_lossy(line)))?;
        Self::new(text)
    }

    /// Returns the version as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl DataVersionError {
    fn of(text: &str) -> Self {
        Self::NoVersion { shown: quoted(text) }
    }

    /// An error for a command that exited with `status`, with its last line on standard error, else on standard
    /// output.
    pub(crate) fn failed(status: u8, stdout: &[u8], stderr: &[u8]) -> Self {
        let last = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(quoted)
        };
        let said = last(stderr).or_else(|| last(stdout)).unwrap_or_else(|| "it printed nothing".to_owned());
        Self::Failed { status, said }
    }
}

/// Quotes the beginning of `text`, safe to show.
fn quoted(text: &str) -> String {
    format!("{:?}", text.chars().take(160).collect::<String>())
}

impl fmt::Display for DataVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.pad("(nothing applied)") } else { f.pad(&self.0) }
    }
}

impl TryFrom<String> for DataVersion {
    type Error = DataVersionError;

    fn try_from(text: String) -> Result<Self, DataVersionError> {
        Self::new(&text)
    }
}

impl From<DataVersion> for String {
    fn from(version: DataVersion) -> Self {
        version.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_that_says_something_is_the_version() {
        let read = |text: &str| DataVersion::last_line(text.as_bytes()).map(String::from);
        for text in ["7", "7\n", "loading\n7\n\n", " 7 \r\n", "\n7\n \n"] {
            assert_eq!(read(text), Ok("7".into()), "{text:?}");
        }
        assert_eq!(read(""), Ok(String::new()));
        assert_eq!(read("\n \n"), Ok(String::new()));
        assert!(read("a\u{1b}[31m").is_err());
        assert!(read(&"9".repeat(4097)).is_err());
        assert!(DataVersion::last_line(b"\xff\n").is_err());
    }
}
