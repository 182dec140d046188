//! The steps that change the host.

use std::{
    collections::BTreeSet,
    fs::File,
    io::Write,
    os::fd::{AsRawFd, OwnedFd},
};

use rustix::{
    fs::{self, AtFlags, Mode, OFlags},
    io::Errno,
};

use crate::{
    path::InnerPath,
    transport::{EntryKind, Reply, StepFailure, SyncReach},
};

use super::{
    errno::{self, Result},
    root::{Place, Root, entry_kind, file_id, make_directory},
};

type Answer = std::result::Result<Reply, StepFailure>;

/// Returns the reply of a step without a value.
fn done(path: &InnerPath, result: Result<()>) -> Answer {
    result.map(|()| Reply::Done).map_err(errno::on(path))
}

pub(super) fn make_dir(root: &Root, path: &InnerPath, mode: u32, existing_is_fine: bool) -> Answer {
    let make = || {
        let place = root.place(path)?;
        match make_directory(&place.directory, place.name, mode) {
            Err(Errno::EXIST) if existing_is_fine && entry_kind(&place.stat()?) == EntryKind::Directory => Ok(()),
            result => result.map(drop),
        }
    };
    done(path, make())
}

pub(super) fn make_link(root: &Root, path: &InnerPath, text: &[u8]) -> Answer {
    let make = || {
        let place = root.place(path)?;
        fs::symlinkat(text, &place.directory, place.name)
    };
    done(path, make())
}

pub(super) fn write_new(root: &Root, path: &InnerPath, content: &[u8], mode: u32) -> Answer {
    done(path, root.place(path).and_then(|place| write_in(&place, content, mode)))
}

/// Writes a new file that nobody ever sees, and no kill leaves, without its whole content.
pub(super) fn write_at_once(root: &Root, path: &InnerPath, content: &str, mode: u32) -> Answer {
    let write = || {
        let place = root.place(path)?;
        let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
        match fs::openat(&place.directory, ".", flags, Mode::RUSR | Mode::WUSR) {
            Ok(nameless) => name_it(nameless, &place, content, mode),
            // The filesystem does not support unnamed files.
            Err(Errno::OPNOTSUPP | Errno::ISDIR) => write_in(&place, content.as_bytes(), mode),
            Err(errno) => Err(errno),
        }
    };
    done(path, write())
}

fn name_it(nameless: OwnedFd, place: &Place<'_>, content: &str, mode: u32) -> Result<()> {
    let again = nameless.try_clone().map_err(|error| errno::of(&error))?;
    write_all(nameless, content.as_bytes(), mode)?;
    let file = format!("/proc/self/fd/{}", again.as_raw_fd());
    fs::linkat(fs::CWD, file, &place.directory, place.name, AtFlags::SYMLINK_FOLLOW)
}

/// Writes a new file with exactly this mode, or leaves nothing behind.
fn write_in(place: &Place<'_>, content: &[u8], mode: u32) -> Result<()> {
    let file = create(place)?;
    let written = write_all(file, content, mode);
    if written.is_err() {
        // A failed step must have no effect. A failure to remove the file adds nothing to the cause.
        let _ = fs::unlinkat(&place.directory, place.name, AtFlags::empty());
    }
    written
}

fn create(place: &Place<'_>) -> Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    fs::openat(&place.directory, place.name, flags, Mode::RUSR | Mode::WUSR).map_err(|errno| match errno {
        // Linux reports this for the root itself.
        Errno::ISDIR => Errno::EXIST,
        errno => errno,
    })
}

fn write_all(file: OwnedFd, content: &[u8], mode: u32) -> Result<()> {
    let mut file = File::from(file);
    file.write_all(content).map_err(|error| errno::of(&error))?;
    // Set the mode last, so that nobody else reads a part of the content.
    fs::fchmod(&file, Mode::from_raw_mode(mode))
}

pub(super) fn append(root: &Root, path: &InnerPath, content: &str, mode: u32) -> Answer {
    let place = root.place(path).map_err(errno::on(path))?;
    match errno::found(place.stat()).map_err(errno::on(path))? {
        None => done(path, write_in(&place, content.as_bytes(), mode)),
        Some(there) if entry_kind(&there) == EntryKind::File => done(path, append_to(&place, content)),
        Some(there) => Err(errno::wrong_kind(path, entry_kind(&there))),
    }
}

fn append_to(place: &Place<'_>, content: &str) -> Result<()> {
    let file = place.open(OFlags::WRONLY | OFlags::APPEND)?;
    let before = size_of(&file)?;
    let written = rustix::io::write(&file, content.as_bytes())?;
    if written == content.len() {
        return Ok(());
    }
    // Half a line would spoil the next one. A part that another process appended after it stays.
    if size_of(&file)? == before + written as u64 {
        fs::ftruncate(&file, before)?;
    }
    Err(Errno::NOSPC)
}

/// Returns the size of an open file, which must be a regular one.
fn size_of(file: &OwnedFd) -> Result<u64> {
    let stat = fs::fstat(file)?;
    if entry_kind(&stat) != EntryKind::File {
        return Err(Errno::LOOP);
    }
    Ok(u64::try_from(stat.st_size).unwrap_or(0))
}

pub(super) fn move_into(root: &Root, from: &InnerPath, into: &InnerPath) -> Answer {
    let source = root.place(from).map_err(errno::on(from))?;
    source.stat().map_err(errno::on(from))?;
    let target = root.place(into).and_then(|place| place.enter()).map_err(errno::on(into))?;
    let renamed = fs::renameat(&source.directory, source.name, target, source.name);
    renamed.map(|()| Reply::Done).map_err(errno::on(format!("{from} into {into}")))
}

/// Succeeds when there was nothing to remove.
fn or_absent(result: Result<()>) -> Result<()> {
    errno::found(result).map(drop)
}

pub(super) fn remove_file(root: &Root, path: &InnerPath) -> Answer {
    let remove = || {
        let place = root.place(path)?;
        fs::unlinkat(&place.directory, place.name, AtFlags::empty())
    };
    done(path, or_absent(remove()))
}

pub(super) fn remove_dir(root: &Root, path: &InnerPath) -> Answer {
    let remove = || {
        let place = root.place(path)?;
        fs::unlinkat(&place.directory, place.name, AtFlags::REMOVEDIR)
    };
    done(path, or_absent(remove()))
}

pub(super) fn sync(root: &Root, paths: &[InnerPath], reach: SyncReach) -> Answer {
    let mut devices = BTreeSet::new();
    for path in paths {
        let place = root.place(path).map_err(errno::on(path))?;
        match entry_kind(&place.stat().map_err(errno::on(path))?) {
            EntryKind::File | EntryKind::Directory => {}
            kind => return Err(errno::wrong_kind(path, kind)),
        }
        sync_one(&place, reach, &mut devices).map_err(errno::on(path))?;
    }
    Ok(Reply::Done)
}

fn sync_one(place: &Place<'_>, reach: SyncReach, devices: &mut BTreeSet<u64>) -> Result<()> {
    let opened = place.open(OFlags::RDONLY)?;
    match reach {
        SyncReach::Entries => fs::fsync(opened),
        // Sync each filesystem once, however many of the paths are on it.
        SyncReach::Filesystem if devices.insert(file_id(&fs::fstat(&opened)?).device) => fs::syncfs(opened),
        SyncReach::Filesystem => Ok(()),
    }
}
