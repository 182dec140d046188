//! A race against somebody who may write to the root and swaps links as fast as they can, locally and through
//! shells: nothing outside the root is touched. FAULTS.md M02, M03, M04.
//!
//! The swapper puts links to a canary tree in place of `releases`, and back, so that every check that is not an act on
//! the very directory loses the race at some time.

use crate::support;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use support::local_shell::LocalShell;
use switchback::{
    DirStore, ExitCode, Fleet, Host, HostPath, Layout, Transport,
    event::Silent,
    fleet::{DeployOptions, RecoverOptions, RunOptions},
    release::NewRelease,
    testing::WholeReport as _,
    transport::LocalTransport,
    tree::Tree,
};
use tempfile::TempDir;

/// Returns every file and symlink below a directory, with its content.
fn tree(directory: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path()) {
        let kind = fs::symlink_metadata(&entry).expect("it is there");
        if kind.is_dir() {
            found.insert(entry.clone(), "directory".to_owned());
            found.extend(tree(&entry));
        } else {
            found.insert(entry.clone(), fs::read_to_string(&entry).expect("a file"));
        }
    }
    found
}

/// Swaps until it is stopped, and leaves the true directory in place. Counts the swaps.
struct Swapper {
    stop: Arc<AtomicBool>,
    swaps: Arc<AtomicU64>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Swapper {
    fn start(root: &Path, canary: &Path) -> Self {
        let (stop, swaps) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (root, canary, ends, counts) = (root.to_owned(), canary.to_owned(), Arc::clone(&stop), Arc::clone(&swaps));
        let thread = thread::spawn(move || {
            let (real, aside) = (root.join("releases"), root.join("aside"));
            while !ends.load(Ordering::Relaxed) {
                if fs::rename(&real, &aside).is_ok() {
                    symlink(&canary, &real).ok();
                    thread::yield_now();
                    let _ = fs::remove_file(&real);
                    // The tool may have created a new directory meanwhile; its entries move along.
                    if real.is_dir() {
                        for entry in fs::read_dir(&real).into_iter().flatten().filter_map(Result::ok) {
                            let _ = fs::rename(entry.path(), aside.join(entry.file_name()));
                        }
                        let _ = fs::remove_dir(&real);
                    }
                    let _ = fs::rename(&aside, &real);
                    counts.fetch_add(1, Ordering::Relaxed);
                }
                for _ in 0..50 {
                    thread::yield_now();
                }
            }
            if aside.exists() {
                let _ = fs::remove_dir_all(&real);
                let _ = fs::rename(&aside, &real);
            }
        });
        Self { stop, swaps, thread: Some(thread) }
    }

    fn swaps(&self) -> u64 {
        self.swaps.load(Ordering::Relaxed)
    }

    fn end(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().expect("it runs").join().expect("no panic");
    }
}

fn release(text: &str) -> Arc<NewRelease> {
    let tree = Tree::from_memory([("index.html", text.as_bytes()), ("deep/down/f", b"x")]).expect("a tree");
    Arc::new(NewRelease::new(text.parse().expect("a name"), tree))
}

/// Deploys and prunes for a while, whatever the results: with the symlinks swapped underneath, much is refused.
fn hammered(carrier: impl Transport, what: &str) {
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| TempDir::new()).expect("a directory");
    let (root, canary) = (dir.path().join("shop"), dir.path().join("canary"));
    for name in ["r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7"] {
        fs::create_dir_all(canary.join(name).join("deep/down")).expect("a directory");
        fs::write(canary.join(name).join("index.html"), "canary").expect("a file");
        fs::write(canary.join(name).join("previousVersion"), "none\n").expect("a file");
    }
    let before = tree(&canary);
    let path: HostPath = root.to_str().expect("UTF-8").parse().expect("a path");
    let host = Host::new("local", DirStore::new(carrier, path, Layout::default()));
    let fleet = Fleet::new(vec![host]).expect("a fleet");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let first = fleet.deploy(release("r0"), &DeployOptions::default(), Silent).report().await;
        assert_eq!(first.exit_code(), ExitCode::DONE, "{what}: {:?}", first.error);
        let swapper = Swapper::start(&root, &canary);
        let (began, mut tried, mut done) = (Instant::now(), 0, 0);
        // For a while, and longer on a machine so busy that nothing of interest has happened by then.
        let seen = |done: usize| swapper.swaps() > 10 && (done > 0 || what != "local");
        while began.elapsed() < Duration::from_secs(6) || !seen(done) {
            tried += 1;
            assert!(tried < 10_000, "{what}: {} swaps, and {done} of {tried} rounds went through", swapper.swaps());
            let options = DeployOptions::default().keep(0);
            let text = format!("r{}", tried % 8);
            let deployed = fleet.deploy(release(&text), &options, Silent).report().await;
            let pruned = fleet.prune(0, &RunOptions::default(), Silent).report().await;
            done += [deployed, pruned].iter().filter(|report| report.exit_code() == ExitCode::DONE).count();
            let _ = fleet
                .recover(
                    &RecoverOptions::new().direction(switchback::fleet::Direction::Safest).run(RunOptions::default()),
                    Silent,
                )
                .report()
                .await;
        }
        swapper.end();
        fleet.close().await;
    });
    assert_eq!(tree(&canary), before, "{what}: the canary was touched");
}

/// Installs a `mv` that puts the symlink in place just before it acts, and removes it afterwards: every check
/// before saw the true directory.
fn swapping_mv(directory: &Path, root: &Path, canary: &Path) {
    let (root, canary) = (root.display(), canary.display());
    let script = format!(
        "#!/bin/sh\nif [ -d {root}/releases ] && ! [ -h {root}/releases ]; then\n\
         /bin/mv {root}/releases {root}/aside && ln -s {canary} {root}/releases\nfi\n/bin/mv \"$@\"\ncode=$?\n\
         if [ -h {root}/releases ]; then rm {root}/releases && /bin/mv {root}/aside {root}/releases; fi\nexit $code\n"
    );
    fs::create_dir(directory).expect("a directory");
    fs::write(directory.join("mv"), script).expect("a file");
    fs::set_permissions(directory.join("mv"), fs::Permissions::from_mode(0o755)).expect("a mode");
}

/// An attacker who wins the race every time gains nothing: moves go from and to the directory that was checked.
#[test]
fn a_link_put_there_at_the_last_instant_is_not_followed() {
    for shell in ["dash", "bash"].into_iter().filter_map(|shell| LocalShell::new(shell, "gnu")) {
        let what = shell.to_string();
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| TempDir::new()).expect("a directory");
        let (root, canary, bin) = (dir.path().join("shop"), dir.path().join("canary"), dir.path().join("bin"));
        for name in ["a", "b", "c"] {
            fs::create_dir_all(canary.join(name)).expect("a directory");
            fs::write(canary.join(name).join("index.html"), "canary").expect("a file");
        }
        swapping_mv(&bin, &root, &canary);
        let (before, path) = (tree(&canary), format!("{}:{}", bin.display(), shell.path()));
        let carrier = shell.env("PATH", &path).transport();
        let at: HostPath = root.to_str().expect("UTF-8").parse().expect("a path");
        let fleet =
            Fleet::new(vec![Host::new("web1", DirStore::new(carrier, at, Layout::default()))]).expect("a fleet");
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            for text in ["a", "b", "c", "d"] {
                let report = fleet.deploy(release(text), &DeployOptions::default(), Silent).report().await;
                assert_eq!(report.exit_code(), ExitCode::DONE, "{what}: {:?}", report.error);
                assert_eq!(tree(&canary), before, "{what}: the deploy of {text} touched the canary");
            }
            let report = fleet.prune(0, &RunOptions::default(), Silent).report().await;
            assert_eq!((report.exit_code(), report.hosts[0].pruned.len()), (ExitCode::DONE, 2), "{what}: {report:?}");
            fleet.close().await;
        });
        assert_eq!(tree(&canary), before, "{what}: the canary was touched");
        assert!(root.join("releases/d/index.html").exists() && !root.join("releases/a").exists(), "{what}");
    }
}

#[test]
fn the_canary_lives_locally() {
    hammered(LocalTransport::new(), "local");
}

#[test]
fn the_canary_lives_through_shells() {
    for (shell, tools) in [("dash", "gnu"), ("busybox", "busybox"), ("dash", "toybox")] {
        if let Some(shell) = LocalShell::new(shell, tools) {
            let what = shell.to_string();
            hammered(shell.transport(), &what);
        }
    }
}
