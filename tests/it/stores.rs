//! The suite for stores: on `DirStore` in memory and on this machine, and on stores that break the contract.

use std::fmt;

use switchback::{
    BoxFuture, DirStore, ErrorKind, HostPath, Layout, Release, ReleaseName, ReleaseStore, Token,
    adoption::{AdoptedRecord, Adoption, Evidence, Tool},
    history::HistoryEntry,
    lock::LockOwner,
    report::Command,
    shared::{BrokenLink, LinkFault, SharedPlace},
    store::{
        Checked, Examined, GoneRelease, HostedRelease, Kept, QuickCheck, RecordOwner, RootState, Staged, StoreError,
        StoreGuard, TeamState, UnreadableFile, Verified,
    },
    testing::{
        Cut, Faults, Verdict,
        stores::{self, Fixture},
    },
    transport::{
        Effect, EntryKind, FileId, HookExit, LineSink, LocalTransport, MemoryHost, MemoryTransport, Progress,
        Transport, TransportError, Uploaded,
        raw::{Batch, HookCall, Op, Reply, SyncReach, Upload},
    },
};
use tempfile::TempDir;

/// A fixture of `DirStore` over the transports that `connect` makes.
fn over<T: Transport>(root: &HostPath, connect: impl Fn() -> T + Clone + Send + Sync + 'static) -> Fixture {
    let (one, other, again) = (root.clone(), root.clone(), connect.clone());
    Fixture::new(move || DirStore::new(connect(), one.clone(), Layout::default())).losing_answers(move || {
        let cut = Cut::never();
        let transport = Faults::new(again(), cut.clone());
        (DirStore::new(transport, other.clone(), Layout::default()), Box::new(move || cut.lose_next()))
    })
}

fn in_memory() -> Fixture {
    let host = MemoryHost::new();
    over(&"/srv/shop".parse().expect("a root"), move || host.connect("memory"))
}

#[tokio::test]
async fn a_store_of_directories_in_memory_conforms() {
    let summary = stores::store(in_memory).await;
    assert_eq!((summary.passed, summary.skipped.len()), (stores::cases().len(), 0), "{summary}");
}

#[tokio::test]
async fn a_store_of_directories_on_this_machine_conforms() {
    let summary = stores::store(|| {
        let directory = TempDir::new().expect("a temporary directory can be made");
        let root = directory.path().to_str().expect("UTF-8").parse().expect("a path");
        over(&root, LocalTransport::new).keeping(directory)
    })
    .await;
    assert_eq!((summary.passed, summary.skipped.len()), (stores::cases().len(), 0), "{summary}");
}

/// A transport that no longer compares `current` with what a batch expects.
#[derive(Debug)]
struct Blind(MemoryTransport);

impl fmt::Display for Blind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Transport for Blind {
    fn execute<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Vec<Reply>, TransportError>> {
        let mut batch = batch.clone();
        for step in &mut batch.steps {
            if matches!(step.op, Op::ExpectLink { .. }) {
                step.op = Op::Sync { paths: Vec::new(), reach: SyncReach::Entries };
            }
        }
        Box::pin(async move { self.0.execute(&batch).await })
    }

    fn upload<'a>(
        &'a self,
        upload: &'a Upload,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<Uploaded, TransportError>> {
        self.0.upload(upload, progress)
    }

    fn run<'a>(
        &'a self,
        call: &'a HookCall,
        output: &'a dyn LineSink,
    ) -> BoxFuture<'a, Result<HookExit, TransportError>> {
        self.0.run(call, output)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.0.close()
    }
}

/// A fault of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// It takes a held lock over.
    TakesHeldLocks,
    /// It forgets what it staged.
    ForgetsContent,
    /// Its history comes newest first.
    ReversesHistory,
    /// Its guard switches whatever is current.
    SwitchesBlindly,
}

/// A store with a fault.
#[derive(Debug)]
struct Broken(DirStore, Fault);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.1)
    }
}

impl ReleaseStore for Broken {
    fn root(&self) -> &HostPath {
        self.0.root()
    }

    fn state(&self) -> BoxFuture<'_, Result<RootState, StoreError>> {
        ReleaseStore::state(&self.0)
    }

    fn release_path(&self, name: &ReleaseName) -> HostPath {
        self.0.release_path(name)
    }

    fn empty_trash<'a>(&'a self, trash: &'a Token) -> BoxFuture<'a, Result<(), StoreError>> {
        self.0.empty_trash(trash)
    }

    fn history(&self, newest: Option<usize>) -> BoxFuture<'_, Result<(Vec<HistoryEntry>, usize), StoreError>> {
        Box::pin(async move {
            let (mut entries, torn) = self.0.history(newest).await?;
            if self.1 == Fault::ReversesHistory {
                entries.reverse();
            }
            Ok((entries, torn))
        })
    }

    fn may_write<'a>(&'a self, name: Option<&'a ReleaseName>) -> BoxFuture<'a, Result<(), StoreError>> {
        self.0.may_write(name)
    }

    fn stage<'a>(
        &'a self,
        release: &'a dyn Release,
        owner: &'a LockOwner,
        bases: &'a [ReleaseName],
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<Staged, StoreError>> {
        Box::pin(async move {
            let staged = self.0.stage(release, owner, bases, progress).await?;
            if self.1 == Fault::ForgetsContent {
                self.0.discard(staged.clone()).await?;
            }
            Ok(staged)
        })
    }

    fn discard(&self, staged: Staged) -> BoxFuture<'_, Result<(), StoreError>> {
        self.0.discard(staged)
    }

    fn verify<'a>(&'a self, release: &'a HostedRelease, full: bool) -> BoxFuture<'a, Result<Verified, StoreError>> {
        self.0.verify(release, full)
    }

    fn lock<'a>(
        &'a self,
        owner: &'a LockOwner,
        check: Option<&'a QuickCheck>,
    ) -> BoxFuture<'a, Result<Box<dyn StoreGuard>, StoreError>> {
        Box::pin(async move {
            match self.0.lock(owner, check).await {
                Err(StoreError::Locked { holder, .. }) if self.1 == Fault::TakesHeldLocks => {
                    self.0.steal(owner, holder.token.as_ref().expect("it is read")).await
                }
                result => result,
            }
        })
    }

    fn steal<'a>(
        &'a self,
        owner: &'a LockOwner,
        holder: &'a Token,
    ) -> BoxFuture<'a, Result<Box<dyn StoreGuard>, StoreError>> {
        self.0.steal(owner, holder)
    }
}

/// Each fault breaks the case about it.
#[tokio::test]
async fn stores_with_faults_do_not_conform() {
    let faults = [
        (Fault::TakesHeldLocks, "lock::is_exclusive"),
        (Fault::ForgetsContent, "publish::a_prepared_release_is_complete"),
        (Fault::ReversesHistory, "records::history_comes_oldest_first"),
        (Fault::SwitchesBlindly, "activate::it_compares_and_swaps"),
    ];
    for (fault, name) in faults {
        let host = MemoryHost::new();
        let root: HostPath = "/srv/shop".parse().expect("a root");
        let store = move || {
            let transport = host.connect("memory");
            let transport: Box<dyn Transport> =
                if fault == Fault::SwitchesBlindly { Box::new(Blind(transport)) } else { Box::new(transport) };
            Broken(DirStore::new(transport, root.clone(), Layout::default()), fault)
        };
        let case = stores::cases().iter().find(|case| case.name() == name).expect("a case");
        let broken = case.run(Fixture::new(store)).await.expect_err(name);
        assert!(broken.starts_with(&format!("{name} on {fault:?}: ")), "{broken}");
    }
}

/// A store that cannot lose an answer is told so.
#[tokio::test]
async fn cases_that_the_fixture_does_not_allow_are_skipped_in_words() {
    let case = stores::cases().iter().find(|case| case.name() == "lost::a_switch").expect("a case");
    let host = MemoryHost::new();
    let store = move || DirStore::new(host.connect("memory"), "/srv/shop".parse().expect("a root"), Layout::default());
    let verdict = case.run(Fixture::new(store)).await;
    assert!(matches!(&verdict, Ok(Verdict::Skipped(why)) if why.contains("losing_answers")), "{verdict:?}");
}

/// The parts of a state that neither the suite nor the example makes.
#[test]
fn a_state_can_be_made_outside() {
    let name: ReleaseName = "a".parse().expect("a name");
    let mut release = HostedRelease::new(name.clone(), FileId { device: 0, inode: 1 });
    let adoption = Adoption::new(Tool::Recipe, Evidence::Records);
    assert!(adoption.is_empty());
    let owner = LockOwner::new(Command::Adopt, "jane@laptop");
    release.adopted = Kept::Record(AdoptedRecord::new(&adoption, &owner, true));
    release.broken = vec![BrokenLink::new("log".parse().expect("a path"), LinkFault::Missing)];
    let mut state = RootState::default();
    state.releases = vec![release];
    state.gone = vec![GoneRelease::new("b".parse().expect("a name"))];
    state.unreadable = vec![UnreadableFile::new("/shop/x", None, "it is torn")];
    state.record_owners = vec![RecordOwner::new(7, "x".parse().expect("a path"))];
    state.team = Some(TeamState::new("deploy".parse().expect("a group"), None));
    let (shared, place) = ("log/".parse().expect("a shared path"), "shared/log".parse().expect("a path"));
    state.shared = vec![SharedPlace::new(shared, place, Some(EntryKind::Directory))];
    assert!(state.release(&name).is_some_and(|release| release.adopted.exists()));
    let examined = Examined::new(name, Checked::NoManifest);
    assert!(examined.links.is_empty());
}

/// A store with a medium of its own says how much took effect.
#[test]
fn the_fault_of_a_medium_says_what_took_effect() {
    let failed = |effect| StoreError::Failed { host: "web1".to_owned(), effect, source: "the bucket is full".into() };
    for (effect, kind) in [(Effect::Nothing, ErrorKind::HostFailed), (Effect::Unknown, ErrorKind::Unknown)] {
        assert_eq!((failed(effect).effect(), failed(effect).kind()), (effect, kind));
    }
    let error = switchback::Error::from(failed(Effect::Nothing));
    assert!(error.full_message().ends_with("the store on web1 failed: the bucket is full"), "{}", error.full_message());
    assert_eq!(StoreError::Unsupported { what: "fly" }.kind(), ErrorKind::Unsuitable);
}
