//! What a [`Tree`](crate::tree::Tree) has and the host has not, as one clean tar stream, made by a thread of its own as fast as it is taken.

use std::{
    ffi::OsStr,
    io::{self, Write},
    os::unix::ffi::OsStrExt,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use tar::{Builder, EntryType, Header};
use tokio::{
    sync::mpsc::{Receiver, channel},
    task::spawn_blocking,
};

use crate::{
    transport::Upload,
    tree::{Node, TreeEntry, TreeError},
};

use super::{
    lists::Lists,
    piece::{Next, Pieces},
    quote::ShellWord,
};

/// Packs the tree of `upload` without what is copied on the host, its [`Lists`], and a file named `marker` after all of it. When
/// the tree cannot be read, that comes instead of the last piece.
pub(super) fn pack(upload: Upload, marker: String) -> Receiver<Next> {
    let (next, taken) = channel(2);
    drop(spawn_blocking(move || {
        let packer = Packer { builder: Builder::new(Pieces::new(next.clone())), modified: now() };
        if let Err(error) = packer.pack(&upload, &marker) {
            // When nobody takes it, nobody wants to know.
            let _ = next.blocking_send(Err(error));
        }
    }));
    taken
}

/// Files are as new as their release: what caches by a file's time and size must see that it changed.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

struct Packer {
    builder: Builder<Pieces>,
    modified: u64,
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

    /// Directories that their owner may not fill get their mode when they are full, from the marker, which is a script:
    /// `tar` of `BusyBox` never changes the mode of a directory that is there.
    fn end(mut self, upload: &Upload, lists: Lists, marker: &str) -> io::Result<()> {
        let shut = |entry: &&TreeEntry| entry.node == Node::Directory && entry.mode & 0o700 != 0o700;
        for (name, content) in &lists.files {
            self.file(name, content)?;
        }
        let mut script = lists.script;
        for entry in upload.tree.entries().iter().rev().filter(shut) {
            let place = ShellWord::new([b"./", &entry.path[..]].concat()).map_err(io::Error::other)?;
            write!(script, "sb_mode {:o} ", entry.mode)?;
            script.extend_from_slice(place.as_bytes());
            script.push(b'\n');
        }
        self.file(marker, &script)?;
        self.builder.into_inner()?.end()
    }

    /// A file of ours.
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
