//! [`File`]: the tool's own files that are read from many directories at once.

use crate::{
    adoption::AdoptedRecord,
    limits,
    shared::SharedRecord,
    store::{
        layout::{LOCK, SEALED_USER, TOUCHED, UNSEALED},
        steps::{COMMANDS, DATA},
    },
};

/// A file that is read from many directories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct File {
    /// The directory in the state directory whose subdirectories each have this file.
    pub(super) above: &'static str,
    pub(super) name: &'static str,
    /// The maximum size, in bytes; 0 if only its existence matters.
    pub(super) limit: u64,
}

impl File {
    pub(super) const BAD: Self = Self::of_release("bad", limits::STATE);
    pub(super) const COMMANDS: Self = Self::of_release(COMMANDS, limits::COMMANDS);
    pub(super) const DATA: Self = Self::of_release(DATA, limits::STATE);
    pub(super) const OWNERS: Self = Self::of_release(SEALED_USER, limits::STATE);
    pub(super) const UNSEALED: Self = Self::of_release(UNSEALED, limits::STATE);
    pub(super) const LINKS: Self = Self::of_release(SharedRecord::FILE, limits::COMMANDS);
    pub(super) const STAGED: Self = Self::of_release("staged", limits::STATE);
    pub(super) const ADOPTED: Self = Self::of_release(AdoptedRecord::FILE, limits::STATE);
    pub(super) const PINS: Self = Self::of_release("pin", limits::STATE);
    pub(super) const LISTINGS: Self = Self::of_release("listing", 0);
    pub(super) const MANIFESTS: Self = Self::of_release("manifest", 0);
    pub(super) const TOUCHED: Self = Self::of_release(TOUCHED, 0);
    pub(super) const JOURNAL_OWNERS: Self = Self { above: "journal", name: "owner", limit: limits::STATE };
    pub(super) const JOURNAL_INTENTS: Self = Self { above: "journal", name: "intent", limit: limits::STATE };
    pub(super) const DEBTS: Self = Self { above: "debts", name: "debt", limit: limits::STATE };
    pub(super) const UPLOAD_OWNERS: Self = Self { above: "staging", name: "owner", limit: limits::STATE };
    pub(super) const LOCK_OWNERS: Self = Self { above: LOCK, name: "owner", limit: limits::STATE };
    pub(super) const LOCK_INTENTS: Self = Self { above: LOCK, name: "intent", limit: limits::STATE };

    /// All of them, in the order in which messages prefer them.
    pub(super) const ALL: [Self; 18] = [
        Self::BAD,
        Self::COMMANDS,
        Self::DATA,
        Self::OWNERS,
        Self::UNSEALED,
        Self::LINKS,
        Self::STAGED,
        Self::ADOPTED,
        Self::PINS,
        Self::LISTINGS,
        Self::MANIFESTS,
        Self::TOUCHED,
        Self::JOURNAL_OWNERS,
        Self::JOURNAL_INTENTS,
        Self::DEBTS,
        Self::UPLOAD_OWNERS,
        Self::LOCK_OWNERS,
        Self::LOCK_INTENTS,
    ];

    const fn of_release(name: &'static str, limit: u64) -> Self {
        Self { above: "releases", name, limit }
    }
}
