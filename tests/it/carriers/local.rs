//! The local transport on a real filesystem: umask, fifos, links, and trees deeper than a path can be.

use std::{
    os::unix::{fs::symlink, net::UnixListener},
    path::Path,
    process::Command,
    task::{Context, Waker},
    time::Duration,
};

use rustix::fs::{CWD, FileType, Mode, OFlags, mkdirat, mknodat, openat};
use switchback::{
    InnerPath,
    manifest::{MAX_DEPTH, Seen},
    transport::{
        EntryKind, FailureKind, Liveness, LocalTransport, StepFailure, Transport,
        raw::{Batch, Found, Op, OwnedFile, Reply, SyncReach},
    },
};
use tempfile::TempDir;

use crate::carriers::root_of;

fn at(path: &str) -> InnerPath {
    path.parse().expect("a place")
}

/// Runs lenient steps.
async fn run(root: &TempDir, ops: impl IntoIterator<Item = Op>) -> Vec<Reply> {
    let mut batch = Batch::new(root_of(root));
    for op in ops {
        batch.push_lenient(op);
    }
    LocalTransport::new().execute(&batch).await.expect("lenient steps are all answered")
}

/// Runs lenient steps that might wait for ever for another process.
async fn run_unless_it_hangs(root: &TempDir, ops: impl IntoIterator<Item = Op>) -> Vec<Reply> {
    let done = tokio::time::timeout(Duration::from_secs(60), run(root, ops)).await;
    done.expect("no step waits for anybody")
}

fn kind(reply: &Reply) -> Option<FailureKind> {
    match reply {
        Reply::Failed(StepFailure { kind, .. }) => Some(*kind),
        _ => None,
    }
}

/// The umask belongs to the process, so each is tested in a process of its own.
#[test]
fn the_umask_changes_no_mode() {
    for umask in ["0", "0777"] {
        let suite = Command::new("sh")
            .args(["-c", "umask \"$1\"; exec \"$0\" --exact carriers::local_conforms"])
            .arg(std::env::current_exe().expect("this program"))
            .arg(umask)
            .output()
            .expect("a shell");
        assert!(suite.status.success(), "umask {umask}: {}", String::from_utf8_lossy(&suite.stdout));
    }
}

#[tokio::test]
async fn fifos_and_sockets_are_never_waited_for() {
    let root = TempDir::new().expect("a directory");
    fs_err::create_dir_all(root.path().join("releases/1")).expect("a directory");
    let fifo = root.path().join("releases/1/previousVersion");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a fifo");
    let _socket = UnixListener::bind(root.path().join("socket")).expect("a socket");
    for path in ["releases/1/previousVersion", "socket"] {
        let replies = run_unless_it_hangs(
            &root,
            [
                Op::Read { path: at(path), limit: 100 },
                Op::CheckProcess { path: at(path) },
                Op::Append { path: at(path), content: "x".to_owned() },
                Op::Sync { paths: vec![at(path)], reach: SyncReach::Entries },
                Op::Sync { paths: vec![at(path)], reach: SyncReach::Filesystem },
            ],
        )
        .await;
        assert_eq!(replies[0], Reply::Content(Some(Found::NotAFile(EntryKind::Other))));
        assert_eq!(replies[1], Reply::Process(Liveness::Unknown));
        assert!(replies[2..].iter().all(|reply| kind(reply) == Some(FailureKind::WrongType)), "{replies:?}");
    }
    let each = Op::ReadEach { path: at("releases"), file: at("previousVersion"), limit: 100 };
    let remove = [Op::RemoveTree { path: at("releases") }, Op::RemoveFile { path: at("socket") }];
    let replies = run_unless_it_hangs(&root, [each].into_iter().chain(remove)).await;
    let found = Reply::Contents(vec![(b"1".to_vec(), OwnedFile::unowned(Found::NotAFile(EntryKind::Other)))]);
    assert_eq!(replies, [found, Reply::Done, Reply::Done]);
}

/// Creates a directory outside the root, with a file in it.
fn canary() -> TempDir {
    let outside = TempDir::new().expect("a directory");
    fs_err::write(outside.path().join("f"), "canary").expect("a file");
    outside
}

#[track_caller]
fn assert_alive(outside: &Path) {
    let names: Vec<_> = fs_err::read_dir(outside).expect("it is there").filter_map(Result::ok).collect();
    assert_eq!(names.len(), 1, "{names:?}");
    assert_eq!(fs_err::read_to_string(outside.join("f")).expect("it is there"), "canary");
}

#[tokio::test]
async fn links_never_lead_out() {
    let (root, outside) = (TempDir::new().expect("a directory"), canary());
    symlink(outside.path(), root.path().join("out")).expect("a link");
    symlink(outside.path().join("f"), root.path().join("link")).expect("a link");
    symlink(outside.path().join("new"), root.path().join("new")).expect("a link");
    fs_err::create_dir(root.path().join("d")).expect("a directory");
    symlink("../out", root.path().join("d/out")).expect("a link");
    fs_err::write(root.path().join("mine"), "x").expect("a file");
    let content = || "x".to_owned();
    let changes = ["out/f", "out/new", "d/out/f", "link", "new"].into_iter().flat_map(|path| {
        [
            Op::MakeDir { path: at(path), mode: 0o755, existing_is_fine: true },
            Op::MakeLink { path: at(path), text: b"x".to_vec() },
            Op::WriteNew { path: at(path), content: content(), mode: 0o644 },
            Op::MarkProcess { path: at(path) },
            Op::Append { path: at(path), content: content() },
            Op::MoveInto { from: at("mine"), into: at("out") },
            Op::MoveInto { from: at("out/f"), into: at(".") },
            Op::RemoveDir { path: at(path) },
            Op::Read { path: at("out/f"), limit: 100 },
            Op::List { path: at("out") },
            Op::ReadEach { path: at("out"), file: at("f"), limit: 100 },
        ]
    });
    let replies = run(&root, changes).await;
    assert!(replies.iter().all(|reply| kind(reply).is_some()), "{replies:#?}");
    assert_alive(outside.path());
}

#[tokio::test]
async fn removing_a_tree_stays_in_it() {
    let (root, outside) = (TempDir::new().expect("a directory"), canary());
    fs_err::create_dir_all(root.path().join("t/in/deeper")).expect("a directory");
    for link in ["t/out", "t/in/out", "t/in/deeper/out"] {
        symlink(outside.path(), root.path().join(link)).expect("a link");
    }
    symlink("..", root.path().join("t/in/up")).expect("a link");
    symlink(outside.path(), root.path().join("out")).expect("a link");
    let replies = run(&root, ["t", "out"].map(|path| Op::RemoveTree { path: at(path) })).await;
    assert_eq!(replies, [Reply::Done, Reply::Done]);
    assert_eq!(fs_err::read_dir(root.path()).expect("it is there").count(), 0);
    assert_alive(outside.path());
}

/// Deeper than the limit of open files.
#[tokio::test]
async fn no_tree_is_too_deep_or_too_wide() {
    let root = TempDir::new().expect("a directory");
    fs_err::create_dir_all(root.path().join(vec!["d"; 1900].join("/"))).expect("a directory");
    for index in 0..3000 {
        fs_err::create_dir_all(root.path().join(format!("d/d/wide{index}/in"))).expect("a directory");
    }
    assert_eq!(run(&root, [Op::RemoveTree { path: at("d") }]).await, [Reply::Done]);
    assert!(!root.path().join("d").exists());
}

/// A batch on the host runs to its end, whether or not anybody still listens.
#[tokio::test]
async fn a_batch_outlives_its_future() {
    let root = TempDir::new().expect("a directory");
    let mut batch = Batch::new(root_of(&root));
    for index in 0..200 {
        batch.push(Op::MakeDir { path: at(&format!("d{index}")), mode: 0o755, existing_is_fine: false });
    }
    let transport = LocalTransport::new();
    let mut running = transport.execute(&batch);
    assert!(running.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(running);
    while !root.path().join("d199").exists() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Deeper than the limits of the stack, of a path or of file descriptors.
#[tokio::test]
async fn a_directory_six_thousand_deep_is_surveyed_and_removed() {
    let root = TempDir::new().expect("a directory");
    let mut directory = openat(CWD, root.path(), OFlags::DIRECTORY, Mode::empty()).expect("it is there");
    for _ in 0..6000 {
        mkdirat(&directory, "d", Mode::RWXU).expect("room");
        directory = openat(&directory, "d", OFlags::DIRECTORY, Mode::empty()).expect("just made");
    }
    // Longer than the kernel takes at once.
    let inspected = run(&root, [Op::Inspect { path: at(&vec!["d"; 4000].join("/")) }]).await;
    assert!(matches!(inspected[..], [Reply::Entry(Some(_))]), "{inspected:?}");
    let survey = Op::Survey { path: at("d"), digests: true };
    let replies = run(&root, [survey, Op::RemoveTree { path: at("d") }]).await;
    let Reply::Survey(Some(seen)) = &replies[0] else { panic!("{:?}", replies[0]) };
    assert_eq!(seen.len(), MAX_DEPTH + 1);
    assert_eq!(seen.iter().filter(|entry| entry.node == Seen::TooDeep).count(), 1);
    assert_eq!(replies[1], Reply::Done);
    assert!(!root.path().join("d").exists());
}
