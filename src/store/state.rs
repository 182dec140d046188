//! [`RootState`]: what a root holds, as it was read in one exchange.

use std::collections::HashSet;

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
};

use super::{Checked, Kept, TeamState, UnreadableFile, extent::Extent};

/// What a root holds, as it was read in one exchange.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RootState {
    /// Who and what answered; `None` when there is no root yet, and under a lock, where nobody waits for it.
    pub identity: Option<HostIdentity>,
    /// The user that works there; `None` when there is no root yet.
    pub user: Option<u32>,
    /// The state directory; `None` when there is none yet.
    pub keeper: Option<Entry>,
    /// The host's clock; `None` when there is no root yet, and under the lock of a rollback until it has
    /// switched.
    pub clock: Option<Timestamp>,
    /// Where `current` leads.
    pub current: Current,
    /// The release that the host's own history names as current last; only where `current` was removed.
    pub last: Option<ReleaseName>,
    /// The complete releases, in the order of their names. Under the lock of a rollback, those that it needs: ask
    /// [`release`](Self::release), and what is missing is read.
    pub releases: Vec<HostedRelease>,
    /// Releases that are gone, of which the tool still keeps what they did to the data.
    pub gone: Vec<GoneRelease>,
    /// What else stands in the releases directory under a release name: nothing of ours, and never touched.
    pub strangers: Vec<(ReleaseName, EntryKind)>,
    /// Who holds the lock.
    pub lock: Option<LockHolder>,
    /// What the holder of the lock is about to do here.
    pub intent: Kept<Intent>,
    /// Whether what interrupted operations left can be read.
    pub journal: Kept<()>,
    /// What interrupted operations left.
    pub interrupted: Vec<Interrupted>,
    /// What other hosts missed because they could not be reached.
    pub debts: Vec<Debt>,
    /// The directories on the way to what the tool writes, from `/`; empty under a lock, where nobody waits for it.
    pub way: Vec<Passed>,
    /// Which processes use which release; `None` where that was not asked for.
    pub users: Option<Users>,
    /// Unfinished uploads, of runs that still go on and of interrupted ones.
    pub staging: Vec<Token>,
    /// The uploads among them that say who began them, until it is known which of those are dead.
    pub(crate) uploads: Vec<(Token, Kept<LockOwner>)>,
    /// The release that was compared with its manifest as the lock was taken, and what that showed; `None` where nobody
    /// asked, or there was nothing to compare.
    pub checked: Option<(ReleaseName, Checked)>,
    /// What is linked into new releases; empty where nobody asked.
    pub shared: Vec<SharedPlace>,
    /// The root's group; `None` where it belongs to one account.
    pub team: Option<TeamState>,
    /// The release that a plain directory was about to become, when that was interrupted before it was moved.
    pub adopting: Option<ReleaseName>,
    /// Whether a release name can be looked up among those of pruned releases.
    pub pruned: Kept<()>,
    /// The ledger of what was done to the data; only whether it is there and can be read.
    pub ledger: Kept<()>,
    /// The tool's own files that are there and cannot be read.
    pub unreadable: Vec<UnreadableFile>,
    /// Who owns the tool's own records that were read.
    pub record_owners: Vec<RecordOwner>,
    /// The number of the mark that made a release bad last; `None` where nobody asked, or only older programs marked any.
    pub(crate) marks: Option<u64>,
    /// Which releases were read, where it is not all of them.
    pub(crate) extent: Extent,
}

/// Where `current` leads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Current {
    /// There is none.
    #[default]
    Absent,
    /// To a release, whatever way its text spells it.
    Release {
        /// The release.
        name: ReleaseName,
        /// The text of the link.
        link: Vec<u8>,
    },
    /// Nowhere: what it names is gone.
    Dangling {
        /// The text of the link.
        link: Vec<u8>,
        /// The release that it names, when it names one in the usual spelling.
        name: Option<ReleaseName>,
    },
    /// To something that is no release of this root.
    Outside {
        /// The text of the link.
        link: Vec<u8>,
    },
    /// It is no link at all.
    NotALink(EntryKind),
}

impl Current {
    /// The release that is current.
    #[must_use]
    pub fn release(&self) -> Option<&ReleaseName> {
        match self {
            Self::Release { name, .. } => Some(name),
            Self::Absent | Self::Dangling { .. } | Self::Outside { .. } | Self::NotALink(_) => None,
        }
    }

    /// The release it names, be it there or not.
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
    /// Its name.
    pub name: ReleaseName,
    /// Its directory, whatever its path is called.
    pub id: FileId,
    /// What its record says was current before it.
    pub previous: Result<PreviousVersion, BadRecord>,
    /// Why and when it was left.
    pub bad: Kept<BadMark>,
    /// Why it stays whatever is counted.
    pub pinned: Kept<PinMark>,
    /// The user that it belongs to, where that is neither root, nor who works here or keeps the tool's state, nor whom it was
    /// given to before it was sealed: whatever it holds, that user may have put there.
    pub foreign: Option<u32>,
    /// The mark that its `prepare` began, and it was not sealed since: nothing vouches for what it holds.
    pub unsealed: Kept<()>,
    /// The mark that commands ran in it that may have changed it, and that was not sealed since. Known to whoever asked without
    /// taking the lock.
    pub touched: Kept<()>,
    /// What was current when it was published; `None` where that is not known, or was not asked for.
    pub over: Option<PreviousVersion>,
    /// How it came here; nothing when the tool did not bring it.
    pub staged: Kept<StagedRecord>,
    /// That it was taken over from another tool, and what its record was taken from; only where all was asked for.
    pub adopted: Kept<AdoptedRecord>,
    /// The commands it was staged with.
    pub commands: Kept<Commands>,
    /// What it did to the data.
    pub data: Kept<DataRecord>,
    /// Its links to what is shared, as they were made.
    pub links: Kept<SharedRecord>,
    /// Those that are not what they were made as; only where that was asked for.
    pub broken: Vec<BrokenLink>,
}

/// A release that is gone, pruned or removed by hand, and what is kept of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GoneRelease {
    /// Its name.
    pub name: ReleaseName,
    /// The commands it was staged with.
    pub commands: Kept<Commands>,
    /// What it did to the data.
    pub data: Kept<DataRecord>,
}

/// How a release came to a host, as the tool's state keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StagedRecord {
    /// The version of this format: 1.
    pub format: u32,
    /// When, by the controller's clock.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// Files in it.
    pub files: u64,
    /// Bytes of content in them.
    pub bytes: u64,
    /// The digest of all that was brought; `None` for a release that an older version staged.
    #[serde(default)]
    pub digest: Option<Digest>,
    /// What it was built from, as version control calls it, when that was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

/// A user who owns records of the tool's own.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordOwner {
    /// The user id.
    pub owner: u32,
    /// One of the records, below the root.
    pub path: InnerPath,
}

/// What an interrupted operation left: a lock, which was taken over because its holder was dead, or no more than an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interrupted {
    /// The lock it held, or the upload that it was interrupted in.
    pub token: Token,
    /// Who ran it.
    pub owner: Kept<LockOwner>,
    /// What it was about to do here; nothing when it had not come so far.
    pub intent: Kept<Intent>,
    /// Its unfinished uploads.
    pub uploads: Vec<Token>,
}

impl Interrupted {
    /// Returns whether the operation was interrupted in its upload, before it took a lock.
    #[must_use]
    pub fn is_upload(&self) -> bool {
        self.uploads.contains(&self.token)
    }
}

/// What an operation is about to do on a host, written before anything else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Intent {
    /// The version of this format: 1.
    pub format: u32,
    /// The operation: the same on all hosts.
    pub operation: Token,
    /// The command.
    pub command: Command,
    /// What is current on this host before.
    pub from: Option<ReleaseName>,
    /// What is to be current on this host.
    pub to: ReleaseName,
    /// The interrupted operations that this one knew of here: what it does stands above what they were about to do.
    #[serde(default)]
    pub supersedes: Vec<Token>,
    /// The record of that release as it was before, when it had one that meant something.
    pub record: Option<String>,
    /// How a rollback was asked to treat the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<DataIntent>,
}

impl RootState {
    /// Adds the upload of a dead process to what its operation left.
    pub(super) fn add_dead_upload(&mut self, token: Token, owner: Kept<LockOwner>) {
        let operation = |owner: &Kept<LockOwner>| owner.record().map(|owner| owner.operation.clone());
        let own = operation(&owner);
        let same = |left: &&mut Interrupted| own.is_some() && operation(&left.owner) == own;
        if let Some(left) = self.interrupted.iter_mut().find(same) {
            left.uploads.push(token);
            // Its lock does not say what was uploaded.
            if let (Kept::Record(known), Kept::Record(owner)) = (&mut left.owner, owner) {
                known.upload = known.upload.take().or(owner.upload);
            }
        } else {
            let uploads = vec![token.clone()];
            self.interrupted.push(Interrupted { token, owner, intent: Kept::Nothing, uploads });
        }
    }

    /// The release `name`, when the root has it.
    #[must_use]
    pub fn release(&self, name: &ReleaseName) -> Option<&HostedRelease> {
        let at = self.releases.binary_search_by(|release| release.name.cmp(name)).ok();
        if at.is_none() {
            self.extent.ask_for(name);
        }
        self.releases.get(at?)
    }

    /// The number of the mark that made a release bad last; 0 before the first.
    pub(crate) fn last_mark(&self) -> u64 {
        let known = self.releases.iter().filter_map(|release| Some(release.bad.record()?.number));
        known.chain(self.marks).max().unwrap_or(0)
    }

    /// All releases.
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

    /// What stands under the name `name` in the releases directory without being a release.
    #[must_use]
    pub fn stranger(&self, name: &ReleaseName) -> Option<EntryKind> {
        self.strangers.iter().find(|(stranger, _)| stranger == name).map(|(_, kind)| *kind)
    }

    /// Whether somebody removed `current`: there is none, though releases were current here.
    #[must_use]
    pub fn lost_current(&self) -> bool {
        let states = self.states();
        self.current == Current::Absent && self.releases.iter().any(|release| states.of(release) == ReleaseState::Good)
    }

    /// Whether `current` was removed, and `name` is the complete release that it led to last.
    #[must_use]
    pub fn was_last(&self, name: &ReleaseName) -> bool {
        self.lost_current() && self.last.as_ref() == Some(name) && self.release(name).is_some()
    }

    /// The state of a release of this root. Of many, ask [`states`](Self::states).
    ///
    /// A release was current once when it has a readable record, since that is written at the switch, or when it lies
    /// on the way back from another: the first release of a tree made by hand has no record. One that an interrupted
    /// operation was about to switch to may bear its record already without ever having been current.
    #[must_use]
    pub fn state_of(&self, release: &HostedRelease) -> ReleaseState {
        self.states().of(release)
    }

    /// The states of all releases of this root.
    #[must_use]
    pub fn states(&self) -> States<'_> {
        let named = self.releases.iter().filter_map(|release| release.previous.as_ref().ok()?.release());
        let begun = self.interrupted.iter().filter_map(|left| Some(&left.intent.record()?.to));
        States { current: self.current.release(), named: named.collect(), begun: begun.collect() }
    }
}

/// The states of the releases of one root.
#[derive(Debug, Clone)]
pub struct States<'s> {
    current: Option<&'s ReleaseName>,
    /// The releases that the record of another names.
    named: HashSet<&'s ReleaseName>,
    /// The releases that interrupted operations were about to switch to.
    begun: HashSet<&'s ReleaseName>,
}

impl States<'_> {
    /// The state of one of the releases.
    #[must_use]
    pub fn of(&self, release: &HostedRelease) -> ReleaseState {
        let recorded = release.previous.is_ok() && !self.begun.contains(&release.name);
        if self.current == Some(&release.name) {
            ReleaseState::Current
        } else if release.bad.exists() {
            ReleaseState::Bad
        } else if recorded || self.named.contains(&release.name) {
            ReleaseState::Good
        } else {
            ReleaseState::Staged
        }
    }
}
