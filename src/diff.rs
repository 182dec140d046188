//! [`ReleaseDiff`]: the entries that differ between two releases, by their manifests.

use std::{cmp::Ordering, collections::HashSet, fmt};

use serde::{Deserialize, Serialize};

use crate::{
    limits,
    manifest::{Manifest, ManifestEntry, ManifestNode, shown},
    name::ReleaseName,
};

/// The differences between two releases of a host, by their manifests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ReleaseDiff {
    /// The first release.
    #[serde(rename = "from")]
    pub from: ReleaseName,
    /// The second release.
    #[serde(rename = "to")]
    pub to: ReleaseName,
    /// The number of entries that only the second release has.
    #[serde(rename = "added")]
    pub added: u64,
    /// The number of entries that only the first release has.
    #[serde(rename = "removed")]
    pub removed: u64,
    /// The number of entries that both have and that differ.
    #[serde(rename = "changed")]
    pub changed: u64,
    /// The size of all files of the first release, in bytes.
    #[serde(rename = "bytes_before")]
    pub bytes_before: u64,
    /// The size of all files of the second release, in bytes.
    #[serde(rename = "bytes_after")]
    pub bytes_after: u64,
    /// The differences, in the byte order of their paths; ten thousand at most.
    #[serde(rename = "entries", default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<EntryDiff>,
}

/// An entry that differs between two releases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct EntryDiff {
    /// The path relative to the release, printable.
    #[serde(rename = "path")]
    pub path: String,
    /// The kind of difference.
    #[serde(rename = "change")]
    pub change: EntryChange,
    /// The entry in the first release; `None` if it was added.
    #[serde(rename = "before")]
    pub before: Option<EntryFacts>,
    /// The entry in the second release; `None` if it was removed.
    #[serde(rename = "after")]
    pub after: Option<EntryFacts>,
}

/// The kind of difference between two entries at the same path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum EntryChange {
    /// Only the second release has the entry.
    #[serde(rename = "added")]
    Added,
    /// Only the first release has the entry.
    #[serde(rename = "removed")]
    Removed,
    /// The content of a file, or the target of a symlink.
    #[serde(rename = "changed")]
    Changed,
    /// Only the permission bits.
    #[serde(rename = "mode")]
    Mode,
    /// The type of the entry.
    #[serde(rename = "type")]
    Type,
    /// A difference that only a later version knows, read back.
    #[serde(rename = "other", other)]
    Other,
}

/// An entry of a manifest, printable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct EntryFacts {
    /// The type: `file`, `directory` or `symlink`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The permission bits in octal; `None` for a symlink.
    #[serde(rename = "mode", default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// The size of a file, in bytes.
    #[serde(rename = "bytes", default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The target of a symlink, printable.
    #[serde(rename = "target", default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

impl EntryChange {
    /// Returns the difference as JSON spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Mode => "mode",
            Self::Type => "type",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for EntryChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl ReleaseDiff {
    /// Compares two releases. A directory that only one of them has counts only if it is empty: its entries show it.
    pub(crate) fn of((from, old): (&ReleaseName, &Manifest), (to, new): (&ReleaseName, &Manifest)) -> Self {
        let bytes = |manifest: &Manifest| manifest.entries().iter().map(ManifestEntry::size).sum();
        let mut diff = Self {
            from: from.clone(),
            to: to.clone(),
            added: 0,
            removed: 0,
            changed: 0,
            bytes_before: bytes(old),
            bytes_after: bytes(new),
            entries: Vec::new(),
        };
        let (old_parents, new_parents) = (parents(old), parents(new));
        let (mut before, mut after) = (old.entries().iter().peekable(), new.entries().iter().peekable());
        loop {
            let order = match (before.peek(), after.peek()) {
                (Some(one), Some(other)) => one.path.cmp(&other.path),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return diff,
            };
            let one = if order.is_le() { before.next() } else { None };
            let other = if order.is_ge() { after.next() } else { None };
            match (one, other) {
                (Some(one), None) if !old_parents.contains(&one.path[..]) => diff.add(EntryChange::Removed, one, other),
                (None, Some(other)) if !new_parents.contains(&other.path[..]) => {
                    diff.add(EntryChange::Added, other, one);
                }
                (Some(one), Some(other)) => {
                    if let Some(change) = change(&one.node, &other.node) {
                        diff.add(change, one, Some(other));
                    }
                }
                _ => {}
            }
        }
    }

    fn add(&mut self, change: EntryChange, entry: &ManifestEntry, other: Option<&ManifestEntry>) {
        match change {
            EntryChange::Added => self.added += 1,
            EntryChange::Removed => self.removed += 1,
            _ => self.changed += 1,
        }
        if self.entries.len() < limits::DIFFERENCES {
            let facts = |entry: &ManifestEntry| EntryFacts::of(&entry.node);
            let (before, after) = match change {
                EntryChange::Added => (None, Some(facts(entry))),
                _ => (Some(facts(entry)), other.map(facts)),
            };
            self.entries.push(EntryDiff { path: shown(&entry.path), change, before, after });
        }
    }
}

/// Returns the directories that the paths of a manifest lead through.
fn parents(manifest: &Manifest) -> HashSet<&[u8]> {
    let parent = |path: &'_ [u8]| path.iter().rposition(|byte| *byte == b'/');
    manifest.entries().iter().filter_map(|entry| Some(&entry.path[..parent(&entry.path)?])).collect()
}

fn change(before: &ManifestNode, after: &ManifestNode) -> Option<EntryChange> {
    let differ = |differ: bool, change: EntryChange| differ.then_some(change);
    match (before, after) {
        (ManifestNode::File { digest, .. }, ManifestNode::File { digest: other, .. }) if digest != other => {
            Some(EntryChange::Changed)
        }
        (ManifestNode::File { mode, .. }, ManifestNode::File { mode: other, .. })
        | (ManifestNode::Directory { mode }, ManifestNode::Directory { mode: other }) => {
            differ(mode != other, EntryChange::Mode)
        }
        (ManifestNode::Link { target }, ManifestNode::Link { target: other }) => {
            differ(target != other, EntryChange::Changed)
        }
        _ => Some(EntryChange::Type),
    }
}

impl EntryFacts {
    fn of(node: &ManifestNode) -> Self {
        let facts = |kind: &str| Self { kind: kind.to_owned(), mode: None, bytes: None, target: None };
        let octal = |mode: &u32| Some(format!("{mode:o}"));
        match node {
            ManifestNode::Directory { mode } => Self { mode: octal(mode), ..facts("directory") },
            ManifestNode::File { mode, size, .. } => Self { mode: octal(mode), bytes: Some(*size), ..facts("file") },
            ManifestNode::Link { target } => Self { target: Some(shown(target)), ..facts("symlink") },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Digest;

    fn file(path: &str, mode: u32, content: &str) -> ManifestEntry {
        let node = ManifestNode::File { mode, size: content.len() as u64, digest: Digest::of(content.as_bytes()) };
        ManifestEntry { path: path.into(), node }
    }

    fn directory(path: &str, mode: u32) -> ManifestEntry {
        ManifestEntry { path: path.into(), node: ManifestNode::Directory { mode } }
    }

    fn link(path: &str, target: &str) -> ManifestEntry {
        ManifestEntry { path: path.into(), node: ManifestNode::Link { target: target.into() } }
    }

    fn diff(old: Vec<ManifestEntry>, new: Vec<ManifestEntry>) -> ReleaseDiff {
        let name = |text: &str| text.parse::<ReleaseName>().expect("a name");
        ReleaseDiff::of((&name("a"), &Manifest::new(old)), (&name("b"), &Manifest::new(new)))
    }

    #[test]
    fn each_entry_that_differs_is_named_once() {
        let old = vec![
            directory("d", 0o755),
            file("d/gone", 0o644, "1"),
            directory("empty", 0o755),
            file("index.html", 0o644, "old"),
            link("l", "d"),
            file("run", 0o644, "x"),
            file("same", 0o644, "x"),
            file("was-file", 0o644, "x"),
        ];
        let new = vec![
            directory("e", 0o755),
            file("e/new\n", 0o644, "12"),
            file("index.html", 0o600, "newer"),
            link("l", "e"),
            file("run", 0o755, "x"),
            file("same", 0o644, "x"),
            link("was-file", "same"),
        ];
        let found = diff(old.clone(), new);
        let listed: Vec<String> =
            found.entries.iter().map(|entry| format!("{} {}", entry.change, entry.path)).collect();
        let expected = [
            "removed d/gone",
            "added e/new\\n",
            "removed empty",
            "changed index.html",
            "changed l",
            "mode run",
            "type was-file",
        ];
        assert_eq!(listed, expected);
        assert_eq!((found.added, found.removed, found.changed), (1, 2, 4));
        assert_eq!((found.bytes_before, found.bytes_after), (7, 9));
        assert_eq!(found.entries[3].after.as_ref().and_then(|facts| facts.bytes), Some(5));
        assert_eq!(found.entries[6].after.as_ref().and_then(|facts| facts.target.as_deref()), Some("same"));
        assert_eq!(diff(old.clone(), old).entries, []);
    }

    #[test]
    fn the_list_is_bounded_and_the_counts_are_not() {
        let many = |count: usize| (0..count).map(|at| file(&at.to_string(), 0o644, "x")).collect::<Vec<_>>();
        let found = diff(Vec::new(), many(limits::DIFFERENCES + 1));
        assert_eq!((found.added, found.entries.len()), (limits::DIFFERENCES as u64 + 1, limits::DIFFERENCES));
    }
}
