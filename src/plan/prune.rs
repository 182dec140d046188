//! The plan of `prune`: the releases to remove, and the reason each other one is kept.
//!
//! No clock decides. Releases are ordered by the recorded chain: the good releases in it nearest to the current one are
//! kept, and good ones outside it take the remaining places. A release that was rolled back, or was never current, is
//! as old as the release that was current when it was staged or deployed. It becomes removable once that release is no
//! longer among the kept.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
};

use crate::{
    name::ReleaseName,
    record::PreviousVersion,
    report::Command,
    shared::BrokenLink,
    status::ReleaseState,
    store::{Current, HostedRelease, Kept, RootState, States},
};

use super::{Chain, ChainEnd, HostRefusal, Refusal, Seen, deploy::may_switch};

/// The releases to remove on each host, and the reason each other one is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) struct Pruning {
    /// The number of good releases to keep besides the current one.
    pub keep: u32,
    /// The hosts, in the order of the input.
    pub hosts: Vec<HostPruning>,
}

/// The releases to remove on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) struct HostPruning {
    /// The host's name.
    pub host: String,
    /// The host's `current`. It must be unchanged when a release is removed.
    pub current: Current,
    /// The fate of each release, ordered by name.
    pub fates: Vec<(ReleaseName, Fate)>,
    /// Whether every process of the host could be inspected.
    pub all_seen: bool,
}

/// The fate of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The release is removed.
    Goes(Outlived),
    /// The release is kept.
    Stays(Needed),
}

/// The reason a release is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum Outlived {
    /// Good, but enough nearer good releases are kept.
    Good,
    /// Bad, and older than all kept releases or beyond the number of bad ones to keep.
    Bad,
    /// Never current, and older than all kept releases.
    NeverCurrent,
}

/// The reason a release is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum Needed {
    /// It is current.
    Current,
    /// The target of the next rollback.
    WayBack,
    /// Current on another host, or the target of that host's next rollback.
    Elsewhere {
        /// The other host.
        host: String,
    },
    /// Named by the intent of an interrupted operation.
    Interrupted,
    /// Missed by a pending host.
    Owed,
    /// Pinned.
    Pinned {
        /// The user who pinned it.
        by: String,
        /// The reason given, if any.
        reason: Option<String>,
    },
    /// A file that might say that the release is needed is unreadable.
    Unreadable {
        /// A description of that file.
        what: &'static str,
    },
    /// In use by a process.
    InUse {
        /// The PID.
        process: u32,
    },
    /// A symlink to a shared path was replaced: its contents would be lost with the release.
    NotShared {
        /// The link, and its fault.
        link: BrokenLink,
    },
    /// The record of its symlinks to shared paths is unreadable.
    LinksUnknown {
        /// The read error.
        why: String,
    },
    /// Neither staged nor adopted by this tool, and not named by the record of a staged release.
    Stranger,
    /// One of the good releases to keep.
    Kept,
    /// Part of the chain to a kept release.
    OnTheWay,
    /// Good, but the chain is broken, so nothing tells which good releases it would lead to.
    WayUnknown,
    /// Bad or never current, and not older than all kept releases.
    NotOlder,
    /// Of unknown age.
    AgeUnknown,
}

impl fmt::Display for Outlived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Good => "good, and beyond the kept ones",
            Self::Bad => "bad, and older than the kept ones",
            Self::NeverCurrent => "never current, and older than the kept ones",
        })
    }
}

impl fmt::Display for Needed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current => f.write_str("current"),
            Self::WayBack => f.write_str("the next rollback goes there"),
            Self::Elsewhere { host } => write!(f, "{host} is on it, or would roll back to it"),
            Self::Interrupted => f.write_str("an interrupted operation names it"),
            Self::Owed => f.write_str("a skipped host needs it"),
            Self::Pinned { by, reason: None } => write!(f, "pinned by {by}"),
            Self::Pinned { by, reason: Some(reason) } => write!(f, "pinned by {by}: {reason}"),
            Self::Unreadable { what } => write!(f, "{what} cannot be read"),
            Self::InUse { process } => write!(f, "in use by process {process}"),
            Self::NotShared { link } => write!(f, "{link}"),
            Self::LinksUnknown { why } => {
                write!(f, "cannot read the record of its shared links ({why})")
            }
            Self::Stranger => f.write_str("another tool or a person made it"),
            Self::Kept => f.write_str("one of the kept good releases"),
            Self::OnTheWay => f.write_str("a kept release is reached through it"),
            Self::WayUnknown => f.write_str("the rollback chain is broken"),
            Self::NotOlder => f.write_str("not older than the kept ones"),
            Self::AgeUnknown => f.write_str("its age is unknown"),
        }
    }
}

impl Pruning {
    /// Returns the releases to remove on a host.
    pub(crate) fn goes<'p>(&'p self, host: &str) -> impl Iterator<Item = &'p ReleaseName> + use<'p> {
        let fates = self.hosts.iter().find(|pruning| pruning.host == host).map(|pruning| &pruning.fates);
        fates.into_iter().flatten().filter(|(_, fate)| matches!(fate, Fate::Goes(_))).map(|(name, _)| name)
    }

    /// Returns `true` if no release is removed on any host.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.hosts.iter().all(|host| self.goes(&host.host).next().is_none())
    }

    /// Describes the plan line by line, removals first; hosts where a release has the same fate share a line.
    #[must_use]
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut groups: Vec<(bool, String, Vec<&str>)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for host in &self.hosts {
            for (name, fate) in &host.fates {
                let (stays, text) = match fate {
                    Fate::Goes(why) => (false, format!("remove {name}: {why}")),
                    Fate::Stays(why) => (true, format!("keep {name}: {why}")),
                };
                let at = *places.entry(text.clone()).or_insert(groups.len());
                match groups.get_mut(at) {
                    Some((.., hosts)) => hosts.push(&host.host),
                    None => groups.push((stays, text, vec![&host.host])),
                }
            }
        }
        groups.sort_by_key(|(stays, ..)| *stays);
        let mut lines: Vec<String> =
            groups.into_iter().map(|(_, text, hosts)| format!("{}: {text}", hosts.join(", "))).collect();
        let unseen = self.hosts.iter().filter(|host| !host.all_seen).map(|host| host.host.as_str());
        let unseen: Vec<&str> = unseen.collect();
        if !unseen.is_empty() {
            lines.push(format!(
                "{}: cannot inspect every process, so a process of another user may use a release",
                unseen.join(", ")
            ));
        }
        lines
    }
}

/// Plans to keep the `keep` nearest good releases besides the current one on each host, and every release needed
/// otherwise.
///
/// # Errors
///
/// [`Refusal`] when a `current` was not made by this tool, dangles or was removed: nothing then tells what is needed
/// there.
pub(crate) fn prune(keep: u32, hosts: &[Seen<'_>]) -> Result<Pruning, Refusal> {
    let refusals: Vec<HostRefusal> = hosts.iter().filter_map(|seen| may_switch(seen).err()).collect();
    if !refusals.is_empty() {
        return Err(Refusal::of(Command::Prune, refusals));
    }
    let mut elsewhere: BTreeMap<&ReleaseName, &str> = BTreeMap::new();
    for seen in hosts {
        for name in [seen.current(), nearest_good(seen)].into_iter().flatten() {
            elsewhere.entry(name).or_insert(seen.host);
        }
    }
    let hosts = hosts.iter().map(|seen| Judge::new(*seen, keep, &elsewhere).judge()).collect();
    Ok(Pruning { keep, hosts })
}

/// Decides the fate of one host's releases.
struct Judge<'s, 'e> {
    seen: Seen<'s>,
    keep: usize,
    /// The current release and the next rollback target of every host, each with one such host.
    elsewhere: &'e BTreeMap<&'s ReleaseName, &'s str>,
    chain: Option<Chain<'s>>,
    states: States<'s>,
    /// The number of good releases.
    good: usize,
    /// The good releases to keep.
    kept: HashSet<&'s ReleaseName>,
    /// The releases in the chain before the last kept release or rollback target.
    on_the_way: HashSet<&'s ReleaseName>,
    /// The target of the next rollback.
    next: Option<&'s ReleaseName>,
    /// The most recently marked bad releases, up to the number of good ones to keep.
    bad: HashSet<&'s ReleaseName>,
    /// The releases named by interrupted operations.
    interrupted: HashSet<&'s ReleaseName>,
    /// The releases that pending hosts missed.
    owed: HashSet<&'s ReleaseName>,
    /// The releases used by processes, each with one of their PIDs.
    used: HashMap<&'s [u8], u32>,
    /// The releases staged by this tool, and those named by their records.
    known: HashSet<&'s ReleaseName>,
}

impl<'s, 'e> Judge<'s, 'e> {
    fn new(seen: Seen<'s>, keep: u32, elsewhere: &'e BTreeMap<&'s ReleaseName, &'s str>) -> Self {
        let (state, chain, states) = (seen.state, seen.chain(), seen.state.states());
        let keep = usize::try_from(keep).unwrap_or(usize::MAX);
        let links = || chain.iter().flat_map(Chain::links);
        let way: HashSet<&ReleaseName> = links().map(|link| &link.name).collect();
        let mut good: Vec<&'s ReleaseName> = chain.iter().flat_map(Chain::good).map(|release| &release.name).collect();
        let is_off =
            |release: &&HostedRelease| states.of(release) == ReleaseState::Good && !way.contains(&release.name);
        let depths = depths(state);
        let mut off: Vec<(usize, &'s ReleaseName)> = state
            .releases
            .iter()
            .enumerate()
            .filter(|(_, release)| is_off(release))
            .map(|(at, release)| (depths[at], &release.name))
            .collect();
        // The longer the chain behind a release, the newer it is.
        off.sort_by_key(|found| Reverse(*found));
        good.extend(off.into_iter().map(|(_, name)| name));
        let kept: HashSet<&ReleaseName> = good.iter().take(keep).copied().collect();
        let next = nearest_good(&seen);
        // Everything before the last of them in the chain.
        let last = links().enumerate().filter(|(_, link)| kept.contains(&link.name) || next == Some(&link.name)).last();
        let on_the_way = links().take(last.map_or(0, |(at, _)| at)).map(|link| &link.name).collect();
        let intents = state.interrupted.iter().filter_map(|left| left.intent.record());
        let ours = || state.releases.iter().filter(|release| release.staged.exists());
        let named = ours().filter_map(|release| release.previous.as_ref().ok()?.release());
        Self {
            seen,
            keep,
            elsewhere,
            good: good.len(),
            kept,
            on_the_way,
            next,
            bad: newest_bad(state, keep),
            interrupted: intents.flat_map(|intent| [Some(&intent.to), intent.from.as_ref()]).flatten().collect(),
            owed: state.debts.iter().map(|debt| &debt.release).collect(),
            used: state.users.iter().flat_map(|users| &users.used).map(|used| (&used.name[..], used.process)).collect(),
            known: named.chain(ours().map(|release| &release.name)).collect(),
            states,
            chain,
        }
    }

    fn judge(&self) -> HostPruning {
        let fate = |release: &HostedRelease| {
            let needed = self.needed(release).map(Fate::Stays);
            needed.unwrap_or_else(|| self.counted(release))
        };
        let releases = &self.seen.state.releases;
        HostPruning {
            host: self.seen.host.to_owned(),
            current: self.seen.state.current.clone(),
            fates: releases.iter().map(|release| (release.name.clone(), fate(release))).collect(),
            all_seen: self.seen.state.users.as_ref().is_some_and(|users| users.all_seen),
        }
    }

    /// Returns the reason to keep a release regardless of the number of others.
    fn needed(&self, release: &HostedRelease) -> Option<Needed> {
        let name = &release.name;
        if self.seen.current() == Some(name) {
            return Some(Needed::Current);
        }
        if self.next == Some(name) {
            return Some(Needed::WayBack);
        }
        if let Some(host) = self.elsewhere.get(name) {
            return Some(Needed::Elsewhere { host: (*host).to_owned() });
        }
        if self.interrupted.contains(name) {
            return Some(Needed::Interrupted);
        }
        if self.owed.contains(name) {
            return Some(Needed::Owed);
        }
        match &release.pinned {
            Kept::Record(pin) => return Some(Needed::Pinned { by: pin.by.clone(), reason: pin.reason.clone() }),
            Kept::Unreadable(_) => return Some(Needed::Unreadable { what: "its pin" }),
            Kept::Nothing => {}
        }
        if let Some(what) = unreadable(release) {
            return Some(Needed::Unreadable { what });
        }
        if let Some(process) = self.used.get(name.as_str().as_bytes()) {
            return Some(Needed::InUse { process: *process });
        }
        if let Some(link) = release.broken.first() {
            return Some(Needed::NotShared { link: link.clone() });
        }
        if let Kept::Unreadable(why) = &release.links {
            return Some(Needed::LinksUnknown { why: why.clone() });
        }
        let stranger = !release.adopted.exists() && !self.known.contains(name);
        stranger.then_some(Needed::Stranger)
    }

    /// Decides the fate of a release by count and age.
    fn counted(&self, release: &HostedRelease) -> Fate {
        if self.kept(&release.name) {
            return Fate::Stays(Needed::Kept);
        }
        if self.on_the_way.contains(&release.name) {
            return Fate::Stays(Needed::OnTheWay);
        }
        match self.states.of(release) {
            ReleaseState::Other => Fate::Stays(Needed::WayUnknown),
            ReleaseState::Current | ReleaseState::Good if self.is_broken() => Fate::Stays(Needed::WayUnknown),
            ReleaseState::Current | ReleaseState::Good => Fate::Goes(Outlived::Good),
            ReleaseState::Bad if !self.bad.contains(&release.name) => Fate::Goes(Outlived::Bad),
            ReleaseState::Bad => self.aged(release, Outlived::Bad),
            ReleaseState::Staged => self.aged(release, Outlived::NeverCurrent),
        }
    }

    /// Returns `true` if the release is one of the good ones to keep.
    fn kept(&self, name: &ReleaseName) -> bool {
        self.kept.contains(name)
    }

    /// Returns `true` if the chain breaks at a release of this tool, or loops: nothing then tells where it would
    /// lead.
    ///
    /// A chain that ends at a release that this tool did not stage, or at a missing one, is not broken.
    fn is_broken(&self) -> bool {
        let end = self.chain.as_ref().map(Chain::end);
        matches!(end, Some(ChainEnd::Broken { at, .. }) if self.seen.state.release(at).is_none_or(|at| at.staged.exists()))
            || matches!(end, Some(ChainEnd::Loops { .. }))
    }

    /// Decides the fate of a bad or never-current release by the age of the release that was current before it.
    fn aged(&self, release: &HostedRelease, outlived: Outlived) -> Fate {
        let (mut at, state) = (release, self.seen.state);
        // A chain is no longer than the number of releases, so a circle ends here too.
        for _ in 0..=state.releases.len() {
            let ((Ok(beside), _) | (Err(_), Some(beside))) = (&at.previous, &at.over) else {
                return Fate::Stays(Needed::AgeUnknown);
            };
            let PreviousVersion::Release(beside) = beside else {
                return if self.all_good_stay() { Fate::Stays(Needed::NotOlder) } else { Fate::Goes(outlived) };
            };
            if self.seen.current() == Some(beside) || self.kept(beside) {
                return Fate::Stays(Needed::NotOlder);
            }
            match state.release(beside) {
                // The release before it is bad itself: continue with the one before that.
                Some(next) if next.bad.exists() => at = next,
                _ => return Fate::Goes(outlived),
            }
        }
        Fate::Stays(Needed::AgeUnknown)
    }

    /// Returns `true` if the chain leads to the first release and every good release is kept.
    fn all_good_stay(&self) -> bool {
        let to_the_first = self.chain.as_ref().is_none_or(|chain| *chain.end() == ChainEnd::First);
        to_the_first && self.good <= self.keep
    }
}

/// Returns the nearest release in the chain that is known to be good: the next rollback's target.
///
/// A rollback stops at an unreadable mark before it. The release with that mark is kept too.
fn nearest_good<'s>(seen: &Seen<'s>) -> Option<&'s ReleaseName> {
    seen.chain()?.good().next().map(|release| &release.name)
}

/// Describes an unreadable file that might say that the release is needed.
fn unreadable(release: &HostedRelease) -> Option<&'static str> {
    if release.bad.unreadable().is_some() {
        return Some("its bad mark");
    }
    release.staged.unreadable().map(|_| "the record of its upload")
}

/// Returns the most recently marked bad releases, as many as good ones are kept.
fn newest_bad(state: &RootState, keep: usize) -> HashSet<&ReleaseName> {
    let marked = state.releases.iter().filter_map(|release| Some((release.bad.record()?.number, &release.name)));
    let mut marked: Vec<(u64, &ReleaseName)> = marked.collect();
    marked.sort_unstable();
    marked.into_iter().rev().take(keep).map(|(_, name)| name).collect()
}

/// Returns the length of the chain behind each release, in the order of the releases.
fn depths(state: &RootState) -> Vec<usize> {
    let at = |name: &ReleaseName| state.releases.binary_search_by(|release| release.name.cmp(name)).ok();
    let before: Vec<Option<usize>> =
        state.releases.iter().map(|release| at(release.previous.as_ref().ok()?.release()?)).collect();
    let mut depths: Vec<Option<usize>> = vec![None; before.len()];
    for start in 0..before.len() {
        let (mut way, mut passed, mut next) = (Vec::new(), HashSet::new(), Some(start));
        while let Some(at) = next.filter(|at| depths[*at].is_none() && passed.insert(*at)) {
            way.push(at);
            next = before[at];
        }
        // The chain behind the last release is already measured, or there is none.
        let known = next.and_then(|at| depths[at]).map_or(0, |known| known + 1);
        for (depth, at) in (known..).zip(way.into_iter().rev()) {
            depths[at] = Some(depth);
        }
    }
    depths.into_iter().map(Option::unwrap_or_default).collect()
}
