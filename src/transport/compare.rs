//! Comparison of a tree with its manifest, on the host.

use crate::{
    manifest::{Difference, DifferenceKind, Manifest, Surveyed, is_within},
    path::InnerPath,
};

use super::{FailureKind, Found, StepFailure, group::GIVEN};

/// The tree of an [`Op::CompareTree`](super::Op::CompareTree), or the first of an
/// [`Op::ReadChain`](super::Op::ReadChain).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeName {
    /// The tree of this name (one name).
    Given(InnerPath),
    /// The tree that the first line of a file on the host names: the last name of the path on that line.
    ///
    /// The read follows any symlinks to the file, since the result is only a name in the directory of trees. It may
    /// hold only letters, digits and `._+-`.
    Recorded(InnerPath),
    /// The tree that the text of a symlink on the host names, in the same way.
    Linked(InnerPath),
}

impl TreeName {
    /// Returns the last name on a record's first line, if it is plain.
    pub(super) fn in_record(content: &[u8]) -> Option<String> {
        let line = content.split(|byte| *byte == b'\n').next()?;
        let name = line.rsplit(|byte| *byte == b'/').next()?;
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._+-".contains(byte);
        let name = (name.iter().all(plain) && !matches!(name, [] | [b'.' | b'-', ..])).then_some(name)?;
        String::from_utf8(name.to_vec()).ok()
    }
}

/// The reply to a comparison: the tree's name and the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The tree's name; `None` when the record that should name it does not.
    pub tree: Option<String>,
    /// The result.
    pub found: Compared,
}

/// The result of comparing a tree with its manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compared {
    /// No tree of that name exists.
    NoTree,
    /// The tree has no manifest.
    NoManifest,
    /// The tree has a manifest that cannot be read, or is none.
    Unreadable(StepFailure),
    /// The entries that differ.
    Entries(Box<DifferentEntries>),
}

impl Compared {
    /// Parses the manifest that a read of the file `path` found, or returns the result for a tree without one.
    pub(super) fn manifest(found: Option<&Found>, path: &InnerPath) -> Result<Manifest, Self> {
        let unreadable = |kind, why: &str| Self::Unreadable(StepFailure::new(kind, format!("{path}: {why}")));
        match found {
            None => Err(Self::NoManifest),
            Some(Found::Content(content)) => {
                Manifest::parse(content).map_err(|error| unreadable(FailureKind::Io, &error.to_string()))
            }
            Some(Found::TooLarge) => Err(unreadable(FailureKind::Io, "it is too long")),
            Some(Found::NotAFile(kind)) => Err(unreadable(FailureKind::WrongType, kind.with_article())),
            Some(Found::Unreadable(failure)) => Err(Self::Unreadable(failure.clone())),
        }
    }
}

/// The entries of a tree that differ from its manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DifferentEntries {
    /// Entries that are missing, or differ in a way that [damages](DifferenceKind::is_damage) the tree.
    pub damage: Counted<Difference>,
    /// Entries with another mode, which grants nobody any right.
    pub modes: Counted<Difference>,
    /// Entries that the manifest does not list; first those nested too deep to inspect.
    pub added: Counted<Difference>,
    /// Entries that the manifest lists and another user owns.
    pub foreign: Counted<ForeignEntry>,
}

/// An entry owned by an unexpected user.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ForeignEntry {
    /// Its path relative to the tree.
    pub path: Vec<u8>,
    /// The user id that owns it.
    pub owner: u32,
}

/// The first of many items, and their total number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted<T> {
    /// The total number.
    pub count: u64,
    /// The first items, a hundred at most.
    pub some: Vec<T>,
}

impl<T> Default for Counted<T> {
    fn default() -> Self {
        Self { count: 0, some: Vec::new() }
    }
}

impl<T> Counted<T> {
    /// The limit on the items in a reply.
    const SHOWN: usize = 100;

    fn of(mut all: Vec<T>) -> Self {
        let count = all.len() as u64;
        all.truncate(Self::SHOWN);
        Self { count, some: all }
    }
}

impl DifferentEntries {
    /// Sorts differences by what they mean.
    pub(super) fn of(mut all: Vec<Difference>, mut foreign: Vec<ForeignEntry>) -> Self {
        all.sort_by(|one, other| one.path.cmp(&other.path));
        foreign.sort();
        let is_added = |kind: &DifferenceKind| matches!(kind, DifferenceKind::Added | DifferenceKind::TooDeep);
        let (mut added, listed): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| is_added(&one.kind));
        added.sort_by_key(|one| one.kind != DifferenceKind::TooDeep);
        let (damage, modes) = listed.into_iter().partition(|one| one.kind.is_damage());
        Self {
            damage: Counted::of(damage),
            modes: Counted::of(modes),
            added: Counted::of(added),
            foreign: Counted::of(foreign),
        }
    }
}

/// The expectations on a tree beside its manifest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'e> {
    pub(super) contents: bool,
    pub(super) owners: Option<&'e [u32]>,
    pub(super) except: &'e [InnerPath],
    /// Whether the root belongs to a group: the mode bits that this gave to directories are then no difference.
    pub(super) for_group: bool,
}

impl Expected<'_> {
    /// Compares the entries `seen` in a tree with its manifest.
    pub(super) fn compare(&self, manifest: &Manifest, seen: &[Surveyed]) -> Compared {
        let found = DifferentEntries::of(self.differences(manifest, seen), self.foreign(manifest, seen));
        Compared::Entries(Box::new(found))
    }

    pub(super) fn differences(&self, manifest: &Manifest, seen: &[Surveyed]) -> Vec<Difference> {
        let except: Vec<&[u8]> = self.except.iter().map(|path| path.as_str().as_bytes()).collect();
        let above = above(self.except);
        let mut all = manifest.compare(seen, self.contents, &except);
        all.retain_mut(|found| match &mut found.kind {
            DifferenceKind::Added => above.iter().all(|path| path.as_str().as_bytes() != found.path),
            DifferenceKind::Mode { directory: true, expected, found } if self.for_group => {
                (*expected, *found) = (*expected | GIVEN & 0o777, *found | GIVEN & 0o777);
                expected != found
            }
            _ => true,
        });
        all
    }

    pub(super) fn foreign(&self, manifest: &Manifest, seen: &[Surveyed]) -> Vec<ForeignEntry> {
        let Some(owners) = self.owners else { return Vec::new() };
        let is_meant = |path: &[u8]| !self.except.iter().any(|other| is_within(path, other.as_str().as_bytes()));
        let foreign = seen.iter().filter(|entry| !owners.contains(&entry.owner));
        let foreign = foreign.filter(|entry| manifest.entry(&entry.path).is_some() && is_meant(&entry.path));
        foreign.map(|entry| ForeignEntry { path: entry.path.clone(), owner: entry.owner }).collect()
    }
}

/// Returns the directories that lead to these paths, which may be created for them.
pub(crate) fn above(paths: &[InnerPath]) -> Vec<InnerPath> {
    let above = |path: &InnerPath| std::iter::successors(path.parent(), InnerPath::parent).filter(|up| !up.is_root());
    paths.iter().flat_map(above).collect()
}
