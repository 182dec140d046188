//! The effect of one host's rollback on the data, according to that host's records.

use crate::{
    commands::DataPlace,
    data::{DataRecord, DataVersion, KeptData, KnownBy, KnownData},
    name::ReleaseName,
    store::{Kept, RootState},
};

use super::{
    super::{HostRefusal, Reason, Seen},
    DataMeans, RevertStep,
    layers::{Disagreement, Layers, way},
    steps::{off_the_way, step_of, version_with},
};

/// The effect of a rollback on the data, according to one host's records.
#[derive(Debug, Default)]
pub(super) struct Walk {
    pub(super) steps: Vec<RevertStep>,
    /// The target's new record; `None` if it does not change.
    pub(super) settles: Option<DataRecord>,
}

impl Walk {
    /// Returns the longer of two walks.
    ///
    /// Of two equally long walks, prefers `other` if only it has a new record for the target.
    pub(super) fn or(self, other: Self) -> Self {
        let settles = self.settles.is_none() && other.settles.is_some() && other.steps.len() == self.steps.len();
        if other.steps.len() > self.steps.len() || settles { other } else { self }
    }
}

/// Plans the reverts for one host's rollback from `start` to `target`.
pub(super) fn walk(
    seen: &Seen<'_>,
    start: &ReleaseName,
    target: &ReleaseName,
    place: &DataPlace,
    means: DataMeans<'_>,
) -> Result<Walk, HostRefusal> {
    if start == target {
        return Ok(Walk::default());
    }
    match Layers::between(seen.state, start, target) {
        Some(layers) => {
            layers.and_then(|layers| walk_layers(&layers, place, means)).map_err(|reason| seen.refuse(reason))
        }
        None => off_the_way(seen, start, target).map(|()| Walk::default()),
    }
}

/// Returns the new record of `target` after a rollback of the code alone.
///
/// The rollback works without that record, so whatever cannot be read is not recorded either.
pub(super) fn kept(seen: &Seen<'_>, start: &ReleaseName, target: &ReleaseName) -> Option<DataRecord> {
    if start == target {
        return None;
    }
    match Layers::between(seen.state, start, target) {
        Some(Ok(layers)) => layers.settled(0),
        Some(Err(_)) => None,
        None => kept_off_the_way(seen, start, target),
    }
}

fn walk_layers(layers: &Layers<'_>, place: &DataPlace, means: DataMeans<'_>) -> Result<Walk, Reason> {
    let disagreement = layers.disagreement()?;
    let left = || layers.list().iter().enumerate().filter(|(_, layer)| layer.is_left);
    let Some(to) = means.to else {
        if let Some(Disagreement { release, found, known, with, .. }) = disagreement {
            let (name, with) = (release.clone(), with.clone());
            return Err(Reason::DataMoved { name, found: found.clone(), known: known.clone(), with });
        }
        let steps = left().map(|(_, layer)| step_of(layer.release, place, means));
        let steps = steps.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().filter(RevertStep::changes).collect();
        return Ok(Walk { steps, settles: layers.settled(usize::MAX) });
    };
    let (mut steps, mut arrives_at) = (Vec::new(), None);
    for (at, layer) in left() {
        let Some(step) = step_of(layer.release, place, means)? else { continue };
        let disagrees = disagreement.is_some_and(|found| found.at == at);
        arrives_at = (step.to == *to && !disagrees).then_some(at);
        steps.push(step);
        if disagrees || arrives_at.is_some() {
            break;
        }
    }
    let Some(last) = steps.last_mut() else { return Err(Reason::NoWayTo { version: to.clone() }) };
    last.to = to.clone();
    if last.changes() {
        last.has_revert(means)?;
    }
    // If a record leads to this version, the changes below it stay in the data. Otherwise only
    // the version that the user gave supports it.
    let settles = match arrives_at {
        Some(at) => layers.settled(at + 1).or_else(|| layers.target_record()),
        None => layers.target_record(),
    };
    let stays = settles.as_ref().is_some_and(|record| record.kept.is_some()) && arrives_at.is_some();
    let decide = |record| if stays { record } else { decided(record, to) };
    Ok(Walk { steps, settles: settles.map(decide) })
}

/// Returns the record that sets the data version to `version` because of `--data-to`.
fn decided(record: DataRecord, version: &DataVersion) -> DataRecord {
    let known = Some(KnownData { version: version.clone(), by: KnownBy::DataTo });
    DataRecord { known, kept: None, ..record }
}

/// Returns the record of a target that no record leads to, with the data version of `start`, if the two differ.
fn kept_off_the_way(seen: &Seen<'_>, start: &ReleaseName, target: &ReleaseName) -> Option<DataRecord> {
    let here = version_with(seen, start).ok()??;
    if version_with(seen, target).ok()? == Some(here) {
        return None;
    }
    let record = match &seen.state.release(target)?.data {
        Kept::Nothing => DataRecord::new(None),
        Kept::Record(record) => record.clone(),
        Kept::Unreadable(_) => return None,
    };
    let kept = KeptData { version: Some(here.clone()), releases: vec![start.clone()] };
    Some(DataRecord { kept: Some(kept), ..record })
}

/// Returns the migrations kept in the data with `below`, assuming that the migration of `above` was the last
/// change to the data.
///
/// This reconstructs what older programs, which did not record kept migrations, left.
pub(crate) fn kept_since(state: &RootState, above: &ReleaseName, below: &ReleaseName) -> Option<KeptData> {
    let releases = way(state, above, below)?;
    let version = releases.first()?.data.record()?.own_version()?.clone();
    let releases = releases.into_iter().map(|release| release.name.clone()).collect();
    Some(KeptData { version: Some(version), releases })
}
