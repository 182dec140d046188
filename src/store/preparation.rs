//! [`Preparation`]: how a release is made ready to be switched to.

use crate::{
    commands::Commands, data::DataRecord, name::ReleaseName, record::PreviousVersion, shared::SharedLink, token::Token,
};

#[cfg(doc)]
use super::StoreGuard;

/// A release that was brought to a host and is durable there, under no name yet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "publish it, or discard it"]
pub struct Staged {
    pub(crate) name: ReleaseName,
    pub(crate) token: Token,
}

impl Staged {
    /// The name it is to have.
    #[must_use]
    pub fn name(&self) -> &ReleaseName {
        &self.name
    }
}

/// What [`StoreGuard::prepare`] does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preparation {
    /// The release that is made ready.
    pub name: ReleaseName,
    /// What was staged, when it has yet to be published.
    pub staged: Option<Staged>,
    /// What its record is to say; `None` when it is only published, or its record stays.
    pub record: Option<PreviousVersion>,
    /// What is linked into what was staged before it is published.
    pub shared: Vec<SharedLink>,
    /// The commands that are kept with it, when it is published.
    pub commands: Option<Commands>,
    /// Whether something is yet to be done in it: until it is [sealed](StoreGuard::seal) then, it is known as not ready.
    pub unsealed: bool,
    /// What is known of its data, kept with it when it is published.
    pub data: Option<DataRecord>,
}
