//! Removal and sync.

use crate::transport::{EntryKind, FailureKind, Op, Reply, SyncReach};

use super::{
    Outcome,
    ops::{at, make_dir, make_link, remove_dir, remove_file, remove_tree, write},
    subject::{Subject, holds, in_words},
};

pub(super) async fn files(on: Subject) -> Outcome {
    on.done([write("f", "x"), write("g", "kept")]).await?;
    on.answers(remove_file("f"), Reply::Done).await?;
    on.lists(".", &["g"]).await
}

pub(super) async fn links_and_not_what_they_lead_to(on: Subject) -> Outcome {
    on.done([make_dir("d"), write("f", "kept"), make_link("ld", "d"), make_link("lf", "f"), make_link("gone", "none")])
        .await?;
    on.done([remove_file("ld"), remove_file("lf"), remove_file("gone")]).await?;
    on.lists(".", &["d", "f"]).await
}

pub(super) async fn refuses_the_wrong_kind(on: Subject) -> Outcome {
    on.done([make_dir("d"), write("f", "x"), make_link("l", "d")]).await?;
    on.refuses(remove_file("d"), FailureKind::WrongType).await?;
    on.refuses(remove_dir("f"), FailureKind::WrongType).await?;
    on.refuses(remove_dir("l"), FailureKind::WrongType).await?;
    on.lists(".", &["d", "f", "l"]).await
}

pub(super) async fn directories(on: Subject) -> Outcome {
    on.done([make_dir("d"), make_dir("full"), write("full/.f", "x")]).await?;
    on.answers(remove_dir("d"), Reply::Done).await?;
    on.refuses(remove_dir("full"), FailureKind::Exists).await?;
    on.lists("full", &[".f"]).await
}

pub(super) async fn trees(on: Subject) -> Outcome {
    let deep: Vec<String> = (1..=40).map(|depth| vec!["d"; depth].join("/")).collect();
    on.done(deep.iter().map(|path| make_dir(path))).await?;
    on.done(deep.iter().map(|path| write(&format!("{path}/-rf *"), "x"))).await?;
    on.done([write("f", "x"), make_link("l", "kept"), make_dir("kept"), make_dir("empty")]).await?;
    on.done(["d", "f", "l", "empty"].map(remove_tree)).await?;
    on.lists(".", &["kept"]).await
}

pub(super) async fn trees_without_permissions(on: Subject) -> Outcome {
    on.done([make_dir("t"), make_dir("t/locked"), make_dir("t/locked/in"), write("t/locked/in/f", "x")]).await?;
    for (index, mode) in [0o000, 0o500, 0o300].into_iter().enumerate() {
        on.done([Op::MakeDir { path: at(&format!("t/d{index}")), mode, existing_is_fine: false }]).await?;
        on.stands(&format!("t/d{index}"), EntryKind::Directory, mode).await?;
    }
    on.done([Op::WriteNew { path: at("t/f"), content: "x".to_owned(), mode: 0o000 }]).await?;
    on.answers(remove_tree("t"), Reply::Done).await?;
    on.lists(".", &[]).await
}

pub(super) async fn trees_without_following_links(on: Subject) -> Outcome {
    let kept = on.root.join(&at("kept"));
    on.done([make_dir("kept"), write("kept/f", "x"), make_dir("t"), make_dir("t/in")]).await?;
    on.done([make_link("t/relative", "../kept"), make_link("t/in/absolute", kept.as_str()), make_link("t/up", "..")])
        .await?;
    on.answers(remove_tree("t"), Reply::Done).await?;
    on.lists(".", &["kept"]).await?;
    on.holds("kept/f", "x").await
}

pub(super) async fn never_the_root(on: Subject) -> Outcome {
    on.done([make_dir("d"), write("d/f", "kept")]).await?;
    for op in [remove_tree("."), remove_file("."), remove_dir(".")] {
        let what = format!("{op:?}");
        holds(on.send([op]).await.is_err(), || format!("{what} did not fail"))?;
        on.holds("d/f", "kept").await?;
    }
    Ok(())
}

pub(super) async fn what_is_absent_is_removed(on: Subject) -> Outcome {
    for path in ["none", "none/below"] {
        for op in [remove_file(path), remove_dir(path), remove_tree(path)] {
            on.answers(op, Reply::Done).await?;
        }
    }
    Ok(())
}

pub(super) async fn sync(on: Subject) -> Outcome {
    on.done([make_dir("d"), write("d/f", "x"), write("-f", "x")]).await?;
    for reach in [SyncReach::Entries, SyncReach::Filesystem] {
        for paths in [&[][..], &["."], &["d"], &["d/f", "-f", "d", "."]] {
            let paths = paths.iter().map(|path| at(path)).collect();
            on.answers(Op::Sync { paths, reach }, Reply::Done).await?;
        }
        on.refuses(Op::Sync { paths: vec![at("d"), at("none")], reach }, FailureKind::Missing).await?;
    }
    let replies = on.send([]).await.map_err(|error| in_words(&error))?;
    holds(replies.is_empty(), || "a reply without a step".to_owned())
}
