//! [`Manifest`]: the list of a release's entries, which shows later whether the release is intact.
//!
//! A manifest lists directories, files and symlinks with their modes, sizes, digests and targets, in the byte order of
//! their paths. It does not list owners and times, `previousVersion`, or symlinks into `shared`: they are not part of a
//! release's content. Its text is the same wherever it is computed, and so is the digest of that text, which identifies
//! the whole tree.
//!
//! # The three forms on a host
//!
//! | file in `.switchback/releases/NAME/` | what it is for |
//! | --- | --- |
//! | `manifest` | the manifest itself; `sha256sum manifest` prints the tree's digest |
//! | `sha256sums` | `cd releases/NAME && sha256sum --quiet -c ../../.switchback/releases/NAME/sha256sums` |
//! | `listing` | types, modes and sizes only, by which a host sets modes and tells what commands change |

mod compare;
mod digest;
mod text;

pub use compare::{Difference, DifferenceKind, MAX_DEPTH, Seen, Surveyed};
pub(crate) use compare::{is_within, shown};
pub(crate) use digest::Digesting;
pub use digest::{Digest, DigestError};
pub(crate) use text::listed_path;
pub use text::{Form, ManifestError};

/// The content of a release: its entries in the byte order of their paths, each path once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    entries: Vec<ManifestEntry>,
}

/// One entry of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestEntry {
    /// The path relative to the release, names joined by `/`: any bytes but NUL.
    pub path: Vec<u8>,
    /// The kind of entry.
    pub node: ManifestNode,
}

/// The kind of an entry of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManifestNode {
    /// A directory.
    Directory {
        /// The permission bits.
        mode: u32,
    },
    /// A regular file.
    File {
        /// The permission bits.
        mode: u32,
        /// The size in bytes.
        size: u64,
        /// The digest of the content.
        digest: Digest,
    },
    /// A symlink.
    Link {
        /// The target.
        target: Vec<u8>,
    },
}

impl ManifestEntry {
    /// Returns the size of the content in bytes; 0 for anything but a file.
    pub(crate) fn size(&self) -> u64 {
        if let ManifestNode::File { size, .. } = self.node { size } else { 0 }
    }
}

impl Manifest {
    /// A manifest of these entries, in any order. Of two entries with the same path, the first is kept.
    #[must_use]
    pub fn new(mut entries: Vec<ManifestEntry>) -> Self {
        entries.sort_by(|one, other| one.path.cmp(&other.path));
        entries.dedup_by(|later, earlier| later.path == earlier.path);
        Self { entries }
    }

    /// Returns the manifest without the entries at or below `paths`.
    #[must_use]
    pub fn without(&self, paths: &[&[u8]]) -> Self {
        let stays = |entry: &&ManifestEntry| !paths.iter().any(|path| is_within(&entry.path, path));
        Self { entries: self.entries.iter().filter(stays).cloned().collect() }
    }

    /// Returns the entries, in the byte order of their paths.
    #[must_use]
    pub fn entries(&self) -> &[ManifestEntry] {
        &self.entries
    }

    /// Returns the entry at `path`.
    #[must_use]
    pub fn entry(&self, path: &[u8]) -> Option<&ManifestEntry> {
        let at = self.entries.binary_search_by(|entry| entry.path[..].cmp(path)).ok()?;
        Some(&self.entries[at])
    }

    /// Returns the digest of the manifest's text, which is the same wherever, and from whatever source, it is
    /// computed.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.in_form(Form::Manifest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_stand_in_the_order_of_their_bytes() {
        let directory =
            |path: &[u8]| ManifestEntry { path: path.to_vec(), node: ManifestNode::Directory { mode: 0o755 } };
        let manifest = Manifest::new([&b"b"[..], b"a/x", b"a-", b"a", b"\xff", b"b"].map(directory).to_vec());
        let paths: Vec<&[u8]> = manifest.entries().iter().map(|entry| &entry.path[..]).collect();
        assert_eq!(paths, [&b"a"[..], b"a-", b"a/x", b"b", b"\xff"]);
        assert!(manifest.entry(b"a/x").is_some() && manifest.entry(b"a/").is_none());
        let without = manifest.without(&[b"a", b"c"]);
        let paths: Vec<&[u8]> = without.entries().iter().map(|entry| &entry.path[..]).collect();
        assert_eq!(paths, [&b"a-"[..], b"b", b"\xff"]);
        assert_eq!(manifest.digest(), Manifest::new(manifest.entries().iter().rev().cloned().collect()).digest());
    }
}
