//! [`KnownManifests`]: what hosts were seen to have, remembered here.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    blocking::apart,
    cache::CacheDirectory,
    manifest::{Digest, Form, Manifest},
    transport::Upload,
};

/// How many manifests are remembered by a process, and how many on disk.
const HELD: usize = 4;
const KEPT: usize = 16;

/// Shorter ones are read from the host in no time, and are not written here.
pub(super) const WORTH: usize = 64 << 10;

/// How hard they are compressed: it happens while somebody waits.
const LEVEL: i32 = 3;

/// Manifests of releases, by their digests, so that what a host says by one digest need not be read from it.
///
/// It is a memory and nothing more: what is missing or damaged in it is read from the host, and no failure of it is told.
/// Clones share what they remember.
#[derive(Debug, Clone, Default)]
pub struct KnownManifests {
    directory: Option<CacheDirectory>,
    held: Arc<Mutex<Held>>,
}

/// Manifests, those that were wanted last first.
type Held = Vec<(Digest, Arc<Manifest>)>;

impl KnownManifests {
    /// Remembers as long as the process lasts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Remembers the newest 16 in files of this directory too, which is made when it is needed, for the user alone.
    #[must_use]
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self { directory: Some(CacheDirectory::new(directory, KEPT)), ..Self::default() }
    }

    /// The manifest whose digest this is. Blocks.
    pub(super) fn get(&self, digest: &Digest) -> Option<Arc<Manifest>> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let known = held.iter().find(|(known, _)| known == digest).map(|(_, manifest)| Arc::clone(manifest));
        drop(held);
        known.or_else(|| {
            let manifest = Arc::new(self.read(digest)?);
            self.hold(*digest, &manifest);
            Some(manifest)
        })
    }

    /// Remembers `manifest`. Blocks.
    pub(super) fn keep(&self, manifest: &Arc<Manifest>) {
        let text = manifest.in_form(Form::Manifest);
        let digest = Digest::of(&text);
        self.hold(digest, manifest);
        if text.len() >= WORTH {
            // Failing to costs time when it is next needed, and nothing else.
            let _: io::Result<()> = self.write(&digest, &text);
        }
    }

    /// Remembers `manifest`, without holding anybody up.
    pub(super) async fn remember(&self, manifest: Arc<Manifest>) {
        let known = self.clone();
        apart(move || known.keep(&manifest)).await;
    }

    /// Remembers what is listed on a host by `upload`.
    pub(super) async fn remember_listed(&self, upload: Upload) {
        let known = self.clone();
        apart(move || {
            if let Ok(manifest) = upload.listed() {
                known.keep(&Arc::new(manifest));
            }
        })
        .await;
    }

    fn hold(&self, digest: Digest, manifest: &Arc<Manifest>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|(known, _)| *known != digest);
        held.insert(0, (digest, Arc::clone(manifest)));
        held.truncate(HELD);
    }

    fn read(&self, digest: &Digest) -> Option<Manifest> {
        let text = zstd::decode_all(&self.directory.as_ref()?.read(digest)?[..]).ok()?;
        if Digest::of(&text) != *digest {
            return None;
        }
        Manifest::parse(&text).ok()
    }

    fn write(&self, digest: &Digest, text: &[u8]) -> io::Result<()> {
        let Some(directory) = &self.directory else { return Ok(()) };
        directory.write(digest, &zstd::encode_all(text, LEVEL)?)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::manifest::{ManifestEntry, ManifestNode};

    fn manifest(mark: usize) -> Arc<Manifest> {
        let entry = |at| ManifestEntry {
            path: format!("{mark}/a path of some length/{at}").into_bytes(),
            node: ManifestNode::File { mode: 0o644, size: 1, digest: Digest::of(b"x") },
        };
        Arc::new(Manifest::new((0..WORTH / 100).map(entry).collect()))
    }

    #[test]
    fn what_was_kept_is_known_to_the_next() {
        let dir = TempDir::new().expect("a directory");
        let path = dir.path().join("a/b");
        KnownManifests::in_directory(&path).keep(&manifest(1));
        let next = KnownManifests::in_directory(&path);
        assert_eq!(next.get(&manifest(1).digest()), Some(manifest(1)));
        assert_eq!(next.get(&manifest(2).digest()), None);
        assert_eq!(KnownManifests::new().get(&manifest(1).digest()), None);
    }

    #[test]
    fn what_was_meddled_with_is_not_believed() {
        let dir = TempDir::new().expect("a directory");
        KnownManifests::in_directory(dir.path()).keep(&manifest(1));
        let file = dir.path().join(manifest(1).digest().to_string());
        let other = zstd::encode_all(&manifest(2).in_form(Form::Manifest)[..], LEVEL).expect("memory");
        for content in [&other[..], b"", b"no such thing"] {
            fs::write(&file, content).expect("it is ours");
            assert_eq!(KnownManifests::in_directory(dir.path()).get(&manifest(1).digest()), None);
        }
    }

    #[test]
    fn a_process_remembers_a_few_also_where_nothing_can_be_written() {
        let dir = TempDir::new().expect("a directory");
        fs::write(dir.path().join("another's"), "").expect("a file");
        let known = KnownManifests::in_directory(dir.path().join("another's"));
        (0..HELD + 2).for_each(|mark| known.keep(&manifest(mark)));
        assert_eq!(known.held.lock().expect("nobody panicked").len(), HELD);
        assert!(known.get(&manifest(HELD + 1).digest()).is_some());
    }
}
