//! [`Tree`]: the content of a release, before it is on a host.
//!
//! A tree is scanned once, completely, before any host is touched: every entry is known, and what
//! could leave the release is refused by name. Content is read later, as often as there are hosts,
//! and held against the scan, so that a source that changes meanwhile is found.

#[cfg(any(test, feature = "testing"))]
mod entries;
mod error;
mod memory;

pub use error::TreeError;

use std::{io, io::Read, sync::Arc};

/// The content of a release: directories, regular files and links, parents before what they hold.
#[derive(Debug, Clone)]
pub struct Tree {
    entries: Vec<TreeEntry>,
    files: u64,
    bytes: u64,
    content: Arc<dyn Content>,
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

/// Where the content of a scanned tree is read from.
trait Content: std::fmt::Debug + Send + Sync {
    /// Calls `visit` for each of `entries`, in their order, with a reader of exactly its size for a regular file and an
    /// empty one for anything else.
    fn read(&self, entries: &[TreeEntry], visit: &mut Visit<'_>) -> Result<(), TreeError>;
}

/// What [`Tree::visit`] calls for each entry. An error ends the visit.
pub type Visit<'v> = dyn FnMut(&TreeEntry, &mut dyn Read) -> io::Result<()> + 'v;

impl Tree {
    /// A tree of scanned entries, whose content `content` reads.
    fn new(entries: Vec<TreeEntry>, content: Arc<dyn Content>) -> Self {
        let size = |entry: &TreeEntry| if let Node::File { size } = entry.node { Some(size) } else { None };
        let files = entries.iter().filter_map(size).count() as u64;
        let bytes = entries.iter().filter_map(size).sum();
        Self { entries, files, bytes, content }
    }

    /// The entries, parents before what they hold.
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

    /// Reads the content: calls `visit` for each entry in order, with a reader of its content, exactly as many bytes as
    /// the scan saw. Blocks; memory use does not grow with the tree.
    ///
    /// # Errors
    ///
    /// [`TreeError::Visit`] with the error of `visit` itself; any other when the source cannot be read, or is not what the scan saw.
    pub fn visit(&self, visit: &mut Visit<'_>) -> Result<(), TreeError> {
        self.content.read(&self.entries, visit)
    }
}
