//! [`Tree`]: the content of a release, before it is on a host.
//!
//! A tree is scanned once, completely, before any host is touched: the scan collects every entry, and refuses entries
//! that could leave the release, naming them. Content is read later, as often as there are hosts, and checked against
//! the scan, which detects a source that changes meanwhile.
//!
//! # Kept properties
//!
//! Directories, regular files and symlinks, with their names byte for byte, and the permission bits of each; the owner
//! of a directory always gets read and write access. Owners, times (see [`Tree::modified`]), access lists, attributes
//! and hard links are not kept (each name becomes a file of its own; in an archive, the content must come with an
//! earlier name), nor are the setuid, setgid and sticky bits of a directory's files and of a directory in an archive.
//! Nothing is excluded unless [`SourceOptions::exclude`] says so.
//!
//! # Refused sources
//!
//! - devices, named pipes and sockets;
//! - symlinks that lead out of the release, or might: absolute ones, cycles, and those that go up by `..` from a path
//!   that is not a directory of the release;
//! - `previousVersion` and `.switchback` at the top, which are the tool's own records;
//! - sources that exceed the [`Limits`];
//! - in an archive also: paths that are absolute or contain `..`, duplicate paths, paths through a symlink, hard links
//!   to a later or missing entry, expansion to many times the archive's own size, sparse files, setuid and setgid bits
//!   of files, headers that two programs may read differently, and a missing end-of-archive marker.

mod archive;
mod builder;
mod cache;
mod descent;
mod directory;
#[cfg(any(test, feature = "testing"))]
mod entries;
mod entry_path;
mod error;
mod exact;
#[cfg_attr(not(feature = "config"), path = "no_exclude.rs")]
mod exclude;
mod format;
mod hard_links;
mod inventory;
mod limits;
mod links;
mod members;
mod meter;
mod oddities;
mod options;
mod reading;
mod replay;
mod sharing;
mod stamp;

pub use builder::TreeBuilder;
pub use error::{PatternError, Refusal, TreeError};
pub use limits::{Exceeded, Limits};
pub use options::SourceOptions;
pub use sharing::Sharing;

use std::{
    collections::HashMap,
    fs, io,
    io::Read,
    path::Path,
    sync::{Arc, Mutex, OnceLock, atomic::AtomicBool},
    time::{SystemTime, UNIX_EPOCH},
};

use camino::Utf8Path;

use crate::manifest::{Digest, Manifest, ManifestEntry, ManifestNode};

/// The content of a release: directories, regular files and symlinks, each directory before its entries.
#[derive(Debug, Clone)]
pub struct Tree {
    entries: Vec<TreeEntry>,
    files: u64,
    bytes: u64,
    modified: u64,
    content: Arc<dyn Content>,
    /// The manifest, once all content was read.
    manifest: Arc<OnceLock<Arc<Manifest>>>,
    /// Serializes reads of all content, so that concurrent callers of [`manifest`](Self::manifest) wait for the
    /// first.
    turn: Arc<Mutex<()>>,
    shared: Arc<sharing::Shared>,
    /// Set once the warnings about it were given.
    told: Arc<AtomicBool>,
}

/// One entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEntry {
    /// The path relative to the release, names joined by `/`: any bytes but NUL, no empty, `.` or `..` name.
    pub path: Vec<u8>,
    /// The permission bits, at most `0o777`: setuid, setgid and sticky bits are never kept.
    pub mode: u32,
    /// The kind of entry.
    pub node: Node,
}

/// The kind of an entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A directory.
    Directory,
    /// A regular file of this size in bytes.
    File {
        /// The size in bytes.
        size: u64,
    },
    /// A symlink that stays inside the release.
    Link {
        /// The target.
        target: Vec<u8>,
    },
}

impl TreeEntry {
    /// An entry with those permission bits of `mode` that its kind keeps.
    fn new(path: Vec<u8>, mode: u32, node: Node) -> Self {
        let mode = match node {
            Node::File { .. } => mode & 0o777,
            // The owner must be able to fill, read and, one day, prune it.
            Node::Directory => mode & 0o777 | 0o700,
            // A symlink has no mode of its own.
            Node::Link { .. } => 0o777,
        };
        Self { path, mode, node }
    }

    /// Returns the size of the content in bytes; 0 for anything but a file.
    fn size(&self) -> u64 {
        if let Node::File { size } = self.node { size } else { 0 }
    }

    /// Converts the entry for a manifest, with the digest of its content.
    fn listed(&self, digest: Digest) -> ManifestEntry {
        let node = match &self.node {
            Node::Directory => ManifestNode::Directory { mode: self.mode },
            Node::File { size } => ManifestNode::File { mode: self.mode, size: *size, digest },
            Node::Link { target } => ManifestNode::Link { target: target.clone() },
        };
        ManifestEntry { path: self.path.clone(), node }
    }
}

/// The source of the content of a scanned tree.
trait Content: std::fmt::Debug + Send + Sync {
    /// Calls `visit` for each of `entries`, in order, with a reader of exactly its size for a regular file that is
    /// `wanted`, and an empty one for a directory or a symlink. A file that is not wanted need not be read: its reader
    /// may yield anything.
    fn read(&self, entries: &[TreeEntry], wanted: &Wanted<'_>, visit: &mut Visit<'_>) -> Result<(), TreeError>;

    /// Returns the digests that are known without reading, by path.
    fn known(&self, entries: &[TreeEntry]) -> HashMap<Vec<u8>, Digest> {
        let _ = entries;
        HashMap::new()
    }

    /// Stores the digests of `manifest` for another run, if that is configured.
    fn keep(&self, entries: &[TreeEntry], manifest: &Manifest) {
        let _ = (entries, manifest);
    }

    /// Forgets the stored digests, because one was wrong.
    fn forget(&self) {}

    /// Whether it is an archive without a configured `strip`.
    fn may_be_stripped(&self) -> bool {
        false
    }

    /// Returns the path in the tree of the file at `path`, a canonical path, if the tree is a directory.
    fn place_of(&self, path: &Path) -> Option<Vec<u8>> {
        let _ = path;
        None
    }
}

/// A predicate that selects the files whose content is wanted.
pub type Wanted<'w> = dyn Fn(&TreeEntry) -> bool + 'w;

/// The callback of [`Tree::visit`] for each entry. An error ends the visit.
pub type Visit<'v> = dyn FnMut(&TreeEntry, &mut dyn Read) -> io::Result<()> + 'v;

impl Tree {
    /// Opens the directory at `path`, or the archive: `.tar`, `.tar.gz`, `.tgz` or `.tar.zst`. Follows a symlink
    /// given as `path`. Blocks; reads an archive once to its end. Compressed archives need the feature `compression`.
    ///
    /// ```no_run
    /// use switchback::tree::Tree;
    ///
    /// let tree = Tree::open("build/site.tar.gz".into())?;
    /// println!("{} files, {} bytes", tree.files(), tree.bytes());
    /// # Ok::<(), switchback::tree::TreeError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`TreeError`] when it cannot be read, is none of these, contains an entry that no release may contain, or
    /// exceeds the default [`Limits`]. Nothing was written anywhere.
    pub fn open(path: &Utf8Path) -> Result<Self, TreeError> {
        Self::open_with(path, &SourceOptions::default())
    }

    /// Opens like [`open`](Self::open), with other limits or with exclude patterns.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), and [`TreeError::Pattern`] when an exclude pattern is invalid. Patterns need the feature
    /// `config`.
    pub fn open_with(path: &Utf8Path, options: &SourceOptions) -> Result<Self, TreeError> {
        let found = fs::metadata(path).map_err(|error| TreeError::read(path.as_str().as_bytes(), error))?;
        if found.is_dir() { directory::scan(path, options) } else { archive::scan(path, options) }
    }

    /// A tree of scanned entries, whose content `content` reads.
    fn new(entries: Vec<TreeEntry>, content: Arc<dyn Content>) -> Self {
        let files = entries.iter().filter(|entry| matches!(entry.node, Node::File { .. })).count() as u64;
        let bytes = entries.iter().map(TreeEntry::size).sum();
        let modified = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let (manifest, turn, shared, told) = Default::default();
        Self { entries, files, bytes, modified, content, manifest, turn, shared, told }
    }

    /// Returns the entries, each directory before its own entries: those of a directory by name, those of an archive
    /// in its own order.
    #[must_use]
    pub fn entries(&self) -> &[TreeEntry] {
        &self.entries
    }

    /// Returns the number of regular files.
    #[must_use]
    pub fn files(&self) -> u64 {
        self.files
    }

    /// Returns the total size of all files in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the time of the scan, in whole seconds since the Unix epoch: the modification time of every file and
    /// symlink that a host does not copy from an earlier release. Times of the source would go back when a branch does,
    /// and a cache that compares times and sizes would miss the change. All hosts get the same time, because web
    /// servers derive `ETag` from it.
    #[must_use]
    pub fn modified(&self) -> u64 {
        self.modified
    }

    /// Sets the modification time: that of the hosts that have this content already, when it is uploaded to another.
    #[must_use]
    pub fn modified_at(mut self, seconds: u64) -> Self {
        self.modified = seconds;
        self
    }

    /// Returns the digest of the [`manifest`](Self::manifest), which identifies the whole tree. It is the same
    /// wherever it is computed, and whether the tree is a directory, an archive of it or in memory.
    ///
    /// ```
    /// use switchback::tree::Tree;
    ///
    /// let one = Tree::from_memory([("a", &b"1"[..]), ("b/c", b"2")])?;
    /// let other = Tree::from_memory([("b/c", &b"2"[..]), ("a", b"1")])?;
    /// assert_eq!(one.digest()?, other.digest()?);
    /// # Ok::<(), switchback::tree::TreeError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`manifest`](Self::manifest).
    pub fn digest(&self) -> Result<Digest, TreeError> {
        self.manifest().map(|manifest| manifest.digest())
    }
}
