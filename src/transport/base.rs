//! [`Base`]: the files that an upload copies from a release on the host instead of sending them.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    manifest::{Form, Manifest, ManifestEntry, ManifestNode},
    path::InnerPath,
};

/// A tree on the host, and the files of the new tree that it already holds.
#[derive(Debug, Clone)]
pub struct Base {
    /// The directory to copy from, inside the root.
    pub from: InnerPath,
    /// The files to copy, with the attributes that they have in the new tree. Holds files only.
    pub files: Manifest,
    /// The lists that the host keeps of the tree to copy from, if any.
    pub lists: Option<BaseLists>,
}

/// The lists of a tree on the host, so that only the difference to a new list need be sent.
///
/// A transport that builds new lists from these verifies the result and fails with
/// [`FailureKind::Mismatch`](super::FailureKind::Mismatch) when it differs. A transport that sends each new list whole
/// ignores them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseLists {
    /// The manifest that the lists were written from.
    pub manifest: Arc<Manifest>,
    /// Paths of the lists, inside the root, each with its form.
    pub places: Vec<(InnerPath, Form)>,
}

impl Base {
    /// Returns the files of the tree `new` to copy from the directory `from`, whose manifest is `old`.
    ///
    /// `None` when there are none. A file is copied when its path, size and digest are equal; its mode may differ.
    /// Files are sent when their name does not fit on a line unescaped or when their owner may not read them.
    #[must_use]
    pub fn between(from: InnerPath, old: &Manifest, new: &Manifest) -> Option<Self> {
        let same = |entry: &&ManifestEntry| is_plain(&entry.path) && is_same(old, entry);
        let files: Vec<ManifestEntry> = new.entries().iter().filter(same).cloned().collect();
        (!files.is_empty()).then(|| Self { from, files: Manifest::new(files), lists: None })
    }

    /// Returns the file at `path` of the new tree, if it is copied.
    #[must_use]
    pub fn file(&self, path: &[u8]) -> Option<&ManifestEntry> {
        self.files.entry(path)
    }

    /// Returns the number of files to copy and their total size in bytes.
    #[must_use]
    pub fn size(&self) -> (u64, u64) {
        let files = self.files.entries();
        (files.len() as u64, files.iter().map(ManifestEntry::size).sum())
    }

    /// Returns the modes of the files, each once.
    pub(super) fn modes(&self) -> BTreeSet<u32> {
        self.files.entries().iter().filter_map(mode).collect()
    }

    /// Returns the files with the mode `wanted`.
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
