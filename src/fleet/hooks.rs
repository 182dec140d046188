//! Hooks on the hosts, as the phases run them: the caller's own code and the configured commands.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::{FutureExt, StreamExt, stream};

use crate::{
    commands::{Commands, Validation},
    error::{Error, ErrorKind},
    event::{Event, Phase},
    future::BoxFuture,
    hook::{self, Hook, HookDirection, HookKind, HookShell, Occasion, ShellHook},
    name::ReleaseName,
    report::Failure,
    store::HookDirectory,
    transport::Secrets,
};

use super::{locked_host::LockedHost, run::Run, shell::HostShell};

/// A configured command as a hook.
#[derive(Debug, Clone)]
pub(super) struct CommandHook {
    pub(super) kind: HookKind,
    pub(super) script: String,
    pub(super) timeout: Duration,
    /// The kind of error that a failure becomes.
    pub(super) fails_as: ErrorKind,
}

impl Hook for CommandHook {
    fn run<'a>(&'a self, at: &'a Occasion, shell: &'a mut dyn HookShell) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let hook = ShellHook { timeout: Some(self.timeout), ..ShellHook::new(self.kind, &self.script) };
            let exit = shell.sh(&hook).await?;
            if exit.success() {
                return Ok(());
            }
            Err(hook::failed(self.fails_as, &at.host, self.kind, &exit))
        })
    }
}

impl CommandHook {
    /// Creates the hook for a validation; each attempt may take `timeout`.
    pub(super) fn validation(rules: &Validation, timeout: Duration) -> Self {
        let script = rules.command.clone();
        Self { kind: HookKind::Validate, script, timeout, fails_as: ErrorKind::NotValid }
    }
}

impl Commands {
    /// Returns the `prepare` hook, if there is one.
    pub(super) fn prepare_hook(&self) -> Option<CommandHook> {
        self.hook(HookKind::Prepare, self.prepare.as_ref())
    }

    /// Returns the `after_switch` hook, if there is one.
    pub(super) fn after_switch_hook(&self) -> Option<CommandHook> {
        self.hook(HookKind::AfterSwitch, self.after_switch.as_ref())
    }

    fn hook(&self, kind: HookKind, script: Option<&String>) -> Option<CommandHook> {
        let script = script?.clone();
        Some(CommandHook { kind, script, timeout: self.timeout, fails_as: ErrorKind::HookFailed })
    }
}

impl<'r> Run<'r> {
    /// Runs hooks on one host until one fails. The failure is in [`LockedHost::failure`].
    pub(super) async fn run_hooks_on(&self, host: &mut LockedHost<'r>, batch: HookBatch<'_>) {
        let at = self.occasion(host, &batch.release, batch.direction);
        let name = host.name();
        for hook in batch.hooks {
            let mut shell = HostShell {
                run: self,
                guard: host.guard.as_mut(),
                at: at.clone(),
                directory: HookDirectory::Release,
                secrets: batch.secrets,
            };
            let kind = if batch.phase == Phase::Prepare { HookKind::Prepare } else { HookKind::AfterSwitch };
            let result = run_hook(*hook, kind, &at, &mut shell).await.map_err(Failure::from);
            if let Err(why) = self.report_step(name, batch.phase, result) {
                host.failure = Some(why);
                return;
            }
        }
        // A new release is sealed after its hooks.
        if batch.phase != Phase::Prepare {
            self.emit(&Event::HostDone { host: name.to_owned(), phase: batch.phase });
        }
    }

    /// Returns the occasion for a hook of `release` on this host.
    pub(super) fn occasion(&self, host: &LockedHost<'_>, release: &ReleaseName, direction: HookDirection) -> Occasion {
        let before = host.plan.as_ref().and_then(|plan| plan.before.release());
        Occasion {
            host: host.name().to_owned(),
            root: host.member.store.root().clone(),
            release: release.clone(),
            directory: host.member.store.release_path(release),
            previous: before.cloned(),
            direction,
            cancel: self.hook_cancel(),
        }
    }
}

/// Runs a hook. A panic of it is its failure.
pub(super) async fn run_hook(
    hook: &dyn Hook,
    kind: HookKind,
    at: &Occasion,
    shell: &mut dyn HookShell,
) -> Result<(), Error> {
    let run = async { hook.run(at, shell).await };
    contained(run, ErrorKind::HookFailed, || format!("the hook `{kind}` on {}", at.host)).await
}

/// Awaits code of the caller, whose panic must not cost the locks: it becomes an error of this kind.
pub(super) async fn contained<T>(
    code: impl Future<Output = Result<T, Error>>,
    kind: ErrorKind,
    what: impl FnOnce() -> String,
) -> Result<T, Error> {
    AssertUnwindSafe(code).catch_unwind().await.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().copied().map(ToOwned::to_owned);
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        let error = Error::new(kind, format!("{} panicked", what()));
        Err(match text {
            Some(text) => error.because(text),
            None => error,
        })
    })
}

/// The hooks to run on one host, in order.
pub(super) struct HookBatch<'j> {
    pub(super) hooks: &'j [&'j dyn Hook],
    pub(super) release: ReleaseName,
    pub(super) direction: HookDirection,
    pub(super) secrets: &'j Secrets,
    pub(super) phase: Phase,
}

/// Returns the caller's hook and the configured command, in this order.
pub(super) fn hooks<'h>(code: Option<&'h dyn Hook>, command: Option<&'h CommandHook>) -> Vec<&'h dyn Hook> {
    code.into_iter().chain(command.map(|command| command as &dyn Hook)).collect()
}

/// Awaits all of `runs`, at most `parallel` at once.
pub(super) async fn join_bounded<'f>(runs: Vec<impl Future<Output = ()> + 'f>, parallel: usize) {
    stream::iter(runs).buffer_unordered(parallel).collect::<Vec<()>>().await;
}
