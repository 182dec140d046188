//! The effect of a failed `apply` or `revert` on the data: the version found, and whether the fingerprint
//! changed.

use std::time::Duration;

use crate::{commands::DataPlace, data::DataVersion, name::ReleaseName, outcome::Command, store::HookDirectory};

use super::{DataFailure, MigrationContext};
use crate::fleet::{execution::Execution, outcome::DataState, run::Run};

/// The fingerprint of the data before this operation changed it, and the command that printed it.
#[derive(Debug, Clone)]
pub(in crate::fleet) struct Fingerprint {
    script: String,
    place: DataPlace,
    release: ReleaseName,
    directory: HookDirectory,
    timeout: Duration,
    printed: String,
}

/// Records the version found after a failed `apply` or `revert`. [`Run::describe_damage`] says it once it is known where
/// the data ends up.
pub(super) fn found_after(
    execution: &mut Execution<'_, '_>,
    context: &MigrationContext<'_>,
    found: Option<DataVersion>,
) {
    execution.data.failure.get_or_insert_with(|| DataFailure { place: context.place.clone(), found });
}

/// Describes the version found after a failure, and the one that the data has `now`.
fn describe_versions(failure: &DataFailure, now: Option<&DataVersion>, state: DataState) -> String {
    let data = format!("the data version on {}", failure.place);
    let after = match &failure.found {
        Some(found) if now == Some(found) => return format!("{data} is now {found}"),
        Some(found) => format!("{data} was {found} after it"),
        None => format!("{data} could not be read after it"),
    };
    match now {
        Some(now) if state == DataState::Settled => format!("{after}, and was reverted to {now}"),
        Some(now) => format!("{after}, and is now {now}"),
        None if failure.found.is_some() => format!("{after}, and is not known now"),
        None => after,
    }
}

impl<'r> Run<'r> {
    /// Takes the fingerprint of the data before the first `apply` or `revert`, if a command is configured.
    ///
    /// A failed fingerprint decides nothing: there is then nothing to compare with.
    pub(super) async fn take_fingerprint(&self, execution: &mut Execution<'r, '_>, context: &MigrationContext<'_>) {
        if execution.data.fingerprint.is_some() {
            return;
        }
        let Some((script, timeout)) = self.fingerprint_of(execution, context) else { return };
        let at = (context.release, context.directory);
        if let Ok(printed) = self.fingerprint(execution, context.place, at, (&script, timeout)).await {
            let (place, release, directory) = (context.place.clone(), context.release.clone(), context.directory);
            execution.data.fingerprint = Some(Fingerprint { script, place, release, directory, timeout, printed });
        }
    }

    /// Returns the `fingerprint` command and its timeout.
    ///
    /// Forward and on the controller it is the command of the configuration; else the one that the data host recorded
    /// with the release in which `version` runs.
    fn fingerprint_of(
        &self,
        execution: &Execution<'r, '_>,
        context: &MigrationContext<'_>,
    ) -> Option<(String, Duration)> {
        let forward = matches!(execution.plan.command, Command::Deploy | Command::Activate);
        let commands = match context.place {
            DataPlace::Host(name) if !forward && !self.by_configuration => {
                let host = execution.locked.iter().find(|host| host.member.name == *name)?;
                self.recorded_on(host, context.release)
            }
            _ => self.options.commands.clone()?,
        };
        Some((commands.fingerprint?, commands.timeout))
    }

    /// Reads the version after a failed `apply` or `revert`.
    pub(super) async fn find_after(&self, execution: &mut Execution<'r, '_>, context: &MigrationContext<'_>) {
        let found = self.version(execution, context).await.ok();
        found_after(execution, context, found);
    }

    /// After a failed `apply` or `revert`, adds to the failure what became of the data, once everything possible is
    /// undone.
    pub(in crate::fleet) async fn describe_damage(&self, execution: &mut Execution<'r, '_>) {
        let Some(failed) = &execution.data.failure else { return };
        let mut words = describe_versions(failed, execution.data.after.as_ref(), execution.data.state);
        self.compare_fingerprint(execution).await;
        match execution.data.same {
            Some(true) => words.push_str("; the data fingerprint is the same as before"),
            Some(false) => {
                words.push_str("; the data fingerprint is NOT the same as before: check the data before anything else");
            }
            None => {}
        }
        execution.failure = execution.failure.take().map(|why| {
            let message = format!("{}; {words}", why.message);
            why.reworded(message)
        });
    }

    async fn compare_fingerprint(&self, execution: &mut Execution<'r, '_>) {
        let Some(before) = execution.data.fingerprint.clone() else { return };
        let Fingerprint { script, place, release, directory, timeout, printed } = before;
        let now = self.fingerprint(execution, &place, (&release, directory), (&script, timeout)).await;
        execution.data.same = now.ok().map(|now| now == printed);
    }
}
