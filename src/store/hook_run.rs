//! [`HookRun`]: a command on a host, and where it runs.

use std::time::Duration;

use crate::{hook::HookKind, name::ReleaseName, transport::Secrets};

#[cfg(doc)]
use super::StoreGuard;

/// What [`StoreGuard::run`] runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookRun {
    /// What it is for.
    pub kind: HookKind,
    /// The release it is about.
    pub release: ReleaseName,
    /// Where it runs.
    pub directory: HookDirectory,
    /// The command, for `sh`.
    pub script: String,
    /// Variables besides those that name the release and the root.
    pub environment: Vec<(String, String)>,
    /// Variables that stand in no argument list, no file and no message.
    pub secrets: Secrets,
    /// How long it may take; no limit when there is none.
    pub timeout: Option<Duration>,
}

/// The working directory of a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookDirectory {
    /// The directory of the release.
    Release,
    /// The copy that was saved of the release.
    Saved,
    /// The root.
    Root,
}
