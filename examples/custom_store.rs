//! A store of your own, which is no directory: the releases of a root are in the memory of this process.
//!
//! It passes the suite for stores, and a fleet deploys to it and rolls back. It is as short as an honest store can be: it
//! keeps all that the fleet relies on, and refuses commands and shared paths. Nothing survives the process.
//!
//! ```sh
//! cargo run --example custom_store --features testing
//! ```

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use switchback::{
    BoxFuture, Fleet, Host, HostPath, Release, ReleaseName, ReleaseStore, Timestamp, Token,
    data::{DataRecord, LedgerEntry},
    event::Silent,
    fleet::{DeployOptions, RollbackOptions},
    history::HistoryEntry,
    lock::{LockHolder, LockOwner},
    manifest::Digest,
    record::{BadRecord, PreviousVersion},
    release::NewRelease,
    status::ReleaseState,
    store::{
        ActivateError, Activated, Current, Finish, FinishError, Finished, HostedRelease, Intent, Interrupted, Kept,
        Preparation, Pruned, QuickCheck, Ready, RootState, Staged, StagedRecord, StoreError, StoreGuard, TookEffect,
        Verified,
    },
    testing::stores::{self, Fixture},
    transport::{Effect, FileId, HostIdentity, Liveness, Progress},
    tree::{Tree, TreeError},
};

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// The content of a release: each file by its path, and the digest of the whole tree.
#[derive(Debug)]
struct Content {
    files: BTreeMap<Vec<u8>, Vec<u8>>,
    digest: Digest,
    record: StagedRecord,
}

/// Everything that the store keeps.
#[derive(Debug, Default)]
struct Root {
    state: RootState,
    staged: HashMap<Token, Content>,
    contents: HashMap<ReleaseName, Content>,
    /// The names of pruned releases that were current.
    pruned: HashSet<ReleaseName>,
    history: Vec<HistoryEntry>,
    ledger: Vec<LedgerEntry>,
    /// The number of releases ever published, which gives each an identity.
    published: u64,
}

/// A client of one root; clones are clients of the same root.
#[derive(Debug, Clone)]
pub(crate) struct InMemory {
    path: HostPath,
    root: Arc<Mutex<Root>>,
}

impl fmt::Display for InMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("memory")
    }
}

impl InMemory {
    pub(crate) fn new(path: HostPath) -> Self {
        let id = FileId { device: 0, inode: 0 };
        let (user, hostname, clock) = (String::new(), String::new(), Timestamp::now());
        let mut root = Root::default();
        let identity = HostIdentity { user, uid: 0, hostname, boot: None, root: id, filesystem: None, clock };
        root.state.identity = Some(identity);
        Self { path, root: Arc::new(Mutex::new(root)) }
    }

    fn root(&self) -> MutexGuard<'_, Root> {
        self.root.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a file of the current release.
    pub(crate) fn read(&self, path: &str) -> Option<Vec<u8>> {
        let root = self.root();
        root.contents.get(root.state.current.release()?)?.files.get(path.as_bytes()).cloned()
    }

    fn no_such(&self, name: &ReleaseName) -> StoreError {
        StoreError::NoSuchRelease { host: self.to_string(), name: name.clone() }
    }

    /// Reads a tree to its end.
    fn receive(&self, tree: &Tree, owner: &LockOwner, progress: &dyn Progress) -> Result<Content, StoreError> {
        let mut files = BTreeMap::new();
        let host = self.to_string();
        let failed =
            |why: TreeError| StoreError::Failed { host: host.clone(), effect: Effect::Nothing, source: why.into() };
        tree.visit(&mut |entry, content| {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes)?;
            files.insert(entry.path.clone(), bytes);
            Ok(())
        })
        .map_err(failed)?;
        progress.advanced(tree.files(), tree.bytes());
        Ok(Content { files, digest: tree.digest().map_err(failed)?, record: StagedRecord::new(tree, owner) })
    }

    /// Gives the lock to `owner`.
    fn take(&self, root: &mut Root, owner: &LockOwner) -> Box<dyn StoreGuard> {
        let token = Token::random();
        root.state.lock = Some(LockHolder::new(token.clone(), owner.clone(), Liveness::Alive));
        let (store, owner, state) = (self.clone(), owner.clone(), root.under_lock());
        Box::new(Guard { store, owner, token, state, before: None })
    }
}

impl Root {
    /// The state as the holder of the lock sees it.
    fn under_lock(&self) -> RootState {
        let mut state = self.state.clone();
        (state.lock, state.intent, state.clock) = (None, Kept::Nothing, Some(Timestamp::now()));
        state
    }

    fn holds(&self, token: &Token) -> bool {
        self.state.lock.as_ref().and_then(|lock| lock.token.as_ref()) == Some(token)
    }

    fn release(&mut self, name: &ReleaseName) -> Option<&mut HostedRelease> {
        self.state.releases.iter_mut().find(|release| release.name == *name)
    }

    fn edit(&mut self, name: &ReleaseName, edit: impl FnOnce(&mut HostedRelease)) {
        self.release(name).map(edit);
    }

    /// Ends the operation that holds the lock. If it is incomplete, the next one finds it interrupted.
    fn end(&mut self, is_complete: bool) {
        let (lock, intent) = (self.state.lock.take(), std::mem::take(&mut self.state.intent));
        if let Some(LockHolder { token: Some(token), owner: Some(owner), .. }) = lock
            && !is_complete
        {
            self.state.interrupted.push(Interrupted::new(token, Kept::Record(owner), intent));
        }
    }

    /// Settles the interrupted runs: their history is written, and what they only prepared was never current.
    fn settle(&mut self) {
        for left in std::mem::take(&mut self.state.interrupted) {
            self.history.extend(HistoryEntry::of_interrupted(&left));
            let Some(intent) = left.intent.record() else { continue };
            let names = |release: &HostedRelease| release.previous == Ok(PreviousVersion::Release(intent.to.clone()));
            let was_current = self.state.current.release() == Some(&intent.to) || self.state.releases.iter().any(names);
            let never = self.release(&intent.to).filter(|release| !was_current && !release.bad.exists());
            if let Some(release) = never {
                release.previous = Err(BadRecord::Missing);
            }
        }
    }
}

impl ReleaseStore for InMemory {
    fn root(&self) -> &HostPath {
        &self.path
    }

    fn state(&self) -> Answer<'_, RootState> {
        Box::pin(async { Ok(self.root().state.clone()) })
    }

    fn history(&self, newest: Option<usize>) -> Answer<'_, (Vec<HistoryEntry>, usize)> {
        Box::pin(async move {
            let history = &self.root().history;
            let first = newest.map_or(0, |newest| history.len().saturating_sub(newest));
            Ok((history[first..].to_vec(), 0))
        })
    }

    fn may_write<'a>(&'a self, name: Option<&'a ReleaseName>) -> Answer<'a, ()> {
        Box::pin(async move {
            match name.filter(|name| self.root().pruned.contains(*name)) {
                Some(name) => Err(StoreError::NamePruned { host: self.to_string(), name: name.clone() }),
                None => Ok(()),
            }
        })
    }

    fn stage<'a>(
        &'a self,
        release: &'a dyn Release,
        owner: &'a LockOwner,
        _bases: &'a [ReleaseName],
        progress: &'a dyn Progress,
    ) -> Answer<'a, Staged> {
        Box::pin(async move {
            self.may_write(Some(release.name())).await?;
            let content = self.receive(&release.content(), owner, progress)?;
            let token = Token::random();
            self.root().staged.insert(token.clone(), content);
            Ok(Staged::new(release.name().clone(), token))
        })
    }

    fn discard(&self, staged: Staged) -> Answer<'_, ()> {
        Box::pin(async move {
            self.root().staged.remove(staged.token());
            Ok(())
        })
    }

    fn verify<'a>(&'a self, release: &'a HostedRelease, _full: bool) -> Answer<'a, Verified> {
        Box::pin(async move {
            let root = self.root();
            let content = root.contents.get(&release.name).ok_or_else(|| self.no_such(&release.name))?;
            // Nobody else can reach what is in the memory of this process, so it is what was received.
            let mut verified = Verified::default();
            verified.manifest = Some(content.digest);
            Ok(verified)
        })
    }

    fn lock<'a>(&'a self, owner: &'a LockOwner, _check: Option<&'a QuickCheck>) -> Answer<'a, Box<dyn StoreGuard>> {
        Box::pin(async move {
            let mut root = self.root();
            match root.state.lock.clone() {
                Some(holder) => Err(StoreError::Locked { host: self.to_string(), holder: Box::new(holder) }),
                None => Ok(self.take(&mut root, owner)),
            }
        })
    }

    fn steal<'a>(&'a self, owner: &'a LockOwner, holder: &'a Token) -> Answer<'a, Box<dyn StoreGuard>> {
        Box::pin(async move {
            let mut root = self.root();
            if !root.holds(holder) {
                return Err(StoreError::LockLost { host: self.to_string() });
            }
            root.end(false);
            Ok(self.take(&mut root, owner))
        })
    }
}

/// The held lock.
#[derive(Debug)]
struct Guard {
    store: InMemory,
    owner: LockOwner,
    token: Token,
    state: RootState,
    /// The record of the prepared release before it was prepared.
    before: Option<Result<PreviousVersion, BadRecord>>,
}

impl Guard {
    /// Changes the root, if this is still the holder of its lock. An error must leave the root unchanged.
    fn change<T>(&mut self, act: impl FnOnce(&mut Root, &Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let store = self.store.clone();
        let mut root = store.root();
        if !root.holds(&self.token) {
            return Err(StoreError::LockLost { host: store.to_string() });
        }
        let result = act(&mut root, self);
        self.state = root.under_lock();
        result
    }

    fn set(&mut self, act: impl FnOnce(&mut Root)) -> Result<(), StoreError> {
        self.change(|root, _| {
            act(root);
            Ok(())
        })
    }

    fn conflict(&self, current: &Current) -> StoreError {
        StoreError::Conflict { host: self.store.to_string(), detail: format!("it is {current:?}") }
    }
}

impl StoreGuard for Guard {
    fn state(&self) -> &RootState {
        &self.state
    }

    fn fence(&mut self) -> Answer<'_, ()> {
        Box::pin(async {
            let token = Token::random();
            let holder = LockHolder::new(token.clone(), self.owner.clone(), Liveness::Alive);
            self.set(|root| root.state.lock = Some(holder))?;
            self.token = token;
            Ok(())
        })
    }

    fn prepare<'a>(&'a mut self, preparation: &'a Preparation) -> Answer<'a, Ready> {
        Box::pin(async move {
            let Preparation { name, staged, record, shared, commands, unsealed, data, .. } = preparation;
            if !shared.is_empty() || *unsealed {
                return Err(StoreError::Unsupported { what: "link shared paths or run commands" });
            }
            let before = self.change(|root, guard| {
                let host = guard.store.to_string();
                let intent = Intent::new(&guard.owner, &root.state, name);
                match (staged, root.release(name).is_some()) {
                    (Some(_), true) => return Err(StoreError::NameTaken { host, name: name.clone() }),
                    (None, false) => return Err(guard.store.no_such(name)),
                    (None, true) => {}
                    (Some(staged), false) => {
                        let content = root.staged.remove(staged.token()).ok_or_else(|| guard.store.no_such(name))?;
                        root.published += 1;
                        let mut release = HostedRelease::new(name.clone(), FileId { device: 0, inode: root.published });
                        release.staged = Kept::Record(content.record.clone());
                        root.contents.insert(name.clone(), content);
                        root.state.releases.push(release);
                        root.state.releases.sort_by(|one, other| one.name.cmp(&other.name));
                    }
                }
                root.state.intent = Kept::Record(intent);
                let release = root.release(name).ok_or_else(|| guard.store.no_such(name))?;
                let before = release.previous.clone();
                release.previous = record.clone().map_or_else(|| before.clone(), Ok);
                release.commands = commands.clone().map_or_else(|| release.commands.clone(), Kept::Record);
                release.data = data.clone().map_or_else(|| release.data.clone(), Kept::Record);
                Ok(before)
            })?;
            self.before = Some(before);
            Ok(Ready::new(name.clone()))
        })
    }

    fn unprepare<'a>(&'a mut self, preparation: &'a Preparation) -> Answer<'a, ()> {
        Box::pin(async move {
            let (name, before) = (&preparation.name, self.before.take());
            self.change(|root, guard| {
                if root.state.current.release() == Some(name) {
                    return Err(guard.conflict(&root.state.current));
                }
                if preparation.staged.is_some() {
                    root.contents.remove(name);
                    root.state.releases.retain(|release| release.name != *name);
                } else if let (Some(before), Some(release)) = (before, root.release(name)) {
                    release.previous = before;
                }
                Ok(())
            })
        })
    }

    fn ready(&self, name: &ReleaseName) -> Result<Ready, StoreError> {
        self.state.release(name).map(|_| Ready::new(name.clone())).ok_or_else(|| self.store.no_such(name))
    }

    fn activate<'a>(
        &'a mut self,
        expected: &'a Current,
        to: &'a Ready,
    ) -> BoxFuture<'a, Result<Activated, ActivateError>> {
        Box::pin(async move {
            let activated = self.change(|root, guard| {
                if root.release(to.name()).is_none() {
                    return Err(guard.store.no_such(to.name()));
                }
                if root.state.current != *expected {
                    return Err(guard.conflict(&root.state.current));
                }
                let intent = Intent::new(&guard.owner, &root.state, to.name());
                root.state.intent = Kept::Record(intent);
                let after = Current::Release { name: to.name().clone(), link: to.name().as_str().into() };
                let before = std::mem::replace(&mut root.state.current, after.clone());
                Ok(Activated::new(before, after, Some(Timestamp::now())))
            });
            // A call in this process takes effect or fails: no answer is ever lost.
            activated.map_err(|error| ActivateError::new(error, TookEffect::No))
        })
    }

    fn deactivate(&mut self) -> Answer<'_, ()> {
        Box::pin(async {
            self.change(|root, guard| {
                if root.state.current != guard.state.current {
                    return Err(guard.conflict(&root.state.current));
                }
                root.state.current = Current::Absent;
                Ok(())
            })
        })
    }

    fn announce<'a>(&'a mut self, to: &'a ReleaseName) -> Answer<'a, ()> {
        Box::pin(async move {
            let intent = Intent::new(&self.owner, &self.state, to);
            self.set(|root| root.state.intent = Kept::Record(intent))
        })
    }

    fn record_data<'a>(
        &'a mut self,
        name: &'a ReleaseName,
        record: Option<&'a DataRecord>,
        entry: Option<&'a LedgerEntry>,
    ) -> Answer<'a, ()> {
        Box::pin(async move {
            self.set(|root| {
                if let Some(record) = record {
                    root.edit(name, |release| release.data = Kept::Record(record.clone()));
                }
                root.ledger.extend(entry.cloned());
            })
        })
    }

    fn ledger(&self) -> Answer<'_, (Vec<LedgerEntry>, usize)> {
        Box::pin(async { Ok((self.store.root().ledger.clone(), 0)) })
    }

    fn survey(&mut self) -> Answer<'_, ()> {
        Box::pin(async { self.set(|_| ()) })
    }

    fn prune<'a>(&'a mut self, releases: &'a [ReleaseName]) -> Answer<'a, Pruned> {
        Box::pin(async move {
            self.change(|root, guard| {
                if root.state.current != guard.state.current {
                    return Err(guard.conflict(&root.state.current));
                }
                let mut pruned = Pruned::default();
                for name in releases {
                    let Some(release) = guard.state.release(name) else { continue };
                    if guard.state.state_of(release) != ReleaseState::Staged {
                        root.pruned.insert(name.clone());
                    }
                    root.contents.remove(name);
                    root.state.releases.retain(|release| release.name != *name);
                    pruned.moved.push((name.clone(), Token::random()));
                }
                Ok(pruned)
            })
        })
    }

    fn finish(mut self: Box<Self>, finish: &Finish) -> BoxFuture<'_, Result<Finished, FinishError>> {
        Box::pin(async move {
            let finished = self.change(|root, guard| {
                if finish.settles {
                    root.settle();
                }
                let clock = Some(Timestamp::now());
                root.history.extend(finish.history.iter().map(|ended| HistoryEntry::new(&guard.owner, ended, clock)));
                if let Some((name, mark)) = &finish.bad {
                    root.edit(name, |release| release.bad = Kept::Record(mark.clone()));
                }
                if let Some((name, mark)) = &finish.pinned {
                    root.edit(name, |release| release.pinned = Kept::Record(mark.clone()));
                }
                finish.cleared.iter().for_each(|name| root.edit(name, |release| release.bad = Kept::Nothing));
                finish.unpinned.iter().for_each(|name| root.edit(name, |release| release.pinned = Kept::Nothing));
                root.state.debts.retain(|debt| !finish.paid.contains(&debt.host));
                root.state.debts.extend(finish.debts.iter().cloned());
                root.end(!finish.unfinished);
                Ok(())
            });
            match finished {
                Ok(()) => Ok(Finished::default()),
                Err(error) => Err(FinishError { error, guard: self }),
            }
        })
    }
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]
pub(crate) async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root: HostPath = "/shop".parse()?;
    let fixture = || {
        let store = InMemory::new(root.clone());
        Fixture::new(move || store.clone())
    };
    println!("{}", stores::store(fixture).await);
    let store = InMemory::new(root.clone());
    let fleet = Fleet::new(vec![Host::new("memory", store.clone())])?;
    for (name, page) in [("v1", "apples"), ("v2", "pears")] {
        let tree = Tree::builder().file("index.html", 0o644, page).build()?;
        let release = NewRelease::new(name.parse()?, tree);
        fleet.deploy(Arc::new(release), &DeployOptions::default(), Silent).await?;
    }
    fleet.rollback(&RollbackOptions::default(), Silent).await?;
    assert_eq!(store.read("index.html").as_deref(), Some(&b"apples"[..]));
    Ok(())
}
