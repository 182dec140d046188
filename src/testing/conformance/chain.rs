//! The step that reads along a chain of directories.

use crate::transport::{BoundedFile, ChainLink, EntryKind, FailureKind, Found, Op, OwnedFile, Reply, TreeName};

use super::{
    Outcome,
    ops::{at, make_dir, make_link, write},
    subject::{READS_ALL, Subject, same},
};

fn chain(from: TreeName, most: u32) -> Op {
    let file = |name: &str, limit| BoundedFile { name: at(name), limit };
    Op::ReadChain {
        trees: at("trees"),
        from,
        record: file("record", 100),
        lists: at("lists"),
        files: vec![file("one", 9), file("two", 3)],
        most,
    }
}

fn given(name: &str) -> TreeName {
    TreeName::Given(at(name))
}

async fn links(on: &Subject, op: Op) -> Result<Vec<ChainLink>, String> {
    match on.ask(op).await? {
        Reply::Chain(links) => Ok(links),
        other => Err(format!("no chain: {other:?}")),
    }
}

async fn names(on: &Subject, op: Op) -> Result<Vec<String>, String> {
    Ok(links(on, op).await?.into_iter().map(|link| link.name).collect())
}

/// Creates three directories; the last of the chain was the first release.
async fn trees(on: &Subject) -> Outcome {
    let records = [("c", "/srv/shop/trees/b\n"), ("b", "a"), ("a", "none\n")];
    on.done([make_dir("trees"), make_dir("lists")]).await?;
    for (name, record) in records {
        on.done([make_dir(&format!("trees/{name}")), write(&format!("trees/{name}/record"), record)]).await?;
    }
    on.done([make_dir("lists/b"), write("lists/b/one", "x 'y'\n"), write("lists/b/two", "1234")]).await.map(drop)
}

pub(super) async fn is_read_from_end_to_end(on: Subject) -> Outcome {
    trees(&on).await?;
    let read = links(&on, chain(given("c"), 9)).await?;
    let content = |text: &str| Some(Found::Content(text.into()));
    let link =
        |name: &str, entry, record: Option<Found>, files| ChainLink { name: name.to_owned(), entry, record, files };
    let owner = Some(on.must_entry("lists/b/one").await?.owner);
    let kept = |found| Some(OwnedFile { owner, found });
    let text = Found::Content("x 'y'\n".into());
    let expected = vec![
        link("c", Some(on.must_entry("trees/c").await?), content("/srv/shop/trees/b\n"), vec![None, None]),
        link("b", Some(on.must_entry("trees/b").await?), content("a"), vec![kept(text), kept(Found::TooLarge)]),
        link("a", Some(on.must_entry("trees/a").await?), content("none\n"), vec![None, None]),
        link("none", None, None, vec![None, None]),
    ];
    same("the chain", &read, &expected)?;
    same("as long as asked", &names(&on, chain(given("c"), 2)).await?, &vec!["c".to_owned(), "b".to_owned()])?;
    same("of no length", &names(&on, chain(given("c"), 0)).await?, &Vec::new())
}

pub(super) async fn begins_where_it_is_told(on: Subject) -> Outcome {
    trees(&on).await?;
    on.done([make_link("now", "trees/b"), make_link("odd", "x/../a/"), write("file", "trees/b")]).await?;
    let two = vec!["b".to_owned(), "a".to_owned()];
    same("by a link", &names(&on, chain(TreeName::Linked(at("now")), 2)).await?, &two)?;
    same("by a record", &names(&on, chain(TreeName::Recorded(at("trees/c/record")), 2)).await?, &two)?;
    for from in ["odd", "file", "trees", "none"] {
        same(from, &names(&on, chain(TreeName::Linked(at(from)), 2)).await?, &Vec::new())?;
    }
    // Two chains in one batch, with another read beside them.
    let ops = [chain(given("a"), 1), chain(given("b"), 1), Op::ReadLink { path: at("now") }];
    let replies = on.done(ops).await?;
    let first = |reply: &Reply| match reply {
        Reply::Chain(links) => links.first().map(|link| link.name.clone()),
        _ => None,
    };
    same("two at once", &[first(&replies[0]), first(&replies[1])], &[Some("a".to_owned()), Some("b".to_owned())])
}

pub(super) async fn ends_where_it_leads_nowhere(on: Subject) -> Outcome {
    trees(&on).await?;
    on.done([make_dir("trees/d"), make_dir("trees/d/record"), make_dir("trees/e"), write("trees/e/record", "e\n")])
        .await?;
    on.done([
        make_link("trees/f", "c"),
        write("trees/g", "x"),
        make_dir("trees/h"),
        write("trees/h/record", "../h x\n"),
    ])
    .await?;
    for (from, there, record) in [
        ("d", EntryKind::Directory, Some(Found::NotAFile(EntryKind::Directory))),
        ("e", EntryKind::Directory, Some(Found::Content(b"e\n".to_vec()))),
        ("f", EntryKind::Link, None),
        ("g", EntryKind::File, None),
        ("h", EntryKind::Directory, Some(Found::Content(b"../h x\n".to_vec()))),
    ] {
        let read = links(&on, chain(given(from), 9)).await?;
        let read: Vec<_> = read.into_iter().map(|link| (link.entry.map(|entry| entry.kind), link.record)).collect();
        same(from, &read, &vec![(Some(there), record)])?;
    }
    on.done([
        make_dir("elsewhere"),
        write("elsewhere/one", "x"),
        make_link("lists/c", "../elsewhere"),
        write("lists/a", "x"),
    ])
    .await?;
    let unreadable = |file: &Option<OwnedFile>| matches!(file, Some(OwnedFile { found: Found::Unreadable(_), .. }));
    for name in ["c", "a"] {
        let read = links(&on, chain(given(name), 1)).await?;
        same("nothing is read through a link or a file", &read[0].files.iter().all(unreadable), &true)?;
    }
    on.done([make_link("away", "trees")]).await?;
    let Op::ReadChain { from, record, lists, files, most, .. } = chain(given("a"), 1) else { return Ok(()) };
    let through = |trees: &str| Op::ReadChain {
        trees: at(trees),
        from: from.clone(),
        record: record.clone(),
        lists: lists.clone(),
        files: files.clone(),
        most,
    };
    on.answers(through("none"), Reply::Chain(Vec::new())).await?;
    on.refuses(through("away"), FailureKind::WrongType).await?;
    on.refuses(through("trees/g"), FailureKind::WrongType).await
}

/// Reports a file without read permission as unreadable, and still reads the others.
pub(super) async fn what_may_not_be_read_is_there(on: Subject) -> Outcome {
    trees(&on).await?;
    let locked = |path: &str| Op::WriteNew { path: at(path), content: "x".to_owned(), mode: 0 };
    on.done([make_dir("lists/c"), locked("lists/c/one"), write("lists/c/two", "22")]).await?;
    let read = links(&on, chain(given("c"), 2)).await?;
    // Root may read everything.
    let is_there = |found: Option<&Found>| match found {
        Some(Found::Unreadable(failure)) => failure.kind == FailureKind::Denied,
        found => found == Some(&Found::Content(b"x".to_vec())),
    };
    same("what may not be read", &is_there(found(read[0].files[0].as_ref())), &true)?;
    same("what is beside it", &found(read[0].files[1].as_ref()), &Some(&Found::Content(b"22".to_vec())))?;
    same("what comes after it", &found(read[1].files[0].as_ref()), &Some(&Found::Content(b"x 'y'\n".to_vec())))?;
    if !matches!(found(read[0].files[0].as_ref()), Some(Found::Unreadable(_))) {
        on.skip(READS_ALL);
    }
    Ok(())
}

fn found(file: Option<&OwnedFile>) -> Option<&Found> {
    file.map(|file| &file.found)
}
