//! Comparing a tree with a listing of it, on the host.

use std::collections::BTreeSet;

use crate::{manifest::Surveyed, path::InnerPath};

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

/// What comparing a tree with its listing showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The tree's name; `None` when the record that was to tell it tells none.
    pub tree: Option<String>,
    /// What was found.
    pub found: Compared,
}

/// What comparing a tree with its listing showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compared {
    /// No tree of that name is there.
    NoTree,
    /// The tree has no listing.
    NoList,
    /// The tree has a listing that cannot be read.
    Unreadable(StepFailure),
    /// The lines that differ.
    Lines(Box<DifferentLines>),
}

impl Compared {
    /// The listing that a read of the file `path` found; else what is said of a tree with that one.
    pub(super) fn listing<'f>(found: Option<&'f Found>, path: &InnerPath) -> Result<&'f [u8], Self> {
        let unreadable = |kind, why: &str| Self::Unreadable(StepFailure::new(kind, format!("{path}: {why}")));
        match found {
            None => Err(Self::NoList),
            Some(Found::Content(content)) => Ok(content),
            Some(Found::TooLarge) => Err(unreadable(FailureKind::Io, "it is too long")),
            Some(Found::NotAFile(kind)) => Err(unreadable(FailureKind::WrongType, kind.with_article())),
            Some(Found::Unreadable(failure)) => Err(Self::Unreadable(failure.clone())),
        }
    }
}

/// The lines of a listing and of the tree as it is that are not the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DifferentLines {
    /// Lines of the listing whose entry is missing, or is more than another mode away from what is listed.
    pub lacking: Lines,
    /// Lines of the listing whose entry differs in its mode alone.
    pub modes: Lines,
    /// The lines of those entries as they are.
    pub found: Lines,
    /// Lines of entries that the listing says nothing of, or something else than their mode.
    pub added: Lines,
}

/// Some lines, and how many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines {
    /// How many there are.
    pub count: u64,
    /// The first of them, without their ends.
    pub some: Vec<Vec<u8>>,
}

impl Lines {
    /// How many lines an answer shows at most.
    pub(super) const SHOWN: usize = 20;

    /// How many lines that differ in a mode alone it shows: what each of those means is decided by whoever asked.
    pub(super) const MODES: usize = 1000;

    /// Whether all of them are shown.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.count == self.some.len() as u64
    }

    fn of<'l>(lines: impl Iterator<Item = &'l Vec<u8>>, limit: usize) -> Self {
        let mut all = Self::default();
        for line in lines {
            all.count += 1;
            if all.some.len() < limit {
                all.some.push(line.clone());
            }
        }
        all
    }
}

impl Comparison {
    /// What `seen` is, held against `list`, as a host that has `sort` and `uniq` finds it out: line by line.
    ///
    /// Where the root is a group's, what directories were given with it is no difference.
    pub(super) fn of(list: &[u8], seen: &[Surveyed], except: &[InnerPath], for_group: bool) -> Compared {
        let passed_over = |line: &[u8]| {
            let path = line.windows(3).position(|bytes| bytes == b" ./").map(|at| &line[at + 3..]);
            except.iter().any(|except| path == Some(except.as_str().as_bytes()))
        };
        let lines = |text: &[u8]| -> BTreeSet<Vec<u8>> {
            let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && !passed_over(line));
            lines.map(|line| if for_group { given(line) } else { line.to_vec() }).collect()
        };
        let now: Vec<u8> = seen.iter().flat_map(Surveyed::listing_line).collect();
        let (listed, now) = (lines(list), lines(&now));
        let bare = |one: &BTreeSet<Vec<u8>>, other: &BTreeSet<Vec<u8>>| -> BTreeSet<Vec<u8>> {
            one.difference(other).map(|line| without_mode(line)).collect()
        };
        let (lacking, added) = (bare(&listed, &now), bare(&now, &listed));
        let both = |line: &&Vec<u8>| [&lacking, &added].iter().all(|lines| lines.contains(&without_mode(line)));
        let mut new: Vec<_> = now.difference(&listed).filter(|line| !both(line)).collect();
        // What is nested too deep is told first.
        new.sort_by_key(|line| !line.starts_with(b"x "));
        Compared::Lines(Box::new(DifferentLines {
            lacking: Lines::of(listed.difference(&now).filter(|line| !both(line)), Lines::SHOWN),
            modes: Lines::of(listed.difference(&now).filter(both), Lines::MODES),
            found: Lines::of(now.difference(&listed).filter(both), Lines::MODES),
            added: Lines::of(new.into_iter(), Lines::SHOWN),
        }))
    }
}

/// The line of a listing without its mode, where it has one.
fn without_mode(line: &[u8]) -> Vec<u8> {
    let mut words = line.splitn(3, |byte| *byte == b' ');
    match (words.next(), words.next(), words.next()) {
        (Some(kind @ (b"d" | b"f" | b"o")), Some(_), Some(rest)) => [kind, rest].join(&b' '),
        _ => line.to_vec(),
    }
}

/// The line of a listing as it is when a directory was given to a group.
fn given(line: &[u8]) -> Vec<u8> {
    let directory = line.strip_prefix(b"d ").and_then(|line| {
        let (mode, path) = line.split_at(line.iter().position(|byte| *byte == b' ')?);
        let mode = u32::from_str_radix(std::str::from_utf8(mode).ok()?, 8).ok()?;
        Some([format!("d {:o}", (mode | GIVEN) & !0o2000).as_bytes(), path].concat())
    });
    directory.unwrap_or_else(|| line.to_vec())
}
