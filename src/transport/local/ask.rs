//! The steps that read: they change nothing, and report a missing entry instead of failing.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    os::fd::AsFd,
};

use rustix::{
    fs::{self, Access, AtFlags, Dir, OFlags},
    io::Errno,
};

use crate::{
    path::InnerPath,
    transport::{EntryKind, FailureKind, Found, Listed, OwnedFile, Reply, StepFailure},
};

use super::{
    errno::{self, Result, found},
    root::{self, Root, entry, entry_kind},
};

type Answer = std::result::Result<Reply, StepFailure>;

pub(super) fn inspect(root: &Root, path: &InnerPath) -> Answer {
    let stat = found(root.place(path).and_then(|place| place.stat())).map_err(errno::on(path))?;
    Ok(Reply::Entry(stat.as_ref().map(entry)))
}

pub(super) fn resolve(root: &Root, link: &[u8]) -> Answer {
    match root.resolve(link) {
        Ok(stat) => Ok(Reply::Entry(Some(entry(&stat)))),
        // A symlink loop, or a path through something other than a directory, is a dangling symlink too.
        Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => Ok(Reply::Entry(None)),
        Err(errno) => Err(errno::failure(String::from_utf8_lossy(link), errno)),
    }
}

pub(super) fn read_link(root: &Root, path: &InnerPath) -> Answer {
    match found(link_text(root, path)).map_err(errno::on(path))? {
        Some(Text::Link(text)) => Ok(Reply::Link(Some(text))),
        Some(Text::Other(kind)) => Err(errno::wrong_kind(path, kind)),
        None => Ok(Reply::Link(None)),
    }
}

/// The entry found where a symlink was expected.
pub(super) enum Text {
    /// A symlink with this text.
    Link(Vec<u8>),
    /// An entry of another kind.
    Other(EntryKind),
}

/// Reads the text of the symlink at `path`.
pub(super) fn link_text(root: &Root, path: &InnerPath) -> Result<Text> {
    let place = root.place(path)?;
    match entry_kind(&place.stat()?) {
        EntryKind::Link => Ok(Text::Link(fs::readlinkat(&place.directory, place.name, Vec::new())?.into_bytes())),
        other => Ok(Text::Other(other)),
    }
}

pub(super) fn read(root: &Root, path: &InnerPath, limit: u64) -> Answer {
    Ok(Reply::Content(read_owned(root, path, limit)?.map(|file| file.found)))
}

/// Reads a file, up to a limit, and its owner.
pub(super) fn read_owned(
    root: &Root,
    path: &InnerPath,
    limit: u64,
) -> std::result::Result<Option<OwnedFile>, StepFailure> {
    let place = found(root.place(path)).map_err(errno::on(path))?;
    Ok(place.and_then(|place| read_in(&place.directory, place.name, limit, path.as_str())))
}

pub(super) fn read_end(root: &Root, path: &InnerPath, limit: u64) -> Answer {
    let content = match found(root.place(path)).map_err(errno::on(path))? {
        Some(place) => read_by(&place.directory, place.name, path.as_str(), |file| read_end_of(file, limit)),
        None => None,
    };
    Ok(Reply::Content(content.map(|file| file.found)))
}

/// Reads the regular file `name` in `directory`, up to a limit.
fn read_in(directory: impl AsFd, name: &str, limit: u64, path: &str) -> Option<OwnedFile> {
    read_by(directory, name, path, |file| read_file(file, limit))
}

/// Reads the regular file `name` in `directory`, and no other kind of entry.
///
/// Opening a device may have effects, and reading a fifo may block for ever.
fn read_by(
    directory: impl AsFd,
    name: &str,
    path: &str,
    read_file: impl Fn(File) -> Result<Found>,
) -> Option<OwnedFile> {
    let read = || {
        let kind = entry_kind(&root::stat(&directory, name)?);
        if kind != EntryKind::File {
            return Ok(OwnedFile::unowned(Found::NotAFile(kind)));
        }
        let file = root::open(&directory, name, OFlags::RDONLY)?;
        // Another entry may have replaced the file since the check.
        let stat = fs::fstat(&file)?;
        let found = match entry_kind(&stat) {
            EntryKind::File => read_file(File::from(file))?,
            kind => Found::NotAFile(kind),
        };
        Ok(OwnedFile { owner: Some(stat.st_uid), found })
    };
    let unreadable = |errno| Some(OwnedFile::unowned(Found::Unreadable(errno::failure(path, errno))));
    found(read()).unwrap_or_else(unreadable)
}

fn read_file(file: File, limit: u64) -> Result<Found> {
    let mut content = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut content).map_err(|error| errno::of(&error))?;
    Ok(if content.len() as u64 > limit { Found::TooLarge } else { Found::Content(content) })
}

fn read_end_of(mut file: File, limit: u64) -> Result<Found> {
    let mut content = Vec::new();
    let read = |file: &mut File, content: &mut Vec<u8>| {
        let size = file.metadata()?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(limit)))?;
        file.take(limit).read_to_end(content)
    };
    read(&mut file, &mut content).map_err(|error| errno::of(&error))?;
    Ok(Found::Content(content))
}

pub(super) fn list(root: &Root, path: &InnerPath) -> Answer {
    let list = || {
        let directory = root.place(path)?.open(OFlags::RDONLY | OFlags::DIRECTORY)?;
        entries_of(directory)
    };
    found(list()).map(Reply::Listing).map_err(errno::on(path))
}

/// Lists the entries of an open directory.
pub(super) fn entries_of(directory: impl AsFd) -> Result<Vec<Listed>> {
    let mut entries = Vec::new();
    for item in Dir::read_from(&directory)? {
        let item = item?;
        let name = item.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        // An entry removed since its name was read does not exist.
        if let Some(stat) = found(root::stat(&directory, name))? {
            entries.push(Listed { name: name.to_bytes().to_vec(), entry: entry(&stat) });
        }
    }
    Ok(entries)
}

pub(super) fn read_each(root: &Root, path: &InnerPath, file: &InnerPath, limit: u64) -> Answer {
    let open = || root.place(path)?.open(OFlags::RDONLY | OFlags::DIRECTORY);
    let Some(directory) = found(open()).map_err(errno::on(path))? else { return Ok(Reply::Contents(Vec::new())) };
    let mut contents = Vec::new();
    for listed in entries_of(&directory).map_err(errno::on(path))? {
        if listed.entry.kind == EntryKind::Directory
            && let Some(read) = read_below(&directory, &listed.name, file, limit)
        {
            contents.push((listed.name, read));
        }
    }
    Ok(Reply::Contents(contents))
}

/// Reads `file` in the directory `name` of `directory`.
pub(super) fn read_below(directory: impl AsFd, name: &[u8], file: &InnerPath, limit: u64) -> Option<OwnedFile> {
    let path = format!("{}/{file}", String::from_utf8_lossy(name));
    match found(root::enter(directory, name)) {
        Ok(Some(inside)) => read_in(inside, file.as_str(), limit, &path),
        Ok(None) => None,
        Err(errno) => Some(OwnedFile::unowned(Found::Unreadable(errno::failure(path, errno)))),
    }
}

pub(super) fn expect_absent(root: &Root, path: &InnerPath) -> Answer {
    match inspect(root, path)? {
        Reply::Entry(Some(there)) => {
            Err(StepFailure::new(FailureKind::Exists, format!("{path}: {}", there.kind.with_article())))
        }
        _ => Ok(Reply::Done),
    }
}

pub(super) fn expect_directory(root: &Root, path: &InnerPath) -> Answer {
    match inspect(root, path)? {
        Reply::Entry(Some(there)) if there.kind == EntryKind::Directory => Ok(Reply::Done),
        Reply::Entry(Some(there)) => Err(errno::wrong_kind(path, there.kind)),
        _ => Err(errno::failure(path, Errno::NOENT)),
    }
}

pub(super) fn expect_writable(root: &Root, path: &InnerPath) -> Answer {
    expect_directory(root, path)?;
    let may_write = || {
        let directory = root.place(path)?.enter()?;
        fs::accessat(directory, ".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)
    };
    may_write().map(|()| Reply::Done).map_err(errno::on(path))
}

pub(super) fn expect_link(root: &Root, path: &InnerPath, expected: &[u8]) -> Answer {
    let there = match found(link_text(root, path)).map_err(errno::on(path))? {
        Some(Text::Link(text)) if text == expected => return Ok(Reply::Done),
        Some(Text::Link(text)) => format!("a link to {}", String::from_utf8_lossy(&text)),
        Some(Text::Other(kind)) => kind.with_article().to_owned(),
        None => "nothing".to_owned(),
    };
    let expected = String::from_utf8_lossy(expected);
    Err(StepFailure::new(FailureKind::Mismatch, format!("{path}: {there}, expected a link to {expected}")))
}
