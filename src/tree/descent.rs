//! [`Descent`]: a walk down a directory tree that follows no symlink.

use std::{
    ffi::CStr,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{AtFlags, Dir, Mode, OFlags, Stat, openat, readlinkat, statat},
    io::Errno,
};

use super::entry_path::split_last;

/// Walks a tree from one open directory to the next, one name at a time: if a directory is swapped for a symlink
/// meanwhile, that is an error, and never a way out of the tree.
///
/// It keeps the directories above the last path open, so that a walk in order opens each directory once.
#[derive(Debug)]
pub(super) struct Descent {
    root: OwnedFd,
    open: Vec<(Vec<u8>, OwnedFd)>,
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Descent {
    pub(super) fn new(root: &Path) -> Result<Self, Errno> {
        let root = rustix::fs::open(root, DIRECTORY, Mode::empty())?;
        Ok(Self { root, open: Vec::new() })
    }

    /// Returns the metadata of the entry at `path`, without following a symlink.
    pub(super) fn stat(&mut self, path: &[u8]) -> Result<Stat, Errno> {
        let (directory, name) = self.holder(path)?;
        statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Returns the target of the symlink at `path`.
    pub(super) fn read_link(&mut self, path: &[u8]) -> Result<Vec<u8>, Errno> {
        let (directory, name) = self.holder(path)?;
        readlinkat(directory, name, Vec::new()).map(|text: std::ffi::CString| text.into_bytes())
    }

    /// Opens the file at `path` for reading. Does not block if it has become a fifo.
    pub(super) fn open_file(&mut self, path: &[u8]) -> Result<OwnedFd, Errno> {
        let (directory, name) = self.holder(path)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        openat(directory, name, flags, Mode::empty())
    }

    /// Returns the names in the directory at `path`, sorted; at most one more than `most`.
    pub(super) fn names(&mut self, path: &[u8], most: u64) -> Result<Vec<Vec<u8>>, Errno> {
        let mut names = Vec::new();
        for entry in Dir::read_from(self.enter(path)?)? {
            let name = CStr::to_bytes(entry?.file_name()).to_vec();
            if !matches!(&name[..], b"." | b"..") {
                names.push(name);
            }
            if names.len() as u64 > most {
                break;
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Returns the parent directory of `path`, and the last name.
    fn holder<'p>(&mut self, path: &'p [u8]) -> Result<(BorrowedFd<'_>, &'p [u8]), Errno> {
        let (directory, name) = split_last(path);
        Ok((self.enter(directory)?, name))
    }

    /// Opens the directory at `path`; an empty path is the root.
    fn enter(&mut self, path: &[u8]) -> Result<BorrowedFd<'_>, Errno> {
        let names = || path.split(|byte| *byte == b'/').filter(|name| !name.is_empty());
        let kept = self.open.iter().zip(names()).take_while(|((open, _), name)| open == name).count();
        self.open.truncate(kept);
        for name in names().skip(kept) {
            let directory = openat(self.last(), name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?;
            self.open.push((name.to_vec(), directory));
        }
        Ok(self.last())
    }

    fn last(&self) -> BorrowedFd<'_> {
        self.open.last().map_or(self.root.as_fd(), |(_, directory)| directory.as_fd())
    }
}
