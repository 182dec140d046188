//! [`Ready`] and [`Activated`]: a release that `current` may lead to, and a switch that was made.

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
    /// Vouches, for a store, that the release `name` may become current.
    ///
    /// With it, a store vouches that the release bears its name, contains everything that was staged and nothing that
    /// was received only in part, has its record of the previous release, and survives a crash of the host. Only
    /// [`StoreGuard::prepare`] and [`StoreGuard::ready`] return it, and nothing else can be activated: a wrong claim
    /// puts half a release into service.
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

/// A switch that was made, is durable, and was read back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Activated {
    /// The `current` before the switch.
    pub before: Current,
    /// The `current` after the switch, as read back.
    pub after: Current,
    /// The time of the switch by the host's clock, if known.
    pub at: Option<Timestamp>,
}

impl Activated {
    /// Reports, for a store, that it switched `current` from `before` to `after`.
    #[must_use]
    pub const fn new(before: Current, after: Current, at: Option<Timestamp>) -> Self {
        Self { before, after, at }
    }
}
