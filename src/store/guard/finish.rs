//! The end of an operation under the lock: marks, history, settled operations, and the release of the lock.

use crate::{
    debt::Debt,
    history::HistoryEntry,
    lock::LockOwner,
    name::ReleaseName,
    outcome::{Command, Outcome},
    record::BadRecord,
    store::{Finish, Finished, HostedRelease, Interrupted, StoreError, history, steps::json},
    transport::{Batch, Entry, FailureKind, Op, StepFailure, SyncReach},
};

use super::DirGuard;

impl DirGuard {
    pub(super) async fn finish(&mut self, finish: &Finish) -> Result<Finished, StoreError> {
        let sealed = self.seal_touched(finish).await?;
        self.find_uploads_to_settle().await;
        let lines = self.history_lines(finish).await;
        let steps = &self.store.steps;
        let mut batch = steps.locked(&self.token);
        let mut unsynced = Vec::new();
        if !lines.is_empty() {
            let path = self.store.layout().in_state(&["history"]);
            if self.long.contains("history") {
                steps.move_aside(&mut batch, "history");
            }
            batch.push_lenient(Op::Append { path: path.clone(), content: lines });
            unsynced.push(path);
        }
        let newest = self.marks_to_write(finish);
        steps.write_bad(&mut batch, &self.token, finish.bad.as_ref(), newest, &mut unsynced);
        if let Some((name, mark)) = &finish.pinned {
            steps.write_mark(&mut batch, &self.token, name, "pin", mark, std::mem::take(&mut unsynced));
        }
        if !unsynced.is_empty() {
            batch.push_lenient(Op::Sync { paths: unsynced, reach: SyncReach::Entries });
        }
        if let Some(name) = &finish.unpinned {
            batch.push_lenient(Op::RemoveFile {
                path: self.store.layout().in_state(&["releases", name.as_str(), "pin"]),
            });
        }
        if let Some(name) = &finish.cleared {
            batch.push_lenient(Op::RemoveFile {
                path: self.store.layout().in_state(&["releases", name.as_str(), "bad"]),
            });
        }
        for debt in &finish.debts {
            steps.write_debt(&mut batch, &self.token, debt);
        }
        for host in &finish.paid {
            let owed = self.store.layout().in_state(&["debts"]).join(&Debt::directory(host));
            batch.push_lenient(Op::RemoveTree { path: owed });
        }
        for name in &sealed.untouched {
            steps.unmark_touched(&mut batch, name);
        }
        if finish.settles {
            self.settle_records(&mut batch, finish);
        }
        let written = batch.part();
        self.keep_logs(&mut batch, finish);
        for token in self.fenced.iter().chain(self.settled(finish).map(|left| &left.token)) {
            steps.forget_journal(&mut batch, token);
        }
        for upload in self.settled(finish).flat_map(|left| &left.uploads) {
            steps.forget_staged(&mut batch, upload);
        }
        let forgotten = batch.part_after(&written);
        let released = if finish.unfinished {
            steps.leave_lock(&mut batch, &self.token)
        } else {
            steps.release_lock(&mut batch, &self.token)
        };
        let linked = finish.links_of.iter().filter_map(|name| Some((name, self.links_of(name)?)));
        let shared = self.store.look_at_links(&mut batch, linked);
        match self.store.execute(&batch).await {
            Ok(replies) => {
                self.claim.release();
                // A file to be removed may be missing.
                let forgotten = replies.failures(&forgotten).filter(|failure| failure.kind != FailureKind::Missing);
                let failed = replies.failures(&written).chain(forgotten);
                let failed = failed.map(|why| format!("{why}, in {}", steps.root)).collect();
                let (sealed, unsealed) = (sealed.rewritten, sealed.failed);
                Ok(Finished { failed, unsealed, sealed, links: shared.read(&replies)? })
            }
            Err(error) if error.is_missing_at(released) => Err(StoreError::LockLost { host: self.host() }),
            Err(error) => Err(self.store.understand_locked(&batch, error)),
        }
    }

    /// Returns the number of the newest bad mark if it is not written yet. A rollback does not read all marks to
    /// count them.
    fn marks_to_write(&self, finish: &Finish) -> Option<u64> {
        let number = match &finish.bad {
            Some((_, mark)) => mark.number,
            None if finish.history.is_some() && self.state.marks.is_none() => self.state.last_mark(),
            None => return None,
        };
        (self.state.marks != Some(number)).then_some(number)
    }

    /// Keeps the hooks' output when the lock and the leftovers of interrupted operations are removed.
    fn keep_logs(&self, batch: &mut Batch, finish: &Finish) {
        let log = self.store.layout().in_state(&["log"]);
        let held = self.store.layout().held(&self.token);
        self.bring_hooks(batch, if finish.unfinished { &held } else { &log });
        if self.hooks_begun && !finish.unfinished {
            batch.push_lenient(Op::MoveInto { from: self.hooks(), into: log.clone() });
        }
        let settled = self.state.interrupted.iter().filter(|_| finish.settles);
        for (left, operation) in settled.filter_map(|left| Some((left, left.operation()?))) {
            if left.intent.exists() {
                let hooks = self.store.layout().in_state(&["journal", left.token.as_str(), operation.as_str()]);
                batch.push_lenient(Op::MoveInto { from: hooks, into: log.clone() });
            }
        }
        for old in &self.old_logs {
            batch.push_lenient(Op::RemoveTree { path: log.join(old) });
        }
    }

    /// Restores the records of releases that interrupted operations never switched to, so that they do not count as
    /// once current.
    fn settle_records(&self, batch: &mut Batch, finish: &Finish) {
        let intents = self.state.interrupted.iter().filter_map(|left| left.intent.record());
        for intent in intents.filter(|intent| intent.command != Command::Rollback) {
            let release = self.state.release(&intent.to).filter(|release| !release.bad.exists());
            let marked = finish.bad.as_ref().is_some_and(|(name, _)| *name == intent.to);
            let never_current =
                !marked && self.state.current.release() != Some(&intent.to) && !self.is_named_by_a_record(&intent.to);
            // No record was written, so there is none to remove.
            let bare =
                intent.record.is_none() && release.is_some_and(|release| release.previous == Err(BadRecord::Missing));
            if release.is_some() && never_current && !bare {
                let mut restoring = self.store.steps.empty();
                self.store.steps.restore_record(&mut restoring, &self.token, &intent.to, intent.record.as_deref());
                for step in restoring.steps {
                    batch.push_lenient(step.op);
                }
            }
        }
    }

    fn is_named_by_a_record(&self, name: &ReleaseName) -> bool {
        let names =
            |release: &HostedRelease| release.previous.as_ref().is_ok_and(|previous| previous.release() == Some(name));
        self.state.all_releases().iter().any(names)
    }

    /// Returns the interrupted operations that this one settles, so that their leftovers are removed.
    ///
    /// An adoption settles only adoptions: it continues from wherever one was interrupted. A command that uploads
    /// settles uploads, whatever its outcome: they changed nothing else.
    fn settled<'g>(&'g self, finish: &Finish) -> impl Iterator<Item = &'g Interrupted> + use<'g> {
        let (settles, brings) = (finish.settles, self.owner.command.brings_content());
        let done = finish.history.as_ref().is_some_and(|ended| ended.outcome == Outcome::Done);
        let adopts = done && self.owner.command == Command::Adopt;
        let is_adoption = |left: &Interrupted| left.owner.record().is_some_and(|owner| owner.command == Command::Adopt);
        let left = self.state.interrupted.iter();
        left.filter(move |left| settles || (adopts && is_adoption(left)) || (brings && left.is_upload()))
    }

    /// Finds the uploads of dead processes, if the command uploads. Takes an exchange only if other uploads have an
    /// owner file.
    async fn find_uploads_to_settle(&mut self) {
        if self.owner.command.brings_content() {
            let is_own = |owner: &LockOwner| owner.operation == self.owner.operation;
            self.state.uploads.retain(|(_, owner)| !owner.record().is_some_and(is_own));
            // If it is unknown which are dead, the next operation settles them.
            let _ = self.store.find_dead_uploads(&mut self.state).await;
        }
    }

    /// Returns the history lines: first those of interrupted operations that are settled now, then this operation's.
    async fn history_lines(&self, finish: &Finish) -> String {
        let left: Vec<HistoryEntry> = self.settled(finish).filter_map(HistoryEntry::of_interrupted).collect();
        let left = if left.is_empty() { left } else { history::untold(&self.store, left).await };
        let left = left.iter().map(json);
        left.chain(finish.history.iter().map(|ended| json(&HistoryEntry::new(&self.owner, ended, self.state.clock))))
            .collect()
    }
}

/// The size at which a history is rotated, in bytes: some 3,000 operations.
const LONG_HISTORY: u64 = 1 << 20;

pub(super) fn is_long(history: Result<&Option<Entry>, &StepFailure>) -> bool {
    matches!(history, Ok(Some(history)) if history.size > LONG_HISTORY)
}
