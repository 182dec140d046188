//! One tree uploaded to many hosts: it is read and packed once, and no host waits for another.

use crate::support;

use std::{
    fs,
    path::Path,
    sync::{Arc, atomic::Ordering},
};

use camino::Utf8Path;
use support::local_shell::LocalShell;
use switchback::{
    DirStore, ExitCode, Fleet, Host, Layout, Transport,
    event::Silent,
    fleet::DeployOptions,
    release::NewRelease,
    testing::WholeReport as _,
    transport::{
        TransportError,
        raw::{Batch, Op, Upload},
    },
    tree::Tree,
};
use tempfile::TempDir;

const FILES: usize = 60;

/// Incompressible files of 6 MB in total: more than pipes and queues hold.
fn files() -> Vec<(String, Vec<u8>)> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut noise = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..FILES).map(|n| (format!("d{}/{n}", n % 7), (0..100_000).map(|_| noise()).collect())).collect()
}

fn tree(files: &[(String, Vec<u8>)]) -> Tree {
    Tree::from_memory(files.iter().map(|(path, content)| (&path[..], &content[..]))).expect("a tree")
}

fn shell() -> LocalShell {
    LocalShell::new("dash", "gnu").expect("dash")
}

/// A host whose every channel goes through this script, which calls `"$@"`.
fn through(script: &str) -> LocalShell {
    shell().wrapped(&["/bin/sh", "-c", script, "sh"])
}

fn upload(root: &Path, into: &str, tree: &Arc<Tree>) -> Upload {
    Upload {
        root: root.to_str().and_then(|path| path.parse().ok()).expect("a plain path"),
        into: into.parse().expect("a path"),
        tree: Arc::clone(tree),
        lists: Vec::new(),
        unlisted: Vec::new(),
        base: None,
    }
}

async fn make(root: &Path, into: &str) {
    let mut batch = Batch::new(root.to_str().and_then(|path| path.parse().ok()).expect("a plain path"));
    batch.push(Op::MakeDir { path: into.parse().expect("a path"), mode: 0o700, existing_is_fine: false });
    shell().transport().execute(&batch).await.expect("a directory");
}

fn assert_holds(place: &Path, files: &[(String, Vec<u8>)]) {
    for (path, content) in files {
        assert_eq!(fs::read(place.join(path)).ok().as_ref(), Some(content), "{path}");
    }
}

#[tokio::test]
async fn a_fleet_reads_the_source_once() {
    let (dir, files) = (TempDir::new().expect("a directory"), files());
    let mut now = files;
    for (name, changed, expected) in [
        ("one", FILES, FILES),
        // If there is a release already, everything is read once to compare it, and then the files to send.
        ("other", FILES, 2 * FILES),
        ("third", 1, FILES + 1),
    ] {
        let roots = ["root0", "root1", "root2"].map(|root| dir.path().join(root));
        let hosts = roots.iter().enumerate().map(|(n, root)| {
            let root = root.to_str().and_then(|path| path.parse().ok()).expect("a path");
            Host::new(format!("h{n}"), DirStore::new(shell().transport(), root, Layout::default()))
        });
        let fleet = Fleet::new(hosts.collect()).expect("a fleet").parallel(2);
        for (_, content) in &mut now[..changed] {
            content.extend_from_slice(name.as_bytes());
        }
        let (tree, read) = tree(&now).counted();
        let release = Arc::new(NewRelease::new(name.parse().expect("a name"), tree));
        let report = fleet.deploy(release, &DeployOptions::default(), Silent).report().await;
        assert_eq!(report.exit_code(), ExitCode::DONE, "{report:?}");
        fleet.close().await;
        for root in &roots {
            assert_holds(&root.join("releases").join(name), &now);
        }
        assert_eq!(read.load(Ordering::Relaxed), expected as u64, "{name}");
    }
}

#[tokio::test]
async fn a_slow_host_and_one_that_fails_hold_nobody_up() {
    let (dir, files) = (TempDir::new().expect("a directory"), files());
    for into in ["slow", "cut", "fast", "late"] {
        make(dir.path(), into).await;
    }
    let go = dir.path().join("go");
    // Reads nothing until the test creates a file.
    let wait = format!("until [ -e '{}' ]; do sleep 0.01; done; exec \"$@\"", go.display());
    let slow = through(&wait).transport();
    let cut = through("head -c 1000000 | \"$@\"").transport();
    let fast = shell().transport();
    let (tree, read) = tree(&files).counted();
    let tree = Arc::new(tree);
    let sharing = tree.share();
    let uploads: Vec<_> = ["slow", "cut", "fast", "late"].map(|into| upload(dir.path(), into, &tree)).into();
    let others = async {
        let (cut, fast) = tokio::join!(cut.upload(&uploads[1], &|_, _| ()), fast.upload(&uploads[2], &|_, _| ()));
        assert!(cut.is_err(), "{cut:?}");
        assert_eq!(fast.expect("it arrives").files, FILES as u64);
        // The first host has read nothing so far, and a later one is still served.
        fast_again(&uploads[3]).await;
        fs::write(&go, "").expect("a file");
    };
    let (slow, ()) = tokio::join!(slow.upload(&uploads[0], &|_, _| ()), others);
    assert_eq!(slow.expect("it arrives").files, FILES as u64);
    for into in ["slow", "fast", "late"] {
        assert_holds(&dir.path().join(into), &files);
    }
    assert_eq!(read.load(Ordering::Relaxed), FILES as u64);
    drop(sharing);
}

async fn fast_again(upload: &Upload) {
    let arrived = shell().transport().upload(upload, &|_, _| ()).await;
    assert_eq!(arrived.expect("it arrives").files, FILES as u64);
}

#[tokio::test]
async fn a_source_that_changes_is_refused_on_every_host() {
    let (dir, source) = (TempDir::new().expect("a directory"), TempDir::new().expect("a directory"));
    for (path, content) in files() {
        let path = source.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, content).expect("a file");
    }
    let tree = Tree::from_directory(Utf8Path::from_path(source.path()).expect("UTF-8")).expect("a tree");
    fs::write(source.path().join("d3/52"), "another").expect("a file");
    let tree = Arc::new(tree);
    let _sharing = tree.share();
    for into in ["one", "other", "third"] {
        make(dir.path(), into).await;
    }
    let (one, other) = (upload(dir.path(), "one", &tree), upload(dir.path(), "other", &tree));
    let (first, second) = (shell().transport(), shell().transport());
    let (one, other) = tokio::join!(first.upload(&one, &|_, _| ()), second.upload(&other, &|_, _| ()));
    let third = shell().transport().upload(&upload(dir.path(), "third", &tree), &|_, _| ()).await;
    for result in [one, other, third] {
        let said = match result {
            Err(TransportError::Source { source, .. }) => source.to_string(),
            result => panic!("{result:?}"),
        };
        assert!(said.starts_with("d3/52 changed"), "{said}");
    }
}
