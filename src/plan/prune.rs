//! The plan of `prune`: which releases go, and why each other stays.
//!
//! No clock decides. The order of releases is that of the recorded way back: the good releases on it that are nearest
//! to the current one are kept, and good ones off the way take places that are left over. A release that was gone back
//! from, or was never current, stays as long as the release that it was put beside: it is older than all that are kept
//! once that one is no more among them.

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

/// Which releases go on which hosts, and why each other stays.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pruning {
    /// How many good releases stay beside the current one.
    pub keep: u32,
    /// Each host, in the order they were seen in.
    pub hosts: Vec<HostPruning>,
}

/// Which releases go on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostPruning {
    /// The host's name.
    pub host: String,
    /// What is current there, and must still be when a release goes.
    pub current: Current,
    /// What becomes of each release, in the order of their names.
    pub fates: Vec<(ReleaseName, Fate)>,
    /// Whether every process of the host could be looked at.
    pub all_seen: bool,
}

/// What becomes of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It goes.
    Goes(Outlived),
    /// It stays.
    Stays(Needed),
}

/// Why a release goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outlived {
    /// It was good, and so many nearer ones are kept.
    Good,
    /// It was gone back from, and is older than all that are kept, or one of too many such.
    Bad,
    /// It was never current, and is older than all that are kept.
    NeverCurrent,
}

/// Why a release stays.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Needed {
    /// It is current.
    Current,
    /// The next rollback goes there.
    WayBack,
    /// It is current on another host, or the next rollback of another host goes there.
    Elsewhere {
        /// The other host.
        host: String,
    },
    /// An interrupted operation names it.
    Interrupted,
    /// A host that was not reached is owed it.
    Owed,
    /// Somebody pinned it.
    Pinned {
        /// Who.
        by: String,
        /// Why, when that was said.
        reason: Option<String>,
    },
    /// Something that may say that it is needed cannot be read.
    Unreadable {
        /// What that is, in words.
        what: &'static str,
    },
    /// A process works in it.
    InUse {
        /// The process.
        process: u32,
    },
    /// A link in it to what is shared is not what it was made as: what is kept there instead would go with it.
    NotShared {
        /// The link, with what is wrong.
        link: BrokenLink,
    },
    /// Nobody can say which of its links are shared.
    LinksUnknown {
        /// Why not.
        why: String,
    },
    /// The tool neither brought it nor took it over, and no record of a release that it brought names it.
    Stranger,
    /// It is one of the good ones that are kept.
    Kept,
    /// The recorded way to one that is kept leads through it.
    OnTheWay,
    /// The recorded way back is broken, so that nobody can say which good ones it would lead to.
    WayUnknown,
    /// It was gone back from or was never current, and is not older than all that are kept.
    NotOlder,
    /// Nothing says how old it is.
    AgeUnknown,
}

impl fmt::Display for Outlived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Good => "good, and beyond those that are kept",
            Self::Bad => "was gone back from, and is older than those that are kept",
            Self::NeverCurrent => "was never current, and is older than those that are kept",
        })
    }
}

impl fmt::Display for Needed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current => f.write_str("current"),
            Self::WayBack => f.write_str("the next rollback goes there"),
            Self::Elsewhere { host } => write!(f, "{host} is on it, or would go back to it"),
            Self::Interrupted => f.write_str("an interrupted operation names it"),
            Self::Owed => f.write_str("a host that was not reached is owed it"),
            Self::Pinned { by, reason: None } => write!(f, "pinned by {by}"),
            Self::Pinned { by, reason: Some(reason) } => write!(f, "pinned by {by}: {reason}"),
            Self::Unreadable { what } => write!(f, "{what} cannot be read"),
            Self::InUse { process } => write!(f, "in use by process {process}"),
            Self::NotShared { link } => write!(f, "{link}"),
            Self::LinksUnknown { why } => {
                write!(f, "the record of its links to what is shared cannot be read ({why})")
            }
            Self::Stranger => f.write_str("the tool did not bring it"),
            Self::Kept => f.write_str("one of the good ones that are kept"),
            Self::OnTheWay => f.write_str("the way to one that is kept leads through it"),
            Self::WayUnknown => f.write_str("the recorded way back is broken"),
            Self::NotOlder => f.write_str("not older than those that are kept"),
            Self::AgeUnknown => f.write_str("nothing says how old it is"),
        }
    }
}

impl Pruning {
    /// What goes on a host.
    pub fn goes<'p>(&'p self, host: &str) -> impl Iterator<Item = &'p ReleaseName> + use<'p> {
        let fates = self.hosts.iter().find(|pruning| pruning.host == host).map(|pruning| &pruning.fates);
        fates.into_iter().flatten().filter(|(_, fate)| matches!(fate, Fate::Goes(_))).map(|(name, _)| name)
    }

    /// Whether nothing goes anywhere.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hosts.iter().all(|host| self.goes(&host.host).next().is_none())
    }

    /// The plan in words, line by line: hosts where the same becomes of a release share one. What goes comes first.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
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
                "{}: not every process could be looked at, so a release may be in use by one of another user",
                unseen.join(", ")
            ));
        }
        lines
    }
}

/// Plans to keep the `keep` nearest good releases beside the current one on each host, with whatever else is needed.
///
/// # Errors
///
/// [`Refusal`] when a `current` is not ours, dangling or was removed: nothing says what is needed there then.
pub fn prune(keep: u32, hosts: &[Seen<'_>]) -> Result<Pruning, Refusal> {
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

/// Judges the releases of one host.
struct Judge<'s, 'e> {
    seen: Seen<'s>,
    keep: usize,
    /// What is current or would be gone back to on any host.
    elsewhere: &'e BTreeMap<&'s ReleaseName, &'s str>,
    chain: Option<Chain<'s>>,
    states: States<'s>,
    /// How many good releases there are.
    good: usize,
    /// Those of them that are kept.
    kept: HashSet<&'s ReleaseName>,
    /// Those that the recorded way to one that is kept, or to where the next rollback goes, leads through.
    on_the_way: HashSet<&'s ReleaseName>,
    /// Where the next rollback goes.
    next: Option<&'s ReleaseName>,
    /// The bad ones that are not too many.
    bad: HashSet<&'s ReleaseName>,
    /// What interrupted operations name.
    interrupted: HashSet<&'s ReleaseName>,
    /// What hosts that were not reached are owed.
    owed: HashSet<&'s ReleaseName>,
    /// What processes use, and one of the processes each.
    used: HashMap<&'s [u8], u32>,
    /// The releases that the tool brought, or that the records of those name.
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
        // The longer the way behind a release, the later it was made.
        off.sort_by_key(|found| Reverse(*found));
        good.extend(off.into_iter().map(|(_, name)| name));
        let kept: HashSet<&ReleaseName> = good.iter().take(keep).copied().collect();
        let next = nearest_good(&seen);
        // All that stands before the last of them on the way.
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

    /// Why a release is needed, whatever is counted.
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

    /// What becomes of a release that only numbers decide about.
    fn counted(&self, release: &HostedRelease) -> Fate {
        if self.kept(&release.name) {
            return Fate::Stays(Needed::Kept);
        }
        if self.on_the_way.contains(&release.name) {
            return Fate::Stays(Needed::OnTheWay);
        }
        match self.states.of(release) {
            ReleaseState::Current | ReleaseState::Good if self.is_broken() => Fate::Stays(Needed::WayUnknown),
            ReleaseState::Current | ReleaseState::Good => Fate::Goes(Outlived::Good),
            ReleaseState::Bad if !self.bad.contains(&release.name) => Fate::Goes(Outlived::Bad),
            ReleaseState::Bad => self.aged(release, Outlived::Bad),
            ReleaseState::Staged => self.aged(release, Outlived::NeverCurrent),
        }
    }

    /// Whether it is one of the good ones that are kept.
    fn kept(&self, name: &ReleaseName) -> bool {
        self.kept.contains(name)
    }

    /// Whether nobody can say where the way back would lead.
    fn is_broken(&self) -> bool {
        let end = self.chain.as_ref().map(Chain::end);
        matches!(end, Some(ChainEnd::Broken { at, .. }) if self.seen.state.release(at).is_none_or(|at| at.staged.exists()))
            || matches!(end, Some(ChainEnd::Loops { .. }))
    }

    /// What becomes of a release that was gone back from or never current, by what it was put beside.
    fn aged(&self, release: &HostedRelease, outlived: Outlived) -> Fate {
        let (mut at, state) = (release, self.seen.state);
        // No way is longer than there are releases: one that runs in a circle ends here too.
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
                // It was put beside one that was gone back from itself: that one tells.
                Some(next) if next.bad.exists() => at = next,
                _ => return Fate::Goes(outlived),
            }
        }
        Fate::Stays(Needed::AgeUnknown)
    }

    /// Whether the way back leads to the first release, and all good ones stay.
    fn all_good_stay(&self) -> bool {
        let to_the_first = self.chain.as_ref().is_none_or(|chain| *chain.end() == ChainEnd::First);
        to_the_first && self.good <= self.keep
    }
}

/// The nearest release that is known to be good on the way back. The next rollback goes there, unless the mark of one before
/// it cannot be read, which stays too.
fn nearest_good<'s>(seen: &Seen<'s>) -> Option<&'s ReleaseName> {
    seen.chain()?.good().next().map(|release| &release.name)
}

/// What cannot be read that may say that a release is needed, in words.
fn unreadable(release: &HostedRelease) -> Option<&'static str> {
    if release.bad.unreadable().is_some() {
        return Some("its bad mark");
    }
    release.staged.unreadable().map(|_| "how it came here")
}

/// The bad releases that are not too many: as many as good ones are kept, those marked last.
fn newest_bad(state: &RootState, keep: usize) -> HashSet<&ReleaseName> {
    let marked = state.releases.iter().filter_map(|release| Some((release.bad.record()?.number, &release.name)));
    let mut marked: Vec<(u64, &ReleaseName)> = marked.collect();
    marked.sort_unstable();
    marked.into_iter().rev().take(keep).map(|(_, name)| name).collect()
}

/// How many releases lie on the recorded way behind each, in the order of the releases.
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
        // Behind the last one lies what is known already, or nothing.
        let known = next.and_then(|at| depths[at]).map_or(0, |known| known + 1);
        for (depth, at) in (known..).zip(way.into_iter().rev()) {
            depths[at] = Some(depth);
        }
    }
    depths.into_iter().map(Option::unwrap_or_default).collect()
}
