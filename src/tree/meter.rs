//! [`Metered`]: counts what comes out of a decompressor, and ends it when it is too much.

use std::{
    cell::Cell,
    io::{self, Read},
    rc::Rc,
};

use super::{Limits, limits::Exceeded};

/// How large the headers of one entry may be, its long names and attributes with them.
const HEADER: u64 = 1 << 20;

/// What the headers of each entry may take on average.
const HEADERS_OF_AN_ENTRY: u64 = 4096;

/// The count of a [`Metered`] reader, for who cannot reach the reader itself.
#[derive(Debug)]
pub(super) struct Meter {
    /// What may still be read in all, and the limit to name when it is more.
    total: Cell<u64>,
    limit: Exceeded,
    /// What may be read until the next entry.
    header: Cell<u64>,
    ended: Cell<bool>,
    exceeded: Cell<Option<Exceeded>>,
}

impl Meter {
    /// For one archive of `packed` bytes within `limits`.
    pub(super) fn new(limits: &Limits, packed: u64) -> Rc<Self> {
        let headers = limits.entries.saturating_mul(HEADERS_OF_AN_ENTRY).saturating_add(HEADER);
        let (bytes, growth) = (limits.bytes.saturating_add(headers), limits.growth(packed));
        let of_bytes = bytes <= growth;
        Rc::new(Self {
            total: Cell::new(bytes.min(growth)),
            limit: if of_bytes { Exceeded::Bytes(limits.bytes) } else { Exceeded::Ratio(limits.ratio) },
            header: Cell::new(HEADER),
            ended: Cell::new(false),
            exceeded: Cell::new(None),
        })
    }

    /// Expects the headers of one entry next.
    pub(super) fn expect_header(&self) {
        self.header.set(HEADER);
    }

    /// Expects content next, which the limits were asked about by its size.
    pub(super) fn expect_content(&self) {
        self.header.set(u64::MAX);
    }

    /// Whether the reader's end was met.
    pub(super) fn ended(&self) -> bool {
        self.ended.get()
    }

    /// The limit that ended the reading, if one did.
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

/// A reader that a [`Meter`] counts.
pub(super) struct Metered<R> {
    inner: R,
    meter: Rc<Meter>,
}

impl<R: Read> Metered<R> {
    /// Counts `inner` on `meter`.
    pub(super) fn new(inner: R, meter: &Rc<Meter>) -> Self {
        Self { inner, meter: Rc::clone(meter) }
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
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
