//! [`KnownManifests`]: a local cache of manifests seen on hosts.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    cache::CacheDirectory,
    manifest::{Digest, Form, Manifest},
    run_blocking::run_blocking,
    transport::Upload,
};

/// The number of manifests cached by a process, and on disk.
const HELD: usize = 4;
const KEPT: usize = 16;

/// The minimum size of a manifest on disk, in bytes: shorter ones are read from the host in no time.
pub(super) const WORTH: usize = 64 << 10;

/// The compression level: low, because somebody waits.
#[cfg(feature = "compression")]
const LEVEL: i32 = 3;

/// A cache of releases' manifests by digest, so that a manifest whose digest a host reports need not be read
/// from it.
///
/// It is only a cache: a missing or damaged entry is read from the host, and no failure of it is reported. Clones share
/// their entries.
#[derive(Debug, Clone, Default)]
pub struct KnownManifests {
    directory: Option<CacheDirectory>,
    held: Arc<Mutex<Held>>,
}

/// Manifests, the most recently used first.
type Held = Vec<(Digest, Arc<Manifest>)>;

impl KnownManifests {
    /// Creates a cache that lives as long as the process.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a cache that also keeps the newest 16 manifests in files of this directory, which is created on
    /// demand for the user alone.
    #[must_use]
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self { directory: Some(CacheDirectory::new(directory, KEPT)), ..Self::default() }
    }

    /// Returns the manifest with this digest. Blocks.
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

    /// Adds `manifest`. Blocks.
    pub(super) fn keep(&self, manifest: &Arc<Manifest>) {
        let text = manifest.in_form(Form::Manifest);
        let digest = Digest::of(&text);
        self.hold(digest, manifest);
        if text.len() >= WORTH {
            // A failure only costs time when the manifest is next needed.
            let _: io::Result<()> = self.write(&digest, &text);
        }
    }

    /// Adds `manifest` without blocking the caller's thread.
    pub(super) async fn remember(&self, manifest: Arc<Manifest>) {
        let known = self.clone();
        run_blocking(move || known.keep(&manifest)).await;
    }

    /// Adds the manifest of the files that `upload` lists on a host.
    pub(super) async fn remember_listed(&self, upload: Upload) {
        let known = self.clone();
        run_blocking(move || {
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
        let text = unpacked(self.directory.as_ref()?.read(digest)?);
        if Digest::of(&text) != *digest {
            return None;
        }
        Manifest::parse(&text).ok()
    }

    fn write(&self, digest: &Digest, text: &[u8]) -> io::Result<()> {
        let Some(directory) = &self.directory else { return Ok(()) };
        directory.write(digest, &packed(text)?)
    }
}

/// Compresses the text of a manifest for the disk, if this build can.
#[cfg(feature = "compression")]
fn packed(text: &[u8]) -> io::Result<Vec<u8>> {
    zstd::encode_all(text, LEVEL)
}

/// Returns the text in a file; if it is compressed and this build cannot read that, something without the right digest.
#[cfg(feature = "compression")]
fn unpacked(file: Vec<u8>) -> Vec<u8> {
    zstd::decode_all(&file[..]).unwrap_or(file)
}

#[cfg(not(feature = "compression"))]
#[expect(clippy::unnecessary_wraps, reason = "compression may fail")]
fn packed(text: &[u8]) -> io::Result<std::borrow::Cow<'_, [u8]>> {
    Ok(text.into())
}

#[cfg(not(feature = "compression"))]
fn unpacked(file: Vec<u8>) -> Vec<u8> {
    file
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
    fn what_a_build_without_compression_kept_is_known() {
        let dir = TempDir::new().expect("a directory");
        let directory = CacheDirectory::new(dir.path(), KEPT);
        directory.write(&manifest(1).digest(), &manifest(1).in_form(Form::Manifest)).expect("it is ours");
        assert_eq!(KnownManifests::in_directory(dir.path()).get(&manifest(1).digest()), Some(manifest(1)));
    }

    #[test]
    fn what_was_meddled_with_is_not_believed() {
        let dir = TempDir::new().expect("a directory");
        KnownManifests::in_directory(dir.path()).keep(&manifest(1));
        let file = dir.path().join(manifest(1).digest().to_string());
        let other = manifest(2).in_form(Form::Manifest);
        let other = packed(&other).expect("memory");
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
