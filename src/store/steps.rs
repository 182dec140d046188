//! The batches of a root. Each is built in one place, from which the possible states after a crash can be read.

mod activate;
mod adopt;
mod lock;
mod preparation;
mod prune;
mod share;

pub(super) use activate::Activating;
pub(super) use lock::{Reads, Taking};
pub(super) use preparation::Preparing;
pub(super) use prune::{Move, Pruning};

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

use serde::Serialize;

use crate::{
    debt::Debt,
    lock::LockOwner,
    manifest::Form,
    name::ReleaseName,
    path::{HostPath, InnerPath},
    record::RECORD_FILE,
    shared::SharedPath,
    status::BadMark,
    token::Token,
    transport::{Batch, Entry, GroupReach, Handle, Listing, MayFail, Op, SyncReach},
};

use super::{
    Layout, Staged, StagedRecord,
    layout::{LISTS, inner},
    query::Query,
    staging::Abandoned,
    team::Team,
};

/// The file with the commands of a release.
pub(super) const COMMANDS: &str = "commands";

/// The file with the data record of a release.
pub(super) const DATA: &str = "data";

/// The file with the number of the newest bad mark.
const MARKS: &str = "marks";

/// The directory of files that keep blocks and inodes free for a rollback on a full filesystem.
const RESERVE: &str = "reserve";

/// The number of these files: as many inodes as a rollback with its hooks takes.
const RESERVED: usize = 24;

/// The content of each file: more than fits into an inode, so that each has blocks of its own.
const RESERVE_TEXT: &str = "switchback keeps this space free for a rollback\n";
const RESERVE_LINES: usize = 100;

/// The directory of an upload's kept files, beside its content. No release can have this name.
const KEPT: &str = ".kept";

/// The directory of an upload's content.
///
/// The content is in a subdirectory with the release's name, which may equal the name of any other file of the upload.
const CONTENT: &str = ".new";

/// The mode of the tool's own directories: for the deploying user alone.
pub(super) const PRIVATE: u32 = 0o700;
/// The mode of the tool's own files.
pub(super) const PRIVATE_FILE: u32 = 0o600;
/// The mode of releases and their directory: readable by everybody.
const PUBLIC: u32 = 0o755;
/// The mode of `previousVersion` records, which a person may need to read.
const PUBLIC_FILE: u32 = 0o644;

/// Builds the batches of one root.
#[derive(Debug, Clone)]
pub(super) struct Steps {
    pub(super) root: HostPath,
    pub(super) layout: Layout,
    /// The shared paths to link into each new release.
    pub(super) shared: Arc<[SharedPath]>,
    /// The group of the root.
    pub(super) team: Team,
}

/// A batch that does nothing once its lock was taken over, so that a delayed one is harmless.
#[derive(Debug)]
pub(super) struct LockedBatch {
    batch: Batch,
    /// The step that fails if the lock was taken over.
    pub(super) lock: Handle<()>,
    /// The step that fails if `current` changed.
    pub(super) current: Option<Handle<()>>,
}

impl LockedBatch {
    /// Ends the batch here if `current` is not as `expected`.
    fn expect_current(&mut self, expected: Op) {
        self.current = Some(self.batch.push(expected));
    }
}

impl Deref for LockedBatch {
    type Target = Batch;

    fn deref(&self) -> &Batch {
        &self.batch
    }
}

impl DerefMut for LockedBatch {
    fn deref_mut(&mut self) -> &mut Batch {
        &mut self.batch
    }
}

/// The steps that enter the state directory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entered {
    /// The step that writes the format. It fails if there is one.
    pub(super) write: Handle<MayFail<()>>,
    /// The step that fails if a newer program wrote the format.
    pub(super) expect: Handle<()>,
}

/// The batch that creates the private directory for an upload, and its steps.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) batch: Batch,
    pub(super) entered: Entered,
    /// The step that fails if a release of this name was pruned.
    pub(super) pruned: Handle<()>,
    /// The steps that list the private files of all runs, alive or dead.
    pub(super) private: [Handle<Listing>; 2],
    pub(super) trash: Handle<Listing>,
    /// The step that lists the marks of the processes with private files.
    pub(super) live: Handle<Listing>,
    /// The step that checks for a complete reserve.
    pub(super) reserve: Handle<MayFail<Option<Entry>>>,
}

impl Steps {
    fn batch(&self) -> Batch {
        Batch::new(self.root.clone())
    }

    /// Returns a batch that only reads, and its query.
    pub(super) fn ask(&self) -> (Batch, Query) {
        let mut batch = self.batch();
        let mut query = Query::add_to(&mut batch, &self.layout);
        query.shared = Some(self.add_shared(&mut batch));
        query.group = self.ask_group(&mut batch);
        query.kept = self.ask_keepers(&mut batch);
        (batch, query)
    }

    /// Returns the directories in the state directory that any operation may write in.
    pub(super) fn written_in(&self) -> impl Iterator<Item = InnerPath> {
        ["live", "tmp", "staging", "releases", "journal", "trash", "log"]
            .map(|name| self.layout.in_state(&[name]))
            .into_iter()
    }

    /// Creates the directories that every other batch relies on; ends the batch if a newer program made the state
    /// directory.
    ///
    /// The format is a symlink, because a symlink is written and compared in one step each and cannot be torn.
    fn enter(&self, batch: &mut Batch) -> Entered {
        let (state, format) = (self.layout.state().clone(), self.layout.in_state(&["format"]));
        batch.push(Op::MakeDir { path: state, mode: PRIVATE, existing_is_fine: true });
        let write = batch.push_lenient(Op::MakeLink { path: format.clone(), text: self.format().into() });
        let expect = batch.push(Op::ExpectLink { path: format, text: self.format().into() });
        self.enter_group(batch);
        for path in self.written_in() {
            batch.push(Op::MakeDir { path, mode: PRIVATE, existing_is_fine: true });
        }
        Entered { write, expect }
    }

    /// Checks the directories that later steps write in before anything is changed: another user may have created
    /// one.
    fn expect_writable(&self, batch: &mut Batch) {
        for path in self.written_in() {
            batch.push(Op::ExpectWritable { path });
        }
    }

    /// Marks the process before it creates private files: private files without a mark count as abandoned.
    pub(super) fn mark_live(&self, batch: &mut Batch, token: &Token) {
        batch.push(Op::MarkProcess { path: self.live(token) });
    }

    /// Removes the private files of `token`, and then its mark. Failures are harmless: the next staging removes
    /// private files without a mark, or with the mark of a dead process.
    fn forget(&self, batch: &mut Batch, token: &Token) {
        for place in ["tmp", "staging"] {
            batch.push_lenient(Op::RemoveTree { path: self.layout.in_state(&[place, token.as_str()]) });
        }
        batch.push_lenient(Op::RemoveFile { path: self.live(token) });
    }

    /// Removes the staged or partly staged files of `token`.
    pub(super) fn forget_staged(&self, batch: &mut Batch, token: &Token) {
        batch.push_lenient(Op::RemoveTree { path: self.layout.cradle(token) });
        self.forget(batch, token);
    }

    /// Removes an interrupted operation's leftovers from the journal by one rename: a partly removed entry would go
    /// unnoticed and stay forever.
    pub(super) fn forget_journal(&self, batch: &mut Batch, token: &Token) {
        let trash = self.layout.in_state(&["trash"]);
        let left = self.layout.in_state(&["journal", token.as_str()]);
        batch.push_lenient(Op::MoveInto { from: left, into: trash.clone() });
        batch.push_lenient(Op::RemoveTree { path: trash.join(&inner(token.as_str())) });
    }

    /// Returns the mark of a process with private files.
    pub(super) fn live(&self, token: &Token) -> InnerPath {
        self.layout.in_state(&["live", token.as_str()])
    }

    /// Returns a batch that only removes the private files of `token`.
    pub(super) fn forgetting(&self, token: &Token) -> Batch {
        let mut batch = self.batch();
        self.forget_staged(&mut batch, token);
        batch
    }

    /// Creates the private directory for an upload.
    pub(super) fn begin_staging(&self, staged: &Staged, begun_by: &LockOwner) -> Beginning {
        let mut batch = self.batch();
        batch.make_root = true;
        let entered = self.enter(&mut batch);
        let pruned = batch.push(Op::ExpectAbsent { path: self.layout.in_state(&["pruned", staged.name.as_str()]) });
        self.mark_live(&mut batch, &staged.token);
        // The mark is durable before any file that it vouches for exists.
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
        // Created among the releases, to inherit their group, setgid bit, access list and security label, which nobody
        // else may be allowed to set. Everything created inside inherits them from there.
        let cradle = self.layout.cradle(&staged.token);
        batch.push(Op::MakeDir { path: cradle.clone(), mode: PUBLIC, existing_is_fine: false });
        batch.push(Op::Rename { from: cradle, to: content });
        // The marks come last: a private file in an earlier listing already had its mark then.
        let [tmp, staging, trash, live] =
            ["tmp", "staging", "trash", "live"].map(|name| batch.push(Op::list(self.layout.in_state(&[name]))));
        // The last file of the reserve to be written.
        let reserve = batch.push_lenient(Op::inspect(self.layout.in_state(&[RESERVE, "0"])));
        Beginning { batch, entered, pruned, private: [tmp, staging], trash, live, reserve }
    }

    /// Removes abandoned uploads.
    ///
    /// If an upload has an owner file that names the release, that file and its mark stay until an entry is in the
    /// history, which needs the lock.
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

    /// Returns a batch that ends at its first step if `token` no longer holds the lock.
    pub(super) fn locked(&self, token: &Token) -> LockedBatch {
        let mut batch = self.batch();
        let lock = batch.push(Op::ExpectDirectory { path: self.layout.held(token) });
        LockedBatch { batch, lock, current: None }
    }

    /// Durably writes the intent, unless it exists already. Returns the step that fails if the lock was taken over.
    pub(super) fn write_intent(&self, batch: &mut Batch, token: &Token, intent: &super::Intent) -> Handle<()> {
        let held = self.layout.held(token);
        let path = held.join(&inner("intent"));
        let written = batch.push(Op::WriteNew { path: path.clone(), content: json(intent), mode: PRIVATE_FILE });
        batch.push(Op::Sync {
            paths: vec![path, held, self.layout.lock(), self.layout.state().clone()],
            reach: SyncReach::Entries,
        });
        written
    }

    /// Rotates the history or the ledger, replacing the previously rotated file, so that their total size stays
    /// bounded.
    ///
    /// One rename: no crash loses a line.
    pub(super) fn move_aside(&self, batch: &mut Batch, file: &str) {
        let older = self.layout.in_state(&["older"]);
        batch.push_lenient(Op::MakeDir { path: older.clone(), mode: PRIVATE, existing_is_fine: true });
        batch.push_lenient(Op::MoveInto { from: self.layout.in_state(&[file]), into: older });
    }

    /// Creates the missing files of the reserve. A failure only makes the reserve smaller.
    fn fill_reserve(&self, batch: &mut Batch) {
        let reserve = self.layout.in_state(&[RESERVE]);
        batch.push_lenient(Op::MakeDir { path: reserve.clone(), mode: PRIVATE, existing_is_fine: true });
        for number in (0..RESERVED).rev() {
            let (path, content) = (reserve.join(&inner(&number.to_string())), RESERVE_TEXT.repeat(RESERVE_LINES));
            batch.push_lenient(Op::WriteNew { path, content, mode: PRIVATE_FILE });
        }
    }

    /// Frees the blocks and inodes of the reserve on a full filesystem.
    pub(super) fn free_reserve(&self) -> Batch {
        let mut batch = self.batch();
        batch.push(Op::RemoveTree { path: self.layout.in_state(&[RESERVE]) });
        batch
    }

    /// Returns the private directory of an upload.
    pub(super) fn staging(&self, token: &Token) -> InnerPath {
        self.layout.in_state(&["staging", token.as_str()])
    }

    /// Returns the directory for an upload's content, which is published as the release.
    pub(super) fn staged_content(&self, staged: &Staged) -> InnerPath {
        self.staging(&staged.token).join(&inner(CONTENT)).join(&(&staged.name).into())
    }

    /// Returns the directory for an upload's kept files, which becomes the release's.
    fn staged_kept(&self, staged: &Staged) -> InnerPath {
        self.staging(&staged.token).join(&inner(KEPT)).join(&(&staged.name).into())
    }

    /// Returns the files for an upload's manifest, one for each form.
    pub(super) fn staged_lists(&self, staged: &Staged) -> Vec<(InnerPath, Form)> {
        let kept = self.staged_kept(staged);
        LISTS.iter().map(|(name, form)| (kept.join(&inner(name)), *form)).collect()
    }

    /// Returns the paths that are not part of a release's content: its record, and the symlinks to shared paths.
    pub(super) fn unlisted(&self) -> Vec<InnerPath> {
        let shared = self.shared.iter().map(|shared| shared.path().clone());
        std::iter::once(inner(RECORD_FILE)).chain(shared).collect()
    }

    /// Writes a file that marks a release; one sync makes it and the files `besides` durable.
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

    /// Writes a release's bad mark and the number of the newest one, as far as given, and syncs `unsynced` with them.
    pub(super) fn write_bad(
        &self,
        batch: &mut Batch,
        token: &Token,
        bad: Option<&(ReleaseName, BadMark)>,
        newest: Option<u64>,
        unsynced: &mut Vec<InnerPath>,
    ) {
        let bad = bad.map(|(name, mark)| (self.layout.kept(name), "bad", json(mark)));
        let newest = newest.map(|number| (self.layout.state().clone(), MARKS, json(&number)));
        let files: Vec<_> = bad.into_iter().chain(newest).collect();
        if !files.is_empty() {
            self.write_all_kept(batch, token, files, std::mem::take(unsynced));
        }
    }

    /// Writes the record of an operation that a host missed.
    pub(super) fn write_debt(&self, batch: &mut Batch, token: &Token, debt: &Debt) {
        let debts = self.layout.in_state(&["debts"]);
        batch.push_lenient(Op::MakeDir { path: debts.clone(), mode: PRIVATE, existing_is_fine: true });
        self.write_kept(batch, token, &debts.join(&Debt::directory(&debt.host)), "debt", debt, Vec::new());
    }

    /// Writes one of the tool's files to the directory `kept`: first inside the lock, then renamed into place.
    fn write_kept(
        &self,
        batch: &mut Batch,
        token: &Token,
        kept: &InnerPath,
        file: &str,
        content: &impl Serialize,
        besides: Vec<InnerPath>,
    ) {
        self.write_all_kept(batch, token, vec![(kept.clone(), file, json(content))], besides);
    }

    /// Does the same with several files, and syncs them at once: starting programs takes most of a host's time.
    fn write_all_kept(
        &self,
        batch: &mut Batch,
        token: &Token,
        files: Vec<(InnerPath, &str, String)>,
        besides: Vec<InnerPath>,
    ) {
        let mut written = Vec::new();
        for (kept, file, content) in files {
            let path = self.layout.on_the_way(token, file);
            batch.push_lenient(Op::MakeDir { path: kept.clone(), mode: PRIVATE, existing_is_fine: true });
            batch.push_lenient(Op::WriteNew { path: path.clone(), content, mode: PRIVATE_FILE });
            written.push((path, kept));
        }
        let paths = written.iter().map(|(path, _)| path.clone()).chain(besides).collect();
        batch.push_lenient(Op::Sync { paths, reach: SyncReach::Entries });
        for (from, into) in written {
            batch.push_lenient(Op::MoveInto { from, into });
        }
    }

    /// Returns an empty batch for this root.
    pub(super) fn empty(&self) -> Batch {
        self.batch()
    }
}

/// Serializes one of the tool's values as a line of JSON.
pub(super) fn json(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string(value).expect("our own values have string keys and no failing parts");
    text.push('\n');
    text
}
