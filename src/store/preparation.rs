//! [`Preparation`]: the request to make a release ready for a switch.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{
    claim::Claim, commands::Commands, data::DataRecord, name::ReleaseName, record::PreviousVersion, shared::SharedLink,
    token::Token,
};

#[cfg(doc)]
use super::StoreGuard;

/// A release uploaded to a host and durable there, not yet published under its name.
#[derive(Debug, Clone)]
#[must_use = "publish it, or discard it"]
pub struct Staged {
    pub(crate) name: ReleaseName,
    pub(crate) token: Token,
    /// The claim of this process, if it made the upload.
    claim: Option<Arc<Mutex<Claim>>>,
}

impl PartialEq for Staged {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.token) == (&other.name, &other.token)
    }
}

impl Eq for Staged {}

impl Staged {
    /// Vouches, for a store, that the content of a release is complete and durable under `token`.
    ///
    /// The store chooses the token, such as [`Token::random`], and finds the content by it in
    /// [`prepare`](StoreGuard::prepare) and [`discard`](super::ReleaseStore::discard).
    pub const fn new(name: ReleaseName, token: Token) -> Self {
        Self { name, token, claim: None }
    }

    /// Creates an upload of this process, which is abandoned when it is neither published nor discarded.
    pub(super) fn claimed(name: ReleaseName) -> Self {
        let token = Token::random();
        let claim = Arc::new(Mutex::new(Claim::new(&token)));
        Self { name, token, claim: Some(claim) }
    }

    /// Forgets the claim: nothing is left in the place of the token.
    pub(super) fn release(&self) {
        if let Some(claim) = &self.claim {
            claim.lock().unwrap_or_else(PoisonError::into_inner).release();
        }
    }

    /// Returns the token by which the store finds the content.
    #[must_use]
    pub const fn token(&self) -> &Token {
        &self.token
    }

    /// Returns the name that the release will have.
    #[must_use]
    pub fn name(&self) -> &ReleaseName {
        &self.name
    }
}

/// The request for [`StoreGuard::prepare`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Preparation {
    /// The release to make ready.
    pub name: ReleaseName,
    /// The staged release to publish; `None` if the release already exists.
    pub staged: Option<Staged>,
    /// The new `previousVersion` record; `None` leaves the record as it is.
    pub record: Option<PreviousVersion>,
    /// The symlinks to shared paths to create in the staged release before it is published.
    pub shared: Vec<SharedLink>,
    /// The commands to record with the release.
    pub commands: Option<Commands>,
    /// Whether a command will still change the release. It is then marked as unsealed until
    /// [`seal`](StoreGuard::seal).
    pub unsealed: bool,
    /// The data record to write when the release is published.
    pub data: Option<DataRecord>,
}

impl Preparation {
    /// Makes the existing release `name` ready as it is.
    #[must_use]
    pub const fn new(name: ReleaseName) -> Self {
        Self { name, staged: None, record: None, shared: Vec::new(), commands: None, unsealed: false, data: None }
    }

    /// Publishes a staged release under its name.
    #[must_use]
    pub fn of(staged: Staged) -> Self {
        Self { staged: Some(staged.clone()), ..Self::new(staged.name) }
    }

    /// Sets the record of the previous release.
    #[must_use]
    pub fn record(mut self, record: PreviousVersion) -> Self {
        self.record = Some(record);
        self
    }
}
