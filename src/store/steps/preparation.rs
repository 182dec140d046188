//! The batches that make a release ready for a switch, and that undo it.

use crate::{
    name::ReleaseName,
    path::InnerPath,
    record::{PreviousVersion, RECORD_FILE},
    store::{
        Current, Intent, Preparation, Staged,
        layout::{OVER, UNSEALED, inner},
    },
    token::Token,
    transport::{Batch, Entry, Handle, MayFail, Op, SyncReach},
};

use super::{COMMANDS, DATA, LockedBatch, PRIVATE, PRIVATE_FILE, PUBLIC, PUBLIC_FILE, Steps, json};

/// The batch that makes a release ready, and the steps that explain a failure.
#[derive(Debug)]
pub(in crate::store) struct Preparing {
    pub(in crate::store) batch: Batch,
    /// The step that fails if the lock was taken over.
    pub(in crate::store) lock: Handle<()>,
    /// The step that fails if the name is taken.
    pub(in crate::store) absent: Option<Handle<()>>,
    /// The step that publishes.
    pub(in crate::store) publish: Option<Handle<()>>,
    /// The step that fails if the release does not exist.
    pub(in crate::store) present: Handle<()>,
    /// The steps that move first content to a shared path, each with that path.
    pub(in crate::store) seeds: Vec<(Handle<()>, InnerPath)>,
    /// The step that asks for the size of the history.
    pub(in crate::store) history: Handle<MayFail<Option<Entry>>>,
}

impl Steps {
    /// Writes the intent, publishes and records, each durable before the next. Does not touch `current`.
    pub(in crate::store) fn prepare(&self, token: &Token, intent: &Intent, preparation: &Preparation) -> Preparing {
        let mut batch = self.batch();
        let lock = self.write_intent(&mut batch, token, intent);
        let name = &preparation.name;
        let mut seeds = Vec::new();
        let published = preparation.staged.as_ref();
        let published = published.map(|staged| self.publish(&mut batch, intent, preparation, staged, &mut seeds));
        let present = batch.push(Op::ExpectDirectory { path: self.layout.release(name) });
        if let (None, Some(commands)) = (&preparation.staged, &preparation.commands) {
            self.keep(&mut batch, token, name, COMMANDS, commands);
        }
        if preparation.staged.is_none() && preparation.unsealed {
            self.keep(&mut batch, token, name, UNSEALED, &"prepare");
        }
        if let Some(record) = &preparation.record {
            let line = record.line(&self.root, self.layout.releases());
            self.write_record(&mut batch, token, name, line);
        }
        // Asks for the size of the history here, where no rollback waits for it.
        let history = batch.push_lenient(Op::inspect(self.layout.in_state(&["history"])));
        let (absent, publish) = published.unzip();
        Preparing { batch, lock, absent, publish, present, seeds, history }
    }

    /// Publishes the staged content under its name. Returns the step that fails if the name is taken, and the one
    /// that publishes.
    fn publish(
        &self,
        batch: &mut Batch,
        intent: &Intent,
        preparation: &Preparation,
        staged: &Staged,
        seeds: &mut Vec<(Handle<()>, InnerPath)>,
    ) -> (Handle<()>, Handle<()>) {
        let name = &preparation.name;
        let releases = self.layout.releases().clone();
        let kept = self.layout.kept(name);
        for path in releases_and_parents(&releases) {
            batch.push(Op::MakeDir { path, mode: PUBLIC, existing_is_fine: true });
        }
        let absent = batch.push(Op::ExpectAbsent { path: self.layout.release(name) });
        // May be left from a release of this name that was removed by hand.
        batch.push(Op::RemoveTree { path: kept.clone() });
        batch.push(Op::MoveInto { from: self.staged_kept(staged), into: self.layout.in_state(&["releases"]) });
        if preparation.record.is_none() {
            self.write_over(batch, intent, &kept);
        }
        if !preparation.shared.is_empty() {
            seeds.extend(self.share(batch, staged, &kept, &preparation.shared));
        }
        let mut written = Vec::new();
        let mut keep = |file: &str, content: String| {
            let path = kept.join(&inner(file));
            batch.push(Op::WriteNew { path: path.clone(), content, mode: PRIVATE_FILE });
            written.push(path);
        };
        if let Some(commands) = &preparation.commands {
            keep(COMMANDS, json(commands));
        }
        if let Some(data) = &preparation.data {
            keep(DATA, json(data));
        }
        if preparation.unsealed {
            keep(UNSEALED, json(&"prepare"));
        }
        if !written.is_empty() {
            batch.push(Op::Sync { paths: written, reach: SyncReach::Entries });
        }
        let publish = batch.push(Op::MoveInto { from: self.staged_content(staged), into: releases.clone() });
        batch.push(Op::Sync {
            paths: vec![kept, self.layout.in_state(&["releases"]), releases],
            reach: SyncReach::Entries,
        });
        self.forget(batch, &staged.token);
        (absent, publish)
    }

    /// Writes the current release's name beside a release that is published without a record of it.
    fn write_over(&self, batch: &mut Batch, intent: &Intent, kept: &InnerPath) {
        let over = intent.from.clone().map_or(PreviousVersion::None, PreviousVersion::Release);
        let path = kept.join(&inner(OVER));
        let content = over.line(&self.root, self.layout.releases());
        batch.push(Op::WriteNew { path: path.clone(), content, mode: PRIVATE_FILE });
        batch.push(Op::Sync { paths: vec![path], reach: SyncReach::Entries });
    }

    /// Writes a record beside its place, syncs it, and renames it there, so that nobody ever reads an empty one.
    pub(super) fn write_record(&self, batch: &mut Batch, token: &Token, name: &ReleaseName, line: String) {
        let written = self.layout.on_the_way(token, RECORD_FILE);
        batch.push(Op::RemoveFile { path: written.clone() });
        batch.push(Op::WriteNew { path: written.clone(), content: line, mode: PUBLIC_FILE });
        batch.push(Op::Sync { paths: vec![written.clone()], reach: SyncReach::Entries });
        batch.push(Op::MoveInto { from: written, into: self.layout.release(name) });
        batch.push(Op::Sync { paths: vec![self.layout.release(name)], reach: SyncReach::Entries });
    }

    /// Restores the record of a release after an operation that never came to its switch.
    pub(in crate::store) fn restore_record(
        &self,
        batch: &mut Batch,
        token: &Token,
        name: &ReleaseName,
        was: Option<&str>,
    ) {
        match was {
            Some(line) => self.write_record(batch, token, name, line.to_owned()),
            // Moves the record into the lock, which a run that lost its lock does not find. There may be no record by
            // now.
            None => {
                batch.push_lenient(Op::MoveInto { from: self.layout.record(name), into: self.layout.held(token) });
            }
        }
    }

    /// Undoes [`prepare`](Self::prepare); `was` is the old line of the record, if it had one.
    ///
    /// A published release moves to a directory of its own in the trash, from where nothing returns. It passes through
    /// the lock, so that a run that lost its lock removes nothing that others may rely on.
    pub(in crate::store) fn unprepare(
        &self,
        token: &Token,
        current: &Current,
        preparation: &Preparation,
        was: Option<&str>,
    ) -> LockedBatch {
        let mut batch = self.locked(token);
        if !matches!(current, Current::NotALink(_)) {
            batch.expect_current(self.expect(current));
        }
        let name = &preparation.name;
        if let Some(staged) = &preparation.staged {
            let (own, trash) = (Token::random(), self.layout.in_state(&["trash"]));
            let withdrawn = self.layout.held(token).join(&inner(own.as_str()));
            batch.push(Op::MakeDir { path: withdrawn.clone(), mode: PRIVATE, existing_is_fine: false });
            batch.push(Op::MoveInto { from: self.layout.release(name), into: withdrawn.clone() });
            batch.push(Op::MoveInto { from: withdrawn, into: trash.clone() });
            batch.push(Op::Sync { paths: vec![self.layout.releases().clone()], reach: SyncReach::Entries });
            batch.push_lenient(Op::RemoveTree { path: self.layout.kept(name) });
            batch.push_lenient(Op::RemoveTree { path: trash.join(&inner(own.as_str())) });
            self.forget(&mut batch, &staged.token);
        } else if preparation.record.is_some() {
            self.restore_record(&mut batch, token, name, was);
        }
        batch
    }
}

/// Returns the releases directory and its parents, topmost first; none if the releases are in the root itself.
pub(super) fn releases_and_parents(releases: &InnerPath) -> Vec<InnerPath> {
    let mut paths: Vec<InnerPath> = std::iter::successors(Some(releases.clone()), InnerPath::parent).collect();
    paths.retain(|path| !path.is_root());
    paths.reverse();
    paths
}
