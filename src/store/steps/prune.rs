//! The batches that take releases away: out of sight under the lock, and off the disk without it.

use crate::{
    name::ReleaseName,
    path::InnerPath,
    store::{
        Current,
        layout::{LISTS, SEALED_USER, TOUCHED, UNSEALED, inner},
        query::each,
    },
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
    /// The step that tells of which releases that went before the lists are still there.
    pub(in crate::store) lists: usize,
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
        let lists = self.ask_pruned_lists(&mut batch);
        Pruning { batch, expect, moves, sync, lists }
    }

    /// Keeps the records of releases that went and were current once, and with them their names; what the tool knows of the
    /// others goes with them. Of the releases `older`, which went before, no more is kept either.
    pub(in crate::store) fn forget_releases(
        &self,
        token: &Token,
        gone: &[(ReleaseName, bool)],
        older: &[ReleaseName],
    ) -> Batch {
        let mut batch = self.batch();
        self.expect_lock(&mut batch, token);
        let pruned = self.layout.in_state(&["pruned"]);
        batch.push_lenient(Op::MakeDir { path: pruned.clone(), mode: PRIVATE, existing_is_fine: true });
        for (name, was_current) in gone {
            let known = self.layout.kept(name);
            if *was_current {
                forget_lists(&mut batch, &known);
                batch.push_lenient(Op::MoveInto { from: known, into: pruned.clone() });
            } else {
                batch.push_lenient(Op::RemoveTree { path: known });
            }
        }
        for name in older {
            forget_lists(&mut batch, &self.layout.in_state(&["pruned", name.as_str()]));
        }
        batch
    }

    /// The step that tells of which releases that older versions pruned the lists are still there.
    fn ask_pruned_lists(&self, batch: &mut Batch) -> usize {
        batch.push_lenient(each(self.layout.in_state(&["pruned"]), "manifest", 0))
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

/// Removes what only serves to verify or link a release: of one that is gone, its name and its record are enough.
fn forget_lists(batch: &mut Batch, known: &InnerPath) {
    for file in LISTS.map(|(file, _)| file).into_iter().chain(["shared", SEALED_USER, TOUCHED, UNSEALED]) {
        batch.push_lenient(Op::RemoveFile { path: known.join(&inner(file)) });
    }
}
