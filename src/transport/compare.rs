//! Comparing a tree with its manifest, on the host.

use crate::{
    manifest::{Difference, DifferenceKind, Manifest, Surveyed, is_within},
    path::InnerPath,
};

use super::{FailureKind, Found, StepFailure, group::GIVEN};

/// Which tree an [`Op::CompareTree`](super::Op::CompareTree) is about, or an [`Op::ReadChain`](super::Op::ReadChain) begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeName {
    /// The one of this name (one name).
    Given(InnerPath),
    /// The one that the host reads off itself: the last name of the path that is the first line of a file. The file is read
    /// through whatever links lead to it, since all it gives is a name in the directory of trees, and one of letters, digits
    /// and `._+-` at that.
    Recorded(InnerPath),
    /// The one that the host reads off the text of a link in the same way.
    Linked(InnerPath),
}

impl TreeName {
    /// The name that a record's first line ends with, when it is a plain one.
    pub(super) fn in_record(content: &[u8]) -> Option<String> {
        let line = content.split(|byte| *byte == b'\n').next()?;
        let name = line.rsplit(|byte| *byte == b'/').next()?;
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._+-".contains(byte);
        let name = (name.iter().all(plain) && !matches!(name, [] | [b'.' | b'-', ..])).then_some(name)?;
        String::from_utf8(name.to_vec()).ok()
    }
}

/// What comparing a tree with its manifest showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The tree's name; `None` when the record that was to tell it tells none.
    pub tree: Option<String>,
    /// What was found.
    pub found: Compared,
}

/// What comparing a tree with its manifest showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compared {
    /// No tree of that name is there.
    NoTree,
    /// The tree has no manifest.
    NoManifest,
    /// The tree has a manifest that cannot be read, or is none.
    Unreadable(StepFailure),
    /// The entries that differ.
    Entries(Box<DifferentEntries>),
}

impl Compared {
    /// The manifest that a read of the file `path` found; else what is said of a tree with that one.
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

/// The entries of a tree that are not what its manifest lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DifferentEntries {
    /// What is missing, or differs in a way that [damages](DifferenceKind::is_damage) the tree.
    pub damage: Counted<Difference>,
    /// What has another mode, which grants nobody anything.
    pub modes: Counted<Difference>,
    /// What is there that the manifest does not list; first what is nested too deep to be looked at.
    pub added: Counted<Difference>,
    /// What the manifest lists and somebody else owns.
    pub foreign: Counted<ForeignEntry>,
}

/// An entry that belongs to somebody who is not expected to own it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ForeignEntry {
    /// Its path relative to the tree.
    pub path: Vec<u8>,
    /// The user id that owns it.
    pub owner: u32,
}

/// The first of many, and how many there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted<T> {
    /// How many there are.
    pub count: u64,
    /// The first of them, a hundred at most.
    pub some: Vec<T>,
}

impl<T> Default for Counted<T> {
    fn default() -> Self {
        Self { count: 0, some: Vec::new() }
    }
}

impl<T> Counted<T> {
    /// How many of them an answer shows at most.
    const SHOWN: usize = 100;

    fn of(mut all: Vec<T>) -> Self {
        let count = all.len() as u64;
        all.truncate(Self::SHOWN);
        Self { count, some: all }
    }
}

impl DifferentEntries {
    /// These differences, by what they mean.
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

/// What a tree is expected to be, beside its manifest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'e> {
    pub(super) contents: bool,
    pub(super) owners: Option<&'e [u32]>,
    pub(super) except: &'e [InnerPath],
    /// Whether the root is a group's: what directories were given with it is no difference.
    pub(super) for_group: bool,
}

impl Expected<'_> {
    /// What a tree in which all this was seen is.
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

/// The directories that lead to these paths, which may be made for them.
pub(crate) fn above(paths: &[InnerPath]) -> Vec<InnerPath> {
    let above = |path: &InnerPath| std::iter::successors(path.parent(), InnerPath::parent).filter(|up| !up.is_root());
    paths.iter().flat_map(above).collect()
}
