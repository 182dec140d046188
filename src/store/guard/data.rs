//! Writes the data record of a release and the host's ledger.

use crate::{
    data::{DataRecord, LedgerEntry, LedgerStep},
    limits,
    name::ReleaseName,
    path::InnerPath,
    store::{
        HookDirectory, Kept, StoreError,
        steps::{DATA, json},
    },
    transport::{Batch, Op, SyncReach},
};

use super::{DirGuard, finish::is_long};

impl DirGuard {
    fn ledger_file(&self) -> InnerPath {
        self.store.layout().in_state(&["ledger"])
    }

    pub(super) async fn record_data(
        &mut self,
        name: &ReleaseName,
        record: Option<&DataRecord>,
        entry: Option<&LedgerEntry>,
    ) -> Result<(), StoreError> {
        let mut batch = self.store.steps.locked(&self.token);
        if let Some(record) = record {
            self.store.steps.keep(&mut batch, &self.token, name, DATA, record);
        }
        if let Some(entry) = entry {
            self.write_ledger(&mut batch, entry);
        }
        // The size decides whether the next line rotates the ledger; this line need not wait for it.
        let size = batch.push_lenient(Op::inspect(self.ledger_file()));
        // A command that may change the release follows.
        let begins = entry.is_some_and(|entry| matches!(entry.step, LedgerStep::ApplyBegun | LedgerStep::RevertBegun));
        let marking = if begins { self.mark(&mut batch, name) } else { None };
        let replies = self.store.execute_locked(&batch).await?;
        self.note_mark(name, &replies, marking)?;
        if is_long(replies.get(size)?) {
            self.long.insert("ledger");
        } else {
            self.long.remove("ledger");
        }
        if let (Some(record), Some(release)) =
            (record, self.state.releases.iter_mut().find(|release| release.name == *name))
        {
            release.data = Kept::Record(record.clone());
        }
        Ok(())
    }

    fn write_ledger(&self, batch: &mut Batch, entry: &LedgerEntry) {
        let path = self.ledger_file();
        if self.long.contains("ledger") {
            self.store.steps.move_aside(batch, "ledger");
        }
        batch.push(Op::Append { path: path.clone(), content: json(entry) });
        batch.push(Op::Sync { paths: vec![path, self.store.layout().state().clone()], reach: SyncReach::Entries });
    }

    pub(super) async fn ledger(&self) -> Result<(Vec<LedgerEntry>, usize), StoreError> {
        let mut batch = self.store.steps.empty();
        let ledgers = [self.store.layout().in_state(&["older", "ledger"]), self.ledger_file()]
            .map(|path| batch.push(Op::read(path, limits::LINES)));
        let (mut entries, mut torn) = (Vec::new(), 0);
        let replies = self.store.execute(&batch).await?;
        for ledger in ledgers {
            match Kept::bytes(replies.get(ledger)?.as_ref()) {
                Kept::Nothing => {}
                Kept::Record(content) => {
                    let (more, broken) = LedgerEntry::read_lines(content);
                    entries.extend(more);
                    torn += broken;
                }
                Kept::Unreadable(why) => {
                    let what = format!("the ledger: {why}");
                    return Err(StoreError::Damaged { host: self.host(), what });
                }
            }
        }
        Ok((entries, torn))
    }

    /// Returns the working directory for a release's own commands: the release, or its saved copy if the release or
    /// part of `saved` no longer exists.
    pub(super) async fn directory_of(
        &self,
        name: &ReleaseName,
        saved: &[InnerPath],
    ) -> Result<HookDirectory, StoreError> {
        let mut batch = self.store.steps.empty();
        let release = self.store.layout().release(name);
        let copy = batch.push(Op::inspect(self.store.layout().saved(name)));
        let own = batch.push(Op::inspect(release.clone()));
        let parts: Vec<_> = saved.iter().map(|path| batch.push_lenient(Op::inspect(release.join(path)))).collect();
        let replies = self.store.execute(&batch).await?;
        let (copy, mut whole) = (replies.get(copy)?.is_some(), replies.get(own)?.is_some());
        for part in parts {
            whole &= matches!(replies.get(part)?, Ok(Some(_)));
        }
        Ok(if copy && !whole { HookDirectory::Saved } else { HookDirectory::Release })
    }

    pub(super) async fn announce(&mut self, to: &ReleaseName) -> Result<(), StoreError> {
        if self.intent_written {
            return Ok(());
        }
        let intent = self.intent(to);
        let mut batch = self.store.steps.locked(&self.token);
        self.store.steps.write_intent(&mut batch, &self.token, &intent);
        self.store.execute_locked(&batch).await?;
        self.intent_written = true;
        Ok(())
    }
}
