//! [`Replay`]: a second reading of an archive, in the order of the scanned entries.

use std::{
    io::{self, Read},
    slice,
};

use super::{TreeEntry, TreeError, Visit};

/// Walks the entries of a tree in step with the members of its archive.
pub(super) struct Replay<'t> {
    entries: &'t [TreeEntry],
    next: usize,
    members: slice::Iter<'t, Option<usize>>,
}

impl<'t> Replay<'t> {
    /// A replay of `entries`, where `members` has the index of each member's entry, if any.
    pub(super) fn new(entries: &'t [TreeEntry], members: &'t [Option<usize>]) -> Self {
        Self { entries, next: 0, members: members.iter() }
    }

    /// Takes the next member: visits the entries up to it, and it, unless it is a directory that was visited earlier
    /// for its entries. Returns `Ok(false)` if it differs from the scan.
    pub(super) fn take(
        &mut self,
        member: &TreeEntry,
        content: &mut dyn Read,
        visit: &mut Visit<'_>,
    ) -> Result<bool, TreeError> {
        let Some(&index) = self.members.next() else { return Ok(false) };
        let Some(index) = index else { return Ok(true) };
        if self.entries.get(index) != Some(member) {
            return Ok(false);
        }
        if self.next <= index {
            self.visit_at(index, content, visit)?;
        }
        Ok(true)
    }

    /// Skips the next member, a hard link; returns `false` if it differs from the scan.
    pub(super) fn pass(&mut self) -> bool {
        self.members.next() == Some(&None)
    }

    /// Visits the entries up to `index`, and that one with its content.
    pub(super) fn visit_at(
        &mut self,
        index: usize,
        content: &mut dyn Read,
        visit: &mut Visit<'_>,
    ) -> Result<(), TreeError> {
        while self.next < index {
            self.visit_next(&mut io::empty(), visit)?;
        }
        self.visit_next(content, visit)
    }

    /// Visits the remaining entries, without content.
    pub(super) fn rest(&mut self, visit: &mut Visit<'_>) -> Result<(), TreeError> {
        (self.next..self.entries.len()).try_for_each(|_| self.visit_next(&mut io::empty(), visit))
    }

    /// Whether every member was taken.
    pub(super) fn is_done(&self) -> bool {
        self.members.len() == 0
    }

    fn visit_next(&mut self, content: &mut dyn Read, visit: &mut Visit<'_>) -> Result<(), TreeError> {
        let Some(entry) = self.entries.get(self.next) else { return Ok(()) };
        self.next += 1;
        visit(entry, content).map_err(TreeError::Visit)
    }
}
