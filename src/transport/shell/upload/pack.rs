//! Packs the entries of a [`Tree`](crate::tree::Tree) that the host lacks, as one clean tar stream or as two.
//!
//! A thread of its own packs them as fast as they are taken.

use std::{
    collections::HashMap,
    ffi::OsStr,
    io::{self, Write},
    os::unix::ffi::OsStrExt,
    path::Path,
    sync::Arc,
};

use tar::{Builder, EntryType, Header};
use tokio::{
    sync::mpsc::{Receiver, channel},
    task::spawn_blocking,
};

use crate::{
    transport::{Upload, shell::quote::ShellWord},
    tree::{Node, TreeEntry, TreeError},
};

use super::{
    chunk::{ChunkWriter, NextChunk},
    lists::Lists,
    second::SecondState,
};

/// Packs the tree of `upload` without the files copied on the host, then its [`Lists`], then a file named
/// `marker`.
///
/// When the tree cannot be read, the error comes instead of the last chunk.
///
/// A `second` stream, with a marker of its own, takes some of the files once it is wanted, with their parent
/// directories. Without a file it ends without a chunk.
pub(super) fn pack(
    upload: Upload,
    marker: String,
    second: Option<(String, Arc<SecondState>)>,
) -> (Receiver<NextChunk>, Option<Receiver<NextChunk>>) {
    let (next, taken) = channel(2);
    let (others_next, others) = channel(2);
    let is_second = second.is_some();
    drop(spawn_blocking(move || {
        let modified = upload.tree.modified();
        let second = second.map(|(marker, state)| {
            let tar = Tar { builder: Builder::new(ChunkWriter::new(others_next.clone())), modified };
            let entries = upload.tree.entries().iter().filter(|entry| entry.node == Node::Directory);
            let directories = entries.map(|entry| (entry.path.clone(), entry.clone())).collect();
            SecondTar { tar, marker, state, directories, bytes: 0 }
        });
        let first = Tar { builder: Builder::new(ChunkWriter::new(next.clone())), modified };
        let packer = Packer { first, second, bytes: 0 };
        if let Err(error) = packer.pack(&upload, &marker) {
            // The receivers may be gone; then nobody needs the error.
            let _ = others_next.blocking_send(Err(error.again()));
            let _ = next.blocking_send(Err(error));
        }
    }));
    (taken, is_second.then_some(others))
}

struct Packer {
    first: Tar,
    second: Option<SecondTar>,
    /// The bytes of content in both streams.
    bytes: u64,
}

/// A stream that takes some of the files.
struct SecondTar {
    tar: Tar,
    marker: String,
    state: Arc<SecondState>,
    /// The directories that it lacks.
    directories: HashMap<Vec<u8>, TreeEntry>,
    /// The bytes of content that it took.
    bytes: u64,
}

impl Packer {
    fn pack(mut self, upload: &Upload, marker: &str) -> Result<(), TreeError> {
        let tree = &upload.tree;
        tree.visit_only(&|entry| !upload.is_copied(&entry.path), &mut |entry, content| {
            if upload.is_copied(&entry.path) { Ok(()) } else { self.entry(entry, content) }
        })?;
        let lists = Lists::of(upload, marker)?;
        self.end(upload, lists, marker).map_err(TreeError::Visit)
    }

    fn entry(&mut self, entry: &TreeEntry, content: &mut dyn io::Read) -> io::Result<()> {
        let Node::File { size } = entry.node else { return self.first.entry(entry, content) };
        let before = self.bytes;
        self.bytes += size;
        let tar = match self.second.as_mut().filter(|second| second.takes(&self.first, before)) {
            Some(second) => second.tar_for(entry, size)?,
            None => &mut self.first,
        };
        tar.entry(entry, content)
    }

    /// Ends the streams with the lists and the marker.
    ///
    /// The marker is a script that sets the mode of directories that their owner may not write to, now that they are
    /// complete: `tar` of `BusyBox` never changes the mode of an existing directory.
    fn end(mut self, upload: &Upload, lists: Lists, marker: &str) -> io::Result<()> {
        for (name, content) in &lists.files {
            self.first.file(name, content)?;
        }
        let mut script = lists.script;
        for entry in upload.tree.entries().iter().rev().filter(|entry| is_shut(entry)) {
            let place = ShellWord::new([b"./", &entry.path[..]].concat()).map_err(io::Error::other)?;
            write!(script, "sb_mode {:o} ", entry.mode)?;
            script.extend_from_slice(place.as_bytes());
            script.push(b'\n');
        }
        self.first.end(marker, &script)?;
        match self.second {
            Some(second) if second.state.is_used() => second.tar.end(&second.marker, b""),
            _ => Ok(()),
        }
    }
}

/// Whether it is a directory that its owner may not fill.
pub(super) fn is_shut(entry: &TreeEntry) -> bool {
    entry.node == Node::Directory && entry.mode & 0o700 != 0o700
}

impl SecondTar {
    /// Whether it takes the next file: when it has more room than `first`, or equal room and less of the bytes so
    /// far.
    fn takes(&self, first: &Tar, so_far: u64) -> bool {
        let room = |tar: &Tar| tar.builder.get_ref().room();
        let (here, there) = (room(&self.tar), room(first));
        let is_next = here > there || here == there && self.bytes <= so_far / 2;
        is_next && self.state.put()
    }

    /// Returns the stream for a file of this size, after adding the file's missing parent directories.
    fn tar_for(&mut self, file: &TreeEntry, size: u64) -> io::Result<&mut Tar> {
        self.bytes += size;
        let ends = file.path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        for (end, _) in ends {
            if let Some(directory) = self.directories.remove(&file.path[..end]) {
                self.tar.entry(&directory, &mut io::empty())?;
            }
        }
        Ok(&mut self.tar)
    }
}

/// An unfinished tar stream.
struct Tar {
    builder: Builder<ChunkWriter>,
    modified: u64,
}

impl Tar {
    fn entry(&mut self, entry: &TreeEntry, content: &mut dyn io::Read) -> io::Result<()> {
        let path = Path::new(OsStr::from_bytes(&entry.path));
        match &entry.node {
            Node::Directory => self.directory(path, entry.mode | 0o700),
            Node::File { size } => {
                let mut header = self.header(EntryType::Regular, entry.mode);
                header.set_size(*size);
                self.builder.append_data(&mut header, path, io::Read::take(content, *size))?;
                let so_far = &mut self.builder.get_mut().so_far;
                so_far.files += 1;
                so_far.bytes += size;
                Ok(())
            }
            Node::Link { target } => {
                let mut header = self.header(EntryType::Symlink, 0o777);
                header.set_size(0);
                self.builder.append_link(&mut header, path, Path::new(OsStr::from_bytes(target)))
            }
        }
    }

    /// Ends the stream with this marker.
    fn end(mut self, marker: &str, script: &[u8]) -> io::Result<()> {
        self.file(marker, script)?;
        self.builder.into_inner()?.end()
    }

    /// Adds a file of ours.
    fn file(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        let mut header = self.header(EntryType::Regular, 0o600);
        header.set_size(content.len() as u64);
        self.builder.append_data(&mut header, name, content)
    }

    fn directory(&mut self, path: &Path, mode: u32) -> io::Result<()> {
        let mut header = self.header(EntryType::Directory, mode);
        header.set_size(0);
        self.builder.append_data(&mut header, path, io::empty())
    }

    fn header(&self, kind: EntryType, mode: u32) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(self.modified);
        header
    }
}
