//! [`Log`]: the acts of an execution, in memory.
//!
//! A phase begins an entry before it acts, and settles it by the answer; until then the effect is unknown. An undo
//! reads the entries and marks them as undone. The log is never written to hosts: after a kill, `recover` uses the
//! intent, the records, the link and the ledger.

use crate::{
    error::ErrorKind,
    plan::RevertStep,
    report::Failure,
    store::{Preparation, StoreError},
    transport::Effect,
};

/// How much of an act took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settled {
    /// Nothing.
    None,
    /// A part.
    Partial,
    /// All of it.
    Done,
    /// Unknown: its answer was lost, or has not come yet. A request may still take effect.
    Unknown,
}

impl Settled {
    /// Returns the effect according to a store's answer.
    pub(super) fn by_store<T>(answer: &Result<T, StoreError>) -> Self {
        match answer.as_ref().map_err(StoreError::effect) {
            Ok(_) => Self::Done,
            Err(Effect::Nothing) => Self::None,
            Err(Effect::Steps(_)) => Self::Partial,
            Err(Effect::Unknown) => Self::Unknown,
        }
    }

    /// Returns the effect of a command, of which no failure says how far it came.
    pub(super) fn by_command(failure: Option<&Failure>) -> Self {
        match failure {
            None => Self::Done,
            Some(why) if why.kind == ErrorKind::Unknown => Self::Unknown,
            Some(_) => Self::Partial,
        }
    }
}

/// An act on a locked host that the undo of the preparation has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HostAct {
    /// Wrote the intent ahead of a revert of data.
    Announce,
    /// Published a release, or wrote its record.
    Prepare(Box<Preparation>),
    /// Ran the `prepare` hook in the release.
    RunPrepare,
    /// Recorded the content after the hook as the manifest.
    Seal,
}

/// An act on the data of the fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DataAct {
    /// Applied a migration; with the step that reverts it.
    Apply(RevertStep),
    /// Reverted a migration.
    Revert(RevertStep),
}

/// An act, and how it ended.
#[derive(Debug)]
struct Entry<A> {
    act: A,
    settled: Settled,
    undone: bool,
}

/// The acts of an execution, oldest first.
#[derive(Debug)]
pub(super) struct Log<A> {
    entries: Vec<Entry<A>>,
}

impl<A> Default for Log<A> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<A> Log<A> {
    /// Begins an entry, before the act.
    pub(super) fn begin(&mut self, act: A) {
        self.entries.push(Entry { act, settled: Settled::Unknown, undone: false });
    }

    /// Settles the newest entry.
    pub(super) fn settle(&mut self, settled: Settled) {
        if let Some(newest) = self.entries.last_mut() {
            newest.settled = settled;
        }
    }

    /// Returns the acts that were not undone, oldest first.
    pub(super) fn standing(&self) -> impl Iterator<Item = &A> {
        self.entries.iter().filter(|entry| !entry.undone).map(|entry| &entry.act)
    }

    /// Returns `true` if a request may still take effect.
    pub(super) fn has_unknown(&self) -> bool {
        self.entries.iter().any(|entry| entry.settled == Settled::Unknown)
    }

    /// Returns the newest act, to add what its answer said.
    pub(super) fn newest_mut(&mut self) -> Option<&mut A> {
        self.entries.last_mut().map(|entry| &mut entry.act)
    }

    /// Marks the first act that `picks` accepts as undone, and returns what it picked.
    pub(super) fn undo<T: Clone>(&mut self, picks: impl Fn(&A) -> Option<&T>) -> Option<T> {
        let mut standing = self.entries.iter_mut().filter(|entry| !entry.undone);
        standing.find_map(|entry| {
            let picked = picks(&entry.act)?.clone();
            entry.undone = true;
            Some(picked)
        })
    }
}

impl Log<HostAct> {
    /// Returns the preparation, complete or partial, unless it was undone.
    pub(super) fn preparation(&self) -> Option<&Preparation> {
        self.standing().find_map(HostAct::preparation)
    }
}

impl HostAct {
    /// Returns the preparation, if the act is one.
    pub(super) fn preparation(&self) -> Option<&Preparation> {
        if let Self::Prepare(preparation) = self { Some(preparation) } else { None }
    }
}

impl DataAct {
    /// Returns the step that reverts what was applied.
    pub(super) fn applied(&self) -> Option<&RevertStep> {
        if let Self::Apply(step) = self { Some(step) } else { None }
    }

    /// Returns the reverted step.
    pub(super) fn reverted(&self) -> Option<&RevertStep> {
        if let Self::Revert(step) = self { Some(step) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_act_is_unknown_until_it_is_settled_and_stands_until_it_is_undone() {
        let mut log = Log::default();
        log.begin(HostAct::RunPrepare);
        assert!(log.has_unknown());
        log.settle(Settled::Partial);
        assert!(!log.has_unknown());
        log.begin(HostAct::Seal);
        log.settle(Settled::Done);
        assert_eq!(log.standing().count(), 2);
        let undo = |log: &mut Log<HostAct>| log.undo(|act| (*act == HostAct::Seal).then_some(act));
        assert_eq!((undo(&mut log), undo(&mut log)), (Some(HostAct::Seal), None));
        assert!(log.standing().eq([&HostAct::RunPrepare]));
    }
}
