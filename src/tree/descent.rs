//! [`Descent`]: a way down a directory tree that follows no link.

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

/// Goes down a tree from one open directory to the next, never by a path of more than one name: a directory that is
/// swapped for a link meanwhile is an error, and never a way out.
///
/// It keeps open the directories above the last place, so that going through a tree in order opens each of them once.
#[derive(Debug)]
pub(super) struct Descent {
    root: OwnedFd,
    open: Vec<(Vec<u8>, OwnedFd)>,
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Descent {
    /// Starts at `root`.
    pub(super) fn new(root: &Path) -> Result<Self, Errno> {
        let root = rustix::fs::open(root, DIRECTORY, Mode::empty())?;
        Ok(Self { root, open: Vec::new() })
    }

    /// What stands at `path`, be it a link.
    pub(super) fn stat(&mut self, path: &[u8]) -> Result<Stat, Errno> {
        let (directory, name) = self.holder(path)?;
        statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// The text of the link at `path`.
    pub(super) fn read_link(&mut self, path: &[u8]) -> Result<Vec<u8>, Errno> {
        let (directory, name) = self.holder(path)?;
        readlinkat(directory, name, Vec::new()).map(|text: std::ffi::CString| text.into_bytes())
    }

    /// Opens the file at `path` for reading. Does not wait, should it be a pipe by now.
    pub(super) fn open_file(&mut self, path: &[u8]) -> Result<OwnedFd, Errno> {
        let (directory, name) = self.holder(path)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        openat(directory, name, flags, Mode::empty())
    }

    /// The names in the directory at `path`, sorted; one more than `most` at most.
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

    /// The directory that holds `path`, and the last name of it.
    fn holder<'p>(&mut self, path: &'p [u8]) -> Result<(BorrowedFd<'_>, &'p [u8]), Errno> {
        let (directory, name) = split_last(path);
        Ok((self.enter(directory)?, name))
    }

    /// The directory at `path`; the root for an empty one.
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
