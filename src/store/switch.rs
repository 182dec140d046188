//! [`Switch`]: from what to what `current` goes.

use crate::{name::ReleaseName, time::Timestamp};

use super::Current;
#[cfg(doc)]
use super::StoreGuard;

/// A release that is known to be complete, so that `current` may lead to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    pub(crate) name: ReleaseName,
}

impl Ready {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &ReleaseName {
        &self.name
    }
}

/// What [`StoreGuard::activate`] does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    /// What `current` must be before: anything else is a conflict.
    pub expected: Current,
    /// What it is to be.
    pub to: Ready,
}

/// A switch that was made, synced and read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activated {
    /// What was current before.
    pub before: Current,
    /// What is current now.
    pub after: Current,
    /// When, by the host's clock.
    pub at: Option<Timestamp>,
}
