//! The batches of a root, each built in one place: what a crash can leave is read off here.

mod adopt;
mod lock;
mod preparation;
mod prune;
mod share;
mod switch;

pub(super) use lock::{Reads, Taking};
pub(super) use preparation::Preparing;
pub(super) use prune::Pruning;
pub(super) use switch::Switching;

use std::{ops::Range, sync::Arc};

use serde::Serialize;

use crate::{
    debt::Debt,
    lock::LockOwner,
    manifest::Form,
    name::ReleaseName,
    path::{HostPath, InnerPath},
    record::RECORD_FILE,
    shared::SharedPath,
    token::Token,
    transport::{Batch, GroupReach, Op, SyncReach},
};

use super::{
    Layout, Staged, StagedRecord,
    layout::{LISTS, inner},
    query::Query,
    staging::Abandoned,
    team::Team,
};

/// The file that keeps the commands of a release.
pub(super) const COMMANDS: &str = "commands";

/// The file that keeps what a release did to the data.
pub(super) const DATA: &str = "data";

/// The file that keeps the number of the newest mark of a bad release.
const MARKS: &str = "marks";

/// The directory of files that hold blocks and inodes free for going back on a full filesystem.
const RESERVE: &str = "reserve";

/// How many files it has: as many inodes as a rollback with its hooks takes.
const RESERVED: usize = 24;

/// What each of them holds: more than fits into an inode, so that each has blocks of its own.
const RESERVE_TEXT: &str = "switchback keeps this space free for a rollback\n";
const RESERVE_LINES: usize = 100;

/// What is kept of an upload, beside its content. No release can bear that name.
const KEPT: &str = ".kept";

/// The directory of its content, which bears the name of the release: that may be the name of anything else beside it.
const CONTENT: &str = ".new";

/// Directories of ours are for the deploying user alone.
pub(super) const PRIVATE: u32 = 0o700;
/// Files of ours too.
pub(super) const PRIVATE_FILE: u32 = 0o600;
/// Releases and their directory are for everybody to read.
const PUBLIC: u32 = 0o755;
/// So are records, which a person may have to act on.
const PUBLIC_FILE: u32 = 0o644;

/// Builds the batches of one root.
#[derive(Debug, Clone)]
pub(super) struct Steps {
    pub(super) root: HostPath,
    pub(super) layout: Layout,
    /// What is linked into each new release.
    pub(super) shared: Arc<[SharedPath]>,
    /// The group that it is worked in for.
    pub(super) team: Team,
}

impl Steps {
    /// The step of each batch that enters the state directory which finds a newer format there.
    pub(super) const FORMAT_STEP: usize = 2;

    /// The step of a batch that ends when its lock was taken over.
    pub(super) const LOCK_STEP: usize = 0;

    fn batch(&self) -> Batch {
        Batch::new(self.root.clone())
    }

    /// A batch that only reads, and its query.
    pub(super) fn ask(&self) -> (Batch, Query) {
        let mut batch = self.batch();
        let mut query = Query::add_to(&mut batch, &self.layout);
        query.shared = Some(self.add_shared(&mut batch));
        query.group = self.ask_group(&mut batch);
        query.kept = self.ask_keepers(&mut batch);
        (batch, query)
    }

    /// The directories in the state directory that any operation may write in.
    pub(super) fn written_in(&self) -> impl Iterator<Item = InnerPath> {
        ["live", "tmp", "staging", "releases", "journal", "trash", "log"]
            .map(|name| self.layout.in_state(&[name]))
            .into_iter()
    }

    /// Makes what every other batch relies on, and ends the batch when a newer program made it. The format is a link,
    /// since that is written and compared in one step each and cannot be torn.
    fn enter(&self, batch: &mut Batch) {
        let (state, format) = (self.layout.state().clone(), self.layout.in_state(&["format"]));
        batch.push(Op::MakeDir { path: state, mode: PRIVATE, existing_is_fine: true });
        batch.push_lenient(Op::MakeLink { path: format.clone(), text: self.format().into() });
        batch.push(Op::ExpectLink { path: format, text: self.format().into() });
        self.enter_group(batch);
        for path in self.written_in() {
            batch.push(Op::MakeDir { path, mode: PRIVATE, existing_is_fine: true });
        }
    }

    /// Checks the directories that later steps write in before anything is touched: another user may have made one.
    fn expect_writable(&self, batch: &mut Batch) {
        for path in self.written_in() {
            batch.push(Op::ExpectWritable { path });
        }
    }

    /// Marks the process that is about to make something private, before it does: what bears no mark is abandoned.
    pub(super) fn mark_live(&self, batch: &mut Batch, token: &Token) {
        batch.push(Op::MarkProcess { path: self.live(token) });
    }

    /// Removes what was made in private as `token`, and then its mark. Failing to harms nobody: the mark tells.
    fn forget(&self, batch: &mut Batch, token: &Token) {
        for place in ["tmp", "staging"] {
            batch.push_lenient(Op::RemoveTree { path: self.layout.in_state(&[place, token.as_str()]) });
        }
        batch.push_lenient(Op::RemoveFile { path: self.live(token) });
    }

    /// Removes what was staged as `token`, or was about to be.
    pub(super) fn forget_staged(&self, batch: &mut Batch, token: &Token) {
        batch.push_lenient(Op::RemoveTree { path: self.layout.cradle(token) });
        self.forget(batch, token);
    }

    /// Forgets what an interrupted operation left, by one rename: half of it in the journal would be seen by nobody, and
    /// stay there for ever.
    pub(super) fn forget_journal(&self, batch: &mut Batch, token: &Token) {
        let trash = self.layout.in_state(&["trash"]);
        let left = self.layout.in_state(&["journal", token.as_str()]);
        batch.push_lenient(Op::MoveInto { from: left, into: trash.clone() });
        batch.push_lenient(Op::RemoveTree { path: trash.join(&inner(token.as_str())) });
    }

    /// The mark of a process that has something private.
    pub(super) fn live(&self, token: &Token) -> InnerPath {
        self.layout.in_state(&["live", token.as_str()])
    }

    /// A batch that only removes what was made in private as `token`.
    pub(super) fn forgetting(&self, token: &Token) -> Batch {
        let mut batch = self.batch();
        self.forget_staged(&mut batch, token);
        batch
    }

    /// Makes the private directory that an upload goes to. Returns the steps that list what others have in private, be
    /// they live or gone, and the one that looks whether the reserve is there.
    pub(super) fn begin_staging(&self, staged: &Staged, begun_by: &LockOwner) -> (Batch, Range<usize>, usize) {
        let mut batch = self.batch();
        batch.make_root = true;
        self.enter(&mut batch);
        batch.push(Op::ExpectAbsent { path: self.layout.in_state(&["pruned", staged.name.as_str()]) });
        self.mark_live(&mut batch, &staged.token);
        // Before there is anything that it tells of.
        batch.push(Op::Sync { paths: vec![self.live(&staged.token)], reach: SyncReach::Entries });
        let (private, content) = (self.staging(&staged.token), self.staged_content(staged));
        let kept = self.staged_kept(staged);
        batch.push(Op::MakeDir { path: private.clone(), mode: PRIVATE, existing_is_fine: false });
        self.expect_writable(&mut batch);
        for place in [KEPT, CONTENT] {
            batch.push(Op::MakeDir { path: private.join(&inner(place)), mode: PRIVATE, existing_is_fine: false });
        }
        batch.push(Op::MakeDir { path: kept, mode: PRIVATE, existing_is_fine: false });
        for path in preparation::releases_and_parents(self.layout.releases()) {
            batch.push(Op::MakeDir { path, mode: PUBLIC, existing_is_fine: true });
        }
        self.give(&mut batch, InnerPath::root(), GroupReach::Itself);
        self.give(&mut batch, self.layout.releases().clone(), GroupReach::Itself);
        batch.push(Op::WriteNew { path: private.join(&inner("owner")), content: json(begun_by), mode: PRIVATE_FILE });
        // Made among the releases, so that it has the group, the setgid bit, the access list and the security label that they
        // pass on, which nobody else may be allowed to give it. All that is made in it gets them from there.
        let cradle = self.layout.cradle(&staged.token);
        batch.push(Op::MakeDir { path: cradle.clone(), mode: PUBLIC, existing_is_fine: false });
        batch.push(Op::Rename { from: cradle, to: content });
        // The marks come last: whatever is seen before them has had one.
        let lists = ["tmp", "staging", "trash", "live"]
            .map(|name| batch.push(Op::List { path: self.layout.in_state(&[name]) }));
        let reserve = self.ask_reserve(&mut batch);
        (batch, lists[0]..lists[3] + 1, reserve)
    }

    /// Removes what nobody will finish. Of an upload that says what it was, its owner and its mark stay until the history tells of
    /// it, which takes the lock.
    pub(super) fn sweep(&self, abandoned: &[Abandoned]) -> Batch {
        let mut batch = self.batch();
        for Abandoned { token, tells } in abandoned {
            if !tells {
                self.forget_staged(&mut batch, token);
                continue;
            }
            let private = self.staging(token);
            for path in [self.layout.cradle(token), private.join(&inner(CONTENT)), private.join(&inner(KEPT))] {
                batch.push_lenient(Op::RemoveTree { path });
            }
        }
        batch
    }

    /// Makes an upload durable.
    pub(super) fn end_staging(&self, staged: &Staged, record: &StagedRecord, fills_reserve: bool) -> Batch {
        let mut batch = self.batch();
        if fills_reserve {
            self.fill_reserve(&mut batch);
        }
        let (private, record_file) = (self.staging(&staged.token), self.staged_kept(staged).join(&inner("staged")));
        batch.push(Op::WriteNew { path: record_file, content: json(record), mode: PRIVATE_FILE });
        self.give(&mut batch, self.staged_content(staged), GroupReach::Directories);
        self.give(&mut batch, self.staged_kept(staged), GroupReach::All);
        batch.push(Op::Sync { paths: vec![private], reach: SyncReach::Filesystem });
        batch
    }

    /// Ends the batch at its first step when the lock is no longer that of `token`: late on its way, it does nothing.
    pub(super) fn expect_lock(&self, batch: &mut Batch, token: &Token) {
        let held = batch.push(Op::ExpectDirectory { path: self.layout.held(token) });
        debug_assert!(held == Self::LOCK_STEP, "whatever is done under a lock comes after this");
    }

    /// Writes what is about to be done, unless it stands there already, and makes that durable.
    pub(super) fn write_intent(&self, batch: &mut Batch, token: &Token, intent: &super::Intent) {
        let held = self.layout.held(token);
        let path = held.join(&inner("intent"));
        batch.push(Op::WriteNew { path: path.clone(), content: json(intent), mode: PRIVATE_FILE });
        batch.push(Op::Sync {
            paths: vec![path, held, self.layout.lock(), self.layout.state().clone()],
            reach: SyncReach::Entries,
        });
    }

    /// Moves the history, or the ledger, aside, in place of the one that was moved before, so that both together never grow
    /// beyond bounds. One rename: no crash loses a line of it.
    pub(super) fn move_aside(&self, batch: &mut Batch, file: &str) {
        let older = self.layout.in_state(&["older"]);
        batch.push_lenient(Op::MakeDir { path: older.clone(), mode: PRIVATE, existing_is_fine: true });
        batch.push_lenient(Op::MoveInto { from: self.layout.in_state(&[file]), into: older });
    }

    /// Makes the files of the reserve that are not there. Failing to only means that there is less of it.
    fn fill_reserve(&self, batch: &mut Batch) {
        let reserve = self.layout.in_state(&[RESERVE]);
        batch.push_lenient(Op::MakeDir { path: reserve.clone(), mode: PRIVATE, existing_is_fine: true });
        for number in (0..RESERVED).rev() {
            let (path, content) = (reserve.join(&inner(&number.to_string())), RESERVE_TEXT.repeat(RESERVE_LINES));
            batch.push_lenient(Op::WriteNew { path, content, mode: PRIVATE_FILE });
        }
    }

    /// Whether the reserve is whole: its last file is written last.
    fn ask_reserve(&self, batch: &mut Batch) -> usize {
        batch.push_lenient(Op::Inspect { path: self.layout.in_state(&[RESERVE, "0"]) })
    }

    /// Gives back the blocks and inodes of the reserve, on a filesystem that has none left.
    pub(super) fn free_reserve(&self) -> Batch {
        let mut batch = self.batch();
        batch.push(Op::RemoveTree { path: self.layout.in_state(&[RESERVE]) });
        batch
    }

    /// The private directory of an upload.
    pub(super) fn staging(&self, token: &Token) -> InnerPath {
        self.layout.in_state(&["staging", token.as_str()])
    }

    /// Where the content of an upload goes: the directory that is published as the release.
    pub(super) fn staged_content(&self, staged: &Staged) -> InnerPath {
        self.staging(&staged.token).join(&inner(CONTENT)).join(&(&staged.name).into())
    }

    /// What is kept of an upload: the directory that becomes what is kept of the release.
    fn staged_kept(&self, staged: &Staged) -> InnerPath {
        self.staging(&staged.token).join(&inner(KEPT)).join(&(&staged.name).into())
    }

    /// Where the manifest of an upload is written, in each of its forms.
    pub(super) fn staged_lists(&self, staged: &Staged) -> Vec<(InnerPath, Form)> {
        let kept = self.staged_kept(staged);
        LISTS.iter().map(|(name, form)| (kept.join(&inner(name)), *form)).collect()
    }

    /// What is no part of a release's content: its record, and the links to what outlives it.
    pub(super) fn unlisted(&self) -> Vec<InnerPath> {
        let shared = self.shared.iter().map(|shared| shared.path().clone());
        std::iter::once(inner(RECORD_FILE)).chain(shared).collect()
    }

    /// A file that marks a release, written anew, and made durable in one step with what was written `besides`.
    pub(super) fn write_mark(
        &self,
        batch: &mut Batch,
        token: &Token,
        name: &ReleaseName,
        mark: &str,
        content: &impl Serialize,
        besides: Vec<InnerPath>,
    ) {
        self.write_kept(batch, token, &self.layout.kept(name), mark, content, besides);
    }

    /// The number of the newest mark of a bad release, written anew.
    pub(super) fn write_marks(&self, batch: &mut Batch, token: &Token, number: u64, besides: Vec<InnerPath>) {
        self.write_kept(batch, token, self.layout.state(), MARKS, &number, besides);
    }

    /// What a host missed, written anew.
    pub(super) fn write_debt(&self, batch: &mut Batch, token: &Token, debt: &Debt) {
        let debts = self.layout.in_state(&["debts"]);
        batch.push_lenient(Op::MakeDir { path: debts.clone(), mode: PRIVATE, existing_is_fine: true });
        self.write_kept(batch, token, &debts.join(&Debt::directory(&debt.host)), "debt", debt, Vec::new());
    }

    /// A file of ours in the directory `kept`: written in the lock first, then renamed there.
    fn write_kept(
        &self,
        batch: &mut Batch,
        token: &Token,
        kept: &InnerPath,
        file: &str,
        content: &impl Serialize,
        besides: Vec<InnerPath>,
    ) {
        let written = self.layout.on_the_way(token, file);
        batch.push_lenient(Op::MakeDir { path: kept.clone(), mode: PRIVATE, existing_is_fine: true });
        batch.push_lenient(Op::WriteNew { path: written.clone(), content: json(content), mode: PRIVATE_FILE });
        let paths = std::iter::once(written.clone()).chain(besides).collect();
        batch.push_lenient(Op::Sync { paths, reach: SyncReach::Entries });
        batch.push_lenient(Op::MoveInto { from: written, into: kept.clone() });
    }

    /// An empty batch on this root, to be filled.
    pub(super) fn empty(&self) -> Batch {
        self.batch()
    }
}

/// A value of ours as one line of JSON.
pub(super) fn json(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string(value).expect("our own values have string keys and no failing parts");
    text.push('\n');
    text
}
