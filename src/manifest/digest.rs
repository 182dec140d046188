//! [`Digest`]: a SHA-256 digest.

use std::{fmt, io, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::hex;

/// A SHA-256 digest, written as 64 hexadecimal digits in lower case, as `sha256sum` does.
///
/// ```
/// use switchback::manifest::Digest;
///
/// let digest = Digest::of(b"abc");
/// assert_eq!(digest.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
/// assert_eq!(digest.to_string().parse(), Ok(digest));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

/// A text that is not a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a digest is 64 hexadecimal digits in lower case")]
pub struct DigestError;

impl Digest {
    /// Computes the digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = String::with_capacity(2 * self.0.len());
        hex::encode(&self.0, &mut digits);
        f.write_str(&digits)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        hex::decode(text).map(Self).ok_or(DigestError)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A reader that digests everything read through it.
pub(crate) struct Digesting<R> {
    inner: R,
    hasher: Sha256,
}

impl<R: io::Read> Digesting<R> {
    /// Digests everything read from `inner`.
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, hasher: Sha256::new() }
    }

    /// Reads the rest, and returns the digest of everything read.
    pub(crate) fn finish(mut self) -> io::Result<Digest> {
        let mut buffer = [0; 16 << 10];
        loop {
            match io::Read::read(&mut self, &mut buffer) {
                Ok(0) => return Ok(Digest(self.hasher.finalize().into())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl<R: io::Read> io::Read for Digesting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn only_what_sha256sum_writes_is_one() {
        let text = Digest::of(b"").to_string();
        assert_eq!(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        for bad in ["", &text[1..], &text.to_uppercase(), &text.replace('e', "é"), &format!("{text}0")] {
            assert_eq!(bad.parse::<Digest>(), Err(DigestError), "{bad}");
        }
        let json = serde_json::to_string(&Digest::of(b"")).expect("a string");
        assert_eq!(serde_json::from_str::<Digest>(&json).expect("a digest"), Digest::of(b""));
    }

    #[test]
    fn what_nobody_read_counts_too() {
        let mut reader = Digesting::new(&b"abc"[..]);
        reader.read_exact(&mut [0; 1]).expect("a byte");
        assert_eq!(reader.finish().expect("no failure"), Digest::of(b"abc"));
    }
}
