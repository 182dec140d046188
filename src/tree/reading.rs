//! What is read of a [`Tree`]: digested on the way, and held against what is known of it.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, PoisonError},
};

use crate::manifest::{Digest, Digesting, Manifest, ManifestEntry};

use super::{Node, Tree, TreeEntry, TreeError, Visit, Wanted};

/// So much is read ahead of the need at most, in bytes, of which each file counts as so many more: a disk that has to look for
/// them takes its time for each.
const AHEAD: u64 = 16 << 20;
const AHEAD_FILE: u64 = 64 << 10;

impl Tree {
    /// Reads the content: calls `visit` for each entry in order, with a reader of its content, exactly as many bytes as
    /// the scan saw. Blocks; no content is kept in memory.
    ///
    /// All that is read is digested on the way, so that the [`manifest`](Self::manifest) is known after the first visit, and
    /// every later one is held against it.
    ///
    /// # Errors
    ///
    /// [`TreeError::Visit`] with the error of `visit` itself; any other when the source cannot be read, or is not what the
    /// scan or the first visit saw.
    pub fn visit(&self, visit: &mut Visit<'_>) -> Result<(), TreeError> {
        self.visit_only(&|_| true, visit)
    }

    /// The same, where the content of other files than those that are `wanted` is not needed: each comes with an empty reader.
    /// It is not read either, once the [`manifest`](Self::manifest) is known, but still held against what the scan saw where
    /// that takes no reading.
    ///
    /// # Errors
    ///
    /// As [`visit`](Self::visit).
    pub fn visit_only(&self, wanted: &Wanted<'_>, visit: &mut Visit<'_>) -> Result<(), TreeError> {
        match self.manifest.get() {
            Some(known) => self.held_against(known, wanted, visit),
            None => self.digesting(wanted, visit),
        }
    }

    /// Reads all of it for the first time.
    fn digesting(&self, wanted: &Wanted<'_>, visit: &mut Visit<'_>) -> Result<(), TreeError> {
        let mut listed = Vec::with_capacity(self.entries.len());
        self.content.read(&self.entries, &|_| true, &mut |entry, content| {
            listed.push(entry.listed(passed_on(entry, content, wanted, visit)?));
            Ok(())
        })?;
        self.learn(listed, true);
        Ok(())
    }

    /// Reads what is wanted, which must be as the manifest says.
    fn held_against(&self, known: &Manifest, wanted: &Wanted<'_>, visit: &mut Visit<'_>) -> Result<(), TreeError> {
        let mut changed = None;
        let read = self.content.read(&self.entries, wanted, &mut |entry, content| {
            if !is_wanted(entry, wanted) {
                return visit(entry, &mut io::empty());
            }
            let now = entry.listed(passed_on(entry, content, wanted, visit)?);
            if known.entry(&entry.path) == Some(&now) {
                return Ok(());
            }
            changed = Some(TreeError::changed(&entry.path));
            Err(io::Error::other("the source changed"))
        });
        if changed.is_some() {
            // What was kept from an earlier run may have been wrong.
            self.content.forget();
        }
        changed.map_or(read, Err)
    }

    /// What it holds, entry by entry, with the digest of every file. Reads all content, unless that was done before. Blocks.
    ///
    /// With a [`digest_cache`](super::SourceOptions::digest_cache) only those files are read whose digest is not known from an
    /// earlier run.
    ///
    /// # Errors
    ///
    /// [`TreeError`] when the source cannot be read, or is not what the scan saw.
    pub fn manifest(&self) -> Result<Arc<Manifest>, TreeError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        match self.manifest.get() {
            Some(known) => Ok(Arc::clone(known)),
            None => self.reading_but(&self.content.known(&self.entries)),
        }
    }

    /// The [`manifest`](Self::manifest), when it is known without reading.
    pub(crate) fn known_manifest(&self) -> Option<&Arc<Manifest>> {
        self.manifest.get()
    }

    /// Makes the [`manifest`](Self::manifest) known ahead of the need, while others are waited for, where an earlier run left
    /// little to read for it. Whatever else is read and sent is digested on its way. What cannot be read is told when it is
    /// needed. Blocks.
    pub(crate) fn recall(&self) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if self.manifest.get().is_some() {
            return;
        }
        let kept = self.content.known(&self.entries);
        let unknown = self.entries.iter().filter(|entry| !kept.contains_key(&entry.path));
        let unknown = unknown.filter(|entry| matches!(entry.node, Node::File { .. }));
        let work: u64 = unknown.map(|file| file.size() + AHEAD_FILE).sum();
        if !kept.is_empty() && work <= AHEAD {
            let _: Result<_, TreeError> = self.reading_but(&kept);
        }
    }

    /// Reads the files whose digests are not `kept`.
    fn reading_but(&self, kept: &HashMap<Vec<u8>, Digest>) -> Result<Arc<Manifest>, TreeError> {
        let mut listed = Vec::with_capacity(self.entries.len());
        self.content.read(&self.entries, &|entry| !kept.contains_key(&entry.path), &mut |entry, content| {
            let digest = match kept.get(&entry.path) {
                Some(digest) => *digest,
                None => Digesting::new(content).finish()?,
            };
            listed.push(entry.listed(digest));
            Ok(())
        })?;
        Ok(self.learn(listed, (kept.len() as u64) < self.files))
    }

    /// Knows the manifest from now on, and has it kept for another run when that may not know all of it.
    fn learn(&self, listed: Vec<ManifestEntry>, is_news: bool) -> Arc<Manifest> {
        let manifest = self.manifest.get_or_init(|| {
            let manifest = Manifest::new(listed);
            if is_news {
                self.content.keep(&self.entries, &manifest);
            }
            Arc::new(manifest)
        });
        Arc::clone(manifest)
    }
}

fn is_wanted(entry: &TreeEntry, wanted: &Wanted<'_>) -> bool {
    !matches!(entry.node, Node::File { .. }) || wanted(entry)
}

/// Has an entry visited, with its content when that is wanted, and returns the digest of it.
fn passed_on(
    entry: &TreeEntry,
    content: &mut dyn io::Read,
    wanted: &Wanted<'_>,
    visit: &mut Visit<'_>,
) -> io::Result<Digest> {
    let mut content = Digesting::new(content);
    if is_wanted(entry, wanted) {
        visit(entry, &mut content)?;
    } else {
        visit(entry, &mut io::empty())?;
    }
    content.finish()
}
