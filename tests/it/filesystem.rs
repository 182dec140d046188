//! Kinds of filesystems through the library: network filesystems are warned about, read-only and full ones
//! refused. FAULTS.md E01, E04, E12.

use crate::support;

use std::{fs, io::Write, os::unix::fs::PermissionsExt, process::Command, sync::Arc};

use support::local_shell::LocalShell;
use switchback::{
    DirStore, ExitCode, Fleet, Host, HostPath, Layout, Transport,
    commands::Commands,
    event::Silent,
    fleet::{DeployOptions, RollbackOptions, RunOptions},
    release::NewRelease,
    testing::{Collected, WholeReport as _},
    transport::{
        FilesystemKind, LocalTransport,
        raw::{Batch, Op, Reply},
    },
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

/// A `stat` that reports NFS. Not every test machine has an NFS server.
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
    let told = Collected::warnings();
    let of_nfs = || told.take().iter().filter(|warning| warning.contains("the root is on NFS")).count();
    for name in ["a", "b"] {
        let tree = Tree::from_memory([("index.html", name.as_bytes())]).expect("a tree");
        let release = Arc::new(NewRelease::new(name.parse().expect("a name"), tree));
        let report = fleet().deploy(release, &DeployOptions::default(), told.clone()).report().await;
        assert_eq!((report.exit_code(), of_nfs()), (ExitCode::DONE, 1), "{report:?}");
    }
    let report = fleet().check(&RunOptions::default(), told.clone()).report().await;
    assert_eq!((report.exit_code(), of_nfs()), (ExitCode::DONE, 1), "{report:?}");
    let report = fleet().rollback(&RollbackOptions::default(), told.clone()).report().await;
    assert_eq!((report.exit_code(), of_nfs()), (ExitCode::DONE, 0), "{report:?}");
    assert_eq!(fs::read_link(dir.path().join("current")).expect("a link"), *"releases/a");
}

/// `check` and the dry run of a deploy report an unwritable filesystem like the deploy, on every transport,
/// whether the root exists or would have to be created.
#[tokio::test]
async fn a_read_only_filesystem_refuses_check_too() {
    if !support::mounts::are_allowed() {
        return;
    }
    let dir = TempDir::new().expect("a directory");
    let mount = |arguments: &[&str]| {
        assert!(
            Command::new(arguments[0]).args(&arguments[1..]).arg(dir.path()).status().is_ok_and(|done| done.success())
        );
    };
    mount(&["mount", "-t", "tmpfs", "none"]);
    fs::create_dir(dir.path().join("there")).expect("a directory");
    mount(&["mount", "-o", "remount,ro"]);
    let carriers: Vec<Box<dyn Fn() -> Box<dyn Transport>>> = LocalShell::all()
        .into_iter()
        .map(|shell| {
            Box::new(move || Box::new(shell.transport()) as Box<dyn Transport>) as Box<dyn Fn() -> Box<dyn Transport>>
        })
        .chain([
            Box::new(|| Box::new(LocalTransport::new()) as Box<dyn Transport>) as Box<dyn Fn() -> Box<dyn Transport>>
        ])
        .collect();
    let mut all = Vec::new();
    for carrier in &carriers {
        for root in ["there", "missing/deep"] {
            let fleet = || {
                let root = dir.path().join(root).to_str().expect("UTF-8").parse().expect("a path");
                Fleet::new(vec![Host::new("web1", DirStore::new(carrier(), root, Layout::default()))]).expect("a fleet")
            };
            let release = || {
                let tree = Tree::from_memory([("index.html", "a".as_bytes())]).expect("a tree");
                Arc::new(NewRelease::new("a".parse().expect("a name"), tree))
            };
            let dry = DeployOptions::default().dry_run(true);
            let reports = [
                fleet().check(&RunOptions::default(), Silent).report().await,
                fleet().deploy(release(), &dry, Silent).report().await,
                fleet().deploy(release(), &DeployOptions::default(), Silent).report().await,
            ];
            all.push((carrier().to_string(), reports.map(|report| (report.exit_code(), report.error))));
        }
    }
    mount(&["umount"]);
    for (carrier, answers) in all {
        for (code, error) in answers {
            let error = error.unwrap_or_else(|| panic!("{carrier} was not refused"));
            assert_eq!(
                (code, error.kind),
                (ExitCode::REFUSED, switchback::ErrorKind::HostFailed),
                "{carrier}: {error:?}"
            );
            assert!(error.message.contains("read-only filesystem"), "{carrier}: {error:?}");
        }
    }
}

/// A filesystem of its own, on which every block and every inode can be taken.
struct Small(TempDir);

impl Small {
    fn new() -> Option<Self> {
        let dir = TempDir::new().expect("a directory");
        let allowed = support::mounts::are_allowed();
        let mount = || {
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m,nr_inodes=400", "none"]).arg(dir.path()).status()
        };
        (allowed && mount().is_ok_and(|status| status.success())).then_some(Self(dir))
    }

    /// Takes every free inode and every free block.
    fn fill(&self) {
        let (others, files) = (self.0.path().join("others"), self.0.path().join("files"));
        fs::create_dir(&files).expect("there is room for it");
        (0..100_000).take_while(|number| fs::File::create(files.join(number.to_string())).is_ok()).for_each(drop);
        fs::remove_file(files.join("0")).expect("one is made room for");
        let mut file = fs::File::create(others).expect("that room");
        while file.write_all(&[b'x'; 4096]).is_ok() {}
        assert!(fs::File::create(files.join("0")).is_err(), "there is no inode left");
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

fn small_release(name: &str) -> Arc<NewRelease> {
    let tree = Tree::from_memory([("index.html", name.as_bytes())]).expect("a tree");
    Arc::new(NewRelease::new(name.parse().expect("a name"), tree))
}

/// Another user took all the space. No new release fits, but a rollback works.
#[tokio::test]
async fn a_full_filesystem_is_gone_back_on_and_pruned() {
    for shell in [None, LocalShell::new("dash", "gnu")] {
        let Some(small) = Small::new() else { return };
        let root: HostPath = small.0.path().join("app").to_str().expect("UTF-8").parse().expect("a path");
        let fleet = || {
            let store = match &shell {
                None => DirStore::new(LocalTransport::new(), root.clone(), Layout::default()),
                Some(shell) => DirStore::new(shell.transport(), root.clone(), Layout::default()),
            };
            Fleet::new(vec![Host::new("web1", store)]).expect("a fleet")
        };
        for name in ["a", "b", "c", "d"] {
            let mut options = DeployOptions::default();
            let mut commands = Commands::default();
            commands.after_switch = Some("true".to_owned());
            options = options.commands(commands);
            let report = fleet().deploy(small_release(name), &options, Silent).report().await;
            assert_eq!(report.exit_code(), ExitCode::DONE, "{report:?}");
        }
        small.fill();
        let report = fleet().deploy(small_release("e"), &DeployOptions::default(), Silent).report().await;
        assert_eq!(report.exit_code(), ExitCode::REFUSED, "{report:?}");
        let report = fleet().rollback(&RollbackOptions::default(), Silent).report().await;
        assert_eq!(report.exit_code(), ExitCode::DONE, "{report:?}");
        assert_eq!(fs::read_link(small.0.path().join("app/current")).expect("a link"), *"releases/c");
        let report = fleet().prune(0, &RunOptions::default(), Silent).report().await;
        assert_eq!(report.exit_code(), ExitCode::DONE, "{report:?}");
        assert!(!small.0.path().join("app/releases/a").exists());
    }
}
