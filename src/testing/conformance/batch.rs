//! Batches: order, failures and root.

use tokio::task::JoinSet;

use crate::transport::{Effect, EntryKind, FailureKind, Op, Reply, TransportError};

use super::{
    Outcome,
    ops::{inspect, make_dir, make_link, mark_process, move_into, read_link, write},
    subject::{Subject, holds, in_words, same},
};

pub(super) async fn one_reply_a_step(on: Subject) -> Outcome {
    let replies = on.done([make_dir("a"), inspect("none"), make_link("a/l", "x"), read_link("a/l")]).await?;
    let expected = [Reply::Done, Reply::Entry(None), Reply::Done, super::ops::link_reply("x")];
    same("the replies", &&replies[..], &&expected[..])
}

pub(super) async fn steps_run_in_order(on: Subject) -> Outcome {
    on.done([make_dir("a"), make_dir("a/b"), write("a/b/f", "x"), move_into("a/b/f", "a"), make_dir("a/b/f")]).await?;
    on.stands("a/f", EntryKind::File, 0o644).await?;
    on.stands("a/b/f", EntryKind::Directory, 0o755).await
}

pub(super) async fn a_failure_stops(on: Subject) -> Outcome {
    match on.send([make_dir("a"), inspect("none"), make_dir("a"), make_dir("later")]).await {
        Err(TransportError::Step { index: 2, failure, replies, host, root }) => {
            same("the kind", &failure.kind, &FailureKind::Exists)?;
            same("the replies before", &&replies[..], &&[Reply::Done, Reply::Entry(None)][..])?;
            same("the host", &host, &on.transport.to_string())?;
            same("the root", &root, &on.batch().root)?;
        }
        other => return Err(format!("expected step 2 to fail, got {other:?}")),
    }
    on.lists(".", &["a"]).await
}

pub(super) async fn a_lenient_failure_goes_on(on: Subject) -> Outcome {
    let mut batch = on.batch();
    batch.push_lenient(make_dir("none/a"));
    batch.push_lenient(make_dir("a"));
    batch.push_lenient(read_link("a"));
    batch.push(make_dir("b"));
    let replies = on.transport.execute(&batch).await.map_err(|error| in_words(&error))?;
    let kinds: Vec<_> = replies
        .iter()
        .map(|reply| match reply {
            Reply::Failed(failure) => Err(failure.kind),
            other => Ok(other.clone()),
        })
        .collect();
    let expected = [Err(FailureKind::Missing), Ok(Reply::Done), Err(FailureKind::WrongType), Ok(Reply::Done)];
    same("the replies", &&kinds[..], &&expected[..])?;
    on.lists(".", &["a", "b"]).await
}

pub(super) async fn an_empty_batch(on: Subject) -> Outcome {
    same("the replies", &on.done([]).await?, &Vec::new())
}

pub(super) async fn a_missing_root(on: Subject) -> Outcome {
    let missing = on.below("none/here");
    let mut batch = missing.batch();
    batch.push_lenient(make_dir("a"));
    missing.root_refused(&batch, FailureKind::Missing).await?;
    on.lists(".", &[]).await
}

pub(super) async fn a_root_that_is_no_directory(on: Subject) -> Outcome {
    on.done([write("file", "x"), make_link("link", "file")]).await?;
    for place in ["file", "link", "file/below"] {
        let below = on.below(place);
        let mut batch = below.batch();
        batch.push(inspect("."));
        below.root_refused(&batch, FailureKind::WrongType).await?;
        batch.make_root = true;
        below.root_refused(&batch, FailureKind::WrongType).await?;
    }
    on.holds("file", "x").await
}

pub(super) async fn a_root_is_made(on: Subject) -> Outcome {
    let below = on.below("one/two");
    for name in ["a", "b"] {
        let mut batch = below.batch();
        batch.make_root = true;
        batch.push(make_dir(name));
        let replies = below.transport.execute(&batch).await.map_err(|error| in_words(&error))?;
        same("the replies", &replies, &vec![Reply::Done])?;
    }
    on.stands("one", EntryKind::Directory, 0o755).await?;
    on.stands("one/two", EntryKind::Directory, 0o755).await?;
    below.lists(".", &["a", "b"]).await
}

pub(super) async fn a_dangling_root_is_not_made(on: Subject) -> Outcome {
    on.done([make_link("link", "nowhere")]).await?;
    let below = on.below("link");
    let mut batch = below.batch();
    batch.push(inspect("."));
    below.root_refused(&batch, FailureKind::Missing).await?;
    on.lists(".", &["link"]).await
}

pub(super) async fn a_root_may_be_a_link(on: Subject) -> Outcome {
    on.done([make_dir("real"), make_link("link", "real")]).await?;
    let linked = on.below("link");
    linked.done([make_dir("a")]).await?;
    on.stands("real/a", EntryKind::Directory, 0o755).await?;
    same("the root", &linked.must_entry(".").await?.id, &on.must_entry("real").await?.id)
}

pub(super) async fn a_pinned_root(on: Subject) -> Outcome {
    on.done([make_dir("one"), make_dir("other")]).await?;
    let one = on.below("one");
    let mut batch = one.batch();
    batch.pin = Some(on.must_entry("one").await?.id);
    batch.push(make_dir("a"));
    one.transport.execute(&batch).await.map_err(|error| in_words(&error))?;
    batch.pin = Some(on.must_entry("other").await?.id);
    batch.steps.clear();
    batch.push_lenient(make_dir("b"));
    one.root_refused(&batch, FailureKind::Mismatch).await?;
    one.lists(".", &["a"]).await?;
    // A pinned root that has disappeared is not created again as an empty one.
    batch.root = on.below("none").root;
    batch.make_root = true;
    on.root_refused(&batch, FailureKind::Missing).await?;
    on.lists(".", &["one", "other"]).await
}

pub(super) async fn works_again_after_close(on: Subject) -> Outcome {
    on.done([make_dir("a")]).await?;
    on.transport.close().await;
    on.done([make_dir("b")]).await?;
    on.transport.close().await;
    on.transport.close().await;
    on.lists(".", &["a", "b"]).await
}

/// Sends many batches at once: exactly one wins an exclusive creation.
pub(super) async fn one_of_many_wins(on: Subject) -> Outcome {
    for op in [make_dir("d"), make_link("l", "x"), write("f", "x"), mark_process("p")] {
        let won = race(&on, &op).await?;
        holds(won == 1, || format!("{op:?} was won by {won} of 8"))?;
    }
    Ok(())
}

async fn race(on: &Subject, op: &Op) -> Result<usize, String> {
    let mut runs = JoinSet::new();
    for _ in 0..8 {
        let (transport, mut batch) = (on.transport.clone(), on.batch());
        batch.push(op.clone());
        runs.spawn(async move { transport.execute(&batch).await });
    }
    let mut won = 0;
    while let Some(run) = runs.join_next().await {
        match run.map_err(|error| error.to_string())? {
            Ok(_) => won += 1,
            Err(error) if error.effect() == Effect::Steps(0) => {
                same("how the others fail", &error.failure().map(|failure| failure.kind), &Some(FailureKind::Exists))?;
            }
            Err(error) => return Err(in_words(&error)),
        }
    }
    Ok(won)
}
