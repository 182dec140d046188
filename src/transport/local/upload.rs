//! Copies a tree into a directory of the root.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::OwnedFd,
};

use rustix::{
    fs::{self, AtFlags, Mode, OFlags, Timespec, Timestamps},
    io::Errno,
};
use tokio::sync::watch;

use crate::{
    manifest::{Digesting, ManifestEntry, ManifestNode},
    path::InnerPath,
    transport::{Base, EntryKind, FailureKind, StepFailure, Upload, Uploaded},
    tree::{Node, TreeEntry, TreeError},
};

use super::{
    ask, change,
    errno::{self, Result},
    root::{self, Root, enter, make_directory, set_mode},
};

/// The side on which an upload failed, with the cause.
#[derive(Debug)]
pub(super) enum Failed {
    /// On the host.
    Host(StepFailure),
    /// At the source.
    Source(TreeError),
}

/// Copies the tree of `upload`, and reports progress to `told`. Stops early when its receiver is dropped.
pub(super) fn upload(
    root: &Root,
    upload: &Upload,
    told: watch::Sender<Uploaded>,
) -> std::result::Result<Uploaded, Failed> {
    let (into, tree) = (&upload.into, &upload.tree);
    let target = open_empty(root, into).map_err(Failed::Host)?;
    let base = upload.base.as_ref().map(|base| Ok((open_base(root, &base.from)?, base)));
    let base = base.transpose().map_err(Failed::Host)?;
    let times = at(i64::try_from(tree.modified()).unwrap_or(0), 0);
    let mut copy = Copy { target, base, times, parent: None, directories: Vec::new(), told, failure: None };
    let wanted = |entry: &TreeEntry| !upload.is_copied(&entry.path);
    let visited = tree.visit_only(&wanted, &mut |entry, content| copy.entry(entry, content));
    if let Some(failure) = copy.failure {
        return Err(Failed::Host(failure));
    }
    visited.map_err(Failed::Source)?;
    copy.close_directories().map_err(Failed::Host)?;
    for (path, form) in &upload.lists {
        let list = upload.list(*form).map_err(Failed::Source)?;
        change::write_new(root, path, &list, 0o600).map_err(Failed::Host)?;
    }
    let uploaded = *copy.told.borrow();
    Ok(uploaded)
}

fn open_empty(root: &Root, into: &InnerPath) -> std::result::Result<OwnedFd, StepFailure> {
    let place = root.place(into).map_err(errno::on(into))?;
    let listed = place.open(OFlags::RDONLY | OFlags::DIRECTORY).and_then(ask::entries_of).map_err(errno::on(into))?;
    if listed.is_empty() {
        place.enter().map_err(errno::on(into))
    } else {
        Err(StepFailure::new(FailureKind::Exists, format!("{into}: not empty")))
    }
}

/// A copy under way.
struct Copy<'u> {
    target: OwnedFd,
    /// The open directory to copy from on the host, and the files to copy.
    base: Option<(OwnedFd, &'u Base)>,
    /// The times of everything that is not copied on the host.
    times: Timestamps,
    /// The parent of the last entry, with its path: the next entry is mostly in the same directory.
    parent: Option<(Vec<u8>, OwnedFd)>,
    /// The directories created so far, with their final modes, which are set after their contents are written.
    directories: Vec<(Vec<u8>, u32)>,
    told: watch::Sender<Uploaded>,
    /// A failure on the host, as opposed to one of the source.
    failure: Option<StepFailure>,
}

impl Copy<'_> {
    fn entry(&mut self, entry: &TreeEntry, content: &mut dyn Read) -> io::Result<()> {
        let (parent, name) = split(&entry.path);
        let times = self.times.clone();
        let made = self.directory(parent).and_then(|directory| Ok((make(&directory, name, entry, &times)?, directory)));
        let (file, directory) = made.map_err(|errno| self.fail(&entry.path, errno))?;
        if matches!(entry.node, Node::Directory) {
            self.directories.push((entry.path.clone(), entry.mode));
        }
        match file {
            None => Ok(()),
            Some(file) if self.copied(&entry.path).is_some() => self.bring(&file, &directory, name, entry),
            Some(file) => self.fill(file, entry, content),
        }
    }

    /// Returns the file at `path` as it must be, if it is copied on the host.
    fn copied(&self, path: &[u8]) -> Option<&ManifestEntry> {
        self.base.as_ref().and_then(|(_, base)| base.file(path))
    }

    /// Copies the file `name` in `directory` from the base, and verifies its digest.
    fn bring(&mut self, file: &File, directory: &OwnedFd, name: &[u8], entry: &TreeEntry) -> io::Result<()> {
        let brought = self.base.as_ref().map_or(Err(Errno::NOENT), |(from, _)| copy_content(from, &entry.path, file));
        let is = brought.and_then(|times| Ok((listed(directory, name, entry)?, times)));
        let Some((_, times)) = is.ok().filter(|(is, _)| self.copied(&entry.path) == Some(is)) else {
            let path = String::from_utf8_lossy(&entry.path);
            let detail = format!("{path}: the release to copy from has changed");
            self.failure = Some(StepFailure::new(FailureKind::Mismatch, detail));
            return Err(io::Error::other("the base differs"));
        };
        self.finish(file, entry, &times)?;
        self.tell(0, 0)
    }

    /// Opens the directory at `path` below the target.
    fn directory(&mut self, path: &[u8]) -> Result<OwnedFd> {
        let directory = match self.parent.take() {
            Some((last, directory)) if last == path => directory,
            _ => open_below(&self.target, path)?,
        };
        let again = directory.try_clone().map_err(|error| errno::of(&error))?;
        self.parent = Some((path.to_vec(), directory));
        Ok(again)
    }

    fn fill(&mut self, mut file: File, entry: &TreeEntry, content: &mut dyn Read) -> io::Result<()> {
        let mut buffer = vec![0; 128 * 1024];
        loop {
            let read = match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            file.write_all(&buffer[..read]).map_err(|error| self.fail(&entry.path, errno::of(&error)))?;
            self.tell(0, read as u64)?;
        }
        let times = self.times.clone();
        self.finish(&file, entry, &times)?;
        self.tell(1, 0)
    }

    /// Sets the mode and times of a complete file.
    fn finish(&mut self, file: &File, entry: &TreeEntry, times: &Timestamps) -> io::Result<()> {
        let moded = fs::fchmod(file, Mode::from_raw_mode(entry.mode & 0o777));
        moded.and_then(|()| fs::futimens(file, times)).map_err(|errno| self.fail(&entry.path, errno))
    }

    /// Reports progress; fails when nobody waits for the upload any more.
    fn tell(&self, files: u64, bytes: u64) -> io::Result<()> {
        self.told.send_modify(|so_far| {
            so_far.files += files;
            so_far.bytes += bytes;
        });
        if self.told.is_closed() { Err(io::Error::other("the upload was cancelled")) } else { Ok(()) }
    }

    fn fail(&mut self, path: &[u8], errno: Errno) -> io::Error {
        self.failure = Some(errno::failure(String::from_utf8_lossy(path), errno));
        errno.into()
    }

    /// Sets the modes of the directories, deepest first, since a directory may not be entered afterwards.
    fn close_directories(&self) -> std::result::Result<(), StepFailure> {
        self.directories.iter().rev().try_for_each(|(path, mode)| {
            let directory = open_below(&self.target, path);
            let closed = directory.and_then(|directory| set_mode(directory, Mode::from_raw_mode(mode & 0o777)));
            closed.map_err(errno::on(String::from_utf8_lossy(path)))
        })
    }
}

/// Opens the directory to copy from. A missing one is a base that does not match.
fn open_base(root: &Root, from: &InnerPath) -> std::result::Result<OwnedFd, StepFailure> {
    let opened = root.place(from).and_then(|place| place.enter());
    opened.map_err(|errno| StepFailure::new(FailureKind::Mismatch, format!("{from}: {errno}")))
}

/// Returns this time as both the last change and the last access.
fn at(seconds: i64, nanoseconds: i64) -> Timestamps {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    Timestamps { last_access: time, last_modification: time }
}

/// Copies the content of the regular file at `path` below `from`, and returns the times for the copy.
///
/// Shares blocks where the filesystem can.
fn copy_content(from: &OwnedFd, path: &[u8], mut to: &File) -> Result<Timestamps> {
    let (parent, name) = split(path);
    let file = File::from(root::open(open_below(from, parent)?, name, OFlags::RDONLY)?);
    let stat = fs::fstat(&file)?;
    if root::entry_kind(&stat) != EntryKind::File {
        return Err(Errno::INVAL);
    }
    if fs::ioctl_ficlone(to, &file).is_err() {
        io::copy(&mut &file, &mut to).map_err(|error| errno::of(&error))?;
    }
    Ok(at(stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or(0)))
}

/// Returns the manifest entry of the new file `name` in `directory`.
fn listed(directory: &OwnedFd, name: &[u8], entry: &TreeEntry) -> Result<ManifestEntry> {
    let file = File::from(root::open(directory, name, OFlags::RDONLY)?);
    let size = fs::fstat(&file)?.st_size.try_into().map_err(|_| Errno::IO)?;
    let digest = Digesting::new(file).finish().map_err(|error| errno::of(&error))?;
    let node = ManifestNode::File { mode: entry.mode, size, digest };
    Ok(ManifestEntry { path: entry.path.clone(), node })
}

/// Creates `entry` as `name` in `directory`, a symlink with these times. Returns a file to fill.
fn make(directory: &OwnedFd, name: &[u8], entry: &TreeEntry, times: &Timestamps) -> Result<Option<File>> {
    match &entry.node {
        Node::Directory => make_directory(directory, name, entry.mode & 0o777 | 0o700).map(|_| None),
        Node::Link { target } => {
            fs::symlinkat(&target[..], directory, name)?;
            fs::utimensat(directory, name, times, AtFlags::SYMLINK_NOFOLLOW).map(|()| None)
        }
        Node::File { .. } => {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            fs::openat(directory, name, flags, Mode::RUSR | Mode::WUSR).map(|file| Some(File::from(file)))
        }
    }
}

/// Opens the directory at `path` below `target`, name by name and never through a symlink.
pub(super) fn open_below(target: &OwnedFd, path: &[u8]) -> Result<OwnedFd> {
    let mut directory = enter(target, ".")?;
    for name in path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
        // A tree holds no such name. If it did, this would leave the release.
        if name == b".." {
            return Err(Errno::INVAL);
        }
        directory = enter(&directory, name)?;
    }
    Ok(directory)
}

/// Splits a path into its directory and its name.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&[], path),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        transport::Batch,
        tree::{Tree, TreeEntry},
    };

    fn of(host: &tempfile::TempDir, into: &str, tree: Tree) -> Upload {
        let root = host.path().to_str().unwrap().parse().unwrap();
        Upload {
            root,
            into: into.parse().unwrap(),
            tree: Arc::new(tree),
            lists: Vec::new(),
            unlisted: Vec::new(),
            base: None,
        }
    }

    /// No tree holds such paths. If one did, entries outside must stay unharmed.
    #[test]
    fn never_leaves_the_directory() {
        let host = tempfile::TempDir::new().unwrap();
        let kept = host.path().join("kept");
        for (path, target) in [("out/f", "../kept"), ("../kept/f", "x"), ("out/../../kept/f", "/")] {
            fs_err::create_dir_all(&kept).unwrap();
            fs_err::create_dir(host.path().join("stage")).unwrap();
            let link = TreeEntry { path: "out".into(), mode: 0o777, node: Node::Link { target: target.into() } };
            let file = TreeEntry { path: path.into(), mode: 0o644, node: Node::File { size: 1 } };
            let tree = Tree::of_entries(vec![(link, Vec::new()), (file, b"x".to_vec())]);
            let root = Root::open(&Batch::new(host.path().to_str().unwrap().parse().unwrap())).unwrap();
            let (told, _listening) = watch::channel(Uploaded::default());
            let result = upload(&root, &of(&host, "stage", tree), told);
            assert!(matches!(result, Err(Failed::Host(_))), "{path}: {result:?}");
            assert_eq!(fs_err::read_dir(&kept).unwrap().count(), 0, "{path}");
            fs_err::remove_dir_all(host.path().join("stage")).unwrap();
        }
    }

    #[test]
    fn ends_early_when_nobody_waits_for_it() {
        let host = tempfile::TempDir::new().unwrap();
        let root = Root::open(&Batch::new(host.path().to_str().unwrap().parse().unwrap())).unwrap();
        let entry = |name: &str| TreeEntry { path: name.into(), mode: 0o644, node: Node::File { size: 1 } };
        let tree = Tree::of_entries(vec![(entry("a"), b"x".to_vec()), (entry("b"), b"x".to_vec())]);
        let (told, listening) = watch::channel(Uploaded::default());
        drop(listening);
        assert!(matches!(upload(&root, &of(&host, ".", tree), told), Err(Failed::Source(_))));
        assert!(!host.path().join("b").exists());
    }
}
