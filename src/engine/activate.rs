//! `activate`: switch to a release that every host has.

use crate::{
    name::ReleaseName,
    plan::{self, Seen},
    report::Report,
};

use super::{run::Run, working::Working};

/// Switches every host to `name`.
pub(super) async fn activate(run: Run<'_>, name: &ReleaseName, allow_split: bool) -> Report {
    run.begin(Some(name));
    run.under_locks(&|seen: &[Seen<'_>]| plan::activate(name, seen, allow_split)).await
}

impl Run<'_> {
    /// Locks, plans on what is read under the locks, and carries that out; a dry run only asks and plans.
    pub(super) async fn under_locks(
        &self,
        plan: &(dyn Fn(&[Seen<'_>]) -> Result<plan::Plan, plan::Refusal> + Send + Sync),
    ) -> Report {
        if self.options.dry_run {
            return self.only_plan(plan).await;
        }
        let mut locked = match self.take_locks().await {
            Ok(locked) => locked,
            Err(report) => return report,
        };
        let seen: Vec<Seen<'_>> = locked.iter().map(Working::seen).collect();
        match plan(&seen) {
            Ok(plan) => {
                self.planned(&plan);
                self.carry_out(&plan, locked).await
            }
            Err(refusal) => {
                let report = self.refused(refusal, &seen);
                self.release(&mut locked).await;
                report
            }
        }
    }

    async fn only_plan(
        &self,
        plan: &(dyn Fn(&[Seen<'_>]) -> Result<plan::Plan, plan::Refusal> + Send + Sync),
    ) -> Report {
        let asked = self.ask().await;
        if let Some(report) = self.not_asked(&asked) {
            return report;
        }
        match plan(&asked.seen()) {
            Ok(plan) => {
                self.planned(&plan);
                self.dry_run(&plan)
            }
            Err(refusal) => self.refused(refusal, &asked.seen()),
        }
    }
}
