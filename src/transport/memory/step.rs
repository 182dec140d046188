//! The effect of each step on the model.

use std::collections::BTreeMap;

use crate::{
    group::GroupName,
    manifest::{self, Surveyed},
    path::InnerPath,
    transport::{
        Changes, Compared, Comparison, Entry, EntryKind, FailureKind, Found, Group, GroupPlace, GroupReach,
        HostIdentity, Listed, Liveness, Op, OwnedFile, Reply, Snapped, StepFailure, TreeName, changes,
        compare::Expected,
        process::{ProcessMark, Seen},
    },
};

use super::model::{Body, GROUP, Model, OWNER, Way};

type Answer = Result<Reply, FailureKind>;

/// The host, as one step of one connection sees it.
pub(super) struct Host<'h> {
    /// The host's state.
    pub(super) model: &'h mut Model,
    /// The inodes from `/` down to the deploy root.
    pub(super) root: &'h Way,
    /// The process that runs the steps.
    pub(super) process: u32,
    /// Whether the group may write private files.
    pub(super) for_group: bool,
}

impl Host<'_> {
    pub(super) fn step(&mut self, op: &Op) -> Result<Reply, StepFailure> {
        if let Op::ExpectLink { path, text } = op {
            return self.expect_link(path, text);
        }
        self.answer(op).map_err(|kind| StepFailure::new(kind, format!("{}: {kind}", subject(op))))
    }

    /// Returns the mode of files without a mode of their own.
    fn private(&self) -> u32 {
        if self.for_group { 0o660 } else { 0o600 }
    }

    fn answer(&mut self, op: &Op) -> Answer {
        match op {
            Op::Identify => Ok(self.identify()),
            Op::Clock => Ok(Reply::Clock(self.model.clock)),
            Op::Inspect { path } => Ok(Reply::Entry(self.find(path)?.map(|inode| self.model.entry(inode)))),
            Op::Resolve { link } => self.resolve(link),
            Op::ReadLink { path } => self.read_link(path).map(Reply::Link),
            Op::Read { path, limit } => Ok(Reply::Content(self.find(path)?.map(|inode| self.read(inode, *limit)))),
            Op::ReadEnd { path, limit } => {
                Ok(Reply::Content(self.find(path)?.map(|inode| self.read_end(inode, *limit))))
            }
            Op::List { path } => self.list(path).map(Reply::Listing),
            Op::ReadEach { path, file, limit } => self.read_each(path, file, *limit),
            Op::ReadChain { trees, from, record, lists, files, most } => {
                self.read_chain((trees, record), from, (lists, files), *most)
            }
            Op::Survey { path, digests } => {
                let Some(inode) = self.find(path)? else { return Ok(Reply::Survey(None)) };
                self.model.names(inode)?;
                Ok(Reply::Survey(Some(self.model.survey(inode, *digests))))
            }
            Op::CompareTree { trees, name, lists, manifest, contents, owners, except } => {
                let for_group = self.for_group;
                let expected = Expected { contents: *contents, owners: owners.as_deref(), except, for_group };
                Ok(Reply::Comparison(self.compare(trees, name, (lists, manifest), &expected)?))
            }
            Op::Changes { tree, since } => self.changes(tree, since).map(Reply::Changes),
            Op::CheckProcess { path } => Ok(Reply::Process(self.check_process(path))),
            Op::FindUsers { path } => self.find_users(path).map(Reply::Users),
            Op::InspectGroup { name, paths, .. } => self.inspect_group(name, paths),
            Op::InspectWay { paths } => Ok(Reply::Way(self.inspect_way(paths))),
            Op::ExpectAbsent { path } => self.find(path)?.map_or(Ok(Reply::Done), |_| Err(FailureKind::Exists)),
            // There is only one filesystem.
            Op::ExpectUnmounted { path } => self.find(path).map(|_| Reply::Done),
            Op::ExpectDirectory { path } => {
                let inode = self.find(path)?.ok_or(FailureKind::Missing)?;
                self.model.names(inode).map(|_| Reply::Done)
            }
            Op::ExpectWritable { path } => {
                // The only user has all rights.
                let inode = self.find(path)?.ok_or(FailureKind::Missing)?;
                self.model.names(inode).map(|_| Reply::Done)
            }
            change => self.change(change),
        }
    }

    fn change(&mut self, op: &Op) -> Answer {
        match op {
            Op::MakeDir { path, mode, existing_is_fine } => self.make_dir(path, *mode, *existing_is_fine),
            Op::MakeLink { path, text } => self.make(path, 0o777, Body::Link(text.clone())),
            Op::WriteNew { path, content, mode } => self.make(path, *mode, Body::File(content.clone().into())),
            Op::Snapshot { tree, list, into } => {
                let snapshot = self.snapshot(tree, list)?;
                self.make(into, self.private(), Body::File(snapshot))
            }
            Op::MarkProcess { path } => {
                let mark = self.model.mark(self.process).to_content();
                self.make(path, self.private(), Body::File(mark.into()))
            }
            Op::Append { path, content } => match self.find(path)? {
                Some(inode) => self.model.append(inode, content.as_bytes()).map(|()| Reply::Done),
                None => self.make(path, self.private(), Body::File(content.clone().into())),
            },
            Op::GiveToGroup { path, group, reach } => self.give_to_group(path, group, *reach),
            Op::MoveInto { from, into } => self.move_into(from, into),
            Op::Rename { from, to } => self.rename(from, to),
            Op::Exchange { one, other } => self.exchange(one, other),
            Op::RemoveFile { path } => {
                self.remove(path, |kind, _| kind != EntryKind::Directory, FailureKind::WrongType)
            }
            Op::RemoveDir { path } => self.remove_dir(path),
            Op::RemoveTree { path } if path.is_root() => Err(FailureKind::Io),
            Op::RemoveTree { path } => self.remove(path, |_, _| true, FailureKind::Io),
            Op::Sync { paths, .. } => self.sync(paths),
            // The caller has handled every step that reads.
            _ => Err(FailureKind::Io),
        }
    }

    pub(super) fn root(&self) -> u64 {
        self.root[self.root.len() - 1]
    }

    /// Returns the inode at `path`, if it exists.
    pub(super) fn find(&self, path: &InnerPath) -> Result<Option<u64>, FailureKind> {
        match self.model.place(self.root(), path) {
            Ok((way, name)) => self.model.child(way[way.len() - 1], name),
            Err(FailureKind::Missing) => Ok(None),
            Err(kind) => Err(kind),
        }
    }

    fn identify(&self) -> Reply {
        Reply::Identity(HostIdentity {
            user: "model".to_owned(),
            uid: OWNER,
            hostname: "memory".to_owned(),
            // Each host is a kernel of its own, even if its boots have equal numbers.
            boot: Some(format!("{:p}", std::ptr::from_ref(&*self.model))),
            root: self.model.entry(self.root()).id,
            filesystem: None,
            clock: self.model.clock,
        })
    }

    fn resolve(&self, link: &[u8]) -> Answer {
        match self.model.follow(self.root, link) {
            Ok(way) => Ok(Reply::Entry(Some(self.model.entry(way[way.len() - 1])))),
            Err(FailureKind::Missing | FailureKind::WrongType) => Ok(Reply::Entry(None)),
            Err(kind) => Err(kind),
        }
    }

    pub(super) fn read_link(&self, path: &InnerPath) -> Result<Option<Vec<u8>>, FailureKind> {
        match self.find(path)?.map(|inode| self.model.body(inode)) {
            Some(Body::Link(text)) => Ok(Some(text.clone())),
            Some(_) => Err(FailureKind::WrongType),
            None => Ok(None),
        }
    }

    pub(super) fn read(&self, inode: u64, limit: u64) -> Found {
        match self.model.body(inode) {
            Body::File(content) if content.len() as u64 > limit => Found::TooLarge,
            Body::File(content) => Found::Content(content.clone()),
            _ => Found::NotAFile(self.model.entry(inode).kind),
        }
    }

    fn read_end(&self, inode: u64, limit: u64) -> Found {
        match self.read(inode, u64::MAX) {
            Found::Content(content) => {
                let skipped = content.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
                Found::Content(content[skipped..].to_vec())
            }
            found => found,
        }
    }

    fn list(&self, path: &InnerPath) -> Result<Option<Vec<Listed>>, FailureKind> {
        let Some(inode) = self.find(path)? else { return Ok(None) };
        let names = self.model.names(inode)?.iter();
        Ok(Some(names.map(|(name, inode)| Listed { name: name.clone(), entry: self.model.entry(*inode) }).collect()))
    }

    fn read_each(&self, path: &InnerPath, file: &InnerPath, limit: u64) -> Answer {
        let Some(inode) = self.find(path)? else { return Ok(Reply::Contents(Vec::new())) };
        let mut contents = Vec::new();
        for (name, inode) in self.model.names(inode)? {
            if let Body::Directory(names) = self.model.body(*inode)
                && let Some(file) = names.get(file.as_str().as_bytes())
            {
                contents.push((name.clone(), self.read_owned(*file, limit)));
            }
        }
        Ok(Reply::Contents(contents))
    }

    pub(super) fn read_owned(&self, inode: u64, limit: u64) -> OwnedFile {
        match self.read(inode, limit) {
            found @ (Found::Content(_) | Found::TooLarge) => {
                OwnedFile { owner: Some(self.model.entry(inode).owner), found }
            }
            found => OwnedFile::unowned(found),
        }
    }

    /// Returns a snapshot of a tree. A file's digest serves as its version, since a model knows all contents.
    fn snapshot(&self, tree: &InnerPath, list: &InnerPath) -> Result<Vec<u8>, FailureKind> {
        let inode = self.find(tree)?.ok_or(FailureKind::Missing)?;
        self.model.names(inode)?;
        let list = self.find(list)?.ok_or(FailureKind::Missing)?;
        let Body::File(list) = self.model.body(list) else { return Err(FailureKind::WrongType) };
        let entries = self.entries_of(inode);
        let there = changes::listed(list).into_iter().filter_map(|path| entries.get(path));
        let lines = there.map(snapped).chain(std::iter::once(changes::END.to_vec()));
        Ok(lines.flat_map(|line| [line, b"\n".to_vec()].concat()).collect())
    }

    fn entries_of(&self, inode: u64) -> BTreeMap<Vec<u8>, Surveyed> {
        self.model.survey(inode, true).into_iter().map(|entry| (entry.path.clone(), entry)).collect()
    }

    fn changes(&self, tree: &InnerPath, since: &InnerPath) -> Result<Option<Changes>, FailureKind> {
        let (Some(inode), Some(since)) = (self.find(tree)?, self.find(since)?) else { return Ok(None) };
        self.model.names(inode)?;
        let Body::File(snapshot) = self.model.body(since) else { return Err(FailureKind::WrongType) };
        let entries = self.entries_of(inode);
        let mut changes = Changes::default();
        for line in changes::lines(snapshot).ok_or(FailureKind::Mismatch)? {
            let Some(before) = Snapped::read(line) else { continue };
            let now = entries.get(&before.path);
            if now.map(snapped).as_deref() != Some(line) {
                changes.before.push(before);
                changes.now.extend(now.cloned());
            }
        }
        Ok(Some(changes))
    }

    fn compare(
        &self,
        trees: &InnerPath,
        name: &TreeName,
        (lists, manifest): (&InnerPath, &InnerPath),
        expected: &Expected<'_>,
    ) -> Result<Comparison, FailureKind> {
        let tree = self.tree_name(name);
        let Some(name) = tree.as_deref().and_then(|name| InnerPath::new(name).ok()) else {
            return Ok(Comparison { tree: None, found: Compared::NoTree });
        };
        let path = lists.join(&name).join(manifest);
        let listed = match self.find(&path) {
            Ok(inode) => inode.map(|inode| self.read(inode, u64::MAX)),
            Err(kind) => Some(Found::Unreadable(StepFailure::new(kind, format!("{path}: {kind}")))),
        };
        let found = match (self.find(&trees.join(&name))?, Compared::manifest(listed.as_ref(), &path)) {
            (Some(inode), Ok(manifest)) => {
                self.model.names(inode)?;
                expected.compare(&manifest, &self.model.survey(inode, expected.contents))
            }
            (Some(_), Err(otherwise)) => otherwise,
            (None, _) => Compared::NoTree,
        };
        Ok(Comparison { tree, found })
    }

    fn check_process(&self, path: &InnerPath) -> Liveness {
        let Ok(Some(inode)) = self.find(path) else { return Liveness::Unknown };
        let Body::File(content) = self.model.body(inode) else { return Liveness::Unknown };
        let Some(mark) = ProcessMark::parse(content) else { return Liveness::Unknown };
        let now = self.model.mark(mark.pid);
        match mark.liveness(&self.model.here(), Seen::Nothing) {
            Liveness::Gone if self.model.runs(mark.pid) && (mark.start, &mark.boot) == (now.start, &now.boot) => {
                Liveness::Alive
            }
            liveness => liveness,
        }
    }

    fn expect_link(&self, path: &InnerPath, text: &[u8]) -> Result<Reply, StepFailure> {
        let there = match self.read_link(path) {
            Ok(Some(there)) if there == text => return Ok(Reply::Done),
            Ok(Some(there)) => format!("a link to {}", String::from_utf8_lossy(&there)),
            Ok(None) => "nothing".to_owned(),
            Err(kind) => match self.find(path) {
                Ok(Some(inode)) => self.model.entry(inode).kind.with_article().to_owned(),
                _ => return Err(StepFailure::new(kind, path.as_str())),
            },
        };
        Err(StepFailure::new(FailureKind::Mismatch, format!("{path}: {there}")))
    }

    fn make(&mut self, path: &InnerPath, mode: u32, body: Body) -> Answer {
        let (way, name) = self.model.place(self.root(), path)?;
        self.model.make(way[way.len() - 1], name, mode, body).map(|_| Reply::Done)
    }

    fn make_dir(&mut self, path: &InnerPath, mode: u32, existing_is_fine: bool) -> Answer {
        match self.find(path)? {
            Some(inode) if existing_is_fine && self.model.names(inode).is_ok() => Ok(Reply::Done),
            _ => self.make(path, mode, Body::Directory(BTreeMap::new())),
        }
    }

    fn inspect_group(&self, name: &GroupName, paths: &[InnerPath]) -> Answer {
        if name.as_str() != GROUP.0 {
            return Ok(Reply::Group(None));
        }
        let place = |inode: u64| {
            let Entry { kind, owner, mode, .. } = self.model.entry(inode);
            (kind == EntryKind::Directory).then_some(GroupPlace { owner, group: GROUP.1, mode })
        };
        let places = paths.iter().map(|path| Ok(self.find(path)?.and_then(place))).collect::<Result<_, _>>()?;
        Ok(Reply::Group(Some(Group { id: GROUP.1, is_ours: true, members: vec![OWNER], places })))
    }

    fn give_to_group(&mut self, path: &InnerPath, group: &GroupName, reach: GroupReach) -> Answer {
        let inode = self.find(path)?.ok_or(FailureKind::Missing)?;
        self.model.names(inode)?;
        if group.as_str() != GROUP.0 {
            return Err(FailureKind::Missing);
        }
        self.model.give(inode, reach);
        Ok(Reply::Done)
    }

    fn move_into(&mut self, from: &InnerPath, into: &InnerPath) -> Answer {
        let (source_way, name) = self.model.place(self.root(), from)?;
        let source_directory = source_way[source_way.len() - 1];
        let source = self.model.child(source_directory, name)?.ok_or(FailureKind::Missing)?;
        let (mut target_way, last) = self.model.place(self.root(), into)?;
        let target_directory = self.model.child(target_way[target_way.len() - 1], last)?.ok_or(FailureKind::Missing)?;
        let replaced = self.model.child(target_directory, name)?;
        target_way.push(target_directory);
        // A directory never moves into itself, and the root never moves.
        if from.is_root() || target_way.contains(&source) {
            return Err(FailureKind::Io);
        }
        match replaced {
            Some(same) if same == source => return Ok(Reply::Done),
            Some(above) if source_way.contains(&above) => return Err(FailureKind::Exists),
            Some(other) => self.may_replace(source, other)?,
            None => {}
        }
        self.model.detach(source_directory, name);
        self.model.attach(target_directory, name, source);
        Ok(Reply::Done)
    }

    fn rename(&mut self, from: &InnerPath, to: &InnerPath) -> Answer {
        if from.is_root() {
            return Err(FailureKind::Io);
        }
        let source = self.find(from)?.ok_or(FailureKind::Missing)?;
        let (source_way, name) = self.model.place(self.root(), from)?;
        let (target_way, new) = self.model.place(self.root(), to)?;
        let target = target_way[target_way.len() - 1];
        if self.model.child(target, new)?.is_some() {
            return Err(FailureKind::Exists);
        }
        if target_way.contains(&source) {
            return Err(FailureKind::Io);
        }
        self.model.detach(source_way[source_way.len() - 1], name);
        self.model.attach(target, new, source);
        Ok(Reply::Done)
    }

    fn exchange(&mut self, one: &InnerPath, other: &InnerPath) -> Answer {
        let first = self.find(one)?.ok_or(FailureKind::Missing)?;
        let second = self.find(other)?.ok_or(FailureKind::Missing)?;
        let (one_way, one_name) = self.model.place(self.root(), one)?;
        let (other_way, other_name) = self.model.place(self.root(), other)?;
        if one.is_root() || other.is_root() || one_way.contains(&second) || other_way.contains(&first) {
            return Err(FailureKind::Io);
        }
        let (one_directory, other_directory) = (one_way[one_way.len() - 1], other_way[other_way.len() - 1]);
        self.model.detach(one_directory, one_name);
        if first != second {
            self.model.detach(other_directory, other_name);
            self.model.attach(other_directory, other_name, first);
        }
        self.model.attach(one_directory, one_name, second);
        Ok(Reply::Done)
    }

    fn may_replace(&self, source: u64, other: u64) -> Result<(), FailureKind> {
        match (self.model.body(source), self.model.body(other)) {
            (Body::Directory(_), Body::Directory(names)) if names.is_empty() => Ok(()),
            (Body::Directory(_), Body::Directory(_)) => Err(FailureKind::Exists),
            (Body::Directory(_), _) | (_, Body::Directory(_)) => Err(FailureKind::WrongType),
            _ => Ok(()),
        }
    }

    fn remove_dir(&mut self, path: &InnerPath) -> Answer {
        if path.is_root() {
            return Err(FailureKind::Io);
        }
        if let Some(inode) = self.find(path)? {
            self.model.names(inode)?;
        }
        self.remove(path, |_, size| size == 0, FailureKind::Exists)
    }

    /// Removes the entry at `path`, with all that it holds, if `may_go` accepts its kind and size.
    fn remove(
        &mut self,
        path: &InnerPath,
        may_go: impl FnOnce(EntryKind, u64) -> bool,
        otherwise: FailureKind,
    ) -> Answer {
        let Some(inode) = self.find(path)? else { return Ok(Reply::Done) };
        let entry = self.model.entry(inode);
        if !may_go(entry.kind, entry.size) {
            return Err(otherwise);
        }
        let (way, name) = self.model.place(self.root(), path)?;
        self.model.detach(way[way.len() - 1], name);
        Ok(Reply::Done)
    }

    fn sync(&self, paths: &[InnerPath]) -> Answer {
        for path in paths {
            let (way, name) = self.model.place(self.root(), path)?;
            let inode = self.model.child(way[way.len() - 1], name)?.ok_or(FailureKind::Missing)?;
            if let Body::Link(_) = self.model.body(inode) {
                return Err(FailureKind::WrongType);
            }
        }
        Ok(Reply::Done)
    }
}

/// Returns the line of a snapshot for an entry.
fn snapped(entry: &Surveyed) -> Vec<u8> {
    let (kind, size, version) = match &entry.node {
        manifest::Seen::Directory | manifest::Seen::TooDeep => (0o040_000, 0, String::new()),
        manifest::Seen::File { size, digest } => {
            (0o100_000, *size, digest.map(|digest| digest.to_string()).unwrap_or_default())
        }
        manifest::Seen::Link { target } => (0o120_000, target.len() as u64, manifest::Digest::of(target).to_string()),
        manifest::Seen::Other => (0, 0, String::new()),
    };
    changes::line(&entry.path, (kind | entry.mode, entry.owner, size), &version)
}

/// Returns the subject of a step, for messages.
fn subject(op: &Op) -> String {
    match op {
        Op::Identify | Op::Clock => "the host".to_owned(),
        Op::CompareTree { trees, .. } | Op::ReadChain { trees, .. } => trees.to_string(),
        Op::Resolve { link } => String::from_utf8_lossy(link).into_owned(),
        Op::Rename { from, to } => format!("{from} to {to}"),
        Op::Exchange { one, other } => format!("{one} and {other}"),
        Op::MoveInto { from, into } => format!("{from} into {into}"),
        Op::Sync { paths, .. } | Op::InspectWay { paths } => {
            paths.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        }
        Op::Inspect { path }
        | Op::ReadLink { path }
        | Op::Read { path, .. }
        | Op::ReadEnd { path, .. }
        | Op::List { path }
        | Op::ReadEach { path, .. }
        | Op::Survey { path, .. }
        | Op::Changes { since: path, .. }
        | Op::Snapshot { into: path, .. }
        | Op::CheckProcess { path }
        | Op::FindUsers { path }
        | Op::ExpectAbsent { path }
        | Op::ExpectUnmounted { path }
        | Op::ExpectDirectory { path }
        | Op::ExpectLink { path, .. }
        | Op::ExpectWritable { path }
        | Op::MakeDir { path, .. }
        | Op::MakeLink { path, .. }
        | Op::WriteNew { path, .. }
        | Op::MarkProcess { path }
        | Op::Append { path, .. }
        | Op::RemoveFile { path }
        | Op::RemoveDir { path }
        | Op::RemoveTree { path }
        | Op::GiveToGroup { path, .. } => path.to_string(),
        Op::InspectGroup { name, .. } => name.to_string(),
    }
}
