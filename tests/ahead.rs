//! What is opened ahead of the need: it serves who comes next, and what cannot be opened is tried once.

mod support;

use std::{
    fmt,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use support::local_shell::LocalShell;
use switchback::{
    BoxFuture, Transport,
    transport::{
        Batch, Op, ShellTransport, TransportError, Upload,
        shell::{Channel, Shell, ShellCommand},
    },
    tree::Tree,
};
use tempfile::TempDir;

/// What becomes of the first channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    Opens,
    Fails,
    Hangs,
}

/// A host that counts how often somebody wanted a channel.
#[derive(Debug)]
struct Host {
    shell: LocalShell,
    first: First,
    wanted: Arc<AtomicUsize>,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shell.fmt(f)
    }
}

impl Shell for Host {
    fn open(&self, command: ShellCommand) -> BoxFuture<'_, Result<Channel, TransportError>> {
        let is_first = self.wanted.fetch_add(1, Ordering::Relaxed) == 0;
        Box::pin(async move {
            match self.first {
                First::Fails if is_first => {
                    Err(TransportError::Unreachable { host: self.to_string(), source: "it is away".into() })
                }
                First::Hangs if is_first => pending().await,
                _ => self.shell.open(command).await,
            }
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.shell.close()
    }
}

struct World {
    dir: TempDir,
    transport: ShellTransport<Host>,
    wanted: Arc<AtomicUsize>,
}

impl World {
    fn new(first: First) -> Self {
        let wanted = Arc::default();
        let shell = LocalShell::new("dash", "gnu").expect("every Debian has dash");
        let host = Host { shell, first, wanted: Arc::clone(&wanted) };
        let dir = TempDir::new().expect("a directory");
        Self { dir, transport: ShellTransport::new(host, Duration::from_secs(60)), wanted }
    }

    fn wanted(&self) -> usize {
        self.wanted.load(Ordering::Relaxed)
    }

    /// Makes a directory.
    async fn make(&self, name: &str) -> Result<(), TransportError> {
        let mut batch = Batch::new(self.dir.path().to_str().expect("UTF-8").parse().expect("a path"));
        batch.push(Op::MakeDir { path: name.parse().expect("a path"), mode: 0o700, existing_is_fine: false });
        self.transport.execute(&batch).await.map(drop)
    }
}

#[tokio::test]
async fn what_was_opened_ahead_serves_the_batches_and_the_upload() {
    let world = World::new(First::Opens);
    world.transport.expect_upload().await;
    assert_eq!(world.wanted(), 2);
    world.make("into").await.expect("it stands");
    let root = world.dir.path().to_str().expect("UTF-8").parse().expect("a path");
    let tree = Arc::new(Tree::open("examples/site/v1".into()).expect("the example"));
    let into = "into".parse().expect("a path");
    let upload = Upload { root, into, tree, lists: Vec::new(), unlisted: Vec::new(), base: None };
    world.transport.upload(&upload, &|_, _| {}).await.expect("it arrives");
    world.make("more").await.expect("it still stands");
    assert_eq!(world.wanted(), 2);
}

#[tokio::test]
async fn what_failed_ahead_is_said_once_and_then_tried_anew() {
    let world = World::new(First::Fails);
    world.transport.expect_upload().await;
    assert_eq!(world.wanted(), 1, "where there is no channel for batches there is none for an upload");
    let error = world.make("a").await.expect_err("it was away");
    assert!(matches!(error, TransportError::Unreachable { .. }), "{error}");
    assert_eq!(world.wanted(), 1, "whoever waits has waited for it");
    world.make("a").await.expect("it is back");
    let world = World::new(First::Fails);
    world.transport.expect_upload().await;
    world.transport.connect().await.expect_err("it was away");
    assert_eq!(world.wanted(), 1);
    world.transport.connect().await.expect("it is back");
}

#[tokio::test]
async fn nobody_waits_for_what_was_given_up() {
    let world = World::new(First::Hangs);
    tokio::select! {
        biased;
        () = world.transport.expect_upload() => panic!("it hangs"),
        () = tokio::task::yield_now() => {}
    }
    assert_eq!(world.wanted(), 1);
    world.make("a").await.expect("it is opened anew");
}
