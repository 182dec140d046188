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
    transport::{Found, Liveness},
};

use super::{File, Reader, listed, token_of, tokens_in};

impl Reader<'_> {
    /// Returns the tokens that name the directories in which a file was read.
    fn tokens(&self, file: File) -> impl Iterator<Item = Token> {
        self.names(file).filter_map(token_of)
    }

    /// Returns the release that is marked as an adopted directory but does not exist.
    pub(super) fn adopting(&self, releases: &[HostedRelease]) -> Option<ReleaseName> {
        let mut names = self.names(File::ADOPTED).filter_map(|name| self.layout.release_name(name));
        let is_moved = |name: &ReleaseName| {
            let record = self.kept::<AdoptedRecord>(File::ADOPTED, name.as_str());
            record.record().is_some_and(|record| record.tool == Tool::Directory)
        };
        names.find(|name| releases.binary_search_by(|release| release.name.cmp(name)).is_err() && is_moved(name))
    }

    /// Returns the lock's holder. Any directory in the lock means that it is held, whatever became of the files in
    /// it.
    pub(super) fn lock(&self) -> Option<LockHolder> {
        let holder = Liveness::Unknown;
        let Some(token) = self.tokens(File::LOCK_OWNERS).chain(tokens_in(listed(self.locks))).next() else {
            return matches!(self.locks, Some(Err(_))).then_some(LockHolder { owner: None, holder, token: None });
        };
        let owner = self.kept(File::LOCK_OWNERS, token.as_str()).record().cloned();
        Some(LockHolder { owner, holder, token: Some(token) })
    }

    pub(super) fn intent(&self) -> Kept<Intent> {
        self.tokens(File::LOCK_INTENTS)
            .next()
            .map(|token| self.intent_at(File::LOCK_INTENTS, &token))
            .unwrap_or_default()
    }

    pub(super) fn interrupted(&self) -> Vec<Interrupted> {
        let left = |token: Token| Interrupted {
            owner: self.kept(File::JOURNAL_OWNERS, token.as_str()),
            intent: self.intent_at(File::JOURNAL_INTENTS, &token),
            uploads: Vec::new(),
            token,
        };
        let mut tokens: Vec<Token> =
            self.tokens(File::JOURNAL_OWNERS).chain(self.tokens(File::JOURNAL_INTENTS)).collect();
        tokens.sort_unstable();
        tokens.dedup();
        tokens.into_iter().map(left).collect()
    }

    /// Reads an intent. An intent is synced before the operation does anything that it announces: one that a power
    /// cut left empty is of an operation that had not begun.
    fn intent_at(&self, file: File, token: &Token) -> Kept<Intent> {
        match self.found(file, token.as_str()) {
            Some(Found::Content(content)) if content.iter().all(|byte| *byte == 0) => Kept::Nothing,
            _ => self.kept(file, token.as_str()),
        }
    }

    pub(super) fn debts(&self) -> Vec<Debt> {
        let names = self.names(File::DEBTS).filter_map(|name| std::str::from_utf8(name).ok());
        let debt = |name: &str| self.kept::<Debt>(File::DEBTS, name).record().cloned();
        names.filter_map(debt).collect()
    }

    /// Returns the uploads with an owner file, whether or not their processes are alive.
    pub(super) fn uploads(&self) -> Vec<(Token, Kept<LockOwner>)> {
        self.tokens(File::UPLOAD_OWNERS)
            .map(|token| (token.clone(), self.kept(File::UPLOAD_OWNERS, token.as_str())))
            .collect()
    }
}
