//! Reads a chain of directories.

use std::{fs::File, io::Read};

use rustix::{
    fs::{self, OFlags},
    io::Errno,
};

use crate::{
    limits,
    path::InnerPath,
    transport::{
        BoundedFile, ChainLink, EntryKind, FailureKind, Found, OwnedFile, Reply, StepFailure, TreeName, chain,
    },
};

use super::{
    ask::{self, Text},
    errno::{self, found},
    root::{self, Root, entry, entry_kind},
};

pub(super) fn read_chain(
    root: &Root,
    (trees, record): (&InnerPath, &BoundedFile),
    from: &TreeName,
    (lists, files): (&InnerPath, &[BoundedFile]),
    most: u32,
) -> Result<Reply, StepFailure> {
    let open = root.place(trees).and_then(|place| place.open(OFlags::RDONLY | OFlags::DIRECTORY));
    let Some(directory) = found(open).map_err(errno::on(trees))? else { return Ok(Reply::Chain(Vec::new())) };
    let read = |name: &str| {
        let path = InnerPath::new(name).map_err(|error| StepFailure::new(FailureKind::Io, error.to_string()))?;
        let there = found(root::stat(&directory, name)).map_err(errno::on(&trees.join(&path)))?;
        let is_directory = there.as_ref().is_some_and(|stat| entry_kind(stat) == EntryKind::Directory);
        let own = || ask::read_below(&directory, name.as_bytes(), &record.name, record.limit);
        let kept = lists.join(&path);
        Ok(ChainLink {
            name: name.to_owned(),
            entry: there.as_ref().map(entry),
            record: is_directory.then(own).flatten().map(|file| file.found),
            files: files.iter().map(|file| read_kept(root, &kept.join(&file.name), file.limit)).collect(),
        })
    };
    chain::follow(tree_name(root, from), most, read).map(Reply::Chain)
}

/// Reads a file that belongs to a directory; one that cannot be reached is unreadable.
fn read_kept(root: &Root, path: &InnerPath, limit: u64) -> Option<OwnedFile> {
    let unreadable = |failure| Some(OwnedFile::unowned(Found::Unreadable(failure)));
    ask::read_owned(root, path, limit).unwrap_or_else(unreadable)
}

/// Returns the tree's name; `None` when the record or symlink that should name it does not.
pub(super) fn tree_name(root: &Root, tree: &TreeName) -> Option<String> {
    match tree {
        TreeName::Given(name) => Some(name.as_str().to_owned()),
        TreeName::Recorded(record) => recorded(root, record),
        TreeName::Linked(link) => match ask::link_text(root, link) {
            Ok(Text::Link(text)) => TreeName::in_record(&text),
            Ok(Text::Other(_)) | Err(_) => None,
        },
    }
}

/// Returns the last name of the path on the first line of the file that `record` leads to.
fn recorded(root: &Root, record: &InnerPath) -> Option<String> {
    let path = record.as_str().as_bytes();
    // Opening a device or fifo may have effects, or block for ever.
    let is_file = |stat: &fs::Stat| entry_kind(stat) == EntryKind::File;
    root.resolve(path).ok().filter(is_file)?;
    let file = root.open_resolved(path).ok()?;
    // Another entry may have replaced the file since the check.
    fs::fstat(&file).ok().filter(is_file)?;
    let mut content = Vec::new();
    File::from(file).take(limits::RECORD).read_to_end(&mut content).map_err(|_| Errno::IO).ok()?;
    TreeName::in_record(&content)
}
