//! Entries of a source that are hardly intended, and files that it must not ship.

use std::{path::Path, sync::atomic::Ordering};

use super::{Node, Tree, entry_path::split_last, error::shown};

/// Names of version control repositories: directories or, as in a git worktree, a file.
const REPOSITORIES: &[&[u8]] = &[b".git", b".hg", b".svn", b".bzr", b".jj", b"_darcs"];

impl Tree {
    /// Returns the version control repositories in the tree, printable; without those nested in another.
    pub(crate) fn repositories(&self) -> Vec<String> {
        let is_one = |path: &[u8]| REPOSITORIES.contains(&split_last(path).1);
        let all = self.entries.iter().filter(|entry| is_one(&entry.path));
        let top = all.filter(|entry| !super::entry_path::above(&entry.path).any(is_one));
        top.map(|entry| shown(&entry.path)).collect()
    }

    /// Returns the single directory that contains the whole archive, if `strip` is not configured.
    pub(crate) fn only_directory(&self) -> Option<String> {
        if !self.content.may_be_stripped() {
            return None;
        }
        let top = |path: &[u8]| path.split(|byte| *byte == b'/').next().map(<[u8]>::to_vec);
        let first = top(&self.entries.first()?.path)?;
        let is_within = |path: &[u8]| path.strip_prefix(&first[..]).is_some_and(|rest| matches!(rest, [] | [b'/', ..]));
        let mut entries = self.entries.iter();
        let holds_all =
            entries.all(|entry| is_within(&entry.path) && (entry.path != first || entry.node == Node::Directory));
        (holds_all && self.files > 0).then(|| shown(&first))
    }

    /// Returns the path in the release of the file at `path` on this machine, printable; `None` if the release does
    /// not have it.
    pub(crate) fn ships(&self, path: &Path) -> Option<String> {
        let inside = self.content.place_of(&path.canonicalize().ok()?)?;
        self.entries.iter().any(|entry| entry.path == inside).then(|| shown(&inside))
    }

    /// Whether this is the first call for the tree: warnings about it are given once.
    pub(crate) fn is_new(&self) -> bool {
        !self.told.swap(true, Ordering::Relaxed)
    }
}
