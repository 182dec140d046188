//! The operations of a [`Fleet`](super::Fleet), one file each.
//!
//! Those that change something are an [`Operation`](super::with_locks::Operation), or are composed of others.

pub(super) mod activate;
pub(super) mod adopt;
pub(super) mod check;
pub(super) mod deploy;
pub(super) mod diff;
pub(super) mod drill;
pub(super) mod inspect;
pub(super) mod log;
pub(super) mod mover;
pub(super) mod pin;
pub(super) mod probe;
pub(super) mod prune;
pub(super) mod recover;
pub(super) mod rollback;
pub(super) mod unlock;
pub(super) mod verify;
