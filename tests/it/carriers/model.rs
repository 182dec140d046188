//! Random batches on the local transport and on the one in memory: same answers, same tree.

use std::{fs::DirBuilder, os::unix::fs::DirBuilderExt};

use proptest::{collection::vec, prelude::*, sample::select};
use switchback::{
    HostPath, InnerPath,
    transport::{
        Entry, EntryKind, FailureKind, FileId, LocalTransport, MemoryHost, Transport, TransportError,
        raw::{Batch, OnFailure, Op, Reply, Step, SyncReach},
    },
};
use tempfile::TempDir;

/// Few names, so that steps affect the same entries.
const PATHS: &[&str] = &[".", "a", "b", "c", "a/a", "a/b", "b/a", "b/c", "a/b/c", "a/a/a", "c/b", "-f"];
const TEXTS: &[&str] = &["", ".", "a", "b/", "a/b", "./b//a", "../none", "c", "c/b", "none", "a/..", "a/a/../..//b"];

fn path() -> impl Strategy<Value = InnerPath> {
    select(PATHS).prop_map(|path| path.parse().expect("a place"))
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    select(TEXTS).prop_map(|text| text.as_bytes().to_vec())
}

fn content() -> impl Strategy<Value = String> {
    select(&["", "x", "a b\n", "$(x)\n\n"][..]).prop_map(str::to_owned)
}

fn question() -> impl Strategy<Value = Op> {
    prop_oneof![
        path().prop_map(|path| Op::Inspect { path }),
        text().prop_map(|link| Op::Resolve { link }),
        path().prop_map(|path| Op::ReadLink { path }),
        (path(), 0..4_u64).prop_map(|(path, limit)| Op::Read { path, limit }),
        path().prop_map(|path| Op::List { path }),
        (path(), select(&["a", "b", "c"][..]), 0..4_u64).prop_map(|(path, file, limit)| Op::ReadEach {
            path,
            file: file.parse().expect("a name"),
            limit
        }),
        path().prop_map(|path| Op::CheckProcess { path }),
        path().prop_map(|path| Op::ExpectAbsent { path }),
        path().prop_map(|path| Op::ExpectDirectory { path }),
        (path(), text()).prop_map(|(path, text)| Op::ExpectLink { path, text }),
    ]
}

fn change() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (path(), select(&[0o755, 0o700, 0o777][..]), any::<bool>())
            .prop_map(|(path, mode, existing_is_fine)| Op::MakeDir { path, mode, existing_is_fine }),
        2 => (path(), text()).prop_map(|(path, text)| Op::MakeLink { path, text }),
        2 => (path(), content(), select(&[0o644, 0o600, 0o755][..]))
            .prop_map(|(path, content, mode)| Op::WriteNew { path, content, mode }),
        1 => (path(), content()).prop_map(|(path, content)| Op::Append { path, content }),
        4 => (path(), path()).prop_map(|(from, into)| Op::MoveInto { from, into }),
        2 => (path(), path()).prop_map(|(from, to)| Op::Rename { from, to }),
        1 => path().prop_map(|path| Op::RemoveFile { path }),
        1 => path().prop_map(|path| Op::RemoveDir { path }),
        1 => path().prop_map(|path| Op::RemoveTree { path }),
        1 => vec(path(), 0..3).prop_map(|paths| Op::Sync { paths, reach: SyncReach::Entries }),
    ]
}

/// A batch of mostly lenient steps: one that stops at its first failure would soon do nothing at all.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let on_failure = prop_oneof![9 => Just(OnFailure::GoOn), 1 => Just(OnFailure::Stop)];
    let op = prop_oneof![3 => change().boxed(), 2 => question().boxed()];
    vec((op, on_failure).prop_map(|(op, on_failure)| Step { op, on_failure }), 1..20)
}

/// An answer without the values that differ between any two hosts.
#[derive(Debug, PartialEq)]
enum Plain {
    Reply(Reply),
    Failed(FailureKind),
}

fn plain(reply: Reply) -> Plain {
    Plain::Reply(match reply {
        Reply::Failed(failure) => return Plain::Failed(failure.kind),
        Reply::Entry(entry) => Reply::Entry(entry.map(plain_entry)),
        Reply::Listing(Some(mut listed)) => {
            for listed in &mut listed {
                listed.entry = plain_entry(listed.entry);
            }
            listed.sort_by(|one, other| one.name.cmp(&other.name));
            Reply::Listing(Some(listed))
        }
        Reply::Contents(mut contents) => {
            for (_, file) in &mut contents {
                file.owner = file.owner.map(|_| 0);
            }
            contents.sort_by(|one, other| one.0.cmp(&other.0));
            Reply::Contents(contents)
        }
        other => other,
    })
}

fn plain_entry(entry: Entry) -> Entry {
    Entry {
        owner: 0,
        id: FileId { device: 0, inode: 0 },
        size: if entry.kind == EntryKind::Directory { 0 } else { entry.size },
        modified: 0,
        ..entry
    }
}

type Answer = Result<Vec<Plain>, (usize, FailureKind, Vec<Plain>)>;

async fn answer(transport: &dyn Transport, root: &HostPath, steps: &[Step]) -> Answer {
    let batch = Batch { steps: steps.to_vec(), ..Batch::new(root.clone()) };
    match transport.execute(&batch).await {
        Ok(replies) => Ok(replies.into_iter().map(plain).collect()),
        Err(TransportError::Step { index, failure, replies, .. }) => {
            Err((index, failure.kind, replies.into_iter().map(plain).collect()))
        }
        Err(other) => panic!("{transport} does not answer: {other}"),
    }
}

/// Returns everything below `directory`, with the contents of files and the targets of symlinks.
async fn tree(transport: &dyn Transport, root: &HostPath, directory: InnerPath) -> Vec<(String, Plain, Answer)> {
    let list = Step { op: Op::List { path: directory.clone() }, on_failure: OnFailure::Stop };
    let Ok(replies) = answer(transport, root, &[list]).await else { panic!("{directory} cannot be listed") };
    let [Plain::Reply(Reply::Listing(Some(listed)))] = &replies[..] else { panic!("{directory} is not listed") };
    let mut found = Vec::new();
    for listed in listed {
        let name = String::from_utf8(listed.name.clone()).expect("all names here are plain");
        let path = directory.join(&name.parse().expect("a name"));
        let op = match listed.entry.kind {
            EntryKind::Link => Op::ReadLink { path: path.clone() },
            _ => Op::Read { path: path.clone(), limit: 1 << 20 },
        };
        let content = answer(transport, root, &[Step { op, on_failure: OnFailure::Stop }]).await;
        found.push((path.to_string(), Plain::Reply(Reply::Entry(Some(listed.entry))), content));
        if listed.entry.kind == EntryKind::Directory {
            found.extend(Box::pin(tree(transport, root, path)).await);
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn this_machine_does_what_the_model_does(batches in vec(steps(), 1..6)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let directory = TempDir::new().expect("a temporary directory");
        // Symlinks lead out of the root too, so the directories above must be equal.
        let root = directory.path().join("srv/up/shop");
        DirBuilder::new().recursive(true).mode(0o755).create(&root).expect("directories");
        let here = root.to_str().expect("a plain name").parse().expect("a root");
        let host = MemoryHost::new();
        host.make_dir("/srv/up/shop");
        let (local, memory, there) = (LocalTransport::new(), host.connect("memory"), "/srv/up/shop".parse().expect("a root"));
        runtime.block_on(async {
            for steps in &batches {
                let (found, expected) = (answer(&local, &here, steps).await, answer(&memory, &there, steps).await);
                prop_assert_eq!(found, expected, "{:#?}", steps);
            }
            let top = InnerPath::root();
            prop_assert_eq!(tree(&local, &here, top.clone()).await, tree(&memory, &there, top).await);
            Ok(())
        })?;
    }
}
