//! Plans: everything a command will do, decided before it does anything ([`Plan`]).
//!
//! A plan is a value, computed without I/O from the state of the hosts and the request. `--dry-run` therefore prints
//! exactly the plan that the command would execute, and tests need no disk. A [`Refusal`] says why a command must not
//! run.

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
#[cfg(test)]
mod tests;
mod trust;
mod way;

pub(crate) use activate::activate;
pub(crate) use adopt::{AdoptPlan, HostAdoption, adopt};
pub(crate) use base::bases;
pub(crate) use chain::{Chain, ChainEnd};
pub(crate) use commands::{CommandMeans, CommandSource, HostCommands, with_commands};
pub(crate) use data::kept_since;
pub(crate) use data::{DataMeans, DataPlan, LastKnown, RevertBy, RevertStep, Settled};
pub(crate) use deploy::{DeployTerms, Return, deploy, expect_from, return_of, stage};
pub(crate) use deploy::{current_fault, moved_meanwhile};
pub(crate) use pin::{Pinning, pin, unpin};
pub(crate) use prune::{Fate, HostPruning, Pruning, prune};
pub(crate) use recover::recover;
pub(crate) use refusal::{HostRefusal, Reason, Refusal};
pub(crate) use retention::removed_after;
pub(crate) use rollback::{broken_way, way_back};
pub(crate) use rollback::{previous_of, rollback};
pub(crate) use roots::one_root_each;
pub(crate) use seen::Seen;
pub(crate) use share::{check_shared, share};
pub(crate) use stragglers::stragglers;
pub(crate) use team::{given_to_a_member, team};
pub(crate) use trust::state as trusted_state;
pub(crate) use trust::{Owners, trust};
pub(crate) use way::{guard, on_network, one_filesystem, writable_by_group};

use std::fmt;

use crate::{
    commands::Validation,
    hint::Notice,
    name::ReleaseName,
    record::PreviousVersion,
    report::{Command, Undone, crowd},
    shared::SharedLink,
    store::Current,
};

/// A command's actions on every host.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) struct Plan {
    /// The command.
    pub command: Command,
    /// The release that every participating host ends on; with `stage`, the release that it receives.
    pub release: ReleaseName,
    /// The hosts, in the order of the input.
    pub hosts: Vec<HostPlan>,
    /// Remarks for the reader of the plan, one sentence each.
    pub notes: Vec<String>,
    /// Whether the plan finishes an interrupted operation.
    pub finishes: bool,
    /// The data migration or revert; `None` when the data stays unchanged.
    pub data: Option<DataPlan>,
    /// The validation that runs on the controller, from the controller's own configuration.
    pub controller: Option<Validation>,
    /// Warnings to print even when nobody reads the plan, one sentence each.
    pub warnings: Vec<Notice>,
    /// The interrupted deploy or activation that the plan undoes.
    pub undoes: Option<Undone>,
    /// The hosts that should roll back with the others but stay, because their own records lead elsewhere.
    pub stranded: Vec<String>,
}

/// A command's actions on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) struct HostPlan {
    /// The host's name.
    pub host: String,
    /// The release that the host ends on, or receives.
    pub release: ReleaseName,
    /// The host's `current` before the command.
    pub before: Current,
    /// The change of `current`.
    pub action: Action,
    /// The release that the host leaves, marked bad once the whole fleet is switched.
    pub marks_bad: Option<ReleaseName>,
    /// Whether the bad mark of the target release is cleared.
    pub clears_mark: bool,
    /// The symlinks to shared paths, created in the release before it is published.
    pub shared: Vec<SharedLink>,
    /// The commands that run on this host.
    pub commands: HostCommands,
}

/// A change of one host's `current`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Uploads the release without switching.
    Stage,
    /// Publishes the release, writes its record, and switches to it.
    Deploy {
        /// The release's new `previousVersion` record.
        record: PreviousVersion,
    },
    /// Writes the record of an existing release and switches to it.
    Activate {
        /// The release's new `previousVersion` record.
        record: PreviousVersion,
    },
    /// Switches to an existing release without changing its record.
    GoBack,
    /// Links a removed `current` again to the release that it last led to; does nothing else.
    Relink,
    /// Removes `current`: there was none before the first deploy, which is undone.
    TakeAway,
    /// Leaves `current` unchanged.
    Stay,
}

impl Action {
    /// Returns `true` if the action switches `current`.
    #[must_use]
    pub(crate) fn switches(&self) -> bool {
        match self {
            Self::Deploy { .. } | Self::Activate { .. } | Self::GoBack | Self::Relink | Self::TakeAway => true,
            Self::Stage | Self::Stay => false,
        }
    }
}

impl Plan {
    /// Creates a plan without notes.
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
            undoes: None,
            stranded: Vec::new(),
        }
    }

    /// Creates the plan in which every host stays where it is.
    pub(crate) fn staying(command: Command, release: &ReleaseName, hosts: &[Seen<'_>]) -> Self {
        Self::new(
            command,
            release.clone(),
            hosts.iter().map(|seen| HostPlan::new(seen, release, Action::Stay)).collect(),
        )
    }

    /// Returns the plan of the host `name`.
    #[must_use]
    pub(crate) fn host(&self, name: &str) -> Option<&HostPlan> {
        self.hosts.iter().find(|host| host.host == name)
    }

    /// Returns `true` if there is nothing to do on any host.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        !self.finishes && self.hosts.iter().all(|host| host.action == Action::Stay && !host.clears_mark)
    }

    /// Returns `true` if no `current` moves: the plan is empty, or undoes an operation without switching any
    /// host.
    #[must_use]
    pub(crate) fn moves_nothing(&self) -> bool {
        self.is_empty() || (self.undoes.is_some() && !self.hosts.iter().any(|host| host.action.switches()))
    }

    /// Returns `true` if the plan only links a removed `current` again: no host moves to another release.
    #[must_use]
    pub(crate) fn only_relinks(&self) -> bool {
        let mut switching = self.hosts.iter().filter(|host| host.action.switches()).peekable();
        self.data.is_none() && switching.peek().is_some() && switching.all(|host| host.action == Action::Relink)
    }

    /// Describes the plan line by line; hosts with the same actions share a line.
    #[must_use]
    pub(crate) fn lines(&self) -> Vec<String> {
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

/// Prefixes each line with the names of its hosts, merging equal lines.
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
    /// Returns the release that the host is on after the plan.
    pub(crate) fn arrives_on(&self) -> Option<&ReleaseName> {
        match self.action {
            Action::TakeAway => None,
            Action::Stay => self.before.release(),
            _ => Some(&self.release),
        }
    }

    /// Creates a plan that marks nothing.
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
            Action::Relink => format!("link `current` to {release} again, its last target"),
            Action::TakeAway => format!("remove `current`, which leads to {from}: there was none before"),
            Action::Stay => format!("stays on {from}"),
        }
    }
}

/// The number of hosts that a shared line names.
const NAMED: usize = 10;

/// Describes the target of `current`.
pub(crate) fn describe(current: &Current) -> String {
    let text = |link: &[u8]| link.escape_ascii().to_string();
    match current {
        Current::Absent => "nothing (no `current`)".to_owned(),
        Current::Release { name, .. } => name.to_string(),
        Current::Dangling { link, .. } => format!("{} (missing)", text(link)),
        Current::Outside { link } => format!("{} (not a release of this root)", text(link)),
        Current::NotALink(kind) => format!("{} (not a symlink)", kind.with_article()),
    }
}

fn describe_record(record: &PreviousVersion) -> &str {
    record.release().map_or("none", ReleaseName::as_str)
}
