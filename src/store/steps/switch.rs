//! The batches that switch `current` and take it away.

use crate::{
    path::InnerPath,
    store::{Current, Intent, Switch},
    token::Token,
    transport::{Batch, Op, SyncReach},
};

use super::Steps;

/// The batch that switches, and where in it the switch is.
#[derive(Debug)]
pub(in crate::store) struct Switching {
    pub(in crate::store) batch: Batch,
    /// The step that finds that `current` moved.
    pub(in crate::store) expect: usize,
    /// The step that finds the release gone.
    pub(in crate::store) target: usize,
    /// The switch itself.
    pub(in crate::store) switch: usize,
    /// The step that reads it back.
    pub(in crate::store) look: usize,
    /// The step that asks the clock.
    pub(in crate::store) clock: usize,
}

impl Steps {
    /// Switches: writes the intent when that was not done yet, and replaces `current` by the link prepared in the lock.
    /// A lock that was taken over has taken the link along, so a run that wakes up late has nothing to switch with.
    pub(in crate::store) fn switch(&self, token: &Token, intent: Option<&Intent>, switch: &Switch) -> Switching {
        let mut batch = self.batch();
        if let Some(intent) = intent {
            self.write_intent(&mut batch, token, intent);
        }
        let (current, name) = (self.layout.current().clone(), &switch.to.name);
        let prepared = self.layout.held(token).join(&current);
        batch.push(Op::RemoveFile { path: prepared.clone() });
        batch.push(Op::MakeLink { path: prepared.clone(), text: self.layout.link_to(name) });
        let target = batch.push(Op::ExpectDirectory { path: self.layout.release(name) });
        let expect = batch.push(self.expect(&switch.expected));
        let at = batch.push(Op::MoveInto { from: prepared, into: InnerPath::root() });
        batch.push(Op::Sync { paths: vec![InnerPath::root()], reach: SyncReach::Entries });
        let look = batch.push(Op::ReadLink { path: current });
        let clock = batch.push_lenient(Op::Clock);
        Switching { batch, expect, target, switch: at, look, clock }
    }

    /// Takes `current` away, after a first deploy that failed; where it is away already, makes that durable. Returns
    /// the step that finds that it moved, and the one after which it is away.
    pub(in crate::store) fn deactivate(&self, token: &Token, current: &Current) -> (Batch, usize, usize) {
        let mut batch = self.batch();
        let expect = batch.push(self.expect(current));
        let mut away = expect;
        if *current != Current::Absent {
            away = batch.push(Op::MoveInto { from: self.layout.current().clone(), into: self.layout.held(token) });
        }
        batch.push(Op::Sync { paths: vec![InnerPath::root()], reach: SyncReach::Entries });
        (batch, expect, away)
    }

    /// The step that holds `current` against what it was when it was read.
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
