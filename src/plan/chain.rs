//! [`Chain`]: the recorded way back from a release.

use std::{collections::HashSet, fmt};

use crate::{
    name::ReleaseName,
    record::{BadRecord, PreviousVersion},
    store::{HostedRelease, Kept, RootState},
    transport::EntryKind,
};

/// The recorded way back from a release: what its `previousVersion` names, what that one's names, and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain<'s> {
    start: &'s ReleaseName,
    links: Vec<&'s HostedRelease>,
    end: ChainEnd,
}

/// How a chain ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChainEnd {
    /// At a release before which nothing was.
    First,
    /// At a release whose record is missing or means nothing.
    Broken {
        /// The release.
        at: ReleaseName,
        /// What is wrong with its record.
        record: BadRecord,
    },
    /// At a record that names a release which is not there.
    Gone {
        /// The release it names.
        name: ReleaseName,
        /// What stands in its place, if anything.
        instead: Option<EntryKind>,
    },
    /// At a record that names a release the chain came by already.
    Loops {
        /// The release it names.
        name: ReleaseName,
    },
}

/// The releases on the recorded way back, one by one: what lies behind the one that somebody looks for is not asked for.
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
    /// The way back from `start`, as the records of `state` tell it. Never walks a release twice.
    #[must_use]
    pub fn from(state: &'s RootState, start: &'s ReleaseName) -> Self {
        let mut walk = Walk::new(state, start);
        let links = walk.by_ref().collect();
        Self { start, links, end: walk.end.unwrap_or(ChainEnd::First) }
    }

    /// The [`target`](Self::target) on the way back from `start`, which is walked no further than that.
    ///
    /// # Errors
    ///
    /// As [`target`](Self::target).
    pub(super) fn target_from(
        state: &'s RootState,
        start: &'s ReleaseName,
        nth: usize,
    ) -> Result<Option<&'s HostedRelease>, &'s HostedRelease> {
        nth_good(Walk::new(state, start), nth)
    }

    /// Whether the way back from `start` leads to `name`.
    pub(super) fn leads(state: &'s RootState, start: &'s ReleaseName, name: &ReleaseName) -> bool {
        Walk::new(state, start).any(|release| release.name == *name)
    }

    /// The releases on the way, nearest first, bad ones too; without the one it starts from.
    #[must_use]
    pub fn links(&self) -> &[&'s HostedRelease] {
        &self.links
    }

    /// How it ends.
    #[must_use]
    pub fn end(&self) -> &ChainEnd {
        &self.end
    }

    /// The good releases on the way, nearest first. One whose mark cannot be read is not known to be good.
    pub fn good(&self) -> impl Iterator<Item = &'s HostedRelease> {
        self.links.iter().copied().filter(|release| !release.bad.exists())
    }

    /// The `nth` good release on the way, counted from 0; `None` where the way ends before it.
    ///
    /// # Errors
    ///
    /// A release before it whose bad mark cannot be read: whether it counts is not known.
    pub fn target(&self, nth: usize) -> Result<Option<&'s HostedRelease>, &'s HostedRelease> {
        nth_good(self.links.iter().copied(), nth)
    }

    /// Whether `name` lies on the way.
    #[must_use]
    pub fn holds(&self, name: &ReleaseName) -> bool {
        self.links.iter().any(|link| link.name == *name)
    }
}

/// The `nth` good release of these, counted from 0, or one before it of which that is not known.
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
            ChainEnd::Gone { name, instead: None } => write!(f, " <- {name} (not there)"),
            ChainEnd::Gone { name, instead: Some(kind) } => {
                write!(f, " <- {name} ({}, no release)", kind.with_article())
            }
            ChainEnd::Loops { name } => write!(f, " <- {name} (again: the records run in a circle)"),
        }
    }
}
