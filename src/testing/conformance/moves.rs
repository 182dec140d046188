//! The moves: rename and exchange.

use crate::transport::{EntryKind, FailureKind, Reply};

use super::{
    Outcome,
    ops::{exchange, link_reply, make_dir, make_link, move_into, read_link, rename, write},
    subject::{Subject, holds, same},
};

pub(super) async fn to_a_free_name(on: Subject) -> Outcome {
    on.done([
        make_dir("a"),
        make_dir("b"),
        write("a/f", "x"),
        make_link("a/l", "none"),
        make_dir("a/d"),
        write("a/d/f", "y"),
    ])
    .await?;
    let before = on.must_entry("a/d").await?.id;
    on.done([move_into("a/f", "b"), move_into("a/l", "."), move_into("a/d", "b")]).await?;
    on.lists("a", &[]).await?;
    on.holds("b/f", "x").await?;
    on.answers(read_link("l"), link_reply("none")).await?;
    on.holds("b/d/f", "y").await?;
    same("the directory", &on.must_entry("b/d").await?.id, &before)?;
    // A move to the same place does nothing, and loses nothing.
    on.answers(move_into("b/f", "b"), Reply::Done).await?;
    on.holds("b/f", "x").await
}

pub(super) async fn replaces_a_file(on: Subject) -> Outcome {
    on.done([make_dir("a"), write("a/f", "new"), write("f", "old"), make_link("a/g", "new"), write("g", "old")])
        .await?;
    on.done([move_into("a/f", "."), move_into("a/g", ".")]).await?;
    on.holds("f", "new").await?;
    on.answers(read_link("g"), link_reply("new")).await?;
    on.lists("a", &[]).await
}

/// Replaces the symlink itself, as the switch does, and moves nothing into its target.
pub(super) async fn replaces_a_link_itself(on: Subject) -> Outcome {
    on.done([make_dir("1"), make_dir("2"), make_dir("p"), make_link("current", "1"), make_link("p/current", "2")])
        .await?;
    on.done([move_into("p/current", ".")]).await?;
    on.answers(read_link("current"), link_reply("2")).await?;
    on.done([write("p/current", "a file")]).await?;
    on.done([move_into("p/current", ".")]).await?;
    on.holds("current", "a file").await?;
    for empty in ["1", "2", "p"] {
        on.lists(empty, &[]).await?;
    }
    Ok(())
}

pub(super) async fn replaces_an_empty_directory(on: Subject) -> Outcome {
    on.done([make_dir("a"), make_dir("a/d"), write("a/d/f", "x"), make_dir("d")]).await?;
    let moved = on.must_entry("a/d").await?.id;
    on.answers(move_into("a/d", "."), Reply::Done).await?;
    same("the directory", &on.must_entry("d").await?.id, &moved)?;
    on.lists("d", &["f"]).await?;
    on.lists("a", &[]).await
}

pub(super) async fn refuses_a_full_directory(on: Subject) -> Outcome {
    on.done([make_dir("a"), make_dir("a/d"), make_dir("d"), write("d/f", "kept")]).await?;
    on.refuses(move_into("a/d", "."), FailureKind::Exists).await?;
    on.lists("d", &["f"]).await?;
    on.stands("a/d", EntryKind::Directory, 0o755).await
}

pub(super) async fn refuses_another_kind(on: Subject) -> Outcome {
    on.done([make_dir("a"), make_dir("a/f"), make_dir("a/l"), make_link("a/d", "1"), write("a/e", "x")]).await?;
    on.done([write("f", "kept"), make_link("l", "a"), make_dir("d"), make_dir("e"), write("e/f", "kept")]).await?;
    // A directory onto a file and onto a symlink, a symlink onto an empty directory, a file onto a full one.
    for name in ["f", "l", "d", "e"] {
        on.refuses(move_into(&format!("a/{name}"), "."), FailureKind::WrongType).await?;
    }
    on.lists("a", &["d", "e", "f", "l"]).await?;
    on.holds("f", "kept").await?;
    on.lists("d", &[]).await?;
    on.lists("e", &["f"]).await
}

pub(super) async fn needs_both_ends(on: Subject) -> Outcome {
    on.done([make_dir("d"), write("f", "kept"), write("g", "x")]).await?;
    on.refuses(move_into("none", "d"), FailureKind::Missing).await?;
    on.refuses(move_into("none/below", "d"), FailureKind::Missing).await?;
    on.refuses(move_into("f", "none"), FailureKind::Missing).await?;
    on.refuses(move_into("f", "g"), FailureKind::WrongType).await?;
    on.holds("f", "kept").await
}

pub(super) async fn never_into_itself(on: Subject) -> Outcome {
    on.done([make_dir("a"), make_dir("a/b"), make_dir("a/a")]).await?;
    let into_itself = on.send([move_into("a", "a/b")]).await;
    holds(into_itself.is_err(), || "a directory was moved into itself".to_owned())?;
    on.refuses(move_into("a/a", "."), FailureKind::Exists).await?;
    on.lists("a", &["a", "b"]).await
}

pub(super) async fn never_through_a_link(on: Subject) -> Outcome {
    on.done([make_dir("d"), make_link("l", "d"), write("f", "kept")]).await?;
    on.refuses(move_into("f", "l"), FailureKind::WrongType).await?;
    on.lists("d", &[]).await?;
    on.holds("f", "kept").await
}

pub(super) async fn a_rename_replaces_nothing(on: Subject) -> Outcome {
    on.done([
        make_dir("a"),
        make_dir("a/d"),
        write("a/d/f", "x"),
        make_dir("b"),
        make_link("l", "none"),
        write("f", "y"),
    ])
    .await?;
    let moved = on.must_entry("a/d").await?.id;
    on.done([rename("a/d", "b/e"), rename("l", "b/m"), rename("f", "b/-g")]).await?;
    same("the directory", &on.must_entry("b/e").await?.id, &moved)?;
    on.holds("b/e/f", "x").await?;
    on.answers(read_link("b/m"), link_reply("none")).await?;
    on.holds("b/-g", "y").await?;
    on.done([make_dir("empty"), make_link("dangling", "none")]).await?;
    for taken in ["empty", "dangling", "b/-g", "b/e"] {
        on.refuses(rename("b/e", taken), FailureKind::Exists).await?;
    }
    on.refuses(rename("none", "n"), FailureKind::Missing).await?;
    on.refuses(rename("b/e", "none/n"), FailureKind::Missing).await?;
    on.refuses(rename("b", "b/e/in"), FailureKind::Io).await?;
    on.done([make_link("way", "b")]).await?;
    on.refuses(rename("way/e", "n"), FailureKind::WrongType).await?;
    on.refuses(rename("b/e", "way/n"), FailureKind::WrongType).await?;
    on.lists("empty", &[]).await
}

/// Exchanges two entries in one step, or fails without any effect.
pub(super) async fn an_exchange_is_whole_or_nothing(on: Subject) -> Outcome {
    on.done([make_dir("d"), write("d/f", "x"), make_dir("in"), make_link("in/l", "in/l")]).await?;
    on.refuses(exchange("d", "none"), FailureKind::Missing).await?;
    on.refuses(exchange("none", "d"), FailureKind::Missing).await?;
    match on.send([exchange("d", "in/l")]).await {
        Ok(_) => {
            on.answers(read_link("d"), link_reply("in/l")).await?;
            on.holds("in/l/f", "x").await
        }
        Err(error) => {
            same("the failure", &error.failure().map(|failure| failure.kind), &Some(FailureKind::Io))?;
            on.holds("d/f", "x").await?;
            on.answers(read_link("in/l"), link_reply("in/l")).await
        }
    }
}
