//! [`Verification`]: the result of verifying a release against its manifest, as reports contain it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    manifest::{Difference, Digest, shown},
    name::ReleaseName,
    shared::BrokenLink,
    store::Verified,
    transport::DifferentEntries,
};

/// The result of verifying a release on a host against its manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Verification {
    /// The release.
    #[serde(rename = "release")]
    pub release: ReleaseName,
    /// The digest of its manifest, which identifies the whole content.
    #[serde(rename = "digest")]
    pub digest: Digest,
    /// Whether contents were compared too.
    #[serde(rename = "full")]
    pub full: bool,
    /// The number of missing or changed entries.
    #[serde(rename = "damaged")]
    pub damaged: u64,
    /// The first of them, at most a hundred.
    #[serde(rename = "damage")]
    pub damage: Vec<Damage>,
    /// The number of entries whose mode differs without granting anybody anything, which is not damage.
    #[serde(rename = "modes")]
    pub modes: u64,
    /// The first of them, at most a hundred.
    #[serde(rename = "mode_changes")]
    pub mode_changes: Vec<Damage>,
    /// The number of entries that the manifest does not list.
    #[serde(rename = "added")]
    pub added: u64,
    /// The paths of the first of them, at most a hundred.
    #[serde(rename = "additions")]
    pub additions: Vec<String>,
    /// The number of entries, of the release and of the tool's records of it, with an untrusted owner: not root, the
    /// connected user, the owner of the tool's state, or an owner that the release had before it was sealed.
    #[serde(rename = "foreign")]
    pub foreign: u64,
    /// The first of them, at most a hundred.
    #[serde(rename = "owners")]
    pub owners: Vec<Foreign>,
}

/// An entry with an untrusted owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Foreign {
    /// The path relative to the root, printable.
    #[serde(rename = "path")]
    pub path: String,
    /// The user ID of the owner.
    #[serde(rename = "owner")]
    pub owner: u32,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (user {})", self.path, self.owner)
    }
}

/// A missing or changed entry of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Damage {
    /// The path relative to the release, printable.
    #[serde(rename = "path")]
    pub path: String,
    /// The fault, in words.
    #[serde(rename = "what")]
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path, self.what)
    }
}

impl Verification {
    /// The maximum number of entries to name, for each kind.
    const NAMED: usize = 100;

    /// Combines the differences found and the broken shared symlinks.
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
