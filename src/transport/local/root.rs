//! [`Root`]: an open deploy root, and the only access to paths inside it.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use camino::Utf8Path;
use rustix::{
    fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat},
    io::Errno,
};

use crate::{
    path::InnerPath,
    transport::{Batch, Entry, EntryKind, FailureKind, FileId, StepFailure},
};

use super::errno::{self, Result};

/// The flags that open a directory to work from: it need not be readable.
const PLACE: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// An open deploy root. Every path inside is reached from here, never through a symlink.
#[derive(Debug)]
pub(super) struct Root {
    directory: OwnedFd,
    /// Its device and inode.
    pub(super) id: FileId,
}

/// A name in an open directory.
#[derive(Debug)]
pub(super) struct Place<'p> {
    pub(super) directory: OwnedFd,
    /// The name in it; `.` for the root itself.
    pub(super) name: &'p str,
}

impl Root {
    /// Opens the root of a batch, and creates a missing one if the batch says so.
    pub(super) fn open(batch: &Batch) -> std::result::Result<Self, StepFailure> {
        let path = batch.root.as_path();
        let opened = match open_root(path) {
            // A root that existed before and disappeared must not come back empty.
            Err(Errno::NOENT) if batch.make_root && batch.pin.is_none() => make_with_parents(path),
            opened => opened,
        };
        let root = opened.map_err(errno::on(&batch.root))?;
        match batch.pin {
            Some(pin) if pin != root.id => {
                Err(StepFailure::new(FailureKind::Mismatch, format!("{}: another directory than before", batch.root)))
            }
            _ => Ok(root),
        }
    }

    /// Opens the directory that holds `path`, and returns it with the name in it.
    ///
    /// Fails with `ENOENT` when a directory on the path is missing, and with `ENOTDIR` when it is not a directory (a
    /// symlink to one included).
    pub(super) fn place<'p>(&self, path: &'p InnerPath) -> Result<Place<'p>> {
        let mut names: Vec<&str> = path.names().collect();
        let name = names.pop().unwrap_or(".");
        let directory = match &names[..] {
            [] => self.directory.try_clone().map_err(|error| errno::of(&error))?,
            [first, rest @ ..] => self.walk(first, rest)?,
        };
        Ok(Place { directory, name })
    }

    /// Opens the directory at the end of these names.
    fn walk(&self, first: &str, rest: &[&str]) -> Result<OwnedFd> {
        let path = rest.iter().fold(first.to_owned(), |path, name| path + "/" + name);
        let never_out = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        match fs::openat2(&self.directory, path, PLACE, Mode::empty(), never_out) {
            // Kernels before 5.6 lack openat2(2), some containers forbid unknown calls, and a long path is too long for
            // one call. Name by name, the error is also the same everywhere.
            Err(errno) if errno != Errno::NOENT => {
                rest.iter().try_fold(enter(&self.directory, first)?, |directory, name| enter(&directory, *name))
            }
            opened => opened,
        }
    }

    /// Returns the descriptor of the root.
    pub(super) fn fd(&self) -> &OwnedFd {
        &self.directory
    }

    /// Inspects the target of a symlink in the root with the text `text`.
    pub(super) fn resolve(&self, text: &[u8]) -> Result<Stat> {
        fs::statat(&self.directory, text, AtFlags::empty())
    }
}

impl Root {
    /// Opens the target of a symlink in the root with the text `text` for reading, without blocking.
    pub(super) fn open_resolved(&self, text: &[u8]) -> Result<OwnedFd> {
        fs::openat(&self.directory, text, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())
    }
}

impl Place<'_> {
    /// Inspects the entry, as `lstat(2)` does.
    pub(super) fn stat(&self) -> Result<Stat> {
        stat(&self.directory, self.name)
    }

    /// Opens the directory here, to work from.
    pub(super) fn enter(&self) -> Result<OwnedFd> {
        enter(&self.directory, self.name)
    }

    /// Opens the entry, unless it is a symlink.
    pub(super) fn open(&self, flags: OFlags) -> Result<OwnedFd> {
        open(&self.directory, self.name, flags)
    }
}

/// Opens the directory `name` of `directory`, to work from.
pub(super) fn enter(directory: impl AsFd, name: impl rustix::path::Arg) -> Result<OwnedFd> {
    fs::openat(directory, name, PLACE | OFlags::NOFOLLOW, Mode::empty())
}

/// Opens `name` in `directory` without blocking, unless it is a symlink.
pub(super) fn open(directory: impl AsFd, name: impl rustix::path::Arg, flags: OFlags) -> Result<OwnedFd> {
    let safely = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    fs::openat(directory, name, flags | safely, Mode::empty())
}

/// Inspects `name` in `directory`, as `lstat(2)` does.
pub(super) fn stat(directory: impl AsFd, name: impl rustix::path::Arg) -> Result<Stat> {
    fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)
}

/// Sets the permission bits of an open directory, readable or not, and keeps its setgid bit.
///
/// An inherited setgid bit determines the group of entries created in the directory. Skips a mode that is already
/// right, since any chmod by a user outside of the directory's group clears that bit.
pub(super) fn set_mode(directory: impl AsFd, mode: Mode) -> Result<()> {
    let now = Mode::from_raw_mode(fs::fstat(&directory)?.st_mode);
    let mode = mode | now & Mode::SGID;
    if now == mode {
        return Ok(());
    }
    match open(&directory, ".", OFlags::RDONLY | OFlags::DIRECTORY) {
        Ok(readable) => fs::fchmod(readable, mode),
        // The directory cannot be opened for reading, fchmod(2) refuses a descriptor opened with O_PATH, and
        // fchmodat(2) would look the name up again and might find another entry.
        Err(Errno::ACCESS) => fs::chmod(format!("/proc/self/fd/{}", directory.as_fd().as_raw_fd()), mode),
        Err(errno) => Err(errno),
    }
}

/// Creates a directory with exactly this mode, whatever the umask, and opens it to work from.
pub(super) fn make_directory(parent: impl AsFd, name: impl rustix::path::Arg + Copy, mode: u32) -> Result<OwnedFd> {
    fs::mkdirat(&parent, name, Mode::from_raw_mode(mode))?;
    let directory = enter(&parent, name)?;
    set_mode(&directory, Mode::from_raw_mode(mode))?;
    Ok(directory)
}

fn open_root(path: &Utf8Path) -> Result<Root> {
    as_root(fs::open(path.as_str(), PLACE, Mode::empty())?)
}

fn as_root(directory: OwnedFd) -> Result<Root> {
    // A lookup shows whether the directory may be entered at all, which opening it with O_PATH does not.
    let id = file_id(&stat(&directory, ".")?);
    Ok(Root { directory, id })
}

fn make_with_parents(path: &Utf8Path) -> Result<Root> {
    let mut directory = fs::open("/", PLACE, Mode::empty())?;
    for name in path.as_str().split('/').filter(|name| !name.is_empty()) {
        directory = match fs::openat(&directory, name, PLACE, Mode::empty()) {
            Err(Errno::NOENT) => match make_directory(&directory, name, 0o755) {
                // Another process created it meanwhile, or it is a dangling symlink.
                Err(Errno::EXIST) => fs::openat(&directory, name, PLACE, Mode::empty())?,
                made => made?,
            },
            opened => opened?,
        };
    }
    as_root(directory)
}

/// Returns the device and inode in `stat`.
pub(super) fn file_id(stat: &Stat) -> FileId {
    FileId { device: stat.st_dev, inode: stat.st_ino }
}

/// Returns the kind of entry in `stat`.
pub(super) fn entry_kind(stat: &Stat) -> EntryKind {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => EntryKind::Directory,
        FileType::RegularFile => EntryKind::File,
        FileType::Symlink => EntryKind::Link,
        _ => EntryKind::Other,
    }
}

/// Converts `stat` for a reply.
pub(super) fn entry(stat: &Stat) -> Entry {
    Entry {
        kind: entry_kind(stat),
        mode: stat.st_mode & 0o7777,
        owner: stat.st_uid,
        id: file_id(stat),
        size: u64::try_from(stat.st_size).unwrap_or(0),
        modified: stat.st_mtime,
    }
}
