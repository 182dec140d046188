//! The batches that take and release the lock.

use crate::{
    limits,
    lock::LockOwner,
    name::ReleaseName,
    outcome::Command,
    path::InnerPath,
    store::{
        layout::inner,
        query::{LEDGERS, Query},
    },
    token::Token,
    transport::{Batch, Handle, Op, SyncReach},
};

use super::{Entered, MARKS, PRIVATE, PRIVATE_FILE, Steps, json};

/// The batch that takes the lock, and its important steps.
#[derive(Debug)]
pub(in crate::store) struct Taking {
    pub(in crate::store) batch: Batch,
    pub(in crate::store) entered: Entered,
    /// The step that removes the old lock, if there is one to fence off.
    pub(in crate::store) fence: Option<Handle<()>>,
    /// The step that takes the lock: one rename, which fails if somebody else holds it.
    pub(in crate::store) take: Handle<()>,
    /// The steps that fail on a host whose rename is not atomic as required.
    pub(in crate::store) proof: [Handle<()>; 2],
    pub(in crate::store) query: Query,
}

/// The releases to read in the exchange that takes the lock.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) enum Reads<'n> {
    /// All releases.
    Releases,
    /// The chains behind the current release and this one.
    WayBack(Option<&'n ReleaseName>),
}

impl Steps {
    /// Takes the lock with `token`, after removing the lock `old` if there is one, and reads the root.
    ///
    /// The lock is completed in a private place and then renamed onto `lock`, which succeeds only if nothing or an
    /// empty directory is there. Nobody therefore sees an incomplete lock, and a held lock is never empty.
    pub(in crate::store) fn take_lock(
        &self,
        token: &Token,
        owner: &LockOwner,
        old: Option<&Token>,
        reads: &Reads<'_>,
    ) -> Taking {
        let mut batch = self.batch();
        batch.make_root = owner.command.brings_content();
        let entered = self.enter(&mut batch);
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
        // Synced before the lock has its name: after a power cut, a leftover lock must still tell whose it was.
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
            // An adoption reads the whole tree.
            _ if owner.command == Command::Adopt => Query::add_to(&mut batch, &self.layout),
            Reads::Releases => Query::add_short(&mut batch, &self.layout),
            Reads::WayBack(also) => Query::add_chain(&mut batch, &self.layout, *also),
        };
        self.look_below(&mut batch, &mut query, token);
        if owner.command.brings_content() {
            query.shared = Some(self.add_shared(&mut batch));
        }
        // A rollback reads the clock after its switch, where nobody waits for it.
        if owner.command != Command::Rollback {
            query.clock = Some(batch.push(Op::clock()));
        }
        Taking { batch, entered, fence, take, proof, query }
    }

    /// Asks what only a holder of the lock needs.
    fn look_below(&self, batch: &mut Batch, query: &mut Query, token: &Token) {
        // The owner of this directory tells which user the tool runs as.
        query.made = Some(batch.push(Op::inspect(self.layout.held(token))));
        query.group = self.ask_group(batch);
        query.ledgers = Some(LEDGERS.map(|names| batch.push_lenient(Op::read(self.layout.in_state(names), 0))));
        query.marks = Some(batch.push_lenient(Op::read(self.layout.in_state(&[MARKS]), limits::STATE)));
    }

    /// Reads all releases under the lock `token`.
    pub(in crate::store) fn read_again(&self, token: &Token) -> (Batch, Query) {
        let mut batch = self.batch();
        let mut query = Query::add_short(&mut batch, &self.layout);
        self.look_below(&mut batch, &mut query, token);
        (batch, query)
    }

    /// Reads these releases under the lock `token`, and at most `most` links of the chain behind each.
    pub(in crate::store) fn read_links(&self, token: &Token, names: &[ReleaseName], most: u32) -> (Batch, Query) {
        let mut batch = self.batch();
        let mut query = Query::add_links(&mut batch, &self.layout, names, most);
        query.made = Some(batch.push(Op::inspect(self.layout.held(token))));
        (batch, query)
    }

    /// Moves the lock `token` to the journal, as that of an interrupted operation, with its intent.
    pub(in crate::store) fn leave_lock(&self, batch: &mut Batch, token: &Token) -> Handle<()> {
        let journal = self.layout.in_state(&["journal"]);
        let left = batch.push(Op::MoveInto { from: self.layout.held(token), into: journal });
        batch.push_lenient(Op::RemoveDir { path: self.layout.lock() });
        left
    }

    /// Releases the lock `token`. A lock that was taken over has another token, and stays.
    pub(in crate::store) fn release_lock(&self, batch: &mut Batch, token: &Token) -> Handle<()> {
        let trash = self.layout.in_state(&["trash"]);
        let released = batch.push(Op::MoveInto { from: self.layout.held(token), into: trash.clone() });
        batch.push_lenient(Op::RemoveDir { path: self.layout.lock() });
        batch.push_lenient(Op::RemoveTree { path: trash.join(&inner(token.as_str())) });
        released
    }
}

/// Rehearses the switch in private: renames a symlink over a symlink to a directory.
///
/// A host that moves it *into* the directory, or refuses, cannot switch atomically.
fn prove_rename(batch: &mut Batch, private: &InnerPath, held: &InnerPath) -> [Handle<()>; 2] {
    let name = inner("proof");
    batch.push(Op::MakeLink { path: held.join(&name), text: b".".to_vec() });
    batch.push(Op::MakeLink { path: private.join(&name), text: b"..".to_vec() });
    let rename = batch.push(Op::MoveInto { from: private.join(&name), into: held.clone() });
    let look = batch.push(Op::ExpectLink { path: held.join(&name), text: b"..".to_vec() });
    [rename, look]
}
