//! The revert phase: switches back every host that had switched, and continues after a failure.

use futures_util::future::join_all;

use crate::{
    event::Phase,
    report::Failure,
    store::{Activated, StoreError, StoreGuard},
};

use super::{
    locked_host::LockedHost,
    observe::failure,
    outcome::HostState,
    run::Run,
    switch::{Switched, remove_current_and_settle, switch_and_settle},
};

impl<'r> Run<'r> {
    /// Reverts every switch that took effect.
    ///
    /// * Failure: the host stays on the new release, and its report joins both failures. The other hosts are reverted
    ///   nevertheless; data and hooks are not, because they need `current` restored everywhere.
    /// * Kill: some hosts are on the new release, some on the old one. The next `rollback` brings them together.
    /// * Lost answer: settled as in [`switch`](Self::switch); a host that cannot be read keeps its lock.
    pub(super) async fn revert_switch(&self, locked: &mut [LockedHost<'r>]) {
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
                let result: Result<(), Failure> = self.report_phase(host.member.name(), Phase::PutBack, Err(why));
                let why = result.expect_err("it failed");
                host.failure = Some(join_failures(host.failure.take(), why));
            }
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
pub(super) fn join_failures(first: Option<Failure>, undo: Failure) -> Failure {
    match first {
        Some(first) => {
            Failure { message: format!("{}; and putting it back failed too: {}", first.message, undo.message), ..first }
        }
        None => Failure { message: format!("putting it back failed: {}", undo.message), ..undo },
    }
}
