//! [`HookRun`]: a command on a host, and where it runs.

use std::time::Duration;

use crate::{
    hook::HookKind,
    name::ReleaseName,
    path::InnerPath,
    transport::{HookCall, Secrets},
};

use super::DirStore;

#[cfg(doc)]
use super::StoreGuard;

/// How much of each stream of a hook is kept on the host, in bytes.
pub(super) const OUTPUT_LIMIT: u64 = 1024 * 1024;

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

impl DirStore {
    /// The call that runs `run`, whose record is kept in `record`.
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
            output_limit: OUTPUT_LIMIT,
            ends: false,
        }
    }
}
