//! The steps that look at a whole tree.

use std::{
    fs::File,
    io::Read,
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    fs::{self, OFlags},
    io::Errno,
};

use crate::{
    manifest::{Digest, Digesting, Seen, Surveyed},
    path::InnerPath,
    transport::{Compared, Comparison, Entry, EntryKind, Found, Reply, StepFailure, TreeName},
};

use super::{
    ask,
    errno::{self, Result, found},
    root::{self, Root, entry_kind},
};

type Answer = std::result::Result<Reply, StepFailure>;

/// The most that is read of a listing, in bytes.
const LIST_LIMIT: u64 = 1 << 30;

/// The most that is read of a record, in bytes.
const RECORD_LIMIT: u64 = 4 << 10;

pub(super) fn survey(root: &Root, path: &InnerPath, digests: bool) -> Answer {
    Ok(Reply::Survey(seen(root, path, digests)?))
}

/// All that lies in the directory `path`; `None` when nothing is there.
fn seen(root: &Root, path: &InnerPath, digests: bool) -> std::result::Result<Option<Vec<Surveyed>>, StepFailure> {
    let open = || root.place(path)?.open(OFlags::RDONLY | OFlags::DIRECTORY);
    let Some(directory) = found(open()).map_err(errno::on(path))? else { return Ok(None) };
    let mut survey = Survey { digests, seen: Vec::new() };
    survey.below(&directory, b"").map_err(errno::on(path))?;
    Ok(Some(survey.seen))
}

/// A survey under way.
struct Survey {
    digests: bool,
    seen: Vec<Surveyed>,
}

impl Survey {
    /// Adds all that lies in the open directory at `above`.
    fn below(&mut self, directory: &OwnedFd, above: &[u8]) -> Result<()> {
        for listed in ask::entries_of(directory)? {
            let path = if above.is_empty() { listed.name.clone() } else { [above, &listed.name].join(&b'/') };
            // What went away since it was listed is not there.
            let Some(node) = found(self.node(directory, &listed.name, &listed.entry))? else { continue };
            let is_directory = node == Seen::Directory;
            self.seen.push(Surveyed { path: path.clone(), mode: listed.entry.mode, owner: listed.entry.owner, node });
            if is_directory {
                let below = root::open(directory, &listed.name[..], OFlags::RDONLY | OFlags::DIRECTORY);
                if let Some(below) = found(below)? {
                    self.below(&below, &path)?;
                }
            }
        }
        Ok(())
    }

    fn node(&self, directory: &OwnedFd, name: &[u8], entry: &Entry) -> Result<Seen> {
        Ok(match entry.kind {
            EntryKind::Directory => Seen::Directory,
            EntryKind::File => {
                let digest = if self.digests { digest(directory, name) } else { None };
                Seen::File { size: entry.size, digest }
            }
            EntryKind::Link => Seen::Link { target: fs::readlinkat(directory, name, Vec::new())?.into_bytes() },
            EntryKind::Other => Seen::Other,
        })
    }
}

/// The digest of a regular file, when it can be read.
fn digest(directory: impl AsFd, name: &[u8]) -> Option<Digest> {
    let file = root::open(directory, name, OFlags::RDONLY).ok()?;
    let is_file = entry_kind(&fs::fstat(&file).ok()?) == EntryKind::File;
    is_file.then(|| Digesting::new(File::from(file)).finish().ok()).flatten()
}

pub(super) fn compare(
    root: &Root,
    trees: &InnerPath,
    name: &TreeName,
    (lists, list): (&InnerPath, &InnerPath),
    except: &[InnerPath],
) -> Answer {
    let tree = match name {
        TreeName::Given(name) => Some(name.as_str().to_owned()),
        TreeName::Recorded(record) => recorded(root, record),
    };
    let Some(name) = tree.as_deref().and_then(|name| InnerPath::new(name).ok()) else {
        return Ok(Reply::Comparison(Comparison { tree: None, found: Compared::NoTree }));
    };
    let path = lists.join(&name).join(list);
    let listed = match ask::read(root, &path, LIST_LIMIT) {
        Ok(Reply::Content(found)) => found,
        Ok(_) => None,
        Err(failure) => Some(Found::Unreadable(failure)),
    };
    let found = match (seen(root, &trees.join(&name), false)?, Compared::listing(listed.as_ref(), &path)) {
        (None, _) => Compared::NoTree,
        (Some(seen), Ok(listed)) => Comparison::of(listed, &seen, except),
        (Some(_), Err(otherwise)) => otherwise,
    };
    Ok(Reply::Comparison(Comparison { tree, found }))
}

/// The name that the first line of the file that `record` leads to ends with.
fn recorded(root: &Root, record: &InnerPath) -> Option<String> {
    let path = record.as_str().as_bytes();
    // Opening what is no file may have effects, or last for ever.
    let is_file = |stat: &fs::Stat| entry_kind(stat) == EntryKind::File;
    root.resolve(path).ok().filter(is_file)?;
    let file = root.open_resolved(path).ok()?;
    fs::fstat(&file).ok().filter(is_file)?;
    let mut content = Vec::new();
    File::from(file).take(RECORD_LIMIT).read_to_end(&mut content).map_err(|_| Errno::IO).ok()?;
    TreeName::in_record(&content)
}
