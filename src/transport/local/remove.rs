//! Removes a whole tree and nothing else, whatever other processes do to it meanwhile.

use std::{ffi::CString, iter, os::fd::OwnedFd};

use rustix::{
    fs::{self, AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags},
    io::Errno,
};

use crate::{
    path::InnerPath,
    transport::{EntryKind, FailureKind, FileId, Reply, StepFailure},
};

use super::{
    errno::{self, Result, found},
    root::{self, Place, Root, entry_kind, file_id, set_mode},
};

/// A directory on the current path, whose files and symlinks are already removed.
struct Level {
    name: CString,
    id: FileId,
    directories: Vec<CString>,
}

pub(super) fn remove_tree(root: &Root, path: &InnerPath) -> std::result::Result<Reply, StepFailure> {
    if path.is_root() {
        return Err(StepFailure::new(FailureKind::Io, "the root itself is never removed"));
    }
    let there = root.place(path).and_then(|place| Ok((place.stat()?, place)));
    let Some((stat, place)) = found(there).map_err(errno::on(path))? else { return Ok(Reply::Done) };
    let mut levels = Vec::new();
    let removed = match entry_kind(&stat) {
        EntryKind::Directory => remove(&place, &mut levels),
        _ => fs::unlinkat(&place.directory, place.name, AtFlags::empty()),
    };
    removed.map(|()| Reply::Done).map_err(|errno| {
        let below = levels.iter().skip(1).map(|level| level.name.to_string_lossy());
        let names: Vec<_> = iter::once(path.to_string().into()).chain(below).collect();
        errno::failure(names.join("/"), errno)
    })
}

/// Removes a directory with all that it holds.
///
/// Keeps one directory open at a time, so that no depth is too deep. It goes up through `..` and compares the result
/// with the directory that it came from, since others may move a directory meanwhile.
fn remove(place: &Place<'_>, levels: &mut Vec<Level>) -> Result<()> {
    let top = file_id(&root::stat(&place.directory, ".")?);
    let name = CString::new(place.name).map_err(|_| Errno::INVAL)?;
    let mut here = descend(&place.directory, name, levels)?;
    while let Some(level) = levels.last_mut() {
        if let Some(name) = level.directories.pop() {
            here = descend(&here, name, levels)?;
            continue;
        }
        let above = match &levels[..] {
            [.., above, _] => above.id,
            _ => top,
        };
        here = ascend(&here, above)?;
        if let Some(level) = levels.pop() {
            fs::unlinkat(&here, &*level.name, AtFlags::REMOVEDIR)?;
        }
    }
    Ok(())
}

/// Opens the parent directory, which must be the one that the removal came from.
fn ascend(here: &OwnedFd, above: FileId) -> Result<OwnedFd> {
    let up = fs::openat(here, "..", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    if file_id(&fs::fstat(&up)?) == above { Ok(up) } else { Err(Errno::STALE) }
}

/// Opens the directory `name` of `parent`, removes its files and symlinks, and adds it to the path.
fn descend(parent: &OwnedFd, name: CString, levels: &mut Vec<Level>) -> Result<OwnedFd> {
    let directory = enter(parent, &name)?;
    let stat = fs::fstat(&directory)?;
    let mode = Mode::from_raw_mode(stat.st_mode);
    if !mode.contains(Mode::RWXU) {
        // If the mode cannot be changed, the operations that need it fail with their own errors.
        let _ = set_mode(&directory, mode | Mode::RWXU);
    }
    levels.push(Level { name, id: file_id(&stat), directories: Vec::new() });
    let directories = remove_files(&directory)?;
    if let Some(level) = levels.last_mut() {
        level.directories = directories;
    }
    Ok(directory)
}

/// Opens a directory to work from, if it is on the filesystem of its parent. Never enters a mount.
fn enter(parent: &OwnedFd, name: &CString) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let stay = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    match fs::openat2(parent, &**name, flags, Mode::empty(), stay) {
        // Kernels before 5.6 lack openat2(2), and some containers forbid unknown calls. Compare devices instead: that
        // finds all mounts but a bind mount of the same filesystem.
        Err(Errno::NOSYS | Errno::PERM) => {
            let directory = root::enter(parent, &**name)?;
            let same = fs::fstat(&directory)?.st_dev == fs::fstat(parent)?.st_dev;
            if same { Ok(directory) } else { Err(Errno::XDEV) }
        }
        opened => opened,
    }
}

/// Removes all entries but the directories in `directory`, and returns those.
fn remove_files(directory: &OwnedFd) -> Result<Vec<CString>> {
    let mut directories = Vec::new();
    for item in Dir::new(root::open(directory, ".", OFlags::RDONLY | OFlags::DIRECTORY)?)? {
        let item = item?;
        let name = item.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let is_directory = match item.file_type() {
            FileType::Unknown => match found(root::stat(directory, name))? {
                Some(stat) => entry_kind(&stat) == EntryKind::Directory,
                None => continue,
            },
            kind => kind == FileType::Directory,
        };
        if is_directory {
            directories.push(name.to_owned());
        } else {
            found(fs::unlinkat(directory, name, AtFlags::empty()))?;
        }
    }
    Ok(directories)
}
