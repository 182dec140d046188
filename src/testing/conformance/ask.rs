//! The steps that only read.

use crate::transport::{EntryKind, FailureKind, Found, Op, OwnedFile, Reply};

use super::{
    Outcome,
    ops::{
        self, at, link_reply, make_dir, make_link, mark_process, move_into, remove_dir, remove_file, remove_tree, write,
    },
    subject::{READS_ALL, Subject, holds, same},
};

pub(super) async fn identity(on: Subject) -> Outcome {
    let Reply::Identity(identity) = on.ask(Op::Identify).await? else { return Err("no identity".to_owned()) };
    let root = on.must_entry(".").await?;
    same("the root", &identity.root, &root.id)?;
    holds(!identity.user.is_empty() && !identity.hostname.is_empty(), || format!("nameless: {identity:?}"))?;
    on.done([make_dir("mine")]).await?;
    same("whose the work is", &on.must_entry("mine").await?.owner, &identity.uid)
}

pub(super) async fn clock(on: Subject) -> Outcome {
    let replies = on.done([Op::Clock, Op::Clock]).await?;
    holds(matches!(replies[..], [Reply::Clock(_), Reply::Clock(_)]), || format!("no clock: {replies:?}"))
}

pub(super) async fn inspect(on: Subject) -> Outcome {
    on.done([make_dir("d"), write("f", "12345"), make_link("l", "somewhere")]).await?;
    on.stands("d", EntryKind::Directory, 0o755).await?;
    on.stands("f", EntryKind::File, 0o644).await?;
    same("the kind", &on.must_entry("l").await?.kind, &EntryKind::Link)?;
    same("the size of a file", &on.must_entry("f").await?.size, &5)?;
    holds(on.must_entry("f").await?.id != on.must_entry("d").await?.id, || "two files have one id".to_owned())?;
    on.absent("none").await?;
    on.absent("none/below").await
}

/// Every step that could reach below `parent`, which is not a directory.
fn below(parent: &str) -> Vec<Op> {
    let path = format!("{parent}/f");
    vec![
        ops::inspect(&path),
        ops::read_link(&path),
        ops::read(&path, 100),
        ops::list(&path),
        ops::read_each(&path, "x", 100),
        ops::expect_absent(&path),
        ops::expect_directory(&path),
        make_dir(&path),
        make_link(&path, "x"),
        write(&path, "x"),
        mark_process(&path),
        ops::append(&path, "x"),
        move_into(&path, "."),
        move_into("f", parent),
        remove_file(&path),
        remove_dir(&path),
        remove_tree(&path),
    ]
}

pub(super) async fn nothing_is_reached_through_a_link(on: Subject) -> Outcome {
    on.done([make_dir("d"), write("d/f", "kept"), write("f", "here"), make_link("l", "d")]).await?;
    for op in below("l") {
        on.refuses(op, FailureKind::WrongType).await?;
    }
    on.holds("d/f", "kept").await?;
    on.lists("d", &["f"]).await?;
    on.lists(".", &["d", "f", "l"]).await
}

pub(super) async fn nothing_is_reached_through_a_file(on: Subject) -> Outcome {
    on.done([write("x", "kept"), write("f", "here")]).await?;
    for op in below("x") {
        on.refuses(op, FailureKind::WrongType).await?;
    }
    on.holds("x", "kept").await?;
    on.lists(".", &["f", "x"]).await
}

pub(super) async fn resolve(on: Subject) -> Outcome {
    on.done([make_dir("r"), make_dir("r/1"), write("r/1/f", "x"), make_link("l", "r/1"), make_link("r/up", "../l")])
        .await?;
    let absolute = on.root.join(&at("l")).as_str().to_owned();
    let directory = on.must_entry("r/1").await?;
    for text in ["r/1", "l", "r/up", "./r//1/", "r/../l/.", &absolute] {
        on.answers(ops::resolve(text), Reply::Entry(Some(directory))).await?;
    }
    let file = on.must_entry("r/1/f").await?;
    on.answers(ops::resolve("l/f"), Reply::Entry(Some(file))).await?;
    match on.ask(ops::resolve("/")).await? {
        Reply::Entry(Some(top)) => same("the kind of /", &top.kind, &EntryKind::Directory),
        other => Err(format!("/ is {other:?}")),
    }
}

pub(super) async fn resolve_leads_nowhere(on: Subject) -> Outcome {
    on.done([make_link("gone", "none"), make_link("a", "b"), make_link("b", "a"), write("f", "x")]).await?;
    for text in ["none", "none/below", "gone", "a", "a/x", "f/x", "f/", "/none/of/this"] {
        on.answers(ops::resolve(text), Reply::Entry(None)).await?;
    }
    Ok(())
}

pub(super) async fn read_link(on: Subject) -> Outcome {
    on.done([make_link("l", "../a/./b//"), make_dir("d"), write("f", "x"), make_link("ld", "d")]).await?;
    on.answers(ops::read_link("l"), link_reply("../a/./b//")).await?;
    on.answers(ops::read_link("ld"), link_reply("d")).await?;
    on.answers(ops::read_link("none"), Reply::Link(None)).await?;
    on.answers(ops::read_link("none/below"), Reply::Link(None)).await?;
    on.refuses(ops::read_link("d"), FailureKind::WrongType).await?;
    on.refuses(ops::read_link("f"), FailureKind::WrongType).await
}

pub(super) async fn read(on: Subject) -> Outcome {
    on.done([write("f", "12345"), write("empty", "")]).await?;
    let content = |text: &str| Reply::Content(Some(Found::Content(text.into())));
    on.answers(ops::read("f", 6), content("12345")).await?;
    on.answers(ops::read("f", 5), content("12345")).await?;
    on.answers(ops::read("f", 4), Reply::Content(Some(Found::TooLarge))).await?;
    on.answers(ops::read("f", 0), Reply::Content(Some(Found::TooLarge))).await?;
    on.answers(ops::read("empty", 0), content("")).await?;
    on.answers(ops::read("none", 5), Reply::Content(None)).await?;
    on.answers(ops::read("none/below", 5), Reply::Content(None)).await
}

pub(super) async fn read_the_end(on: Subject) -> Outcome {
    on.done([write("f", "12345\n67\n"), write("empty", ""), make_dir("d"), make_link("l", "f")]).await?;
    let content = |text: &str| Reply::Content(Some(Found::Content(text.into())));
    for (limit, end) in [(3, "67\n"), (4, "\n67\n"), (9, "12345\n67\n"), (1000, "12345\n67\n")] {
        on.answers(ops::read_end("f", limit), content(end)).await?;
    }
    on.answers(ops::read_end("empty", 5), content("")).await?;
    on.answers(ops::read_end("none", 5), Reply::Content(None)).await?;
    on.answers(ops::read_end("none/below", 5), Reply::Content(None)).await?;
    on.answers(ops::read_end("d", 5), Reply::Content(Some(Found::NotAFile(EntryKind::Directory)))).await?;
    on.answers(ops::read_end("l", 5), Reply::Content(Some(Found::NotAFile(EntryKind::Link)))).await
}

pub(super) async fn read_what_is_no_file(on: Subject) -> Outcome {
    on.done([make_dir("d"), write("f", "x"), make_link("l", "f"), make_link("gone", "none")]).await?;
    let no_file = |kind| Reply::Content(Some(Found::NotAFile(kind)));
    on.answers(ops::read("d", 5), no_file(EntryKind::Directory)).await?;
    on.answers(ops::read("l", 5), no_file(EntryKind::Link)).await?;
    on.answers(ops::read("gone", 5), no_file(EntryKind::Link)).await
}

pub(super) async fn list(on: Subject) -> Outcome {
    on.lists(".", &[]).await?;
    on.done([make_dir("d"), write("d/.f", "x"), make_link("d/l", "none"), make_dir("d/e"), make_dir("d/e/deeper")])
        .await?;
    on.lists(".", &["d"]).await?;
    on.lists("d", &[".f", "e", "l"]).await?;
    let Reply::Listing(Some(listed)) = on.ask(ops::list("d")).await? else { return Err("no list".to_owned()) };
    for found in listed {
        let path = format!("d/{}", String::from_utf8_lossy(&found.name));
        same(&format!("what is listed at {path}"), &found.entry, &on.must_entry(&path).await?)?;
    }
    on.answers(ops::list("none"), Reply::Listing(None)).await?;
    on.answers(ops::list("none/below"), Reply::Listing(None)).await
}

pub(super) async fn list_what_is_no_directory(on: Subject) -> Outcome {
    on.done([make_dir("d"), make_link("l", "d"), write("f", "x")]).await?;
    on.refuses(ops::list("l"), FailureKind::WrongType).await?;
    on.refuses(ops::list("f"), FailureKind::WrongType).await
}

pub(super) async fn read_each(on: Subject) -> Outcome {
    let directories = ["r", "r/1", "r/2", "r/3", "r/4", "r/5", "r/.6"].map(make_dir);
    on.done(directories.into_iter().chain([
        write("r/1/f", "one"),
        write("r/2/f", ""),
        write("r/3/other", "x"),
        write("r/4/f", "too large"),
        make_link("r/5/f", "../1/f"),
        write("r/.6/f", "six"),
        make_link("r/link", "1"),
        write("r/file", "x"),
    ]))
    .await?;
    let Reply::Contents(mut found) = on.ask(ops::read_each("r", "f", 5)).await? else {
        return Err("no contents".to_owned());
    };
    found.sort_by(|one, other| one.0.cmp(&other.0));
    let expected = [
        (".6", Found::Content(b"six".to_vec())),
        ("1", Found::Content(b"one".to_vec())),
        ("2", Found::Content(Vec::new())),
        ("4", Found::TooLarge),
        ("5", Found::NotAFile(EntryKind::Link)),
    ];
    let owner = on.must_entry("r/1/f").await?.owner;
    let is_read = |found: &Found| matches!(found, Found::Content(_) | Found::TooLarge);
    let read = |found: Found| OwnedFile { owner: is_read(&found).then_some(owner), found };
    same("what was found", &found, &expected.map(|(name, found)| (name.as_bytes().to_vec(), read(found))).to_vec())?;
    on.answers(ops::read_each("none", "f", 5), Reply::Contents(Vec::new())).await?;
    on.refuses(ops::read_each("r/file", "f", 5), FailureKind::WrongType).await?;
    on.refuses(ops::read_each("r/link", "f", 5), FailureKind::WrongType).await
}

/// Reports a file without read permission as unreadable, never as missing.
pub(super) async fn what_may_not_be_read_is_there(on: Subject) -> Outcome {
    let locked = Op::WriteNew { path: at("r/1/f"), content: "x".to_owned(), mode: 0 };
    on.done([make_dir("r"), make_dir("r/1"), locked, make_dir("r/2"), write("r/2/f", "y")]).await?;
    // Root may read everything.
    let is_there = |found: &Found| match found {
        Found::Unreadable(failure) => failure.kind == FailureKind::Denied,
        found => *found == Found::Content(b"x".to_vec()),
    };
    match on.ask(ops::read("r/1/f", 5)).await? {
        Reply::Content(Some(found)) if is_there(&found) => {}
        other => return Err(format!("a file without permissions is {other:?}")),
    }
    let Reply::Contents(mut found) = on.ask(ops::read_each("r", "f", 5)).await? else {
        return Err("no contents".to_owned());
    };
    found.sort_by(|one, other| one.0.cmp(&other.0));
    match &found[..] {
        [(one, first), (two, second)] if one == b"1" && two == b"2" && is_there(&first.found) => {
            same("what is beside it", &second.found, &Found::Content(b"y".to_vec()))?;
            if !matches!(first.found, Found::Unreadable(_)) {
                on.skip(READS_ALL);
            }
            Ok(())
        }
        other => Err(format!("files with and without permissions are {other:?}")),
    }
}

pub(super) async fn expect_absent(on: Subject) -> Outcome {
    on.done([make_dir("d"), write("f", "x"), make_link("gone", "none"), ops::expect_absent("none")]).await?;
    on.answers(ops::expect_absent("none/below"), Reply::Done).await?;
    for path in ["d", "f", "gone", "."] {
        on.refuses(ops::expect_absent(path), FailureKind::Exists).await?;
    }
    Ok(())
}

pub(super) async fn expect_directory(on: Subject) -> Outcome {
    on.done([make_dir("d"), write("f", "x"), make_link("l", "d")]).await?;
    on.answers(ops::expect_directory("d"), Reply::Done).await?;
    on.answers(ops::expect_directory("."), Reply::Done).await?;
    on.refuses(ops::expect_directory("none"), FailureKind::Missing).await?;
    on.refuses(ops::expect_directory("none/below"), FailureKind::Missing).await?;
    on.refuses(ops::expect_directory("f"), FailureKind::WrongType).await?;
    on.refuses(ops::expect_directory("l"), FailureKind::WrongType).await
}

pub(super) async fn expect_link(on: Subject) -> Outcome {
    on.done([make_dir("d"), make_link("l", "releases/1"), write("f", "releases/1")]).await?;
    on.answers(ops::expect_link("l", "releases/1"), Reply::Done).await?;
    for (path, text) in [
        ("l", "releases/2"),
        ("l", "releases/1/"),
        ("l", "releases/1\n"),
        ("l", ""),
        ("f", "releases/1"),
        ("d", "x"),
        ("none", "x"),
    ] {
        on.refuses(ops::expect_link(path, text), FailureKind::Mismatch).await?;
    }
    let Err(error) = on.send([ops::expect_link("l", "x")]).await else { return Err("it held".to_owned()) };
    let detail = error.failure().map_or("", |failure| &failure.detail);
    holds(detail.contains("releases/1"), || format!("the message does not show what stands there: {detail}"))
}
