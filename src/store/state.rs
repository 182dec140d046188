//! [`RootState`]: the contents of a root, read in one exchange.

use serde::{Deserialize, Serialize};

use crate::{
    adoption::AdoptedRecord,
    commands::Commands,
    data::{DataIntent, DataRecord},
    debt::Debt,
    lock::{LockHolder, LockOwner},
    manifest::Digest,
    name::ReleaseName,
    outcome::Command,
    path::InnerPath,
    record::{BadRecord, PreviousVersion},
    shared::{BrokenLink, SharedPlace, SharedRecord},
    status::{BadMark, PinMark, ReleaseState},
    time::Timestamp,
    token::Token,
    transport::{Entry, EntryKind, FileId, HostIdentity, Passed, Users},
    tree::Tree,
};

use super::{Checked, Kept, States, TeamState, UnreadableFile, extent::Extent};

/// The contents of a root, read in one exchange.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RootState {
    /// The host and user that answered; `None` if the root does not exist, and under a lock, where nobody waits for
    /// it.
    pub identity: Option<HostIdentity>,
    /// The UID that the tool runs as; `None` if the root does not exist.
    pub user: Option<u32>,
    /// The state directory; `None` if it does not exist.
    pub keeper: Option<Entry>,
    /// The host's clock; `None` if the root does not exist, and under the lock of a rollback until it has switched.
    pub clock: Option<Timestamp>,
    /// The target of `current`.
    pub current: Current,
    /// The release that the host's own history last names as current; read only if `current` was removed.
    pub last: Option<ReleaseName>,
    /// The complete releases, ordered by name.
    ///
    /// Under the lock of a rollback, only those that it needs: look one up with [`release`](Self::release), and a
    /// missing one is read.
    pub releases: Vec<HostedRelease>,
    /// Pruned or removed releases whose data records the tool still keeps.
    pub gone: Vec<GoneRelease>,
    /// Other files under a release name in the releases directory: the tool never touches them.
    pub strangers: Vec<(ReleaseName, EntryKind)>,
    /// The holder of the lock.
    pub lock: Option<LockHolder>,
    /// The intent of the lock's holder.
    pub intent: Kept<Intent>,
    /// `Unreadable` if the leftovers of interrupted operations cannot be read.
    pub journal: Kept<()>,
    /// The interrupted operations with their leftovers.
    pub interrupted: Vec<Interrupted>,
    /// The operations that pending hosts missed.
    pub debts: Vec<Debt>,
    /// The directories on the path to the tool's files, from `/`; empty under a lock, where nobody waits for them.
    pub way: Vec<Passed>,
    /// The processes that use each release; `None` unless surveyed.
    pub users: Option<Users>,
    /// Unfinished uploads without an owner file, as an older version left them.
    pub staging: Vec<Token>,
    /// The uploads with an owner file, until it is known which of them are dead.
    pub(crate) uploads: Vec<(Token, Kept<LockOwner>)>,
    /// The release that was compared with its manifest when the lock was taken, and the result; `None` without a
    /// check, or without a release to compare.
    pub checked: Option<(ReleaseName, Checked)>,
    /// The shared paths to link into new releases; empty if not requested.
    pub shared: Vec<SharedPlace>,
    /// The root's group; `None` if the root belongs to one account.
    pub team: Option<TeamState>,
    /// The release that a plain directory was to become, if the adoption was interrupted before the move.
    pub adopting: Option<ReleaseName>,
    /// `Unreadable` if the names of pruned releases cannot be looked up.
    pub pruned: Kept<()>,
    /// `Record` if the data ledger exists, `Unreadable` if it cannot be read.
    pub ledger: Kept<()>,
    /// The unreadable files of the tool itself.
    pub unreadable: Vec<UnreadableFile>,
    /// The owners of the tool's own records that were read.
    pub record_owners: Vec<RecordOwner>,
    /// The number of the newest bad mark; `None` if not requested, or if only older programs marked releases.
    pub(crate) marks: Option<u64>,
    /// The releases that were read, if not all.
    pub(crate) extent: Extent,
}

/// The target of `current`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Current {
    /// There is no `current`.
    #[default]
    Absent,
    /// A release, however the link spells its path.
    Release {
        /// The release.
        name: ReleaseName,
        /// The text of the link.
        link: Vec<u8>,
    },
    /// A path that does not exist.
    Dangling {
        /// The text of the link.
        link: Vec<u8>,
        /// The release that the link names, if it does so in the usual spelling.
        name: Option<ReleaseName>,
    },
    /// A path that is not a release of this root.
    Outside {
        /// The text of the link.
        link: Vec<u8>,
    },
    /// `current` is not a symlink.
    NotALink(EntryKind),
}

impl Current {
    /// Returns the current release.
    #[must_use]
    pub fn release(&self) -> Option<&ReleaseName> {
        match self {
            Self::Release { name, .. } => Some(name),
            Self::Absent | Self::Dangling { .. } | Self::Outside { .. } | Self::NotALink(_) => None,
        }
    }

    /// Returns the named release, whether or not it exists.
    #[must_use]
    pub fn named(&self) -> Option<&ReleaseName> {
        match self {
            Self::Release { name, .. } => Some(name),
            Self::Dangling { name, .. } => name.as_ref(),
            Self::Absent | Self::Outside { .. } | Self::NotALink(_) => None,
        }
    }
}

/// A complete release on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostedRelease {
    /// The name.
    pub name: ReleaseName,
    /// The identity of its directory, independent of its path.
    pub id: FileId,
    /// The release before it, according to its record.
    pub previous: Result<PreviousVersion, BadRecord>,
    /// The bad mark, with time and reason.
    pub bad: Kept<BadMark>,
    /// The pin, with its reason.
    pub pinned: Kept<PinMark>,
    /// UID of an untrusted owner, if any: that user may have written anything into the release.
    ///
    /// Trusted are root, the UID that the tool runs as, the members of the root's group, and the user that the release
    /// was given to before it was sealed.
    pub foreign: Option<u32>,
    /// The mark that `prepare` started without a seal since: nothing vouches for the content.
    pub unsealed: Kept<()>,
    /// The mark that commands ran that may have changed the release, without a seal since. Read only without the
    /// lock.
    pub touched: Kept<()>,
    /// The release that was current when this one was published; `None` if unknown or not requested.
    pub over: Option<PreviousVersion>,
    /// The record of its staging; none if the tool did not stage it.
    pub staged: Kept<StagedRecord>,
    /// The record of its adoption from another tool, with the evidence; read only with the full state.
    pub adopted: Kept<AdoptedRecord>,
    /// The commands recorded with it.
    pub commands: Kept<Commands>,
    /// Its data record.
    pub data: Kept<DataRecord>,
    /// Its symlinks to shared paths, as recorded when they were made.
    pub links: Kept<SharedRecord>,
    /// The broken ones among these links; filled only on request.
    pub broken: Vec<BrokenLink>,
}

impl HostedRelease {
    /// A complete release without any record.
    ///
    /// A store without directories chooses any `id` that no other release of the root has, and keeps it.
    #[must_use]
    pub const fn new(name: ReleaseName, id: FileId) -> Self {
        Self {
            name,
            id,
            previous: Err(BadRecord::Missing),
            bad: Kept::Nothing,
            pinned: Kept::Nothing,
            foreign: None,
            unsealed: Kept::Nothing,
            touched: Kept::Nothing,
            over: None,
            staged: Kept::Nothing,
            adopted: Kept::Nothing,
            commands: Kept::Nothing,
            data: Kept::Nothing,
            links: Kept::Nothing,
            broken: Vec::new(),
        }
    }
}

/// The records of a release that was pruned or removed by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GoneRelease {
    /// The name.
    pub name: ReleaseName,
    /// The commands recorded with it.
    pub commands: Kept<Commands>,
    /// Its data record.
    pub data: Kept<DataRecord>,
}

impl GoneRelease {
    /// A release that is gone, without records.
    #[must_use]
    pub const fn new(name: ReleaseName) -> Self {
        Self { name, commands: Kept::Nothing, data: Kept::Nothing }
    }
}

/// The record of a release's staging, in the tool's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StagedRecord {
    /// The version of this format: 1.
    #[serde(rename = "format")]
    pub format: u32,
    /// The time of the staging by the controller's clock.
    #[serde(rename = "at")]
    pub at: Timestamp,
    /// The user who staged it.
    #[serde(rename = "by")]
    pub by: String,
    /// The number of files.
    #[serde(rename = "files")]
    pub files: u64,
    /// The size of all files' contents, in bytes.
    #[serde(rename = "bytes")]
    pub bytes: u64,
    /// The digest of the whole content; `None` for a release staged by an older version.
    #[serde(rename = "digest", default)]
    pub digest: Option<Digest>,
    /// The revision that the release was built from, according to version control, if known.
    #[serde(rename = "revision", default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

impl StagedRecord {
    /// The record of a staging of `tree` by `owner`.
    #[must_use]
    pub fn new(tree: &Tree, owner: &LockOwner) -> Self {
        Self {
            format: 1,
            at: owner.since,
            by: owner.by.clone(),
            files: tree.files(),
            bytes: tree.bytes(),
            digest: tree.digest().ok(),
            revision: owner.revision.clone(),
        }
    }
}

/// A user who owns records of the tool itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordOwner {
    /// The user's UID.
    pub owner: u32,
    /// The path of one such record below the root.
    pub path: InnerPath,
}

impl RecordOwner {
    /// A user who owns the record at `path`, below the root.
    #[must_use]
    pub const fn new(owner: u32, path: InnerPath) -> Self {
        Self { owner, path }
    }
}

/// The leftovers of an interrupted operation: a lock that was taken over from its dead holder, or only an
/// upload.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interrupted {
    /// The token of its lock, or of its interrupted upload.
    pub token: Token,
    /// The owner of the operation.
    pub owner: Kept<LockOwner>,
    /// The operation's intent; none if it was interrupted before writing one.
    pub intent: Kept<Intent>,
    /// Its unfinished uploads.
    pub uploads: Vec<Token>,
}

impl Interrupted {
    /// The leftovers under the lock `token`, or of the upload `token`, of an operation of `owner`.
    #[must_use]
    pub const fn new(token: Token, owner: Kept<LockOwner>, intent: Kept<Intent>) -> Self {
        Self { token, owner, intent, uploads: Vec::new() }
    }

    /// Returns `true` if the operation was interrupted in its upload, before it took a lock.
    #[must_use]
    pub fn is_upload(&self) -> bool {
        self.uploads.contains(&self.token)
    }

    /// Returns the token of the operation, the same on all hosts, if it is known.
    #[must_use]
    pub fn operation(&self) -> Option<&Token> {
        let intended = self.intent.record().map(|intent| &intent.operation);
        intended.or(self.owner.record().map(|owner| &owner.operation))
    }
}

/// The planned effect of an operation on a host, written before anything else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Intent {
    /// The version of this format: 1.
    #[serde(rename = "format")]
    pub format: u32,
    /// The operation: the same on all hosts.
    #[serde(rename = "operation")]
    pub operation: Token,
    /// The command.
    #[serde(rename = "command", deserialize_with = "Command::known")]
    pub command: Command,
    /// The release that is current on this host before the operation.
    #[serde(rename = "from")]
    pub from: Option<ReleaseName>,
    /// The release to be current on this host.
    #[serde(rename = "to")]
    pub to: ReleaseName,
    /// The interrupted operations that this one knew of here: this intent takes precedence over theirs.
    #[serde(rename = "supersedes", default)]
    pub supersedes: Vec<Token>,
    /// The previous record of the release `to`, if it had a valid one.
    #[serde(rename = "record")]
    pub record: Option<String>,
    /// The data option of a rollback.
    #[serde(rename = "data", default, skip_serializing_if = "Option::is_none")]
    pub data: Option<DataIntent>,
}

impl Intent {
    /// The intent of the operation of `owner` to move the root in this state to the release `to`.
    ///
    /// A store writes it under the lock before anything else; the operation that finds it there, interrupted, reads
    /// from it where the root was, where it was to go, and which earlier operations this one knew of.
    #[must_use]
    pub fn new(owner: &LockOwner, state: &RootState, to: &ReleaseName) -> Self {
        Self {
            format: 1,
            operation: owner.operation.clone(),
            command: owner.command,
            from: state.current.named().cloned(),
            to: to.clone(),
            supersedes: state.interrupted.iter().filter_map(Interrupted::operation).cloned().collect(),
            record: None,
            data: owner.data.clone().or_else(|| state.data_as_begun(owner, to)),
        }
    }
}

impl RootState {
    /// Returns the data option of the rollback that this one finishes.
    fn data_as_begun(&self, owner: &LockOwner, to: &ReleaseName) -> Option<DataIntent> {
        let begun = self.interrupted.iter().filter_map(|left| left.intent.record());
        let mut same = begun.filter(|intent| intent.command == Command::Rollback && intent.to == *to);
        same.find_map(|intent| intent.data.clone()).filter(|_| owner.command == Command::Rollback)
    }

    /// Adds the upload of a dead process to its operation's leftovers.
    pub(super) fn add_dead_upload(&mut self, token: Token, owner: Kept<LockOwner>) {
        let operation = |owner: &Kept<LockOwner>| owner.record().map(|owner| owner.operation.clone());
        let own = operation(&owner);
        let same = |left: &&mut Interrupted| own.is_some() && operation(&left.owner) == own;
        if let Some(left) = self.interrupted.iter_mut().find(same) {
            left.uploads.push(token);
            // Only the upload's owner file names the uploaded release.
            if let (Kept::Record(known), Kept::Record(owner)) = (&mut left.owner, owner) {
                known.upload = known.upload.take().or(owner.upload);
            }
        } else {
            let uploads = vec![token.clone()];
            self.interrupted.push(Interrupted { token, owner, intent: Kept::Nothing, uploads });
        }
    }

    /// Returns the release `name`, if the root has it. Requests it if only part of the root was read.
    #[must_use]
    pub fn release(&self, name: &ReleaseName) -> Option<&HostedRelease> {
        let at = self.releases.binary_search_by(|release| release.name.cmp(name)).ok();
        if at.is_none() {
            self.extent.ask_for(name);
        }
        self.releases.get(at?)
    }

    /// Returns the number of the newest bad mark; 0 if there is none.
    pub(crate) fn last_mark(&self) -> u64 {
        let known = self.releases.iter().filter_map(|release| Some(release.bad.record()?.number));
        known.chain(self.marks).max().unwrap_or(0)
    }

    /// Returns all releases. Requests them if only part of the root was read.
    pub(crate) fn all_releases(&self) -> &[HostedRelease] {
        self.extent.ask_for_all();
        &self.releases
    }

    /// Adds releases that were read later.
    pub(super) fn add(&mut self, more: Self) {
        let Self { releases, gone, strangers, unreadable, record_owners, .. } = more;
        let new = |release: &HostedRelease| self.releases.iter().all(|known| known.name != release.name);
        let releases: Vec<HostedRelease> = releases.into_iter().filter(new).collect();
        self.extent.widen(releases.iter().map(|release| release.name.clone()));
        self.extent.widen(gone.iter().map(|gone| gone.name.clone()));
        self.releases.extend(releases);
        self.releases.sort_by(|one, other| one.name.cmp(&other.name));
        self.gone.extend(
            gone.into_iter().filter(|gone| self.gone.iter().all(|known| known.name != gone.name)).collect::<Vec<_>>(),
        );
        self.strangers.extend(strangers);
        self.unreadable.extend(unreadable);
        self.record_owners.extend(record_owners);
    }

    /// Returns the kind of the file that has the name `name` in the releases directory but is not a release.
    #[must_use]
    pub fn stranger(&self, name: &ReleaseName) -> Option<EntryKind> {
        self.strangers.iter().find(|(stranger, _)| stranger == name).map(|(_, kind)| *kind)
    }

    /// Returns `true` if `current` was removed: it does not exist, but releases were current here.
    #[must_use]
    pub(crate) fn lost_current(&self) -> bool {
        let states = self.states();
        let was_current = |release| states.of(release) == ReleaseState::Good;
        self.current == Current::Absent && self.all_releases().iter().any(was_current)
    }

    /// Returns `true` if `current` was removed, and `name` is the complete release that it last led to.
    #[must_use]
    pub(crate) fn was_last(&self, name: &ReleaseName) -> bool {
        self.lost_current() && self.last.as_ref() == Some(name) && self.release(name).is_some()
    }

    /// Returns the state of a release of this root.
    ///
    /// A release was once current if it has a readable record, because that is written at the switch, or if it is in
    /// the chain behind another: the first release of a tree made by hand has no record. The target of an
    /// operation that is under way, or was interrupted, may have a record without ever having been current.
    #[must_use]
    pub fn state_of(&self, release: &HostedRelease) -> ReleaseState {
        self.states().of(release)
    }

    /// Returns the states of all releases of this root.
    #[must_use]
    pub(crate) fn states(&self) -> States<'_> {
        States::new(self)
    }
}
