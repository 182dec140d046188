//! The plan of `adopt`: the tool that made each tree, and the chain to record for it.

mod chain;
mod logs;

use std::fmt;

use crate::{
    adoption::{Adoption, Evidence, Tool, Traces},
    name::ReleaseName,
    record::PreviousVersion,
    report::Command,
    store::{Current, HostedRelease},
    transport::EntryKind,
};

use super::{HostRefusal, Reason, Refusal, Seen, describe, describe_record};

/// The actions of `adopt`, host by host.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) struct AdoptPlan {
    /// The hosts, in the order of the input.
    pub hosts: Vec<HostAdoption>,
}

/// The actions of `adopt` on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) struct HostAdoption {
    /// The host's name.
    pub host: String,
    /// The host's `current` before the command.
    pub before: Current,
    /// The records and marks to write.
    pub adoption: Adoption,
    /// Remarks for the reader of the plan, one sentence each.
    pub notes: Vec<String>,
}

/// Plans to adopt the trees of these hosts, made by `from`, else by the tool that left its traces there.
///
/// A plain directory becomes the release `fresh`.
///
/// # Errors
///
/// [`Refusal`] when the tool that made a tree is unknown, when `current` dangles, is missing or leads elsewhere, or
/// when the other tool is running.
pub(crate) fn adopt(
    from: Option<Tool>,
    fresh: &ReleaseName,
    hosts: &[(Seen<'_>, &Traces)],
) -> Result<AdoptPlan, Refusal> {
    let (mut plans, mut refusals) = (Vec::new(), Vec::new());
    for (seen, traces) in hosts {
        match plan_of(from, fresh, *seen, traces) {
            Ok(plan) => plans.push(plan),
            Err(reason) => refusals.push(HostRefusal { host: seen.host.to_owned(), reason }),
        }
    }
    if refusals.is_empty() { Ok(AdoptPlan { hosts: plans }) } else { Err(Refusal::of(Command::Adopt, refusals)) }
}

fn plan_of(from: Option<Tool>, fresh: &ReleaseName, seen: Seen<'_>, traces: &Traces) -> Result<HostAdoption, Reason> {
    if let Some(path) = &traces.locked {
        return Err(Reason::ForeignLock { path: path.clone() });
    }
    let found = from.map_or_else(|| detect(seen, traces), Ok);
    if let Some(becomes) = directory(seen, fresh) {
        return match found {
            Ok(Tool::Directory) => Ok(of_directory(seen, becomes)),
            Ok(other) => {
                Err(Reason::UnknownTree { why: format!("`current` is a directory, which {other} never makes") })
            }
            Err(reason) => Err(reason),
        };
    }
    let current = must_be_current(seen)?;
    match found? {
        Tool::Directory => Err(Reason::UnknownTree { why: "`current` is a symlink, not a plain directory".into() }),
        Tool::Other => Err(Reason::UnknownTree { why: "only a later version knows its tool".into() }),
        tool => Ok(of_tree(tool, seen, traces, current)),
    }
}

/// Returns the release that the plain directory `current` becomes: `fresh`, or the one chosen by an interrupted
/// adoption.
fn directory(seen: Seen<'_>, fresh: &ReleaseName) -> Option<ReleaseName> {
    match seen.state.current {
        Current::NotALink(EntryKind::Directory) => Some(seen.state.adopting.as_ref().unwrap_or(fresh).clone()),
        Current::Absent => moved(seen).map(|release| release.name.clone()),
        _ => None,
    }
}

/// Returns the release to which an interrupted adoption moved a plain directory.
fn moved(seen: Seen<'_>) -> Option<&HostedRelease> {
    let is_moved =
        |release: &&HostedRelease| release.adopted.record().is_some_and(|adopted| adopted.tool == Tool::Directory);
    seen.state.releases.iter().find(is_moved)
}

fn must_be_current(seen: Seen<'_>) -> Result<&ReleaseName, Reason> {
    match &seen.state.current {
        Current::Release { name, .. } => Ok(name),
        Current::Dangling { .. } => Err(Reason::Dangling),
        Current::Absent if seen.state.releases.is_empty() => Err(Reason::NotDeployed),
        // No record of ours says whether a release was current here.
        Current::Absent => Err(seen.no_current()),
        other => Err(Reason::NotOurs { current: describe(other) }),
    }
}

/// Identifies the tool that made the tree by its unique traces.
fn detect(seen: Seen<'_>, traces: &Traces) -> Result<Tool, Reason> {
    let is_directory = matches!(seen.state.current, Current::NotALink(EntryKind::Directory));
    if is_directory || (seen.state.current == Current::Absent && moved(seen).is_some()) {
        return Ok(Tool::Directory);
    }
    let left = [
        (Tool::Capistrano, traces.revisions_log.is_some()),
        (Tool::Deployer, traces.deployer || traces.releases_log.is_some()),
        (Tool::Mina, traces.mina),
        (Tool::Hapistrano, traces.hapistrano),
    ];
    let tools: Vec<Tool> = left.into_iter().filter(|(_, is_there)| *is_there).map(|(tool, _)| tool).collect();
    let releases = &seen.state.releases;
    let theirs: Vec<&HostedRelease> = releases.iter().filter(|release| !release.staged.exists()).collect();
    match tools[..] {
        [tool] => Ok(tool),
        [] if traces.trellis => Ok(Tool::Trellis),
        [] if !theirs.is_empty() && theirs.iter().all(|release| is_ansistranos(&release.name)) => Ok(Tool::Ansistrano),
        [] if releases.iter().any(|release| release.previous.is_ok()) => Ok(Tool::Recipe),
        [] if chain::has_order(&seen.state.releases) => Ok(Tool::Recipe),
        [] => Err(Reason::UnknownTree {
            why: "no known tool left a trace, and the names of the releases do not tell their order".into(),
        }),
        _ => {
            let names: Vec<&str> = tools.iter().map(|tool| tool.as_str()).collect();
            Err(Reason::UnknownTree { why: format!("several tools left traces: {}", names.join(", ")) })
        }
    }
}

/// Returns `true` for a timestamp to the second followed by `Z`, which only Ansistrano writes.
fn is_ansistranos(name: &ReleaseName) -> bool {
    let digits = name.as_str().strip_suffix('Z').unwrap_or_default();
    digits.len() == 14 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn of_directory(seen: Seen<'_>, becomes: ReleaseName) -> HostAdoption {
    let adoption = Adoption {
        tool: Tool::Directory,
        evidence: Evidence::Nothing,
        records: Vec::new(),
        recorded: Vec::new(),
        bad: Vec::new(),
        becomes: Some(becomes),
    };
    let note = "where the host can exchange the two in one step, `current` is there at every instant; elsewhere it is \
                moved away and linked by two renames, with an instant between them in which there is none";
    HostAdoption {
        host: seen.host.to_owned(),
        before: seen.state.current.clone(),
        adoption,
        notes: vec![note.to_owned()],
    }
}

fn of_tree(tool: Tool, seen: Seen<'_>, traces: &Traces, current: &ReleaseName) -> HostAdoption {
    let state = seen.state;
    let (story, evidence) = chain::story(tool, traces, state, current);
    let way = chain::way_back(state, &story, current);
    let is_new = |name: &&ReleaseName| {
        state.release(name).is_some_and(|release| !release.adopted.exists() && !release.staged.exists())
    };
    let unmarked = |name: &&ReleaseName| {
        *name != current && state.release(name).is_some_and(|release| !release.bad.exists() && !release.staged.exists())
    };
    let mut records = way.written.clone();
    records.reverse();
    let adoption = Adoption {
        tool,
        evidence,
        records,
        recorded: way.recorded.iter().filter(is_new).cloned().collect(),
        bad: story.left().iter().filter(unmarked).cloned().collect(),
        becomes: None,
    };
    let notes = if adoption.is_empty() { Vec::new() } else { notes(seen, &story, &way, &adoption, current) };
    HostAdoption { host: seen.host.to_owned(), before: state.current.clone(), adoption, notes }
}

fn notes(
    seen: Seen<'_>,
    story: &chain::Story,
    way: &chain::WayBack,
    adoption: &Adoption,
    current: &ReleaseName,
) -> Vec<String> {
    let mut notes = Vec::new();
    let evidence = adoption.evidence;
    if evidence == Evidence::Times {
        notes.push(
            "the order of the releases comes only from the times of the directories; check it before you rely on it"
                .to_owned(),
        );
    }
    if let Some(last) = story.last().filter(|last| *last != current) {
        let known = if story.knows(current) { "" } else { ", which it does not mention" };
        notes.push(format!("{evidence} ends at {last}, though {current} is current{known}"));
    }
    notes.extend(way.damaged.as_ref().map(|(name, why)| format!("the rollback chain ends at {name}: {why}")));
    let on_the_way =
        |name: &ReleaseName| way.recorded.contains(name) || way.written.iter().any(|(written, _)| written == name);
    let is_changed = |name: &ReleaseName| on_the_way(name) || adoption.bad.contains(name);
    let off = seen.state.releases.iter().map(|release| &release.name).filter(|name| !is_changed(name));
    let off: Vec<&str> = off.map(ReleaseName::as_str).collect();
    if !off.is_empty() {
        notes.push(format!("not on the rollback chain, and not changed: {}", off.join(", ")));
    }
    notes
}

impl AdoptPlan {
    /// Returns `true` if there is nothing to do on any host.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.hosts.iter().all(|host| host.adoption.is_empty())
    }

    /// Returns the plan of the host `name`.
    #[must_use]
    pub(crate) fn host(&self, name: &str) -> Option<&HostAdoption> {
        self.hosts.iter().find(|host| host.host == name)
    }

    /// Describes the plan line by line.
    #[must_use]
    pub(crate) fn lines(&self) -> Vec<String> {
        self.hosts.iter().flat_map(HostAdoption::lines).collect()
    }
}

impl fmt::Display for AdoptPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("\n"))
    }
}

impl HostAdoption {
    fn lines(&self) -> Vec<String> {
        let line = |text: String| format!("{}: {text}", self.host);
        let mut lines = vec![line(self.line())];
        lines.extend(self.adoption.records.iter().rev().map(|record| line(self.record_line(record))));
        lines
            .extend(self.adoption.bad.iter().map(|bad| line(format!("mark {bad} bad: it was rolled back, or failed"))));
        lines.extend(self.notes.iter().cloned().map(line));
        lines
    }

    fn line(&self) -> String {
        let Adoption { tool, becomes, .. } = &self.adoption;
        match (becomes, &self.before) {
            (Some(name), Current::Absent) => format!("link `current` to {name}, which was moved there before"),
            (Some(name), _) => {
                format!("move the directory `current` to the release {name}, and replace it with a link")
            }
            // It may be the tree of a deploy of ours.
            (None, before) if self.adoption.is_empty() => format!("on {}, with nothing to adopt", describe(before)),
            (None, before) => {
                let made = if *tool == Tool::Recipe { "made by hand".to_owned() } else { format!("of {tool}") };
                format!("adopt a tree {made}; `current` stays on {}", describe(before))
            }
        }
    }

    fn record_line(&self, (name, record): &(ReleaseName, PreviousVersion)) -> String {
        format!(
            "write the previousVersion of {name} ({}), inferred from {}",
            describe_record(record),
            self.adoption.evidence
        )
    }
}
