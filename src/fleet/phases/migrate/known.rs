//! Compares the data with its last known version, and records the new one.

use std::time::Duration;

use crate::{
    commands::DataPlace,
    data::{DataRecord, DataVersion, KeptData, KnownBy, KnownData, LedgerEntry, LedgerStep},
    error::{Error, ErrorKind},
    hint::{Hint, Notice},
    name::ReleaseName,
    plan::{self, DataPlan, LastKnown, Settled},
    report::Failure,
    store::RootState,
};

use super::{MigrationContext, apply::deciding_hosts};
use crate::fleet::{execution::Execution, run::Run, secrets::redact};

/// The default pause before an unexpected `version` must be printed again. One second, because tools print
/// times in seconds.
pub(in crate::fleet) const VERSION_PAUSE: Duration = Duration::from_secs(1);

impl<'r> Run<'r> {
    /// Reads the data version before `apply`: once if it is the last known one, else twice.
    ///
    /// # Errors
    ///
    /// When the two answers differ, and when there is no data any more. Nothing was applied.
    pub(super) async fn version_before_apply(
        &self,
        execution: &mut Execution<'r, '_>,
        context: &MigrationContext<'_>,
        last: Option<&LastKnown>,
        own: &DataRecord,
    ) -> Result<DataVersion, Failure> {
        let version = self.version(execution, context).await?;
        if last.is_some_and(|last| last.version == version) {
            return Ok(version);
        }
        tokio::time::sleep(self.version_pause).await;
        let again = self.version(execution, context).await?;
        if again != version {
            return Err(unsteady(context, &version, &again));
        }
        let Some(last) = last else { return Ok(version) };
        if self.was_kept(execution, context, last, &version).await? {
            return Ok(version);
        }
        if self.accept_data {
            self.accept(execution, context, last, &version).await?;
        } else if version.as_str().is_empty() {
            return Err(no_data(context, last));
        } else {
            // A rollback then reverts to the version before the first apply, which needs no warning.
            let returns = own.change.as_ref().is_some_and(|change| change.after.as_ref() == Some(&version));
            let mut notice = moved(context, last, &version);
            notice.text = redact(self.secrets(), &notice.text);
            execution.data.disagrees = !returns;
            self.warn(None, if returns { notice } else { notice.hint(Hint::DataToLater) });
        }
        Ok(version)
    }

    /// Whether an older program rolled back the code alone and left the data at `version`. It recorded that
    /// in the ledger only.
    async fn was_kept(
        &self,
        execution: &mut Execution<'r, '_>,
        context: &MigrationContext<'_>,
        last: &LastKnown,
        version: &DataVersion,
    ) -> Result<bool, Failure> {
        let Some(host) = deciding_hosts(execution, context.place).next() else { return Ok(false) };
        let (ledger, _) = host.guard.ledger().await.map_err(crate::fleet::observe::failure)?;
        let Some(end) = ledger.last().filter(|end| end.step == LedgerStep::Applied) else { return Ok(false) };
        if end.version.as_ref() != Some(version) {
            return Ok(false);
        }
        let Some(kept) = plan::kept_since(host.guard.state(), &end.release, &last.release) else { return Ok(false) };
        let Some(record) = data_record(execution, context.place, &last.release) else { return Ok(false) };
        let record = DataRecord { kept: Some(kept), ..record };
        self.record(execution, context.place, &last.release, Some(&record), (LedgerStep::Kept, Some(version))).await?;
        Ok(true)
    }

    /// Records `version` as accepted.
    async fn accept(
        &self,
        execution: &mut Execution<'r, '_>,
        context: &MigrationContext<'_>,
        last: &LastKnown,
        version: &DataVersion,
    ) -> Result<(), Failure> {
        let Some(record) = data_record(execution, context.place, &last.release) else { return Ok(()) };
        let known = Some(KnownData { version: version.clone(), by: KnownBy::AcceptData });
        let record = DataRecord { known, kept: None, ..record };
        self.record(execution, context.place, &last.release, Some(&record), (LedgerStep::Accepted, Some(version))).await
    }

    /// Records the data version together with the release that was rolled back to, once all data is
    /// settled.
    ///
    /// A failure is a warning: the data is right, but the next deploy may warn about its version.
    pub(in crate::fleet) async fn settle_data(&self, execution: &mut Execution<'r, '_>) {
        let (settled, step) = match &execution.plan.data {
            Some(DataPlan::Keep { settled }) => (settled.clone(), LedgerStep::Kept),
            Some(DataPlan::Revert { settles: Some(settled), to, .. }) if execution.data.pending.is_empty() => {
                let step = if to.is_some() { LedgerStep::Decided } else { LedgerStep::Kept };
                (settled.clone(), step)
            }
            _ => return,
        };
        if let Err(why) = self.write_settled(execution, settled, step).await {
            let what = format!("cannot record the data version ({}); the next deploy may warn", why.message);
            self.warn(None, what);
        }
    }

    async fn write_settled(
        &self,
        execution: &mut Execution<'r, '_>,
        settled: Settled,
        step: LedgerStep,
    ) -> Result<(), Failure> {
        let Settled { release, mut record } = settled;
        let place = self.data_place_of(execution, &release, &record);
        if execution.plan.finishes && step == LedgerStep::Kept {
            let ledger = match deciding_hosts(execution, &place).next() {
                Some(host) => host.guard.ledger().await.ok(),
                None => None,
            };
            record.kept = record.kept.and_then(|kept| match ledger {
                Some((ledger, _)) => rest_of(kept, &ledger),
                // Without the ledger it is unknown how far the data was reverted.
                None => Some(KeptData { version: None, ..kept }),
            });
        }
        let known = record.known.as_ref().map(|known| &known.version).filter(|_| record.kept.is_none());
        let version = known.cloned().or_else(|| record.kept.as_ref()?.version.clone());
        self.record(execution, &place, &release, Some(&record), (step, version.as_ref())).await
    }
}

/// Returns the part of `kept` still in the data, after a rollback that began to revert it and was then
/// asked to keep it.
fn rest_of(kept: KeptData, ledger: &[LedgerEntry]) -> Option<KeptData> {
    let KeptData { mut version, mut releases } = kept;
    while let Some(first) = releases.first() {
        match LedgerEntry::last_of(ledger, first) {
            Some(LedgerEntry { step: LedgerStep::Reverted, version: now, .. }) => {
                version.clone_from(now);
                releases.remove(0);
            }
            Some(LedgerEntry { step: LedgerStep::RevertBegun, .. }) => {
                version = None;
                break;
            }
            _ => break,
        }
    }
    (!releases.is_empty()).then_some(KeptData { version, releases })
}

fn unsteady(context: &MigrationContext<'_>, first: &DataVersion, second: &DataVersion) -> Failure {
    let what = format!(
        "`version` printed {first} on {}, and then {second} although nothing had changed: no later rollback could compare them",
        context.place
    );
    let hint = "make the last line of `version` free of anything that changes by itself, such as a time";
    Error::new(ErrorKind::DataDiffers, what).hint(hint).into()
}

fn no_data(context: &MigrationContext<'_>, last: &LastKnown) -> Failure {
    let LastKnown { release, version } = last;
    let what = format!(
        "`version` finds no data on {}, and {version} was last known, with {release}: it may look at another database",
        context.place
    );
    let see = "see which database the commands reach there";
    Error::new(ErrorKind::DataDiffers, what).hint(see).hint(Hint::AcceptData).into()
}

fn moved(context: &MigrationContext<'_>, last: &LastKnown, version: &DataVersion) -> Notice {
    let LastKnown { release, version: known } = last;
    Notice::new(format!(
        "the data version on {} is {version}, but {known} was last known, with {release}",
        context.place
    ))
}

impl<'r> Run<'r> {
    /// Returns the place of the data that the record of a release describes.
    fn data_place_of(&self, execution: &Execution<'r, '_>, release: &ReleaseName, record: &DataRecord) -> DataPlace {
        let kept = record.kept.iter().flat_map(|kept| &kept.releases);
        let mut makers = [release].into_iter().chain(kept);
        let place = |release: &ReleaseName| {
            let mut records = execution.locked.iter().filter_map(|host| {
                let state = host.guard.state();
                state.release(release)?.data.record()
            });
            records.find_map(|record| Some(record.change.as_ref()?.place.clone()))
        };
        let recorded = makers.find_map(place);
        recorded.or_else(|| self.options.data_place()).unwrap_or(DataPlace::Controller)
    }
}

/// Returns the data record of a release, existing or removed, from the hosts whose records decide.
///
/// For data on the controller all hosts have the same record: that was checked before anything changed.
pub(super) fn data_record(
    execution: &Execution<'_, '_>,
    place: &DataPlace,
    release: &ReleaseName,
) -> Option<DataRecord> {
    let gone = |state: &RootState| {
        state.gone.iter().find(|gone| gone.name == *release).and_then(|gone| gone.data.record().cloned())
    };
    deciding_hosts(execution, place).find_map(|host| {
        let state = host.guard.state();
        state.release(release).and_then(|release| release.data.record().cloned()).or_else(|| gone(state))
    })
}
