//! The filesystem of the model: the rules of POSIX, written as plainly as possible.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    hash::{Hash, Hasher},
};

use crate::{
    manifest::{Digest, MAX_DEPTH, Seen, Surveyed},
    path::InnerPath,
    time::Timestamp,
    transport::{
        Entry, EntryKind, FailureKind, FileId, GroupReach,
        group::{GIVEN, GIVEN_FILE},
        process::{Here, ProcessMark, Realm},
    },
};

use super::hook::Script;

/// The inode of `/`.
pub(super) const TOP: u64 = 1;

/// The user that owns everything.
pub(super) const OWNER: u32 = 1000;

/// The only group, which everything belongs to.
pub(super) const GROUP: (&str, u32) = ("deploy", 100);

/// The limit on the symlinks followed on one path.
const LINKS: u32 = 40;

/// The limits on a name and on the text of a symlink, in bytes.
const NAME_MAX: usize = 255;
const TEXT_MAX: usize = 4095;

/// The inodes from `/` down to an entry, which is the last.
pub(super) type Way = Vec<u64>;

/// The whole state of the host.
#[derive(Debug)]
pub(super) struct Model {
    nodes: BTreeMap<u64, Node>,
    next: u64,
    /// The host's clock, which moves only when a test sets it.
    pub(super) clock: Timestamp,
    /// The number of the present boot.
    pub(super) boot: u64,
    processes: BTreeSet<u32>,
    last_process: u32,
    /// The behaviour of its commands.
    pub(super) script: Script,
    /// The working directories of processes, each by the path that it took there.
    working: BTreeMap<u32, String>,
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) body: Body,
    mode: u32,
    modified: i64,
}

/// The content of an inode.
#[derive(Debug)]
pub(super) enum Body {
    Directory(BTreeMap<Vec<u8>, u64>),
    File(Vec<u8>),
    Link(Vec<u8>),
}

impl Model {
    /// Creates a host with an empty `/`.
    pub(super) fn new() -> Self {
        let top = Node { body: Body::Directory(BTreeMap::new()), mode: 0o755, modified: 0 };
        Self {
            nodes: BTreeMap::from([(TOP, top)]),
            next: TOP + 1,
            clock: Timestamp::UNIX_EPOCH,
            boot: 1,
            processes: BTreeSet::new(),
            last_process: 0,
            script: Script::default(),
            working: BTreeMap::new(),
        }
    }

    /// Copies the host. Renumbers the inodes in the order of names, and drops those without a name.
    pub(super) fn copy(&self) -> Self {
        let mut copy = Self {
            nodes: BTreeMap::new(),
            next: TOP,
            clock: self.clock,
            boot: self.boot,
            processes: self.processes.clone(),
            last_process: self.last_process,
            script: self.script.clone(),
            working: self.working.clone(),
        };
        copy.take(self, TOP);
        copy
    }

    /// Copies `inode` of `from` with all that it holds, and returns its number here.
    fn take(&mut self, from: &Self, inode: u64) -> u64 {
        let (node, number) = (&from.nodes[&inode], self.next);
        self.next += 1;
        let body = match &node.body {
            Body::File(content) => Body::File(content.clone()),
            Body::Link(text) => Body::Link(text.clone()),
            Body::Directory(names) => {
                Body::Directory(names.iter().map(|(name, child)| (name.clone(), self.take(from, *child))).collect())
            }
        };
        self.nodes.insert(number, Node { body, mode: node.mode, modified: node.modified });
        number
    }

    /// Feeds the state to `hasher`, without clocks and inode numbers.
    pub(super) fn hash_into(&self, hasher: &mut impl Hasher) {
        (self.boot, &self.processes, self.last_process, &self.working).hash(hasher);
        self.hash_node(TOP, hasher);
    }

    fn hash_node(&self, inode: u64, hasher: &mut impl Hasher) {
        let node = &self.nodes[&inode];
        node.mode.hash(hasher);
        match &node.body {
            Body::File(content) => (1_u8, content).hash(hasher),
            Body::Link(text) => (2_u8, text).hash(hasher),
            Body::Directory(names) => {
                (3_u8, names.len()).hash(hasher);
                for (name, child) in names {
                    name.hash(hasher);
                    self.hash_node(*child, hasher);
                }
            }
        }
    }

    pub(super) fn start_process(&mut self) -> u32 {
        self.last_process += 1;
        self.processes.insert(self.last_process);
        self.last_process
    }

    pub(super) fn end_process(&mut self, process: u32) {
        self.processes.remove(&process);
        self.working.remove(&process);
    }

    /// Ends all processes and starts the next boot.
    pub(super) fn reboot(&mut self) {
        self.processes.clear();
        self.working.clear();
        self.boot += 1;
    }

    /// Starts a process with the working directory `path`, and returns its id.
    pub(super) fn start_worker(&mut self, path: &str) -> u32 {
        let process = self.start_process();
        self.working.insert(process, path.to_owned());
        process
    }

    /// Returns the processes with a working directory, and the inodes down to it.
    pub(super) fn workers(&self) -> impl Iterator<Item = (u32, Way)> {
        self.working.iter().filter_map(|(process, path)| Some((*process, self.follow(&[TOP], path.as_bytes()).ok()?)))
    }

    pub(super) fn set_mode(&mut self, inode: u64, mode: u32) {
        if let Some(node) = self.nodes.get_mut(&inode) {
            node.mode = mode;
        }
    }

    pub(super) fn runs(&self, process: u32) -> bool {
        self.processes.contains(&process)
    }

    /// Returns the mark of a process. Ids are never reused here, so they serve as start times too.
    pub(super) fn mark(&self, process: u32) -> ProcessMark {
        let Here { boot, realm } = self.here();
        ProcessMark { pid: process, start: process.into(), boot, realm: Some(realm) }
    }

    /// Returns the boot, and the scope in which ids are read.
    pub(super) fn here(&self) -> Here {
        Here { boot: format!("boot-{}", self.boot), realm: Realm { first: Some(1), host: Some("memory".to_owned()) } }
    }

    pub(super) fn body(&self, inode: u64) -> &Body {
        &self.nodes[&inode].body
    }

    /// Returns the attributes of `inode` for a reply.
    pub(super) fn entry(&self, inode: u64) -> Entry {
        let node = &self.nodes[&inode];
        let (kind, size) = match &node.body {
            Body::Directory(names) => (EntryKind::Directory, names.len()),
            Body::File(content) => (EntryKind::File, content.len()),
            Body::Link(text) => (EntryKind::Link, text.len()),
        };
        let id = FileId { device: 1, inode };
        Entry { kind, mode: node.mode, owner: OWNER, id, size: size as u64, modified: node.modified }
    }

    /// Lists everything below the directory `inode`.
    pub(super) fn survey(&self, inode: u64, digests: bool) -> Vec<Surveyed> {
        let (mut seen, mut ahead) = (Vec::new(), vec![(inode, Vec::new(), 0)]);
        while let Some((inode, above, depth)) = ahead.pop() {
            let Body::Directory(names) = self.body(inode) else { continue };
            for (name, child) in names {
                let path: Vec<u8> = if depth == 0 { name.clone() } else { [&above[..], name].join(&b'/') };
                let node = match self.body(*child) {
                    Body::Directory(names) if depth == MAX_DEPTH && !names.is_empty() => Seen::TooDeep,
                    Body::Directory(_) => Seen::Directory,
                    Body::File(content) => {
                        Seen::File { size: content.len() as u64, digest: digests.then(|| Digest::of(content)) }
                    }
                    Body::Link(target) => Seen::Link { target: target.clone() },
                };
                if depth < MAX_DEPTH {
                    ahead.push((*child, path.clone(), depth + 1));
                }
                seen.push(Surveyed { path, mode: self.nodes[child].mode, owner: OWNER, node });
            }
        }
        seen
    }

    /// Returns the names in a directory; fails for any other entry.
    pub(super) fn names(&self, inode: u64) -> Result<&BTreeMap<Vec<u8>, u64>, FailureKind> {
        match self.body(inode) {
            Body::Directory(names) => Ok(names),
            _ => Err(FailureKind::WrongType),
        }
    }

    /// Returns the inode of `name` in `directory`, without following a symlink.
    pub(super) fn child(&self, directory: u64, name: &[u8]) -> Result<Option<u64>, FailureKind> {
        let names = self.names(directory)?;
        if name.len() > NAME_MAX {
            return Err(FailureKind::TooLong);
        }
        Ok(if name == b"." { Some(directory) } else { names.get(name).copied() })
    }

    /// Returns the inodes down to the directory of `path` below `root`, and the name in it. Follows no symlink.
    pub(super) fn place<'p>(&self, root: u64, path: &'p InnerPath) -> Result<(Way, &'p [u8]), FailureKind> {
        let mut names: Vec<&str> = path.names().collect();
        let name = names.pop().unwrap_or(".");
        let mut way = vec![root];
        for name in names {
            let here = way[way.len() - 1];
            let next = self.child(here, name.as_bytes())?.ok_or(FailureKind::Missing)?;
            self.names(next)?;
            way.push(next);
        }
        Ok((way, name.as_bytes()))
    }

    /// Resolves `path` from the directory at the end of `from`, following all symlinks.
    pub(super) fn follow(&self, from: &[u64], path: &[u8]) -> Result<Way, FailureKind> {
        if path.is_empty() {
            return Err(FailureKind::Missing);
        }
        let (mut way, mut links) = (from.to_vec(), 0);
        let mut ahead: VecDeque<Vec<u8>> = VecDeque::new();
        enter(&mut way, &mut ahead, path);
        while let Some(name) = ahead.pop_front() {
            let here = way[way.len() - 1];
            if matches!(&name[..], b"" | b"." | b"..") {
                self.names(here)?;
                if name == b".." && way.len() > 1 {
                    way.pop();
                }
                continue;
            }
            let next = self.child(here, &name)?.ok_or(FailureKind::Missing)?;
            match self.body(next) {
                Body::Link(_) if links == LINKS => return Err(FailureKind::WrongType),
                Body::Link(text) => {
                    links += 1;
                    enter(&mut way, &mut ahead, text);
                }
                _ => way.push(next),
            }
        }
        Ok(way)
    }

    /// Creates a new entry `name` in `directory`, where none may exist.
    pub(super) fn make(&mut self, directory: u64, name: &[u8], mode: u32, body: Body) -> Result<u64, FailureKind> {
        // As on Linux, the text of a symlink is checked before its path.
        match &body {
            Body::Link(text) if text.is_empty() => return Err(FailureKind::Missing),
            Body::Link(text) if text.len() > TEXT_MAX => return Err(FailureKind::TooLong),
            _ => {}
        }
        if self.child(directory, name)?.is_some() {
            return Err(FailureKind::Exists);
        }
        // A new directory inherits the setgid bit of its parent.
        let inherited = if let Body::Directory(_) = body { self.nodes[&directory].mode & 0o2000 } else { 0 };
        let (inode, mode) = (self.next, mode | inherited);
        self.next += 1;
        self.nodes.insert(inode, Node { body, mode, modified: seconds(self.clock) });
        self.attach(directory, name, inode);
        Ok(inode)
    }

    /// Gives the directory `inode`, and its contents as far as the reach says, to the only group.
    pub(super) fn give(&mut self, inode: u64, reach: GroupReach) {
        let mut todo = vec![inode];
        while let Some(inode) = todo.pop() {
            let Some(node) = self.nodes.get_mut(&inode) else { continue };
            match &node.body {
                Body::Directory(names) => {
                    node.mode |= GIVEN;
                    if reach != GroupReach::Itself {
                        todo.extend(names.values());
                    }
                }
                Body::File(_) if reach == GroupReach::All => node.mode |= GIVEN_FILE,
                Body::File(_) | Body::Link(_) => {}
            }
        }
    }

    pub(super) fn set_modified(&mut self, inode: u64, modified: i64) {
        if let Some(node) = self.nodes.get_mut(&inode) {
            node.modified = modified;
        }
    }

    /// Gives `inode` the name `name` in `directory`, replacing the entry of that name.
    pub(super) fn attach(&mut self, directory: u64, name: &[u8], inode: u64) {
        self.change_names(directory, |names| names.insert(name.to_vec(), inode));
    }

    /// Removes the name `name` from `directory`.
    pub(super) fn detach(&mut self, directory: u64, name: &[u8]) {
        self.change_names(directory, |names| names.remove(name));
    }

    fn change_names(&mut self, directory: u64, change: impl FnOnce(&mut BTreeMap<Vec<u8>, u64>) -> Option<u64>) {
        let now = seconds(self.clock);
        if let Some(Node { body: Body::Directory(names), modified, .. }) = self.nodes.get_mut(&directory) {
            change(names);
            *modified = now;
        }
    }

    /// Appends to the regular file `inode`.
    pub(super) fn append(&mut self, inode: u64, more: &[u8]) -> Result<(), FailureKind> {
        let now = seconds(self.clock);
        match self.nodes.get_mut(&inode) {
            Some(Node { body: Body::File(content), modified, .. }) => {
                content.extend_from_slice(more);
                *modified = now;
                Ok(())
            }
            _ => Err(FailureKind::WrongType),
        }
    }
}

/// Puts the names of `path` before those that are still ahead. An absolute path starts again from `/`.
fn enter(way: &mut Way, ahead: &mut VecDeque<Vec<u8>>, path: &[u8]) {
    if path.starts_with(b"/") {
        way.truncate(1);
    }
    for name in path.split(|byte| *byte == b'/').rev() {
        ahead.push_front(name.to_vec());
    }
    if path.starts_with(b"/") {
        ahead.pop_front();
    }
}

/// Returns the whole seconds of a clock, as entries report them.
fn seconds(clock: Timestamp) -> i64 {
    i64::try_from(clock.seconds_since(Timestamp::UNIX_EPOCH)).unwrap_or(i64::MAX)
}
