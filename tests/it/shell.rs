//! Batches as scripts, under every shell and set of utilities of this machine.

use crate::support;

use std::{
    ffi::OsStr,
    fs::{self, Permissions},
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, PermissionsExt, symlink},
    },
    path::Path,
    time::Duration,
};

use support::{
    local_shell::LocalShell,
    steps::{inner, kind, replies, reply, root},
};
use switchback::{
    HostPath, Transport,
    manifest::{Digest, Form, Manifest, ManifestEntry, ManifestNode},
    transport::{
        Effect, EntryKind, FailureKind, FileId, Liveness, TransportError,
        raw::{Batch, Compared, Comparison, Found, Op, Reply, SyncReach, TreeName},
    },
};
use tempfile::TempDir;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("it stands").mode() & 0o7777
}

#[tokio::test]
async fn makes_directories_files_and_links() {
    for shell in LocalShell::all() {
        let (dir, transport) = (TempDir::new().unwrap(), shell.transport());
        let make = |path, mode, existing_is_fine| Op::MakeDir { path: inner(path), mode, existing_is_fine };
        let write = |path, content: &str, mode| Op::WriteNew { path: inner(path), content: content.into(), mode };
        fs::create_dir(dir.path().join("there")).unwrap();
        symlink("nowhere", dir.path().join("dangling")).unwrap();
        let got = replies(
            &transport,
            &root(&dir),
            vec![
                make("a", 0o700, false),
                make("a", 0o755, true),
                make("a", 0o755, false),
                make("dangling", 0o755, true),
                make("none/a", 0o755, false),
                make("-p", 0o1777, false),
                write("a/f", "one\ntwo", 0o600),
                write("a/f", "again", 0o600),
                write("a/run", "#!", 0o755),
                write("dangling", "x", 0o644),
                write("a/-n", "-n\\n%s", 0o666),
                Op::MakeLink { path: inner("a/l"), text: b"-to where\n\n".to_vec() },
                Op::MakeLink { path: inner("there"), text: b"x".to_vec() },
                Op::MakeLink { path: inner("dangling"), text: b"x".to_vec() },
                Op::ReadLink { path: inner("a/l") },
                Op::ReadLink { path: inner("a/f") },
                Op::ReadLink { path: inner("a/none") },
                Op::Append { path: inner("a/f"), content: "\nthree".into() },
                Op::Append { path: inner("a/log"), content: "x".into() },
                Op::Append { path: inner("dangling"), content: "x".into() },
            ],
        )
        .await;
        let kinds: Vec<_> = got.iter().map(kind).collect();
        assert_eq!(
            kinds,
            [
                None,
                None,
                Some(FailureKind::Exists),
                Some(FailureKind::Exists),
                Some(FailureKind::Missing),
                None,
                None,
                Some(FailureKind::Exists),
                None,
                Some(FailureKind::Exists),
                None,
                None,
                Some(FailureKind::Exists),
                Some(FailureKind::Exists),
                None,
                Some(FailureKind::WrongType),
                None,
                None,
                None,
                Some(FailureKind::WrongType)
            ],
            "{shell}: {got:?}"
        );
        assert_eq!(got[14], Reply::Link(Some(b"-to where\n\n".to_vec())), "{shell}");
        assert_eq!(got[16], Reply::Link(None), "{shell}");
        let at = |path: &str| dir.path().join(path);
        assert_eq!(fs::read_to_string(at("a/f")).unwrap(), "one\ntwo\nthree", "{shell}");
        assert_eq!(fs::read_to_string(at("a/-n")).unwrap(), "-n\\n%s", "{shell}");
        for (path, expected) in
            [("a", 0o700), ("-p", 0o1777), ("a/f", 0o600), ("a/run", 0o755), ("a/-n", 0o666), ("a/log", 0o600)]
        {
            assert_eq!(mode(&at(path)), expected, "{shell}: {path}");
        }
        assert!(!at("nowhere").exists() && fs::read_dir(at("there")).unwrap().count() == 0, "{shell}");
    }
}

#[tokio::test]
async fn a_link_on_the_way_is_never_followed() {
    for shell in LocalShell::all() {
        let (dir, outside, transport) = (TempDir::new().unwrap(), TempDir::new().unwrap(), shell.transport());
        fs::write(outside.path().join("f"), "x").unwrap();
        symlink(outside.path(), dir.path().join("out")).unwrap();
        fs::create_dir(dir.path().join("in")).unwrap();
        fs::write(dir.path().join("in/f"), "x").unwrap();
        let path = || inner("out/f");
        let ops = vec![
            Op::Inspect { path: path() },
            Op::Read { path: path(), limit: 9 },
            Op::List { path: inner("out") },
            Op::ReadEach { path: inner("out"), file: inner("f"), limit: 9 },
            Op::ExpectAbsent { path: inner("out/none") },
            Op::ExpectDirectory { path: inner("out") },
            Op::MakeDir { path: inner("out/d"), mode: 0o755, existing_is_fine: true },
            Op::MakeLink { path: inner("out/l"), text: b"x".to_vec() },
            Op::WriteNew { path: inner("out/w"), content: "x".into(), mode: 0o600 },
            Op::MarkProcess { path: inner("out/m") },
            Op::Append { path: path(), content: "x".into() },
            Op::MoveInto { from: inner("in/f"), into: inner("out") },
            Op::MoveInto { from: path(), into: inner("in") },
            Op::Rename { from: inner("in/f"), to: inner("out/n") },
            Op::Rename { from: path(), to: inner("in/n") },
            Op::Exchange { one: inner("in/f"), other: path() },
            Op::RemoveFile { path: path() },
            Op::RemoveDir { path: inner("out") },
            Op::RemoveTree { path: path() },
            Op::Sync { paths: vec![path()], reach: SyncReach::Entries },
            Op::Sync { paths: vec![inner("out")], reach: SyncReach::Filesystem },
        ];
        for (op, got) in ops.clone().iter().zip(replies(&transport, &root(&dir), ops).await) {
            assert_eq!(kind(&got), Some(FailureKind::WrongType), "{shell}: {op:?}: {got:?}");
        }
        assert_eq!(reply(&transport, &root(&dir), Op::RemoveTree { path: inner("out") }).await, Reply::Done);
        assert_eq!(fs::read_to_string(outside.path().join("f")).unwrap(), "x");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1, "{shell}");
    }
}

#[tokio::test]
async fn reads_any_bytes_and_never_hangs() {
    let bytes: Vec<u8> = (0..=255).collect();
    for shell in LocalShell::all() {
        let (dir, transport) = (TempDir::new().unwrap(), shell.transport());
        let at = |path: &[u8]| dir.path().join(OsStr::from_bytes(path));
        let names: Vec<&[u8]> =
            vec![b"a", b"..x", b".h", b"-r", b"new\nline", b"\xff\x80", b"it's", b" ", b"*", b"$x\\"];
        for name in &names {
            fs::create_dir_all(at(b"d").join(OsStr::from_bytes(name))).unwrap();
            fs::write(at(b"d").join(OsStr::from_bytes(name)).join("rec"), name).unwrap();
        }
        fs::write(at(b"d").join("plain"), "x").unwrap();
        for (odd, what) in [("big", "large"), ("lnk", "link"), ("dir", "directory"), ("fifo", "fifo"), ("none", "")] {
            let place = at(b"d").join(odd);
            fs::create_dir(&place).unwrap();
            match what {
                "large" => fs::write(place.join("rec"), [0; 65]).unwrap(),
                "link" => symlink("/etc/passwd", place.join("rec")).unwrap(),
                "directory" => fs::create_dir(place.join("rec")).unwrap(),
                "fifo" => fifo(&place.join("rec")),
                _ => {}
            }
        }
        fs::write(at(b"all"), &bytes).unwrap();
        fs::write(at(b"empty"), "").unwrap();
        fifo(&at(b"fifo"));
        symlink("/dev/zero", at(b"zero")).unwrap();
        let read = |path, limit| Op::Read { path: inner(path), limit };
        let got = replies(
            &transport,
            &root(&dir),
            vec![
                read("all", 256),
                read("all", 255),
                read("empty", 0),
                read("fifo", 9),
                read("zero", 9),
                read("d", 9),
                read("none", 9),
                read("none/x", 9),
                Op::List { path: inner("d") },
                Op::ReadEach { path: inner("d"), file: inner("rec"), limit: 64 },
                Op::List { path: inner("none") },
                Op::ReadEach { path: inner("none"), file: inner("rec"), limit: 64 },
                Op::List { path: inner("all") },
                Op::List { path: inner("d/none") },
            ],
        )
        .await;
        let content = |found| Reply::Content(Some(found));
        assert_eq!(got[0], content(Found::Content(bytes.clone())), "{shell}");
        assert_eq!(got[1], content(Found::TooLarge), "{shell}");
        assert_eq!(got[2], content(Found::Content(vec![])), "{shell}");
        assert_eq!(got[3], content(Found::NotAFile(EntryKind::Other)), "{shell}");
        assert_eq!(got[4], content(Found::NotAFile(EntryKind::Link)), "{shell}");
        assert_eq!(got[5], content(Found::NotAFile(EntryKind::Directory)), "{shell}");
        assert_eq!(got[6..8], [Reply::Content(None), Reply::Content(None)], "{shell}");
        let Reply::Listing(Some(listed)) = &got[8] else { panic!("{shell}: {:?}", got[8]) };
        assert_eq!(listed.len(), names.len() + 6, "{shell}: {listed:?}");
        for entry in listed {
            let stat = fs::symlink_metadata(at(b"d").join(OsStr::from_bytes(&entry.name))).expect("a true name");
            assert_eq!(entry.entry.id, FileId { device: stat.dev(), inode: stat.ino() }, "{shell}");
            assert_eq!((entry.entry.modified, entry.entry.mode), (stat.mtime(), stat.mode() & 0o7777), "{shell}");
        }
        let Reply::Contents(each) = &got[9] else { panic!("{shell}: {:?}", got[9]) };
        assert_eq!(each.len(), names.len() + 4, "{shell}: {each:?}");
        for (name, found) in each {
            let expected = match &name[..] {
                b"big" => Found::TooLarge,
                b"lnk" => Found::NotAFile(EntryKind::Link),
                b"dir" => Found::NotAFile(EntryKind::Directory),
                b"fifo" => Found::NotAFile(EntryKind::Other),
                name => Found::Content(name.to_vec()),
            };
            assert_eq!(found.found, expected, "{shell}: {name:?}");
        }
        assert_eq!(got[10..12], [Reply::Listing(None), Reply::Contents(vec![])], "{shell}");
        assert_eq!(kind(&got[12]), Some(FailureKind::WrongType), "{shell}");
        assert_eq!(got[13], Reply::Listing(Some(vec![])), "{shell}");
    }
}

fn fifo(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status().expect("mkfifo");
    assert!(made.success());
}

#[tokio::test]
async fn expectations_hold_or_do_not() {
    for shell in LocalShell::all() {
        let (dir, transport) = (TempDir::new().unwrap(), shell.transport());
        symlink("releases/a b", dir.path().join("current")).unwrap();
        fs::create_dir(dir.path().join("d")).unwrap();
        fs::write(dir.path().join("f"), "x").unwrap();
        let is = |path, text: &str| Op::ExpectLink { path: inner(path), text: text.into() };
        let ops = vec![
            is("current", "releases/a b"),
            is("current", "releases/a"),
            is("d", "x"),
            is("none", "x"),
            Op::ExpectAbsent { path: inner("none") },
            Op::ExpectAbsent { path: inner("none/none") },
            Op::ExpectAbsent { path: inner("current") },
            Op::ExpectDirectory { path: inner("d") },
            Op::ExpectDirectory { path: inner(".") },
            Op::ExpectDirectory { path: inner("f") },
            Op::ExpectDirectory { path: inner("current") },
            Op::ExpectDirectory { path: inner("none") },
            Op::RemoveFile { path: inner("none/x") },
            Op::RemoveFile { path: inner("d") },
            Op::RemoveDir { path: inner("none") },
            Op::RemoveDir { path: inner("f") },
            Op::RemoveDir { path: inner("d") },
            Op::Sync { paths: vec![inner("f"), inner(".")], reach: SyncReach::Entries },
            Op::Sync { paths: vec![inner(".")], reach: SyncReach::Filesystem },
            Op::Sync { paths: vec![inner("none")], reach: SyncReach::Filesystem },
            Op::RemoveFile { path: inner("current") },
            Op::RemoveTree { path: inner("none") },
        ];
        let kinds: Vec<_> = replies(&transport, &root(&dir), ops).await.iter().map(kind).collect();
        let expected = [
            None,
            Some(FailureKind::Mismatch),
            Some(FailureKind::Mismatch),
            Some(FailureKind::Mismatch),
            None,
            None,
            Some(FailureKind::Exists),
            None,
            None,
            Some(FailureKind::WrongType),
            Some(FailureKind::WrongType),
            Some(FailureKind::Missing),
            None,
            Some(FailureKind::WrongType),
            None,
            Some(FailureKind::WrongType),
            None,
            None,
            None,
            Some(FailureKind::Missing),
            None,
            None,
        ];
        assert_eq!(kinds, expected, "{shell}");
    }
}

#[tokio::test]
async fn knows_host_clock_and_process() {
    for shell in LocalShell::all() {
        let (dir, transport) = (TempDir::new().unwrap(), shell.transport());
        let real = fs::metadata(dir.path()).unwrap();
        symlink("..", dir.path().join("up")).unwrap();
        symlink("loop", dir.path().join("loop")).unwrap();
        let ops = vec![
            Op::Identify,
            Op::Clock,
            Op::MarkProcess { path: inner("mark") },
            Op::CheckProcess { path: inner("mark") },
            Op::CheckProcess { path: inner("none") },
            Op::Resolve { link: b"up".to_vec() },
            Op::Resolve { link: b"/".to_vec() },
            Op::Resolve { link: b"loop".to_vec() },
            Op::Resolve { link: b"none/x".to_vec() },
            Op::Resolve { link: b"".to_vec() },
            Op::Inspect { path: inner("up") },
            Op::Inspect { path: inner(".") },
        ];
        let got = replies(&transport, &root(&dir), ops).await;
        let Reply::Identity(who) = &got[0] else { panic!("{shell}: {got:?}") };
        assert_eq!(who.root, FileId { device: real.dev(), inode: real.ino() }, "{shell}");
        assert_eq!((who.uid, who.hostname.is_empty()), (real.uid(), false), "{shell}: {who:?}");
        assert!(matches!(got[1], Reply::Clock(_)), "{shell}");
        assert_eq!(got[3..5], [Reply::Process(Liveness::Alive), Reply::Process(Liveness::Unknown)], "{shell}");
        let is = |reply: &Reply, expected| matches!(reply, Reply::Entry(Some(entry)) if entry.kind == expected);
        assert!(is(&got[5], EntryKind::Directory) && is(&got[6], EntryKind::Directory), "{shell}");
        assert_eq!(got[7..10], [Reply::Entry(None), Reply::Entry(None), Reply::Entry(None)], "{shell}");
        assert!(is(&got[10], EntryKind::Link) && is(&got[11], EntryKind::Directory), "{shell}");
        transport.close().await;
        let mark = fs::read_to_string(dir.path().join("mark")).unwrap();
        assert_eq!((mark.split(' ').count(), mode(&dir.path().join("mark"))), (5, 0o600), "{shell}: {mark}");
        gone(&mark, &shell.to_string()).await;
        let got = reply(&transport, &root(&dir), Op::CheckProcess { path: inner("mark") }).await;
        assert_eq!(got, Reply::Process(Liveness::Gone), "{shell}");
    }
}

/// Waits until the marked process has ended, since its channel was closed.
async fn gone(mark: &str, shell: &str) {
    let stat = format!("/proc/{}/stat", mark.split(' ').next().expect("a process id"));
    for _ in 0..2000 {
        if fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z ")) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{shell} does not end with its channel");
}

#[tokio::test]
async fn roots_are_made_pinned_and_refused() {
    for shell in LocalShell::all() {
        let (dir, transport) = (TempDir::new().unwrap(), shell.transport());
        let base = dir.path().to_str().unwrap();
        let at = |path: &str| -> HostPath { format!("{base}/{path}").parse().unwrap() };
        let mut batch = Batch::new(at("it's a/new\nroot"));
        let failed = transport.execute(&batch).await.unwrap_err();
        assert_eq!(failed.failure().map(|f| f.kind), Some(FailureKind::Missing), "{shell}: {failed:?}");
        assert!(matches!(failed, TransportError::Root { .. }), "{shell}");
        batch.make_root = true;
        assert_eq!(transport.execute(&batch).await.unwrap(), [], "{shell}");
        assert_eq!(mode(&dir.path().join("it's a")), 0o755);
        batch.pin = Some(FileId { device: 1, inode: 2 });
        let failed = transport.execute(&batch).await.unwrap_err();
        assert_eq!(failed.failure().map(|f| f.kind), Some(FailureKind::Mismatch), "{shell}");
        let real = fs::metadata(batch.root.as_path()).unwrap();
        batch.pin = Some(FileId { device: real.dev(), inode: real.ino() });
        assert!(transport.execute(&batch).await.is_ok(), "{shell}");
        fs::write(dir.path().join("file"), "").unwrap();
        symlink("it's a", dir.path().join("link")).unwrap();
        let failed = transport.execute(&Batch::new(at("file"))).await.unwrap_err();
        assert_eq!(failed.failure().map(|f| f.kind), Some(FailureKind::WrongType), "{shell}");
        let listed = reply(&transport, &at("link"), Op::List { path: inner(".") }).await;
        assert!(matches!(listed, Reply::Listing(Some(names)) if names.len() == 1), "{shell}");
    }
}

#[tokio::test]
async fn a_failed_step_ends_the_batch_and_says_how_far_it_came() {
    for shell in LocalShell::all() {
        let (dir, transport) = (TempDir::new().unwrap(), shell.transport());
        let make = |path| Op::MakeDir { path: inner(path), mode: 0o755, existing_is_fine: false };
        let mut batch = Batch::new(root(&dir));
        batch.push(make("a"));
        batch.push_lenient(make("a"));
        batch.push(make("a"));
        batch.push(make("b"));
        let failed = transport.execute(&batch).await.unwrap_err();
        assert_eq!(failed.effect(), Effect::Steps(2), "{shell}: {failed:?}");
        let TransportError::Step { replies, .. } = failed else { panic!("{shell}: {failed:?}") };
        assert!(replies.len() == 2 && !dir.path().join("b").exists(), "{shell}");
    }
}

#[tokio::test]
async fn what_cannot_be_written_leaves_nothing() {
    for shell in LocalShell::all() {
        let (dir, transport) = (TempDir::new().unwrap(), shell.transport());
        let name = "x".repeat(300);
        let write = |path: &str| Op::WriteNew { path: inner(path), content: "x".into(), mode: 0o600 };
        let make = |path: &str| Op::MakeDir { path: inner(path), mode: 0o600, existing_is_fine: false };
        fs::create_dir(dir.path().join("d")).unwrap();
        let got = replies(&transport, &root(&dir), vec![write(&name), make(&name), write("d/none/x")]).await;
        let expected = [FailureKind::TooLong, FailureKind::TooLong, FailureKind::Missing].map(Some);
        assert_eq!(got.iter().map(kind).collect::<Vec<_>>(), expected, "{shell}: {got:?}");
    }
}

/// The manifest of a large release has some tens of megabytes, and three times that in hex.
#[tokio::test]
async fn a_large_file_is_read_whole() {
    const SIZE: usize = 23 << 20;
    let Some(shell) = LocalShell::new("dash", "gnu") else { return };
    let (dir, transport) = (TempDir::new().unwrap(), shell.transport());
    fs::write(dir.path().join("f"), vec![b'x'; SIZE]).unwrap();
    match reply(&transport, &root(&dir), Op::Read { path: inner("f"), limit: 64 << 20 }).await {
        Reply::Content(Some(Found::Content(content))) => assert_eq!(content.len(), SIZE),
        other => panic!("{:.200}", format!("{other:?}")),
    }
}

/// The time for that depends on the release, and not on the connection.
#[tokio::test]
async fn reading_all_contents_may_take_longer_than_other_exchanges() {
    let Some(shell) = LocalShell::new("dash", "gnu") else { return };
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("bin")).unwrap();
    let slow = dir.path().join("bin/sha256sum");
    fs::write(&slow, "#!/bin/sh\nsleep 7\nexec /usr/bin/sha256sum \"$@\"\n").unwrap();
    fs::set_permissions(&slow, Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(dir.path().join("tree")).unwrap();
    fs::write(dir.path().join("tree/f"), "x").unwrap();
    let found_first = format!("PATH={}:$PATH exec \"$@\"", dir.path().join("bin").display());
    let shell = shell.wrapped(&["/bin/sh", "-c", &found_first, "sh"]);
    let transport = shell.transport_within(Duration::from_secs(5));
    let survey = |digests| Op::Survey { path: inner("tree"), digests };
    let read = reply(&transport, &root(&dir), survey(true)).await;
    assert!(matches!(&read, Reply::Survey(Some(all)) if all.len() == 1), "{read:?}");
}

/// However much of a release differs, a host sends little about it, and nothing about unchanged entries.
#[tokio::test]
async fn what_a_comparison_says_does_not_grow_with_the_release() {
    const FILES: usize = 3_000;
    let Some(shell) = LocalShell::new("dash", "gnu") else { return };
    let (dir, answers) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let answers = answers.path().join("all");
    let keep = format!("\"$@\" | tee -a {}", answers.display());
    let transport = shell.wrapped(&["/bin/sh", "-c", &keep, "tee"]).transport();
    let tree = dir.path().join("trees/a");
    fs::create_dir_all(&tree).unwrap();
    fs::create_dir_all(dir.path().join("lists/a")).unwrap();
    let path = |at: usize| tree.join(format!("{}-{at}", "long".repeat(20)));
    let mut entries = Vec::new();
    for at in 0..FILES {
        fs::write(path(at), "x").unwrap();
        fs::set_permissions(path(at), Permissions::from_mode(0o644)).unwrap();
        let node = ManifestNode::File { mode: 0o644, size: 1, digest: Digest::of(b"x") };
        entries.push(ManifestEntry { path: path(at).file_name().unwrap().as_bytes().to_vec(), node });
    }
    fs::write(dir.path().join("lists/a/manifest"), Manifest::new(entries).in_form(Form::Manifest)).unwrap();
    let compared = async |contents| {
        let before = fs::metadata(&answers).map_or(0, |all| all.len());
        let (trees, lists, manifest, name) = (inner("trees"), inner("lists"), inner("manifest"), inner("a"));
        let (name, except) = (TreeName::Given(name), Vec::new());
        let op = Op::CompareTree { trees, name, lists, manifest, contents, owners: Some(vec![12_345]), except };
        let Reply::Comparison(Comparison { found: Compared::Entries(found), .. }) =
            reply(&transport, &root(&dir), op).await
        else {
            panic!("it was not compared")
        };
        let count = (found.damage.count, found.modes.count, found.added.count, found.foreign.count);
        (count, fs::metadata(&answers).unwrap().len() - before)
    };
    let all = FILES as u64;
    for contents in [false, true] {
        let (found, bytes) = compared(contents).await;
        assert!(found == (0, 0, 0, all) && bytes < 60_000, "{found:?}: {bytes} bytes");
    }
    (0..FILES).for_each(|at| fs::write(path(at), "y").unwrap());
    let (found, bytes) = compared(true).await;
    assert!(found == (all, 0, 0, all) && bytes < 200_000, "{found:?}: {bytes} bytes");
    (0..FILES).for_each(|at| fs::rename(path(at), tree.join(at.to_string())).unwrap());
    let (found, bytes) = compared(false).await;
    assert!(found == (all, 0, all, 0) && bytes < 200_000, "{found:?}: {bytes} bytes");
}
