//! `cases.md` E12: what kind of filesystem the root lies on is seen, and one that other machines may have too is told of.

mod support;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use support::local_shell::LocalShell;
use switchback::{
    DirStore, Event, ExitCode, Fleet, Host, HostPath, Layout, Observer, Transport,
    engine::{DeployOptions, RollbackOptions},
    release::NewRelease,
    transport::{Batch, FilesystemKind, LocalTransport, Op, Reply},
    tree::Tree,
};
use tempfile::TempDir;

fn root(dir: &TempDir) -> HostPath {
    dir.path().to_str().expect("UTF-8").parse().expect("a path")
}

async fn kind(transport: &dyn Transport, root: &HostPath) -> Option<FilesystemKind> {
    let mut batch = Batch::new(root.clone());
    batch.push(Op::Identify);
    let replies = transport.execute(&batch).await.expect("it answers");
    transport.close().await;
    let [Reply::Identity(identity)] = &replies[..] else { panic!("{replies:?}") };
    identity.filesystem
}

#[tokio::test]
async fn every_host_sees_the_same_kind() {
    for dir in [TempDir::new_in("/dev/shm"), TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))].into_iter().flatten() {
        let here = kind(&LocalTransport::new(), &root(&dir)).await;
        assert!(here.is_some());
        for shell in LocalShell::all() {
            assert_eq!(kind(&shell.transport(), &root(&dir)).await, here, "{shell}");
        }
    }
}

/// A `stat` that tells of NFS. There is no server of files to be had in every test.
const STAT: &str = "#!/bin/sh\ncase $1 in -f) echo 6969;; *) exec /usr/bin/stat \"$@\";; esac\n";

#[tokio::test]
async fn a_root_on_nfs_is_told_of_and_in_nobodys_way() {
    let (dir, bin) = (TempDir::new().expect("a directory"), TempDir::new().expect("a directory"));
    fs::write(bin.path().join("stat"), STAT).expect("a file");
    fs::set_permissions(bin.path().join("stat"), fs::Permissions::from_mode(0o755)).expect("ours");
    let shell = LocalShell::new("dash", "gnu").expect("a usual machine").preferring(bin.path());
    let fleet = || {
        let store = DirStore::new(shell.transport(), root(&dir), Layout::default());
        Fleet::new(vec![Host::new("web1", store)]).expect("a fleet")
    };
    let told = Told::default();
    for name in ["a", "b"] {
        let tree = Tree::from_memory([("index.html", name.as_bytes())]).expect("a tree");
        let release = Arc::new(NewRelease::new(name.parse().expect("a name"), tree));
        let report = fleet().deploy(release, &DeployOptions::default(), &told).await;
        assert_eq!((report.exit_code(), told.take()), (ExitCode::DONE, 1), "{report:?}");
    }
    let report = fleet().check(&told).await;
    assert_eq!((report.exit_code(), told.take()), (ExitCode::DONE, 1), "{report:?}");
    let report = fleet().rollback(&RollbackOptions::default(), &told).await;
    assert_eq!((report.exit_code(), told.take()), (ExitCode::DONE, 0), "{report:?}");
    assert_eq!(fs::read_link(dir.path().join("current")).expect("a link"), *"releases/a");
}

/// Counts how often it is told of NFS.
#[derive(Default)]
struct Told(AtomicUsize);

impl Told {
    fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

impl Observer for Told {
    fn event(&self, event: &Event) {
        if matches!(event, Event::Warning { message, .. } if message.contains("the root lies on NFS")) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}
