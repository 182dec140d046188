//! [`GroupName`]: the group whose members deploy to a root together.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};
use thiserror::Error;

/// The name of a group of accounts on a host.
///
/// ```
/// use switchback::GroupName;
///
/// assert_eq!("deploy".parse::<GroupName>()?.as_str(), "deploy");
/// assert!("1000".parse::<GroupName>().is_err(), "a name, since numbers differ from host to host");
/// # Ok::<(), switchback::GroupNameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupName(Box<str>);

impl GroupName {
    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is not a valid group name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a group name: 1 to 32 letters, digits and `._-`, the first a letter or `_`")]
pub struct GroupNameError(String);

impl FromStr for GroupName {
    type Err = GroupNameError;

    fn from_str(text: &str) -> Result<Self, GroupNameError> {
        let is_first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
        let is_next = |byte: u8| is_first(byte) || byte.is_ascii_digit() || b".-".contains(&byte);
        let is_name = text.len() <= 32 && text.bytes().next().is_some_and(is_first) && text.bytes().all(is_next);
        if is_name { Ok(Self(text.into())) } else { Err(GroupNameError(text.to_owned())) }
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for GroupName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_names() {
        for good in ["deploy", "_apps", "web-team.eu"] {
            assert_eq!(good.parse::<GroupName>().map(|name| name.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "0", "1000", "-d", "a b", "a:b", "a/b", "a\n", "é", &"x".repeat(33)] {
            assert!(bad.parse::<GroupName>().is_err(), "{bad:?}");
        }
    }
}
