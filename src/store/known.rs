//! [`KnownManifests`]: what hosts were seen to have, remembered here.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use tokio::{runtime::Handle, task::spawn_blocking};

use crate::{
    manifest::{Digest, Form, Manifest},
    transport::Upload,
};

/// How many manifests are remembered by a process, and how many on disk.
const HELD: usize = 4;
const KEPT: usize = 16;

/// Shorter ones are read from the host in no time, and are not written here.
const WORTH: usize = 64 << 10;

/// How hard they are compressed: it happens while somebody waits.
const LEVEL: i32 = 3;

/// Manifests of releases, by their digests, so that what a host says by one digest need not be read from it.
///
/// It is a memory and nothing more: what is missing or damaged in it is read from the host, and no failure of it is told.
/// Clones share what they remember.
#[derive(Debug, Clone, Default)]
pub struct KnownManifests {
    directory: Option<PathBuf>,
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

    /// Remembers the newest in files of this directory too, which is made when it is needed, for the user alone.
    #[must_use]
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self { directory: Some(directory.into()), ..Self::default() }
    }

    /// Remembers in the user's directory for such things, `$XDG_CACHE_HOME/switchback/manifests`, where that is
    /// `~/.cache` unless it is set to an absolute path.
    #[must_use]
    pub fn of_user() -> Self {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let caches = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
        Self { directory: caches.map(|caches| caches.join("switchback/manifests")), ..Self::default() }
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

    /// Remembers what was listed on a host when `upload` was done.
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
        let path = self.directory.as_ref()?.join(digest.to_string());
        let text = zstd::decode_all(fs::File::open(path).ok()?).ok()?;
        if Digest::of(&text) != *digest {
            return None;
        }
        Manifest::parse(&text).ok()
    }

    fn write(&self, digest: &Digest, text: &[u8]) -> io::Result<()> {
        let Some(directory) = &self.directory else { return Ok(()) };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(&zstd::encode_all(text, LEVEL)?)?;
        file.persist(directory.join(digest.to_string()))?;
        forget_oldest(directory)
    }
}

/// Removes all but the newest. What does not bear a digest for a name is not ours.
fn forget_oldest(directory: &Path) -> io::Result<()> {
    let mut kept: Vec<(SystemTime, PathBuf)> =
        fs_err::read_dir(directory)?.filter_map(Result::ok).filter_map(|entry| written(&entry)).collect();
    kept.sort();
    let over = kept.len().saturating_sub(KEPT);
    kept.iter().take(over).try_for_each(|(_, path)| fs_err::remove_file(path))
}

/// When a manifest was written, and its file.
fn written(entry: &fs_err::DirEntry) -> Option<(SystemTime, PathBuf)> {
    entry.file_name().to_str()?.parse::<Digest>().ok()?;
    Some((entry.metadata().ok()?.modified().ok()?, entry.path()))
}

/// Does what blocks without holding up others, where there are any: without a runtime whoever waits is alone.
async fn apart(work: impl FnOnce() + Send + 'static) {
    match Handle::try_current() {
        // It fails only when there is no runtime any more.
        Ok(_) => drop(spawn_blocking(work).await),
        Err(_) => work(),
    }
}

#[cfg(test)]
mod tests {
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
    fn it_does_not_grow_and_removes_nothing_else() {
        let dir = TempDir::new().expect("a directory");
        fs::write(dir.path().join("another's"), "").expect("a file");
        let known = KnownManifests::in_directory(dir.path());
        (0..KEPT + 5).for_each(|mark| known.keep(&manifest(mark)));
        assert_eq!(fs::read_dir(dir.path()).expect("it is there").count(), KEPT + 1);
        assert!(dir.path().join("another's").exists());
        assert_eq!(known.held.lock().expect("nobody panicked").len(), HELD);
        // Where nothing can be written, it is known to this process.
        let known = KnownManifests::in_directory(dir.path().join("another's"));
        known.keep(&manifest(1));
        assert!(known.get(&manifest(1).digest()).is_some());
    }
}
