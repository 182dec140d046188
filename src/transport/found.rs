//! What a host says of what stands on it.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

use super::StepFailure;

/// Which processes use what stands in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Users {
    /// What is used, each name once, in order.
    pub used: Vec<Used>,
    /// Whether every process of the host could be looked at. Only root sees those of others.
    pub all_seen: bool,
}

impl Users {
    /// Nobody uses anything.
    #[must_use]
    pub fn none() -> Self {
        Self { used: Vec::new(), all_seen: true }
    }
}

/// A name in a directory that a process uses, or something below it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Used {
    /// The name: any bytes but `/` and NUL.
    pub name: Vec<u8>,
    /// One of the processes that use it.
    pub process: u32,
}

/// A directory on the way to a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// Its absolute path on the host, for messages: what is not UTF-8 in it is replaced.
    pub path: String,
    /// What it is.
    pub entry: Entry,
}

/// One name in a directory, and what stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The name: any bytes but `/` and NUL.
    pub name: Vec<u8>,
    /// What stands there, as `lstat(2)`.
    pub entry: Entry,
}

/// What a read found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A regular file with this content.
    Content(Vec<u8>),
    /// A regular file larger than the limit.
    TooLarge,
    /// Something that is no regular file.
    NotAFile(EntryKind),
    /// A file that could not be read.
    Unreadable(StepFailure),
}

/// A file that was read where it stands in one of several directories, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedFile {
    /// The user id that owns it; `None` where that was not looked at.
    pub owner: Option<u32>,
    /// What the read found.
    pub found: Found,
}

impl OwnedFile {
    /// A file whose owner is not known.
    #[must_use]
    pub fn unowned(found: Found) -> Self {
        Self { owner: None, found }
    }
}

/// What stands at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its kind.
    pub kind: EntryKind,
    /// Its permission bits, `0o7777` at most.
    pub mode: u32,
    /// The user id that owns it.
    pub owner: u32,
    /// Which file it is, whatever its path is called.
    pub id: FileId,
    /// Its size in bytes; of a directory, whatever the filesystem says.
    pub size: u64,
    /// When its content last changed, in seconds since the Unix epoch.
    pub modified: i64,
}

/// The kind of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link.
    Link,
    /// A device, fifo or socket.
    Other,
}

impl EntryKind {
    /// The kind with its article, for messages.
    #[must_use]
    pub fn with_article(self) -> &'static str {
        match self {
            Self::Directory => "a directory",
            Self::File => "a file",
            Self::Link => "a link",
            Self::Other => "a device, fifo or socket",
        }
    }
}

/// Identifies a file on a host, whatever its path is called: device and inode (`stat(2)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileId {
    /// The device number.
    pub device: u64,
    /// The inode number.
    pub inode: u64,
}

/// Who and what answers on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostIdentity {
    /// The user the work is done as.
    pub user: String,
    /// That user's id.
    pub uid: u32,
    /// What the host calls itself.
    pub hostname: String,
    /// The boot that the host's kernel runs since, which no other kernel shares; `None` where the host cannot tell.
    pub boot: Option<String>,
    /// The root, after following the one link that it may be.
    pub root: FileId,
    /// What kind of filesystem the root lies on; `None` where the host cannot tell.
    pub filesystem: Option<FilesystemKind>,
    /// The host's clock.
    pub clock: Timestamp,
}

/// A kind of filesystem: what `statfs(2)` calls `f_type`, and `stat -f -c %t` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FilesystemKind(pub u32);

impl FilesystemKind {
    /// What it is called, when it is one that other machines may have mounted at the same time.
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

/// Whether a marked process still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Liveness {
    /// The very process runs: same id, same start time, same boot.
    Alive,
    /// It is proven gone: the host has booted since, or no process has its id and start time.
    Gone,
    /// Nothing can be said: there is no mark, or it cannot be read, or the host cannot tell.
    Unknown,
}
