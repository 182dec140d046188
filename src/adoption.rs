//! Taking over a tree that another tool made: what it left, and what is written because of it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{name::ReleaseName, path::InnerPath, record::PreviousVersion, time::Timestamp};

/// Who made a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Tool {
    /// Capistrano 3: `revisions.log` says what was deployed and gone back to.
    Capistrano,
    /// Deployer: `.dep/releases_log` says what was made.
    Deployer,
    /// Ansistrano: no log, names made of times.
    Ansistrano,
    /// Mina: no log, names counted up or made of times.
    Mina,
    /// A person or a script that left `previousVersion` files.
    Recipe,
    /// Nobody: `current` is a plain directory.
    Directory,
}

impl Tool {
    /// Every one there is.
    pub const ALL: &'static [Self] =
        &[Self::Capistrano, Self::Deployer, Self::Ansistrano, Self::Mina, Self::Recipe, Self::Directory];

    /// Its name, as it is typed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Capistrano => "capistrano",
            Self::Deployer => "deployer",
            Self::Ansistrano => "ansistrano",
            Self::Mina => "mina",
            Self::Recipe => "recipe",
            Self::Directory => "directory",
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// No tool of that name is known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is none of capistrano, deployer, ansistrano, mina, recipe, directory")]
pub struct ToolError(String);

impl FromStr for Tool {
    type Err = ToolError;

    fn from_str(text: &str) -> Result<Self, ToolError> {
        let known = Self::ALL.iter().copied().find(|tool| tool.as_str() == text);
        known.ok_or_else(|| ToolError(text.to_owned()))
    }
}

/// What the order of the releases was taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Evidence {
    /// Capistrano's `revisions.log`.
    RevisionsLog,
    /// Deployer's `.dep/releases_log`.
    ReleasesLog,
    /// The names, which are numbers or times.
    Names,
    /// The times of the directories: nothing better was there.
    Times,
    /// The `previousVersion` files that were there.
    Records,
    /// Nothing: there is one release.
    Nothing,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::RevisionsLog => "revisions.log",
            Self::ReleasesLog => ".dep/releases_log",
            Self::Names => "the order of the names",
            Self::Times => "the times of the directories",
            Self::Records => "the records that were there",
            Self::Nothing => "no record: it is the only one",
        })
    }
}

/// That a release was taken over, and how its record was found. Kept beside the tool's other records of the release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AdoptedRecord {
    /// The version of this format: 1.
    pub format: u32,
    /// Who made the tree.
    pub tool: Tool,
    /// What the record was taken from.
    pub evidence: Evidence,
    /// Whether the record is a conclusion, and was not written at the switch.
    pub inferred: bool,
    /// When it was taken over, by the controller's clock.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
}

impl AdoptedRecord {
    /// The name of the file that holds it, in the tool's directory of the release.
    pub const FILE: &'static str = "adopted";
}

/// What other tools left in a root, as far as it says who made the tree and in what order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Traces {
    /// Capistrano's log.
    pub revisions_log: Option<String>,
    /// Deployer's log.
    pub releases_log: Option<String>,
    /// Whether Deployer's directory is there.
    pub deployer: bool,
    /// The release that Deployer has begun and not switched to.
    pub unfinished: Option<ReleaseName>,
    /// Whether something of Mina's is there.
    pub mina: bool,
    /// The lock of another tool, when it is there.
    pub locked: Option<InnerPath>,
    /// Releases that Deployer marked bad.
    pub bad: Vec<ReleaseName>,
    /// When each directory in the releases directory last changed, in seconds since the Unix epoch.
    pub times: Vec<(ReleaseName, i64)>,
}

/// What is written to take over a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Adoption {
    /// Who made the tree.
    pub tool: Tool,
    /// What the order was taken from.
    pub evidence: Evidence,
    /// The records that are written, oldest release first. A tool that goes by the times of directories then finds them
    /// in their old order: to write a record changes the time of its directory.
    pub records: Vec<(ReleaseName, PreviousVersion)>,
    /// The releases on the way back that have a record already, and are only marked as taken over.
    pub recorded: Vec<ReleaseName>,
    /// The releases that are marked bad: the other tool went back from them.
    pub bad: Vec<ReleaseName>,
    /// The release that the plain directory `current` becomes.
    pub becomes: Option<ReleaseName>,
}

impl Adoption {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.recorded.is_empty() && self.bad.is_empty() && self.becomes.is_none()
    }
}
