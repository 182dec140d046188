//! The revert phase: switches back every host that had switched, and continues after a failure.
//!
//! * Failure: the host stays on the new release, and its report joins both failures. The other hosts are reverted
//!   nevertheless; data and hooks are not, because they need `current` restored everywhere.
//! * Kill: some hosts are on the new release, some on the old one. The next `rollback` brings them together.
//! * Lost answer: settled as in [`switch`](Run::switch); a host that cannot be read keeps its lock.

use futures_util::future::join_all;

use crate::{
    event::Phase,
    hook::HookDirection,
    report::Failure,
    store::{Activated, StoreError, StoreGuard},
};

use crate::fleet::{
    execution::Execution,
    hooks::{HookBatch, hooks, join_bounded},
    locked_host::LockedHost,
    observe::failure,
    outcome::HostState,
    phases::switch::{Switched, remove_current_and_settle, switch_and_settle},
    run::Run,
};

impl<'r> Run<'r> {
    /// Reverts every switch that took effect.
    pub(in crate::fleet) async fn revert_switch(&self, locked: &mut [LockedHost<'r>]) {
        self.enter_phase(Phase::PutBack, locked.iter().filter(|host| host.state.switch().is_some()).count());
        join_all(locked.iter_mut().map(|host| self.revert_switch_on(host))).await;
    }

    async fn revert_switch_on(&self, host: &mut LockedHost<'r>) {
        let Some(done) = host.state.switch().cloned() else { return };
        match undo(host.guard.as_mut(), &done).await {
            Ok(undone) => {
                self.emit_switched(host.name(), &undone);
                host.state = HostState::Reverted(done);
            }
            Err((unknown, error)) => {
                if unknown {
                    host.state = HostState::Unknown(Some(done));
                }
                let why = failure(error);
                let result: Result<(), Failure> = self.report_step(host.member.name(), Phase::PutBack, Err(why));
                let why = result.expect_err("it failed");
                host.failure = Some(join_failures(host.failure.take(), why));
            }
        }
    }

    /// Runs the `after_switch` hook of each restored release, as recorded on the host.
    pub(in crate::fleet) async fn run_after_revert(&self, execution: &mut Execution<'r, '_>) {
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
        self.run_hooks_on(host, batch).await;
        if let Some(why) = host.failure.take() {
            if let HostState::Reverted(switch) = &host.state {
                host.state = HostState::Unwell(switch.clone());
            }
            host.failure = Some(join_failures(first, why));
        } else {
            host.failure = first;
        }
    }
}

/// Reverts one switch. The error says whether the target of `current` is unknown.
async fn undo(guard: &mut dyn StoreGuard, done: &Activated) -> Result<Activated, (bool, StoreError)> {
    let expected = done.after.clone();
    let switched = match done.before.release() {
        None => remove_current_and_settle(guard, expected).await,
        Some(name) => {
            let ready = guard.ready(name).map_err(|error| (false, error))?;
            switch_and_settle(guard, expected, ready).await
        }
    };
    match switched {
        Switched::Yes(undone) => Ok(undone),
        Switched::Partly(_, error) | Switched::No(error) => Err((false, error)),
        Switched::Unknown(error) => Err((true, error)),
    }
}

/// Joins the failure that led to an undo with the failure of the undo.
pub(in crate::fleet) fn join_failures(first: Option<Failure>, undo: Failure) -> Failure {
    let Some(first) = first else {
        let message = format!("reverting it failed: {}", undo.message);
        return undo.reworded(message);
    };
    let message = format!("{}; reverting it failed too: {}", first.message, undo.message);
    first.reworded(message)
}
