//! [`Refusal`]: the reasons a command must not run, host by host.

mod hint;
mod kind;

use std::fmt;

use thiserror::Error;

use super::NAMED;

use crate::{
    data::DataVersion,
    error::{Error, ErrorKind},
    group::GroupName,
    name::ReleaseName,
    path::InnerPath,
    report::{Command, crowd},
    shared::{SharedPath, SharedPlace},
    transport::EntryKind,
};

/// The reasons a command must not run. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The command.
    pub command: Command,
    /// The refusing hosts, each with its reason.
    pub hosts: Vec<HostRefusal>,
    /// The state of every host, if the refusal is about differences: host, `current`, and its target or record, in
    /// words.
    pub table: Vec<(String, String, String)>,
}

/// A host's refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostRefusal {
    /// The host.
    pub host: String,
    /// The reason.
    pub reason: Reason,
}

/// The reason of a host's refusal.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Reason {
    /// `current` is not a symlink, or does not lead to a release of this root.
    #[error("`current` is {current}, which this tool did not make")]
    NotOurs {
        /// The state of `current`.
        current: String,
    },
    /// The release was never sealed.
    #[error("{name} is not ready: its `prepare` was interrupted or failed, so its content is unknown")]
    NotSealed {
        /// The release.
        name: ReleaseName,
    },
    /// The host has the same root directory as another host of the fleet.
    #[error("its root is also the root of {other}")]
    SameRoot {
        /// The other host.
        other: String,
    },
    /// A directory below the root lies on another filesystem.
    #[error("{path} is on another filesystem than the root, so nothing can be renamed into it")]
    AnotherFilesystem {
        /// Its path on the host.
        path: String,
    },
    /// The tool's state directory belongs to an untrusted user.
    #[error(
        "the state directory belongs to user {owner}, not to root or the connecting user {user}: its records are not trusted"
    )]
    ForeignState {
        /// The owner's UID.
        owner: u32,
        /// The UID that the tool runs as.
        user: u32,
    },
    /// One of the tool's own records belongs to an untrusted user.
    #[error("{path} belongs to user {owner}, not to root or the connecting user {user}: its records are not trusted")]
    ForeignRecord {
        /// The path of the record below the root.
        path: InnerPath,
        /// The owner's UID.
        owner: u32,
        /// The UID that the tool runs as.
        user: u32,
    },
    /// Commands would run in a release that belongs to an untrusted user.
    #[error(
        "{name} belongs to user {owner}, neither root nor the deploying user, so its commands could run that user's code"
    )]
    ForeignRelease {
        /// The release.
        name: ReleaseName,
        /// The owner's UID.
        owner: u32,
    },
    /// The host has no such group.
    #[error("the group {group} does not exist")]
    NoSuchGroup {
        /// The group.
        group: GroupName,
    },
    /// The user is not in the group of the root.
    #[error("{user} is not in the group {group}")]
    NotInGroup {
        /// The group.
        group: GroupName,
        /// The user.
        user: String,
    },
    /// A directory does not belong to the group and cannot be given to it.
    #[error("the directory {path} in the root does not belong to the group {group}, and cannot be given to it")]
    NotOfGroup {
        /// The path of the directory inside the root.
        path: String,
        /// The group.
        group: GroupName,
    },
    /// A group that is not the root's may write to the state directory, and so replace the tool's own records.
    #[error(
        "others may write there: the state directory is writable by a group that is not the root's (mode {mode:04o})"
    )]
    GroupMayWrite {
        /// The mode of the state directory.
        mode: u32,
    },
    /// Untrusted users may write to a directory, and so replace its contents.
    #[error("others may write there: {what}")]
    OthersMayWrite {
        /// The directory and who may write to it.
        what: String,
    },
    /// An adoption of the tree was interrupted.
    #[error("the adoption of this tree was interrupted: `current` is {current}")]
    HalfAdopted {
        /// The state of `current`.
        current: String,
    },
    /// `current` was removed. Holds the release that it last led to, if it can be linked to again.
    #[error("`current` is missing although releases were current here: somebody removed it")]
    NoCurrent(Option<ReleaseName>),
    /// There is no `current`, and no release to which it can be linked again.
    #[error("there is no `current`, and {why}")]
    NothingToLink {
        /// The reason, and the releases that were current here.
        why: String,
    },
    /// No release was ever current here, or the first deploy was reverted.
    #[error("nothing is deployed here")]
    NotDeployed,
    /// `current` names a release that does not exist.
    #[error("`current` leads to a release that does not exist, so the previous release is unknown")]
    Dangling,
    /// The name is taken.
    #[error("release {name} already exists")]
    NameTaken {
        /// The release.
        name: ReleaseName,
    },
    /// A release of that name has other content, or the record of its content is missing.
    #[error("release {name} already exists, and is not known to have this content")]
    OtherContent {
        /// The release.
        name: ReleaseName,
    },
    /// The release exists with the same content and is not current.
    #[error("release {name} already exists with this content, and is not current")]
    IsThere {
        /// The release.
        name: ReleaseName,
    },
    /// The release exists with the same content and is bad.
    #[error("release {name} already exists with this content, and is bad: it was rolled back")]
    IsBad {
        /// The release.
        name: ReleaseName,
    },
    /// A run that went to the release was interrupted.
    #[error("{by}'s {command} to {name} was interrupted, and its remaining steps did not run")]
    WasInterrupted {
        /// The release.
        name: ReleaseName,
        /// The command.
        command: Command,
        /// The user who ran it.
        by: String,
    },
    /// The release existed when the host was queried, and does not under its lock.
    #[error("{name} existed when the host was asked, and is missing now: somebody else changes this root")]
    GoneMeanwhile {
        /// The release.
        name: ReleaseName,
    },
    /// The host is not on the release given with `--from`.
    #[error("`current` is {current}, and not {from}")]
    NotFrom {
        /// The required release.
        from: ReleaseName,
        /// The state of `current`, in words.
        current: String,
    },
    /// The release does not exist.
    #[error("there is no release {name}{}", instead.map(|kind| format!(", but {}", kind.with_article())).unwrap_or_default())]
    NoSuchRelease {
        /// The release.
        name: ReleaseName,
        /// The kind of file that stands in its place, if any.
        instead: Option<EntryKind>,
    },
    /// The release is in the recorded chain.
    #[error("{name} is on the rollback chain: only a rollback goes there")]
    OnTheWayBack {
        /// The release.
        name: ReleaseName,
    },
    /// The tool that made the tree is unknown.
    #[error("cannot tell which tool made this tree: {why}")]
    UnknownTree {
        /// The reason.
        why: String,
    },
    /// The other tool is running, or left its lock.
    #[error("the tool that made this tree holds its lock, {path}")]
    ForeignLock {
        /// The path of the lock.
        path: InnerPath,
    },
    /// Shared paths are missing, and nothing seeds them.
    #[error("shared paths are missing: {}", missing.iter().map(|place| place.place.to_string()).collect::<Vec<_>>().join(", "))]
    MissingShared {
        /// The missing paths.
        missing: Vec<SharedPlace>,
    },
    /// A shared path holds a file of the wrong kind.
    #[error("{} is {}, and `{}` is shared", place.place, if place.path.is_directory() { "no directory" } else { "a directory" }, place.path)]
    SharedKind {
        /// The shared path and its place.
        place: SharedPlace,
    },
    /// The release ships a file where the symlink to a shared path must go.
    #[error("the release ships {} at {at}, and `{path}` is shared: the link would hide it", kind.with_article())]
    ShippedShared {
        /// The shared path.
        path: SharedPath,
        /// The path of the file in the release.
        at: InnerPath,
        /// The kind of the file.
        kind: EntryKind,
    },
    /// The hosts are on different releases, would move to different ones, or have different records.
    #[error("the hosts differ")]
    HostsDiffer,
    /// There is no good release before the current one.
    #[error("{}", nothing_before(at, chain))]
    NothingBefore {
        /// The release that is current.
        at: ReleaseName,
        /// The chain, in words.
        chain: String,
    },
    /// A record in the chain is missing or invalid.
    #[error("the rollback chain ends at {at}: {chain}")]
    BadRecord {
        /// The release that the record belongs to.
        at: ReleaseName,
        /// The chain, in words, with the fault of the record.
        chain: String,
    },
    /// A record names a release that does not exist.
    #[error("the rollback chain leads to {name}, which does not exist: {chain}")]
    PreviousGone {
        /// The named release.
        name: ReleaseName,
        /// The chain, in words.
        chain: String,
    },
    /// A release in the chain declares its migration irreversible.
    #[error("the data of {name} cannot be reverted: {why}")]
    Irreversible {
        /// The release.
        name: ReleaseName,
        /// The reason given when it was deployed.
        why: String,
    },
    /// A release in the chain changed data, and no `revert` for it is known.
    #[error("{name} changed data, and no `revert` for it is known")]
    NoRevert {
        /// The release.
        name: ReleaseName,
    },
    /// A release in the chain changed data, and was pruned without saving the files for its `revert`.
    #[error("{name} changed data and was pruned, and the files for its `revert` were not saved")]
    RevertGone {
        /// The release.
        name: ReleaseName,
    },
    /// The bad mark of a release in the chain is unreadable.
    #[error("cannot read the bad mark of {name} on the rollback chain: {why}")]
    MarkUnreadable {
        /// The release.
        name: ReleaseName,
        /// The read error.
        why: String,
    },
    /// The commands recorded with a release are unreadable.
    #[error("cannot read the commands recorded with {name}: {why}")]
    CommandsUnreadable {
        /// The release.
        name: ReleaseName,
        /// The read error.
        why: String,
    },
    /// The list of pruned releases is unreadable.
    #[error("cannot read whether a pruned release had the name {name}: {why}")]
    PrunedUnreadable {
        /// The release.
        name: ReleaseName,
        /// The read error.
        why: String,
    },
    /// The intent of an interrupted operation is unreadable.
    #[error("cannot read the intent of an interrupted operation: {why}")]
    IntentUnreadable {
        /// The read error.
        why: String,
    },
    /// The data record of a release is unreadable.
    #[error("cannot read the data record of {name}: {why}")]
    DataUnreadable {
        /// The release.
        name: ReleaseName,
        /// The read error.
        why: String,
    },
    /// The data ledger is unreadable, and so cannot be appended to either.
    #[error("cannot read the data ledger: {why}")]
    LedgerUnreadable {
        /// The read error.
        why: String,
    },
    /// The hosts' records differ about data that the whole fleet shares.
    #[error("the hosts' records of the data of {name} differ")]
    RecordsDiffer {
        /// The release.
        name: ReleaseName,
    },
    /// The controller would have to run a data command that only hosts recorded.
    #[error(
        "the data of {name} is on the controller, which runs only its own migration or configuration, and neither has `{command}`"
    )]
    OnController {
        /// The release.
        name: ReleaseName,
        /// The command.
        command: &'static str,
    },
    /// A recorded `revert` needs files or variables that the controller's configuration does not name.
    #[error("the `revert` of {name} needs {needs}, which the configuration does not name")]
    SecretsUnsaid {
        /// The release.
        name: ReleaseName,
        /// The files and variables.
        needs: String,
    },
    /// The data version found before a release differs from the last known one.
    #[error(
        "before {name} was deployed the data version was {found}, but {known} was last known, with {with}: the data changed in \
         between"
    )]
    DataMoved {
        /// The release.
        name: ReleaseName,
        /// The data version found before it.
        found: DataVersion,
        /// The last known data version.
        known: DataVersion,
        /// The release whose record holds the last known version.
        with: ReleaseName,
    },
    /// None of the left releases has a data record, so none has a revert.
    #[error("no remaining release has a data record, so nothing can revert the data to {version}")]
    NoWayTo {
        /// The requested version.
        version: DataVersion,
    },
    /// No record leads to the target, and its data version differs.
    #[error("no record leads to {name}, whose data version is {there}, while that of the release here is {here}")]
    DataOffTheWay {
        /// The target.
        name: ReleaseName,
        /// The data version of the current release.
        here: String,
        /// The data version recorded with the target.
        there: String,
    },
    /// The data is on a host that does not take part.
    #[error("the data is on {place}, which is not selected")]
    DataElsewhere {
        /// The host that has the data.
        place: String,
    },
    /// The records form a loop.
    #[error("the rollback chain is a cycle: {chain}")]
    ChainLoops {
        /// The chain, in words.
        chain: String,
    },
}

fn nothing_before(at: &ReleaseName, chain: &str) -> String {
    if is_first(at, chain) {
        format!("{at} is the first release, so there is nothing to roll back to")
    } else {
        format!("no good release that far back: {chain}")
    }
}

/// Whether the chain in words is that of the first release.
fn is_first(at: &ReleaseName, chain: &str) -> bool {
    chain.strip_prefix(at.as_str()) == Some(" <- none")
}

impl Refusal {
    /// Builds a refusal because of these hosts.
    pub(crate) fn of(command: Command, hosts: Vec<HostRefusal>) -> Self {
        Self { command, hosts, table: Vec::new() }
    }

    /// Formats the table line by line. Large fleets share lines, so that the table stays readable.
    fn rows(&self) -> Vec<String> {
        let mut rows: Vec<(String, Vec<&str>)> = Vec::new();
        for (host, current, target) in &self.table {
            let text = format!("on {current}, {target}");
            match rows.iter_mut().find(|(other, _)| *other == text && self.table.len() > NAMED) {
                Some((_, hosts)) => hosts.push(host),
                None => rows.push((text, vec![host])),
            }
        }
        rows.into_iter().map(|(text, hosts)| format!("{}: {text}", crowd(&hosts, NAMED))).collect()
    }

    /// Returns the reason that determines the exit code; if the reasons differ, code 3 takes precedence over 7.
    #[must_use]
    pub fn leading(&self) -> Option<&Reason> {
        let code =
            |refusal: &&HostRefusal| crate::ExitCode::of(crate::report::Outcome::Refused, Some(refusal.reason.kind()));
        self.hosts.iter().min_by_key(code).map(|refusal| &refusal.reason)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
        for refusal in &self.hosts {
            let text = refusal.reason.to_string();
            match groups.iter_mut().find(|(other, _)| *other == text) {
                Some((_, hosts)) => hosts.push(&refusal.host),
                None => groups.push((text, vec![&refusal.host])),
            }
        }
        let group = |(text, hosts): (String, Vec<&str>)| format!("{text} ({})", crowd(&hosts, NAMED));
        f.write_str(&groups.into_iter().map(group).collect::<Vec<_>>().join("; "))?;
        self.rows().into_iter().try_for_each(|row| write!(f, "\n  {row}"))
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let kind = refusal.leading().map_or(ErrorKind::Internal, Reason::kind);
        let hints = refusal.leading().map(|reason| reason.hints(refusal.command)).unwrap_or_default();
        Self::new(kind, format!("{} refused, nothing was touched: {refusal}", refusal.command)).hints(hints)
    }
}
