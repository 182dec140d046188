//! [`Batch`]: a list of typed operations, carried out on a host in one exchange.

use crate::{
    group::GroupName,
    manifest::Surveyed,
    path::{HostPath, InnerPath},
    time::Timestamp,
};

use super::{
    BoundedFile, ChainLink, Changes, Comparison, Entry, FileId, Found, Group, GroupReach, HostIdentity, Listed,
    Liveness, OwnedFile, Passed, StepFailure, TreeName, Users,
};

/// A list of steps that run in order on one host, in one exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The deploy root; every step's places lie inside it. It may itself be a link, which is followed once.
    pub root: HostPath,
    /// Whether a missing root is made (with its parents, mode 0755), or fails the batch before its first step. One that
    /// has a `pin` was there before, and is never made.
    pub make_root: bool,
    /// Whether the files that it appends to and marks processes with are for the group too: mode 0660 where it would be 0600.
    pub for_group: bool,
    /// What the root must be, when it was seen before: another device or inode fails the batch before its first step.
    pub pin: Option<FileId>,
    /// The steps.
    pub steps: Vec<Step>,
}

impl Batch {
    /// A batch without steps, on a root that must exist.
    #[must_use]
    pub fn new(root: HostPath) -> Self {
        Self { root, make_root: false, for_group: false, pin: None, steps: Vec::new() }
    }

    /// Adds a step whose failure ends the batch, and returns its index.
    pub fn push(&mut self, op: Op) -> usize {
        self.add(op, OnFailure::Stop)
    }

    /// Adds a step whose failure is only a [`Reply::Failed`], and returns its index.
    pub fn push_lenient(&mut self, op: Op) -> usize {
        self.add(op, OnFailure::GoOn)
    }

    fn add(&mut self, op: Op, on_failure: OnFailure) -> usize {
        self.steps.push(Step { op, on_failure });
        self.steps.len() - 1
    }

    /// Whether any step changes something on the host.
    #[must_use]
    pub fn changes(&self) -> bool {
        self.make_root || self.steps.iter().any(|step| step.op.changes())
    }
}

/// One step of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is done.
    pub op: Op,
    /// What happens when it fails.
    pub on_failure: OnFailure,
}

/// What happens to the rest of a batch when a step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// No later step runs, and the batch is a [`TransportError::Step`](super::TransportError::Step).
    Stop,
    /// The step's reply is [`Reply::Failed`], and the next one runs.
    GoOn,
}

/// One operation on a host. No path of it is followed through a link, unless it says so.
///
/// Where a directory on the way to a place is missing, nothing stands at that place; where something else stands in its
/// stead, a link to a directory too, the step fails with [`FailureKind::WrongType`](super::FailureKind::WrongType).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Op {
    /// Asks who and what answers. Replies [`Reply::Identity`].
    Identify,
    /// Asks the host's clock. Replies [`Reply::Clock`].
    Clock,
    /// Asks what stands at `path`, as `lstat(2)`. Replies [`Reply::Entry`].
    Inspect {
        /// The place.
        path: InnerPath,
    },
    /// Asks what a link with the text `link`, standing in the root, leads to in the end, as `stat(2)`: the one
    /// question that may look outside the root. Replies [`Reply::Entry`]; a dangling or looping link is `None`.
    Resolve {
        /// The text of the link, relative to the root or absolute.
        link: Vec<u8>,
    },
    /// Reads the text of a link. Replies [`Reply::Link`]; `None` when nothing is there.
    ///
    /// Fails with [`FailureKind::WrongType`](super::FailureKind::WrongType) when something else stands there.
    ReadLink {
        /// The link.
        path: InnerPath,
    },
    /// Reads a regular file. Replies [`Reply::Content`].
    Read {
        /// The file.
        path: InnerPath,
        /// The most that is read, in bytes; a larger file is [`Found::TooLarge`].
        limit: u64,
    },
    /// Reads the last `limit` bytes of a regular file, all of a shorter one. Replies [`Reply::Content`].
    ReadEnd {
        /// The file.
        path: InnerPath,
        /// The most that is read, in bytes.
        limit: u64,
    },
    /// Lists a directory, in no order. Replies [`Reply::Listing`]; `None` when nothing is there.
    ///
    /// Fails with [`FailureKind::WrongType`](super::FailureKind::WrongType) when no directory stands there.
    List {
        /// The directory.
        path: InnerPath,
    },
    /// Reads the file `file` in every directory that stands in `path`. Replies [`Reply::Contents`], without those
    /// that lack it; empty when there is no `path`.
    ReadEach {
        /// The directory of directories.
        path: InnerPath,
        /// The file's name in each of them (one name).
        file: InnerPath,
        /// The most that is read of each, in bytes.
        limit: u64,
    },
    /// Follows a chain of directories in `trees`: reads the record of each, which names the next one as
    /// [`TreeName::Recorded`] does, and files that are kept of it in the directory of the same name in `lists`. Ends where
    /// no directory of the name stands, at a record that names none, before a directory comes twice, and when it is `most`
    /// long. Replies [`Reply::Chain`]; an empty one where no name is found to begin with, or there is no `trees`.
    ///
    /// Fails with [`FailureKind::WrongType`](super::FailureKind::WrongType) when `trees` is no directory. What cannot be
    /// reached in `lists` is [`Found::Unreadable`].
    ReadChain {
        /// The directory of directories.
        trees: InnerPath,
        /// Which of them is the first.
        from: TreeName,
        /// The record in each of them.
        record: BoundedFile,
        /// The directory of directories that have the same names, with what is kept of each.
        lists: InnerPath,
        /// The files that are read there.
        files: Vec<BoundedFile>,
        /// How many directories are read at most.
        most: u32,
    },
    /// Lists all that lies in a directory without following any link, with [`MAX_DEPTH`](crate::manifest::MAX_DEPTH)
    /// directories above an entry at most: one that holds more is [`Seen::TooDeep`](crate::manifest::Seen::TooDeep). Replies
    /// [`Reply::Survey`]; `None` when nothing is there.
    ///
    /// Fails with [`FailureKind::WrongType`](super::FailureKind::WrongType) when no directory stands there, and fails
    /// when a part of it cannot be listed. A file whose content cannot be read has no digest in the answer.
    Survey {
        /// The directory.
        path: InnerPath,
        /// Whether the content of every file is read and digested.
        digests: bool,
    },
    /// Compares a tree with its manifest ([`Form::Manifest`](crate::manifest::Form::Manifest)) on the host, so that no more goes
    /// over the network than some of what differs, and how much does. Replies [`Reply::Comparison`].
    CompareTree {
        /// The directory of trees.
        trees: InnerPath,
        /// Which of them it is: a name in `trees`.
        name: TreeName,
        /// The directory of directories that have the trees' names, with what is known of each.
        lists: InnerPath,
        /// The manifest's name there (one name).
        manifest: InnerPath,
        /// Whether the content of every file is read and compared too.
        contents: bool,
        /// Who may own what the manifest lists; `None` when nobody asks.
        owners: Option<Vec<u32>>,
        /// Paths in the tree that the manifest says nothing of, as little as of what lies below them. Directories that lead there may
        /// be added.
        except: Vec<InnerPath>,
    },
    /// Asks which of the entries that a [`Op::Snapshot`] of the directory `tree` names have changed since, in whatever way.
    /// Replies [`Reply::Changes`]; `None` when there is no tree, or no snapshot of it.
    ///
    /// Fails with [`FailureKind::Mismatch`](super::FailureKind::Mismatch) when the snapshot is torn, and when an entry cannot be
    /// looked at: only what is known to be absent is told as gone. What a link in place of a directory leads to is absent.
    Changes {
        /// The directory.
        tree: InnerPath,
        /// What [`Op::Snapshot`] wrote.
        since: InnerPath,
    },
    /// Asks whether the process that [`Op::MarkProcess`] marked `path` with still runs. Replies [`Reply::Process`].
    CheckProcess {
        /// The marked file.
        path: InnerPath,
    },
    /// Asks which processes of the host use what stands in the directory `path`: what they work in, take for `/`, run, have
    /// mapped or have open for writing lies there, or what they see mounted, in whatever mount namespace, comes from there.
    /// Replies [`Reply::Users`](super::Reply::Users), without any user when there is no `path`.
    ///
    /// As good as `/proc` shows it: not the processes of others, where the user may not look at them.
    FindUsers {
        /// The directory.
        path: InnerPath,
    },
    /// Asks whose the directories are on the way from `/` to the root and from there to each of `paths`, and what others
    /// may do in them. Replies [`Reply::Way`](super::Reply::Way), without what is missing or no directory below the root.
    InspectWay {
        /// The places inside the root.
        paths: Vec<InnerPath>,
    },
    /// Asks which group of the host has this name, whether its user is in it, and what belongs to it. Replies
    /// [`Reply::Group`](super::Reply::Group); `None` when the host has no such group.
    InspectGroup {
        /// Its name.
        name: GroupName,
        /// The directories that are looked at.
        paths: Vec<InnerPath>,
        /// A directory whose content's owners are looked at too.
        below: InnerPath,
    },
    /// Holds when nothing, not even a dangling link, stands at `path`; else fails with
    /// [`FailureKind::Exists`](super::FailureKind::Exists).
    ExpectAbsent {
        /// The place.
        path: InnerPath,
    },
    /// Holds when nothing is mounted at `path` nor below it; else fails with
    /// [`FailureKind::CrossDevice`](super::FailureKind::CrossDevice). What is not there has nothing mounted on it.
    ExpectUnmounted {
        /// The place.
        path: InnerPath,
    },
    /// Holds when a directory (no link to one) stands at `path`; else fails with
    /// [`FailureKind::Missing`](super::FailureKind::Missing) or [`FailureKind::WrongType`](super::FailureKind::WrongType).
    ExpectDirectory {
        /// The place.
        path: InnerPath,
    },
    /// Holds when who is connected may make and remove names in the directory at `path`, as far as that can be told without doing
    /// it; else fails with [`FailureKind::Denied`](super::FailureKind::Denied),
    /// [`FailureKind::ReadOnly`](super::FailureKind::ReadOnly), or as [`Op::ExpectDirectory`] does. Changes nothing.
    ExpectWritable {
        /// The directory.
        path: InnerPath,
    },
    /// Holds when a link with exactly this text stands at `path`; else fails with
    /// [`FailureKind::Mismatch`](super::FailureKind::Mismatch), whose detail shows what stands there.
    ExpectLink {
        /// The place.
        path: InnerPath,
        /// Its text.
        text: Vec<u8>,
    },
    /// Makes a directory with exactly this mode, whatever the umask, and the setgid bit of the directory that it stands in.
    MakeDir {
        /// The directory; its parent must exist.
        path: InnerPath,
        /// Its mode, e.g. `0o755`.
        mode: u32,
        /// Whether a directory that stands there already is as good (its mode stays). If not, it fails with
        /// [`FailureKind::Exists`](super::FailureKind::Exists), as it always does for anything else.
        existing_is_fine: bool,
    },
    /// Gives a directory to a group, which may then do anything in it (`g+rwx`), as may its members with what is made there
    /// later (the setgid bit); what is the group's already stays as it is. Fails where the user may not: only the owner of a
    /// directory may give it, and only to a group of theirs. Fails too where another group may write to it, and others may not,
    /// unless only directories are given: what that group put there would count as the new group's.
    GiveToGroup {
        /// The directory.
        path: InnerPath,
        /// The group's name.
        group: GroupName,
        /// How far it reaches.
        reach: GroupReach,
    },
    /// Makes a symbolic link; fails with [`FailureKind::Exists`](super::FailureKind::Exists) when anything stands there.
    MakeLink {
        /// The new link.
        path: InnerPath,
        /// Its text.
        text: Vec<u8>,
    },
    /// Writes a new regular file with exactly this mode; fails with
    /// [`FailureKind::Exists`](super::FailureKind::Exists) when anything, a link too, stands there.
    WriteNew {
        /// The new file.
        path: InnerPath,
        /// Its content: text without NUL bytes.
        content: String,
        /// Its mode, e.g. `0o600`.
        mode: u32,
    },
    /// Writes a new file (mode 0600) by which [`Op::Changes`] tells what changed since in the directory `tree`: of the entries
    /// that a listing of it ([`Form::Listing`](crate::manifest::Form::Listing)) names, whatever else is there.
    ///
    /// Fails with [`FailureKind::Missing`](super::FailureKind::Missing) when there is no tree or no listing.
    Snapshot {
        /// The directory.
        tree: InnerPath,
        /// Its listing.
        list: InnerPath,
        /// The new file, outside of it.
        into: InnerPath,
    },
    /// Writes a new file (mode 0600) that names the process which carries out this connection's batches: its id,
    /// its start time and the host's boot. [`Op::CheckProcess`] reads it.
    MarkProcess {
        /// The new file.
        path: InnerPath,
    },
    /// Appends to a regular file in one write, making it (mode 0600) when it is missing.
    Append {
        /// The file.
        path: InnerPath,
        /// What is appended: text without NUL bytes.
        content: String,
    },
    /// Renames `from` to the same name in the directory `into`: one `rename(2)`, which atomically replaces a file, a
    /// link or an empty directory of that name as POSIX says, and refuses to replace anything else.
    ///
    /// Fails with [`FailureKind::Missing`](super::FailureKind::Missing) when `from` is not there,
    /// [`FailureKind::Exists`](super::FailureKind::Exists) when a directory with content stands in the way, and
    /// [`FailureKind::WrongType`](super::FailureKind::WrongType) when a directory would replace a file, or a file a
    /// directory.
    MoveInto {
        /// What is moved.
        from: InnerPath,
        /// The directory it is moved into.
        into: InnerPath,
    },
    /// Gives what stands at `from` the free name `to`: one `rename(2)`. Nothing is replaced: fails with
    /// [`FailureKind::Exists`](super::FailureKind::Exists) when anything stands at `to`, and with
    /// [`FailureKind::Missing`](super::FailureKind::Missing) when nothing does at `from`.
    Rename {
        /// What is renamed.
        from: InnerPath,
        /// Its new place.
        to: InnerPath,
    },
    /// Exchanges what stands at two places in one step, where the host can: `renameat2(2)` with `RENAME_EXCHANGE`. Else it
    /// fails with [`FailureKind::Io`](super::FailureKind::Io) and has no effect.
    Exchange {
        /// The one place.
        one: InnerPath,
        /// The other.
        other: InnerPath,
    },
    /// Removes a file or a link. What is not there is removed already.
    RemoveFile {
        /// The file.
        path: InnerPath,
    },
    /// Removes an empty directory. What is not there is removed already; one with content fails with
    /// [`FailureKind::Exists`](super::FailureKind::Exists).
    RemoveDir {
        /// The directory.
        path: InnerPath,
    },
    /// Removes whatever stands at `path`, a directory with all it holds, without following any link. The one step
    /// whose failure may leave a part of its effect: what was removed by then stays removed.
    RemoveTree {
        /// The place, never the root itself.
        path: InnerPath,
    },
    /// Makes what was written durable. All of it, or it fails: a failed sync is never tried again as if it could succeed.
    Sync {
        /// The files and directories.
        paths: Vec<InnerPath>,
        /// How far it reaches.
        reach: SyncReach,
    },
}

impl Op {
    /// Whether it reads every file of a tree, which takes as long as the tree is large.
    pub(in crate::transport) fn reads_contents(&self) -> bool {
        matches!(
            self,
            Self::Survey { digests: true, .. } | Self::CompareTree { contents: true, .. } | Self::Changes { .. }
        )
    }

    /// Whether it changes anything on the host. A sync does not: what it makes durable was already there.
    #[must_use]
    pub fn changes(&self) -> bool {
        match self {
            Self::Identify
            | Self::Clock
            | Self::Inspect { .. }
            | Self::Resolve { .. }
            | Self::ReadLink { .. }
            | Self::Read { .. }
            | Self::ReadEnd { .. }
            | Self::List { .. }
            | Self::ReadEach { .. }
            | Self::ReadChain { .. }
            | Self::Survey { .. }
            | Self::CompareTree { .. }
            | Self::Changes { .. }
            | Self::CheckProcess { .. }
            | Self::FindUsers { .. }
            | Self::InspectWay { .. }
            | Self::InspectGroup { .. }
            | Self::ExpectAbsent { .. }
            | Self::ExpectUnmounted { .. }
            | Self::ExpectDirectory { .. }
            | Self::ExpectLink { .. }
            | Self::ExpectWritable { .. }
            | Self::Sync { .. } => false,
            Self::MakeDir { .. }
            | Self::GiveToGroup { .. }
            | Self::Snapshot { .. }
            | Self::MakeLink { .. }
            | Self::WriteNew { .. }
            | Self::MarkProcess { .. }
            | Self::Append { .. }
            | Self::MoveInto { .. }
            | Self::Rename { .. }
            | Self::Exchange { .. }
            | Self::RemoveFile { .. }
            | Self::RemoveDir { .. }
            | Self::RemoveTree { .. } => true,
        }
    }
}

/// How far an [`Op::Sync`] reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncReach {
    /// The named files and directories themselves, not what lies below: `fsync(2)`.
    Entries,
    /// Everything on the filesystems that hold them: `syncfs(2)`. For content just uploaded this is many times
    /// faster than file by file.
    Filesystem,
}

/// The answer to one step.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// An expectation held, or a change was made.
    Done,
    /// The answer to [`Op::Identify`].
    Identity(HostIdentity),
    /// The answer to [`Op::Clock`].
    Clock(Timestamp),
    /// The answer to [`Op::Inspect`] and [`Op::Resolve`]: `None` when nothing is there.
    Entry(Option<Entry>),
    /// The answer to [`Op::ReadLink`]: the link's text.
    Link(Option<Vec<u8>>),
    /// The answer to [`Op::Read`] and [`Op::ReadEnd`]: `None` when nothing is there.
    Content(Option<Found>),
    /// The answer to [`Op::List`].
    Listing(Option<Vec<Listed>>),
    /// The answer to [`Op::ReadEach`]: the directory's name and what its file held.
    Contents(Vec<(Vec<u8>, OwnedFile)>),
    /// The answer to [`Op::ReadChain`], in the order of the chain.
    Chain(Vec<ChainLink>),
    /// The answer to [`Op::Survey`], in no order.
    Survey(Option<Vec<Surveyed>>),
    /// The answer to [`Op::CompareTree`].
    Comparison(Comparison),
    /// The answer to [`Op::Changes`].
    Changes(Option<Changes>),
    /// The answer to [`Op::CheckProcess`].
    Process(Liveness),
    /// The answer to [`Op::FindUsers`].
    Users(Users),
    /// The answer to [`Op::InspectWay`]: the directories from `/` to the root, then those below.
    Way(Vec<Passed>),
    /// The answer to [`Op::InspectGroup`].
    Group(Option<Group>),
    /// An [`OnFailure::GoOn`] step failed.
    Failed(StepFailure),
}
