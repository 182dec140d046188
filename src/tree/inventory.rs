//! The entries of a tree while they are collected, checked against the limits.

use std::collections::HashMap;

use super::{
    Limits, Node, TreeEntry, TreeError,
    entry_path::{above, is_reserved, split_last},
    error::{Refusal, shown},
    limits::Exceeded,
    links,
};

/// The entries collected so far.
#[derive(Debug)]
pub(super) struct Inventory<'l> {
    limits: &'l Limits,
    entries: Vec<TreeEntry>,
    /// The places of the entries added by [`place`](Self::place).
    places: HashMap<Vec<u8>, Place>,
    bytes: u64,
    names: u64,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    index: usize,
    /// Whether the directory was added only because an entry lies in it, and had no entry of its own so far.
    implied: bool,
}

impl<'l> Inventory<'l> {
    pub(super) fn new(limits: &'l Limits) -> Self {
        Self { limits, entries: Vec::new(), places: HashMap::new(), bytes: 0, names: 0 }
    }

    /// Appends an entry that comes after its parents and only once, as a filesystem guarantees.
    pub(super) fn append(&mut self, entry: TreeEntry) -> Result<(), TreeError> {
        if is_reserved(&entry.path) {
            return Err(TreeError::refused(&entry.path, Refusal::Reserved));
        }
        self.count(&entry).map_err(|limit| too_large(&entry.path, limit))?;
        self.entries.push(entry);
        Ok(())
    }

    /// Adds an untrusted entry and returns its index. Adds missing parent directories before it. A later entry for
    /// such an implied directory sets its mode, and keeps its index.
    pub(super) fn place(&mut self, entry: TreeEntry) -> Result<usize, TreeError> {
        self.limits.check_path(&entry.path).map_err(|limit| too_large(&entry.path, limit))?;
        self.imply_parents(&entry.path)?;
        let Some(known) = self.places.get_mut(&entry.path) else {
            return self.insert(entry, false);
        };
        match (known.implied, &entry.node) {
            (true, Node::Directory) => {
                known.implied = false;
                self.entries[known.index].mode = entry.mode;
                Ok(known.index)
            }
            (true, _) => Err(TreeError::refused(&entry.path, Refusal::TwoKinds)),
            (false, _) => Err(TreeError::refused(&entry.path, Refusal::Duplicate)),
        }
    }

    /// Returns the entry at `path` and its index, if it was added by [`place`](Self::place).
    pub(super) fn find(&self, path: &[u8]) -> Option<(usize, &TreeEntry)> {
        let index = self.places.get(path)?.index;
        Some((index, self.entries.get(index)?))
    }

    pub(super) fn entry(&self, index: usize) -> Option<&TreeEntry> {
        self.entries.get(index)
    }

    /// Returns the entries, if their symlinks stay inside the tree.
    pub(super) fn finish(self) -> Result<Vec<TreeEntry>, TreeError> {
        links::check(&self.entries)?;
        Ok(self.entries)
    }

    /// Adds the missing directories above `path`.
    fn imply_parents(&mut self, path: &[u8]) -> Result<(), TreeError> {
        let holder = self.places.get(split_last(path).0);
        // The directories above a known directory are known too.
        if holder.is_some_and(|place| self.entries[place.index].node == Node::Directory) {
            return Ok(());
        }
        above(path).try_for_each(|directory| self.imply(directory, path))
    }

    fn imply(&mut self, directory: &[u8], below: &[u8]) -> Result<(), TreeError> {
        match self.places.get(directory).map(|place| &self.entries[place.index].node) {
            Some(Node::Directory) => Ok(()),
            Some(_) => Err(TreeError::refused(below, Refusal::Through)),
            None => self.insert(TreeEntry::new(directory.to_vec(), 0o755, Node::Directory), true).map(drop),
        }
    }

    fn insert(&mut self, entry: TreeEntry, implied: bool) -> Result<usize, TreeError> {
        let index = self.entries.len();
        let path = entry.path.clone();
        self.append(entry)?;
        self.places.insert(path, Place { index, implied });
        Ok(index)
    }

    fn count(&mut self, entry: &TreeEntry) -> Result<(), Exceeded> {
        let limits = self.limits;
        limits.check_path(&entry.path)?;
        if self.entries.len() as u64 >= limits.entries {
            return Err(Exceeded::Entries(limits.entries));
        }
        self.names = self.names.saturating_add(entry.path.len() as u64);
        match &entry.node {
            Node::Directory => {}
            Node::File { size } => self.bytes = self.bytes.saturating_add(*size),
            Node::Link { target } if target.len() > limits.path => return Err(Exceeded::Path(limits.path)),
            Node::Link { target } => self.names = self.names.saturating_add(target.len() as u64),
        }
        if self.bytes > limits.bytes {
            return Err(Exceeded::Bytes(limits.bytes));
        }
        if self.names > limits.names {
            return Err(Exceeded::Names(limits.names));
        }
        Ok(())
    }
}

fn too_large(path: &[u8], limit: Exceeded) -> TreeError {
    TreeError::TooLarge { path: shown(path), limit }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(path: &str, mode: u32) -> TreeEntry {
        TreeEntry::new(path.into(), mode, Node::Directory)
    }

    fn file(path: &str) -> TreeEntry {
        TreeEntry::new(path.into(), 0o644, Node::File { size: 1 })
    }

    fn refusal(entries: Vec<TreeEntry>) -> Option<Refusal> {
        let limits = Limits::default();
        let mut inventory = Inventory::new(&limits);
        let failed = entries.into_iter().find_map(|entry| inventory.place(entry).err());
        failed.map(|error| match error {
            TreeError::Refused { why, .. } => why,
            other => panic!("{other}"),
        })
    }

    #[test]
    fn parents_come_first_and_keep_the_mode_of_their_own_entry() {
        let limits = Limits::default();
        let mut inventory = Inventory::new(&limits);
        assert_eq!(inventory.place(file("a/b/c")).unwrap(), 2);
        assert_eq!(inventory.place(directory("a", 0o500)).unwrap(), 0);
        let entries = inventory.finish().unwrap();
        assert_eq!(entries, [directory("a", 0o700), directory("a/b", 0o755), file("a/b/c")]);
    }

    #[test]
    fn a_path_is_one_thing_once() {
        assert_eq!(refusal(vec![file("a"), file("a")]), Some(Refusal::Duplicate));
        assert_eq!(refusal(vec![directory("a", 0o755), directory("a", 0o755)]), Some(Refusal::Duplicate));
        assert_eq!(refusal(vec![file("a"), file("a/b")]), Some(Refusal::Through));
        assert_eq!(refusal(vec![file("a/b"), file("a")]), Some(Refusal::TwoKinds));
        assert_eq!(refusal(vec![file("previousVersion/b")]), Some(Refusal::Reserved));
    }

    #[test]
    fn everything_is_counted() {
        let limits = Limits { entries: 3, bytes: 2, names: 5, ..Limits::default() };
        let exceeded = |paths: &[&str]| {
            let mut inventory = Inventory::new(&limits);
            let failed = paths.iter().find_map(|path| inventory.append(file(path)).err());
            failed.map(|error| match error {
                TreeError::TooLarge { limit, .. } => limit,
                other => panic!("{other}"),
            })
        };
        assert_eq!(exceeded(&["a", "b"]), None);
        assert_eq!(exceeded(&["a", "b", "c"]), Some(Exceeded::Bytes(2)));
        assert_eq!(exceeded(&["abc", "def"]), Some(Exceeded::Names(5)));
        let limits = Limits { entries: 3, ..Limits::default() };
        let mut inventory = Inventory::new(&limits);
        let error = inventory.place(file("a/b/c/d")).expect_err("implied directories count");
        assert!(matches!(error, TreeError::TooLarge { limit: Exceeded::Entries(3), .. }), "{error:?}");
    }
}
