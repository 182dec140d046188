//! The batches that take the lock and give it back.

use std::ops::Range;

use crate::{
    lock::LockOwner,
    name::ReleaseName,
    outcome::Command,
    path::InnerPath,
    store::{
        layout::inner,
        query::{LEDGERS, Query, STATE_LIMIT},
    },
    token::Token,
    transport::{Batch, Op, SyncReach},
};

use super::{MARKS, PRIVATE, PRIVATE_FILE, Steps, json};

/// The batch that takes the lock, and where in it the lock is taken.
#[derive(Debug)]
pub(in crate::store) struct Taking {
    pub(in crate::store) batch: Batch,
    /// The step that takes the old lock away, when there is one to fence off.
    pub(in crate::store) fence: Option<usize>,
    /// The step that takes the lock: one rename, which fails when somebody else holds it.
    pub(in crate::store) take: usize,
    /// The steps that find that the host's rename is not what it must be.
    pub(in crate::store) proof: Range<usize>,
    pub(in crate::store) query: Query,
}

/// What is read in the exchange that takes the lock.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) enum Reads<'n> {
    /// All releases.
    Releases,
    /// The way back from what is current, and from this release.
    WayBack(Option<&'n ReleaseName>),
}

impl Steps {
    /// Takes the lock with `token`, after taking the lock `old` away when there is one, and reads the root.
    ///
    /// The lock is made complete in a private place and then renamed onto `lock`, which can succeed only when nothing or
    /// an empty directory stands there. So it is never seen half made, and whoever holds it has something in it.
    pub(in crate::store) fn take_lock(
        &self,
        token: &Token,
        owner: &LockOwner,
        old: Option<&Token>,
        reads: &Reads<'_>,
    ) -> Taking {
        let mut batch = self.batch();
        batch.make_root = owner.command.brings_content();
        self.enter(&mut batch);
        self.mark_live(&mut batch, token);
        let private = self.layout.in_state(&["tmp", token.as_str()]);
        let lock = private.join(&inner("lock"));
        let held = lock.join(&inner(token.as_str()));
        for path in [&private, &lock, &held] {
            batch.push(Op::MakeDir { path: path.clone(), mode: PRIVATE, existing_is_fine: false });
        }
        self.expect_writable(&mut batch);
        batch.push(Op::WriteNew { path: held.join(&inner("owner")), content: json(owner), mode: PRIVATE_FILE });
        batch.push(Op::MarkProcess { path: held.join(&inner("process")) });
        // Before the lock bears its name: what a power cut leaves must still tell whose it was.
        let files = ["owner", "process"].map(|file| held.join(&inner(file)));
        let paths = std::iter::once(self.live(token)).chain(files).chain([held.clone()]).collect();
        batch.push(Op::Sync { paths, reach: SyncReach::Entries });
        let proof = prove_rename(&mut batch, &private, &held);
        let fence = old.map(|old| {
            batch.push(Op::MoveInto { from: self.layout.held(old), into: self.layout.in_state(&["journal"]) })
        });
        let take = batch.push(Op::MoveInto { from: lock, into: self.layout.state().clone() });
        self.forget(&mut batch, token);
        let mut query = match reads {
            // Who takes over a tree reads all of it.
            _ if owner.command == Command::Adopt => Query::add_to(&mut batch, &self.layout),
            Reads::Releases => Query::add_short(&mut batch, &self.layout),
            Reads::WayBack(also) => Query::add_chain(&mut batch, &self.layout, *also),
        };
        self.look_below(&mut batch, &mut query, token);
        if owner.command.brings_content() {
            query.shared = Some(self.add_shared(&mut batch));
        }
        // A rollback asks when it has switched: nobody waits for it before.
        if owner.command != Command::Rollback {
            batch.push(Op::Clock);
        }
        Taking { batch, fence, take, proof, query }
    }

    /// Asks what only a holder of the lock wants to know.
    fn look_below(&self, batch: &mut Batch, query: &mut Query, token: &Token) {
        // Whose that is, and so who works here, is told with the rest.
        query.made = Some(batch.push(Op::Inspect { path: self.layout.held(token) }));
        query.group = self.ask_group(batch);
        let ledgers = LEDGERS.map(|names| Op::Read { path: self.layout.in_state(names), limit: 0 });
        query.ledger = ledgers.map(|read| batch.push_lenient(read)).first().copied();
        query.marks = Some(batch.push_lenient(Op::Read { path: self.layout.in_state(&[MARKS]), limit: STATE_LIMIT }));
    }

    /// Reads all releases under the lock `token`.
    pub(in crate::store) fn read_again(&self, token: &Token) -> (Batch, Query) {
        let mut batch = self.batch();
        let mut query = Query::add_short(&mut batch, &self.layout);
        self.look_below(&mut batch, &mut query, token);
        (batch, query)
    }

    /// Reads these releases under the lock `token`, and so many on the way back from each.
    pub(in crate::store) fn read_links(&self, token: &Token, names: &[ReleaseName], most: u32) -> (Batch, Query) {
        let mut batch = self.batch();
        let mut query = Query::add_links(&mut batch, &self.layout, names, most);
        query.made = Some(batch.push(Op::Inspect { path: self.layout.held(token) }));
        (batch, query)
    }

    /// Leaves the lock `token` as that of an operation that was interrupted, with what it was about to do.
    pub(in crate::store) fn leave_lock(&self, batch: &mut Batch, token: &Token) -> usize {
        let journal = self.layout.in_state(&["journal"]);
        let left = batch.push(Op::MoveInto { from: self.layout.held(token), into: journal });
        batch.push_lenient(Op::RemoveDir { path: self.layout.lock() });
        left
    }

    /// Gives back the lock `token`. A lock that was taken over has another token, and is not touched.
    pub(in crate::store) fn release_lock(&self, batch: &mut Batch, token: &Token) -> usize {
        let trash = self.layout.in_state(&["trash"]);
        let released = batch.push(Op::MoveInto { from: self.layout.held(token), into: trash.clone() });
        batch.push_lenient(Op::RemoveDir { path: self.layout.lock() });
        batch.push_lenient(Op::RemoveTree { path: trash.join(&inner(token.as_str())) });
        released
    }
}

/// Does in private what the switch will do: renames a link over a link to a directory. A host that moves it *into*
/// the directory instead, or refuses, cannot switch atomically.
fn prove_rename(batch: &mut Batch, private: &InnerPath, held: &InnerPath) -> Range<usize> {
    let name = inner("proof");
    batch.push(Op::MakeLink { path: held.join(&name), text: b".".to_vec() });
    batch.push(Op::MakeLink { path: private.join(&name), text: b"..".to_vec() });
    let rename = batch.push(Op::MoveInto { from: private.join(&name), into: held.clone() });
    let look = batch.push(Op::ExpectLink { path: held.join(&name), text: b"..".to_vec() });
    rename..look + 1
}
