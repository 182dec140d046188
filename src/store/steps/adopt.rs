//! The steps that adopt another tool's tree. They change no existing file, except that a plain directory becomes
//! a release.

use serde::Serialize;

use crate::{
    adoption::AdoptedRecord,
    name::ReleaseName,
    path::InnerPath,
    record::{PreviousVersion, RECORD_FILE},
    status::BadMark,
    store::Current,
    token::Token,
    transport::{Batch, Handle, Op, SyncReach},
};

use super::{LockedBatch, PRIVATE, PRIVATE_FILE, PUBLIC, PUBLIC_FILE, Steps, json, preparation::releases_and_parents};

/// The batch that moves a plain directory, and the step that the host may not support.
#[derive(Debug)]
pub(in crate::store) struct Moving {
    pub(in crate::store) batch: LockedBatch,
    /// The step that exchanges the directory and the symlink, if the batch has one.
    pub(in crate::store) exchange: Option<Handle<()>>,
}

impl Steps {
    /// Writes the marks and records of adopted releases; oldest first, each record durable before the next.
    pub(in crate::store) fn adopt(
        &self,
        token: &Token,
        current: &Current,
        records: &[(ReleaseName, Option<PreviousVersion>, AdoptedRecord)],
        bad: &[(ReleaseName, BadMark)],
    ) -> LockedBatch {
        let mut batch = self.locked(token);
        batch.expect_current(self.expect(current));
        for (name, record, adopted) in records {
            self.keep(&mut batch, token, name, AdoptedRecord::FILE, adopted);
            if let Some(record) = record {
                let line = record.line(&self.root, self.layout.releases());
                self.write_record(&mut batch, token, name, line);
            }
        }
        for (name, mark) in bad {
            self.keep(&mut batch, token, name, "bad", mark);
        }
        batch
    }

    /// Durably writes one of the tool's files about a release; creates its directory if needed.
    pub(in crate::store) fn keep(
        &self,
        batch: &mut Batch,
        token: &Token,
        name: &ReleaseName,
        file: &str,
        content: &impl Serialize,
    ) {
        let kept = self.layout.in_state(&["releases", name.as_str()]);
        let written = self.layout.on_the_way(token, file);
        batch.push(Op::MakeDir { path: kept.clone(), mode: PRIVATE, existing_is_fine: true });
        batch.push(Op::RemoveFile { path: written.clone() });
        batch.push(Op::WriteNew { path: written.clone(), content: json(content), mode: PRIVATE_FILE });
        batch.push(Op::Sync { paths: vec![written.clone()], reach: SyncReach::Entries });
        batch.push(Op::MoveInto { from: written, into: kept.clone() });
        batch.push(Op::Sync { paths: vec![kept, self.layout.in_state(&["releases"])], reach: SyncReach::Entries });
    }

    /// Moves the plain directory `current` to the release `name` and links it, by one exchange or `by_renames`.
    ///
    /// The mark and the record are written first, so that the state after a crash is recognizable: the directory in its
    /// old place, or the release without a symlink to it.
    pub(in crate::store) fn move_directory(
        &self,
        token: &Token,
        name: &ReleaseName,
        adopted: &AdoptedRecord,
        by_renames: bool,
    ) -> Moving {
        let mut batch = self.locked(token);
        let (current, release) = (self.layout.current().clone(), self.layout.release(name));
        batch.expect_current(Op::ExpectDirectory { path: current.clone() });
        self.keep(&mut batch, token, name, AdoptedRecord::FILE, adopted);
        let record = self.layout.on_the_way(token, RECORD_FILE);
        batch.push(Op::RemoveFile { path: record.clone() });
        let line = PreviousVersion::None.line(&self.root, self.layout.releases());
        batch.push(Op::WriteNew { path: record.clone(), content: line, mode: PUBLIC_FILE });
        batch.push(Op::Sync { paths: vec![record.clone()], reach: SyncReach::Entries });
        batch.push(Op::MoveInto { from: record, into: current.clone() });
        // A release is durable before it is published, and it is unknown when this content was written.
        batch.push(Op::Sync { paths: vec![current.clone()], reach: SyncReach::Filesystem });
        for path in releases_and_parents(self.layout.releases()) {
            batch.push(Op::MakeDir { path, mode: PUBLIC, existing_is_fine: true });
        }
        // A leftover symlink from an exchange that did not happen.
        batch.push(Op::RemoveFile { path: release.clone() });
        let exchange = if by_renames {
            let prepared = self.layout.held(token).join(&current);
            batch.push(Op::MakeLink { path: prepared.clone(), text: self.layout.link_to(name) });
            batch.push(Op::Rename { from: current, to: release });
            batch.push(Op::MoveInto { from: prepared, into: InnerPath::root() });
            None
        } else {
            batch.push(Op::MakeLink { path: release.clone(), text: self.layout.link_to(name) });
            Some(batch.push(Op::Exchange { one: current, other: release }))
        };
        let ends = [self.layout.releases().clone(), InnerPath::root()];
        batch.push(Op::Sync { paths: ends.to_vec(), reach: SyncReach::Entries });
        Moving { batch, exchange }
    }
}
