//! The batches that take releases away: out of sight under the lock, and off the disk without it.

use crate::{
    name::ReleaseName,
    store::{Current, layout::inner},
    token::Token,
    transport::{Batch, Op, SyncReach},
};

use super::{PRIVATE, Steps};

/// The batch that moves releases to the trash, and where in it each of them moves.
#[derive(Debug)]
pub(in crate::store) struct Pruning {
    pub(in crate::store) batch: Batch,
    /// The step that finds that `current` moved.
    pub(in crate::store) expect: usize,
    /// Each release, the name of its place in the trash, and the steps that move it: both must have taken effect.
    pub(in crate::store) moves: Vec<(ReleaseName, Token, [usize; 2])>,
    /// The step that makes all that durable.
    pub(in crate::store) sync: usize,
}

impl Steps {
    /// Moves each of these releases to a place of its own in the trash, by way of the lock: a run whose lock was taken
    /// over finds none, and moves nothing.
    pub(in crate::store) fn prune(&self, token: &Token, current: &Current, releases: &[ReleaseName]) -> Pruning {
        let mut batch = self.batch();
        self.expect_lock(&mut batch, token);
        let expect = batch.push(self.expect(current));
        let (held, trash) = (self.layout.held(token), self.layout.in_state(&["trash"]));
        let mut moves = Vec::new();
        for name in releases {
            let own = Token::random();
            let withdrawn = held.join(&inner(own.as_str()));
            batch.push_lenient(Op::MakeDir { path: withdrawn.clone(), mode: PRIVATE, existing_is_fine: false });
            let out = batch.push_lenient(Op::MoveInto { from: self.layout.release(name), into: withdrawn.clone() });
            let away = batch.push_lenient(Op::MoveInto { from: withdrawn, into: trash.clone() });
            moves.push((name.clone(), own, [out, away]));
        }
        // Before anything of them is removed: what a crash brings back under its name must be whole.
        let paths = vec![self.layout.releases().clone(), held, trash];
        let sync = batch.push_lenient(Op::Sync { paths, reach: SyncReach::Entries });
        Pruning { batch, expect, moves, sync }
    }

    /// Keeps what the tool knows of releases that went and were current once, and with it their names; what it knows of
    /// the others goes with them.
    pub(in crate::store) fn forget_releases(&self, token: &Token, gone: &[(ReleaseName, bool)]) -> Batch {
        let mut batch = self.batch();
        self.expect_lock(&mut batch, token);
        let pruned = self.layout.in_state(&["pruned"]);
        batch.push_lenient(Op::MakeDir { path: pruned.clone(), mode: PRIVATE, existing_is_fine: true });
        for (name, was_current) in gone {
            let known = self.layout.in_state(&["releases", name.as_str()]);
            batch.push_lenient(match was_current {
                true => Op::MoveInto { from: known, into: pruned.clone() },
                false => Op::RemoveTree { path: known },
            });
        }
        batch
    }

    /// Removes one place of the trash for good.
    pub(in crate::store) fn empty_trash(&self, trash: &Token) -> Batch {
        let mut batch = self.batch();
        let path = self.layout.in_state(&["trash", trash.as_str()]);
        batch.push(Op::ExpectUnmounted { path: path.clone() });
        batch.push(Op::RemoveTree { path });
        batch
    }
}
