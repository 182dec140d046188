//! [`Op`]: an operation on a host, and the [`Reply`] to it.

#[cfg(doc)]
use super::OnFailure;
use super::{
    BoundedFile, ChainLink, Changes, Comparison, Entry, Found, Group, GroupReach, HostIdentity, Listed, Liveness,
    OwnedFile, Passed, StepFailure, TreeName, Users,
};
use crate::{group::GroupName, manifest::Surveyed, path::InnerPath, time::Timestamp};

/// One operation on a host. Follows no symlink in a path, unless its description says so.
///
/// A path has no entry when a directory above it is missing. When an entry above it is not a directory (a symlink to
/// one included), the step fails with [`FailureKind::WrongType`](super::FailureKind::WrongType).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Op {
    /// Returns the identity of the host and of the user. Replies [`Reply::Identity`].
    Identify,
    /// Reads the host's clock. Replies [`Reply::Clock`].
    Clock,
    /// Inspects the entry at `path`, as `lstat(2)` does. Replies [`Reply::Entry`].
    Inspect {
        /// The path.
        path: InnerPath,
    },
    /// Inspects the target of a symlink in the root with the text `link`, as `stat(2)` does.
    ///
    /// The only operation that may look outside the root. Replies [`Reply::Entry`]; a dangling or looping symlink is
    /// `None`.
    Resolve {
        /// The text of the symlink, relative to the root or absolute.
        link: Vec<u8>,
    },
    /// Reads the text of a symlink. Replies [`Reply::Link`]; `None` when nothing exists there.
    ///
    /// Fails with [`FailureKind::WrongType`](super::FailureKind::WrongType) when the entry is not a symlink.
    ReadLink {
        /// The symlink.
        path: InnerPath,
    },
    /// Reads a regular file. Replies [`Reply::Content`].
    Read {
        /// The file.
        path: InnerPath,
        /// The limit in bytes; a larger file is [`Found::TooLarge`].
        limit: u64,
    },
    /// Reads the last `limit` bytes of a regular file, or all of a shorter one. Replies [`Reply::Content`].
    ReadEnd {
        /// The file.
        path: InnerPath,
        /// The limit in bytes.
        limit: u64,
    },
    /// Lists a directory, unordered. Replies [`Reply::Listing`]; `None` when nothing exists there.
    ///
    /// Fails with [`FailureKind::WrongType`](super::FailureKind::WrongType) when the entry is not a directory.
    List {
        /// The directory.
        path: InnerPath,
    },
    /// Reads the file `file` of each directory in `path`.
    ///
    /// Replies [`Reply::Contents`], without the directories that lack the file; empty when `path` does not exist.
    ReadEach {
        /// The parent of the directories.
        path: InnerPath,
        /// The file's name in each of them (one name).
        file: InnerPath,
        /// The limit for each file, in bytes.
        limit: u64,
    },
    /// Follows a chain of directories in `trees`, and reads the record of each and files that belong to it.
    ///
    /// The record names the next directory, as [`TreeName::Recorded`] does. The files lie in the directory of the same
    /// name in `lists`. The chain ends where no directory of the name exists, at a record that names none, before a
    /// directory occurs twice, and after `most` directories. Replies [`Reply::Chain`]; empty when there is no first
    /// name or no `trees`.
    ///
    /// Fails with [`FailureKind::WrongType`](super::FailureKind::WrongType) when `trees` is not a directory. A file in
    /// `lists` that cannot be reached is [`Found::Unreadable`].
    ReadChain {
        /// The parent of the directories.
        trees: InnerPath,
        /// The first directory of the chain.
        from: TreeName,
        /// The record in each of them.
        record: BoundedFile,
        /// The parent of the directories with the same names, which hold the files of each.
        lists: InnerPath,
        /// The files to read there.
        files: Vec<BoundedFile>,
        /// The limit on the length of the chain.
        most: u32,
    },
    /// Lists a directory recursively without following symlinks.
    ///
    /// An entry has at most [`MAX_DEPTH`](crate::manifest::MAX_DEPTH) directories above it; a directory that holds more
    /// is [`Seen::TooDeep`](crate::manifest::Seen::TooDeep). Replies [`Reply::Survey`]; `None` when nothing exists
    /// there.
    ///
    /// Fails with [`FailureKind::WrongType`](super::FailureKind::WrongType) when the entry is not a directory, and when
    /// a part of it cannot be listed. A file whose content cannot be read has no digest in the reply.
    Survey {
        /// The directory.
        path: InnerPath,
        /// Whether to read and digest the content of every file.
        digests: bool,
    },
    /// Compares a tree with its manifest ([`Form::Manifest`](crate::manifest::Form::Manifest)) on the host.
    ///
    /// Only the number of differences and the first of them go over the network. Replies [`Reply::Comparison`].
    CompareTree {
        /// The parent of the trees.
        trees: InnerPath,
        /// The tree: a name in `trees`.
        name: TreeName,
        /// The parent of the directories that have the trees' names and hold their lists.
        lists: InnerPath,
        /// The manifest's name there (one name).
        manifest: InnerPath,
        /// Whether to read and compare the content of every file too.
        contents: bool,
        /// The users who may own the entries that the manifest lists; `None` to accept any owner.
        owners: Option<Vec<u32>>,
        /// Paths in the tree to ignore, with all below them. Directories that lead to them may be added.
        except: Vec<InnerPath>,
    },
    /// Finds the entries of a [`Op::Snapshot`] of the directory `tree` that have changed since, in any way.
    ///
    /// Replies [`Reply::Changes`]; `None` when there is no tree, or no snapshot of it.
    ///
    /// Fails with [`FailureKind::Mismatch`](super::FailureKind::Mismatch) when the snapshot is torn, and fails when an
    /// entry cannot be inspected: only an entry known to be absent counts as gone. Below a symlink that replaced a
    /// directory, entries are absent.
    Changes {
        /// The directory.
        tree: InnerPath,
        /// The file that [`Op::Snapshot`] wrote.
        since: InnerPath,
    },
    /// Checks whether the process that [`Op::MarkProcess`] marked `path` with still runs. Replies
    /// [`Reply::Process`].
    CheckProcess {
        /// The marked file.
        path: InnerPath,
    },
    /// Finds the processes of the host that use entries of the directory `path`.
    ///
    /// A process uses an entry when its working directory, its `/`, its executable, a mapped file or a file open for
    /// writing lies there, or when a mount that it sees, in any mount namespace, comes from there or lies there.
    /// Replies [`Reply::Users`](super::Reply::Users), without users when there is no `path`.
    ///
    /// Sees no more than `/proc` shows: not the processes of other users where the user may not inspect them.
    FindUsers {
        /// The directory.
        path: InnerPath,
    },
    /// Inspects the directories from `/` to the root, and from the root to each of `paths`.
    ///
    /// Replies [`Reply::Way`](super::Reply::Way) with their owners and modes. Below the root, skips missing entries and
    /// those that are not directories.
    InspectWay {
        /// The paths inside the root.
        paths: Vec<InnerPath>,
    },
    /// Looks up a group of the host, whether the user belongs to it, and the group of each of `paths`.
    ///
    /// Replies [`Reply::Group`](super::Reply::Group); `None` when the host has no such group.
    InspectGroup {
        /// The group's name.
        name: GroupName,
        /// The directories to inspect.
        paths: Vec<InnerPath>,
        /// A directory whose entries' owners are looked up too.
        below: InnerPath,
    },
    /// Checks that nothing, not even a dangling symlink, exists at `path`.
    ///
    /// Else fails with [`FailureKind::Exists`](super::FailureKind::Exists).
    ExpectAbsent {
        /// The path.
        path: InnerPath,
    },
    /// Checks that nothing is mounted at `path` or below it.
    ///
    /// Else fails with [`FailureKind::CrossDevice`](super::FailureKind::CrossDevice). Holds when `path` does not exist.
    ExpectUnmounted {
        /// The path.
        path: InnerPath,
    },
    /// Checks that a directory (not a symlink to one) exists at `path`.
    ///
    /// Else fails with [`FailureKind::Missing`](super::FailureKind::Missing) or
    /// [`FailureKind::WrongType`](super::FailureKind::WrongType).
    ExpectDirectory {
        /// The path.
        path: InnerPath,
    },
    /// Checks that the user may create and remove names in the directory at `path`, without trying it.
    ///
    /// Else fails with [`FailureKind::Denied`](super::FailureKind::Denied),
    /// [`FailureKind::ReadOnly`](super::FailureKind::ReadOnly), or as [`Op::ExpectDirectory`] does. Changes nothing, so
    /// it knows no more than the host can tell in advance.
    ExpectWritable {
        /// The directory.
        path: InnerPath,
    },
    /// Checks that a symlink with exactly this text exists at `path`.
    ///
    /// Else fails with [`FailureKind::Mismatch`](super::FailureKind::Mismatch), whose detail names the entry found.
    ExpectLink {
        /// The path.
        path: InnerPath,
        /// The expected text.
        text: Vec<u8>,
    },
    /// Creates a directory with exactly this mode, whatever the umask, plus the setgid bit of its parent.
    MakeDir {
        /// The directory; its parent must exist.
        path: InnerPath,
        /// Its mode, e.g. `0o755`.
        mode: u32,
        /// Whether to accept an existing directory (its mode stays).
        ///
        /// If not, an existing directory fails with [`FailureKind::Exists`](super::FailureKind::Exists), as any other
        /// entry always does.
        existing_is_fine: bool,
    },
    /// Gives a directory to a group and sets `g+rwxs` on it.
    ///
    /// Its members may then do anything in it, and the setgid bit passes the group on to entries created later. Entries
    /// that have the group and these bits stay as they are. Fails where the user lacks the right: only the owner of a
    /// directory may give it, and only to a group that the owner belongs to. Also fails where another group may write
    /// to the directory and others may not, unless only directories are given: files of that group would count as the
    /// new group's.
    GiveToGroup {
        /// The directory.
        path: InnerPath,
        /// The group's name.
        group: GroupName,
        /// The part of the directory to give.
        reach: GroupReach,
    },
    /// Creates a symlink; fails with [`FailureKind::Exists`](super::FailureKind::Exists) when any entry exists
    /// there.
    MakeLink {
        /// The new symlink.
        path: InnerPath,
        /// Its text.
        text: Vec<u8>,
    },
    /// Writes a new regular file with exactly this mode.
    ///
    /// Fails with [`FailureKind::Exists`](super::FailureKind::Exists) when any entry, a symlink included, exists there.
    WriteNew {
        /// The new file.
        path: InnerPath,
        /// Its content: text without NUL bytes.
        content: String,
        /// Its mode, e.g. `0o600`.
        mode: u32,
    },
    /// Writes a new file (mode 0600) from which [`Op::Changes`] finds later changes in the directory `tree`.
    ///
    /// It covers the entries that a listing of the tree ([`Form::Listing`](crate::manifest::Form::Listing)) names, and
    /// no others.
    ///
    /// Fails with [`FailureKind::Missing`](super::FailureKind::Missing) when there is no tree or no listing.
    Snapshot {
        /// The directory.
        tree: InnerPath,
        /// Its listing.
        list: InnerPath,
        /// The new file, outside of the tree.
        into: InnerPath,
    },
    /// Writes a new file (mode 0600) that identifies the process that runs this connection's batches.
    ///
    /// It holds the process's id and start time and the host's boot. [`Op::CheckProcess`] reads it.
    MarkProcess {
        /// The new file.
        path: InnerPath,
    },
    /// Appends to a regular file in one write. Creates a missing file (mode 0600).
    Append {
        /// The file.
        path: InnerPath,
        /// The text to append, without NUL bytes.
        content: String,
    },
    /// Renames `from` to the same name in the directory `into`: one `rename(2)`.
    ///
    /// Atomically replaces a file, a symlink or an empty directory of that name as POSIX specifies, and refuses to
    /// replace anything else.
    ///
    /// Fails with [`FailureKind::Missing`](super::FailureKind::Missing) when `from` does not exist,
    /// [`FailureKind::Exists`](super::FailureKind::Exists) when a non-empty directory is in the way, and
    /// [`FailureKind::WrongType`](super::FailureKind::WrongType) when a directory would replace a file, or a file a
    /// directory.
    MoveInto {
        /// The entry to move.
        from: InnerPath,
        /// The directory to move it into.
        into: InnerPath,
    },
    /// Renames `from` to the free name `to`: one `rename(2)`, which replaces nothing.
    ///
    /// Fails with [`FailureKind::Exists`](super::FailureKind::Exists) when an entry exists at `to`, and with
    /// [`FailureKind::Missing`](super::FailureKind::Missing) when none exists at `from`.
    Rename {
        /// The entry to rename.
        from: InnerPath,
        /// Its new path.
        to: InnerPath,
    },
    /// Exchanges the entries at two paths atomically: `renameat2(2)` with `RENAME_EXCHANGE`.
    ///
    /// Where the host cannot, fails with [`FailureKind::Io`](super::FailureKind::Io) and has no effect.
    Exchange {
        /// The first path.
        one: InnerPath,
        /// The second path.
        other: InnerPath,
    },
    /// Removes a file or a symlink. Succeeds when nothing exists there.
    RemoveFile {
        /// The file.
        path: InnerPath,
    },
    /// Removes an empty directory. Succeeds when nothing exists there.
    ///
    /// Fails with [`FailureKind::Exists`](super::FailureKind::Exists) when the directory is not empty.
    RemoveDir {
        /// The directory.
        path: InnerPath,
    },
    /// Removes the entry at `path`, a directory with all that it holds, without following symlinks.
    ///
    /// The only step whose failure may leave a part of its effect: entries removed before the failure stay removed.
    RemoveTree {
        /// The path, never the root itself.
        path: InnerPath,
    },
    /// Syncs written data to disk, all of it or it fails. A failed sync is never retried, as a retry may falsely
    /// succeed.
    Sync {
        /// The files and directories.
        paths: Vec<InnerPath>,
        /// The extent of the sync.
        reach: SyncReach,
    },
}

impl Op {
    /// Returns the name of the operation, for messages.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{self:?}").split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
    }

    /// Whether it reads every file of a tree, which takes time in proportion to the tree's size.
    pub(in crate::transport) fn reads_contents(&self) -> bool {
        matches!(
            self,
            Self::Survey { digests: true, .. } | Self::CompareTree { contents: true, .. } | Self::Changes { .. }
        )
    }

    /// Whether it changes the host. A sync does not: it makes durable what already exists.
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

/// The extent of an [`Op::Sync`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncReach {
    /// Syncs the named files and directories themselves, not their contents: `fsync(2)`.
    Entries,
    /// Syncs the whole filesystems that hold them: `syncfs(2)`.
    ///
    /// For content just uploaded this is many times faster than syncing file by file.
    Filesystem,
}

/// The reply to one step.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// A check held, or a change was made.
    Done,
    /// The reply to [`Op::Identify`].
    Identity(HostIdentity),
    /// The reply to [`Op::Clock`].
    Clock(Timestamp),
    /// The reply to [`Op::Inspect`] and [`Op::Resolve`]: `None` when nothing exists there.
    Entry(Option<Entry>),
    /// The reply to [`Op::ReadLink`]: the symlink's text.
    Link(Option<Vec<u8>>),
    /// The reply to [`Op::Read`] and [`Op::ReadEnd`]: `None` when nothing exists there.
    Content(Option<Found>),
    /// The reply to [`Op::List`].
    Listing(Option<Vec<Listed>>),
    /// The reply to [`Op::ReadEach`]: each directory's name and its file.
    Contents(Vec<(Vec<u8>, OwnedFile)>),
    /// The reply to [`Op::ReadChain`], in the order of the chain.
    Chain(Vec<ChainLink>),
    /// The reply to [`Op::Survey`], unordered.
    Survey(Option<Vec<Surveyed>>),
    /// The reply to [`Op::CompareTree`].
    Comparison(Comparison),
    /// The reply to [`Op::Changes`].
    Changes(Option<Changes>),
    /// The reply to [`Op::CheckProcess`].
    Process(Liveness),
    /// The reply to [`Op::FindUsers`].
    Users(Users),
    /// The reply to [`Op::InspectWay`]: the directories from `/` to the root, then those below.
    Way(Vec<Passed>),
    /// The reply to [`Op::InspectGroup`].
    Group(Option<Group>),
    /// The failure of an [`OnFailure::GoOn`] step.
    Failed(StepFailure),
}
