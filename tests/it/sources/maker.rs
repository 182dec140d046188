//! [`Maker`]: archives made byte by byte, with content that no honest program would write.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use tar::{EntryType, Header};

/// The end-of-archive marker.
pub(crate) const END: [u8; 1024] = [0; 1024];

/// An archive under construction. Its input is not validated.
#[derive(Default, Clone)]
pub(crate) struct Maker(Vec<u8>);

impl Maker {
    /// Adds a member with all its fields.
    pub(crate) fn member(mut self, kind: u8, path: &[u8], mode: u32, target: &[u8], content: &[u8]) -> Self {
        let mut header = header(kind, path, target, content.len() as u64);
        header.set_mode(mode);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.padded(content)
    }

    /// Adds a member that declares a size and has no content.
    pub(crate) fn declared(mut self, kind: u8, path: &[u8], size: u64) -> Self {
        let mut header = header(kind, path, b"", size);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self
    }

    pub(crate) fn file(self, path: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        self.member(b'0', path.as_ref(), 0o644, b"", content.as_ref())
    }

    pub(crate) fn directory(self, path: impl AsRef<[u8]>) -> Self {
        self.member(b'5', path.as_ref(), 0o755, b"", b"")
    }

    pub(crate) fn link(self, path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        self.member(b'2', path.as_ref(), 0o777, target.as_ref(), b"")
    }

    /// Adds an extended header with these records, for the next member (`x`) or all (`g`).
    pub(crate) fn extended(self, kind: u8, records: &[(&str, &[u8])]) -> Self {
        let mut body = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let length = (1..10).find(|digits| (rest + digits).to_string().len() == *digits).unwrap() + rest;
            write!(body, "{length} {key}=").unwrap();
            body.extend_from_slice(value);
            body.push(b'\n');
        }
        self.member(kind, b"././@PaxHeader", 0o644, b"", &body)
    }

    /// Adds bytes as they are, padded to a whole block.
    pub(crate) fn padded(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// Returns the archive without an end marker.
    pub(crate) fn open_ended(self) -> Vec<u8> {
        self.0
    }

    /// Returns the archive.
    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&END);
        self.0
    }
}

fn header(kind: u8, path: &[u8], target: &[u8], size: u64) -> Header {
    // Old GNU headers allow any size, and have room for 100 bytes of name.
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..path.len()].copy_from_slice(path);
    header.as_old_mut().linkname[..target.len()].copy_from_slice(target);
    header.set_entry_type(EntryType::new(kind));
    header.set_size(size);
    header.set_mode(0o644);
    header.as_gnu_mut().unwrap().realsize = *b"00000000000\0";
    header
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstandard(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}
