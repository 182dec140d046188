//! What of a source is hardly meant, and whether it ships a file that must not be.

use std::{path::Path, sync::atomic::Ordering};

use super::{Node, Tree, entry_path::split_last, error::shown};

/// Names under which systems of version control keep a history, be it a directory or, as in a work tree of git, a file.
const REPOSITORIES: &[&[u8]] = &[b".git", b".hg", b".svn", b".bzr", b".jj", b"_darcs"];

impl Tree {
    /// The repositories of version control in it, printable; what stands in one of them is not named again.
    pub(crate) fn repositories(&self) -> Vec<String> {
        let is_one = |path: &[u8]| REPOSITORIES.contains(&split_last(path).1);
        let all = self.entries.iter().filter(|entry| is_one(&entry.path));
        let top = all.filter(|entry| !super::entry_path::above(&entry.path).any(is_one));
        top.map(|entry| shown(&entry.path)).collect()
    }

    /// The directory that all of an archive stands in, when nobody said how many are taken off.
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

    /// Where the release has the file at `path` of this machine, printable; `None` when it does not.
    pub(crate) fn ships(&self, path: &Path) -> Option<String> {
        let inside = self.content.place_of(&path.canonicalize().ok()?)?;
        self.entries.iter().any(|entry| entry.path == inside).then(|| shown(&inside))
    }

    /// Whether this is asked for the first time: what is said of a tree is said once.
    pub(crate) fn is_new(&self) -> bool {
        !self.told.swap(true, Ordering::Relaxed)
    }
}
