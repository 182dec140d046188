//! What a caller can ask of a command.

use std::time::Duration;

use crate::{name::ReleaseName, plan::RollbackTarget, target_check::TargetCheck};

use super::Cancel;

/// What every command that changes something can be asked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RunOptions {
    /// Who runs it, as locks and histories show it: `user@host`, and the CI job where there is one.
    pub by: String,
    /// Why, as locks and histories show it.
    pub reason: Option<String>,
    /// How long to wait for a lock that somebody else holds; not at all by default.
    pub wait: Duration,
    /// Whether to stop after planning, with nothing changed.
    pub dry_run: bool,
    /// Whether to go on without hosts that cannot be reached. What they miss is recorded on the others as a debt, and the
    /// next run that reaches them, or a recovery, brings them along.
    pub skip_unreachable: bool,
    /// What asks the command to stop at the next safe point.
    pub cancel: Cancel,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            by: "an unnamed caller".to_owned(),
            reason: None,
            wait: Duration::ZERO,
            dry_run: false,
            skip_unreachable: false,
            cancel: Cancel::new(),
        }
    }
}

impl RunOptions {
    /// The defaults, run by `by`.
    pub fn by(by: impl Into<String>) -> Self {
        Self { by: by.into(), ..Self::default() }
    }
}

/// What [`Fleet::deploy`](super::Fleet::deploy) can be asked.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DeployOptions {
    /// What every command can be asked.
    pub run: RunOptions,
    /// Whether hosts that are on different releases are deployed to all the same.
    pub allow_split: bool,
    /// How many good releases stay beside the current one; what is not needed besides is removed when all went well.
    /// `None`: none is removed.
    pub keep: Option<u32>,
}

/// What [`Fleet::activate`](super::Fleet::activate) can be asked.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ActivateOptions {
    /// What every command can be asked.
    pub run: RunOptions,
    /// Whether hosts that are on different releases are switched all the same.
    pub allow_split: bool,
    /// How many good releases stay beside the current one; what is not needed besides is removed when all went well.
    /// `None`: none is removed.
    pub keep: Option<u32>,
}

/// What [`Fleet::rollback`](super::Fleet::rollback) can be asked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RollbackOptions {
    /// What every command can be asked.
    pub run: RunOptions,
    /// Where to go: one good release back, by default.
    pub target: RollbackTarget,
    /// How the release that is gone back to is held against its manifest first.
    pub verify: TargetCheck,
    /// Only hosts that are on this release move; where none is, there is nothing to do.
    pub from: Option<ReleaseName>,
}

impl Default for RollbackOptions {
    fn default() -> Self {
        Self {
            run: RunOptions::default(),
            target: RollbackTarget::Steps(1),
            verify: TargetCheck::default(),
            from: None,
        }
    }
}
