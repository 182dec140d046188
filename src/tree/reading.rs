//! Reading of a [`Tree`]: digests content on the way, and checks it against known digests.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, PoisonError},
};

use crate::manifest::{Digest, Digesting, Manifest, ManifestEntry};

use super::{Node, Tree, TreeEntry, TreeError, Visit, Wanted};

/// The maximum work of reading ahead, in bytes. Each file counts as [`AHEAD_FILE`] more: a disk needs time to
/// find it.
const AHEAD: u64 = 16 << 20;
const AHEAD_FILE: u64 = 64 << 10;

impl Tree {
    /// Reads the content: calls `visit` for each entry in order, with a reader of exactly as many bytes as the scan
    /// saw. Blocks; keeps no content in memory.
    ///
    /// The first visit digests all content, so that the [`manifest`](Self::manifest) is known afterwards, and every
    /// later visit is checked against it.
    ///
    /// # Errors
    ///
    /// [`TreeError::Visit`] with the error of `visit` itself; any other when the source cannot be read, or has changed
    /// since the scan or the first visit.
    pub fn visit(&self, visit: &mut Visit<'_>) -> Result<(), TreeError> {
        self.visit_only(&|_| true, visit)
    }

    /// Visits like [`visit`](Self::visit), but only the files that are `wanted` need their content: each other file
    /// has an empty reader. Once the [`manifest`](Self::manifest) is known, the others are not read at all, but still
    /// checked against the scan as far as metadata shows.
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

    /// Reads everything for the first time.
    fn digesting(&self, wanted: &Wanted<'_>, visit: &mut Visit<'_>) -> Result<(), TreeError> {
        let mut listed = Vec::with_capacity(self.entries.len());
        self.content.read(&self.entries, &|_| true, &mut |entry, content| {
            listed.push(entry.listed(passed_on(entry, content, wanted, visit)?));
            Ok(())
        })?;
        self.learn(listed, true);
        Ok(())
    }

    /// Reads the wanted content, and checks it against the manifest.
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
            // A digest kept from an earlier run may have been wrong.
            self.content.forget();
        }
        changed.map_or(read, Err)
    }

    /// Returns the manifest, with the digest of every file. Reads all content unless that was done before. Blocks.
    ///
    /// With a [`digest_cache`](super::SourceOptions::digest_cache), reads only the files without a known digest from an
    /// earlier run.
    ///
    /// # Errors
    ///
    /// [`TreeError`] when the source cannot be read, or has changed since the scan.
    pub fn manifest(&self) -> Result<Arc<Manifest>, TreeError> {
        // The mutex guards no data, so a panic of another thread cannot have damaged any.
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        match self.manifest.get() {
            Some(known) => Ok(Arc::clone(known)),
            None => self.reading_but(&self.content.known(&self.entries)),
        }
    }

    /// Returns the [`manifest`](Self::manifest), if it is known without reading.
    pub(crate) fn known_manifest(&self) -> Option<&Arc<Manifest>> {
        self.manifest.get()
    }

    /// Computes the [`manifest`](Self::manifest) ahead of time, while others wait for hosts, if an earlier run left
    /// little to read. Otherwise the upload digests the content on its way. Read errors are ignored here and reported
    /// when the content is needed. Blocks.
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

    /// Sets the manifest, and stores its digests for another run if they are new.
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

/// Visits an entry, with its content if that is wanted, and returns its digest.
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
