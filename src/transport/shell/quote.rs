//! [`ShellWord`]: the only way for a value to enter a script.

use thiserror::Error;

use crate::path::{HostPath, InnerPath};

/// A value as one word of a POSIX shell: between single quotes, so that nothing in it is expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShellWord(Vec<u8>);

/// The error for a value with a NUL byte, which no shell word can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("it contains a NUL byte")]
pub struct NulByte;

impl ShellWord {
    /// Quotes `value`, which may hold any bytes but NUL.
    ///
    /// # Errors
    ///
    /// [`NulByte`] when it holds one.
    pub fn new(value: impl AsRef<[u8]>) -> Result<Self, NulByte> {
        let value = value.as_ref();
        if value.contains(&0) { Err(NulByte) } else { Ok(Self::quoted(value)) }
    }

    /// Quotes a path inside the root as an operand: with a `./` prefix, so that it never looks like an option.
    #[must_use]
    pub fn operand(path: &InnerPath) -> Self {
        if path.is_root() {
            Self::quoted(b".")
        } else {
            Self::quoted(format!("./{path}", path = path.as_str()).as_bytes())
        }
    }

    /// Quotes a deploy root, which begins with `/` and holds no NUL byte.
    #[must_use]
    pub fn root(root: &HostPath) -> Self {
        Self::quoted(root.as_str().as_bytes())
    }

    /// Returns the word with its quotes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn quoted(value: &[u8]) -> Self {
        let mut word = Vec::with_capacity(value.len() + 2);
        word.push(b'\'');
        for &byte in value {
            if byte == b'\'' { word.extend_from_slice(br"'\''") } else { word.push(byte) }
        }
        word.push(b'\'');
        Self(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_the_quotes() {
        let word =
            |value: &str| ShellWord::new(value).map(|word| String::from_utf8_lossy(word.as_bytes()).into_owned());
        assert_eq!(word(""), Ok("''".into()));
        assert_eq!(word("$(id) `id` \\ \"\n!"), Ok("'$(id) `id` \\ \"\n!'".into()));
        assert_eq!(word("it's"), Ok(r"'it'\''s'".into()));
        assert_eq!(word("a\0b"), Err(NulByte));
    }

    #[test]
    fn operands_never_look_like_options() {
        let operand = |path: &str| ShellWord::operand(&InnerPath::new(path).unwrap()).0;
        assert_eq!(operand("-rf"), b"'./-rf'");
        assert_eq!(operand("."), b"'.'");
    }
}
