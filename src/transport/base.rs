//! [`Base`]: what an upload need not bring, since a release on the host has it.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    manifest::{Form, Manifest, ManifestEntry, ManifestNode},
    path::InnerPath,
};

/// A tree on the host, and the files of the new one that it holds already.
#[derive(Debug, Clone)]
pub struct Base {
    /// The directory that they are copied from, inside the root.
    pub from: InnerPath,
    /// What is copied: files alone, as they must be in the new tree.
    pub files: Manifest,
    /// What the host keeps in writing of the tree that is copied from, when it does.
    pub lists: Option<BaseLists>,
}

/// The lists of a tree on the host, so that of new ones only the difference need be sent.
///
/// A carrier that makes lists out of these holds what it made against what it must be, and fails with
/// [`FailureKind::Mismatch`](super::FailureKind::Mismatch) when it is not. One that sends all of each new list passes over these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseLists {
    /// What they list.
    pub manifest: Arc<Manifest>,
    /// Where they stand, inside the root, each in its form.
    pub places: Vec<(InnerPath, Form)>,
}

impl Base {
    /// What of the tree `new` is copied from the directory `from`, which holds what `old` says; `None` when nothing is.
    ///
    /// A file is copied when path, size and digest are the same. Its mode may be another. Names that a line cannot hold
    /// as they are, and files that their owner may not read, are sent.
    #[must_use]
    pub fn between(from: InnerPath, old: &Manifest, new: &Manifest) -> Option<Self> {
        let same = |entry: &&ManifestEntry| is_plain(&entry.path) && is_same(old, entry);
        let files: Vec<ManifestEntry> = new.entries().iter().filter(same).cloned().collect();
        (!files.is_empty()).then(|| Self { from, files: Manifest::new(files), lists: None })
    }

    /// The file at `path` of the new tree, when it is copied.
    #[must_use]
    pub fn file(&self, path: &[u8]) -> Option<&ManifestEntry> {
        self.files.entry(path)
    }

    /// How many files are copied, and how many bytes they hold.
    #[must_use]
    pub fn size(&self) -> (u64, u64) {
        let files = self.files.entries();
        (files.len() as u64, files.iter().map(ManifestEntry::size).sum())
    }

    /// The modes that the files have.
    pub(super) fn modes(&self) -> BTreeSet<u32> {
        self.files.entries().iter().filter_map(mode).collect()
    }

    /// The files that have this mode.
    pub(super) fn of_mode(&self, wanted: u32) -> impl Iterator<Item = &ManifestEntry> {
        self.files.entries().iter().filter(move |entry| mode(entry) == Some(wanted))
    }
}

fn mode(entry: &ManifestEntry) -> Option<u32> {
    if let ManifestNode::File { mode, .. } = entry.node { Some(mode) } else { None }
}

fn is_plain(path: &[u8]) -> bool {
    str::from_utf8(path).is_ok_and(|path| !path.contains(|c: char| c == '\\' || c.is_control()))
}

fn is_same(old: &Manifest, new: &ManifestEntry) -> bool {
    match (old.entry(&new.path).map(|entry| &entry.node), &new.node) {
        (
            Some(ManifestNode::File { mode, size, digest }),
            ManifestNode::File { size: new_size, digest: new_digest, .. },
        ) => mode & 0o400 != 0 && size == new_size && digest == new_digest,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Digest;

    fn manifest(files: &[(&[u8], u32, &[u8])]) -> Manifest {
        let entry = |(path, mode, content): &(&[u8], u32, &[u8])| {
            let node = ManifestNode::File { mode: *mode, size: content.len() as u64, digest: Digest::of(content) };
            ManifestEntry { path: path.to_vec(), node }
        };
        Manifest::new(files.iter().map(entry).collect())
    }

    #[test]
    fn what_is_equal_and_has_a_plain_name_is_copied() {
        let old = manifest(&[
            (b"same", 0o644, b"1"),
            (b"moded", 0o644, b"22"),
            (b"changed", 0o644, b"1"),
            (b"new\nline", 0o644, b"1"),
            (b"\xff", 0o644, b"1"),
            (b"back\\slash", 0o644, b"1"),
            (b"shut", 0o200, b"1"),
            (b"gone", 0o644, b"1"),
        ]);
        let new = manifest(&[
            (b"same", 0o644, b"1"),
            (b"moded", 0o755, b"22"),
            (b"changed", 0o644, b"2"),
            (b"new\nline", 0o644, b"1"),
            (b"\xff", 0o644, b"1"),
            (b"back\\slash", 0o644, b"1"),
            (b"shut", 0o644, b"1"),
            (b"added", 0o644, b"1"),
        ]);
        let from = || "releases/a".parse().expect("a path");
        let base = Base::between(from(), &old, &new).expect("something is equal");
        assert_eq!(base.files, manifest(&[(b"same", 0o644, b"1"), (b"moded", 0o755, b"22")]));
        assert_eq!(base.size(), (2, 3));
        assert_eq!(base.modes().into_iter().collect::<Vec<_>>(), [0o644, 0o755]);
        assert_eq!(base.of_mode(0o755).map(|entry| &entry.path[..]).collect::<Vec<_>>(), [b"moded"]);
        assert!(base.file(b"same").is_some() && base.file(b"changed").is_none());
        assert!(Base::between(from(), &old, &manifest(&[(b"x", 0o644, b"")])).is_none());
    }
}
