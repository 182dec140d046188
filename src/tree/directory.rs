//! Trees from a directory.

use std::{
    collections::HashMap,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use camino::Utf8Path;
use rustix::{
    fs::{FileType, Stat},
    io::Errno,
};

use crate::manifest::{Digest, Manifest, ManifestNode};

use super::{
    Content, Limits, Node, SourceOptions, Tree, TreeEntry, TreeError, Visit, Wanted,
    cache::{Cache, Mark},
    descent::Descent,
    error::{Refusal, shown},
    exact::{Exact, Failure},
    exclude::Exclude,
    inventory::Inventory,
    limits::Exceeded,
    stamp::Stamp,
};

/// Below both of these, reading the source is faster than reading its cached digests.
const WORTH_ENTRIES: usize = 64;
const WORTH_BYTES: u64 = 1 << 20;

/// The content of a directory, as scanned.
#[derive(Debug)]
struct Directory {
    root: PathBuf,
    /// The stamp of each entry.
    stamps: Vec<Stamp>,
    /// The mark of each entry, for the cache.
    marks: Vec<Mark>,
    cache: Option<Cache>,
}

impl Tree {
    /// Opens the directory at `path` with the default [`Limits`]; see [`open`](Self::open).
    ///
    /// # Errors
    ///
    /// [`TreeError`], with no file changed.
    pub fn from_directory(path: &Utf8Path) -> Result<Self, TreeError> {
        scan(path, &SourceOptions::default())
    }
}

/// Scans the directory at `path`: the entries of each directory by name, parents first.
pub(super) fn scan(path: &Utf8Path, options: &SourceOptions) -> Result<Tree, TreeError> {
    let (limits, exclude) = (&options.limits, Exclude::new(&options.exclude)?);
    let unreadable = |error| TreeError::read(path.as_str().as_bytes(), error);
    // A symlink as the source is followed once, here: if it is switched later, the release stays the scanned one.
    let root = path.as_std_path().canonicalize().map_err(unreadable)?;
    let mut descent = Descent::new(&root).map_err(|error| unreadable(error.into()))?;
    let cache = options.digest_cache.as_ref().map(|directory| Cache::new(directory.as_std_path(), &root));
    let mut inventory = Inventory::new(limits);
    let (mut stamps, mut marks) = (Vec::new(), Vec::new());
    let mut ahead = below(&mut descent, b"", limits)?;
    while let Some(path) = ahead.pop() {
        let stat = descent.stat(&path).map_err(|error| gone_or_unreadable(&path, error))?;
        if exclude.matches(&path, FileType::from_raw_mode(stat.st_mode) == FileType::Directory) {
            continue;
        }
        let (entry, stamp) = entry(&mut descent, path, &stat)?;
        if entry.node == Node::Directory {
            ahead.append(&mut below(&mut descent, &entry.path, limits)?);
        }
        inventory.append(entry)?;
        stamps.push(stamp);
        marks.push(Mark::of(&stat));
    }
    let entries = inventory.finish()?;
    let is_large = entries.len() >= WORTH_ENTRIES || entries.iter().map(TreeEntry::size).sum::<u64>() >= WORTH_BYTES;
    Ok(Tree::new(entries, Arc::new(Directory { root, stamps, marks, cache: cache.filter(|_| is_large) })))
}

/// Returns the paths in the directory at `path`, in reverse order.
fn below(descent: &mut Descent, path: &[u8], limits: &Limits) -> Result<Vec<Vec<u8>>, TreeError> {
    // Checked before descending, so that directories deeper than the limit are never opened.
    limits.check_path(path).map_err(|limit| TreeError::TooLarge { path: shown(path), limit })?;
    let names = descent.names(path, limits.entries).map_err(|error| TreeError::read(path, error))?;
    if names.len() as u64 > limits.entries {
        return Err(TreeError::TooLarge { path: shown(path), limit: Exceeded::Entries(limits.entries) });
    }
    let join = |name: Vec<u8>| if path.is_empty() { name } else { [path, &name].join(&b'/') };
    Ok(names.into_iter().rev().map(join).collect())
}

/// Builds the entry at `path`.
fn entry(descent: &mut Descent, path: Vec<u8>, stat: &Stat) -> Result<(TreeEntry, Stamp), TreeError> {
    let stamp = Stamp::of(stat);
    let node = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Node::Directory,
        FileType::RegularFile => Node::File { size: stamp.size },
        FileType::Symlink => {
            Node::Link { target: descent.read_link(&path).map_err(|error| gone_or_unreadable(&path, error))? }
        }
        FileType::Fifo => return Err(TreeError::refused(&path, Refusal::Fifo)),
        FileType::Socket => return Err(TreeError::refused(&path, Refusal::Socket)),
        FileType::CharacterDevice | FileType::BlockDevice => return Err(TreeError::refused(&path, Refusal::Device)),
        FileType::Unknown => return Err(TreeError::refused(&path, Refusal::UnknownType(b'?'))),
    };
    Ok((TreeEntry::new(path, permissions(stat), node), stamp))
}

fn permissions(stat: &Stat) -> u32 {
    // The type of a mode differs between systems, but these bits fit into any.
    (u64::from(stat.st_mode) & 0o777) as u32
}

/// Maps an error on a path that the scan saw: a missing entry, or one of another kind, means that the source
/// changed.
fn gone_or_unreadable(path: &[u8], error: Errno) -> TreeError {
    match error {
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::INVAL | Errno::NXIO => TreeError::changed(path),
        other => TreeError::read(path, other),
    }
}

impl Content for Directory {
    fn read(&self, entries: &[TreeEntry], wanted: &Wanted<'_>, visit: &mut Visit<'_>) -> Result<(), TreeError> {
        let root = self.root.as_os_str().as_encoded_bytes();
        let mut descent = Descent::new(&self.root).map_err(|error| gone_or_unreadable(root, error))?;
        entries.iter().zip(&self.stamps).try_for_each(|(entry, stamp)| match &entry.node {
            Node::File { .. } if wanted(entry) => pass_on(&mut descent, entry, *stamp, visit),
            Node::File { .. } => pass_over(&mut descent, entry, *stamp, visit),
            Node::Directory | Node::Link { .. } => {
                hold_against(&mut descent, entry).map_err(|error| gone_or_unreadable(&entry.path, error))?;
                visit(entry, &mut io::empty()).map_err(TreeError::Visit)
            }
        })
    }

    fn known(&self, entries: &[TreeEntry]) -> HashMap<Vec<u8>, Digest> {
        self.cache.as_ref().map(|cache| cache.known(self.files(entries))).unwrap_or_default()
    }

    fn keep(&self, entries: &[TreeEntry], manifest: &Manifest) {
        let digested = |(path, mark)| match manifest.entry(path)?.node {
            ManifestNode::File { digest, .. } => Some((path, mark, digest)),
            _ => None,
        };
        if let Some(cache) = &self.cache {
            cache.keep(self.files(entries).filter_map(digested));
        }
    }

    fn place_of(&self, path: &Path) -> Option<Vec<u8>> {
        Some(path.strip_prefix(&self.root).ok()?.as_os_str().as_encoded_bytes().to_vec())
    }

    fn forget(&self) {
        if let Some(cache) = &self.cache {
            cache.forget();
        }
    }
}

impl Directory {
    /// Returns the files of `entries` with their marks.
    fn files<'e>(&self, entries: &'e [TreeEntry]) -> impl Iterator<Item = (&'e [u8], Mark)> {
        let is_file = |(entry, _): &(&TreeEntry, &Mark)| matches!(entry.node, Node::File { .. });
        entries.iter().zip(&self.marks).filter(is_file).map(|(entry, mark)| (&entry.path[..], *mark))
    }
}

/// Checks a directory or a symlink against the scan; reports a different one as missing.
fn hold_against(descent: &mut Descent, entry: &TreeEntry) -> Result<(), Errno> {
    let same = match &entry.node {
        Node::Link { target } => descent.read_link(&entry.path)? == *target,
        _ => FileType::from_raw_mode(descent.stat(&entry.path)?.st_mode) == FileType::Directory,
    };
    if same { Ok(()) } else { Err(Errno::NOENT) }
}

/// Visits a file, and checks it against the scan before and after.
fn pass_on(descent: &mut Descent, entry: &TreeEntry, stamp: Stamp, visit: &mut Visit<'_>) -> Result<(), TreeError> {
    let path = &entry.path;
    let file = File::from(descent.open_file(path).map_err(|error| gone_or_unreadable(path, error))?);
    let hold = || match Stamp::of_open(&file) {
        Ok(now) if now == stamp => Ok(()),
        Ok(_) => Err(TreeError::changed(path)),
        Err(error) => Err(TreeError::read(path, error)),
    };
    hold()?;
    let mut content = Exact::new(&file, stamp.size);
    let visited = visit(entry, &mut content);
    content.failure().map_err(|failure| match failure {
        Failure::Short => TreeError::changed(path),
        Failure::Read(error) => TreeError::read(path, error),
    })?;
    visited.map_err(TreeError::Visit)?;
    hold()
}

/// Visits a file without its content, and checks its metadata against the scan.
fn pass_over(descent: &mut Descent, entry: &TreeEntry, stamp: Stamp, visit: &mut Visit<'_>) -> Result<(), TreeError> {
    let now = descent.stat(&entry.path).map_err(|error| gone_or_unreadable(&entry.path, error))?;
    if Stamp::of(&now) != stamp {
        return Err(TreeError::changed(&entry.path));
    }
    visit(entry, &mut io::empty()).map_err(TreeError::Visit)
}
