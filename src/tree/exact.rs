//! [`Exact`]: a reader of exactly as many bytes as there must be.

use std::io::{self, Read};

/// Reads exactly `size` bytes of another reader.
///
/// It keeps its own failure apart from that of whoever reads, who gets only a copy of it.
pub(super) struct Exact<R> {
    inner: R,
    left: u64,
    failure: Option<Failure>,
}

/// Why an [`Exact`] could not give all its bytes.
#[derive(Debug)]
pub(super) enum Failure {
    /// There were fewer.
    Short,
    /// They could not be read.
    Read(io::Error),
}

impl<R: Read> Exact<R> {
    /// The next `size` bytes of `inner`.
    pub(super) fn new(inner: R, size: u64) -> Self {
        Self { inner, left: size, failure: None }
    }

    /// Reads what is left and lets it go.
    pub(super) fn drain(&mut self) -> Result<(), Failure> {
        let drained = io::copy(self, &mut io::sink());
        self.failure()?;
        drained.map(drop).map_err(Failure::Read)
    }

    /// The failure that a read met, once.
    pub(super) fn failure(&mut self) -> Result<(), Failure> {
        self.failure.take().map_or(Ok(()), Err)
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
