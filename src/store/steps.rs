//! The batches of a root, each built in one place: what a crash can leave is read off here.

use std::ops::Range;

use serde::Serialize;

use crate::{
    lock::LockOwner,
    name::ReleaseName,
    path::{HostPath, InnerPath},
    record::RECORD_FILE,
    token::Token,
    transport::{Batch, Op, SyncReach},
};

use super::{Layout, Preparation, Staged, StagedRecord, Switch, layout::inner, query::Query, state::Current};

/// The version of the state directory that this program writes.
pub(super) const FORMAT: &str = "1";

/// Directories of ours are for the deploying user alone.
const PRIVATE: u32 = 0o700;
/// Files of ours too.
const PRIVATE_FILE: u32 = 0o600;
/// Releases and their directory are for everybody to read.
const PUBLIC: u32 = 0o755;
/// So are records, which a person may have to act on.
const PUBLIC_FILE: u32 = 0o644;

/// Builds the batches of one root.
#[derive(Debug, Clone)]
pub(super) struct Steps {
    pub(super) root: HostPath,
    pub(super) layout: Layout,
}

/// The batch that takes the lock, and where in it the lock is taken.
#[derive(Debug)]
pub(super) struct Taking {
    pub(super) batch: Batch,
    /// The step that takes the old lock away, when there is one to fence off.
    pub(super) fence: Option<usize>,
    /// The step that takes the lock: one rename, which fails when somebody else holds it.
    pub(super) take: usize,
    /// The steps that find that the host's rename is not what it must be.
    pub(super) proof: Range<usize>,
    pub(super) query: Query,
}

/// The batch that switches, and where in it the switch is.
#[derive(Debug)]
pub(super) struct Switching {
    pub(super) batch: Batch,
    /// The step that finds that `current` moved.
    pub(super) expect: usize,
    /// The step that finds the release gone.
    pub(super) target: usize,
    /// The switch itself.
    pub(super) switch: usize,
    /// The step that reads it back.
    pub(super) look: usize,
    /// The step that asks the clock.
    pub(super) clock: usize,
}

/// The batch that makes a release ready, and where in it which refusal would come from.
#[derive(Debug)]
pub(super) struct Preparing {
    pub(super) batch: Batch,
    /// The step that finds the name taken.
    pub(super) absent: Option<usize>,
    /// The step that publishes.
    pub(super) publish: Option<usize>,
    /// The step that finds the release missing.
    pub(super) present: usize,
}

impl Steps {
    /// The step of each batch that enters the state directory which finds a newer format there.
    pub(super) const FORMAT_STEP: usize = 2;

    fn batch(&self) -> Batch {
        Batch::new(self.root.clone())
    }

    /// A batch that only reads, and its query.
    pub(super) fn ask(&self) -> (Batch, Query) {
        let mut batch = self.batch();
        let query = Query::add_to(&mut batch, &self.layout);
        (batch, query)
    }

    /// Makes what every other batch relies on, and ends the batch when a newer program made it. The format is a link,
    /// since that is written and compared in one step each and cannot be torn.
    fn enter(&self, batch: &mut Batch) {
        let (state, format) = (self.layout.state().clone(), self.layout.in_state(&["format"]));
        batch.push(Op::MakeDir { path: state, mode: PRIVATE, existing_is_fine: true });
        batch.push_lenient(Op::MakeLink { path: format.clone(), text: FORMAT.into() });
        batch.push(Op::ExpectLink { path: format, text: FORMAT.into() });
        for name in ["live", "tmp", "staging", "releases", "journal", "trash"] {
            batch.push(Op::MakeDir { path: self.layout.in_state(&[name]), mode: PRIVATE, existing_is_fine: true });
        }
    }

    /// Takes the lock with `token`, after taking the lock `old` away when there is one, and reads the root.
    ///
    /// The lock is made complete in a private place and then renamed onto `lock`, which can succeed only when nothing or
    /// an empty directory stands there. So it is never seen half made, and whoever holds it has something in it.
    pub(super) fn take_lock(&self, token: &Token, owner: &LockOwner, old: Option<&Token>) -> Taking {
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
        batch.push(Op::WriteNew { path: held.join(&inner("owner")), content: json(owner), mode: PRIVATE_FILE });
        batch.push(Op::MarkProcess { path: held.join(&inner("process")) });
        let proof = prove_rename(&mut batch, &private, &held);
        let fence = old.map(|old| {
            batch.push(Op::MoveInto { from: self.layout.held(old), into: self.layout.in_state(&["journal"]) })
        });
        let take = batch.push(Op::MoveInto { from: lock, into: self.layout.state().clone() });
        self.forget(&mut batch, token);
        let query = Query::add_without_lock(&mut batch, &self.layout);
        Taking { batch, fence, take, proof, query }
    }

    /// Gives back the lock `token`. A lock that was taken over has another token, and is not touched.
    pub(super) fn release_lock(&self, batch: &mut Batch, token: &Token) -> usize {
        let trash = self.layout.in_state(&["trash"]);
        let released = batch.push(Op::MoveInto { from: self.layout.held(token), into: trash.clone() });
        batch.push_lenient(Op::RemoveDir { path: self.layout.lock() });
        batch.push_lenient(Op::RemoveTree { path: trash.join(&inner(token.as_str())) });
        released
    }

    /// Marks the process that is about to make something private, before it does: what bears no mark is abandoned.
    fn mark_live(&self, batch: &mut Batch, token: &Token) {
        batch.push(Op::MarkProcess { path: self.live(token) });
    }

    /// Removes what was made in private as `token`, and then its mark. Failing to harms nobody: the mark tells.
    fn forget(&self, batch: &mut Batch, token: &Token) {
        for place in ["tmp", "staging"] {
            batch.push_lenient(Op::RemoveTree { path: self.layout.in_state(&[place, token.as_str()]) });
        }
        batch.push_lenient(Op::RemoveFile { path: self.live(token) });
    }

    /// The mark of a process that has something private.
    pub(super) fn live(&self, token: &Token) -> InnerPath {
        self.layout.in_state(&["live", token.as_str()])
    }

    /// A batch that only removes what was made in private as `token`.
    pub(super) fn forgetting(&self, token: &Token) -> Batch {
        let mut batch = self.batch();
        self.forget(&mut batch, token);
        batch
    }

    /// Makes the private directory that an upload goes to. Returns the steps that list what others have in private, be
    /// they live or gone.
    pub(super) fn begin_staging(&self, staged: &Staged) -> (Batch, Range<usize>) {
        let mut batch = self.batch();
        batch.make_root = true;
        self.enter(&mut batch);
        self.mark_live(&mut batch, &staged.token);
        let (private, content) = (self.staging(&staged.token), self.staged_content(staged));
        batch.push(Op::MakeDir { path: private, mode: PRIVATE, existing_is_fine: false });
        batch.push(Op::MakeDir { path: content, mode: PUBLIC, existing_is_fine: false });
        // The marks come last: whatever is seen before them has had one.
        let lists = ["tmp", "staging", "trash", "live"]
            .map(|name| batch.push(Op::List { path: self.layout.in_state(&[name]) }));
        (batch, lists[0]..lists[3] + 1)
    }

    /// Makes an upload durable, and removes those that nobody will finish.
    pub(super) fn end_staging(&self, staged: &Staged, record: &StagedRecord, abandoned: &[Token]) -> Batch {
        let mut batch = self.batch();
        let private = self.staging(&staged.token);
        batch.push(Op::WriteNew { path: private.join(&inner("staged")), content: json(record), mode: PRIVATE_FILE });
        batch.push(Op::Sync { paths: vec![private], reach: SyncReach::Filesystem });
        for other in abandoned {
            self.forget(&mut batch, other);
            batch.push_lenient(Op::RemoveTree { path: self.layout.in_state(&["trash", other.as_str()]) });
        }
        batch
    }

    /// Writes the intent, publishes and records, each durable before the next. `current` is not touched.
    pub(super) fn prepare(&self, token: &Token, intent: &super::Intent, preparation: &Preparation) -> Preparing {
        let mut batch = self.batch();
        self.write_intent(&mut batch, token, intent);
        let name = &preparation.name;
        let published = preparation.staged.as_ref().map(|staged| self.publish(&mut batch, name, staged));
        let present = batch.push(Op::ExpectDirectory { path: self.layout.release(name) });
        if let Some(record) = &preparation.record {
            let line = record.line(&self.root, self.layout.releases());
            self.write_record(&mut batch, token, name, line);
        }
        let (absent, publish) = published.unzip();
        Preparing { batch, absent, publish, present }
    }

    /// Puts what was staged under its name. Returns the steps that find the name taken and that publish.
    fn publish(&self, batch: &mut Batch, name: &ReleaseName, staged: &Staged) -> (usize, usize) {
        let releases = self.layout.releases().clone();
        let kept = self.layout.in_state(&["releases", name.as_str()]);
        for path in releases_and_parents(&releases) {
            batch.push(Op::MakeDir { path, mode: PUBLIC, existing_is_fine: true });
        }
        let absent = batch.push(Op::ExpectAbsent { path: self.layout.release(name) });
        batch.push(Op::RemoveTree { path: kept.clone() });
        batch.push(Op::MakeDir { path: kept.clone(), mode: PRIVATE, existing_is_fine: false });
        batch.push(Op::MoveInto { from: self.staging(&staged.token).join(&inner("staged")), into: kept.clone() });
        let publish = batch.push(Op::MoveInto { from: self.staged_content(staged), into: releases.clone() });
        batch.push(Op::Sync {
            paths: vec![kept, self.layout.in_state(&["releases"]), releases],
            reach: SyncReach::Entries,
        });
        self.forget(batch, &staged.token);
        (absent, publish)
    }

    /// Writes a record beside its place, syncs it, and renames it there, so that it is never seen empty.
    fn write_record(&self, batch: &mut Batch, token: &Token, name: &ReleaseName, line: String) {
        let written = self.layout.held(token).join(&inner(RECORD_FILE));
        batch.push(Op::RemoveFile { path: written.clone() });
        batch.push(Op::WriteNew { path: written.clone(), content: line, mode: PUBLIC_FILE });
        batch.push(Op::Sync { paths: vec![written.clone()], reach: SyncReach::Entries });
        batch.push(Op::MoveInto { from: written, into: self.layout.release(name) });
        batch.push(Op::Sync { paths: vec![self.layout.release(name)], reach: SyncReach::Entries });
    }

    /// Writes the record of a release as it was before an operation that never came to its switch.
    pub(super) fn restore_record(&self, batch: &mut Batch, token: &Token, name: &ReleaseName, was: Option<&str>) {
        match was {
            Some(line) => self.write_record(batch, token, name, line.to_owned()),
            None => {
                batch.push(Op::RemoveFile { path: self.layout.record(name) });
            }
        }
    }

    /// Takes back what [`prepare`](Self::prepare) did: `was` is the record's old line, when it had one; a release that
    /// was published goes to a place of its own in the trash, from where nothing comes back.
    pub(super) fn unprepare(&self, token: &Token, preparation: &Preparation, was: Option<&str>) -> Batch {
        let mut batch = self.batch();
        let name = &preparation.name;
        if preparation.staged.is_some() {
            let trash = self.layout.in_state(&["trash", Token::random().as_str()]);
            batch.push(Op::MakeDir { path: trash.clone(), mode: PRIVATE, existing_is_fine: false });
            batch.push(Op::MoveInto { from: self.layout.release(name), into: trash.clone() });
            batch.push(Op::Sync { paths: vec![self.layout.releases().clone()], reach: SyncReach::Entries });
            batch.push_lenient(Op::RemoveTree { path: self.layout.in_state(&["releases", name.as_str()]) });
            batch.push_lenient(Op::RemoveTree { path: trash });
        } else if preparation.record.is_some() {
            self.restore_record(&mut batch, token, name, was);
        }
        batch
    }

    /// Writes what is about to be done, unless it stands there already, and makes that durable.
    fn write_intent(&self, batch: &mut Batch, token: &Token, intent: &super::Intent) {
        let held = self.layout.held(token);
        let path = held.join(&inner("intent"));
        batch.push(Op::WriteNew { path: path.clone(), content: json(intent), mode: PRIVATE_FILE });
        batch.push(Op::Sync {
            paths: vec![path, held, self.layout.lock(), self.layout.state().clone()],
            reach: SyncReach::Entries,
        });
    }

    /// Switches: writes the intent when that was not done yet, and replaces `current` by the link prepared in the lock.
    /// A lock that was taken over has taken the link along, so a run that wakes up late has nothing to switch with.
    pub(super) fn switch(&self, token: &Token, intent: Option<&super::Intent>, switch: &Switch) -> Switching {
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

    /// Takes `current` away, when it leads to `name`, after a first deploy that failed.
    pub(super) fn deactivate(&self, token: &Token, current: &Current) -> (Batch, usize) {
        let mut batch = self.batch();
        let expect = batch.push(self.expect(current));
        batch.push(Op::MoveInto { from: self.layout.current().clone(), into: self.layout.held(token) });
        batch.push(Op::Sync { paths: vec![InnerPath::root()], reach: SyncReach::Entries });
        (batch, expect)
    }

    /// The step that holds `current` against what it was when it was read.
    fn expect(&self, current: &Current) -> Op {
        let path = self.layout.current().clone();
        match current {
            Current::Release { link, .. } | Current::Dangling { link, .. } | Current::Outside { link } => {
                Op::ExpectLink { path, text: link.clone() }
            }
            Current::Absent | Current::NotALink(_) => Op::ExpectAbsent { path },
        }
    }

    /// The private directory of an upload.
    pub(super) fn staging(&self, token: &Token) -> InnerPath {
        self.layout.in_state(&["staging", token.as_str()])
    }

    /// Where the content of an upload goes: the directory that is published as the release.
    pub(super) fn staged_content(&self, staged: &Staged) -> InnerPath {
        self.staging(&staged.token).join(&(&staged.name).into())
    }

    /// A file that marks a release, written anew: first beside its place, then renamed there.
    pub(super) fn write_mark(
        &self,
        batch: &mut Batch,
        token: &Token,
        name: &ReleaseName,
        mark: &str,
        content: &impl Serialize,
    ) {
        let (written, kept) =
            (self.layout.held(token).join(&inner(mark)), self.layout.in_state(&["releases", name.as_str()]));
        batch.push_lenient(Op::MakeDir { path: kept.clone(), mode: PRIVATE, existing_is_fine: true });
        batch.push_lenient(Op::WriteNew { path: written.clone(), content: json(content), mode: PRIVATE_FILE });
        batch.push_lenient(Op::Sync { paths: vec![written.clone()], reach: SyncReach::Entries });
        batch.push_lenient(Op::MoveInto { from: written, into: kept });
    }

    /// An empty batch on this root, to be filled.
    pub(super) fn empty(&self) -> Batch {
        self.batch()
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

/// A releases directory and the directories above it, from the top; none when the releases stand in the root itself.
fn releases_and_parents(releases: &InnerPath) -> Vec<InnerPath> {
    let mut paths: Vec<InnerPath> = std::iter::successors(Some(releases.clone()), InnerPath::parent).collect();
    paths.retain(|path| !path.is_root());
    paths.reverse();
    paths
}

/// A value of ours as one line of JSON.
pub(super) fn json(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string(value).expect("our own values have string keys and no failing parts");
    text.push('\n');
    text
}
