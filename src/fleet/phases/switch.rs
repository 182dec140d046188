//! The switch phase: sent to all hosts at once.
//!
//! * Failure: hosts that switched are reverted, see [`revert_switch`](Run::revert_switch).
//! * Kill: each host is on the old or on the new release, never in between, and keeps its lock and intent. The next
//!   `rollback` brings them together; `recover` goes forward or back.
//! * Lost answer: a new lock fences off the request, then the state is read and the rest is done. If the host
//!   cannot be read, its state is [`HostState::Unknown`] and it keeps its lock.

use futures_util::future::join_all;

use crate::{
    event::{Event, Phase},
    store::{Activated, Current, Ready, StoreError, StoreGuard, TookEffect},
    transport::Effect,
};

use crate::fleet::{locked_host::LockedHost, observe::failure, outcome::HostState, run::Run};

/// The result of a switch, once everything that could be found out is known.
pub(in crate::fleet) enum Switched {
    /// Took effect, is durable, and was read back.
    Yes(Activated),
    /// Took effect, but a later step failed.
    Partly(Activated, StoreError),
    /// Did not take effect: `current` is as before.
    No(StoreError),
    /// Not known.
    Unknown(StoreError),
}

impl<'r> Run<'r> {
    /// Switches every host whose plan switches it, all at once.
    ///
    /// The result is in [`LockedHost::state`], a failure in [`LockedHost::failure`].
    pub(in crate::fleet) async fn switch(&self, locked: &mut [LockedHost<'r>]) {
        self.enter_phase(Phase::Switch, locked.iter().filter(|host| host.switches()).count());
        join_all(locked.iter_mut().filter(|host| host.switches()).map(|host| self.switch_on(host))).await;
    }

    async fn switch_on(&self, host: &mut LockedHost<'r>) {
        let expected = host.guard.state().current.clone();
        let switched = match host.ready.clone() {
            Some(to) => switch_and_settle(host.guard.as_mut(), expected, to).await,
            None => remove_current_and_settle(host.guard.as_mut(), expected).await,
        };
        match switched {
            Switched::Yes(activated) => {
                self.emit_switched(host.name(), &activated);
                host.state = HostState::Switched(activated);
            }
            Switched::Partly(activated, error) => {
                host.state = HostState::Switched(activated);
                self.fail(host, error);
            }
            Switched::No(error) => self.fail(host, error),
            Switched::Unknown(error) => {
                host.state = HostState::Unknown(None);
                self.fail(host, error);
            }
        }
    }

    pub(in crate::fleet) fn emit_switched(&self, host: &str, activated: &Activated) {
        self.emit(&Event::Switched {
            host: host.to_owned(),
            before: activated.before.release().cloned(),
            after: activated.after.release().cloned(),
            at: activated.at,
        });
    }

    fn fail(&self, host: &mut LockedHost<'r>, error: StoreError) {
        let why = failure(error);
        self.emit(&Event::HostFailed { host: host.name().to_owned(), phase: Phase::Switch, error: why.clone() });
        host.failure = Some(why);
    }
}

/// Switches. After a lost answer, fences off the request, reads the state, and does what remains.
pub(in crate::fleet) async fn switch_and_settle(guard: &mut dyn StoreGuard, expected: Current, to: Ready) -> Switched {
    let failed = match guard.activate(&expected, &to).await {
        Ok(activated) => return Switched::Yes(activated),
        Err(failed) => failed,
    };
    match failed.took_effect {
        TookEffect::No => Switched::No(failed.error),
        TookEffect::Yes => Switched::Partly(activated(guard, expected), failed.error),
        TookEffect::Unknown => settle_lost_answer(guard, expected, &to, failed.error).await,
    }
}

/// Removes `current`. After a lost answer, fences off the request, reads the state, and does what remains.
pub(in crate::fleet) async fn remove_current_and_settle(guard: &mut dyn StoreGuard, expected: Current) -> Switched {
    let gone = Activated { before: expected, after: Current::Absent, at: None };
    let mut result = guard.deactivate().await;
    if let Err(lost) = &result
        && lost.effect() == Effect::Unknown
        && guard.fence().await.is_ok()
    {
        result = guard.deactivate().await;
    }
    match result {
        Ok(()) => Switched::Yes(gone),
        Err(error) if error.effect() == Effect::Unknown => Switched::Unknown(error),
        Err(error) if guard.state().current == Current::Absent => Switched::Partly(gone, error),
        Err(error) => Switched::No(error),
    }
}

async fn settle_lost_answer(guard: &mut dyn StoreGuard, expected: Current, to: &Ready, lost: StoreError) -> Switched {
    if guard.fence().await.is_err() {
        return Switched::Unknown(lost);
    }
    let current = guard.state().current.clone();
    let arrived = current.release() == Some(to.name());
    if !arrived && current != expected {
        return Switched::No(lost);
    }
    // It did not take effect, or is not synced yet: repeating the step does what remains, and reports exactly that.
    match guard.activate(&current, to).await {
        Ok(again) => Switched::Yes(Activated { before: expected, ..again }),
        Err(_) if arrived => Switched::Partly(activated(guard, expected), lost),
        Err(failed) => match failed.took_effect {
            TookEffect::Yes => Switched::Partly(activated(guard, expected), failed.error),
            TookEffect::No => Switched::No(failed.error),
            TookEffect::Unknown => Switched::Unknown(failed.error),
        },
    }
}

fn activated(guard: &dyn StoreGuard, before: Current) -> Activated {
    Activated { before, after: guard.state().current.clone(), at: None }
}
