//! The chain of releases inferred from another tool's files.

use std::collections::BTreeMap;

use crate::{
    adoption::{Evidence, Tool, Traces},
    name::ReleaseName,
    record::{BadRecord, PreviousVersion},
    store::{HostedRelease, RootState},
};

use super::logs::{self, Told};

/// The order in which releases became current, according to another tool's tree.
#[derive(Debug, Default)]
pub(super) struct Story {
    /// The previous release of each release, from the last time that it was deployed.
    before: BTreeMap<ReleaseName, Option<ReleaseName>>,
    /// The release that is current at the end of the story.
    last: Option<ReleaseName>,
    /// The releases that were rolled back and never deployed again.
    left: Vec<ReleaseName>,
}

impl Story {
    fn told(events: impl IntoIterator<Item = Told>) -> Self {
        let mut story = Self::default();
        for event in events {
            match event {
                Told::Deployed(name) => {
                    if story.last.as_ref() != Some(&name) {
                        story.before.insert(name.clone(), story.last.take());
                    }
                    story.left.retain(|left| *left != name);
                    story.last = Some(name);
                }
                Told::WentBack(name) => {
                    story.left.retain(|left| *left != name);
                    let fled = story.last.replace(name.clone()).filter(|fled| *fled != name);
                    story.left.extend(fled);
                }
            }
        }
        story
    }

    /// Returns the release before `name`; an unknown release came after the end of the story.
    fn before(&self, name: &ReleaseName) -> Option<&ReleaseName> {
        match self.before.get(name) {
            Some(before) => before.as_ref(),
            None => self.last.as_ref().filter(|last| *last != name),
        }
    }

    /// Returns `true` if `name` ever became current, by the other tool's files.
    pub(super) fn knows(&self, name: &ReleaseName) -> bool {
        self.before.contains_key(name) || self.last.as_ref() == Some(name)
    }

    /// Returns the release that is current at the end of the story.
    pub(super) fn last(&self) -> Option<&ReleaseName> {
        self.last.as_ref()
    }

    /// Returns the releases that were rolled back.
    pub(super) fn left(&self) -> &[ReleaseName] {
        &self.left
    }
}

/// Returns the story of a tree made by `tool`, and the evidence for it.
pub(super) fn story(tool: Tool, traces: &Traces, state: &RootState, current: &ReleaseName) -> (Story, Evidence) {
    let (mut story, evidence) = match (tool, &traces.revisions_log, &traces.releases_log) {
        (Tool::Capistrano, Some(log), _) => (Story::told(logs::revisions(log)), Evidence::RevisionsLog),
        (Tool::Deployer, _, Some(log)) => (deployed(log, traces), Evidence::ReleasesLog),
        (Tool::Directory, ..) => (Story::default(), Evidence::Records),
        // Who writes records writes one at each switch: a release without one was the first, or never current.
        (Tool::Recipe, ..) if state.releases.iter().any(has_own_record) => (Story::default(), Evidence::Records),
        _ => by_order(traces, state, current),
    };
    let marked = traces.bad.iter().filter(|name| !story.left.contains(name)).cloned().collect::<Vec<_>>();
    story.left.extend(marked);
    (story, evidence)
}

/// Whether a release has a record that neither an adoption inferred nor this tool wrote.
fn has_own_record(release: &HostedRelease) -> bool {
    let is_ours = release.staged.exists() || release.adopted.record().is_some_and(|adopted| adopted.inferred);
    !is_ours && release.previous != Err(BadRecord::Missing)
}

/// Reads Deployer's log, which is written before the switch.
///
/// Deployer removes a release that it does not switch to, or leaves its `release` link on it.
fn deployed(log: &str, traces: &Traces) -> Story {
    let is_one = |name: &ReleaseName| traces.unfinished.as_ref() != Some(name) && !traces.bad.contains(name);
    let mut names: Vec<ReleaseName> = Vec::new();
    for name in logs::releases(log).into_iter().filter(is_one) {
        names.retain(|known| *known != name);
        names.push(name);
    }
    Story::told(names.into_iter().map(Told::Deployed))
}

/// Orders the releases up to the current one without a log.
///
/// Uses the names if they tell the order, else the modification times of the directories. Ansistrano and Mina remove a
/// release that they do not switch to.
fn by_order(traces: &Traces, state: &RootState, current: &ReleaseName) -> (Story, Evidence) {
    let names: Vec<&ReleaseName> = state.releases.iter().map(|release| &release.name).collect();
    if names.len() < 2 {
        return (Story::told([Told::Deployed(current.clone())]), Evidence::Nothing);
    }
    let (ordered, evidence) = match by_names(&names) {
        Some(ordered) => (ordered, Evidence::Names),
        None => (by_times(traces), Evidence::Times),
    };
    let until = ordered.iter().position(|name| name == current).map_or(ordered.len(), |at| at + 1);
    (Story::told(ordered.into_iter().take(until).map(Told::Deployed)), evidence)
}

/// Whether the names of these releases tell their order.
pub(super) fn has_order(releases: &[HostedRelease]) -> bool {
    let names: Vec<&ReleaseName> = releases.iter().map(|release| &release.name).collect();
    names.len() < 2 || by_names(&names).is_some()
}

/// Orders releases by their names: numbers or timestamps, alone or after the same text; `None` for other names.
fn by_names(names: &[&ReleaseName]) -> Option<Vec<ReleaseName>> {
    let shape = |name: &ReleaseName| name.as_str().replace(|c: char| c.is_ascii_digit(), "0");
    let first = shape(names.first()?);
    let mut ordered: Vec<ReleaseName> = names.iter().map(|name| (*name).clone()).collect();
    if first.contains('0') && names.iter().all(|name| shape(name) == first) {
        // As many digits at the same places: dates and times, too.
        ordered.sort_unstable();
        return Some(ordered);
    }
    let (text, _) = number(names[0])?;
    let numbered: Option<Vec<(u128, &ReleaseName)>> = names
        .iter()
        .map(|name| number(name).filter(|(other, _)| *other == text).map(|(_, number)| (number, *name)))
        .collect();
    let mut numbered = numbered?;
    numbered.sort_unstable();
    Some(numbered.into_iter().map(|(_, name)| name.clone()).collect())
}

fn by_times(traces: &Traces) -> Vec<ReleaseName> {
    let mut times: Vec<(i64, &ReleaseName)> = traces.times.iter().map(|(name, at)| (*at, name)).collect();
    times.sort_unstable();
    times.into_iter().map(|(_, name)| name.clone()).collect()
}

/// Splits a name into text and the number at its end (Mina, `build-17`), or a timestamp (Ansistrano, Capistrano).
fn number(name: &ReleaseName) -> Option<(&str, u128)> {
    let stamp = name.as_str().trim_end_matches('Z');
    let text = stamp.trim_end_matches(|c: char| c.is_ascii_digit());
    Some((text, stamp[text.len()..].parse().ok()?))
}

/// The chain from `current`: the records to write, newest first, and the releases that already have one.
#[derive(Debug, Default)]
pub(super) struct WayBack {
    pub(super) written: Vec<(ReleaseName, PreviousVersion)>,
    pub(super) recorded: Vec<ReleaseName>,
    /// An invalid record in the chain, left for a person to fix.
    pub(super) damaged: Option<(ReleaseName, BadRecord)>,
}

/// Walks back from `current`. Existing records take precedence; for missing ones the story decides, skipping
/// releases that no longer exist.
pub(super) fn way_back(state: &RootState, story: &Story, current: &ReleaseName) -> WayBack {
    let mut way = WayBack::default();
    let mut seen = vec![current.clone()];
    let mut at = state.release(current);
    while let Some(release) = at {
        let previous = match &release.previous {
            Ok(previous) => {
                way.recorded.push(release.name.clone());
                previous.release().cloned()
            }
            Err(BadRecord::Missing) => {
                let previous = standing_before(state, story, &release.name, &seen);
                let record = previous.clone().map_or(PreviousVersion::None, PreviousVersion::Release);
                way.written.push((release.name.clone(), record));
                previous
            }
            Err(damaged) => {
                way.damaged = Some((release.name.clone(), damaged.clone()));
                None
            }
        };
        at = previous.filter(|name| !seen.contains(name)).and_then(|name| {
            seen.push(name.clone());
            state.release(&name)
        });
    }
    way
}

/// Returns the nearest release before `name` that exists, was not rolled back, and is not yet in the chain.
fn standing_before(state: &RootState, story: &Story, name: &ReleaseName, seen: &[ReleaseName]) -> Option<ReleaseName> {
    let mut passed = vec![name.clone()];
    let mut at = story.before(name);
    while let Some(before) = at {
        if passed.contains(before) {
            return None;
        }
        if state.release(before).is_some() && !seen.contains(before) && !story.left.contains(before) {
            return Some(before.clone());
        }
        passed.push(before.clone());
        at = story.before.get(before).and_then(Option::as_ref);
    }
    None
}
