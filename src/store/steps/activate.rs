//! The batches that activate a release, and that remove `current`.

use crate::{
    path::InnerPath,
    store::{Current, Intent, Ready},
    time::Timestamp,
    token::Token,
    transport::{Batch, Handle, LinkText, MayFail, Op, SyncReach},
};

use super::Steps;

/// The batch that activates a release, and its important steps.
#[derive(Debug)]
pub(in crate::store) struct Activating {
    pub(in crate::store) batch: Batch,
    /// The step that writes the intent, if there is one.
    pub(in crate::store) intent: Option<Handle<()>>,
    /// The step that fails if `current` changed.
    pub(in crate::store) expect: Handle<()>,
    /// The step that fails if the release does not exist.
    pub(in crate::store) target: Handle<()>,
    /// The step that switches `current`.
    pub(in crate::store) rename: Handle<()>,
    /// The step that reads `current` back.
    pub(in crate::store) look: Handle<LinkText>,
    /// The step that reads the clock.
    pub(in crate::store) clock: Handle<MayFail<Timestamp>>,
}

impl Steps {
    /// Activates `to`: writes the intent if there is one, and replaces `current` by a symlink prepared in the lock.
    ///
    /// A lock that was taken over has taken the symlink along, so a run that wakes up late has nothing to switch with.
    pub(in crate::store) fn activate(
        &self,
        token: &Token,
        intent: Option<&Intent>,
        (expected, to): (&Current, &Ready),
    ) -> Activating {
        let mut batch = self.batch();
        let intent = intent.map(|intent| self.write_intent(&mut batch, token, intent));
        let (current, name) = (self.layout.current().clone(), to.name());
        let prepared = self.layout.held(token).join(&current);
        batch.push(Op::RemoveFile { path: prepared.clone() });
        batch.push(Op::MakeLink { path: prepared.clone(), text: self.layout.link_to(name) });
        let target = batch.push(Op::ExpectDirectory { path: self.layout.release(name) });
        let expect = batch.push(self.expect(expected));
        let rename = batch.push(Op::MoveInto { from: prepared, into: InnerPath::root() });
        batch.push(Op::Sync { paths: vec![InnerPath::root()], reach: SyncReach::Entries });
        let look = batch.push(Op::read_link(current));
        let clock = batch.push_lenient(Op::clock());
        Activating { batch, intent, expect, target, rename, look, clock }
    }

    /// Removes `current` after a failed first deploy; if it is already removed, makes that durable.
    ///
    /// Returns the step that fails if `current` changed, and the step that removes it.
    pub(in crate::store) fn deactivate(&self, token: &Token, current: &Current) -> (Batch, Handle<()>, Handle<()>) {
        let mut batch = self.batch();
        let expect = batch.push(self.expect(current));
        let mut away = expect;
        if *current != Current::Absent {
            away = batch.push(Op::MoveInto { from: self.layout.current().clone(), into: self.layout.held(token) });
        }
        batch.push(Op::Sync { paths: vec![InnerPath::root()], reach: SyncReach::Entries });
        (batch, expect, away)
    }

    /// Returns the step that compares `current` with the known state.
    pub(super) fn expect(&self, current: &Current) -> Op {
        let path = self.layout.current().clone();
        match current {
            Current::Release { link, .. } | Current::Dangling { link, .. } | Current::Outside { link } => {
                Op::ExpectLink { path, text: link.clone() }
            }
            Current::Absent | Current::NotALink(_) => Op::ExpectAbsent { path },
        }
    }
}
