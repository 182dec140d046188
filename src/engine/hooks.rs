//! Hooks on the hosts: `prepare`, `after_switch`, and the settling of hooks that interrupted runs left
//! running.

use std::time::Duration;

use futures_util::{StreamExt, future::join_all, stream};

use crate::{
    commands::{Commands, Validation},
    error::{Error, ErrorKind},
    event::Phase,
    future::BoxFuture,
    hook::{self, Hook, HookDirection, HookKind, HookShell, Occasion, ShellHook},
    name::ReleaseName,
    plan,
    report::{Command, Failure},
    store::{Current, HookDirectory, StoreError},
    transport::{HookEnd, Secrets},
};

use super::{
    execution::Execution, locked_host::LockedHost, observe::failure, outcome::HostState, run::Run, shell::HostShell,
};

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
            if exit.end == HookEnd::Exited(0) {
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
    fn prepare_hook(&self) -> Option<CommandHook> {
        self.hook(HookKind::Prepare, self.prepare.as_ref())
    }

    fn after_switch_hook(&self) -> Option<CommandHook> {
        self.hook(HookKind::AfterSwitch, self.after_switch.as_ref())
    }

    fn hook(&self, kind: HookKind, script: Option<&String>) -> Option<CommandHook> {
        let script = script?.clone();
        Some(CommandHook { kind, script, timeout: self.timeout, fails_as: ErrorKind::HookFailed })
    }
}

impl<'r> Run<'r> {
    /// Ends or awaits commands that interrupted operations left running, so that nothing else runs beside
    /// them.
    ///
    /// Then seals the releases that those commands changed.
    pub(super) async fn settle_leftovers(&self, execution: &mut Execution<'r, '_>) {
        let left = execution.locked.iter_mut().filter(|host| !host.guard.state().interrupted.is_empty());
        join_bounded(left.map(|host| self.settle_leftovers_on(host)).collect(), self.parallel).await;
        // Sealed before commands run again: with an old snapshot, their changes would look like damage.
        let is_left =
            |host: &LockedHost<'_>| self.command() == Command::Recover || !host.guard.state().interrupted.is_empty();
        let left = execution.locked.iter_mut().filter(|host| host.failure.is_none() && is_left(host));
        let seals = left.map(|host| async {
            if let Err(why) = host.guard.seal_left().await.map_err(failure) {
                host.warnings.push(why.message);
            }
        });
        join_bounded(seals.collect(), self.parallel).await;
    }

    pub(super) async fn settle_leftovers_on(&self, host: &mut LockedHost<'r>) {
        // Whoever can write there could name any process of the host.
        if !self.allow_writable && plan::trusted_state(&host.seen()).is_err() {
            let what = "what an interrupted run left running there is neither ended nor waited for: the state directory is not trusted";
            if !host.warnings.iter().any(|warning| warning == what) {
                host.warnings.push(what.to_owned());
            }
            return;
        }
        let name = host.name();
        let settled = host.guard.settle_hooks(self.keep_data, &|what| self.warn(Some(name), what)).await;
        if let Err(error) = self.report_phase(name, Phase::Lock, settled.map_err(failure)) {
            host.failure = Some(error);
        }
    }

    /// Runs the `prepare` hook on every host, in a release that was never current, and seals the release.
    ///
    /// * Failure: the undo removes the release again.
    /// * Kill: the release stays published and marked as unsealed. The next run ends the hook with its process group; a
    ///   plain `rollback` undoes the deploy.
    /// * Lost answer: the store fetches the result later; if it stays lost, this is a failure.
    pub(super) async fn run_prepare(&self, execution: &mut Execution<'r, '_>) {
        if !matches!(execution.plan.command, Command::Deploy | Command::Activate) {
            return;
        }
        let code = self.options.code.prepare.clone();
        let is_new = |host: &LockedHost<'_>| host.switches() && host.is_new(&execution.plan.release);
        let prepares = |host: &LockedHost<'_>| code.is_some() || host.commands().prepare.is_some();
        let new: Vec<bool> = execution.locked.iter().map(|host| is_new(host) && prepares(host)).collect();
        if !new.contains(&true) {
            return;
        }
        let (direction, release, secrets) =
            (execution.direction(), execution.plan.release.clone(), execution.secrets.clone());
        for (host, new) in execution.locked.iter_mut().zip(&new) {
            host.prepared = *new;
        }
        let chosen = execution.locked.iter_mut().filter(|host| host.prepared);
        let runs = chosen.map(|host| {
            let command = host.commands().prepare_hook();
            let (code, release, secrets) = (code.as_deref(), release.clone(), &secrets);
            async move {
                let hooks = hooks(code, command.as_ref());
                self.run_on(host, HookBatch { hooks: &hooks, release, direction, secrets, phase: Phase::Prepare })
                    .await;
            }
        });
        join_bounded(runs.collect(), self.parallel).await;
        self.seal(execution).await;
    }

    /// Records the present content as the manifest, because `prepare` may have changed it.
    async fn seal(&self, execution: &mut Execution<'r, '_>) {
        let release = execution.plan.release.clone();
        let prepared = execution.locked.iter_mut().filter(|host| host.prepared && host.failure.is_none());
        let seals = prepared.map(|host| async {
            let sealed = host.guard.seal(&release).await.map_err(failure);
            if let Err(why) = self.report_phase(host.member.name(), Phase::Prepare, sealed) {
                host.failure = Some(why);
            }
        });
        join_bounded(seals.collect(), self.parallel).await;
    }

    /// Runs the `after_switch` hook on every host, for the release that is current now.
    ///
    /// * Failure: a deploy or an activation is reverted. A rollback stays, and is reported as inconsistent.
    /// * Kill: `current` stays on the new release. The next run ends the hook with its process group; `rollback` or
    ///   `recover` undoes the deploy.
    /// * Lost answer: the store fetches the result later; if it stays lost, this is a failure.
    pub(super) async fn run_after_switch(&self, execution: &mut Execution<'r, '_>) {
        let code = self.options.code.after_switch.clone().filter(|_| self.hooks);
        let runs_any = |host: &LockedHost<'_>| code.is_some() || host.commands().after_switch.is_some();
        let concerned = execution.concerned();
        let selected =
            execution.locked.iter().zip(&concerned).filter(|(host, concerned)| **concerned && runs_any(host));
        let count = selected.count();
        if count == 0 {
            return;
        }
        self.enter_phase(Phase::AfterSwitch, count);
        let (direction, secrets) = (execution.direction(), execution.secrets.clone());
        let chosen =
            execution.locked.iter_mut().zip(&concerned).filter(|(host, concerned)| **concerned && runs_any(host));
        let runs = chosen.filter_map(|(host, _)| {
            let release = host.guard.state().current.release()?.clone();
            let command = host.commands().after_switch_hook();
            let (code, secrets) = (code.as_deref(), &secrets);
            Some(async move {
                let hooks = hooks(code, command.as_ref());
                let phase = Phase::AfterSwitch;
                self.run_on(host, HookBatch { hooks: &hooks, release, direction, secrets, phase }).await;
            })
        });
        join_bounded(runs.collect(), self.parallel).await;
    }

    /// Checks that `current` did not move while hooks ran: a hook can move it.
    pub(super) async fn check_current_stayed(&self, execution: &mut Execution<'r, '_>) {
        let code = &self.options.code;
        let nothing_ran =
            execution.locked.iter().all(|host| host.commands().is_empty()) && execution.data.before.is_none();
        if nothing_ran && execution.plan.controller.is_none() && code.after_switch.is_none() && code.validate.is_none()
        {
            return;
        }
        join_all(execution.locked.iter_mut().map(|host| self.check_current_stayed_on(host))).await;
    }

    async fn check_current_stayed_on(&self, host: &mut LockedHost<'r>) {
        let before = host.guard.state().current.clone();
        if let Err(error) = host.guard.look().await {
            let why = failure(error).message;
            host.warnings.push(format!("where `current` leads after the hooks could not be read ({why})"));
            return;
        }
        let now = &host.guard.state().current;
        if *now == before {
            return;
        }
        let described = |current: &Current| current.named().map_or("nothing".to_owned(), ToString::to_string);
        let detail =
            format!("it led to {} before the hooks ran, and leads to {} now", described(&before), described(now));
        let moved = StoreError::Conflict { host: host.name().to_owned(), detail };
        host.state = HostState::Strayed(host.state.switch().cloned());
        if let Err(why) = self.report_phase::<()>(host.member.name(), Phase::AfterSwitch, Err(failure(moved))) {
            host.failure.get_or_insert(why);
        }
    }

    /// Runs the `after_switch` hook of each restored release, as recorded on the host.
    pub(super) async fn run_after_revert(&self, execution: &mut Execution<'r, '_>) {
        if !self.hooks {
            return;
        }
        let (code, secrets) = (self.options.code.after_switch.clone(), execution.secrets.clone());
        let runs = execution.locked.iter_mut().filter(|host| matches!(host.state, HostState::Reverted(_))).filter_map(
            |host| {
                let release = host.guard.state().current.release()?.clone();
                let command = self.recorded_on(host, &release).after_switch_hook();
                let (code, secrets) = (code.as_deref(), &secrets);
                Some(async move {
                    let hooks = hooks(code, command.as_ref());
                    if !hooks.is_empty() {
                        let (direction, phase) = (HookDirection::Rollback, Phase::PutBack);
                        self.run_after_revert_on(host, HookBatch { hooks: &hooks, release, direction, secrets, phase })
                            .await;
                    }
                })
            },
        );
        join_bounded(runs.collect(), self.parallel).await;
    }

    /// Runs a hook after a revert, and joins its failure to the one that led to the revert.
    async fn run_after_revert_on(&self, host: &mut LockedHost<'r>, batch: HookBatch<'_>) {
        let first = host.failure.take();
        self.run_on(host, batch).await;
        if let Some(why) = host.failure.take() {
            if let HostState::Reverted(switch) = &host.state {
                host.state = HostState::Unwell(switch.clone());
            }
            host.failure = Some(super::revert::join_failures(first, why));
        } else {
            host.failure = first;
        }
    }

    async fn run_on(&self, host: &mut LockedHost<'r>, batch: HookBatch<'_>) {
        let at = occasion(host, &batch.release, batch.direction);
        let name = host.name();
        for hook in batch.hooks {
            let mut shell = HostShell {
                run: self,
                guard: host.guard.as_mut(),
                at: at.clone(),
                directory: HookDirectory::Release,
                secrets: batch.secrets,
            };
            let result = hook.run(&at, &mut shell).await.map_err(Failure::from);
            if let Err(why) = self.report_phase(name, batch.phase, result) {
                host.failure = Some(why);
                return;
            }
        }
    }
}

/// Returns the occasion for a hook of `release` on this host.
pub(super) fn occasion(host: &LockedHost<'_>, release: &ReleaseName, direction: HookDirection) -> Occasion {
    let before = host.plan.as_ref().and_then(|plan| plan.before.release());
    Occasion {
        host: host.name().to_owned(),
        root: host.member.store.root().clone(),
        release: release.clone(),
        directory: host.member.store.release_path(release),
        previous: before.cloned(),
        direction,
    }
}

/// The hooks to run on one host, in order.
struct HookBatch<'j> {
    hooks: &'j [&'j dyn Hook],
    release: ReleaseName,
    direction: HookDirection,
    secrets: &'j Secrets,
    phase: Phase,
}

/// Returns the caller's hook and the configured command, in this order.
fn hooks<'h>(code: Option<&'h dyn Hook>, command: Option<&'h CommandHook>) -> Vec<&'h dyn Hook> {
    code.into_iter().chain(command.map(|command| command as &dyn Hook)).collect()
}

/// Awaits all of `runs`, at most `parallel` at once.
pub(super) async fn join_bounded<'f>(runs: Vec<impl Future<Output = ()> + 'f>, parallel: usize) {
    stream::iter(runs).buffer_unordered(parallel).collect::<Vec<()>>().await;
}
