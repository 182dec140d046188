//! Packs the entries of a [`Tree`](crate::tree::Tree) that the host lacks, as one clean tar stream.
//!
//! A thread of its own packs them as fast as they are taken.

use std::{
    ffi::OsStr,
    io::{self, Write},
    os::unix::ffi::OsStrExt,
    path::Path,
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
};

/// Packs the tree of `upload` without the files copied on the host, then its [`Lists`], then a file named
/// `marker`.
///
/// When the tree cannot be read, the error comes instead of the last chunk.
pub(super) fn pack(upload: Upload, marker: String) -> Receiver<NextChunk> {
    let (next, taken) = channel(2);
    drop(spawn_blocking(move || {
        let builder = Builder::new(ChunkWriter::new(next.clone()));
        let tar = Tar { builder, modified: upload.tree.modified(), buffer: vec![0; 32 << 10] };
        if let Err(error) = tar.pack(&upload, &marker) {
            // The receiver may be gone; then nobody needs the error.
            let _ = next.blocking_send(Err(error));
        }
    }));
    taken
}

/// Whether it is a directory that its owner may not fill.
fn is_shut(entry: &TreeEntry) -> bool {
    entry.node == Node::Directory && entry.mode & 0o700 != 0o700
}

/// An unfinished tar stream.
struct Tar {
    builder: Builder<ChunkWriter>,
    modified: u64,
    /// Holds content between the tree and the stream.
    buffer: Vec<u8>,
}

/// The unit of a tar stream: the content of a file is padded to a multiple of it.
const BLOCK: usize = 512;

impl Tar {
    fn pack(mut self, upload: &Upload, marker: &str) -> Result<(), TreeError> {
        let tree = &upload.tree;
        tree.visit_only(&|entry| !upload.is_copied(&entry.path), &mut |entry, content| {
            if upload.is_copied(&entry.path) { Ok(()) } else { self.entry(entry, content) }
        })?;
        let lists = Lists::of(upload, marker)?;
        self.end(upload, lists, marker).map_err(TreeError::Visit)
    }

    /// Ends the stream with the lists and the marker.
    ///
    /// The marker is a script that sets the mode of directories that their owner may not write to, now that they are
    /// complete: `tar` of `BusyBox` never changes the mode of an existing directory.
    fn end(mut self, upload: &Upload, lists: Lists, marker: &str) -> io::Result<()> {
        for (name, content) in &lists.files {
            self.file(name, content)?;
        }
        let mut script = lists.script;
        for entry in upload.tree.entries().iter().rev().filter(|entry| is_shut(entry)) {
            let place = ShellWord::new([b"./", &entry.path[..]].concat()).map_err(io::Error::other)?;
            write!(script, "sb_mode {:o} ", entry.mode)?;
            script.extend_from_slice(place.as_bytes());
            script.push(b'\n');
        }
        self.file(marker, &script)?;
        self.builder.into_inner()?.end()
    }

    fn entry(&mut self, entry: &TreeEntry, content: &mut dyn io::Read) -> io::Result<()> {
        let path = Path::new(OsStr::from_bytes(&entry.path));
        match &entry.node {
            Node::Directory => self.directory(path, entry.mode | 0o700),
            Node::File { size } => {
                let mut header = self.header(EntryType::Regular, entry.mode);
                header.set_size(*size);
                self.builder.append_data(&mut header, path, io::empty())?;
                self.content(&mut io::Read::take(content, *size))
            }
            Node::Link { target } => {
                let mut header = self.header(EntryType::Symlink, 0o777);
                header.set_size(0);
                self.builder.append_link(&mut header, path, Path::new(OsStr::from_bytes(target)))
            }
        }
    }

    /// Adds the content of the file whose header was added last, and counts it as it goes: a large file is progress long
    /// before its end.
    fn content(&mut self, content: &mut dyn io::Read) -> io::Result<()> {
        let out = self.builder.get_mut();
        let mut size = 0;
        loop {
            let length = match content.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            out.write_all(&self.buffer[..length])?;
            out.so_far.bytes += length as u64;
            size += length;
        }
        out.write_all(&[0; BLOCK][..size.next_multiple_of(BLOCK) - size])?;
        out.so_far.files += 1;
        Ok(())
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
