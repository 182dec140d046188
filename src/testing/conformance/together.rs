//! Steps that a transport may combine: each reply is the same as for the step alone.

use crate::transport::{EntryKind, FailureKind, Found, Op, OwnedFile, Reply, TransportError};

use super::{
    Outcome,
    ops::{self, inspect, list, make_dir, make_link, read_each, read_link, remove_file, remove_tree, resolve, write},
    subject::{Subject, in_words, same},
};

/// Sends steps that may all fail, and returns their replies in order, with only the kind of each failure.
async fn lenient(on: &Subject, ops: &[Op]) -> Result<Vec<Result<Reply, FailureKind>>, String> {
    let mut batch = on.batch();
    for op in ops {
        batch.push_lenient(op.clone());
    }
    let replies = on.transport.execute(&batch).await.map_err(|error| in_words(&error))?;
    Ok(replies.into_iter().map(kind_of).collect())
}

fn kind_of(reply: Reply) -> Result<Reply, FailureKind> {
    match reply {
        Reply::Failed(failure) => Err(failure.kind),
        Reply::Listing(Some(mut listed)) => {
            listed.sort_by(|one, other| one.name.cmp(&other.name));
            Ok(Reply::Listing(Some(listed)))
        }
        Reply::Contents(mut contents) => {
            contents.sort_by(|one, other| one.0.cmp(&other.0));
            Ok(Reply::Contents(contents))
        }
        other => Ok(other),
    }
}

pub(super) async fn reads(on: Subject) -> Outcome {
    on.done([make_dir("r"), make_dir("r/1"), make_dir("r/2"), make_dir("r/3 \n*"), make_dir("empty")]).await?;
    on.done([write("r/1/f", "one\n"), write("r/2/f", "too large"), write("r/3 \n*/f", ""), write("r/1/g", "é'")])
        .await?;
    on.done([make_link("l", "r/1"), make_link("gone", "none"), make_link("r/1/h", "f"), write("f", "x")]).await?;
    let good = [
        inspect("l"),
        read_link("l"),
        resolve("l"),
        resolve("gone"),
        resolve("f"),
        list("r"),
        list("empty"),
        list("none"),
        read_each("r", "f", 5),
        read_each("r", "g", 50),
        read_each("r", "h", 50),
        read_each("none", "f", 5),
        read_each("r", "f", 50),
        inspect("none"),
        inspect("r/2/f"),
    ];
    let bad = [read_link("f"), list("l"), read_each("f", "f", 5), inspect("l/f")];
    let mixed: Vec<Op> = good.iter().zip(bad.iter().cycle()).flat_map(|(one, other)| [one, other]).cloned().collect();
    for ops in [&good[..], &mixed[..], &bad[..]] {
        let mut alone = Vec::new();
        for op in ops {
            alone.extend(lenient(&on, std::slice::from_ref(op)).await?);
        }
        same("the replies", &lenient(&on, ops).await?, &alone)?;
    }
    let owner = Some(on.must_entry("r/1/g").await?.owner);
    let read = OwnedFile { owner, found: found("é'") };
    same("one of them", &lenient(&on, &good).await?[9], &Ok(Reply::Contents(vec![(b"1".to_vec(), read)])))
}

fn found(text: &str) -> Found {
    Found::Content(text.into())
}

pub(super) async fn a_read_that_fails_stops(on: Subject) -> Outcome {
    on.done([make_dir("d"), make_link("l", "d")]).await?;
    match on.send([inspect("none"), list("d"), list("l"), inspect("d")]).await {
        Err(TransportError::Step { index: 2, failure, replies, .. }) => {
            same("the kind", &failure.kind, &FailureKind::WrongType)?;
            same("the replies before", &replies, &vec![Reply::Entry(None), Reply::Listing(Some(Vec::new()))])
        }
        other => Err(format!("expected step 2 to fail, got {other:?}")),
    }
}

pub(super) async fn directories_in_each_other(on: Subject) -> Outcome {
    let private = |path: &str| Op::MakeDir { path: ops::at(path), mode: 0o700, existing_is_fine: false };
    same("the replies", &on.done(["a", "a/b", "a/b/c"].map(private)).await?, &vec![Reply::Done; 3])?;
    for path in ["a", "a/b", "a/b/c"] {
        on.stands(path, EntryKind::Directory, 0o700).await?;
    }
    on.done([write("f", "x"), make_link("l", "a")]).await?;
    let long = "x".repeat(256);
    for (chain, at, kind) in [
        (["a", "a/d", "a/d/e"], 0, FailureKind::Exists),
        (["none/a", "none/a/b", "none/a/b/c"], 0, FailureKind::Missing),
        (["l", "l/d", "l/d/e"], 0, FailureKind::Exists),
        (["l/d", "l/d/e", "l/d/e/f"], 0, FailureKind::WrongType),
        (["f", "f/d", "f/d/e"], 0, FailureKind::Exists),
    ] {
        chain_fails(&on, &chain.map(private), at, kind).await?;
    }
    on.lists("a", &["b"]).await?;
    let too_long = ["n".to_owned(), format!("n/{long}"), format!("n/{long}/m")];
    match on.send(too_long.map(|path| private(&path))).await {
        Err(TransportError::Step { index: 1, replies, .. }) => same("before", &replies, &vec![Reply::Done])?,
        other => return Err(format!("expected step 1 to fail, got {other:?}")),
    }
    on.lists("n", &[]).await
}

async fn chain_fails(on: &Subject, chain: &[Op], at: usize, kind: FailureKind) -> Outcome {
    match on.send(chain.iter().cloned()).await {
        Err(TransportError::Step { index, failure, .. }) => {
            same(&format!("{chain:?}: {failure}"), &(index, failure.kind), &(at, kind))
        }
        other => Err(format!("{chain:?}: {other:?}")),
    }
}

pub(super) async fn removals(on: Subject) -> Outcome {
    on.done([make_dir("d"), write("d/f", "x"), write("f", "x"), make_link("l", "kept"), make_dir("kept")]).await?;
    on.done([write("kept/f", "x"), make_link("toKept", "kept"), make_dir("e")]).await?;
    let removing = [
        remove_tree("d"),
        remove_file("f"),
        remove_file("none"),
        remove_tree("none/below"),
        remove_file("l"),
        remove_file("kept"),
        remove_tree("toKept/f"),
        remove_tree("e"),
    ];
    let expected: Vec<Result<Reply, FailureKind>> = (0..removing.len())
        .map(|at| if at == 5 || at == 6 { Err(FailureKind::WrongType) } else { Ok(Reply::Done) })
        .collect();
    same("the replies", &lenient(&on, &removing).await?, &expected)?;
    on.lists(".", &["kept", "toKept"]).await?;
    on.holds("kept/f", "x").await?;
    on.done([make_dir("d"), write("d/f", "x"), write("f", "x")]).await?;
    same("all of them", &lenient(&on, &[remove_tree("d"), remove_file("f")]).await?, &vec![Ok(Reply::Done); 2])?;
    on.lists(".", &["kept", "toKept"]).await
}
