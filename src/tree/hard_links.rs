//! [`HardLinks`]: archive members that link to an earlier member.

use std::collections::HashMap;

use super::{
    Limits, Node, TreeEntry, TreeError,
    error::{Refusal, shown},
    inventory::Inventory,
    limits::Exceeded,
};

/// Hard links, collected while an archive is scanned. Each becomes a file of its own: on a host, two releases
/// must never share an inode that one of them may change, and neither may two names in a release.
#[derive(Debug)]
pub(super) struct HardLinks<'l> {
    limits: &'l Limits,
    /// The index of the entry that each path links to, also through another hard link.
    origins: HashMap<Vec<u8>, usize>,
    paths: Vec<(usize, Vec<u8>)>,
}

/// A file with the content of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Copied {
    /// The entry with content in the archive.
    pub(super) origin: usize,
    /// The entry with the same content.
    pub(super) copy: usize,
}

impl<'l> HardLinks<'l> {
    pub(super) fn new(limits: &'l Limits) -> Self {
        Self { limits, origins: HashMap::new(), paths: Vec::new() }
    }

    /// Adds a link at `path` to an earlier member at `target`.
    pub(super) fn add(&mut self, path: Vec<u8>, target: &[u8], so_far: &Inventory<'_>) -> Result<(), TreeError> {
        let too_large = |limit| TreeError::TooLarge { path: shown(&path), limit };
        self.limits.check_path(&path).map_err(too_large)?;
        if self.paths.len() as u64 >= self.limits.entries {
            return Err(too_large(Exceeded::Entries(self.limits.entries)));
        }
        let entry = so_far.find(target).filter(|(_, entry)| entry.node != Node::Directory).map(|(index, _)| index);
        let Some(origin) = entry.or_else(|| self.origins.get(target).copied()) else {
            return Err(TreeError::refused(&path, Refusal::HardLink { target: shown(target) }));
        };
        self.origins.insert(path.clone(), origin);
        self.paths.push((origin, path));
        Ok(())
    }

    /// Appends all links to the entries that the archive has itself, in the order of the content they link to, so
    /// that a second reading of the archive delivers them one after the other.
    pub(super) fn place(mut self, entries: &mut Inventory<'_>) -> Result<Vec<Copied>, TreeError> {
        self.paths.sort_by_key(|(origin, _)| *origin);
        let mut copied = Vec::new();
        for (origin, path) in self.paths {
            let Some(TreeEntry { mode, node, .. }) = entries.entry(origin).cloned() else { continue };
            let is_file = matches!(node, Node::File { .. });
            let copy = entries.place(TreeEntry { path, mode, node })?;
            copied.extend(is_file.then_some(Copied { origin, copy }));
        }
        Ok(copied)
    }
}
