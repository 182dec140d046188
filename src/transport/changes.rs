//! The entries of a tree that changed since a snapshot of it.
//!
//! The host finds them, so that little goes over the network.
//!
//! A snapshot is a text with a line for each existing entry that a listing of the tree names: its mode in hex, its
//! owner and size, words that change whenever the entry does (its inode and change time), and its path. Its last line
//! is [`END`]. A snapshot covers no entries added later, so it never grows beyond the deployed tree, whatever an
//! application writes into its release.

use std::collections::BTreeSet;

use crate::manifest::{Surveyed, listed_path};

use super::EntryKind;

/// The prefix of every path in a snapshot. No path contains it.
const TOP: &[u8] = b" .//./";

/// The last line of a snapshot.
pub(super) const END: &[u8] = b"-0";

/// The differences between a tree and its snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The entries that changed or are gone, as in the snapshot.
    pub before: Vec<Snapped>,
    /// The changed entries that still exist, in their present state, with contents digested.
    ///
    /// A file without a digest could not be read.
    pub now: Vec<Surveyed>,
}

/// An entry in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapped {
    /// Its path relative to the tree.
    pub path: Vec<u8>,
    /// Its kind.
    pub kind: EntryKind,
    /// Its permission bits.
    pub mode: u32,
    /// Its size in bytes; for a symlink, the length of its text.
    pub size: u64,
}

impl Snapped {
    /// Parses a line of a snapshot; `None` for a line that describes no entry.
    pub(super) fn read(line: &[u8]) -> Option<Self> {
        let at = line.windows(TOP.len()).position(|bytes| bytes == TOP)?;
        let mut words = std::str::from_utf8(&line[..at]).ok()?.split(' ');
        let mode = u32::from_str_radix(words.next()?, 16).ok()?;
        let (_owner, size) = (words.next()?, words.next()?.parse().ok()?);
        let kind = match mode & 0o170_000 {
            0o040_000 => EntryKind::Directory,
            0o100_000 => EntryKind::File,
            0o120_000 => EntryKind::Link,
            _ => EntryKind::Other,
        };
        let path = &line[at + TOP.len()..];
        is_inside(path).then(|| Self { path: path.to_vec(), kind, mode: mode & 0o7777, size })
    }
}

/// Formats the line of a snapshot for the entry at `path`. `version` changes whenever the entry does.
pub(super) fn line(path: &[u8], (mode, owner, size): (u32, u32, u64), version: &str) -> Vec<u8> {
    [format!("{mode:x} {owner} {size} {version}").as_bytes(), TOP, path].concat()
}

/// Returns the paths that a listing names, in order.
///
/// Drops paths that leave the tree, since the listing is a file on the host that others may have changed.
pub(super) fn listed(list: &[u8]) -> BTreeSet<&[u8]> {
    list.split(|byte| *byte == b'\n').filter_map(listed_path).filter(|path| is_inside(path)).collect()
}

/// Returns the lines of a snapshot; `None` when it is torn.
pub(super) fn lines(snapshot: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    let lines = snapshot.strip_suffix(b"\n")?.strip_suffix(END)?;
    (lines.is_empty() || lines.ends_with(b"\n")).then(|| lines.split(|byte| *byte == b'\n'))
}

fn is_inside(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/').all(|name| !matches!(name, b"" | b"." | b".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let line = line(b"a b/c", (0o100_644, 7, 12), "3 2026-11-29 06:31:14.447 +0000");
        let entry = Snapped { path: b"a b/c".to_vec(), kind: EntryKind::File, mode: 0o644, size: 12 };
        assert_eq!(Snapped::read(&line), Some(entry));
        for other in [&b"-0"[..], b"", b"81a4 0 x 1 .//./a", b"81a4 0 1 1 .//./../a", b"81a4 0 1 1 .//./"] {
            assert_eq!(Snapped::read(other), None, "{}", String::from_utf8_lossy(other));
        }
    }

    #[test]
    fn a_snapshot_without_its_end_is_torn() {
        assert_eq!(lines(b"a\nb\n-0\n").map(Iterator::count), Some(3));
        assert_eq!(lines(b"-0\n").map(|lines| lines.filter_map(Snapped::read).count()), Some(0));
        for torn in [&b""[..], b"a\n", b"a\n-0", b"a-0\n", b"-0\nx\n"] {
            assert!(lines(torn).is_none(), "{}", String::from_utf8_lossy(torn));
        }
    }

    #[test]
    fn a_listing_names_nothing_outside_the_tree() {
        let list = b"d 755 ./a\nf 644 1 ./a/b c\nf 644 1 ./../x\nl 3 ./a/..\nodd\nf 644 1 ./a/b c\n";
        assert_eq!(listed(list).into_iter().collect::<Vec<_>>(), [&b"a"[..], b"a/b c"]);
    }
}
