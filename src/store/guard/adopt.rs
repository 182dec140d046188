//! Adoption of a tree under its lock.

use std::time::Duration;

use crate::{
    adoption::{AdoptedRecord, Adoption},
    name::ReleaseName,
    record::PreviousVersion,
    status::BadMark,
    store::{Current, Ready, StoreError},
};

use super::DirGuard;

/// The pause between two records: longer than the timestamp granularity of Linux filesystems, at most one kernel
/// tick (10 ms).
const TICK: Duration = Duration::from_millis(20);

impl DirGuard {
    /// Writes marks and records, or moves a plain directory.
    pub(super) async fn adopt(&mut self, adoption: &Adoption) -> Result<(), StoreError> {
        if let Some(name) = &adoption.becomes {
            return self.take_directory(name, adoption).await;
        }
        let mark = BadMark {
            // Older than any number that this tool assigns.
            number: 0,
            at: self.state.clock.unwrap_or(self.owner.since),
            by: self.owner.by.clone(),
            reason: Some(format!("{} rolled back from it, or failed to deploy it", adoption.tool)),
        };
        let bad: Vec<(ReleaseName, BadMark)> = adoption.bad.iter().map(|name| (name.clone(), mark.clone())).collect();
        let recorded: Vec<_> =
            adoption.recorded.iter().map(|name| (name.clone(), None, self.adopted(adoption, false))).collect();
        self.write_adoption(&recorded, &bad).await?;
        for (name, previous) in &adoption.records {
            // Tools that go by the times of directories must see them in order, and filesystem timestamps are coarse.
            tokio::time::sleep(TICK).await;
            let written = (name.clone(), Some(previous.clone()), self.adopted(adoption, true));
            self.write_adoption(&[written], &[]).await?;
        }
        Ok(())
    }

    async fn write_adoption(
        &self,
        records: &[(ReleaseName, Option<PreviousVersion>, AdoptedRecord)],
        bad: &[(ReleaseName, BadMark)],
    ) -> Result<(), StoreError> {
        let batch = self.store.steps.adopt(&self.token, &self.state.current, records, bad);
        self.store.execute_locked(&batch).await.map(drop)
    }

    fn adopted(&self, adoption: &Adoption, inferred: bool) -> AdoptedRecord {
        AdoptedRecord::new(adoption, &self.owner, inferred)
    }

    /// Moves the directory and links it; one that an interrupted adoption already moved is only linked.
    async fn take_directory(&mut self, name: &ReleaseName, adoption: &Adoption) -> Result<(), StoreError> {
        if self.state.current == Current::Absent {
            // No intent: undoing it would remove the only link.
            self.intent_written = true;
            return self
                .activate(&Current::Absent, &Ready::new(name.clone()))
                .await
                .map(drop)
                .map_err(|failed| failed.error);
        }
        self.move_directory(name, &self.adopted(adoption, false)).await?;
        self.state.current = Current::Release { name: name.clone(), link: self.store.layout().link_to(name) };
        Ok(())
    }

    /// Exchanges the directory and the symlink; if the host cannot, renames one after the other.
    async fn move_directory(&self, name: &ReleaseName, adopted: &AdoptedRecord) -> Result<(), StoreError> {
        let steps = &self.store.steps;
        let moving = steps.move_directory(&self.token, name, adopted, false);
        let Err(error) = self.store.execute(&moving.batch).await else { return Ok(()) };
        if moving.exchange.is_none_or(|exchange| !error.failed_at(exchange)) {
            return Err(self.store.understand_locked(&moving.batch, error));
        }
        let moving = steps.move_directory(&self.token, name, adopted, true);
        self.store.execute_locked(&moving.batch).await.map(drop)
    }
}
