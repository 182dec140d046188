//! [`Verification`]: what holding a release against its manifest showed, as reports carry it.

use std::fmt;

use serde::Serialize;

use crate::{
    manifest::{Difference, Digest, shown},
    name::ReleaseName,
    shared::BrokenLink,
    store::Verified,
    transport::DifferentEntries,
};

/// What holding a release of a host against its manifest showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Verification {
    /// The release.
    pub release: ReleaseName,
    /// The digest of its manifest, which stands for the whole of it.
    pub digest: Digest,
    /// Whether contents were compared too.
    pub full: bool,
    /// How many entries are missing or changed.
    pub damaged: u64,
    /// Those, the first hundred of them at most.
    pub damage: Vec<Damage>,
    /// How many entries have another mode, which grants nobody anything and is no damage.
    pub modes: u64,
    /// Those, the first hundred of them at most.
    pub mode_changes: Vec<Damage>,
    /// How many entries are there that the manifest does not list.
    pub added: u64,
    /// Their paths, the first hundred of them at most.
    pub additions: Vec<String>,
    /// How much of the release, and of what the tool keeps of it, belongs to somebody who is neither root, nor who works there
    /// or keeps the tool's state, nor whom the release was given to before it was sealed.
    pub foreign: u64,
    /// That, the first hundred of it at most.
    pub owners: Vec<Foreign>,
}

/// Something that belongs to somebody who may not be trusted with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Foreign {
    /// Its path relative to the root, printable.
    pub path: String,
    /// The user id that owns it.
    pub owner: u32,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (user {})", self.path, self.owner)
    }
}

/// One entry of a release that is missing or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// Its path relative to the release, printable.
    pub path: String,
    /// What is wrong with it, in words.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path, self.what)
    }
}

impl Verification {
    /// How many entries of each kind are named.
    const NAMED: usize = 100;

    /// Of what was found, and of the links to what is shared that are not what they were made as.
    pub(crate) fn of(
        release: &ReleaseName,
        digest: Digest,
        full: bool,
        verified: &Verified,
        links: &[BrokenLink],
    ) -> Self {
        let DifferentEntries { damage, modes, added, .. } = &verified.differences;
        let foreign = &verified.foreign;
        let broken = links
            .iter()
            .map(|link| Damage { path: shown(link.path.as_str().as_bytes()), what: link.fault.to_string() });
        let some = |differences: &[Difference]| -> Vec<Damage> {
            let named =
                |difference: &Difference| Damage { path: difference.shown_path(), what: difference.kind.to_string() };
            differences.iter().map(named).collect()
        };
        Self {
            release: release.clone(),
            digest,
            full,
            damaged: damage.count + links.len() as u64,
            damage: broken.chain(some(&damage.some)).take(Self::NAMED).collect(),
            modes: modes.count,
            mode_changes: some(&modes.some),
            added: added.count,
            additions: added.some.iter().map(Difference::shown_path).collect(),
            foreign: foreign.count,
            owners: foreign.some.iter().take(Self::NAMED).cloned().collect(),
        }
    }
}
