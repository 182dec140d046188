//! [`Exact`]: a reader of exactly as many bytes as expected.

use std::io::{self, Read};

/// Reads exactly `size` bytes of another reader.
///
/// It keeps its own failure apart from that of its user, who gets only a copy of it.
pub(super) struct Exact<R> {
    inner: R,
    left: u64,
    failure: Option<Failure>,
}

/// The reason why an [`Exact`] could not deliver all its bytes.
#[derive(Debug)]
pub(super) enum Failure {
    /// The inner reader had fewer bytes.
    Short,
    /// The inner reader failed.
    Read(io::Error),
}

impl<R: Read> Exact<R> {
    /// A reader of the next `size` bytes of `inner`.
    pub(super) fn new(inner: R, size: u64) -> Self {
        Self { inner, left: size, failure: None }
    }

    /// Reads and discards the rest.
    pub(super) fn drain(&mut self) -> Result<(), Failure> {
        let drained = io::copy(self, &mut io::sink());
        self.failure()?;
        drained.map(drop).map_err(Failure::Read)
    }

    /// Returns the failure of a read, once.
    pub(super) fn failure(&mut self) -> Result<(), Failure> {
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Returns `true` if all the bytes were read.
    pub(super) fn is_at_end(&self) -> bool {
        self.left == 0
    }

    fn fail(&mut self, failure: Failure, kind: io::ErrorKind) -> io::Error {
        self.failure = Some(failure);
        io::Error::new(kind, "the source could not be read to its end")
    }
}

impl<R: Read> Read for Exact<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        if most == 0 {
            return Ok(0);
        }
        match self.inner.read(&mut buffer[..most]) {
            Ok(0) => Err(self.fail(Failure::Short, io::ErrorKind::UnexpectedEof)),
            Ok(count) => {
                self.left -= count as u64;
                Ok(count)
            }
            // Not a failure: the caller retries.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let kind = error.kind();
                Err(self.fail(Failure::Read(error), kind))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_where_it_must() {
        let mut source = &b"abcdef"[..];
        let mut exact = Exact::new(&mut source, 3);
        let mut text = String::new();
        exact.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), exact.failure().is_ok()), ("abc", true));
        assert_eq!(source, b"def");
    }

    #[test]
    fn a_reader_that_hides_the_failure_does_not_hide_it() {
        let mut exact = Exact::new(&b"ab"[..], 3);
        assert!(exact.read_to_end(&mut Vec::new()).is_err());
        assert!(matches!(exact.failure(), Err(Failure::Short)));
        assert!(matches!(Exact::new(&b"ab"[..], 3).drain(), Err(Failure::Short)));
    }
}
