//! [`DataMigration`]: code that migrates the data forward and back.

use std::fmt;

use crate::{
    commands::DataCommands,
    error::{Error, ErrorKind},
    future::BoxFuture,
    hook::{HookKind, HookShell, Occasion, ShellHook},
    transport::{HookEnd, HookExit},
};

use super::DataVersion;

/// Migrates the data of an application forward and back, once for the whole fleet.
///
/// # Contract
///
/// - `version` changes nothing, and tells how far an interrupted `apply` or `revert` came.
/// - `apply` migrates the data to the version that the release needs. After an interruption, a second run does the
///   rest.
/// - `revert` migrates the data back to `target`. After an interruption, a second run does the rest, and nothing if the
///   data is at `target` already.
/// - After an error, `version` tells the state of the data. The caller asks for it again.
pub trait DataMigration: fmt::Debug + Send + Sync + 'static {
    /// Returns the current data version.
    fn version<'a>(
        &'a self,
        at: &'a Occasion,
        shell: &'a mut dyn HookShell,
    ) -> BoxFuture<'a, Result<DataVersion, Error>>;

    /// Migrates the data forward to the version that the release needs.
    fn apply<'a>(&'a self, at: &'a Occasion, shell: &'a mut dyn HookShell) -> BoxFuture<'a, Result<(), Error>>;

    /// Migrates the data back to `target`.
    fn revert<'a>(
        &'a self,
        at: &'a Occasion,
        target: &'a DataVersion,
        shell: &'a mut dyn HookShell,
    ) -> BoxFuture<'a, Result<(), Error>>;
}

/// A migration by the commands of a configuration.
#[derive(Debug, Clone)]
pub struct ShellMigration {
    commands: DataCommands,
}

impl ShellMigration {
    /// A migration by these commands.
    #[must_use]
    pub fn new(commands: DataCommands) -> Self {
        Self { commands }
    }

    fn hook(&self, kind: HookKind, script: &str) -> ShellHook {
        ShellHook { timeout: self.commands.timeout, ..ShellHook::new(kind, script) }
    }
}

impl DataMigration for ShellMigration {
    fn version<'a>(
        &'a self,
        at: &'a Occasion,
        shell: &'a mut dyn HookShell,
    ) -> BoxFuture<'a, Result<DataVersion, Error>> {
        Box::pin(async move {
            let exit = shell.sh(&self.hook(HookKind::Version, &self.commands.version)).await?;
            let HookEnd::Exited(status) = exit.end else { return Err(failed(at, HookKind::Version, &exit)) };
            // Some tools exit with an error if nothing is applied yet, so `read_version` judges the status.
            self.commands.read_version(status, &exit.stdout, &exit.stderr).map_err(|error| {
                if status != 0 {
                    return failed(at, HookKind::Version, &exit);
                }
                let what = format!("the data version on {} could not be read", at.host);
                Error::new(ErrorKind::DataFailed, what).because(error)
            })
        })
    }

    fn apply<'a>(&'a self, at: &'a Occasion, shell: &'a mut dyn HookShell) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let exit = shell.sh(&self.hook(HookKind::Apply, &self.commands.apply)).await?;
            if exit.end == HookEnd::Exited(0) { Ok(()) } else { Err(failed(at, HookKind::Apply, &exit)) }
        })
    }

    fn revert<'a>(
        &'a self,
        at: &'a Occasion,
        target: &'a DataVersion,
        shell: &'a mut dyn HookShell,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let Some(script) = &self.commands.revert else {
                let what = format!("no `revert` is known for the data of {}", at.release);
                return Err(Error::new(ErrorKind::Irreversible, what));
            };
            let hook = ShellHook { target: Some(target.clone()), ..self.hook(HookKind::Revert, script) };
            let exit = shell.sh(&hook).await?;
            if exit.end == HookEnd::Exited(0) { Ok(()) } else { Err(failed(at, HookKind::Revert, &exit)) }
        })
    }
}

fn failed(at: &Occasion, kind: HookKind, exit: &HookExit) -> Error {
    crate::hook::failed(ErrorKind::DataFailed, &at.host, kind, exit)
}
