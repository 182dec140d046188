//! The settle phase: ends what interrupted runs left running, before anything else runs.
//!
//! * Failure: that of its host, before anything changed there.
//! * Kill: the lock and the commands stay; the next run settles them.
//! * Lost answer: a failure.

use crate::{event::Phase, plan, report::Command};

use crate::fleet::{execution::Execution, hooks::join_bounded, locked_host::LockedHost, observe::failure, run::Run};

impl<'r> Run<'r> {
    /// Ends or awaits commands that interrupted operations left running, so that nothing else runs beside
    /// them.
    ///
    /// Then seals the releases that those commands changed.
    pub(in crate::fleet) async fn settle_leftovers(&self, execution: &mut Execution<'r, '_>) {
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

    pub(in crate::fleet) async fn settle_leftovers_on(&self, host: &mut LockedHost<'r>) {
        // Whoever can write there could name any process of the host.
        if !self.allow_writable && plan::trusted_state(&host.seen()).is_err() {
            let what = "processes of an interrupted run may still run there: the state directory is not trusted, so they are left alone";
            if !host.warnings.iter().any(|warning| warning == what) {
                host.warnings.push(what.to_owned());
            }
            return;
        }
        let name = host.name();
        let settled = host.guard.settle_hooks(self.keep_data, &|what| self.warn(Some(name), what)).await;
        if let Err(error) = self.report_step(name, Phase::Lock, settled.map_err(failure)) {
            host.failure = Some(error);
        }
    }
}
