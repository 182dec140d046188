//! [`ReleaseName`]: the unique name of a release.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::{time::Timestamp, token::Token};

/// The longest release name, in bytes.
const LONGEST: usize = 128;

/// The name of a release: 1 to 128 characters of `A-Z a-z 0-9 . _ + -`, the first a letter or digit.
///
/// A name is also the name of a directory, so the grammar leaves no room for paths, options or shell syntax. `none` and
/// the usual names of the tree (`current`, `releases`, `shared`) are reserved.
///
/// ```
/// use switchback::ReleaseName;
///
/// let name: ReleaseName = "build-17".parse()?;
/// assert_eq!(name.as_str(), "build-17");
/// assert!("-rf".parse::<ReleaseName>().is_err());
/// assert!("../etc".parse::<ReleaseName>().is_err());
/// # Ok::<(), switchback::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReleaseName(Box<str>);

impl ReleaseName {
    /// Names that a release cannot have, because they have another meaning.
    pub const RESERVED: &'static [&'static str] = &["none", "current", "releases", "shared"];

    /// Parses `text` as a release name.
    ///
    /// # Errors
    ///
    /// [`NameError`] names the rule that the text breaks, and shows the text with unprintable characters escaped.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let refuse = |rule| Err(NameError { text: text.to_owned(), rule });
        let Some(first) = text.bytes().next() else {
            return refuse(NameRule::Empty);
        };
        if text.len() > LONGEST {
            return refuse(NameRule::TooLong);
        }
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(&b)) {
            return refuse(NameRule::Character);
        }
        if !first.is_ascii_alphanumeric() {
            return refuse(NameRule::First);
        }
        if Self::RESERVED.contains(&text) {
            return refuse(NameRule::Reserved);
        }
        Ok(Self(text.into()))
    }

    /// Generates a name from the time and a random part, for a deploy without a given name.
    ///
    /// The time is for people; nothing is ordered by it. The random part distinguishes names that two controllers
    /// generate in the same second.
    #[must_use]
    pub fn made_at(at: Timestamp, random: &Token) -> Self {
        Self(format!("{}-{}", at.compact(), &random.as_str()[..8]).into())
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ReleaseName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl AsRef<str> for ReleaseName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReleaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for ReleaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for ReleaseName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ReleaseName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

/// The number of characters of a rejected text that a message shows.
const SHOWN: usize = 60;

/// Quotes a text with unprintable characters escaped, and cuts it after [`SHOWN`] characters.
pub(crate) fn shortened(text: &str) -> String {
    let end = text.char_indices().nth(SHOWN).map(|(end, _)| end);
    end.map_or_else(|| format!("{text:?}"), |end| format!("{:?}... ({} bytes)", &text[..end], text.len()))
}

/// A text that is not a valid release name, and the rule it breaks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{} is not a release name: {rule}", shortened(text))]
pub struct NameError {
    text: String,
    rule: NameRule,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
enum NameRule {
    #[error("it is empty")]
    Empty,
    #[error("it is longer than {LONGEST} characters")]
    TooLong,
    #[error("only A-Z a-z 0-9 . _ + - are allowed")]
    Character,
    #[error("the first character must be a letter or a digit")]
    First,
    #[error("that word is reserved")]
    Reserved,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_the_grammar() {
        for good in ["a", "0", "build-17", "20231123T101502Z-4f9c", "v1.2.3+rc_1", &"x".repeat(128)] {
            assert_eq!(ReleaseName::new(good).map(|n| n.to_string()), Ok(good.to_owned()));
        }
    }

    /// Rejects options, reserved words, shell syntax and characters beyond the grammar. FAULTS.md N01 to N06.
    #[test]
    fn refuses_everything_else() {
        let long = "x".repeat(129);
        for bad in [
            "",
            "-rf",
            "--help",
            "-",
            ".",
            "..",
            ".hidden",
            ".switchback",
            "current",
            "releases",
            "shared",
            "none",
            "a/b",
            "a/",
            "a\\b",
            &long,
            "a b",
            "a\tb",
            "a\nb",
            "a'b",
            "a\"b",
            "$(touch x)",
            "`x`",
            "a;b",
            "a&b",
            "a|b",
            "*",
            "~",
            "a!",
            "%h",
            "{a,b}",
            "#a",
            "a\0b",
            "é",
            "e\u{301}",
            "\u{202e}abc",
            "a\u{200b}b",
            "_a",
            "+a",
        ] {
            assert!(ReleaseName::new(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn the_message_is_printable() {
        let message = ReleaseName::new("a\x1b[31m").expect_err("an escape is no name").to_string();
        assert!(!message.contains('\x1b'), "{message}");
    }

    #[test]
    fn a_long_name_is_shortened_in_the_message() {
        let message = ReleaseName::new(&"é".repeat(5_000)).expect_err("too long").to_string();
        assert!(message.len() < 250 && message.contains("... (10000 bytes)"), "{message}");
    }

    #[test]
    fn made_names_are_names() {
        let made = ReleaseName::made_at(Timestamp::UNIX_EPOCH, &Token::random());
        assert_eq!(ReleaseName::new(made.as_str()), Ok(made.clone()));
        assert!(made.as_str().starts_with("19700101T000000Z-"), "{made}");
    }
}
