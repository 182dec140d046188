//! Leftovers of interrupted runs, and the current lock.

use crate::{
    adoption::{AdoptedRecord, Tool},
    debt::Debt,
    lock::{LockHolder, LockOwner},
    name::ReleaseName,
    store::{
        Kept,
        state::{HostedRelease, Intent, Interrupted},
    },
    token::Token,
    transport::{Found, Liveness, Passed, Reply},
};

use super::{At, Query, Reader, token_of};

impl Reader<'_> {
    /// Returns the tokens that name the directories in which a file was read.
    fn tokens(&self, at: At) -> impl Iterator<Item = Token> {
        let contents: &[_] = if let Some(Reply::Contents(contents)) = self.at(at) { contents } else { &[] };
        contents.iter().filter_map(|(name, _)| token_of(name))
    }

    /// Returns the release that is marked as an adopted directory but does not exist.
    pub(super) fn adopting(&self, releases: &[HostedRelease]) -> Option<ReleaseName> {
        let Some(Reply::Contents(contents)) = self.at(At::Adopted) else { return None };
        let names = contents.iter().filter_map(|(name, _)| self.layout.release_name(name));
        let is_moved = |name: &ReleaseName| {
            let record = self.kept::<AdoptedRecord>(At::Adopted, name.as_str());
            record.record().is_some_and(|record| record.tool == Tool::Directory)
        };
        names.filter(|name| releases.binary_search_by(|release| release.name.cmp(name)).is_err()).find(is_moved)
    }

    /// Returns the lock's holder. Any directory in the lock means that it is held, whatever became of the files in
    /// it.
    pub(super) fn lock(&self) -> Option<LockHolder> {
        let holder = Liveness::Unknown;
        let Some(token) = self.tokens(At::LockOwners).chain(Query::tokens_in(self.at(At::Locks))).next() else {
            let hidden = self.directory(At::Locks).exists();
            return hidden.then_some(LockHolder { owner: None, holder, token: None });
        };
        let owner = self.kept(At::LockOwners, token.as_str()).record().cloned();
        Some(LockHolder { owner, holder, token: Some(token) })
    }

    pub(super) fn intent(&self) -> Kept<Intent> {
        self.tokens(At::LockIntents).next().map(|token| self.intent_at(At::LockIntents, &token)).unwrap_or_default()
    }

    pub(super) fn interrupted(&self) -> Vec<Interrupted> {
        let left = |token: Token| Interrupted {
            owner: self.kept(At::JournalOwners, token.as_str()),
            intent: self.intent_at(At::JournalIntents, &token),
            uploads: Vec::new(),
            token,
        };
        let mut tokens: Vec<Token> = self.tokens(At::JournalOwners).chain(self.tokens(At::JournalIntents)).collect();
        tokens.sort_unstable();
        tokens.dedup();
        tokens.into_iter().map(left).collect()
    }

    /// Reads an intent. An intent is synced before the operation does anything that it announces: one that a power
    /// cut left empty is of an operation that had not begun.
    fn intent_at(&self, at: At, token: &Token) -> Kept<Intent> {
        match self.found(at, token.as_str()) {
            Some(Found::Content(content)) if content.iter().all(|byte| *byte == 0) => Kept::Nothing,
            _ => self.kept(at, token.as_str()),
        }
    }

    pub(super) fn debts(&self) -> Vec<Debt> {
        let contents: &[_] = if let Some(Reply::Contents(contents)) = self.at(At::Debts) { contents } else { &[] };
        let names = contents.iter().filter_map(|(name, _)| std::str::from_utf8(name).ok());
        let debt = |name: &str| self.kept::<Debt>(At::Debts, name).record().cloned();
        names.filter_map(debt).collect()
    }

    pub(super) fn way(&self) -> Vec<Passed> {
        if let Some(Reply::Way(way)) = self.at(At::Way) { way.clone() } else { Vec::new() }
    }

    /// Returns the uploads with an owner file, whether or not their processes are alive.
    pub(super) fn uploads(&self) -> Vec<(Token, Kept<LockOwner>)> {
        self.tokens(At::UploadOwners)
            .map(|token| (token.clone(), self.kept(At::UploadOwners, token.as_str())))
            .collect()
    }

    pub(super) fn staging(&self) -> Vec<Token> {
        Query::tokens_in(self.at(At::Staging)).collect()
    }
}
