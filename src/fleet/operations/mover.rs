//! [`Mover`]: an operation that moves `current` to releases that the hosts have.

use crate::{
    adoption::Traces,
    future::BoxFuture,
    name::ReleaseName,
    plan::{self, CommandMeans, Plan, Refusal, Seen},
    report::Report,
    store::QuickCheck,
};

use crate::fleet::{
    locked_host::LockedHost,
    operations::verify::Warnings,
    run::Run,
    with_locks::{Needs, Operation, seen_of},
};

/// Plans on the states of the hosts; returns no plan if there is nothing to do.
pub(in crate::fleet) type Planner<'p> = dyn Fn(&[Seen<'_>]) -> Result<Option<Plan>, Refusal> + Send + Sync + 'p;

/// A rollback, an activation or a recovery.
pub(in crate::fleet) struct Mover<'m> {
    pub(in crate::fleet) planner: &'m Planner<'m>,
    /// The commands that may run around the switch.
    pub(in crate::fleet) commands: CommandMeans<'m>,
    /// The release to compare with its manifest while taking the lock.
    pub(in crate::fleet) quick_check: Option<QuickCheck>,
}

impl<'r> Operation<'r> for Mover<'_> {
    type Plan = Plan;

    fn needs(&self) -> Needs {
        Needs { quick_check: self.quick_check.clone(), ..Needs::default() }
    }

    fn plan(&mut self, seen: &[Seen<'_>], _traces: &[Traces]) -> Result<Option<Plan>, Refusal> {
        (self.planner)(seen)?.map(|plan| plan::with_commands(plan, self.commands, seen)).transpose()
    }

    fn release(&self, plan: &Plan) -> Option<ReleaseName> {
        Some(plan.release.clone())
    }

    fn emit_plan(&self, run: &Run<'r>, plan: &Plan) {
        run.emit_plan(plan);
    }

    fn foresee<'a>(&'a mut self, run: &'a Run<'r>, plan: &'a mut Plan) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            run.foresee_pruning(plan).await;
        })
    }

    fn rehearse<'a>(
        &'a mut self,
        run: &'a Run<'r>,
        plan: &'a Plan,
        seen: &'a [Seen<'a>],
    ) -> BoxFuture<'a, Result<Warnings, Report>> {
        Box::pin(async move { run.rehearse(plan, seen).await })
    }

    fn refuse<'a>(
        &'a mut self,
        run: &'a Run<'r>,
        plan: &'a Plan,
        locked: &'a mut [LockedHost<'r>],
    ) -> BoxFuture<'a, Result<(), Report>> {
        Box::pin(async move {
            if let Some(report) = run.refuse_untrusted(plan, &seen_of(locked)) {
                return Err(report);
            }
            let warnings = run.verify_locked(plan, locked).await?;
            keep_warnings(locked, warnings);
            Ok(())
        })
    }

    fn act<'a>(&'a mut self, run: &'a Run<'r>, plan: Plan, locked: Vec<LockedHost<'r>>) -> BoxFuture<'a, Report> {
        Box::pin(async move { run.execute(&plan, locked).await })
    }
}

impl<'r> Run<'r> {
    /// Refuses in a dry run the releases and files that a run refuses under the locks, and checks the links.
    pub(in crate::fleet) async fn rehearse(&self, plan: &Plan, seen: &[Seen<'_>]) -> Result<Warnings, Report> {
        if let Some(report) = self.refuse_untrusted(plan, seen) {
            return Err(report);
        }
        let mut warnings = self.verify_targets(plan, seen).await?;
        warnings.extend(self.check_links(plan, seen).await);
        Ok(warnings)
    }

    /// Verifies the targets of the plan. If one is damaged, first seals the changes that commands of an
    /// interrupted run made.
    async fn verify_locked(&self, plan: &Plan, locked: &mut [LockedHost<'r>]) -> Result<Warnings, Report> {
        let refused = match self.verify_targets(plan, &seen_of(locked)).await {
            Ok(warnings) => return Ok(warnings),
            Err(report) => report,
        };
        let mut sealed = false;
        for host in locked.iter_mut().filter(|host| !host.guard.state().interrupted.is_empty()) {
            // Sealed only once the last of these commands has ended.
            self.settle_leftovers_on(host).await;
            if host.failure.take().is_none()
                && let Ok(names) = host.guard.seal_left().await
            {
                sealed |= !names.is_empty();
            }
        }
        if sealed { self.verify_targets(plan, &seen_of(locked)).await } else { Err(refused) }
    }
}

/// Keeps the warnings for the host reports.
fn keep_warnings(locked: &mut [LockedHost<'_>], warnings: Warnings) {
    for (name, warning) in warnings {
        if let Some(host) = locked.iter_mut().find(|host| host.name() == name) {
            host.reported.push(warning);
        }
    }
}
