//! Types for adopting a tree that another tool made: the traces found there, and the records to write.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{lock::LockOwner, name::ReleaseName, path::InnerPath, record::PreviousVersion, time::Timestamp};

/// The tool that made a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum Tool {
    /// Capistrano 3: `revisions.log` lists deploys and rollbacks.
    #[serde(rename = "capistrano")]
    Capistrano,
    /// Deployer: `.dep/releases_log` lists the releases it made.
    #[serde(rename = "deployer")]
    Deployer,
    /// Ansistrano: no log; release names are timestamps.
    #[serde(rename = "ansistrano")]
    Ansistrano,
    /// Mina: no log; release names are counters or timestamps.
    #[serde(rename = "mina")]
    Mina,
    /// Hapistrano: `.hapistrano_deploy_state` in each release says whether its deploy succeeded.
    #[serde(rename = "hapistrano")]
    Hapistrano,
    /// Trellis: `DEPLOY_UNFINISHED` in the releases that it did not finish, or rolled back from.
    #[serde(rename = "trellis")]
    Trellis,
    /// A person or a script, with `previousVersion` files or without.
    #[serde(rename = "recipe")]
    Recipe,
    /// No tool: `current` is a plain directory.
    #[serde(rename = "directory")]
    Directory,
    /// A tool that only a later version knows, read back.
    #[serde(rename = "other", other)]
    Other,
}

impl Tool {
    /// Every tool that this version knows.
    pub const ALL: &'static [Self] = &[
        Self::Capistrano,
        Self::Deployer,
        Self::Ansistrano,
        Self::Mina,
        Self::Hapistrano,
        Self::Trellis,
        Self::Recipe,
        Self::Directory,
    ];

    /// Returns the name, as typed on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Capistrano => "capistrano",
            Self::Deployer => "deployer",
            Self::Ansistrano => "ansistrano",
            Self::Mina => "mina",
            Self::Hapistrano => "hapistrano",
            Self::Trellis => "trellis",
            Self::Recipe => "recipe",
            Self::Directory => "directory",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An unknown tool name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not one of capistrano, deployer, ansistrano, mina, hapistrano, trellis, recipe, directory")]
pub struct ToolError(String);

impl FromStr for Tool {
    type Err = ToolError;

    fn from_str(text: &str) -> Result<Self, ToolError> {
        let known = Self::ALL.iter().copied().find(|tool| tool.as_str() == text);
        known.ok_or_else(|| ToolError(text.to_owned()))
    }
}

/// The source of the order of the releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum Evidence {
    /// Capistrano's `revisions.log`.
    #[serde(rename = "revisions-log")]
    RevisionsLog,
    /// Deployer's `.dep/releases_log`.
    #[serde(rename = "releases-log")]
    ReleasesLog,
    /// The names, which are numbers or timestamps.
    #[serde(rename = "names")]
    Names,
    /// The modification times of the directories, for lack of anything better.
    #[serde(rename = "times")]
    Times,
    /// The existing `previousVersion` files.
    #[serde(rename = "records")]
    Records,
    /// None needed: there is only one release.
    #[serde(rename = "nothing")]
    Nothing,
    /// A source that only a later version knows, read back.
    #[serde(rename = "other", other)]
    Other,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::RevisionsLog => "revisions.log",
            Self::ReleasesLog => ".dep/releases_log",
            Self::Names => "the order of the names",
            Self::Times => "the times of the directories",
            Self::Records => "the existing records",
            Self::Nothing => "no record: it is the only release",
            Self::Other => "something that a later version knows",
        })
    }
}

/// A record that a release was adopted, and how its previous release was found. Stored beside the tool's other
/// records of the release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct AdoptedRecord {
    /// The version of this format: 1.
    #[serde(rename = "format")]
    pub format: u32,
    /// The tool that made the tree.
    #[serde(rename = "tool")]
    pub tool: Tool,
    /// The source of the record.
    #[serde(rename = "evidence")]
    pub evidence: Evidence,
    /// Whether the record is inferred rather than written at the switch.
    #[serde(rename = "inferred")]
    pub inferred: bool,
    /// The time of the adoption, by the controller's clock.
    #[serde(rename = "at")]
    pub at: Timestamp,
    /// The user who adopted it.
    #[serde(rename = "by")]
    pub by: String,
}

impl AdoptedRecord {
    /// The name of the file that holds the record, in the tool's directory of the release.
    pub const FILE: &'static str = "adopted";

    /// The record that `owner` adopted a release.
    #[must_use]
    pub fn new(adoption: &Adoption, owner: &LockOwner, inferred: bool) -> Self {
        let Adoption { tool, evidence, .. } = *adoption;
        Self { format: 1, tool, evidence, inferred, at: owner.since, by: owner.by.clone() }
    }
}

/// The traces of other tools in a root that tell which tool made the tree, and the order of its releases.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is a trace by itself")]
pub struct Traces {
    /// Capistrano's log.
    pub revisions_log: Option<String>,
    /// Deployer's log.
    pub releases_log: Option<String>,
    /// Whether Deployer's directory exists.
    pub deployer: bool,
    /// The release that Deployer began and did not switch to.
    pub unfinished: Option<ReleaseName>,
    /// Whether any trace of Mina exists.
    pub mina: bool,
    /// Whether a release has Hapistrano's state of its deploy.
    pub hapistrano: bool,
    /// Whether any trace of Trellis exists.
    pub trellis: bool,
    /// The lock file of another tool, if it exists.
    pub locked: Option<InnerPath>,
    /// Releases that Deployer marked bad, Hapistrano failed, or Trellis did not finish.
    pub bad: Vec<ReleaseName>,
    /// The last change of each directory in the releases directory, in seconds since the Unix epoch.
    pub times: Vec<(ReleaseName, i64)>,
}

/// The changes that adopt a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Adoption {
    /// The tool that made the tree.
    pub tool: Tool,
    /// The source of the order.
    pub evidence: Evidence,
    /// The records to write, oldest release first. Writing a record changes the modification time of its directory,
    /// so this order keeps the releases sorted for a tool that goes by those times.
    pub records: Vec<(ReleaseName, PreviousVersion)>,
    /// The releases on the rollback chain that already have a record, and are only marked as adopted.
    pub recorded: Vec<ReleaseName>,
    /// The releases to mark as bad: the other tool rolled back from them, or failed to deploy them.
    pub bad: Vec<ReleaseName>,
    /// The release that the plain directory `current` becomes.
    pub becomes: Option<ReleaseName>,
}

impl Adoption {
    /// An adoption of a tree that `tool` made, with nothing to write yet.
    #[must_use]
    pub const fn new(tool: Tool, evidence: Evidence) -> Self {
        Self { tool, evidence, records: Vec::new(), recorded: Vec::new(), bad: Vec::new(), becomes: None }
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.recorded.is_empty() && self.bad.is_empty() && self.becomes.is_none()
    }
}
