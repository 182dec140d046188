//! Incremental uploads, through shells and locally: unchanged files are copied on the host from the base release.

use crate::support;

use std::{fs, os::unix::fs::MetadataExt, path::Path, sync::Arc};

use support::local_shell::LocalShell;
use switchback::{
    DirStore, ExitCode, Fleet, Host, Layout, Transport,
    event::Silent,
    fleet::DeployOptions,
    manifest::Form,
    release::NewRelease,
    store::KnownManifests,
    testing::{Recording, WholeReport as _},
    transport::{LocalTransport, Uploaded, raw::Op},
    tree::Tree,
};
use tempfile::TempDir;

/// The number of files of a release, and their size: enough that they are copied in two parts.
const FILES: usize = 200;
const SIZE: usize = 80 << 10;

/// Returns the files of a release, where the changed ones have other contents.
fn files(changed: &[usize]) -> Vec<(String, Vec<u8>)> {
    let content = |n: usize| format!("{n} {} ", changed.contains(&n)).into_bytes().into_iter().cycle().take(SIZE);
    (0..FILES).map(|n| (format!("dir {}/it's {n}.txt", n % 7), content(n).collect())).collect()
}

fn tree(files: &[(String, Vec<u8>)]) -> Tree {
    Tree::from_memory(files.iter().map(|(path, content)| (&path[..], &content[..]))).expect("a tree")
}

/// Deploys `files` as the release `name` to the root `root`, without known manifests.
async fn deploy(transport: impl Transport, root: &Path, name: &str, files: &[(String, Vec<u8>)]) {
    deploy_knowing(KnownManifests::new(), transport, root, name, files).await;
}

async fn deploy_knowing(
    known: KnownManifests,
    transport: impl Transport,
    root: &Path,
    name: &str,
    files: &[(String, Vec<u8>)],
) {
    let root = root.to_str().and_then(|path| path.parse().ok()).expect("a plain path");
    let store = DirStore::new(transport, root, Layout::default()).remembering(known);
    let fleet = Fleet::new(vec![Host::new("local", store)]).expect("a fleet");
    let release = Arc::new(NewRelease::new(name.parse().expect("a name"), tree(files)));
    let report = fleet.deploy(release, &DeployOptions::default(), Silent).report().await;
    assert_eq!(report.exit_code(), ExitCode::DONE, "{report:?}");
    fleet.close().await;
}

/// Checks the release at `release` against `files`: each exists with one hard link.
fn assert_holds(release: &Path, files: &[(String, Vec<u8>)], on: &str) {
    for (path, content) in files {
        let path = release.join(path);
        assert!(fs::read(&path).is_ok_and(|found| found == *content), "{on}: {}", path.display());
        let found = fs::metadata(&path).expect("it is there");
        assert_eq!((found.nlink(), found.mode() & 0o7777), (1, 0o644), "{on}: {}", path.display());
    }
    let names = fs::read_dir(release).expect("a release").flatten().map(|entry| entry.file_name());
    let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    let dirs = (0..7).map(|n| format!("dir {n}"));
    assert_eq!(names, dirs.chain(["previousVersion".to_owned()]).collect::<Vec<_>>(), "{on}");
}

/// The limit of bytes to send in addition to the changed files.
const BESIDES: u64 = 64 << 10;

#[tokio::test]
async fn what_did_not_change_is_not_sent() {
    for shell in LocalShell::some() {
        let dir = TempDir::new().expect("a directory");
        let (root, counted) = (dir.path().join("root"), dir.path().join("sent"));
        let count = format!("tee -a '{}' | \"$@\"", counted.display());
        let transport = || shell.clone().wrapped(&["/bin/sh", "-c", &count, "sh"]).transport();
        deploy(transport(), &root, "one", &files(&[])).await;
        let first = fs::metadata(&counted).expect("something was sent").len();
        assert!(first > 0 && first < (FILES * SIZE) as u64, "{shell}: {first}");
        let now = files(&[17]);
        deploy(transport(), &root, "two", &now).await;
        let second = fs::metadata(&counted).expect("something was sent").len() - first;
        let most = SIZE as u64 + BESIDES;
        assert!(second <= most, "{shell}: {second} bytes, not {most}");
        assert_holds(&root.join("releases/two"), &now, &shell.to_string());
        assert_listed(&root, "two", &now, &shell.to_string());
    }
}

/// Checks that the lists of a release describe its content, however they were made.
fn assert_listed(root: &Path, name: &str, files: &[(String, Vec<u8>)], on: &str) {
    let manifest = tree(files).manifest().expect("it can be read");
    for (list, form) in [("manifest", Form::Manifest), ("sha256sums", Form::Sums), ("listing", Form::Listing)] {
        let kept = fs::read(root.join(".switchback/releases").join(name).join(list));
        assert!(kept.is_ok_and(|kept| kept == manifest.in_form(form)), "{on}: {list}");
    }
}

/// Sends everything if the base differs from its manifest, whatever an application put there; the release is
/// correct.
#[tokio::test]
async fn a_damaged_base_is_found() {
    let shells = [("dash", "gnu"), ("busybox", "busybox"), ("mksh", "gnu"), ("dash", "toybox")];
    for shell in shells.into_iter().filter_map(|(shell, tools)| LocalShell::new(shell, tools)) {
        damaged(|| shell.transport(), &shell.to_string()).await;
    }
    damaged(LocalTransport::new, "local").await;
}

async fn damaged<T: Transport>(transport: impl Fn() -> T, on: &str) {
    let dir = TempDir::new().expect("a directory");
    let root = dir.path().join("root");
    deploy(transport(), &root, "one", &files(&[])).await;
    for (at, damage) in (30..).zip(["other content", "gone", "a link", "a pipe", "two names"]) {
        harm(&root.join("releases/one").join(&files(&[])[at].0), damage);
    }
    let (now, recorded) = (files(&[17]), Arc::new(Recording::new(transport())));
    deploy(Arc::clone(&recorded), &root, "two", &now).await;
    assert_eq!(recorded.uploads(), 2, "{on}");
    let all = now.len() as u64;
    assert_eq!(recorded.brought(), [Uploaded { files: all, bytes: all * SIZE as u64 }], "{on}");
    let digests = |op: &Op| matches!(op, Op::Survey { path, digests: true } if path.as_str().starts_with("releases/"));
    let steps = recorded.batches().into_iter().flat_map(|batch| batch.steps);
    assert_eq!(steps.filter(|step| digests(&step.op)).count(), 0, "{on}: the base was read to see what it holds");
    assert_holds(&root.join("releases/two"), &now, on);
    assert_listed(&root, "two", &now, on);
    let staging = fs::read_dir(root.join(".switchback/staging")).expect("it is there");
    assert_eq!(staging.count(), 0, "{on}: something was left behind");
}

/// A list that somebody changed is written anew, and the files are still copied.
#[tokio::test]
async fn a_changed_list_is_not_built_on() {
    for shell in
        [("dash", "gnu"), ("dash", "toybox")].into_iter().filter_map(|(shell, tools)| LocalShell::new(shell, tools))
    {
        let dir = TempDir::new().expect("a directory");
        let root = dir.path().join("root");
        deploy(shell.transport(), &root, "one", &files(&[])).await;
        let kept = root.join(".switchback/releases/one");
        fs::write(kept.join("sha256sums"), "x\n").expect("it is there");
        fs::remove_file(kept.join("listing")).expect("it was there");
        let (now, recorded) = (files(&[17]), Arc::new(Recording::new(shell.transport())));
        deploy(Arc::clone(&recorded), &root, "two", &now).await;
        assert_eq!(recorded.brought(), [Uploaded { files: 1, bytes: SIZE as u64 }], "{shell}");
        assert_listed(&root, "two", &now, &shell.to_string());
    }
}

/// Copies files from another release if nothing is known of the current one.
#[tokio::test]
async fn the_newest_other_release_will_do() {
    let dir = TempDir::new().expect("a directory");
    let root = dir.path().join("root");
    for (name, changed) in [("one", 1), ("two", 2)] {
        deploy(LocalTransport::new(), &root, name, &files(&[changed])).await;
    }
    let copied = async |name: &str, changed: &[usize], sent: u64| {
        let recorded = Arc::new(Recording::new(LocalTransport::new()));
        deploy(Arc::clone(&recorded), &root, name, &files(changed)).await;
        assert_eq!(recorded.brought(), [Uploaded { files: sent, bytes: sent * SIZE as u64 }], "{name}");
        assert_holds(&root.join("releases").join(name), &files(changed), name);
    };
    copied("three", &[2], 0).await;
    fs::remove_file(root.join(".switchback/releases/three/manifest")).expect("it was there");
    copied("four", &[2, 3], 1).await;
}

fn harm(victim: &Path, damage: &str) {
    let away = victim.with_extension("away");
    match damage {
        "other content" => return fs::write(victim, vec![b'x'; SIZE]).expect("a file"),
        "two names" => return fs::hard_link(victim, away).expect("a second name"),
        _ => fs::rename(victim, &away).expect("it moves"),
    }
    match damage {
        "a link" => std::os::unix::fs::symlink(&away, victim).expect("a link"),
        "a pipe" => {
            let made = std::process::Command::new("mkfifo").arg(victim).status();
            assert!(made.is_ok_and(|status| status.success()), "no pipe");
        }
        _ => {}
    }
}

#[tokio::test]
async fn this_machine_copies_too() {
    let dir = TempDir::new().expect("a directory");
    let root = dir.path().join("root");
    deploy(LocalTransport::new(), &root, "one", &files(&[])).await;
    let recorded = Arc::new(Recording::new(LocalTransport::new()));
    deploy(Arc::clone(&recorded), &root, "two", &files(&[1, 2])).await;
    assert_eq!(recorded.uploads(), 1);
    assert_holds(&root.join("releases/two"), &files(&[1, 2]), "local");
}

/// The known manifest of the base need not be read from the host.
#[tokio::test]
async fn what_is_known_is_not_asked_again() {
    let dir = TempDir::new().expect("a directory");
    let root = dir.path().join("root");
    let known = KnownManifests::new();
    deploy_knowing(known.clone(), LocalTransport::new(), &root, "one", &files(&[])).await;
    let read = async |known: KnownManifests, name: &str, changed: &[usize]| {
        let recorded = Arc::new(Recording::new(LocalTransport::new()));
        deploy_knowing(known, Arc::clone(&recorded), &root, name, &files(changed)).await;
        assert_eq!(recorded.brought(), [Uploaded { files: 1, bytes: SIZE as u64 }], "{name}");
        let steps = recorded.batches().into_iter().flat_map(|batch| batch.steps);
        steps.filter(|step| matches!(&step.op, Op::Read { path, .. } if path.as_str().ends_with("manifest"))).count()
    };
    assert_eq!(read(known.clone(), "two", &[1]).await, 0);
    assert_eq!(read(known, "three", &[1, 2]).await, 0);
    assert_eq!(read(KnownManifests::new(), "four", &[1, 2, 3]).await, 1);
}

/// A release without a manifest, or with an invalid one, is not used as a base.
#[tokio::test]
async fn without_a_manifest_all_is_sent() {
    let dir = TempDir::new().expect("a directory");
    let root = dir.path().join("root");
    let kept = |name: &str| root.join(".switchback/releases").join(name).join("manifest");
    deploy(LocalTransport::new(), &root, "one", &files(&[])).await;
    fs::write(kept("one"), "another manifest 9\n").expect("a file");
    deploy(LocalTransport::new(), &root, "two", &files(&[1])).await;
    assert_holds(&root.join("releases/two"), &files(&[1]), "unread");
    fs::remove_file(kept("two")).expect("it was there");
    deploy(LocalTransport::new(), &root, "three", &files(&[2])).await;
    assert_holds(&root.join("releases/three"), &files(&[2]), "none");
}
