//! Trees of given entries, for the conformance suites of transports.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::manifest::{Digest, Manifest};

use super::{
    Content, Node, Tree, TreeEntry, TreeError, Visit, Wanted,
    builder::{Built, Source},
};

impl Tree {
    /// Builds a tree of exactly these entries with their contents. Checks nothing, so that a suite can describe
    /// impossible sources: a file whose content has another size than its entry fails as changed when it is read.
    pub(crate) fn of_entries(entries: Vec<(TreeEntry, Vec<u8>)>) -> Self {
        let with_source = |(entry, content)| (entry, Source::Bytes(content));
        let (entries, sources) = entries.into_iter().map(with_source).unzip();
        Self::new(entries, Arc::new(Built(sources)))
    }
}

/// Content that counts the files read.
#[derive(Debug)]
struct Counted {
    content: Arc<dyn Content>,
    files: Arc<AtomicU64>,
}

impl Content for Counted {
    fn read(&self, entries: &[TreeEntry], wanted: &Wanted<'_>, visit: &mut Visit<'_>) -> Result<(), TreeError> {
        self.content.read(entries, wanted, &mut |entry, content| {
            if matches!(entry.node, Node::File { .. }) && wanted(entry) {
                self.files.fetch_add(1, Ordering::Relaxed);
            }
            visit(entry, content)
        })
    }

    fn known(&self, entries: &[TreeEntry]) -> HashMap<Vec<u8>, Digest> {
        self.content.known(entries)
    }

    fn keep(&self, entries: &[TreeEntry], manifest: &Manifest) {
        self.content.keep(entries, manifest);
    }

    fn forget(&self) {
        self.content.forget();
    }

    fn may_be_stripped(&self) -> bool {
        self.content.may_be_stripped()
    }

    fn place_of(&self, path: &Path) -> Option<Vec<u8>> {
        self.content.place_of(path)
    }
}

impl Tree {
    /// Returns the same tree, and a counter of the files read, each as often as it is read.
    #[must_use]
    pub fn counted(self) -> (Self, Arc<AtomicU64>) {
        let files = Arc::new(AtomicU64::new(0));
        let content = Arc::new(Counted { content: self.content, files: Arc::clone(&files) });
        (Self { content, ..self }, files)
    }
}
