//! The step that compares a tree with its manifest, on the host.

use std::sync::Arc;

use crate::{
    manifest::{Difference, DifferenceKind, Digest, Form, Manifest, ManifestEntry, ManifestNode},
    transport::{Compared, Comparison, Counted, DifferentEntries, FailureKind, Op, Reply, TreeName, Upload},
    tree::{Node, Tree, TreeEntry},
};

use super::{
    Outcome,
    hostile::HOSTILE,
    ops::{append, at, compare, compare_contents, make_dir, make_link, move_into, remove_file, remove_tree, write},
    subject::{Subject, holds, in_words, same},
};

/// Creates a tree at `trees/a`, with its manifest and its listing.
pub(super) async fn tree(on: &Subject) -> Outcome {
    on.done([make_dir("trees"), make_dir("trees/a"), make_dir("lists"), make_dir("lists/a")]).await?;
    let entry = |path: &str, node| (TreeEntry { path: path.into(), mode: 0o755, node }, Vec::new());
    let mut parts =
        vec![entry("d", Node::Directory), entry("d/e", Node::Directory), entry("f", Node::File { size: 0 })];
    parts.extend(HOSTILE.iter().map(|name| entry(&format!("d/{name}"), Node::File { size: 0 })));
    parts.push(entry("l", Node::Link { target: b"d".to_vec() }));
    let lists = vec![(at("lists/a/listing"), Form::Listing), (at("lists/a/manifest"), Form::Manifest)];
    let upload = Upload {
        root: on.root.clone(),
        into: at("trees/a"),
        tree: Arc::new(Tree::of_entries(parts)),
        lists,
        unlisted: Vec::new(),
        base: None,
    };
    on.transport.upload(&upload, &|_, _| ()).await.map(drop).map_err(|error| in_words(&error))
}

fn given() -> TreeName {
    TreeName::Given(at("a"))
}

fn comparison(found: Compared) -> Reply {
    Reply::Comparison(Comparison { tree: Some("a".to_owned()), found })
}

fn nothing_differs() -> Reply {
    comparison(Compared::Entries(Box::default()))
}

/// Runs a comparison, and returns its differences.
async fn entries(on: &Subject, op: Op) -> Result<DifferentEntries, String> {
    match on.ask(op).await? {
        Reply::Comparison(Comparison { found: Compared::Entries(found), .. }) => Ok(*found),
        other => Err(format!("no entries were compared: {other:?}")),
    }
}

/// Checks the differences in words: the damage, the modes and the additions.
async fn differs(on: &Subject, op: Op, expected: [&[&str]; 3]) -> Outcome {
    let found = entries(on, op).await?;
    let words = |all: &[Difference]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
    let all = [&found.damage, &found.modes, &found.added];
    let expected = expected.map(|words| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
    same("what differs", &all.map(|counted| words(&counted.some)), &expected)?;
    same("how much differs", &all.map(|counted| counted.count), &expected.map(|words| words.len() as u64))
}

pub(super) async fn holds_where_nothing_changed(on: Subject) -> Outcome {
    tree(&on).await?;
    on.answers(compare(given(), &[]), nothing_differs()).await?;
    on.answers(compare_contents(given(), &[], None), nothing_differs()).await
}

pub(super) async fn holds_what_was_added_against_nobody(on: Subject) -> Outcome {
    tree(&on).await?;
    on.done([write("trees/a/previousVersion", "none\n"), write("trees/a/d/new", "12"), make_link("trees/a/z", "x")])
        .await?;
    let added = ["d/new was added", "z was added"];
    differs(&on, compare(given(), &["previousVersion"]), [&[], &[], &added]).await?;
    on.answers(compare(given(), &["previousVersion", "d/new", "z"]), nothing_differs()).await?;
    // Directories above an excepted path are ignored too, and so is everything below one.
    on.done([make_dir("trees/a/s.t"), make_dir("trees/a/s.t/u"), write("trees/a/s.t/u/v", "")]).await?;
    on.answers(compare(given(), &["previousVersion", "d/new", "z", "s.t/u"]), nothing_differs()).await?;
    differs(&on, compare(given(), &["previousVersion", "d/new", "z", "s.t/u/v"]), [&[], &[], &[]]).await?;
    on.done([make_dir("trees/a/sxt"), append("trees/a/f", "x")]).await?;
    let except = ["previousVersion", "d/new", "z", "s.t/u", "f"];
    differs(&on, compare(given(), &except), [&[], &[], &["sxt was added"]]).await
}

pub(super) async fn names_what_differs(on: Subject) -> Outcome {
    tree(&on).await?;
    on.done([append("trees/a/f", "x"), write("trees/a/new", "")]).await?;
    differs(&on, compare(given(), &[]), [&["f has 1 bytes, not 0"], &[], &["new was added"]]).await?;
    on.done([remove_file("trees/a/l"), make_dir("trees/a/l"), remove_tree("trees/a/d/e")]).await?;
    let damage = ["d/e is missing", "f has 1 bytes, not 0", "l is a directory, not a link"];
    differs(&on, compare(given(), &[]), [&damage, &[], &["new was added"]]).await?;
    on.done([remove_tree("trees/a/l"), make_link("trees/a/l", "f"), remove_file("trees/a/f")]).await?;
    on.done([make_link("trees/a/f", "new")]).await?;
    let damage = ["d/e is missing", "f is a link, not a file", "l leads to f, not to d"];
    differs(&on, compare(given(), &[]), [&damage, &[], &["new was added"]]).await?;
    for text in HOSTILE.iter().filter(|text| !text.contains('/')) {
        on.done([remove_file("trees/a/l"), make_link("trees/a/l", text)]).await?;
        let found = DifferenceKind::Target { expected: b"d".to_vec(), found: text.as_bytes().to_vec() };
        let found = format!("l {found}");
        differs(&on, compare(given(), &[]), [&[damage[0], damage[1], &found], &[], &["new was added"]]).await?;
    }
    Ok(())
}

/// Reports differences of modes apart from damage: a mode is damage only if it grants somebody something.
pub(super) async fn tells_modes_apart(on: Subject) -> Outcome {
    tree(&on).await?;
    let mode = |path: &str, mode| Op::MakeDir { path: at(path), mode, existing_is_fine: false };
    on.done([remove_tree("trees/a/d/e"), mode("trees/a/d/e", 0o700)]).await?;
    differs(&on, compare(given(), &[]), [&[], &["d/e has mode 700, not 755"], &[]]).await?;
    on.done([remove_file("trees/a/f"), write("trees/a/f", ""), mode("trees/a/l2", 0o711), remove_file("trees/a/l")])
        .await?;
    let modes = ["d/e has mode 700, not 755", "f has mode 644, not 755"];
    differs(&on, compare(given(), &[]), [&["l is missing"], &modes, &["l2 was added"]]).await?;
    on.answers(compare(given(), &["d/e", "f", "l", "l2"]), nothing_differs()).await?;
    on.done([remove_tree("trees/a/d/e"), mode("trees/a/d/e", 0o775)]).await?;
    differs(&on, compare(given(), &["f", "l", "l2"]), [&["d/e has mode 775, not 755"], &[], &[]]).await
}

/// Reads contents only when requested.
pub(super) async fn compares_contents(on: Subject) -> Outcome {
    tree(&on).await?;
    on.done([append("trees/a/f", "x"), make_dir("lists/b"), make_dir("trees/b"), write("trees/b/f", "y")]).await?;
    let mut manifest = vec![listed("f", "x")];
    for name in HOSTILE {
        on.done([write(&format!("trees/b/{name}"), "y")]).await?;
        manifest.push(listed(name, "x"));
    }
    keep(&on, "b", manifest).await?;
    let b = || TreeName::Given(at("b"));
    let found = entries(&on, compare(b(), &[])).await?;
    same("what differs without contents", &found, &DifferentEntries::default())?;
    let found = entries(&on, compare_contents(b(), &[], None)).await?;
    same("how many differ", &found.damage.count, &(HOSTILE.len() as u64 + 1))?;
    let is_content = found.damage.some.iter().all(|found| found.kind == DifferenceKind::Content);
    holds(is_content && found.damage.some.len() > HOSTILE.len(), || format!("{:?}", found.damage))
}

fn listed(path: &str, content: &str) -> ManifestEntry {
    let digest = Digest::of(content.as_bytes());
    let node = ManifestNode::File { mode: 0o644, size: content.len() as u64, digest };
    ManifestEntry { path: path.into(), node }
}

/// Writes the manifest of the tree `name`.
async fn keep(on: &Subject, name: &str, entries: Vec<ManifestEntry>) -> Outcome {
    let text = String::from_utf8(Manifest::new(entries).in_form(Form::Manifest)).map_err(|error| error.to_string())?;
    on.done([write(&format!("lists/{name}/manifest"), &text)]).await.map(drop)
}

/// Compares names that do not fit into a line: some listed, some added, some missing.
pub(super) async fn compares_odd_names(on: Subject) -> Outcome {
    on.done([make_dir("trees"), make_dir("trees/a"), make_dir("lists"), make_dir("lists/a")]).await?;
    let odd = ["new\nline", "\n", "tab\t", "back\\slash", "\\x0a", "\r", "é", "a\u{85}b"];
    let mut manifest = vec![listed("f", "x"), listed("gone\n", "x")];
    on.done([write("trees/a/f", "x"), write("trees/a/added\n", "x"), write("trees/a/added é", "x")]).await?;
    for name in odd {
        on.done([write(&format!("trees/a/{name}"), "x"), make_link(&format!("trees/a/l{name}"), name)]).await?;
        manifest.push(listed(name, "x"));
        let node = ManifestNode::Link { target: name.into() };
        manifest.push(ManifestEntry { path: format!("l{name}").into(), node });
    }
    // Bytes that are not text are escaped in a manifest, including the path.
    manifest.push(ManifestEntry { path: b"\xffgone".to_vec(), node: ManifestNode::Directory { mode: 0o755 } });
    keep(&on, "a", manifest).await?;
    let added = ["added\\n was added", "added é was added"];
    let damage = ["gone\\n is missing", "\\xffgone is missing"];
    differs(&on, compare(given(), &[]), [&damage, &[], &added]).await?;
    differs(&on, compare_contents(given(), &[], None), [&damage, &[], &added]).await?;
    on.done([remove_file("trees/a/back\\slash"), make_dir("trees/a/back\\slash"), append("trees/a/é", "x")]).await?;
    on.done([remove_file("trees/a/l\n"), make_link("trees/a/l\n", "f"), remove_file("trees/a/f")]).await?;
    on.done([make_link("trees/a/f", "a\nb")]).await?;
    let damage = [
        "back\\\\slash is a directory, not a file",
        "f is a link, not a file",
        "gone\\n is missing",
        "l\\n leads to f, not to \\n",
        "é has 2 bytes, not 1",
        "\\xffgone is missing",
    ];
    let found = entries(&on, compare(given(), &[])).await?;
    let mut words: Vec<String> = found.damage.some.iter().map(ToString::to_string).collect();
    words.sort();
    let mut damage = damage.map(str::to_owned).to_vec();
    damage.sort();
    same("what differs", &words, &damage)
}

/// Reports an entry that is missing where no other differs, whatever its name.
pub(super) async fn misses_odd_names(on: Subject) -> Outcome {
    on.done([make_dir("trees"), make_dir("lists")]).await?;
    for (number, path) in ["f", "new\nline", "tab\t", "back\\slash", "\\x0a", "é", "a\u{85}b"].into_iter().enumerate()
    {
        let name = format!("t{number}");
        on.done([make_dir(&format!("lists/{name}")), make_dir(&format!("trees/{name}"))]).await?;
        keep(&on, &name, vec![listed(path, "x")]).await?;
        let missing = Difference { path: path.into(), kind: DifferenceKind::Missing };
        let damage = Counted { count: 1, some: vec![missing] };
        let expected = DifferentEntries { damage, ..DifferentEntries::default() };
        same(path, &entries(&on, compare(TreeName::Given(at(&name)), &[])).await?, &expected)?;
    }
    Ok(())
}

/// Reports the number of differences, and some of each kind, however many there are.
pub(super) async fn tells_some_of_many(on: Subject) -> Outcome {
    on.done([make_dir("trees"), make_dir("trees/a"), make_dir("lists"), make_dir("lists/a")]).await?;
    let many = 250_u64;
    let (mut manifest, mut made) = (Vec::new(), Vec::new());
    for at in 0..many {
        made.push(write(&format!("trees/a/added{at}"), ""));
        made.push(write(&format!("trees/a/changed{at}"), "xyz"));
        made.push(Op::MakeDir {
            path: super::ops::at(&format!("trees/a/mode{at}")),
            mode: 0o700,
            existing_is_fine: false,
        });
        manifest.push(listed(&format!("changed{at}"), "x"));
        manifest.push(listed(&format!("gone{at}"), "x"));
        let node = ManifestNode::Directory { mode: 0o755 };
        manifest.push(ManifestEntry { path: format!("mode{at}").into(), node });
    }
    // One mode that grants something, among many that do not.
    made.push(Op::MakeDir { path: at("trees/a/open"), mode: 0o777, existing_is_fine: false });
    manifest.push(ManifestEntry { path: b"open".to_vec(), node: ManifestNode::Directory { mode: 0o755 } });
    on.done(made).await?;
    keep(&on, "a", manifest).await?;
    for op in [compare(given(), &[]), compare_contents(given(), &[], None)] {
        let found = entries(&on, op).await?;
        let counts = [found.damage.count, found.modes.count, found.added.count];
        same("how many differ", &counts, &[2 * many + 1, many, many])?;
        let shown = [found.damage.some.len(), found.modes.some.len(), found.added.some.len()];
        same("how many are shown", &shown, &[100, 100, 100])?;
        same("the first", &found.modes.some[0].to_string(), &"mode0 has mode 700, not 755".to_owned())?;
    }
    on.done((0..many).map(|at| remove_tree(&format!("trees/a/changed{at}")))).await?;
    let manifest = [ManifestEntry { path: b"open".to_vec(), node: ManifestNode::Directory { mode: 0o755 } }].to_vec();
    on.done([remove_file("lists/a/manifest")]).await?;
    keep(&on, "a", manifest).await?;
    let found = entries(&on, compare(given(), &[])).await?;
    same("what is damaged", &found.damage.some[0].to_string(), &"open has mode 777, not 755".to_owned())
}

/// Reports a directory that is nested too deep, without reading it.
pub(super) async fn tells_what_is_nested_too_deep(on: Subject) -> Outcome {
    tree(&on).await?;
    let path = |names: usize| ["d"; 300][..names].join("/");
    on.done((2..=260).map(|names| make_dir(&format!("trees/a/{}", path(names))))).await?;
    let found = entries(&on, compare(given(), &[])).await?;
    same("how many were added", &found.added.count, &256)?;
    same("the first", &found.added.some[0].kind, &DifferenceKind::TooDeep)?;
    on.done([remove_tree(&format!("trees/a/{}", path(2)))]).await.map(drop)
}

/// Reports the owners of listed entries, and ignores those of added entries.
pub(super) async fn tells_whose_entries_are(on: Subject) -> Outcome {
    tree(&on).await?;
    on.done([write("trees/a/new", ""), append("trees/a/f", "x")]).await?;
    let maker = on.must_entry("trees/a/f").await?.owner;
    let found = entries(&on, compare_contents(given(), &[], Some(vec![maker]))).await?;
    same("what others own", &found.foreign, &Counted::default())?;
    let found = entries(&on, compare_contents(given(), &["l"], Some(vec![maker + 1]))).await?;
    let listed = HOSTILE.len() + 3;
    same("how many others own", &found.foreign.count, &(listed as u64))?;
    let owners = found.foreign.some.iter().all(|entry| entry.owner == maker);
    holds(owners && found.foreign.some.len() == listed, || format!("{:?}", found.foreign.some))?;
    let found = entries(&on, compare(given(), &[])).await?;
    same("what nobody asked for", &found.foreign, &Counted::default())
}

pub(super) async fn reads_no_manifest_that_means_nothing(on: Subject) -> Outcome {
    tree(&on).await?;
    for text in ["", "switchback manifest 2\n", "switchback manifest 1\nx\n", "switchback manifest 1\nd\t755\t\\q\n"] {
        on.done([remove_file("lists/a/manifest"), write("lists/a/manifest", text)]).await?;
        match on.ask(compare(given(), &[])).await? {
            Reply::Comparison(Comparison { found: Compared::Unreadable(_), .. }) => {}
            other => return Err(format!("{text:?} gave {other:?}")),
        }
    }
    on.done([remove_file("lists/a/manifest"), write("lists/a/manifest", "switchback manifest 1\n")]).await?;
    same("what is damaged", &entries(&on, compare(given(), &[])).await?.damage.count, &0)
}

pub(super) async fn reads_the_name_off_a_record(on: Subject) -> Outcome {
    tree(&on).await?;
    on.done([make_dir("trees/b"), make_link("now", "trees/b")]).await?;
    let recorded = || compare(TreeName::Recorded(at("now/record")), &[]);
    let nothing = || Reply::Comparison(Comparison { tree: None, found: Compared::NoTree });
    on.answers(recorded(), nothing()).await?;
    for text in ["/srv/shop/trees/a\n", "a", "a\nb\n", "../x/a"] {
        on.done([remove_file("trees/b/record"), write("trees/b/record", text)]).await?;
        on.answers(recorded(), nothing_differs()).await.map_err(|error| format!("{text:?}: {error}"))?;
    }
    for text in ["", "\n", "/", "a/\n", "..", ".", "-rf", "a b", "$(touch x)", "é", "*"] {
        on.done([remove_file("trees/b/record"), write("trees/b/record", text)]).await?;
        on.answers(recorded(), nothing()).await.map_err(|error| format!("{text:?}: {error}"))?;
    }
    on.done([remove_file("trees/b/record"), make_dir("trees/b/record")]).await?;
    on.answers(recorded(), nothing()).await
}

pub(super) async fn says_what_it_has_not(on: Subject) -> Outcome {
    on.answers(compare(given(), &[]), comparison(Compared::NoTree)).await?;
    on.done([make_dir("trees"), make_dir("trees/a")]).await?;
    on.answers(compare(given(), &[]), comparison(Compared::NoManifest)).await?;
    on.done([make_dir("lists"), make_dir("lists/a"), make_dir("lists/a/manifest")]).await?;
    match on.ask(compare(given(), &[])).await? {
        Reply::Comparison(Comparison { found: Compared::Unreadable(why), .. }) => {
            same("why it cannot be read", &why.kind, &FailureKind::WrongType)
        }
        other => Err(format!("a manifest that is a directory is {other:?}")),
    }
}

pub(super) async fn never_compares_through_a_link(on: Subject) -> Outcome {
    tree(&on).await?;
    on.done([make_dir("elsewhere"), move_into("trees/a", "elsewhere"), make_link("trees/a", "../elsewhere/a")]).await?;
    on.refuses(compare(given(), &[]), FailureKind::WrongType).await
}
