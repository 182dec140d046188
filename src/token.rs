//! [`Token`]: the random identity of one operation, lock or private directory.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::hex;

/// Identifies one operation, lock or private directory: 32 lowercase hex digits, 128 random bits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(Box<str>);

impl Token {
    /// Generates a token from the operating system's random source.
    ///
    /// # Panics
    ///
    /// Panics when the operating system has no randomness, which Linux documents never to happen after boot
    /// (`getrandom(2)`).
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = [0_u8; 16];
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
        let mut text = String::with_capacity(2 * bytes.len());
        hex::encode(&bytes, &mut text);
        Self(text.into())
    }

    /// Returns the token as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is not 32 lowercase hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a token of 32 hex digits")]
pub struct TokenError(String);

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let is_token = hex::decode::<16>(text).is_some();
        if is_token { Ok(Self(text.into())) } else { Err(TokenError(text.to_owned())) }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_are_never_alike() {
        let (one, other) = (Token::random(), Token::random());
        assert_ne!(one, other);
        assert_eq!(one.as_str().parse(), Ok(one));
    }

    #[test]
    fn only_hex_is_a_token() {
        assert!("x".repeat(32).parse::<Token>().is_err());
        assert!("A".repeat(32).parse::<Token>().is_err());
        assert!("a".repeat(31).parse::<Token>().is_err());
    }
}
