//! Owners of the ancestors of the root, and processes that use a tree.

use crate::transport::{EntryKind, FailureKind, Op, Reply, Users};

use super::{
    Outcome,
    ops::{at, make_dir, make_link, write},
    subject::{Subject, holds, same},
};

pub(super) async fn every_directory_is_told(on: Subject) -> Outcome {
    on.done([make_dir("d"), make_dir("d/deep"), make_dir("e")]).await?;
    let paths = ["d/deep", "e", "none", "none/below"].map(at).to_vec();
    let Reply::Way(way) = on.ask(Op::InspectWay { paths }).await? else { return Err("no way".to_owned()) };
    let names: Vec<&str> = way.iter().map(|passed| passed.path.as_str()).collect();
    holds(names.first() == Some(&"/") && names.len() > 4, || format!("it begins at /: {names:?}"))?;
    let last = way.iter().rev().take(4).rev();
    for (passed, path) in last.zip([".", "d", "d/deep", "e"]) {
        holds(path == "." || passed.path.ends_with(&format!("/{path}")), || format!("{path} is {}", passed.path))?;
        same(&format!("the entry of {path}"), &passed.entry, &on.must_entry(path).await?)?;
    }
    holds(way.iter().all(|passed| passed.entry.kind == EntryKind::Directory), || format!("directories: {way:?}"))
}

pub(super) async fn what_is_no_directory_is_left_out(on: Subject) -> Outcome {
    on.done([make_dir("d"), make_dir("d/x"), write("f", "x"), make_link("l", "d")]).await?;
    let told = |reply| if let Reply::Way(way) = reply { way.len() } else { 0 };
    let bare = told(on.ask(Op::InspectWay { paths: Vec::new() }).await?);
    let more = told(on.ask(Op::InspectWay { paths: ["d", "f", "l", "f/x", "l/x"].map(at).to_vec() }).await?);
    same("the number of entries", &more, &(bare + 1))
}

pub(super) async fn nobody_uses_it(on: Subject) -> Outcome {
    on.done([make_dir("r"), make_dir("r/1"), write("r/file", "x")]).await?;
    for path in ["r", "none", "."] {
        match on.ask(Op::FindUsers { path: at(path) }).await? {
            Reply::Users(Users { used, .. }) => same("who uses it", &used, &Vec::new())?,
            other => return Err(format!("no users: {other:?}")),
        }
    }
    Ok(())
}

/// Finds nothing mounted on a missing path, and follows no symlink to find out.
pub(super) async fn nothing_is_mounted(on: Subject) -> Outcome {
    on.done([make_dir("d"), make_dir("d/x"), make_dir("a \\ b"), write("f", "x"), make_link("l", "d")]).await?;
    for path in ["d", "d/x", "a \\ b", "f", "l", "none", "none/below", "no \\ ne", "no \\ ne/below"] {
        on.answers(Op::ExpectUnmounted { path: at(path) }, Reply::Done).await?;
    }
    for path in ["l/x", "f/x"] {
        on.refuses(Op::ExpectUnmounted { path: at(path) }, FailureKind::WrongType).await?;
    }
    Ok(())
}

/// Checks write permission without writing, and only for directories.
pub(super) async fn what_may_be_written(on: Subject) -> Outcome {
    on.done([make_dir("d"), make_dir("a \\ b"), write("f", "x"), make_link("l", "d")]).await?;
    for path in [".", "d", "a \\ b"] {
        let before = on.must_entry(path).await?;
        on.answers(Op::ExpectWritable { path: at(path) }, Reply::Done).await?;
        same(&format!("what {path} is"), &on.must_entry(path).await?, &before)?;
    }
    for path in ["f", "l", "l/x"] {
        on.refuses(Op::ExpectWritable { path: at(path) }, FailureKind::WrongType).await?;
    }
    for path in ["none", "none/below"] {
        on.refuses(Op::ExpectWritable { path: at(path) }, FailureKind::Missing).await?;
    }
    Ok(())
}
