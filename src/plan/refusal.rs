//! [`Refusal`]: why a command must not be carried out, host by host.

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
    record::BadRecord,
    report::{Command, crowd},
    shared::{SharedPath, SharedPlace},
    transport::EntryKind,
};

/// Why a command must not be carried out. Nothing was touched.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The command.
    pub command: Command,
    /// The hosts that refuse, each with its reason.
    pub hosts: Vec<HostRefusal>,
    /// What every host is on, where that is what it is about: host, `current` and where it would go, in words.
    pub table: Vec<(String, String, String)>,
}

/// Why a host refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostRefusal {
    /// The host.
    pub host: String,
    /// Why it refuses.
    pub reason: Reason,
}

/// Why a host refuses.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Reason {
    /// `current` is no link, or leads to no release of this root.
    #[error("`current` is {current}: somebody else made it, and must decide")]
    NotOurs {
        /// What it is.
        current: String,
    },
    /// The release was never made ready.
    #[error("{name} was never made ready: its `prepare` was cut off, or failed, and nothing vouches for what it holds")]
    NotSealed {
        /// The release.
        name: ReleaseName,
    },
    /// The root is that of another host of the fleet.
    #[error("its root is the same directory as that of {other}")]
    SameRoot {
        /// The other host.
        other: String,
    },
    /// A directory below the root lies on another filesystem.
    #[error("{path} lies on another filesystem than the root, so nothing can be moved into its place in one step")]
    AnotherFilesystem {
        /// Its path on the host.
        path: String,
    },
    /// The tool's state belongs to somebody else.
    #[error(
        "the state directory belongs to user {owner}, and not to root or to user {user}, who works there: nothing that it says \
         is run or obeyed"
    )]
    ForeignState {
        /// The user id of its owner.
        owner: u32,
        /// The user id of who works there.
        user: u32,
    },
    /// One of the tool's own records belongs to somebody else.
    #[error(
        "{path} belongs to user {owner}, and not to root or to user {user}, who works there: nothing that it says is run or obeyed"
    )]
    ForeignRecord {
        /// The record, below the root.
        path: InnerPath,
        /// The user id of its owner.
        owner: u32,
        /// The user id of who works there.
        user: u32,
    },
    /// Commands would run in a release that belongs to somebody else.
    #[error(
        "{name} belongs to user {owner}, who is neither root nor who deploys here, and commands would run there what that user \
         put there"
    )]
    ForeignRelease {
        /// The release.
        name: ReleaseName,
        /// The user id.
        owner: u32,
    },
    /// The host has no such group.
    #[error("there is no group {group}")]
    NoSuchGroup {
        /// The group.
        group: GroupName,
    },
    /// The user is not in the group that the root belongs to.
    #[error("{user} is not in the group {group}")]
    NotInGroup {
        /// The group.
        group: GroupName,
        /// The user.
        user: String,
    },
    /// A directory is not the group's, and cannot be given to it.
    #[error("the directory {path} in the root is not the group {group}'s, and cannot be given to it")]
    NotOfGroup {
        /// The directory, inside the root.
        path: String,
        /// The group.
        group: GroupName,
    },
    /// A group that is not the root's may put something else in the place of the tool's own records.
    #[error(
        "others may write there: a group that is not the root's may write to the state directory (mode {mode:04o})"
    )]
    GroupMayWrite {
        /// The mode of the state directory.
        mode: u32,
    },
    /// Others than the user may put something else in the place of what is brought.
    #[error("others may write there: {what}")]
    OthersMayWrite {
        /// Who, and where.
        what: String,
    },
    /// The tree was being taken over, and that was interrupted.
    #[error("the tree was being taken over, and that was interrupted: `current` is {current}")]
    HalfAdopted {
        /// What it is.
        current: String,
    },
    /// There is no `current`, though releases were current here; with the one that it led to last, where it can be linked to again.
    #[error("there is no `current`, though releases were current here: somebody removed it")]
    NoCurrent(Option<ReleaseName>),
    /// There is no `current`, and no release that it can be linked to again.
    #[error("there is no `current`, and {why}")]
    NothingToLink {
        /// Why not, and which releases were current here.
        why: String,
    },
    /// Nothing was ever deployed here.
    #[error("nothing was ever deployed here")]
    NotDeployed,
    /// `current` names a release that is gone.
    #[error("`current` names a release that is gone, so nothing says what was before it")]
    Dangling,
    /// The release is there already.
    #[error("there is a release {name} already")]
    NameTaken {
        /// The release.
        name: ReleaseName,
    },
    /// A release of that name is there with other content, or nothing says what it was staged with.
    #[error("there is a release {name} already, and it is not known to have this content")]
    OtherContent {
        /// The release.
        name: ReleaseName,
    },
    /// The very release is there, and not current.
    #[error("{name} is there already with this content, and is not current")]
    IsThere {
        /// The release.
        name: ReleaseName,
    },
    /// The very release is there, and was gone back from.
    #[error("{name} is there already with this content, and is marked bad: it was rolled back")]
    IsBad {
        /// The release.
        name: ReleaseName,
    },
    /// A run that went to the release was interrupted.
    #[error("{by}'s {command} to {name} was interrupted, and what it had yet to do was not done")]
    WasInterrupted {
        /// The release.
        name: ReleaseName,
        /// The command.
        command: Command,
        /// Who ran it.
        by: String,
    },
    /// The release was there when the host was asked, and is not there under its lock.
    #[error("{name} was there when the host was asked, and is gone now: somebody else is at work")]
    GoneMeanwhile {
        /// The release.
        name: ReleaseName,
    },
    /// The host is not on the release that it was to come from.
    #[error("`current` is {current}, and not {from}")]
    NotFrom {
        /// The release it was to come from.
        from: ReleaseName,
        /// What is current, in words.
        current: String,
    },
    /// The release is not there.
    #[error("there is no release {name}{}", instead.map(|kind| format!(", but {}", kind.with_article())).unwrap_or_default())]
    NoSuchRelease {
        /// The release.
        name: ReleaseName,
        /// What stands in its place, if anything.
        instead: Option<EntryKind>,
    },
    /// The release lies on the recorded way back.
    #[error("{name} lies on the recorded way back; going there is a rollback")]
    OnTheWayBack {
        /// The release.
        name: ReleaseName,
    },
    /// It cannot be told who made the tree.
    #[error("it cannot be told who made this tree: {why}")]
    UnknownTree {
        /// Why not.
        why: String,
    },
    /// Another tool is at work, or was and left its lock.
    #[error("the tool that made this tree holds its own lock, {path}")]
    ForeignLock {
        /// The lock.
        path: InnerPath,
    },
    /// What is shared is not there, and nothing seeds it.
    #[error("what is shared is missing: {}", missing.iter().map(|place| place.place.to_string()).collect::<Vec<_>>().join(", "))]
    MissingShared {
        /// What is missing.
        missing: Vec<SharedPlace>,
    },
    /// Something of another kind stands where something shared should.
    #[error("{} is {}, and `{}` is shared", place.place, if place.path.is_directory() { "no directory" } else { "a directory" }, place.path)]
    SharedKind {
        /// What is shared, and where.
        place: SharedPlace,
    },
    /// The release ships something where the link to something shared must go.
    #[error("the release ships {} at {at}, and `{path}` is shared: the link would hide it", kind.with_article())]
    ShippedShared {
        /// What is shared.
        path: SharedPath,
        /// Where in the release it stands.
        at: InnerPath,
        /// What it is.
        kind: EntryKind,
    },
    /// The hosts are on different releases, or would go to different ones.
    #[error("the hosts differ")]
    HostsDiffer,
    /// Nothing good was before the release that is current.
    #[error("nothing to go back to before {}: {chain}", at)]
    NothingBefore {
        /// The release that is current.
        at: ReleaseName,
        /// The chain, in words.
        chain: String,
    },
    /// A record on the way means nothing.
    #[error("the way back ends at {at}, because {record}: {chain}")]
    BadRecord {
        /// The release whose record it is.
        at: ReleaseName,
        /// What is wrong with it.
        record: BadRecord,
        /// The chain, in words.
        chain: String,
    },
    /// A record names a release that is not there.
    #[error("the way back leads to {name}, which is not there: {chain}")]
    PreviousGone {
        /// The release it names.
        name: ReleaseName,
        /// The chain, in words.
        chain: String,
    },
    /// A release on the way says that its data cannot go back.
    #[error("the data of {name} cannot go back: {why}")]
    Irreversible {
        /// The release.
        name: ReleaseName,
        /// Why, as it was said when it was deployed.
        why: String,
    },
    /// A release on the way changed data, and nothing is known that would take that back.
    #[error("{name} changed data, and no `revert` is known that takes that back")]
    NoRevert {
        /// The release.
        name: ReleaseName,
    },
    /// A release on the way changed data, and is gone with what would take that back.
    #[error("{name} changed data, and is gone with what would take that back: nothing of it was saved")]
    RevertGone {
        /// The release.
        name: ReleaseName,
    },
    /// Whether a release on the way back is bad cannot be read.
    #[error("cannot read the bad mark of {name} on the way back: {why}")]
    MarkUnreadable {
        /// The release.
        name: ReleaseName,
        /// Why.
        why: String,
    },
    /// The commands that were recorded with a release cannot be read.
    #[error("cannot read the commands recorded with {name}: {why}")]
    CommandsUnreadable {
        /// The release.
        name: ReleaseName,
        /// Why.
        why: String,
    },
    /// Whether a name was pruned cannot be looked up.
    #[error("cannot look up whether the name {name} belonged to a pruned release: {why}")]
    PrunedUnreadable {
        /// The release.
        name: ReleaseName,
        /// Why.
        why: String,
    },
    /// An interrupted operation wrote an intent that cannot be read.
    #[error("cannot read what an interrupted operation was about to do: {why}")]
    IntentUnreadable {
        /// Why.
        why: String,
    },
    /// What a release did to the data cannot be read.
    #[error("what {name} did to the data cannot be read: {why}")]
    DataUnreadable {
        /// The release.
        name: ReleaseName,
        /// Why.
        why: String,
    },
    /// The ledger of what is done to the data cannot be read, and so not be written on either.
    #[error("cannot read the ledger of what was done to the data: {why}")]
    LedgerUnreadable {
        /// Why.
        why: String,
    },
    /// The hosts recorded different things about data that is worked on once for all of them.
    #[error("the hosts recorded different things about the data of {name}")]
    RecordsDiffer {
        /// The release.
        name: ReleaseName,
    },
    /// The controller would have to run a data command that only hosts recorded.
    #[error(
        "the data of {name} is on the controller, which runs only what its own configuration says, and that has no `{command}`"
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
    /// The data was another before a release than what was last known of it.
    #[error(
        "before {name} was deployed the data version was {found}, but {known} was last known, with {with}: the data changed in \
         between"
    )]
    DataMoved {
        /// The release.
        name: ReleaseName,
        /// The data version that was found before it.
        found: DataVersion,
        /// The data version that was last known.
        known: DataVersion,
        /// The release with which that was known.
        with: ReleaseName,
    },
    /// No release that is left was ever taken to its data, so none knows how to revert it.
    #[error("no release that is left has a data record, so nothing can revert the data to {version}")]
    NoWayTo {
        /// The version that was asked for.
        version: DataVersion,
    },
    /// No record leads to the target, and its data is another.
    #[error("no record leads to {name}, whose data version is {there}, while that of the release here is {here}")]
    DataOffTheWay {
        /// The target.
        name: ReleaseName,
        /// The data version of the release that is current.
        here: String,
        /// The data version that was recorded with the target.
        there: String,
    },
    /// The data is on a host that does not take part.
    #[error("the data is on {place}, which does not take part")]
    DataElsewhere {
        /// Where it is.
        place: String,
    },
    /// The records run in a circle.
    #[error("the records of the way back run in a circle: {chain}")]
    ChainLoops {
        /// The chain, in words.
        chain: String,
    },
}

impl Refusal {
    /// A refusal because of these hosts.
    pub(crate) fn of(command: Command, hosts: Vec<HostRefusal>) -> Self {
        Self { command, hosts, table: Vec::new() }
    }

    /// The table line by line: every host has its own, where there are not so many that nobody would read them.
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

    /// The reason that decides the exit code: where hosts refuse for different reasons, 3 stands before 7.
    #[must_use]
    pub fn leading(&self) -> Option<&Reason> {
        let code = |refusal: &&HostRefusal| {
            crate::ExitCode::of(crate::report::Outcome::Refused, Some(refusal.reason.kind(self.command)))
        };
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
        let kind = refusal.leading().map_or(ErrorKind::Internal, |reason| reason.kind(refusal.command));
        let hint = refusal.leading().map(|reason| reason.hint(refusal.command));
        let error = Self::new(kind, format!("{} refused, nothing was touched: {refusal}", refusal.command));
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}
