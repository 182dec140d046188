//! [`Chain`]: the recorded history behind a release.

use std::{collections::HashSet, fmt};

use crate::{
    name::ReleaseName,
    record::{BadRecord, PreviousVersion},
    store::{HostedRelease, Kept, RootState},
    transport::EntryKind,
};

/// The recorded history behind a release: its `previousVersion`, that release's `previousVersion`, and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chain<'s> {
    start: &'s ReleaseName,
    links: Vec<&'s HostedRelease>,
    end: ChainEnd,
}

/// The reason a chain ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ChainEnd {
    /// The release had no predecessor.
    First,
    /// The record of a release is missing or invalid.
    Broken {
        /// The release.
        at: ReleaseName,
        /// The fault of its record.
        record: BadRecord,
    },
    /// A record names a release that does not exist.
    Gone {
        /// The named release.
        name: ReleaseName,
        /// The kind of file that stands in its place, if any.
        instead: Option<EntryKind>,
    },
    /// A record names a release that is already in the chain.
    Loops {
        /// The named release.
        name: ReleaseName,
    },
}

/// Walks the chain lazily: releases behind the one that the caller looks for are never read.
#[derive(Debug)]
struct Walk<'s> {
    state: &'s RootState,
    at: &'s ReleaseName,
    passed: HashSet<&'s ReleaseName>,
    end: Option<ChainEnd>,
}

impl<'s> Walk<'s> {
    fn new(state: &'s RootState, start: &'s ReleaseName) -> Self {
        Self { state, at: start, passed: HashSet::from([start]), end: None }
    }

    fn step(&mut self) -> Result<&'s HostedRelease, ChainEnd> {
        let record = self.state.release(self.at).map_or(Err(BadRecord::Missing), |release| release.previous.clone());
        let name = match record {
            Ok(PreviousVersion::None) => return Err(ChainEnd::First),
            Ok(PreviousVersion::Release(name)) => name,
            Err(record) => return Err(ChainEnd::Broken { at: self.at.clone(), record }),
        };
        let Some(release) = self.state.release(&name) else {
            return Err(ChainEnd::Gone { instead: self.state.stranger(&name), name });
        };
        if !self.passed.insert(&release.name) {
            return Err(ChainEnd::Loops { name });
        }
        self.at = &release.name;
        Ok(release)
    }
}

impl<'s> Iterator for Walk<'s> {
    type Item = &'s HostedRelease;

    fn next(&mut self) -> Option<Self::Item> {
        if self.end.is_some() {
            return None;
        }
        self.step().map_err(|end| self.end = Some(end)).ok()
    }
}

impl<'s> Chain<'s> {
    /// Follows the records of `state` back from `start`. Visits no release twice.
    #[must_use]
    pub(crate) fn from(state: &'s RootState, start: &'s ReleaseName) -> Self {
        let mut walk = Walk::new(state, start);
        let links = walk.by_ref().collect();
        Self { start, links, end: walk.end.unwrap_or(ChainEnd::First) }
    }

    /// Returns the [`target`](Self::target) of the chain from `start`, walking no further than that.
    pub(super) fn target_from(
        state: &'s RootState,
        start: &'s ReleaseName,
        nth: usize,
    ) -> Result<Option<&'s HostedRelease>, &'s HostedRelease> {
        nth_good(Walk::new(state, start), nth)
    }

    /// Returns `true` if the chain from `start` leads to `name`.
    pub(super) fn leads(state: &'s RootState, start: &'s ReleaseName, name: &ReleaseName) -> bool {
        Walk::new(state, start).any(|release| release.name == *name)
    }

    /// Returns the releases behind the start, nearest first, including bad ones.
    #[must_use]
    pub(crate) fn links(&self) -> &[&'s HostedRelease] {
        &self.links
    }

    /// Returns the reason the chain ends.
    #[must_use]
    pub(crate) fn end(&self) -> &ChainEnd {
        &self.end
    }

    /// Returns the good releases of the chain, nearest first. A release with an unreadable mark is not known to be
    /// good.
    pub(crate) fn good(&self) -> impl Iterator<Item = &'s HostedRelease> {
        self.links.iter().copied().filter(|release| !release.bad.exists())
    }

    /// Returns the `nth` good release of the chain, counted from 0; `None` if the chain ends before it.
    ///
    /// # Errors
    ///
    /// The first release before it whose bad mark cannot be read: whether that release counts is unknown.
    pub(crate) fn target(&self, nth: usize) -> Result<Option<&'s HostedRelease>, &'s HostedRelease> {
        nth_good(self.links.iter().copied(), nth)
    }

    /// Returns `true` if `name` is in the chain.
    #[must_use]
    pub(crate) fn holds(&self, name: &ReleaseName) -> bool {
        self.links.iter().any(|link| link.name == *name)
    }
}

/// Returns the `nth` good release, counted from 0, or the first release before it whose bad mark cannot be read.
fn nth_good<'s>(
    links: impl Iterator<Item = &'s HostedRelease>,
    nth: usize,
) -> Result<Option<&'s HostedRelease>, &'s HostedRelease> {
    let mut good = 0;
    for release in links {
        match release.bad {
            Kept::Unreadable(_) => return Err(release),
            Kept::Nothing if good == nth => return Ok(Some(release)),
            Kept::Nothing => good += 1,
            Kept::Record(_) => {}
        }
    }
    Ok(None)
}

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.start)?;
        for link in &self.links {
            let bad = match link.bad {
                Kept::Nothing => "",
                Kept::Record(_) => " (bad)",
                Kept::Unreadable(_) => " (bad mark unreadable)",
            };
            write!(f, " <- {}{bad}", link.name)?;
        }
        match &self.end {
            ChainEnd::First => f.write_str(" <- none"),
            ChainEnd::Broken { record, .. } => write!(f, " <- ? ({record})"),
            ChainEnd::Gone { name, instead: None } => write!(f, " <- {name} (missing)"),
            ChainEnd::Gone { name, instead: Some(kind) } => {
                write!(f, " <- {name} ({}, not a release)", kind.with_article())
            }
            ChainEnd::Loops { name } => write!(f, " <- {name} (again: a cycle)"),
        }
    }
}
