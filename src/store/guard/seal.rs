//! Tracks the releases in which commands run, and seals them.

use std::collections::BTreeSet;

use crate::{
    name::ReleaseName,
    outcome::Command,
    store::{
        Finish, StoreError, check,
        layout::TOUCHED,
        query::each,
        seal::{Marked, Marking, Sealed, seal_changes},
    },
    transport::{Batch, FailureKind, Replies},
};

use super::DirGuard;

impl DirGuard {
    /// Adds the steps that take a snapshot of a release before a command runs in it; none if it has one.
    pub(super) fn mark(&self, batch: &mut Batch, name: &ReleaseName) -> Option<Marking> {
        (!self.marks.contains_key(name)).then(|| self.store.steps.mark_touched(batch, &self.token, name))
    }

    /// Records the result of these steps. Returns `true` if there was no space for the snapshot.
    pub(super) fn note_mark(
        &mut self,
        name: &ReleaseName,
        replies: &Replies,
        marking: Option<Marking>,
    ) -> Result<bool, StoreError> {
        let Some(marking) = marking else { return Ok(false) };
        Ok(self.note_marked(name, Marked::read(replies, marking)?))
    }

    fn note_marked(&mut self, name: &ReleaseName, marked: Marked) -> bool {
        match marked {
            Marked::Yes => {
                self.marks.insert(name.clone(), false);
                self.unmarked.remove(name);
                false
            }
            Marked::Unlisted => false,
            Marked::Failed(why) => {
                let is_full = why.kind == FailureKind::NoSpace;
                self.unmarked.insert(name.clone(), why);
                is_full
            }
        }
    }

    /// Seals a whole release, because `prepare` may have created files in it.
    pub(super) async fn seal(&mut self, name: &ReleaseName) -> Result<(), StoreError> {
        let marked = check::seal(&self.store, &self.token, name, self.links_of(name)).await?;
        self.note_marked(name, marked);
        Ok(())
    }

    /// Seals the changes of this operation's commands, and of the operations that it settles.
    pub(super) async fn seal_touched(&mut self, finish: &Finish) -> Result<Sealed, StoreError> {
        let mut names: BTreeSet<ReleaseName> =
            self.marks.iter().filter(|(_, ran)| **ran).map(|(name, _)| name.clone()).collect();
        let settles = finish.settles && !self.state.interrupted.is_empty();
        let sealed = self.seal_named(&mut names, settles || self.owner.command == Command::Recover).await;
        let mut sealed = match sealed {
            Err(error @ StoreError::LockLost { .. }) => return Err(error),
            Err(error) => {
                let why = crate::error::Error::from(error).full_message();
                Sealed { failed: vec![format!("what commands changed is not sealed: {why}")], ..Sealed::default() }
            }
            Ok(sealed) => sealed,
        };
        let unmarked = self.unmarked.iter();
        let unmarked = unmarked
            .map(|(name, why)| format!("what commands changed in {name} cannot be told, and is not sealed: {why}"));
        sealed.failed.extend(unmarked);
        // No command ran in these releases after all.
        let idle = self.marks.iter().filter(|(_, ran)| !**ran).map(|(name, _)| name.clone());
        sealed.untouched.extend(idle.filter(|name| !names.contains(name)));
        Ok(sealed)
    }

    async fn seal_named(&self, names: &mut BTreeSet<ReleaseName>, left_too: bool) -> Result<Sealed, StoreError> {
        if left_too {
            names.extend(self.left_marks().await?);
        }
        if names.is_empty() {
            Ok(Sealed::default())
        } else {
            seal_changes(&self.store, &self.token, names.clone()).await
        }
    }

    pub(super) async fn seal_left(&mut self) -> Result<Vec<ReleaseName>, StoreError> {
        let Sealed { rewritten, untouched, failed } = self.seal_named(&mut BTreeSet::new(), true).await?;
        if let Some(why) = failed.into_iter().next() {
            return Err(StoreError::Damaged { host: self.host(), what: why });
        }
        if !untouched.is_empty() {
            let mut batch = self.store.steps.locked(&self.token);
            for name in &untouched {
                self.store.steps.unmark_touched(&mut batch, name);
            }
            self.store.execute_locked(&batch).await?;
        }
        self.state.checked.take_if(|(name, _)| rewritten.contains(name));
        Ok(rewritten)
    }

    /// Returns the releases with a mark.
    async fn left_marks(&self) -> Result<Vec<ReleaseName>, StoreError> {
        let (layout, mut batch) = (self.store.layout(), self.store.steps.empty());
        let marks = batch.push(each(layout.in_state(&["releases"]), TOUCHED, 0));
        let replies = self.store.execute(&batch).await?;
        Ok(replies.get(marks)?.iter().filter_map(|(name, _)| layout.release_name(name)).collect())
    }
}
