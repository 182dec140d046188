//! The after phase: the `after_switch` hooks of the release that is current now.
//!
//! * Failure: a deploy or an activation is reverted. A rollback stays, and is reported as inconsistent.
//! * Kill: `current` stays on the new release. The next run ends the hook with its process group; `rollback` or
//!   `recover` undoes the deploy.
//! * Lost answer: the store fetches the result later; if it stays lost, this is a failure.

use futures_util::future::join_all;

use crate::{
    event::Phase,
    store::{Current, StoreError},
};

use crate::fleet::{
    execution::Execution,
    hooks::{HookBatch, hooks, join_bounded},
    locked_host::LockedHost,
    observe::failure,
    outcome::HostState,
    run::Run,
};

impl<'r> Run<'r> {
    /// Runs the `after_switch` hook on every host, for the release that is current now.
    pub(in crate::fleet) async fn run_after_switch(&self, execution: &mut Execution<'r, '_>) {
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
                self.run_hooks_on(host, HookBatch { hooks: &hooks, release, direction, secrets, phase }).await;
            })
        });
        join_bounded(runs.collect(), self.parallel).await;
    }

    /// Checks that `current` did not move while hooks ran: a hook can move it.
    pub(in crate::fleet) async fn check_current_stayed(&self, execution: &mut Execution<'r, '_>) {
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
            host.warnings.push(format!("cannot read `current` after the hooks ({why})"));
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
        if let Err(why) = self.report_step::<()>(host.member.name(), Phase::AfterSwitch, Err(failure(moved))) {
            host.failure.get_or_insert(why);
        }
    }
}
