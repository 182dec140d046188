//! Unreadable files of the tool itself: each is noted once, so that commands can report it.

use crate::{
    path::InnerPath,
    store::{Kept, RecordOwner, kept::reason, layout::LOCK},
    transport::{Content, Entry, Found, Replies, StepFailure, TransportError},
};

use super::{File, Query, Reader, listed, token_of};

/// The ledger and its rotated predecessor.
pub(in crate::store) const LEDGERS: [&[&str]; 2] = [&["ledger"], &["older", "ledger"]];

/// Further files of the state directory that are only checked for readability.
pub(super) const CHECKED: [&[&str]; 3] = [&["history"], &["older", "history"], &["marks"]];

/// Checks that a file is readable, regardless of its contents.
pub(in crate::store) fn whole(read: Result<&Content, &StepFailure>) -> Kept<()> {
    match read {
        Ok(Some(Found::TooLarge)) => Kept::Record(()),
        Ok(found) => Kept::bytes(found.as_ref()).mark(),
        Err(failure) => Kept::Unreadable(reason(failure)),
    }
}

impl Query {
    /// Checks the two ledgers: unreadable if either one is.
    pub(super) fn ledger(&self, replies: &Replies) -> Result<Kept<()>, TransportError> {
        let Some([newer, older]) = self.ledgers else { return Ok(Kept::Nothing) };
        let (first, second) = (whole(replies.get(newer)?), whole(replies.get(older)?));
        Ok(if second.unreadable().is_some() || !first.exists() { second } else { first })
    }
}

impl Reader<'_> {
    /// Notes an unreadable file, once.
    pub(super) fn note(&self, path: InnerPath, why: &str) {
        let mut unreadable = self.unreadable.borrow_mut();
        if unreadable.iter().all(|(noted, _)| *noted != path) {
            unreadable.push((path, why.to_owned()));
        }
    }

    /// Notes unreadable files that only other commands need, or whose directory names belong to no release or run.
    pub(super) fn note_contents(&self) {
        for file in [File::LISTINGS, File::MANIFESTS, File::OWNERS] {
            for name in self.listed.iter().filter_map(|(name, _)| self.layout.release_name(name)) {
                self.noted(file, name.as_str(), self.beyond(file, name.as_str()));
            }
        }
        for (names, read) in &self.checked {
            if let Some(why) = whole(*read).unreadable() {
                self.note(self.layout.in_state(names), why);
            }
        }
        let listings = [("staging", self.staging), (LOCK, self.locks), ("live", self.live)];
        let listings = listings.into_iter().filter_map(|(name, listing)| Some((name, listing?.err()?)));
        let files = File::ALL.into_iter().filter_map(|file| Some((file.above, self.files.get(&file)?.as_ref().err()?)));
        for (name, failure) in files.map(|(name, failure)| (name, *failure)).chain(listings) {
            self.note(self.layout.in_state(&[name]), &reason(failure));
        }
    }

    /// Checks that the directories of a file are readable.
    pub(super) fn directory(&self, file: File) -> Kept<()> {
        match self.files.get(&file) {
            Some(Err(failure)) => Kept::Unreadable(reason(failure)),
            _ => Kept::Nothing,
        }
    }

    /// Returns the marks of live processes that belong to other users.
    pub(super) fn live_of_others(&self) -> Vec<InnerPath> {
        let others = listed(self.live).iter().filter(|listed| Some(listed.entry.owner) != self.user());
        let tokens = others.filter_map(|listed| token_of(&listed.name));
        tokens.map(|token| self.layout.in_state(&["live", token.as_str()])).collect()
    }

    /// Returns the owners of the records that were read: each user once, with one of the files.
    pub(super) fn record_owners(&self, ledger: Option<Entry>) -> Vec<RecordOwner> {
        let ledger = ledger.map(|entry| RecordOwner { owner: entry.owner, path: self.layout.in_state(&["ledger"]) });
        let mut owners: Vec<RecordOwner> = ledger.into_iter().collect();
        for file in File::ALL {
            for (name, read) in self.files.get(&file).into_iter().flatten().flatten() {
                let (Some(owner), Ok(name)) = (read.owner, std::str::from_utf8(name)) else { continue };
                if owners.iter().all(|known| known.owner != owner) {
                    owners.push(RecordOwner { owner, path: self.layout.in_state(&[file.above, name, file.name]) });
                }
            }
        }
        owners
    }

    /// Checks that a file kept for a release is readable.
    pub(super) fn beyond(&self, file: File, directory: &str) -> Kept<()> {
        match self.found(file, directory) {
            Some(Found::TooLarge) => Kept::Record(()),
            found => Kept::bytes(found).mark(),
        }
    }

    /// Passes a record through, and notes it if it is unreadable.
    pub(super) fn noted<T>(&self, file: File, directory: &str, kept: Kept<T>) -> Kept<T> {
        if let Some(Err(failure)) = self.files.get(&file) {
            let why = reason(failure);
            self.note(self.layout.in_state(&[file.above]), &why);
            return Kept::Unreadable(why);
        }
        if let Some(why) = kept.unreadable() {
            self.note(self.layout.in_state(&[file.above, directory, file.name]), why);
        }
        kept
    }
}
