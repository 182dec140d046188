//! [`Metered`]: a reader that limits the output of a decompressor.

use std::{
    cell::Cell,
    io::{self, Read},
    rc::Rc,
};

use super::{Limits, limits::Exceeded};

/// The maximum size of the headers of one entry, with its long names and attributes.
const HEADER: u64 = 1 << 20;

/// The average size that the headers of each entry may have.
const HEADERS_OF_AN_ENTRY: u64 = 4096;

/// The counter of a [`Metered`] reader, for code that cannot reach the reader itself.
#[derive(Debug)]
pub(super) struct Meter {
    /// The remaining bytes in total, and the limit to report when they are exceeded.
    total: Cell<u64>,
    limit: Exceeded,
    /// The remaining bytes up to the next entry.
    header: Cell<u64>,
    ended: Cell<bool>,
    exceeded: Cell<Option<Exceeded>>,
}

impl Meter {
    /// A meter for one archive of `packed` bytes within `limits`.
    pub(super) fn new(limits: &Limits, packed: u64) -> Rc<Self> {
        let (bytes, growth) = (Self::most(limits), limits.growth(packed));
        let of_bytes = bytes <= growth;
        Rc::new(Self {
            total: Cell::new(bytes.min(growth)),
            limit: if of_bytes { Exceeded::Bytes(limits.bytes) } else { Exceeded::Ratio(limits.ratio) },
            header: Cell::new(HEADER),
            ended: Cell::new(false),
            exceeded: Cell::new(None),
        })
    }

    /// Returns the size of the largest archive within `limits`, unpacked and with its headers.
    pub(super) fn most(limits: &Limits) -> u64 {
        let headers = limits.entries.saturating_mul(HEADERS_OF_AN_ENTRY).saturating_add(HEADER);
        limits.bytes.saturating_add(headers)
    }

    /// Expects the headers of one entry next.
    pub(super) fn expect_header(&self) {
        self.header.set(HEADER);
    }

    /// Expects content next, whose size was checked against the limits already.
    pub(super) fn expect_content(&self) {
        self.header.set(u64::MAX);
    }

    /// Whether the reader reached its end.
    pub(super) fn ended(&self) -> bool {
        self.ended.get()
    }

    /// Returns the limit that ended the reading, if any.
    pub(super) fn exceeded(&self) -> Option<Exceeded> {
        self.exceeded.get()
    }

    fn count(&self, read: usize) -> io::Result<()> {
        let read = read as u64;
        let take = |allowance: &Cell<u64>| allowance.get().checked_sub(read).map(|left| allowance.set(left));
        let limit = match (take(&self.total), take(&self.header)) {
            (Some(()), Some(())) => return Ok(()),
            (None, _) => self.limit,
            (_, None) => Exceeded::Header(HEADER),
        };
        self.exceeded.set(Some(limit));
        Err(io::Error::other(limit))
    }
}

/// A reader that counts on a [`Meter`].
pub(super) struct Metered<R> {
    inner: R,
    meter: Rc<Meter>,
}

impl<R: Read> Metered<R> {
    pub(super) fn new(inner: R, meter: &Rc<Meter>) -> Self {
        Self { inner, meter: Rc::clone(meter) }
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        // An empty buffer reads 0 bytes without the end.
        self.meter.ended.set(read == 0 && !buffer.is_empty());
        self.meter.count(read)?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_the_whole_are_limited() {
        let meter = Meter::new(&Limits { entries: 0, bytes: 8 << 20, ..Limits::default() }, 1 << 20);
        let mut reader = Metered::new(io::repeat(0), &meter);
        let mut buffer = vec![0; 1 << 20];
        reader.read_exact(&mut buffer).unwrap();
        assert!(reader.read_exact(&mut buffer[..1]).is_err());
        assert_eq!(meter.exceeded(), Some(Exceeded::Header(HEADER)));
        meter.expect_content();
        assert!(io::copy(&mut reader, &mut io::sink()).is_err());
        assert_eq!(meter.exceeded(), Some(Exceeded::Bytes(8 << 20)));
    }

    #[test]
    fn the_end_is_seen() {
        let meter = Meter::new(&Limits::default(), 2);
        let mut reader = Metered::new(&b"ab"[..], &meter);
        reader.read_exact(&mut [0; 2]).unwrap();
        assert!(!meter.ended());
        assert_eq!(reader.read(&mut [0; 2]).unwrap(), 0);
        assert!(meter.ended());
    }
}
