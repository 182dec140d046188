//! [`Defaults`]: the part of the configuration that concerns commands, where their options do not say otherwise.

use camino::Utf8PathBuf;

use crate::{
    commands::Commands,
    config::Config,
    drill::has_passed,
    error::{Error, ErrorKind},
    hint::Hint,
    release::Release,
    target_check::TargetCheck,
};

use super::{ActivateOptions, DeployOptions, Retention, RollbackOptions, RunOptions};

/// The configured settings of commands. A fleet made without a configuration has none.
#[derive(Debug, Clone, Default)]
pub(super) struct Defaults {
    commands: Option<Commands>,
    directory: Option<Utf8PathBuf>,
    verify: TargetCheck,
    keep: Option<u32>,
    require_drill: Option<Utf8PathBuf>,
}

impl Defaults {
    pub(super) fn of(config: &Config) -> Self {
        Self {
            commands: Some(config.commands.clone()),
            directory: config.directory.clone(),
            verify: config.target_check,
            keep: config.keep,
            require_drill: config.require_drill.clone(),
        }
    }

    pub(super) fn run(&self, options: &RunOptions) -> RunOptions {
        let mut options = options.clone();
        options.commands = options.commands.or_else(|| self.commands.clone());
        options.directory = options.directory.or_else(|| self.directory.clone());
        options
    }

    pub(super) fn deploy(&self, options: &DeployOptions) -> DeployOptions {
        let verify = Some(self.verify(options.verify));
        DeployOptions { verify, keep: self.retention(options.keep), ..options.clone() }
    }

    pub(super) fn activate(&self, options: &ActivateOptions) -> ActivateOptions {
        let verify = Some(self.verify(options.verify));
        ActivateOptions { verify, keep: self.retention(options.keep), ..options.clone() }
    }

    pub(super) fn rollback(&self, options: &RollbackOptions) -> RollbackOptions {
        RollbackOptions { verify: Some(self.verify(options.verify)), ..options.clone() }
    }

    fn verify(&self, asked: Option<TargetCheck>) -> TargetCheck {
        asked.unwrap_or(self.verify)
    }

    fn retention(&self, asked: Retention) -> Retention {
        match (asked, self.keep) {
            (Retention::Configured, Some(keep)) => Retention::Good(keep),
            (asked, _) => asked,
        }
    }

    /// Returns how many good releases `prune` keeps.
    pub(super) fn kept(&self, asked: Option<u32>) -> Result<u32, Error> {
        asked.or(self.keep).ok_or_else(|| {
            Error::new(ErrorKind::Usage, "the number of good releases to keep is missing").hint(Hint::Keep)
        })
    }

    /// Refuses a release without a passed drill of the same contents, if the configuration requires one. Reads the
    /// drill reports on this machine.
    pub(super) async fn expect_drill(&self, release: &dyn Release) -> Result<(), Error> {
        let Some(drills) = self.require_drill.clone() else { return Ok(()) };
        let (name, tree) = (release.name().clone(), release.content());
        let asked = crate::run_blocking::run_blocking(move || {
            let digest = tree.digest()?.to_string();
            let cause = match has_passed(&drills, &digest) {
                Ok(true) => return Ok(()),
                Ok(false) => None,
                Err(error) => Some(error),
            };
            let what = format!("{drills} has no passed drill of the content of {name}; nothing was touched");
            let refused = Error::new(ErrorKind::NotDrilled, what).hint(Hint::Drill(drills.to_string()));
            Err(match cause {
                Some(error) => refused.because(error),
                None => refused,
            })
        });
        asked.await.unwrap_or_else(|| Err(Error::new(ErrorKind::Internal, "the source could not be read")))
    }
}
