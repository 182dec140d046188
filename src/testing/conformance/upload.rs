//! Uploads of whole trees.

use std::sync::{Arc, Mutex};

use crate::{
    manifest::Form,
    transport::{Base, BaseLists, Effect, EntryKind, FailureKind, Found, Op, Reply, TransportError, Upload, Uploaded},
    tree::{Node, Tree, TreeEntry},
};

use super::{
    Outcome,
    hostile::HOSTILE,
    ops::{at, inspect, link_reply, make_dir, make_link, read, read_link, remove_file, remove_tree, write},
    subject::{Subject, holds, in_words, same},
};

type Part = (TreeEntry, Vec<u8>);

fn directory(path: impl AsRef<[u8]>, mode: u32) -> Part {
    (TreeEntry { path: path.as_ref().to_vec(), mode, node: Node::Directory }, Vec::new())
}

fn file(path: impl AsRef<[u8]>, mode: u32, content: impl AsRef<[u8]>) -> Part {
    let content = content.as_ref().to_vec();
    (TreeEntry { path: path.as_ref().to_vec(), mode, node: Node::File { size: content.len() as u64 } }, content)
}

fn link(path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Part {
    let node = Node::Link { target: target.as_ref().to_vec() };
    (TreeEntry { path: path.as_ref().to_vec(), mode: 0o777, node }, Vec::new())
}

async fn uploaded(on: &Subject, parts: Vec<Part>) -> Result<Uploaded, String> {
    on.done([make_dir("stage")]).await?;
    on.upload("stage", Tree::of_entries(parts)).await.map_err(|error| in_words(&error))
}

pub(super) async fn brings_all(on: Subject) -> Outcome {
    let parts = vec![
        file("index.html", 0o644, "<p>\n"),
        directory("a", 0o755),
        directory("a/b", 0o755),
        file("a/b/deep", 0o644, "deep"),
        file("a/empty", 0o644, ""),
        // Entries of a directory may come later, after those of another.
        file("last", 0o644, [0, 255, b'\r', b'\n', 0]),
        file("a/late", 0o644, "late"),
    ];
    same("what arrived", &uploaded(&on, parts).await?, &Uploaded { files: 5, bytes: 17 })?;
    on.lists(".", &["stage"]).await?;
    on.lists("stage", &["a", "index.html", "last"]).await?;
    on.lists("stage/a", &["b", "empty", "late"]).await?;
    on.holds("stage/a/b/deep", "deep").await?;
    on.holds("stage/a/empty", "").await?;
    on.answers(read("stage/last", 9), Reply::Content(Some(Found::Content(vec![0, 255, b'\r', b'\n', 0])))).await
}

pub(super) async fn modes_are_exact(on: Subject) -> Outcome {
    let (files, directories) = ([0o644, 0o755, 0o600, 0o444, 0o666, 0o500, 0o000], [0o755, 0o700, 0o777, 0o711]);
    let mut parts = Vec::new();
    for mode in directories {
        parts.push(directory(format!("d{mode:o}"), mode));
        parts.extend(files.map(|inner| file(format!("d{mode:o}/f{inner:o}"), inner, "x")));
    }
    uploaded(&on, parts).await?;
    for mode in directories {
        on.stands(&format!("stage/d{mode:o}"), EntryKind::Directory, mode).await?;
        for inner in files {
            on.stands(&format!("stage/d{mode:o}/f{inner:o}"), EntryKind::File, inner).await?;
        }
    }
    on.stands("stage", EntryKind::Directory, 0o755).await
}

pub(super) async fn links_and_empty_directories(on: Subject) -> Outcome {
    let parts = vec![
        directory("empty", 0o755),
        directory("d", 0o755),
        link("d/up", "../f"),
        file("f", 0o644, "x"),
        link("dangling", "nowhere"),
        link("to-directory", "d"),
    ];
    same("what arrived", &uploaded(&on, parts).await?, &Uploaded { files: 1, bytes: 1 })?;
    on.lists("stage/empty", &[]).await?;
    for (path, text) in [("d/up", "../f"), ("dangling", "nowhere"), ("to-directory", "d")] {
        on.answers(read_link(&format!("stage/{path}")), link_reply(text)).await?;
    }
    on.lists("stage/d", &["up"]).await
}

pub(super) async fn hostile_names(on: Subject) -> Outcome {
    let not_utf8 = b"\xff\xfe \x80\n";
    let mut parts = vec![directory(not_utf8, 0o755)];
    for name in HOSTILE {
        parts.push(directory(name, 0o755));
        parts.push(file(format!("{name}/{name}"), 0o644, name));
        parts.push(link(format!("{name}/link"), name));
    }
    uploaded(&on, parts).await?;
    for name in HOSTILE {
        on.holds(&format!("stage/{name}/{name}"), name).await?;
        on.answers(read_link(&format!("stage/{name}/link")), link_reply(name)).await?;
    }
    let Reply::Listing(Some(listed)) = on.ask(super::ops::list("stage")).await? else {
        return Err("nothing is listed".to_owned());
    };
    same("how many arrived", &listed.len(), &(HOSTILE.len() + 1))?;
    holds(listed.iter().any(|listed| listed.name == not_utf8), || "a name that is not UTF-8 is not there".to_owned())
}

pub(super) async fn many_and_large_files(on: Subject) -> Outcome {
    let large: Vec<u8> = (0..3_000_000_u32).map(|index| index.to_le_bytes()[(index % 3) as usize]).collect();
    let mut parts: Vec<Part> = (0..300).map(|index| file(format!("f{index}"), 0o644, index.to_string())).collect();
    parts.push(file("large", 0o644, &large));
    let arrived = uploaded(&on, parts).await?;
    same("how many files arrived", &arrived.files, &301)?;
    same("how many there are", &on.names("stage").await?.len(), &301)?;
    on.holds("stage/f299", "299").await?;
    let Reply::Content(Some(Found::Content(found))) = on.ask(read("stage/large", 4_000_000)).await? else {
        return Err("the large file is not there".to_owned());
    };
    holds(found == large, || "the large file differs".to_owned())
}

pub(super) async fn progress(on: Subject) -> Outcome {
    on.done([make_dir("stage")]).await?;
    let tree = Tree::of_entries(vec![file("a", 0o644, vec![7; 500_000]), file("b", 0o644, "b"), directory("d", 0o755)]);
    let upload = Upload {
        root: on.root.clone(),
        into: at("stage"),
        tree: Arc::new(tree),
        lists: Vec::new(),
        unlisted: Vec::new(),
        base: None,
    };
    let told = Mutex::new(Vec::new());
    let tell = |files, bytes| told.lock().map(|mut told| told.push((files, bytes))).unwrap_or_default();
    on.transport.upload(&upload, &tell).await.map_err(|error| in_words(&error))?;
    let told = told.into_inner().unwrap_or_default();
    holds(told.is_sorted(), || format!("it went back: {told:?}"))?;
    same("the last that was told", &told.last().copied(), &Some((2, 500_001)))
}

/// Writes the lists, and they describe the uploaded tree.
pub(super) async fn lists_of_all(on: Subject) -> Outcome {
    on.done([make_dir("stage"), make_dir("lists"), make_dir("lists/it's")]).await?;
    let parts = vec![directory("d", 0o755), file("d/a", 0o644, "abc"), file("it's\n", 0o600, ""), link("l", "d/a")];
    let tree = Arc::new(Tree::of_entries(parts));
    let forms = [("manifest", Form::Manifest), ("sums", Form::Sums), ("listing", Form::Listing)];
    let lists = forms.map(|(name, form)| (at(&format!("lists/it's/{name}")), form)).to_vec();
    let upload = Upload {
        root: on.root.clone(),
        into: at("stage"),
        tree: Arc::clone(&tree),
        lists,
        unlisted: Vec::new(),
        base: None,
    };
    on.transport.upload(&upload, &|_, _| ()).await.map_err(|error| in_words(&error))?;
    on.lists("stage", &["d", "it's\n", "l"]).await?;
    on.lists("lists/it's", &["listing", "manifest", "sums"]).await?;
    let manifest = tree.manifest().map_err(|error| in_words(&error))?;
    for (name, form) in forms {
        let text = String::from_utf8_lossy(&manifest.in_form(form)).into_owned();
        on.holds(&format!("lists/it's/{name}"), &text).await?;
        on.stands(&format!("lists/it's/{name}"), EntryKind::File, 0o600).await?;
    }
    on.done([make_dir("more")]).await?;
    match on.transport.upload(&Upload { into: at("more"), ..upload }, &|_, _| ()).await {
        Err(TransportError::Upload { failure, .. }) => {
            same("what a list replaces", &failure.kind, &FailureKind::Exists)
        }
        other => Err(format!("a list replaced another: {other:?}")),
    }
}

/// Uploads `old` to `old` and then, after `meanwhile`, `new` to `stage` with equal files copied.
async fn over(
    on: &Subject,
    old: Vec<Part>,
    new: Vec<Part>,
    meanwhile: Vec<Op>,
) -> Result<Result<Uploaded, TransportError>, String> {
    on.done([make_dir("old"), make_dir("stage")]).await?;
    let (old, new) = (Tree::of_entries(old), Arc::new(Tree::of_entries(new)));
    let held = old.manifest().map_err(|error| in_words(&error))?;
    let wanted = new.manifest().map_err(|error| in_words(&error))?;
    on.upload("old", old).await.map_err(|error| in_words(&error))?;
    on.done(meanwhile).await?;
    let base = Base::between(at("old"), &held, &wanted);
    holds(base.is_some(), || "nothing is equal".to_owned())?;
    let upload =
        Upload { root: on.root.clone(), into: at("stage"), tree: new, lists: Vec::new(), unlisted: Vec::new(), base };
    Ok(on.transport.upload(&upload, &|_, _| ()).await)
}

/// Writes correct lists, from the unchanged or changed lists of the base.
pub(super) async fn lists_over_a_base(on: Subject) -> Outcome {
    let parts = |changed: &str| {
        let mut parts = vec![directory("d", 0o755), file("d/same", 0o644, "same"), file("d/x", 0o755, changed)];
        parts.extend([file("it's", 0o600, ""), file("odd\\\u{e9}", 0o644, changed), link("l", "d/same")]);
        parts.extend((0..20).map(|at| file(format!("m{at}"), 0o644, "many")));
        if changed == "new" {
            parts.push(file("z", 0o644, "the last"));
        } else {
            parts.push(directory("c", 0o755));
        }
        parts
    };
    let (old, new) = (Tree::of_entries(parts("old")), Arc::new(Tree::of_entries(parts("new"))));
    let [held, wanted] = [old.manifest(), new.manifest()].map(|manifest| manifest.map_err(|error| in_words(&error)));
    let (held, wanted) = (held?, wanted?);
    on.done(["old", "kept", "stage", "new"].map(make_dir)).await?;
    let forms = [("manifest", Form::Manifest), ("sums", Form::Sums), ("listing", Form::Listing)];
    let places = |dir: &str| forms.map(|(name, form)| (at(&format!("{dir}/{name}")), form)).to_vec();
    let mut first = Upload {
        root: on.root.clone(),
        into: at("old"),
        tree: Arc::new(old),
        lists: places("kept"),
        unlisted: Vec::new(),
        base: None,
    };
    on.transport.upload(&first, &|_, _| ()).await.map_err(|error| in_words(&error))?;
    let mut base = Base::between(at("old"), &held, &wanted).ok_or("nothing is equal")?;
    base.lists = Some(BaseLists { manifest: held, places: places("kept") });
    (first.into, first.lists, first.tree, first.base) = (at("stage"), places("new"), new, Some(base));
    let sent = on.transport.upload(&first, &|_, _| ()).await.map_err(|error| in_words(&error))?;
    same("what was sent", &sent, &Uploaded { files: 3, bytes: 14 })?;
    for (name, form) in forms {
        on.holds(&format!("new/{name}"), &String::from_utf8_lossy(&wanted.in_form(form))).await?;
        on.stands(&format!("new/{name}"), EntryKind::File, 0o600).await?;
    }
    on.stands("stage/it's", EntryKind::File, 0o600).await?;
    same("what stands there", &on.names("stage").await?.len(), &25)?;
    // A changed list of the base is detected, or was not needed.
    on.done([remove_file("kept/sums"), write("kept/sums", "other\n"), remove_tree("stage"), remove_tree("new")])
        .await?;
    on.done([make_dir("stage"), make_dir("new")]).await?;
    match on.transport.upload(&first, &|_, _| ()).await {
        Ok(_) => on.holds("new/sums", &String::from_utf8_lossy(&wanted.in_form(Form::Sums))).await,
        Err(TransportError::Upload { failure, .. }) => same("the kind", &failure.kind, &FailureKind::Mismatch),
        Err(other) => Err(format!("over another list: {other:?}")),
    }
}

/// Copies equal files, whatever their mode, and sends the others.
pub(super) async fn copies_what_is_equal(on: Subject) -> Outcome {
    let odd = ["it's", " ", "-rf", "*", "$(id)", "\"", "\u{e9}", "a\nb"];
    let held = |name: &&str| file(format!("d/{name}"), 0o644, name);
    let mut old = vec![directory("d", 0o755), file("d/same", 0o600, "same"), file("d/moded", 0o644, "moded")];
    old.extend([file("changed", 0o644, "old"), file("was file", 0o644, ""), directory("was directory", 0o755)]);
    old.extend([file("was directory/f", 0o644, ""), file("gone", 0o644, ""), link("l", "d"), file("empty", 0o644, "")]);
    old.extend(odd.iter().map(held));
    let mut new = vec![directory("d", 0o700), file("d/same", 0o600, "same"), file("d/moded", 0o755, "moded")];
    new.extend([file("changed", 0o644, "new"), directory("was file", 0o755), file("was directory", 0o644, "")]);
    new.extend([file("was file/f", 0o644, "f"), link("l", "changed"), file("empty", 0o644, "")]);
    new.extend(odd.iter().map(held));
    let wanted: Vec<String> = odd.iter().map(|name| format!("stage/d/{name}")).collect();
    let arrived = over(&on, old, new, Vec::new()).await?.map_err(|error| in_words(&error))?;
    // The changed file, two paths that were not files before, and the name that does not fit into a line.
    same("what was sent", &arrived, &Uploaded { files: 4, bytes: 7 })?;
    on.lists("stage", &["changed", "d", "empty", "l", "was directory", "was file"]).await?;
    on.holds("stage/changed", "new").await?;
    on.holds("stage/empty", "").await?;
    on.stands("stage/d", EntryKind::Directory, 0o700).await?;
    on.stands("stage/d/same", EntryKind::File, 0o600).await?;
    on.stands("stage/d/moded", EntryKind::File, 0o755).await?;
    for (place, name) in wanted.iter().zip(odd) {
        on.holds(place, name).await?;
    }
    // Copies, not hard links.
    on.done([remove_file("old/d/same"), write("old/d/same", "other")]).await?;
    on.holds("stage/d/same", "same").await
}

/// Keeps the modification time of copied files; files that are sent get that of the tree, however late they are
/// sent.
pub(super) async fn what_is_equal_keeps_its_time(on: Subject) -> Outcome {
    let parts = |changed: &str| {
        let mut parts = vec![directory("d", 0o755), file("d/same", 0o644, "same"), file("d/changed", 0o644, changed)];
        parts.push(file("moded", if changed == "old" { 0o644 } else { 0o755 }, "moded"));
        parts
    };
    let old = Tree::of_entries(parts("old")).modified_at(1_600_000_000);
    let new = Arc::new(Tree::of_entries(parts("new")).modified_at(1_700_000_000));
    let held = old.manifest().map_err(|error| in_words(&error))?;
    let wanted = new.manifest().map_err(|error| in_words(&error))?;
    on.done([make_dir("old"), make_dir("stage")]).await?;
    on.upload("old", old).await.map_err(|error| in_words(&error))?;
    let base = Base::between(at("old"), &held, &wanted);
    let upload =
        Upload { root: on.root.clone(), into: at("stage"), tree: new, lists: Vec::new(), unlisted: Vec::new(), base };
    on.transport.upload(&upload, &|_, _| ()).await.map_err(|error| in_words(&error))?;
    for (path, time) in [("d/same", 1_600_000_000), ("d/changed", 1_700_000_000), ("moded", 1_600_000_000)] {
        let Reply::Entry(Some(entry)) = on.ask(inspect(&format!("stage/{path}"))).await? else {
            return Err(format!("{path} is not there"));
        };
        same(path, &entry.modified, &time)?;
    }
    Ok(())
}

/// Detects a changed base, whether by content, kind or absence.
pub(super) async fn finds_a_changed_base(on: Subject) -> Outcome {
    let parts = || vec![directory("d", 0o755), file("d/f", 0o644, "one"), file("same", 0o644, "same")];
    on.done([make_dir("away"), write("away/f", "one")]).await?;
    let changes = [
        vec![remove_file("old/d/f"), write("old/d/f", "two")],
        vec![remove_file("old/d/f"), write("old/d/f", "longer")],
        vec![remove_file("old/d/f")],
        vec![remove_file("old/d/f"), make_link("old/d/f", "../../away/f")],
        vec![remove_file("old/d/f"), make_dir("old/d/f")],
        vec![remove_tree("old")],
    ];
    for change in changes {
        let shown = format!("{change:?}");
        match over(&on, parts(), parts(), change).await? {
            Err(TransportError::Upload { failure, .. }) => same(&shown, &failure.kind, &FailureKind::Mismatch)?,
            other => return Err(format!("{shown}: {other:?}")),
        }
        on.done([remove_tree("old"), remove_tree("stage")]).await?;
        on.holds("away/f", "one").await?;
    }
    Ok(())
}

/// Uploads alike with and without an expected upload, and other calls work too.
pub(super) async fn an_expected_one_arrives(on: Subject) -> Outcome {
    on.transport.expect_upload().await;
    on.transport.expect_upload().await;
    on.lists(".", &[]).await?;
    same("the first", &uploaded(&on, vec![file("a", 0o644, "x")]).await?, &Uploaded { files: 1, bytes: 1 })?;
    on.done([remove_tree("stage")]).await?;
    same("the second", &uploaded(&on, vec![file("b", 0o644, "y")]).await?, &Uploaded { files: 1, bytes: 1 })?;
    on.lists("stage", &["b"]).await?;
    on.transport.expect_upload().await;
    on.transport.close().await;
    on.done([remove_tree("stage")]).await?;
    same("the third", &uploaded(&on, Vec::new()).await?, &Uploaded::default())
}

/// Checks for a way to upload, without a change, before anything is uploaded, and repeatedly.
pub(super) async fn a_way_for_one_is_found(on: Subject) -> Outcome {
    for _ in 0..2 {
        on.transport.try_upload().await.map_err(|error| in_words(&error))?;
    }
    on.lists(".", &[]).await?;
    same("what arrived", &uploaded(&on, vec![file("a", 0o644, "x")]).await?, &Uploaded { files: 1, bytes: 1 })
}

pub(super) async fn an_empty_tree(on: Subject) -> Outcome {
    same("what arrived", &uploaded(&on, Vec::new()).await?, &Uploaded::default())?;
    on.lists("stage", &[]).await
}

pub(super) async fn needs_an_empty_directory(on: Subject) -> Outcome {
    on.done([make_dir("full"), write("full/.f", "kept"), make_dir("d"), make_link("l", "d"), write("f", "kept")])
        .await?;
    let refused = [
        ("full", FailureKind::Exists),
        ("none", FailureKind::Missing),
        ("none/below", FailureKind::Missing),
        ("f", FailureKind::WrongType),
        ("l", FailureKind::WrongType),
        ("l/below", FailureKind::WrongType),
    ];
    for (into, kind) in refused {
        match on.upload(into, Tree::of_entries(vec![file(".f", 0o644, "new")])).await {
            Err(TransportError::Upload { failure, .. }) => same(&format!("{into}: {failure}"), &failure.kind, &kind)?,
            other => return Err(format!("into {into}: {other:?}")),
        }
    }
    on.holds("full/.f", "kept").await?;
    on.lists("d", &[]).await?;
    on.lists(".", &["d", "f", "full", "l"]).await
}

pub(super) async fn needs_a_root(on: Subject) -> Outcome {
    match on.below("none").upload("stage", Tree::of_entries(Vec::new())).await {
        Err(error @ TransportError::Root { .. }) => {
            same("the kind", &error.failure().map(|failure| failure.kind), &Some(FailureKind::Missing))?;
            same("what took effect", &error.effect(), &Effect::Nothing)?;
        }
        other => return Err(format!("without a root: {other:?}")),
    }
    on.lists(".", &[]).await
}

pub(super) async fn a_source_that_changes(on: Subject) -> Outcome {
    let (mut changed, content) = file("changed", 0o644, "as it was");
    changed.node = Node::File { size: 1000 };
    on.done([make_dir("stage")]).await?;
    let tree = Tree::of_entries(vec![file("a", 0o644, "x"), (changed, content), file("z", 0o644, "x")]);
    match on.upload("stage", tree).await {
        Err(TransportError::Source { .. }) => {}
        other => return Err(format!("the source changed, and it gave {other:?}")),
    }
    on.lists(".", &["stage"]).await?;
    // A new upload to the same place succeeds.
    on.done([remove_tree("stage")]).await?;
    same("the next", &uploaded(&on, vec![file("a", 0o644, "x")]).await?, &Uploaded { files: 1, bytes: 1 })
}
