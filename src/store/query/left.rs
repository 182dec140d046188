//! What runs left in a root, or hold there now.

use crate::{
    adoption::{AdoptedRecord, Tool},
    debt::Debt,
    lock::{LockHolder, LockOwner},
    name::ReleaseName,
    store::state::{HostedRelease, Intent, Interrupted},
    token::Token,
    transport::{Found, Liveness, Passed, Reply},
};

use super::{At, Query, Reader, token_of};

impl Reader<'_> {
    /// The tokens that name directories of which a file was read.
    fn tokens(&self, at: At) -> impl Iterator<Item = Token> {
        let contents: &[_] = if let Some(Reply::Contents(contents)) = self.at(at) { contents } else { &[] };
        contents.iter().filter_map(|(name, _)| token_of(name))
    }

    /// The release that is marked as a directory taken over, and is not there.
    pub(super) fn adopting(&self, releases: &[HostedRelease]) -> Option<ReleaseName> {
        let Some(Reply::Contents(contents)) = self.at(At::Adopted) else { return None };
        let names = contents.iter().filter_map(|(name, _)| self.layout.release_name(name));
        let is_moved = |name: &ReleaseName| {
            let record = self.json::<AdoptedRecord>(At::Adopted, name.as_str());
            record.is_some_and(|record| record.tool == Tool::Directory)
        };
        names.filter(|name| !releases.iter().any(|release| release.name == *name)).find(is_moved)
    }

    pub(super) fn lock(&self) -> Option<LockHolder> {
        let token = self.tokens(At::LockOwners).next()?;
        Some(LockHolder { owner: self.json(At::LockOwners, token.as_str()), holder: Liveness::Unknown, token })
    }

    pub(super) fn intent(&self) -> Option<Intent> {
        let token = self.tokens(At::LockIntents).next()?;
        self.json(At::LockIntents, token.as_str())
    }

    pub(super) fn interrupted(&self) -> Vec<Interrupted> {
        let left = |token: Token| Interrupted {
            owner: self.json::<LockOwner>(At::JournalOwners, token.as_str()),
            intent: self.json::<Intent>(At::JournalIntents, token.as_str()),
            token,
        };
        self.tokens(At::JournalOwners).map(left).collect()
    }

    pub(super) fn debts(&self) -> Vec<Debt> {
        let contents: &[_] = if let Some(Reply::Contents(contents)) = self.at(At::Debts) { contents } else { &[] };
        let read = |(_, found): &(Vec<u8>, Found)| match found {
            Found::Content(content) => serde_json::from_slice(content).ok(),
            _ => None,
        };
        contents.iter().filter_map(read).collect()
    }

    pub(super) fn way(&self) -> Vec<Passed> {
        if let Some(Reply::Way(way)) = self.at(At::Way) { way.clone() } else { Vec::new() }
    }

    pub(super) fn staging(&self) -> Vec<Token> {
        Query::tokens_in(self.at(At::Staging)).collect()
    }
}
