//! The way back, as it is concluded from what another tool left.

use std::collections::BTreeMap;

use crate::{
    adoption::{Evidence, Tool, Traces},
    name::ReleaseName,
    record::{BadRecord, PreviousVersion},
    store::RootState,
};

use super::logs::{self, Told};

/// What another tool's tree says about which release came after which.
#[derive(Debug, Default)]
pub(super) struct Story {
    /// What was current when a release became current for the last time as a new one.
    before: BTreeMap<ReleaseName, Option<ReleaseName>>,
    /// What is current in the end, as the story goes.
    last: Option<ReleaseName>,
    /// The releases that were gone back from and never deployed again.
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

    /// What was current before `name`; a release that the story does not know came after its end.
    fn before(&self, name: &ReleaseName) -> Option<&ReleaseName> {
        match self.before.get(name) {
            Some(before) => before.as_ref(),
            None => self.last.as_ref().filter(|last| *last != name),
        }
    }

    /// Whether the story tells of `name` becoming current.
    pub(super) fn knows(&self, name: &ReleaseName) -> bool {
        self.before.contains_key(name) || self.last.as_ref() == Some(name)
    }

    /// What is current in the end, as the story goes.
    pub(super) fn last(&self) -> Option<&ReleaseName> {
        self.last.as_ref()
    }

    /// The releases that were gone back from.
    pub(super) fn left(&self) -> &[ReleaseName] {
        &self.left
    }
}

/// What the tree of `tool` says, and what it was taken from.
pub(super) fn story(tool: Tool, traces: &Traces, state: &RootState, current: &ReleaseName) -> (Story, Evidence) {
    match (tool, &traces.revisions_log, &traces.releases_log) {
        (Tool::Capistrano, Some(log), _) => (Story::told(logs::revisions(log)), Evidence::RevisionsLog),
        (Tool::Deployer, _, Some(log)) => (deployed(log, traces), Evidence::ReleasesLog),
        (Tool::Recipe | Tool::Directory, ..) => (Story::default(), Evidence::Records),
        _ => by_order(traces, state, current),
    }
}

/// Deployer writes its log before it switches, but removes what it then does not switch to, or leaves its `release` link
/// at it; what it went back from it marks.
fn deployed(log: &str, traces: &Traces) -> Story {
    let is_one = |name: &ReleaseName| traces.unfinished.as_ref() != Some(name) && !traces.bad.contains(name);
    let mut names: Vec<ReleaseName> = Vec::new();
    for name in logs::releases(log).into_iter().filter(is_one) {
        names.retain(|known| *known != name);
        names.push(name);
    }
    Story { left: traces.bad.clone(), ..Story::told(names.into_iter().map(Told::Deployed)) }
}

/// Without a log: the releases up to the current one, by their names where those are numbers or times, else by the times
/// of their directories. Ansistrano and Mina remove a release that they do not come to switch to.
fn by_order(traces: &Traces, state: &RootState, current: &ReleaseName) -> (Story, Evidence) {
    let names: Vec<&ReleaseName> = state.releases.iter().map(|release| &release.name).collect();
    if names.len() < 2 {
        return (Story::told([Told::Deployed(current.clone())]), Evidence::Nothing);
    }
    let numbers: Option<Vec<(u128, &ReleaseName)>> = names.iter().map(|name| Some((number(name)?, *name))).collect();
    let (ordered, evidence) = if let Some(mut numbers) = numbers {
        numbers.sort_unstable();
        (numbers.into_iter().map(|(_, name)| name.clone()).collect(), Evidence::Names)
    } else {
        (by_times(traces), Evidence::Times)
    };
    let until = ordered.iter().position(|name| name == current).map_or(ordered.len(), |at| at + 1);
    (Story::told(ordered.into_iter().take(until).map(Told::Deployed)), evidence)
}

fn by_times(traces: &Traces) -> Vec<ReleaseName> {
    let mut times: Vec<(i64, &ReleaseName)> = traces.times.iter().map(|(name, at)| (*at, name)).collect();
    times.sort_unstable();
    times.into_iter().map(|(_, name)| name.clone()).collect()
}

/// A name that is a number, as Mina counts, or a time, as Ansistrano and Capistrano write it.
fn number(name: &ReleaseName) -> Option<u128> {
    let digits = name.as_str().trim_end_matches('Z');
    (digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// The way back from `current`: what is written, newest first, and which releases on it have a record already.
#[derive(Debug, Default)]
pub(super) struct WayBack {
    pub(super) written: Vec<(ReleaseName, PreviousVersion)>,
    pub(super) recorded: Vec<ReleaseName>,
    /// A record on the way that is there and means nothing: it is left for a person.
    pub(super) damaged: Option<(ReleaseName, BadRecord)>,
}

/// Walks back from `current`. A record that is there is the truth; where there is none, the story tells, and releases
/// that are gone by now are passed over.
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

/// The nearest release before `name` that is still there and was not come by.
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
