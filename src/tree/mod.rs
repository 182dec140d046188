//! [`Tree`]: the content of a release, before it is on a host.
//!
//! A tree is scanned once, completely, before any host is touched: every entry is known, and what
//! could leave the release is refused by name. Content is read later, as often as there are hosts,
//! and held against the scan, so that a source that changes meanwhile is found.
//!
//! # What is kept
//!
//! Directories, regular files and links, with their names byte for byte, and the permission bits of each; a directory can
//! always be read and filled by its owner. Not kept are owners, times (see [`Tree::modified`]), access lists and attributes, hard
//! links (each name is a file of its own; in an archive, the content must have come with an earlier name) and the setuid,
//! setgid and sticky bits of a directory's files, nor those of a
//! directory in an archive. Nothing is left out unless [`SourceOptions::exclude`] says so.
//!
//! # What is refused
//!
//! - devices, named pipes and sockets;
//! - links that lead out of the release, and those of which it cannot be told: where they are absolute, or go in circles, or
//!   back by `..` from what is no directory of the release;
//! - `previousVersion` and `.switchback` at the top, which are the tool's own records;
//! - what goes beyond the [`Limits`];
//! - in an archive also: paths that are absolute or hold `..`, a path twice or through a link, hard links to what comes
//!   later or not at all, what grows to many times the archive's own size, sparse files,
//!   setuid and setgid bits of files, headers that two programs may read in two ways, and an archive that does not end with the mark of its end.

mod archive;
mod cache;
mod descent;
mod directory;
#[cfg(any(test, feature = "testing"))]
mod entries;
mod entry_path;
mod error;
mod exact;
mod exclude;
mod format;
mod hard_links;
mod inventory;
mod limits;
mod links;
mod members;
mod memory;
mod meter;
mod oddities;
mod options;
mod reading;
mod replay;
mod sharing;
mod stamp;

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

/// The content of a release: directories, regular files and links, parents before what they hold.
#[derive(Debug, Clone)]
pub struct Tree {
    entries: Vec<TreeEntry>,
    files: u64,
    bytes: u64,
    modified: u64,
    content: Arc<dyn Content>,
    /// Known once the content was read as a whole.
    manifest: Arc<OnceLock<Arc<Manifest>>>,
    /// Held by whoever reads it all for that alone: many who want to know wait for the first.
    turn: Arc<Mutex<()>>,
    shared: Arc<sharing::Shared>,
    /// Whether what is odd about it was said.
    told: Arc<AtomicBool>,
}

/// One entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEntry {
    /// Its path relative to the release, names joined by `/`: any bytes but NUL, no empty, `.` or `..` name.
    pub path: Vec<u8>,
    /// Its permission bits, `0o777` at most: setuid, setgid and sticky bits are never kept.
    pub mode: u32,
    /// What it is.
    pub node: Node,
}

/// What an entry of a tree is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A directory.
    Directory,
    /// A regular file of this size in bytes.
    File {
        /// Its size in bytes.
        size: u64,
    },
    /// A symbolic link that leads nowhere out of the release.
    Link {
        /// Its text.
        target: Vec<u8>,
    },
}

impl TreeEntry {
    /// An entry with the permission bits of `mode` that are kept for what it is.
    fn new(path: Vec<u8>, mode: u32, node: Node) -> Self {
        let mode = match node {
            Node::File { .. } => mode & 0o777,
            // So that it can be filled, read and, one day, pruned.
            Node::Directory => mode & 0o777 | 0o700,
            // A link has none of its own.
            Node::Link { .. } => 0o777,
        };
        Self { path, mode, node }
    }

    /// How many bytes of content it has.
    fn size(&self) -> u64 {
        if let Node::File { size } = self.node { size } else { 0 }
    }

    /// The entry as a manifest lists it, where its content has this digest.
    fn listed(&self, digest: Digest) -> ManifestEntry {
        let node = match &self.node {
            Node::Directory => ManifestNode::Directory { mode: self.mode },
            Node::File { size } => ManifestNode::File { mode: self.mode, size: *size, digest },
            Node::Link { target } => ManifestNode::Link { target: target.clone() },
        };
        ManifestEntry { path: self.path.clone(), node }
    }
}

/// Where the content of a scanned tree is read from.
trait Content: std::fmt::Debug + Send + Sync {
    /// Calls `visit` for each of `entries`, in their order, with a reader of exactly its size for a regular file that is
    /// `wanted` and an empty one for a directory or a link. A file that is not wanted need not be read: its reader may hold
    /// anything.
    fn read(&self, entries: &[TreeEntry], wanted: &Wanted<'_>, visit: &mut Visit<'_>) -> Result<(), TreeError>;

    /// The digests of files that are known without reading, by path.
    fn known(&self, entries: &[TreeEntry]) -> HashMap<Vec<u8>, Digest> {
        let _ = entries;
        HashMap::new()
    }

    /// Keeps the digests of `manifest` for another run, where that is asked for.
    fn keep(&self, entries: &[TreeEntry], manifest: &Manifest) {
        let _ = (entries, manifest);
    }

    /// Keeps no digests any more: one of them was wrong.
    fn forget(&self) {}

    /// Whether it is an archive, of which nobody said how many leading directories are taken off.
    fn may_be_stripped(&self) -> bool {
        false
    }

    /// The path in the tree of what stands at `path`, a canonical one, where the tree is read from a directory.
    fn place_of(&self, path: &Path) -> Option<Vec<u8>> {
        let _ = path;
        None
    }
}

/// Says of which files the content is wanted.
pub type Wanted<'w> = dyn Fn(&TreeEntry) -> bool + 'w;

/// What [`Tree::visit`] calls for each entry. An error ends the visit.
pub type Visit<'v> = dyn FnMut(&TreeEntry, &mut dyn Read) -> io::Result<()> + 'v;

impl Tree {
    /// The content of the directory at `path`, or of the archive: `.tar`, `.tar.gz`, `.tgz` or `.tar.zst`. A link given as
    /// `path` is followed. Blocks; an archive is read once to its end.
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
    /// [`TreeError`] when it cannot be read or is none of these, when it holds what no release may hold, or more than the
    /// default [`Limits`]. Nothing was written anywhere.
    pub fn open(path: &Utf8Path) -> Result<Self, TreeError> {
        Self::open_with(path, &SourceOptions::default())
    }

    /// The same as [`open`](Self::open), with other limits, or without all of it.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), and [`TreeError::Pattern`] when a pattern of what is left out means nothing.
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

    /// The entries, parents before what they hold: those of a directory by name, those of an archive in its own order.
    #[must_use]
    pub fn entries(&self) -> &[TreeEntry] {
        &self.entries
    }

    /// How many regular files it holds.
    #[must_use]
    pub fn files(&self) -> u64 {
        self.files
    }

    /// How many bytes of content its files hold in all.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The modification time of every file and link that a host does not copy from an earlier release, in whole seconds since
    /// the Unix epoch: when the tree was scanned. Times of the source would go back where a branch does, and a cache that
    /// compares times and sizes would miss the change. One time for all hosts, because web servers make `ETag` of it.
    #[must_use]
    pub fn modified(&self) -> u64 {
        self.modified
    }

    /// The same tree with another such time: that of the hosts that have this content already, for one that is brought along.
    #[must_use]
    pub fn modified_at(mut self, seconds: u64) -> Self {
        self.modified = seconds;
        self
    }

    /// The digest of the whole tree, which is that of its [`manifest`](Self::manifest): the same wherever it is computed, and
    /// whether the tree is a directory, an archive of it or in memory.
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
