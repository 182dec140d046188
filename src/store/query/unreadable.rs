//! Unreadable files of the tool itself: each is noted once, so that commands can report it.

use crate::{
    path::InnerPath,
    store::{Kept, RecordOwner, kept::reason, layout::LOCK},
    transport::{Found, Reply},
};

use super::{At, EACH, Reader, token_of};

/// The ledger and its rotated predecessor.
pub(in crate::store) const LEDGERS: [&[&str]; 2] = [&["ledger"], &["older", "ledger"]];

/// The files of the state directory that are only checked for readability.
pub(super) const FILES: [(At, &[&str]); 5] = [
    (At::Ledger, LEDGERS[0]),
    (At::OlderLedger, LEDGERS[1]),
    (At::History, &["history"]),
    (At::OlderHistory, &["older", "history"]),
    (At::Marks, &["marks"]),
];

/// Checks that a file is readable, regardless of its contents.
pub(in crate::store) fn whole(reply: Option<&Reply>) -> Kept<()> {
    match reply {
        Some(Reply::Content(Some(Found::TooLarge))) => Kept::Record(()),
        Some(Reply::Content(found)) => Kept::bytes(found.as_ref()).mark(),
        Some(Reply::Failed(failure)) => Kept::Unreadable(reason(failure)),
        _ => Kept::Nothing,
    }
}

/// Checks two files: unreadable if either one is.
pub(super) fn readable(replies: [Option<&Reply>; 2]) -> Kept<()> {
    let [first, second] = replies.map(whole);
    if second.unreadable().is_some() || !first.exists() { second } else { first }
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
        for at in [At::Listings, At::Manifests, At::Owners] {
            let releases = self.listing(At::Releases);
            for name in releases.iter().filter_map(|listed| self.layout.release_name(&listed.name)) {
                self.noted(at, name.as_str(), self.beyond(at, name.as_str()));
            }
        }
        for (at, names) in FILES {
            if let Some(why) = whole(self.at(at)).unreadable() {
                self.note(self.layout.in_state(names), why);
            }
        }
        let directories = [(At::Staging, "staging"), (At::Locks, LOCK), (At::Live, "live")];
        for (at, name) in EACH.into_iter().map(|(at, above, _)| (at, above)).chain(directories) {
            if let Some(why) = self.directory(at).unreadable() {
                self.note(self.layout.in_state(&[name]), why);
            }
        }
    }

    /// Checks that one of the tool's directories is readable.
    pub(super) fn directory(&self, at: At) -> Kept<()> {
        match self.at(at) {
            Some(Reply::Failed(failure)) => Kept::Unreadable(reason(failure)),
            _ => Kept::Nothing,
        }
    }

    /// Returns the marks of live processes that belong to other users.
    pub(super) fn live_of_others(&self) -> Vec<InnerPath> {
        let others = self.listing(At::Live).iter().filter(|listed| Some(listed.entry.owner) != self.user());
        let tokens = others.filter_map(|listed| token_of(&listed.name));
        tokens.map(|token| self.layout.in_state(&["live", token.as_str()])).collect()
    }

    /// Returns the owners of the records that were read: each user once, with one of the files.
    pub(in crate::store) fn record_owners(&self) -> Vec<RecordOwner> {
        let of_directories = EACH.into_iter().flat_map(|(at, above, file)| {
            let contents: &[_] = if let Some(Reply::Contents(contents)) = self.at(at) { contents } else { &[] };
            contents
                .iter()
                .filter_map(move |(name, read)| Some((read.owner?, above, std::str::from_utf8(name).ok()?, file)))
        });
        let ledger = self
            .entry(At::LedgerEntry)
            .map(|entry| RecordOwner { owner: entry.owner, path: self.layout.in_state(&["ledger"]) });
        let mut owners: Vec<RecordOwner> = ledger.into_iter().collect();
        for (owner, above, name, file) in of_directories {
            if owners.iter().all(|known| known.owner != owner) {
                owners.push(RecordOwner { owner, path: self.layout.in_state(&[above, name, file]) });
            }
        }
        owners
    }

    /// Checks that a file kept for a release is readable.
    pub(super) fn beyond(&self, at: At, directory: &str) -> Kept<()> {
        match self.found(at, directory) {
            Some(Found::TooLarge) => Kept::Record(()),
            found => Kept::bytes(found).mark(),
        }
    }

    /// Passes a record through, and notes it if it is unreadable.
    pub(super) fn noted<T>(&self, at: At, directory: &str, kept: Kept<T>) -> Kept<T> {
        let Some((_, above, file)) = EACH.into_iter().find(|(each, ..)| *each as usize == at as usize) else {
            return kept;
        };
        if let Some(Reply::Failed(failure)) = self.at(at) {
            let why = reason(failure);
            self.note(self.layout.in_state(&[above]), &why);
            return Kept::Unreadable(why);
        }
        if let Some(why) = kept.unreadable() {
            self.note(self.layout.in_state(&[above, directory, file]), why);
        }
        kept
    }
}
