//! [`Layers`]: the migrations of the releases in a chain, newest first, and the check that their records agree.

use std::collections::HashSet;

use crate::{
    data::{DataRecord, DataVersion, KeptData},
    name::ReleaseName,
    store::{Kept, RootState},
};

use super::{super::Reason, steps::Left};

/// The migrations between two releases, newest first, followed by the record that the last of them is compared
/// with.
#[derive(Debug)]
pub(super) struct Layers<'s> {
    list: Vec<Layer<'s>>,
    /// The release that is rolled back to.
    target: Option<Left<'s>>,
}

/// A release and its data record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layer<'s> {
    pub(super) release: Left<'s>,
    /// Whether the rollback leaves this release. Others serve for comparison only.
    pub(super) is_left: bool,
}

/// A record of the data version before a release that contradicts the last known version.
#[derive(Debug, Clone, Copy)]
pub(super) struct Disagreement<'s> {
    /// The index of the release among the layers.
    pub(super) at: usize,
    /// The release whose record names `found`.
    pub(super) release: &'s ReleaseName,
    /// The version found before its migration.
    pub(super) found: &'s DataVersion,
    /// The last known version.
    pub(super) known: &'s DataVersion,
    /// The release whose record names `known`.
    pub(super) with: &'s ReleaseName,
}

impl<'s> Layers<'s> {
    /// Collects the layers from `start` down to `target`; `None` when no record leads there.
    ///
    /// # Errors
    ///
    /// [`Reason::RevertGone`] when a kept migration is still in the data and nothing remains of its release.
    pub(super) fn between(
        state: &'s RootState,
        start: &ReleaseName,
        target: &ReleaseName,
    ) -> Option<Result<Self, Reason>> {
        let way = way(state, start, target)?;
        let on_way: HashSet<&ReleaseName> = way.iter().map(|release| release.name).collect();
        let mut layers = Self { list: Vec::new(), target: Left::find(state, target) };
        for release in way {
            if let Err(reason) = layers.push(state, release, true, &on_way) {
                return Some(Err(reason));
            }
        }
        layers.go_below(state, target, &on_way);
        Some(Ok(layers))
    }

    /// Adds the target and the releases below it, down to the first record with a data version.
    ///
    /// The target alone is enough if no record above has to be compared with one below.
    fn go_below(&mut self, state: &'s RootState, target: &ReleaseName, on_way: &HashSet<&'s ReleaseName>) {
        let is_compared = self.is_compared_below();
        let mut passed = on_way.clone();
        let mut at = Left::find(state, target);
        while let Some(release) = at.filter(|release| passed.insert(release.name)) {
            // Stops at a gap, at a decisive release, or where nothing is compared.
            if self.push(state, release, false, on_way).is_err() || release.is_decisive() || !is_compared {
                return;
            }
            at = release.previous(state).and_then(|name| Left::find(state, name));
        }
    }

    /// Returns `true` if the last record among the left releases names the version found before it.
    fn is_compared_below(&self) -> bool {
        let says = |layer: &Layer<'s>| match layer.release.data {
            Kept::Nothing => None,
            Kept::Record(record) if record.change.is_none() && !record.is_finished() => None,
            Kept::Record(record) => Some(record.change.is_some()),
            Kept::Unreadable(_) => Some(false),
        };
        self.list.iter().rev().find_map(says).unwrap_or(false)
    }

    fn push(
        &mut self,
        state: &'s RootState,
        release: Left<'s>,
        is_left: bool,
        on_way: &HashSet<&'s ReleaseName>,
    ) -> Result<(), Reason> {
        let kept = self.kept_with(state, release, on_way)?;
        self.list.extend(kept.into_iter().chain([release]).map(|release| Layer { release, is_left }));
        Ok(())
    }

    /// Returns the migrations kept in the data with `release`, newest first.
    ///
    /// A release that is current again was already counted above, and holds its own migration.
    fn kept_with(
        &self,
        state: &'s RootState,
        release: Left<'s>,
        on_way: &HashSet<&'s ReleaseName>,
    ) -> Result<Vec<Left<'s>>, Reason> {
        let Some(record) = release.data.record() else { return Ok(Vec::new()) };
        let is_counted = |name: &ReleaseName| on_way.contains(name) || self.holds(name);
        let Some(kept) = &record.kept else { return Ok(self.kept_before_it_was_recorded(state, release, on_way)) };
        let find =
            |name: &ReleaseName| Left::find(state, name).ok_or_else(|| Reason::RevertGone { name: name.clone() });
        kept.releases.iter().filter(|name| !is_counted(name)).map(find).collect()
    }

    fn holds(&self, name: &ReleaseName) -> bool {
        self.list.iter().any(|layer| layer.release.name == name)
    }

    /// Infers kept migrations from records of older programs, which wrote no `kept` but also rolled back the code
    /// alone.
    ///
    /// In that case the next release found the version that another release, deployed after `release` and then left,
    /// had migrated to.
    fn kept_before_it_was_recorded(
        &self,
        state: &'s RootState,
        release: Left<'s>,
        on_way: &HashSet<&'s ReleaseName>,
    ) -> Vec<Left<'s>> {
        let above = self.list.iter().rev().find_map(|layer| layer.release.data.record()?.change.as_ref());
        let Some(above) = above.filter(|change| change.found.is_none()) else { return Vec::new() };
        if release.data.record().and_then(DataRecord::own_version).is_none_or(|own| *own == above.before) {
            return Vec::new();
        }
        let all = state.all_releases().iter().map(Left::from).chain(state.gone.iter().map(|gone| Left {
            name: &gone.name,
            is_there: false,
            commands: &gone.commands,
            data: &gone.data,
        }));
        let left_it_so = |other: &Left<'s>| {
            let own = other.data.record().and_then(DataRecord::own_version);
            own == Some(&above.before) && !on_way.contains(other.name) && !self.holds(other.name)
        };
        all.filter(left_it_so).find_map(|other| way(state, other.name, release.name)).unwrap_or_default()
    }

    /// Returns the layers, newest first.
    pub(super) fn list(&self) -> &[Layer<'s>] {
        &self.list
    }

    /// Finds the newest release whose record contradicts the last known version before it.
    ///
    /// # Errors
    ///
    /// [`Reason::DataUnreadable`] when a record that must be compared cannot be read.
    pub(super) fn disagreement(&self) -> Result<Option<Disagreement<'s>>, Reason> {
        let mut above: Option<(usize, &Layer<'s>, &'s DataVersion)> = None;
        for (index, layer) in self.list.iter().enumerate() {
            let record = match layer.release.data {
                Kept::Nothing => continue,
                Kept::Record(record) => record,
                Kept::Unreadable(_) if !layer.is_left && above.is_none() => return Ok(None),
                Kept::Unreadable(why) => {
                    return Err(Reason::DataUnreadable { name: layer.release.name.clone(), why: why.clone() });
                }
            };
            if let (Some((at, upper, found)), Some(known)) = (above, record.own_version())
                && found != known
            {
                let (release, with) = (upper.release.name, layer.release.name);
                return Ok(Some(Disagreement { at, release, found, known, with }));
            }
            // A record without a change says nothing about the data, unless a version was set with `--data-to`.
            if record.change.is_some() || record.is_finished() {
                let before = record.change.as_ref().map(|change| &change.before);
                above = before.filter(|_| layer.is_left).map(|before| (index, layer, before));
            }
        }
        Ok(None)
    }

    /// Returns the target's record after a rollback that reverts the layers before `from` and keeps the rest.
    ///
    /// `None` if the record does not change, or cannot be read.
    pub(super) fn settled(&self, from: usize) -> Option<DataRecord> {
        let record = self.target_record()?;
        let stays: Vec<&Left<'s>> = self
            .list
            .iter()
            .enumerate()
            .take_while(|(_, layer)| {
                layer.is_left || self.target.is_none_or(|target| layer.release.name != target.name)
            })
            .filter(|(index, layer)| !layer.is_left || (*index >= from && is_changed(layer.release)))
            .map(|(_, layer)| &layer.release)
            .collect();
        let version = stays.first().and_then(|top| top.data.record()?.own_version().cloned());
        let releases: Vec<ReleaseName> = stays.into_iter().map(|release| release.name.clone()).collect();
        let kept = (!releases.is_empty()).then_some(KeptData { version, releases });
        (record.kept != kept).then_some(DataRecord { kept, ..record })
    }

    /// Returns the target's record; `None` if it is unreadable and so must not be replaced.
    pub(super) fn target_record(&self) -> Option<DataRecord> {
        match self.target?.data {
            Kept::Nothing => Some(DataRecord::new(None)),
            Kept::Record(record) => Some(record.clone()),
            Kept::Unreadable(_) => None,
        }
    }
}

/// Returns `true` if a release changed the data or may have.
fn is_changed(release: Left<'_>) -> bool {
    match release.data {
        Kept::Nothing => false,
        Kept::Record(record) => {
            record.change.as_ref().is_some_and(|change| record.own_version() != Some(&change.before))
        }
        Kept::Unreadable(_) => true,
    }
}

/// Returns the version of the data while `start` is current, and the release whose record holds it: the nearest
/// one in the chain with a finished record.
pub(super) fn last_known<'s>(
    state: &'s RootState,
    start: &'s ReleaseName,
) -> Option<(&'s ReleaseName, &'s DataVersion)> {
    let mut passed = HashSet::new();
    let mut at = Left::find(state, start);
    while let Some(release) = at.filter(|release| passed.insert(release.name)) {
        if release.is_decisive() {
            let record = release.data.record()?;
            let version = record.kept.as_ref().map_or(record.own_version(), |kept| kept.version.as_ref())?;
            return Some((release.name, version));
        }
        at = release.previous(state).and_then(|name| Left::find(state, name));
    }
    None
}

/// Returns the releases left between `start` and `target`, newest first; `None` when no record leads there.
pub(super) fn way<'s>(state: &'s RootState, start: &ReleaseName, target: &ReleaseName) -> Option<Vec<Left<'s>>> {
    let mut left: Vec<Left<'s>> = Vec::new();
    let mut passed = HashSet::new();
    let mut at = start;
    while at != target {
        let release = Left::find(state, at)?;
        if !passed.insert(release.name) {
            return None;
        }
        left.push(release);
        at = release.previous(state)?;
    }
    Some(left)
}
