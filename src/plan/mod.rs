//! What a command will do, decided before anything is done: [`Plan`].
//!
//! A plan is a value: made from what the hosts said and what was asked for, without I/O, so that `--dry-run` prints the
//! very plan that would be carried out, and tests need no disk. What must not be done is a [`Refusal`].

mod activate;
mod adopt;
mod base;
mod chain;
mod commands;
mod data;
mod deploy;
mod interrupted;
mod pin;
mod prune;
mod recover;
mod refusal;
mod retention;
mod rollback;
mod roots;
mod seen;
mod share;
mod stragglers;
mod team;
mod trust;
mod way;

pub use activate::activate;
pub use adopt::{AdoptPlan, HostAdoption, adopt};
pub use base::bases;
pub use chain::{Chain, ChainEnd};
pub use commands::{CommandMeans, CommandSource, HostCommands, with_commands};
pub(crate) use data::kept_since;
pub use data::{DataMeans, DataPlan, LastKnown, RevertBy, RevertStep, Settled};
pub use deploy::{DeployTerms, Return, deploy, expect_from, return_of, stage};
pub(crate) use deploy::{current_fault, moved_meanwhile};
pub use pin::{Pinning, pin, unpin};
pub use prune::{Fate, HostPruning, Needed, Outlived, Pruning, prune};
pub use recover::{Direction, recover};
pub use refusal::{HostRefusal, Reason, Refusal};
pub use retention::removed_after;
pub use rollback::{RollbackTarget, previous_of, rollback};
pub(crate) use rollback::{broken_way, way_back};
pub use roots::one_root_each;
pub use seen::Seen;
pub use share::{Ships, check_shared, share};
pub(crate) use stragglers::stragglers;
pub use team::{given_to_a_member, team};
pub(crate) use trust::state as trusted_state;
pub use trust::{Owners, trust};
pub use way::{guard, on_network, one_filesystem, writable_by_group};

use std::fmt;

use crate::{
    commands::Validation,
    name::ReleaseName,
    record::PreviousVersion,
    report::{Command, crowd},
    shared::SharedLink,
    store::Current,
};

/// What a command will do, host by host.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// The command.
    pub command: Command,
    /// The release that every host that takes part is to be on; with `stage`, that it is to have.
    pub release: ReleaseName,
    /// Each host, in the order they were seen in.
    pub hosts: Vec<HostPlan>,
    /// What one should know, each one sentence.
    pub notes: Vec<String>,
    /// Whether this finishes an operation that was interrupted.
    pub finishes: bool,
    /// What becomes of the data; `None` when it stays as it is.
    pub data: Option<DataPlan>,
    /// The validation that runs on the controller, as its own configuration says.
    pub controller: Option<Validation>,
    /// What must be said even where nobody reads the plan, each one sentence.
    pub warnings: Vec<String>,
    /// Whether this undoes a deploy or an activation that was interrupted.
    pub undoes: bool,
    /// The hosts that should come along with the others and do not, since their own records lead elsewhere.
    pub stranded: Vec<String>,
}

/// What a command will do on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostPlan {
    /// The host's name.
    pub host: String,
    /// The release that it is about here: what the host is to be on, or to have.
    pub release: ReleaseName,
    /// What it is on now.
    pub before: Current,
    /// Whether `current` is switched, and how.
    pub action: Action,
    /// The release that is left, and marked bad once the fleet is switched.
    pub marks_bad: Option<ReleaseName>,
    /// Whether the mark of the release that is gone to is cleared.
    pub clears_mark: bool,
    /// What is linked into the release before it is published.
    pub shared: Vec<SharedLink>,
    /// The commands that run here.
    pub commands: HostCommands,
}

/// What is done with `current` on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The release is staged only.
    Stage,
    /// The release is published, recorded and switched to.
    Deploy {
        /// What its record will say.
        record: PreviousVersion,
    },
    /// A release that is there is recorded and switched to.
    Activate {
        /// What its record will say.
        record: PreviousVersion,
    },
    /// A release that is there is switched to, its record unchanged.
    GoBack,
    /// `current`, which somebody removed, is linked again to the release that it led to last; nothing else is done there.
    Relink,
    /// `current` is taken away: there was none before a first deploy that is undone.
    TakeAway,
    /// It stays as it is.
    Stay,
}

impl Action {
    /// Whether `current` is switched.
    #[must_use]
    pub fn switches(&self) -> bool {
        match self {
            Self::Deploy { .. } | Self::Activate { .. } | Self::GoBack | Self::Relink | Self::TakeAway => true,
            Self::Stage | Self::Stay => false,
        }
    }
}

impl Plan {
    /// A plan without notes.
    fn new(command: Command, release: ReleaseName, hosts: Vec<HostPlan>) -> Self {
        Self {
            command,
            release,
            hosts,
            notes: Vec::new(),
            finishes: false,
            data: None,
            controller: None,
            warnings: Vec::new(),
            undoes: false,
            stranded: Vec::new(),
        }
    }

    /// The plan by which every host stays where it is.
    pub(crate) fn staying(command: Command, release: &ReleaseName, hosts: &[Seen<'_>]) -> Self {
        Self::new(
            command,
            release.clone(),
            hosts.iter().map(|seen| HostPlan::new(seen, release, Action::Stay)).collect(),
        )
    }

    /// The plan of one host.
    #[must_use]
    pub fn host(&self, name: &str) -> Option<&HostPlan> {
        self.hosts.iter().find(|host| host.host == name)
    }

    /// Whether there is nothing to do on any host.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.finishes && self.hosts.iter().all(|host| host.action == Action::Stay && !host.clears_mark)
    }

    /// Whether it only takes back what an interrupted operation did besides switching: no `current` moves.
    #[must_use]
    pub fn moves_nothing(&self) -> bool {
        self.is_empty() || (self.undoes && !self.hosts.iter().any(|host| host.action.switches()))
    }

    /// Whether it only links `current` again where somebody removed it: no release is gone to that was not current.
    #[must_use]
    pub fn only_relinks(&self) -> bool {
        let mut switching = self.hosts.iter().filter(|host| host.action.switches()).peekable();
        self.data.is_none() && switching.peek().is_some() && switching.all(|host| host.action == Action::Relink)
    }

    /// The plan in words, line by line: hosts that do the same share one.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = shared_lines(self.hosts.iter().map(|host| (&*host.host, host.line())));
        lines.extend(self.data.iter().flat_map(DataPlan::lines));
        let commands = self
            .hosts
            .iter()
            .flat_map(|host| host.command_lines(self.command).into_iter().map(|line| (&*host.host, line)));
        lines.extend(shared_lines(commands));
        lines.extend(self.controller.iter().map(|validation| {
            let source = CommandSource::Configuration;
            format!("the controller: validate {}, {source}", commands::shown(&validation.command))
        }));
        lines.extend(self.notes.iter().cloned());
        lines
    }
}

/// The lines with the hosts that they are for: hosts with the same one share it.
fn shared_lines<'h>(lines: impl Iterator<Item = (&'h str, String)>) -> Vec<String> {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for (host, line) in lines {
        match groups.iter_mut().find(|(text, _)| *text == line) {
            Some((_, hosts)) => hosts.push(host),
            None => groups.push((line, vec![host])),
        }
    }
    groups.into_iter().map(|(line, hosts)| format!("{}: {line}", crowd(&hosts, NAMED))).collect()
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("\n"))
    }
}

impl HostPlan {
    /// A plan that marks nothing.
    fn new(seen: &Seen<'_>, release: &ReleaseName, action: Action) -> Self {
        let before = seen.state.current.clone();
        Self {
            host: seen.host.to_owned(),
            release: release.clone(),
            before,
            action,
            marks_bad: None,
            clears_mark: false,
            shared: Vec::new(),
            commands: HostCommands::default(),
        }
    }

    fn line(&self) -> String {
        let mut parts = vec![self.action_line()];
        parts.extend(share::lines(&self.shared));
        parts.extend(self.marks_bad.as_ref().map(|bad| format!("mark {bad} bad")));
        parts.extend(self.clears_mark.then(|| format!("clear the bad mark of {}", self.release)));
        parts.join("; ")
    }

    fn action_line(&self) -> String {
        let (release, from) = (&self.release, describe(&self.before));
        match &self.action {
            Action::Stage => format!("stage {release}; `current` stays {from}"),
            Action::Deploy { record } => {
                let record = describe_record(record);
                format!("upload {release}, publish it, write its previousVersion ({record}), switch from {from}")
            }
            Action::Activate { record } => {
                let record = describe_record(record);
                format!("write the previousVersion of {release} ({record}), switch to it from {from}")
            }
            Action::GoBack => format!("switch back from {from} to {release}"),
            Action::Relink => format!("link `current` to {release} again, which it led to last"),
            Action::TakeAway => format!("take `current` away from {from}: there was none before"),
            Action::Stay => format!("stays on {from}"),
        }
    }
}

/// How many hosts are told by name where they share a line.
const NAMED: usize = 10;

/// Where `current` leads, in words.
pub(crate) fn describe(current: &Current) -> String {
    let text = |link: &[u8]| link.escape_ascii().to_string();
    match current {
        Current::Absent => "nothing (no `current`)".to_owned(),
        Current::Release { name, .. } => name.to_string(),
        Current::Dangling { link, .. } => format!("{} (which is gone)", text(link)),
        Current::Outside { link } => format!("{} (which is no release of this root)", text(link)),
        Current::NotALink(kind) => format!("{} (no link)", kind.with_article()),
    }
}

fn describe_record(record: &PreviousVersion) -> &str {
    record.release().map_or("none", ReleaseName::as_str)
}
