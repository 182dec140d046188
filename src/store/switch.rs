//! [`Switch`]: the request to switch `current`.

use crate::{name::ReleaseName, time::Timestamp};

use super::Current;
#[cfg(doc)]
use super::StoreGuard;

/// A release known to be complete, so that `current` may lead to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    name: ReleaseName,
}

impl Ready {
    /// Creates the claim of a store that the release `name` is complete and durable under its name.
    #[must_use]
    pub const fn new(name: ReleaseName) -> Self {
        Self { name }
    }

    /// Returns the release's name.
    #[must_use]
    pub fn name(&self) -> &ReleaseName {
        &self.name
    }
}

/// The request for [`StoreGuard::activate`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    /// The expected `current`: any other is a conflict.
    pub expected: Current,
    /// The release to switch to.
    pub to: Ready,
}

/// A switch that was made, synced and read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activated {
    /// The `current` before the switch.
    pub before: Current,
    /// The `current` after the switch.
    pub after: Current,
    /// The time of the switch by the host's clock.
    pub at: Option<Timestamp>,
}
