//! The batches that remove releases: into the trash under the lock, and off the disk without it.

use crate::{
    name::ReleaseName,
    path::InnerPath,
    store::{
        Current,
        layout::{LISTS, SEALED_USER, TOUCHED, UNSEALED, inner},
        query::each,
    },
    token::Token,
    transport::{Batch, Contents, Handle, MayFail, Op, SyncReach},
};

use super::{LockedBatch, PRIVATE, Steps};

/// The batch that moves releases to the trash, and its important steps.
#[derive(Debug)]
pub(in crate::store) struct Pruning {
    pub(in crate::store) batch: LockedBatch,
    pub(in crate::store) moves: Vec<Move>,
    /// The step that makes the moves durable.
    pub(in crate::store) sync: Handle<MayFail<()>>,
    /// The step that finds releases pruned by older versions whose lists still exist.
    pub(in crate::store) lists: Handle<MayFail<Contents>>,
}

/// The two steps that move a release to the trash, both of which must succeed.
#[derive(Debug)]
pub(in crate::store) struct Move {
    pub(in crate::store) name: ReleaseName,
    /// Its directory in the trash.
    pub(in crate::store) trash: Token,
    /// The step that moves it into the lock.
    pub(in crate::store) out: Handle<MayFail<()>>,
    /// The step that moves it on to the trash.
    pub(in crate::store) away: Handle<MayFail<()>>,
}

impl Steps {
    /// Moves each of these releases to a directory of its own in the trash, through the lock: a run that lost its
    /// lock finds none, and moves nothing.
    pub(in crate::store) fn prune(&self, token: &Token, current: &Current, releases: &[ReleaseName]) -> Pruning {
        let mut batch = self.locked(token);
        batch.expect_current(self.expect(current));
        let (held, trash) = (self.layout.held(token), self.layout.in_state(&["trash"]));
        let mut moves = Vec::new();
        for name in releases {
            let own = Token::random();
            let withdrawn = held.join(&inner(own.as_str()));
            batch.push_lenient(Op::MakeDir { path: withdrawn.clone(), mode: PRIVATE, existing_is_fine: false });
            let out = batch.push_lenient(Op::MoveInto { from: self.layout.release(name), into: withdrawn.clone() });
            let away = batch.push_lenient(Op::MoveInto { from: withdrawn, into: trash.clone() });
            moves.push(Move { name: name.clone(), trash: own, out, away });
        }
        // Synced before any of their files is removed: a release that a crash brings back under its name must be
        // complete.
        let paths = vec![self.layout.releases().clone(), held, trash];
        let sync = batch.push_lenient(Op::Sync { paths, reach: SyncReach::Entries });
        let lists = batch.push_lenient(each(self.layout.in_state(&["pruned"]), "manifest", 0));
        Pruning { batch, moves, sync, lists }
    }

    /// Keeps the records, and thereby the names, of pruned releases that were once current.
    ///
    /// Removes their lists, the lists of the releases `older`, which older versions pruned, and everything kept for
    /// other releases.
    pub(in crate::store) fn forget_releases(
        &self,
        token: &Token,
        gone: &[(ReleaseName, bool)],
        older: &[ReleaseName],
    ) -> LockedBatch {
        let mut batch = self.locked(token);
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

    /// Removes one directory of the trash for good.
    pub(in crate::store) fn empty_trash(&self, trash: &Token) -> Batch {
        let mut batch = self.batch();
        let path = self.layout.in_state(&["trash", trash.as_str()]);
        // A removal must not descend into another filesystem.
        batch.push(Op::ExpectUnmounted { path: path.clone() });
        batch.push(Op::RemoveTree { path });
        batch
    }
}

/// Removes the files that only serve to verify or link a release; a pruned one needs only its name and its
/// record.
fn forget_lists(batch: &mut Batch, known: &InnerPath) {
    for file in LISTS.map(|(file, _)| file).into_iter().chain(["shared", SEALED_USER, TOUCHED, UNSEALED]) {
        batch.push_lenient(Op::RemoveFile { path: known.join(&inner(file)) });
    }
}
