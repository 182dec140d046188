//! [`CacheDirectory`]: files kept for the next run, which may disappear at any time.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::PathBuf,
    time::SystemTime,
};

use rustix::fs::{Mode, OFlags};

use crate::limits;
use crate::manifest::Digest;

/// The maximum total size of the files of a directory, in bytes; the newest file stays whatever its size.
const TOTAL: u64 = 256 << 20;

/// A directory of cache files, each named by a digest. The directory has mode 0700, its files 0600.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CacheDirectory {
    path: PathBuf,
    newest: usize,
}

impl CacheDirectory {
    /// Describes the cache directory at `path`, created on the first write. It keeps the `newest` most recent files,
    /// and fewer if they are large.
    pub(crate) fn new(path: impl Into<PathBuf>, newest: usize) -> Self {
        Self { path: path.into(), newest }
    }

    /// Returns the path of the file `name`.
    pub(crate) fn file(&self, name: &Digest) -> PathBuf {
        self.path.join(name.to_string())
    }

    /// Returns the content of the file `name`, or `None` if anybody but the user could have written it.
    pub(crate) fn read(&self, name: &Digest) -> Option<Vec<u8>> {
        // NONBLOCK: opening a fifo must not wait for a writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(self.file(name), flags, Mode::empty()).ok()?);
        // From the open file, so that nobody can swap it after the check.
        let found = file.metadata().ok()?;
        let is_ours = found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o022 == 0;
        if !found.is_file() || !is_ours || found.len() > limits::CACHE {
            return None;
        }
        let mut content = Vec::new();
        file.take(limits::CACHE).read_to_end(&mut content).ok()?;
        Some(content)
    }

    /// Stores `content` as `name` atomically, and removes the oldest files beyond the limits.
    ///
    /// # Errors
    ///
    /// Fails with the system's error. The previous files are then unchanged, or some of them are removed.
    pub(crate) fn write(&self, name: &Digest, content: &[u8]) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.path)?;
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(&self.path)?;
        file.write_all(content)?;
        // Not synced: the readers verify a digest, and discard a file that a crash tore.
        file.persist(self.file(name))?;
        self.remove_oldest()
    }

    pub(crate) fn remove(&self, name: &Digest) -> io::Result<()> {
        fs::remove_file(self.file(name))
    }

    /// Removes the oldest files beyond the limits, and ignores any file that is not named by a digest.
    fn remove_oldest(&self) -> io::Result<()> {
        let written = |entry: fs::DirEntry| {
            entry.file_name().to_str()?.parse::<Digest>().ok()?;
            let found = entry.metadata().ok()?;
            Some((found.modified().ok()?, entry.path(), found.len()))
        };
        let mut kept: Vec<(SystemTime, PathBuf, u64)> =
            fs::read_dir(&self.path)?.filter_map(Result::ok).filter_map(written).collect();
        kept.sort();
        let fits = fitting(kept.iter().rev().map(|(.., size)| *size), TOTAL).min(self.newest);
        let over = kept.len() - fits.min(kept.len());
        kept.iter().take(over).try_for_each(|(_, path, _)| fs::remove_file(path))
    }
}

/// Returns how many of the files, in this order, fit into `total` bytes; at least one.
fn fitting(sizes: impl Iterator<Item = u64>, total: u64) -> usize {
    let mut sum = 0u64;
    let fits = |size: &u64| {
        sum = sum.saturating_add(*size);
        sum <= total
    };
    sizes.take_while(fits).count().max(1)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::*;

    fn name(at: usize) -> Digest {
        Digest::of(&at.to_le_bytes())
    }

    #[test]
    fn it_does_not_grow_and_removes_nothing_else() {
        let dir = TempDir::new().expect("a directory");
        let cache = CacheDirectory::new(dir.path().join("deep/er"), 3);
        cache.write(&name(0), b"0").expect("it can be written");
        fs::write(dir.path().join("deep/er/another's"), "").expect("a file");
        (1..7).for_each(|at| cache.write(&name(at), b"x").expect("it can be written"));
        assert_eq!(fs::read_dir(dir.path().join("deep/er")).expect("it is there").count(), 3 + 1);
        assert_eq!((cache.read(&name(0)), cache.read(&name(6))), (None, Some(b"x".to_vec())));
        cache.remove(&name(6)).expect("it is there");
        assert_eq!(cache.read(&name(6)), None);
    }

    #[test]
    fn large_files_make_room_for_newer_ones() {
        assert_eq!(fitting([3, 3, 3].into_iter(), 9), 3);
        assert_eq!(fitting([3, 3, 3].into_iter(), 8), 2);
        assert_eq!(fitting([u64::MAX, 1].into_iter(), 8), 1);
    }

    #[test]
    fn it_is_for_the_user_alone_and_only_what_is_so_is_read() {
        let dir = TempDir::new().expect("a directory");
        let cache = CacheDirectory::new(dir.path().join("digests"), 3);
        cache.write(&name(0), b"0").expect("it can be written");
        let mode = |path: PathBuf| fs::metadata(path).expect("it is there").mode() & 0o7777;
        assert_eq!((mode(dir.path().join("digests")), mode(cache.file(&name(0)))), (0o700, 0o600));
        fs::set_permissions(cache.file(&name(0)), fs::Permissions::from_mode(0o620)).expect("it is ours");
        assert_eq!(cache.read(&name(0)), None);
        fs::remove_file(cache.file(&name(0))).expect("it is ours");
        std::os::unix::fs::symlink("elsewhere", cache.file(&name(0))).expect("a link");
        assert_eq!(cache.read(&name(0)), None);
    }
}
