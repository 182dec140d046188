//! [`Limits`]: the limits of a source.

use thiserror::Error;

use crate::manifest::MAX_DEPTH;

/// The limits of a source. The scan refuses a source that exceeds one, before any host is touched, so that a
/// hostile archive fills neither memory nor disk.
///
/// ```
/// use switchback::tree::Limits;
///
/// let mut limits = Limits::default();
/// limits.bytes = 1 << 40;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Entries of any kind, including implied directories. 1,000,000.
    pub entries: u64,
    /// Bytes of content of all files: as declared, and again as read. 64 GiB.
    pub bytes: u64,
    /// Bytes of all paths and symlink targets, which are kept in memory. 256 MiB.
    pub names: u64,
    /// Bytes of one path or one symlink target. 4096, as on Linux.
    pub path: usize,
    /// Bytes of one name in a path. 255, as on all common filesystems.
    pub name: usize,
    /// Directories above one entry. 256, as on the hosts ([`MAX_DEPTH`]).
    pub depth: usize,
    /// The maximum expansion of an archive, as a multiple of its own size, beyond 100 MiB. 200: text compresses to a
    /// fifth, and only archives made to fill a disk to less than a two-hundredth.
    pub ratio: u64,
}

/// The size that any archive may expand to, in bytes.
const GROWTH: u64 = 100 << 20;

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 1_000_000,
            bytes: 64 << 30,
            names: 256 << 20,
            path: 4096,
            name: 255,
            depth: MAX_DEPTH,
            ratio: 200,
        }
    }
}

impl Limits {
    /// Returns the size that an archive of `packed` bytes may expand to.
    pub(super) fn growth(&self, packed: u64) -> u64 {
        packed.saturating_mul(self.ratio).max(GROWTH)
    }

    /// Checks the limits of a single path.
    pub(super) fn check_path(&self, path: &[u8]) -> Result<(), Exceeded> {
        let names = || path.split(|byte| *byte == b'/');
        if path.len() > self.path {
            return Err(Exceeded::Path(self.path));
        }
        if names().any(|name| name.len() > self.name) {
            return Err(Exceeded::Name(self.name));
        }
        if names().count() > self.depth.saturating_add(1) {
            return Err(Exceeded::Depth(self.depth));
        }
        Ok(())
    }
}

/// An exceeded limit, with its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Exceeded {
    /// [`Limits::entries`].
    #[error("more than {0} entries")]
    Entries(u64),
    /// [`Limits::bytes`].
    #[error("more than {0} bytes of content in all")]
    Bytes(u64),
    /// [`Limits::names`].
    #[error("more than {0} bytes of paths in all")]
    Names(u64),
    /// [`Limits::path`].
    #[error("a path or a link's text of more than {0} bytes")]
    Path(usize),
    /// [`Limits::name`].
    #[error("a name of more than {0} bytes")]
    Name(usize),
    /// [`Limits::depth`].
    #[error("more than {0} directories deep")]
    Depth(usize),
    /// [`Limits::ratio`].
    #[error("more than {0} times as many bytes as the archive has")]
    Ratio(u64),
    /// The maximum size of the headers of one archive entry, beyond any honest one; this limit is fixed.
    #[error("an archive header of more than {0} bytes")]
    Header(u64),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_held_to_each_limit() {
        let limits = Limits { path: 10, name: 4, depth: 3, ..Limits::default() };
        assert_eq!(limits.check_path(b"abcd/b/c"), Ok(()));
        assert_eq!(limits.check_path(b"abcd/abcd/a"), Err(Exceeded::Path(10)));
        assert_eq!(limits.check_path(b"abcde"), Err(Exceeded::Name(4)));
        assert_eq!(limits.check_path(b"a/b/c/d"), Ok(()));
        assert_eq!(limits.check_path(b"a/b/c/d/e"), Err(Exceeded::Depth(3)));
    }
}
