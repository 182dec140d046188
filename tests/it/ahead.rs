//! Channels that shells open ahead of the need: the next call uses them, and a failure is tried once.

use crate::support;

#[cfg(all(feature = "cli", feature = "ssh"))]
use std::net::TcpListener;
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
    BoxFuture, DirStore, ExitCode, Fleet, Host, Layout, Transport, event,
    fleet::RunOptions,
    release::NewRelease,
    testing::WholeReport as _,
    transport::{
        ShellTransport, TransportError,
        raw::{Batch, Op, Upload},
        shell::{Channel, Shell, ShellCommand},
    },
    tree::Tree,
};
use tempfile::TempDir;

/// The fate of the first channel, after a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    Opens,
    Fails,
    Hangs,
}

/// The number of turns that other tasks get before that: more than they need to reach their wait.
const WHILE: usize = 100;

/// A host that counts how often a channel was requested.
#[derive(Debug)]
struct Counting {
    shell: LocalShell,
    first: First,
    wanted: Arc<AtomicUsize>,
}

impl fmt::Display for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shell.fmt(f)
    }
}

impl Shell for Counting {
    fn open(&self, command: ShellCommand) -> BoxFuture<'_, Result<Channel, TransportError>> {
        let is_first = self.wanted.fetch_add(1, Ordering::Relaxed) == 0;
        Box::pin(async move {
            for _ in 0..if is_first { WHILE } else { 0 } {
                tokio::task::yield_now().await;
            }
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
    transport: ShellTransport<Counting>,
    wanted: Arc<AtomicUsize>,
}

impl World {
    fn new(first: First) -> Self {
        let wanted = Arc::default();
        let shell = LocalShell::new("dash", "gnu").expect("every Debian has dash");
        let host = Counting { shell, first, wanted: Arc::clone(&wanted) };
        let dir = TempDir::new().expect("a directory");
        Self { dir, transport: ShellTransport::new(host, Duration::from_secs(60)), wanted }
    }

    fn wanted(&self) -> usize {
        self.wanted.load(Ordering::Relaxed)
    }

    /// Creates a directory.
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
async fn who_comes_while_it_is_opened_waits_for_that() {
    let world = World::new(First::Opens);
    let ((), made) = tokio::join!(world.transport.expect_upload(), world.make("a"));
    made.expect("it stands");
    assert_eq!(world.wanted(), 2, "one for batches and one for the upload");
}

#[tokio::test]
async fn who_waited_for_what_failed_is_told_why_and_the_next_tries_anew() {
    let world = World::new(First::Fails);
    let ((), made) = tokio::join!(world.transport.expect_upload(), world.make("a"));
    assert!(matches!(made, Err(TransportError::Unreachable { .. })), "{made:?}");
    assert_eq!(world.wanted(), 1, "where there is no channel for batches there is none for an upload");
    world.make("a").await.expect("it is back");

    let world = World::new(First::Fails);
    let ((), connected) = tokio::join!(world.transport.expect_upload(), world.transport.connect());
    connected.expect_err("it was away");
    assert_eq!(world.wanted(), 1);
    world.transport.connect().await.expect("it is back");
}

#[tokio::test]
async fn what_failed_before_anybody_waited_is_forgotten() {
    let world = World::new(First::Fails);
    world.transport.expect_upload().await;
    assert_eq!(world.wanted(), 1);
    world.make("a").await.expect("it is back by now");

    let world = World::new(First::Fails);
    world.transport.expect_upload().await;
    world.transport.expect_upload().await;
    assert_eq!(world.wanted(), 3, "one that failed, one for batches and one for the upload");
    world.make("a").await.expect("it is there");
    assert_eq!(world.wanted(), 3);
}

/// Opens one channel for the batches of a whole command and one for its upload, and tries neither twice.
#[tokio::test]
async fn a_fleet_connects_once() {
    for (first, code) in [(First::Opens, ExitCode::DONE), (First::Fails, ExitCode::REFUSED)] {
        let World { dir, transport, wanted: counted } = World::new(first);
        let root = dir.path().to_str().expect("UTF-8").parse().expect("a path");
        let host = Host::new("web1", DirStore::new(transport, root, Layout::default()));
        let fleet = Fleet::new(vec![host]).expect("a fleet");
        let release = NewRelease::open("v1".parse().expect("a name"), "examples/site/v1".into()).expect("the example");
        let options = RunOptions::default();
        let report = fleet.stage(Arc::new(release), &options, event::Silent).report().await;
        assert_eq!((report.exit_code(), counted.load(Ordering::Relaxed)), (code, 2), "{report:?}");
    }
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

/// Does not wait for a host that accepts and stays silent if there is nothing to upload.
#[cfg(all(feature = "cli", feature = "ssh"))]
#[test]
fn a_source_that_is_refused_waits_for_no_host() {
    let (silent, dir) = (TcpListener::bind("127.0.0.1:0").expect("a port"), TempDir::new().expect("a directory"));
    let port = silent.local_addr().expect("a port").port();
    let config = format!(
        "[ssh]\nconnect_timeout = \"1h\"\n[[host]]\nname = \"web1\"\naddress = \"127.0.0.1:{port}\"\nroot = \"/srv/shop\"\n"
    );
    std::fs::write(dir.path().join("switchback.toml"), config).expect("a file");
    let mut command = assert_cmd::Command::cargo_bin("switchback").expect("the command is built");
    command.current_dir(dir.path()).env_remove("SWITCHBACK_CONFIG").env_remove("SWITCHBACK_ENV");
    // Only a limit: without it, a failure would hang.
    let output = command.args(["deploy", "nothing"]).timeout(Duration::from_secs(60)).output().expect("it runs");
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{words}");
    assert!(words.contains("nothing"), "{words}");
}
