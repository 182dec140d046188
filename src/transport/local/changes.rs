//! The steps that find changes in a tree.

use std::os::fd::OwnedFd;

use rustix::{
    fs::{self, Stat},
    io::Errno,
};

use crate::{
    limits,
    manifest::{Seen, Surveyed},
    path::InnerPath,
    transport::{
        Changes, EntryKind, FailureKind, Found, Reply, Snapped, StepFailure,
        changes::{END, line, lines, listed},
    },
};

use super::{
    ask, change,
    errno::{self, Result, found},
    root::{self, Root, entry_kind},
    survey,
    upload::open_below,
};

type Answer = std::result::Result<Reply, StepFailure>;

pub(super) fn snapshot(root: &Root, tree: &InnerPath, list: &InnerPath, into: &InnerPath, mode: u32) -> Answer {
    let missing = |path: &InnerPath| errno::failure(path, Errno::NOENT);
    let mut tree = Tree::open(root, tree)?.ok_or_else(|| missing(tree))?;
    let list = content(root, list)?.ok_or_else(|| missing(list))?;
    let mut text = Vec::new();
    for path in listed(&list) {
        // An entry that cannot be inspected gets no line either: nothing vouches for its state then.
        if let Ok(Some(stat)) = tree.stat(path) {
            text.extend(line_of(path, &stat));
            text.push(b'\n');
        }
    }
    text.extend_from_slice(END);
    text.push(b'\n');
    change::write_new(root, into, &text, mode)
}

pub(super) fn changes(root: &Root, tree: &InnerPath, since: &InnerPath) -> Answer {
    let (Some(mut open), Some(snapshot)) = (Tree::open(root, tree)?, content(root, since)?) else {
        return Ok(Reply::Changes(None));
    };
    let torn = || StepFailure::new(FailureKind::Mismatch, format!("{since} is torn"));
    let mut changes = Changes::default();
    for line in lines(&snapshot).ok_or_else(torn)? {
        let Some(before) = Snapped::read(line) else { continue };
        let failed = |errno| errno::failure(format!("{tree}/{}", String::from_utf8_lossy(&before.path)), errno);
        let now = open.stat(&before.path).map_err(failed)?;
        if now.as_ref().map(|stat| line_of(&before.path, stat)).as_deref() != Some(line) {
            if let Some(stat) = now {
                changes.now.extend(open.entry(&before.path, &stat).map_err(failed)?);
            }
            changes.before.push(before);
        }
    }
    Ok(Reply::Changes(Some(changes)))
}

/// Reads a file that this tool wrote; `None` when it does not exist.
fn content(root: &Root, path: &InnerPath) -> std::result::Result<Option<Vec<u8>>, StepFailure> {
    let failed = |kind, why: &str| Err(StepFailure::new(kind, format!("{path}: {why}")));
    match ask::read(root, path, limits::LISTING)? {
        Reply::Content(None) => Ok(None),
        Reply::Content(Some(Found::Content(content))) => Ok(Some(content)),
        Reply::Content(Some(Found::Unreadable(why))) => Err(why),
        Reply::Content(Some(Found::NotAFile(kind))) => failed(FailureKind::WrongType, kind.with_article()),
        _ => failed(FailureKind::Io, "it is too long"),
    }
}

fn line_of(path: &[u8], stat: &Stat) -> Vec<u8> {
    let version = format!("{} {}.{:09}", stat.st_ino, stat.st_ctime, stat.st_ctime_nsec);
    line(path, (stat.st_mode, stat.st_uid, u64::try_from(stat.st_size).unwrap_or(0)), &version)
}

/// An open tree, with a cache of one directory.
struct Tree {
    top: OwnedFd,
    /// The directory used last: most paths come directory by directory.
    last: Option<(Vec<u8>, OwnedFd)>,
}

impl Tree {
    fn open(root: &Root, path: &InnerPath) -> std::result::Result<Option<Self>, StepFailure> {
        let top = found(root.place(path).and_then(|place| place.enter())).map_err(errno::on(path))?;
        Ok(top.map(|top| Self { top, last: None }))
    }

    /// Inspects the entry at `path`; `None` when it does not exist, or an entry above it is not a directory.
    fn stat(&mut self, path: &[u8]) -> Result<Option<Stat>> {
        let Some((directory, name)) = self.place(path)? else { return Ok(None) };
        found(root::stat(directory, name))
    }

    /// Reads the entry at `path`, which has the attributes `stat`, with its content.
    fn entry(&mut self, path: &[u8], stat: &Stat) -> Result<Option<Surveyed>> {
        let Some((directory, name)) = self.place(path)? else { return Ok(None) };
        let node = match entry_kind(stat) {
            EntryKind::Directory => Seen::Directory,
            EntryKind::File => {
                Seen::File { size: u64::try_from(stat.st_size).unwrap_or(0), digest: survey::digest(directory, name) }
            }
            EntryKind::Link => Seen::Link { target: fs::readlinkat(directory, name, Vec::new())?.into_bytes() },
            EntryKind::Other => Seen::Other,
        };
        Ok(Some(Surveyed { path: path.to_vec(), mode: stat.st_mode & 0o7777, owner: stat.st_uid, node }))
    }

    /// Opens the directory of `path` through no symlink, and returns it with the entry's name.
    fn place<'p>(&mut self, path: &'p [u8]) -> Result<Option<(&OwnedFd, &'p [u8])>> {
        let (above, name) = path.iter().rposition(|byte| *byte == b'/').map_or((&b""[..], path), |at| {
            let (above, name) = path.split_at(at);
            (above, &name[1..])
        });
        if self.last.as_ref().is_none_or(|(last, _)| last != above) {
            self.last = match open_below(&self.top, above) {
                Ok(directory) => Some((above.to_vec(), directory)),
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => None,
                Err(errno) => return Err(errno),
            };
        }
        Ok(self.last.as_ref().map(|(_, directory)| (directory, name)))
    }
}
