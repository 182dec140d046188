//! The state of a host that replies report.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

use super::StepFailure;

/// The processes that use entries of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Users {
    /// The entries in use, each name once, sorted.
    pub used: Vec<Used>,
    /// Whether every process of the host could be inspected. Only root can inspect those of other users.
    pub all_seen: bool,
}

impl Users {
    /// Creates a value without users.
    #[must_use]
    pub fn none() -> Self {
        Self { used: Vec::new(), all_seen: true }
    }
}

/// A name in a directory that a process uses, itself or an entry below it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Used {
    /// The name: any bytes but `/` and NUL.
    pub name: Vec<u8>,
    /// One of the processes that use it.
    pub process: u32,
}

/// A directory on the path to an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// Its absolute path on the host, for messages, with invalid UTF-8 replaced.
    pub path: String,
    /// Its attributes.
    pub entry: Entry,
}

/// One name in a directory, and its entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The name: any bytes but `/` and NUL.
    pub name: Vec<u8>,
    /// The entry, as `lstat(2)` reports it.
    pub entry: Entry,
}

/// The result of a read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A regular file with this content.
    Content(Vec<u8>),
    /// A regular file larger than the limit.
    TooLarge,
    /// An entry that is not a regular file.
    NotAFile(EntryKind),
    /// A file that could not be read.
    Unreadable(StepFailure),
}

/// A file read from one of several directories, and its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedFile {
    /// The user id that owns it; `None` where it was not determined.
    pub owner: Option<u32>,
    /// The result of the read.
    pub found: Found,
}

impl OwnedFile {
    /// Creates a file with an unknown owner.
    #[must_use]
    pub fn unowned(found: Found) -> Self {
        Self { owner: None, found }
    }
}

/// An entry of a filesystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its kind.
    pub kind: EntryKind,
    /// Its permission bits, `0o7777` at most.
    pub mode: u32,
    /// The user id that owns it.
    pub owner: u32,
    /// Its device and inode, which stay the same when its path changes.
    pub id: FileId,
    /// Its size in bytes; for a directory, the filesystem's own figure.
    pub size: u64,
    /// The time of its last content change, in seconds since the Unix epoch.
    pub modified: i64,
}

/// The kind of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum EntryKind {
    /// A directory.
    #[serde(rename = "directory")]
    Directory,
    /// A regular file.
    #[serde(rename = "file")]
    File,
    /// A symlink.
    #[serde(rename = "link")]
    Link,
    /// A device, fifo or socket.
    #[serde(rename = "other")]
    Other,
}

impl EntryKind {
    /// Returns the kind with its article, for messages.
    #[must_use]
    pub(crate) fn with_article(self) -> &'static str {
        match self {
            Self::Directory => "a directory",
            Self::File => "a file",
            Self::Link => "a link",
            Self::Other => "a device, fifo or socket",
        }
    }
}

/// The identity of a file on a host, independent of its path: device and inode (`stat(2)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileId {
    /// The device number.
    #[serde(rename = "device")]
    pub device: u64,
    /// The inode number.
    #[serde(rename = "inode")]
    pub inode: u64,
}

/// The identity of a host and of the user on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostIdentity {
    /// The user that runs the batches.
    pub user: String,
    /// That user's id.
    pub uid: u32,
    /// The host's name for itself.
    pub hostname: String,
    /// The id of the kernel's boot, which no other kernel shares; `None` where the host cannot tell.
    pub boot: Option<String>,
    /// The root's identity, after following the symlink that it may be.
    pub root: FileId,
    /// The kind of filesystem that holds the root; `None` where the host cannot tell.
    pub filesystem: Option<FilesystemKind>,
    /// The host's clock.
    pub clock: Timestamp,
}

/// A kind of filesystem: `f_type` of `statfs(2)`, which `stat -f -c %t` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FilesystemKind(pub u32);

impl FilesystemKind {
    /// Returns its name, if other machines may have it mounted at the same time.
    ///
    /// ```
    /// use switchback::transport::FilesystemKind;
    ///
    /// assert_eq!(FilesystemKind(0x6969).network(), Some("NFS"));
    /// assert_eq!(FilesystemKind(0xef53).network(), None); // ext4
    /// ```
    #[must_use]
    pub fn network(self) -> Option<&'static str> {
        Some(match self.0 {
            0x6969 => "NFS",
            0x517b | 0xff53_4d42 | 0xfe53_4d42 => "SMB",
            0x00c3_6400 => "Ceph",
            0x5346_414f | 0x6b41_4653 => "AFS",
            0x0bd0_0bd0 => "Lustre",
            0x0116_1970 => "GFS2",
            0x7461_636f => "OCFS2",
            0x4750_4653 => "GPFS",
            _ => return None,
        })
    }
}

/// The state of a marked process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Liveness {
    /// The same process runs: same id, same start time, same boot.
    #[serde(rename = "alive")]
    Alive,
    /// The process has provably ended: the host has rebooted, or no process has its id and start time.
    #[serde(rename = "gone")]
    Gone,
    /// The state cannot be determined: the mark is missing or unreadable, or the host cannot tell.
    #[serde(rename = "unknown", other)]
    Unknown,
}
