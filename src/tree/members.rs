//! The members of a tar stream, one by one, each validated on its own.

use std::io::{self, Read};

use tar::{Entry, EntryType, PaxExtension};

use super::{
    Limits, Node, TreeEntry, TreeError,
    entry_path::checked,
    error::{Refusal, shown},
    exact::{Exact, Failure},
    meter::{Meter, Metered},
};

/// The callback of [`read`] for each member.
pub(super) type Take<'t> = dyn FnMut(Member, &mut dyn Read) -> Result<(), TreeError> + 't;

/// A member of an archive.
#[derive(Debug)]
pub(super) enum Member {
    /// An entry, whose content follows.
    Entry(TreeEntry),
    /// Another name `path` for the earlier member at `target`.
    HardLink { path: Vec<u8>, target: Vec<u8> },
}

/// The archive to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Archived<'a> {
    /// The path as given.
    pub(super) name: &'a str,
    /// The size of the archive file, in bytes.
    pub(super) packed: u64,
    pub(super) limits: &'a Limits,
    /// The number of leading directories to strip from each path.
    pub(super) strip: usize,
}

/// Reads the tar stream of the archive to its very end, and calls `take` for each member with its content.
///
/// The end-of-archive marker must be there, and nothing but zeros after it. A stream that was truncated, even between
/// two members, is therefore never mistaken for a complete one.
pub(super) fn read(archived: Archived<'_>, stream: impl Read, take: &mut Take<'_>) -> Result<(), TreeError> {
    let Archived { name, packed, limits, strip } = archived;
    let meter = Meter::new(limits, packed);
    let broken = |error| match meter.exceeded() {
        Some(limit) => TreeError::TooLarge { path: shown(name.as_bytes()), limit },
        None => damaged(name, error),
    };
    let mut archive = tar::Archive::new(Metered::new(stream, &meter));
    let mut entries = archive.entries().map_err(broken)?;
    loop {
        meter.expect_header();
        let Some(entry) = entries.next() else { break };
        let mut entry = entry.map_err(broken)?;
        let Some(member) = member(&mut entry, strip, &broken)? else { continue };
        meter.expect_content();
        let size = entry.size();
        let mut content = Exact::new(entry, size);
        let taken = take(member, &mut content);
        content.failure().map_err(|failure| broken(failure.into()))?;
        taken?;
        content.drain().map_err(|failure| broken(failure.into()))?;
    }
    // The `tar` crate also ends the entries at the end of the stream; only the meter shows that the marker was missing.
    if meter.ended() {
        return Err(broken(io::Error::new(io::ErrorKind::UnexpectedEof, "the mark at its end is missing")));
    }
    meter.expect_content();
    only_zeros(archive.into_inner()).map_err(broken)
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Short => Self::new(io::ErrorKind::UnexpectedEof, "it ends within a file"),
            Failure::Read(error) => error,
        }
    }
}

/// Builds the error for an archive `name` that cannot be read: the system's fault, or its own.
pub(super) fn damaged(name: &str, error: io::Error) -> TreeError {
    if error.raw_os_error().is_some() {
        return TreeError::read(name.as_bytes(), error);
    }
    TreeError::Damaged { path: shown(name.as_bytes()), source: error }
}

/// Reads the padding after the end-of-archive marker.
fn only_zeros(mut rest: impl Read) -> io::Result<()> {
    let mut buffer = [0; 16 << 10];
    loop {
        match rest.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) if buffer[..read].iter().all(|byte| *byte == 0) => {}
            Ok(_) => return Err(io::Error::other("it has data after its end; are these two archives in one?")),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Converts a tar entry to a member; `None` for the release's own directory, a stripped directory or a global
/// header.
fn member<R: Read>(
    entry: &mut Entry<'_, R>,
    strip: usize,
    broken: &impl Fn(io::Error) -> TreeError,
) -> Result<Option<Member>, TreeError> {
    let raw = entry.path_bytes().into_owned();
    let refuse = |why| TreeError::refused(&raw, why);
    let extensions = entry.pax_extensions().map_err(broken)?;
    let extensions = Extensions::read(extensions.into_iter().flatten()).map_err(refuse)?;
    if entry.header().entry_type() == EntryType::XGlobalHeader {
        return extensions.check_for_all().map_err(refuse).map(|()| None);
    }
    extensions.check_size(entry.size()).map_err(refuse)?;
    if entry.header().entry_type() == EntryType::Link {
        return hard_link(entry, &raw, strip).map(Some).map_err(refuse);
    }
    let node = node(entry, &raw).map_err(refuse)?;
    let mode = entry.header().mode().map_err(broken)?;
    // On a directory, a setgid bit gives no rights; as for a source directory, it is not kept.
    if mode & 0o6000 != 0 && node != Node::Directory {
        return Err(refuse(Refusal::Setuid));
    }
    let path = checked(plain(&raw, &node)).map_err(refuse)?;
    match (path.map(|path| stripped(path, strip)), &node) {
        (Some(Some(path)), _) => Ok(Some(Member::Entry(TreeEntry::new(path.to_vec(), mode, node)))),
        (_, Node::Directory) => Ok(None),
        (Some(None), _) => Err(refuse(Refusal::TooShallow(strip))),
        (None, _) => Err(refuse(Refusal::EmptyName)),
    }
}

/// Strips the first `strip` names, if there are more.
fn stripped(path: &[u8], strip: usize) -> Option<&[u8]> {
    match strip {
        0 => Some(path),
        _ => path.splitn(strip.saturating_add(1), |byte| *byte == b'/').nth(strip),
    }
}

/// Converts a hard link entry.
fn hard_link<R: Read>(entry: &Entry<'_, R>, raw: &[u8], strip: usize) -> Result<Member, Refusal> {
    if entry.size() != 0 {
        return Err(Refusal::UnexpectedContent);
    }
    let whole = |path: &[u8]| -> Result<Vec<u8>, Refusal> {
        let path = checked(path)?.ok_or(Refusal::EmptyName)?;
        Ok(stripped(path, strip).ok_or(Refusal::TooShallow(strip))?.to_vec())
    };
    let target = entry.link_name_bytes().unwrap_or_default();
    Ok(Member::HardLink { path: whole(raw)?, target: whole(&target)? })
}

/// Returns the kind of `entry`, if a release may contain it.
fn node<R: Read>(entry: &Entry<'_, R>, path: &[u8]) -> Result<Node, Refusal> {
    let node = match entry.header().entry_type() {
        // Before POSIX, a directory was an empty file whose name ends with a slash.
        EntryType::Regular if path.ends_with(b"/") && entry.size() == 0 => Node::Directory,
        EntryType::Regular | EntryType::Continuous => return Ok(Node::File { size: entry.size() }),
        EntryType::Directory => Node::Directory,
        EntryType::Symlink => Node::Link { target: entry.link_name_bytes().unwrap_or_default().into_owned() },
        EntryType::Char | EntryType::Block => return Err(Refusal::Device),
        EntryType::Fifo => return Err(Refusal::Fifo),
        EntryType::GNUSparse => return Err(Refusal::Sparse),
        other => return Err(Refusal::UnknownType(other.as_byte())),
    };
    if entry.size() == 0 { Ok(node) } else { Err(Refusal::UnexpectedContent) }
}

/// Removes the trailing slash of a directory.
fn plain<'p>(path: &'p [u8], node: &Node) -> &'p [u8] {
    let is_directory = *node == Node::Directory;
    path.strip_suffix(b"/").filter(|_| is_directory).unwrap_or(path)
}

/// The extended headers of an entry that set its path or size: any other program that reads the archive must see
/// the same values.
#[derive(Debug, Default)]
struct Extensions {
    /// The keys that do so, each once.
    keys: Vec<Vec<u8>>,
    size: Option<u64>,
}

impl Extensions {
    fn read<'e>(records: impl Iterator<Item = io::Result<PaxExtension<'e>>>) -> Result<Self, Refusal> {
        let mut found = Self::default();
        for record in records {
            let record = record.map_err(|_| Refusal::Malformed)?;
            let key = record.key_bytes();
            if key.starts_with(b"GNU.sparse.") {
                return Err(Refusal::Sparse);
            }
            if !matches!(key, b"path" | b"linkpath" | b"size") {
                continue;
            }
            if found.keys.iter().any(|known| known == key) {
                return Err(Refusal::Malformed);
            }
            found.keys.push(key.to_vec());
            if key == b"size" {
                let size = record.value().ok().and_then(|value| value.parse().ok());
                found.size = Some(size.ok_or(Refusal::Malformed)?);
            }
        }
        Ok(found)
    }

    /// Checks them against the size of the entry.
    fn check_size(&self, size: u64) -> Result<(), Refusal> {
        if self.size.is_none_or(|own| own == size) { Ok(()) } else { Err(Refusal::Malformed) }
    }

    /// Checks global headers, such as those of `git archive` for its commit.
    fn check_for_all(&self) -> Result<(), Refusal> {
        if self.keys.is_empty() { Ok(()) } else { Err(Refusal::Malformed) }
    }
}
