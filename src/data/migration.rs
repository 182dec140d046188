//! [`DataMigration`]: what takes the data forward and back.

use std::fmt;

use crate::{
    commands::DataCommands,
    error::{Error, ErrorKind},
    future::BoxFuture,
    hook::{HookKind, HookShell, Occasion, ShellHook},
    transport::{HookEnd, HookExit},
};

use super::DataVersion;

/// Takes the data of an application forward and back, once for the whole fleet.
///
/// # Contract
///
/// - `version` changes nothing, and says how far an interrupted `apply` or `revert` came.
/// - `apply` takes the data to what the release needs. Run again after it was interrupted, it does what is left.
/// - `revert` takes the data back to `target`. Run again after it was interrupted, it does what is left, and nothing when the
///   data is there already.
/// - After an error the version says where the data is. Whoever calls asks it again.
pub trait DataMigration: fmt::Debug + Send + Sync + 'static {
    /// What the state of the data is called now.
    fn version<'a>(
        &'a self,
        at: &'a Occasion,
        shell: &'a mut dyn HookShell,
    ) -> BoxFuture<'a, Result<DataVersion, Error>>;

    /// Takes the data forward to what the release needs.
    fn apply<'a>(&'a self, at: &'a Occasion, shell: &'a mut dyn HookShell) -> BoxFuture<'a, Result<(), Error>>;

    /// Takes the data back to `target`.
    fn revert<'a>(
        &'a self,
        at: &'a Occasion,
        target: &'a DataVersion,
        shell: &'a mut dyn HookShell,
    ) -> BoxFuture<'a, Result<(), Error>>;
}

/// Takes the data forward and back by the commands of a configuration.
#[derive(Debug, Clone)]
pub struct ShellMigration {
    commands: DataCommands,
}

impl ShellMigration {
    /// By these commands.
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
            // Some tools say by their exit status that nothing is applied yet: whoever reads the answer decides.
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
                let what = format!("no `revert` is known that would take the data of {} back", at.release);
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
