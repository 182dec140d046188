//! [`Cache`]: digests of a source's files, kept between runs.
//!
//! Without them, each deploy reads and digests the whole source: 0.3 s of processor time for 500 MB, on a processor with
//! instructions for SHA-256.

use std::{
    collections::HashMap,
    io,
    os::unix::ffi::OsStrExt,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use rustix::fs::Stat;

use crate::{cache::CacheDirectory, limits, manifest::Digest};

/// The first record of a cache.
const FORMAT: &[u8] = b"switchback digests 1";

/// The maximum number of sources with a cache; the one written longest ago goes first.
const SOURCES: usize = 32;

/// The minimum age of a file at the scan, in nanoseconds, for its times to show every later change. The coarsest
/// filesystem has a resolution of two seconds.
const OLDER: i128 = 2_000_000_000;

/// The metadata that identifies the file that was digested. It includes the change time, which nobody can set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    size: u64,
    modified: i128,
    changed: i128,
    device: i128,
    inode: i128,
}

impl Mark {
    pub(super) fn of(stat: &Stat) -> Self {
        Self {
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec),
            changed: i128::from(stat.st_ctime) * 1_000_000_000 + i128::from(stat.st_ctime_nsec),
            device: i128::from(stat.st_dev),
            inode: i128::from(stat.st_ino),
        }
    }

    /// Whether any change after `looked`, in nanoseconds of this machine's clock, would change the times.
    fn is_settled(&self, looked: i128) -> bool {
        self.modified.max(self.changed).saturating_add(OLDER) <= looked
    }
}

/// Returns this machine's time in the unit of a [`Mark`].
fn now() -> i128 {
    // A clock before 1970 gives 0, by which no file is old enough to be kept.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i128::try_from(since.as_nanos()).unwrap_or(0))
}

/// The cache of the digests of one source.
///
/// No failure is an error: a cache that cannot be read, that others may write, or that is incomplete counts as empty,
/// and one that cannot be written is skipped.
#[derive(Debug)]
pub(super) struct Cache {
    directory: CacheDirectory,
    name: Digest,
    source: Vec<u8>,
    /// The start of the scan.
    looked: i128,
}

impl Cache {
    /// A cache in `directory` for the source at the full path `source`, whose scan starts now.
    pub(super) fn new(directory: &Path, source: &Path) -> Self {
        let source = source.as_os_str().as_bytes().to_vec();
        let directory = CacheDirectory::new(directory, SOURCES);
        Self { directory, name: Digest::of(&source), source, looked: now() }
    }

    /// Returns the digests of the files whose marks are unchanged.
    pub(super) fn known<'p>(&self, files: impl Iterator<Item = (&'p [u8], Mark)>) -> HashMap<Vec<u8>, Digest> {
        let kept = self.read().unwrap_or_default();
        let still = |(path, mark): (&[u8], Mark)| {
            let (of, digest) = kept.get(path)?;
            (*of == mark).then(|| (path.to_vec(), *digest))
        };
        files.filter_map(still).collect()
    }

    /// Replaces the cached digests. Excludes files so new that a later change might not show in their times.
    pub(super) fn keep<'p>(&self, files: impl Iterator<Item = (&'p [u8], Mark, Digest)>) {
        let mut text = [FORMAT, b"\0", &self.source, b"\0"].concat();
        let empty = text.len();
        for (path, mark, digest) in files.filter(|(_, mark, _)| mark.is_settled(self.looked)) {
            let Mark { size, modified, changed, device, inode } = mark;
            text.extend_from_slice(format!("{digest} {size} {modified} {changed} {device} {inode} ").as_bytes());
            text.extend_from_slice(path);
            text.push(0);
        }
        let any = text.len() > empty;
        text.extend_from_slice(Digest::of(&text).to_string().as_bytes());
        // A failure is ignored: without a cache the next run is only slower.
        let _: io::Result<()> = match text.len() as u64 {
            0..=limits::CACHE if any => self.directory.write(&self.name, &text),
            _ => self.directory.remove(&self.name),
        };
    }

    /// Removes all digests, because one did not match its file.
    pub(super) fn forget(&self) {
        // A failure is ignored: the next run detects the wrong digest again.
        let _: io::Result<()> = self.directory.remove(&self.name);
    }

    fn read(&self) -> Option<HashMap<Vec<u8>, (Mark, Digest)>> {
        let text = self.directory.read(&self.name)?;
        let (records, sum) = text.split_at_checked(text.len().checked_sub(64)?)?;
        if Digest::of(records).to_string().as_bytes() != sum {
            return None;
        }
        let mut records = records.split(|byte| *byte == 0);
        if records.next()? != FORMAT || records.next()? != self.source {
            return None;
        }
        records.filter(|record| !record.is_empty()).map(parse).collect()
    }
}

/// Parses the record of one file.
fn parse(record: &[u8]) -> Option<(Vec<u8>, (Mark, Digest))> {
    let mut fields = record.splitn(7, |byte| *byte == b' ');
    let mut field = || fields.next().and_then(|field| str::from_utf8(field).ok());
    let digest = field()?.parse().ok()?;
    let mark = Mark {
        size: field()?.parse().ok()?,
        modified: field()?.parse().ok()?,
        changed: field()?.parse().ok()?,
        device: field()?.parse().ok()?,
        inode: field()?.parse().ok()?,
    };
    Some((fields.next()?.to_vec(), (mark, digest)))
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{MetadataExt, PermissionsExt},
        path::PathBuf,
    };

    use tempfile::TempDir;

    use super::*;

    const FILES: [&[u8]; 3] = [b"a", b"d/two words", b"new\nline \xff"];

    fn mark(size: u64) -> Mark {
        Mark { size, modified: 5, changed: -7, device: 3, inode: 11 }
    }

    fn cache(dir: &TempDir) -> Cache {
        Cache::new(&dir.path().join("deep/digests"), Path::new("/srv/source"))
    }

    fn file(cache: &Cache) -> PathBuf {
        cache.directory.file(&cache.name)
    }

    fn one() -> impl Iterator<Item = (&'static [u8], Mark, Digest)> {
        [(FILES[0], mark(1), Digest::of(b""))].into_iter()
    }

    fn filled(dir: &TempDir) -> Cache {
        let cache = cache(dir);
        cache.keep(FILES.into_iter().map(|path| (path, mark(1), Digest::of(path))));
        cache
    }

    fn known(cache: &Cache, size: u64) -> usize {
        cache.known(FILES.into_iter().map(|path| (path, mark(size)))).len()
    }

    #[test]
    fn what_is_kept_is_known_again_by_its_mark_alone() {
        let dir = TempDir::new().unwrap();
        let cache = filled(&dir);
        assert_eq!(cache.known([(FILES[1], mark(1))].into_iter()).get(FILES[1]), Some(&Digest::of(FILES[1])));
        assert_eq!((known(&cache, 1), known(&cache, 2)), (3, 0));
        for odd in [
            Mark { modified: 6, ..mark(1) },
            Mark { changed: 0, ..mark(1) },
            Mark { device: 4, ..mark(1) },
            Mark { inode: 12, ..mark(1) },
        ] {
            assert!(cache.known([(FILES[0], odd)].into_iter()).is_empty(), "{odd:?}");
        }
        assert_eq!(fs::metadata(file(&cache)).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(fs::metadata(file(&cache).parent().unwrap()).unwrap().mode() & 0o7777, 0o700);
        cache.forget();
        assert_eq!(known(&cache, 1), 0);
    }

    #[test]
    fn a_file_that_is_hardly_older_than_the_look_at_it_is_not_kept() {
        let dir = TempDir::new().unwrap();
        let cache = cache(&dir);
        for (modified, changed, is_kept) in [
            (cache.looked - OLDER, cache.looked - OLDER, true),
            (cache.looked - OLDER + 1, 0, false),
            (0, cache.looked - OLDER + 1, false),
            (cache.looked + 3600 * 1_000_000_000, 0, false),
            (i128::MAX, 0, false),
        ] {
            let mark = Mark { modified, changed, ..mark(1) };
            cache.keep([(FILES[0], mark, Digest::of(b""))].into_iter());
            assert_eq!(!cache.known([(FILES[0], mark)].into_iter()).is_empty(), is_kept, "{modified} {changed}");
        }
    }

    #[test]
    fn one_that_is_broken_foreign_or_in_the_way_counts_as_empty() {
        let dir = TempDir::new().unwrap();
        let cache = filled(&dir);
        let text = fs::read(file(&cache)).unwrap();
        let mut flipped = text.clone();
        flipped[FORMAT.len() + 20] ^= 1;
        let cut = text[..text.len() / 2].to_vec();
        let alien = [&b"switchback digests 2\0"[..], &text[FORMAT.len() + 1..text.len() - 64]].concat();
        let alien = [&alien[..], Digest::of(&alien).to_string().as_bytes()].concat();
        for broken in [flipped, cut, alien, Vec::new(), b"x".to_vec()] {
            fs::write(file(&cache), &broken).unwrap();
            assert_eq!(known(&cache, 1), 0, "{}", String::from_utf8_lossy(&broken));
        }
        fs::write(file(&cache), &text).unwrap();
        assert_eq!(known(&cache, 1), 3);
        fs::set_permissions(file(&cache), fs::Permissions::from_mode(0o620)).unwrap();
        assert_eq!(known(&cache, 1), 0);
        // A cache of another source, under the name of this one.
        let other = Cache { source: b"/srv/other".to_vec(), ..filled(&dir) };
        assert_eq!(known(&other, 1), 0);
        fs::remove_file(file(&cache)).unwrap();
        fs::create_dir(file(&cache)).unwrap();
        assert_eq!(known(&filled(&dir), 1), 0);
        let nowhere = Cache::new(&file(&cache).join("a\0b"), Path::new("/srv/source"));
        nowhere.keep(one());
        assert_eq!(known(&nowhere, 1), 0);
    }

    #[test]
    fn there_are_so_many_at_most() {
        let dir = TempDir::new().unwrap();
        for source in 0..SOURCES + 5 {
            Cache::new(dir.path(), &Path::new("/srv").join(source.to_string())).keep(one());
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), SOURCES);
    }
}
