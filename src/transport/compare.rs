//! Comparing a tree with a listing of it, on the host.

use std::collections::BTreeSet;

use crate::{manifest::Surveyed, path::InnerPath};

use super::{FailureKind, Found, StepFailure};

/// Which tree an [`Op::CompareTree`](super::Op::CompareTree) is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeName {
    /// The one of this name (one name).
    Given(InnerPath),
    /// The one that the host reads off itself: the last name of the path that is the first line of a file. The file is read
    /// through whatever links lead to it, since all it gives is a name in the directory of trees, and one of letters, digits
    /// and `._+-` at that.
    Recorded(InnerPath),
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
    /// All that is listed is there as it is listed.
    Holds {
        /// How much else is there.
        added: u64,
        /// A few lines of it, as a listing would have them.
        some: Vec<Vec<u8>>,
    },
    /// Something is not there as it is listed.
    Differs {
        /// How many lines of the listing.
        lines: u64,
        /// Some of them.
        some: Vec<Vec<u8>>,
    },
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

impl Comparison {
    /// How many lines an answer shows at most.
    pub(super) const SHOWN: usize = 20;

    /// What `seen` is, held against `list`, as a host that has `sort` and `uniq` finds it out: line by line.
    pub(super) fn of(list: &[u8], seen: &[Surveyed], except: &[InnerPath]) -> Compared {
        let passed_over = |line: &[u8]| {
            let path = line.windows(3).position(|bytes| bytes == b" ./").map(|at| &line[at + 3..]);
            except.iter().any(|except| path == Some(except.as_str().as_bytes()))
        };
        let lines = |text: &[u8]| -> BTreeSet<Vec<u8>> {
            let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && !passed_over(line));
            lines.map(<[u8]>::to_vec).collect()
        };
        let now: Vec<u8> = seen.iter().flat_map(Surveyed::listing_line).collect();
        let (listed, now) = (lines(list), lines(&now));
        let some = |lines: Vec<&Vec<u8>>| lines.into_iter().take(Self::SHOWN).cloned().collect();
        let (lacking, mut added): (Vec<_>, Vec<_>) =
            (listed.difference(&now).collect(), now.difference(&listed).collect());
        // What is nested too deep is told first.
        added.sort_by_key(|line| !line.starts_with(b"x "));
        match (lacking.len() as u64, added.len() as u64) {
            (0, count) => Compared::Holds { added: count, some: some(added) },
            (count, _) => Compared::Differs { lines: count, some: some(lacking) },
        }
    }
}
