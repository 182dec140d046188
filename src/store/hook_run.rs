//! [`HookRun`]: a command to run on a host, with its working directory.

use std::time::Duration;

use crate::{
    hook::HookKind,
    limits,
    name::ReleaseName,
    path::InnerPath,
    transport::{HookCall, Secrets},
};

use super::DirStore;

#[cfg(doc)]
use super::StoreGuard;

/// The request for [`StoreGuard::run`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HookRun {
    /// The kind of hook.
    pub kind: HookKind,
    /// The release that the hook belongs to.
    pub release: ReleaseName,
    /// The working directory.
    pub directory: HookDirectory,
    /// The command, run by `sh`.
    pub script: String,
    /// Environment variables besides those that name the release and the root.
    pub environment: Vec<(String, String)>,
    /// Environment variables that never appear in an argument list, a file or a message.
    pub secrets: Secrets,
    /// The time limit; `None` means no limit.
    pub timeout: Option<Duration>,
}

/// The working directory of a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookDirectory {
    /// The directory of the release.
    Release,
    /// The saved copy of the release's files.
    Saved,
    /// The root.
    Root,
}

impl DirStore {
    /// Builds the call that runs `run` and keeps its record in `record`.
    pub(super) fn hook_call(&self, run: &HookRun, record: InnerPath) -> HookCall {
        let root = &self.steps.root;
        let release = root.join(&self.layout().release(&run.release));
        let directory = match run.directory {
            HookDirectory::Release => release.clone(),
            HookDirectory::Saved => root.join(&self.layout().saved(&run.release)),
            HookDirectory::Root => root.clone(),
        };
        let mut environment = vec![
            ("SWITCHBACK_RELEASE".to_owned(), run.release.to_string()),
            ("SWITCHBACK_RELEASE_PATH".to_owned(), release.as_str().to_owned()),
            ("SWITCHBACK_SAVED".to_owned(), root.join(&self.layout().saved(&run.release)).as_str().to_owned()),
            ("SWITCHBACK_ROOT".to_owned(), root.as_str().to_owned()),
        ];
        environment.extend(run.environment.iter().cloned());
        HookCall {
            root: root.clone(),
            record,
            directory,
            script: run.script.clone(),
            environment,
            secrets: run.secrets.clone(),
            timeout: run.timeout,
            output_limit: limits::OUTPUT,
            ends: false,
        }
    }
}
