//! The steps that read whole trees.

use crate::{
    manifest::{Digest, MAX_DEPTH, Seen, Surveyed},
    transport::{Changes, EntryKind, FailureKind, Op, Reply},
};

use super::{
    Outcome,
    compare::tree,
    hostile::HOSTILE,
    ops::{append, at, changes, make_dir, make_link, move_into, remove_file, remove_tree, snapshot, survey, write},
    subject::{Subject, same},
};

/// Returns the survey of `path`, sorted. Checks that the tree's owner owns every entry, and then clears the
/// owners.
async fn surveyed(on: &Subject, path: &str, digests: bool) -> Result<Vec<Surveyed>, String> {
    let maker = on.must_entry(path).await?.owner;
    match on.ask(survey(path, digests)).await? {
        Reply::Survey(Some(mut seen)) => {
            for entry in &mut seen {
                same(&format!("the owner of {:?}", entry.path), &std::mem::take(&mut entry.owner), &maker)?;
            }
            seen.sort_by(|one, other| one.path.cmp(&other.path));
            Ok(seen)
        }
        other => Err(format!("no survey: {other:?}")),
    }
}

fn seen(path: impl AsRef<[u8]>, mode: u32, node: Seen) -> Surveyed {
    Surveyed { path: path.as_ref().to_vec(), mode, owner: 0, node }
}

fn link(path: &str, target: &str) -> Surveyed {
    seen(path, 0o777, Seen::Link { target: target.into() })
}

pub(super) async fn lists_all_there_is(on: Subject) -> Outcome {
    on.done([make_dir("t"), make_dir("t/.d"), write("t/.d/f", "12345"), make_link("t/l", "../outside/x")]).await?;
    on.done([make_dir("outside"), write("outside/x", "x"), make_link("t/out", "../outside")]).await?;
    let mut expected = vec![
        seen(".d", 0o755, Seen::Directory),
        seen(".d/f", 0o644, Seen::File { size: 5, digest: None }),
        link("l", "../outside/x"),
        link("out", "../outside"),
    ];
    for name in HOSTILE {
        on.done([write(&format!("t/{name}"), "x"), make_link(&format!("t/.d/{name}"), name)]).await?;
        expected.push(seen(name, 0o644, Seen::File { size: 1, digest: None }));
        expected.push(link(&format!(".d/{name}"), name));
    }
    expected.sort_by(|one, other| one.path.cmp(&other.path));
    same("what is listed", &surveyed(&on, "t", false).await?, &expected)?;
    on.done([make_dir("empty")]).await?;
    same("an empty directory", &surveyed(&on, "empty", true).await?, &Vec::new())
}

/// Stops at the maximum depth: an application may nest directories without end.
pub(super) async fn stops_at_the_depth_of_a_release(on: Subject) -> Outcome {
    let path = |names: usize| ["d"; 300][..names].join("/");
    on.done((1..=260).map(|names| make_dir(&path(names)))).await?;
    on.done([write(&format!("{}/f", path(256)), "1"), write(&format!("{}/f", path(260)), "1")]).await?;
    let seen = surveyed(&on, "d", true).await?;
    let deepest = seen.iter().max_by_key(|entry| entry.path.len()).map(|entry| (entry.path.len(), &entry.node));
    same("the deepest", &deepest, &Some((2 * MAX_DEPTH + 1, &Seen::TooDeep)))?;
    same("how many there are", &seen.len(), &(MAX_DEPTH + 2))?;
    on.answers(remove_tree("d"), Reply::Done).await?;
    on.lists(".", &[]).await
}

pub(super) async fn digests_contents(on: Subject) -> Outcome {
    on.done([make_dir("t"), make_dir("t/d")]).await?;
    let mut expected = vec![seen("d", 0o755, Seen::Directory)];
    for name in HOSTILE {
        on.done([write(&format!("t/d/{name}"), name)]).await?;
        let file = Seen::File { size: name.len() as u64, digest: Some(Digest::of(name.as_bytes())) };
        expected.push(seen(format!("d/{name}"), 0o644, file));
    }
    expected.sort_by(|one, other| one.path.cmp(&other.path));
    same("what is listed", &surveyed(&on, "t", true).await?, &expected)
}

pub(super) async fn needs_a_directory_to_list(on: Subject) -> Outcome {
    on.done([make_dir("d"), write("f", "x"), make_link("l", "d")]).await?;
    for path in ["f", "l", "l/x", "f/x"] {
        on.refuses(survey(path, true), FailureKind::WrongType).await?;
    }
    on.answers(survey("none", true), Reply::Survey(None)).await?;
    on.answers(survey("none/x", false), Reply::Survey(None)).await
}

/// Returns the changes as text: the entries before, and now.
async fn changed(on: &Subject) -> Result<(Vec<String>, Vec<String>), String> {
    let Reply::Changes(Some(Changes { mut before, mut now })) = on.ask(changes("before")).await? else {
        return Err("no changes were told".to_owned());
    };
    before.sort_by(|one, other| one.path.cmp(&other.path));
    now.sort_by(|one, other| one.path.cmp(&other.path));
    // A directory changes with its entries, and its size depends on the filesystem.
    let before = before.iter().filter(|entry| entry.kind != EntryKind::Directory).map(|entry| {
        let mode = if entry.kind == EntryKind::Link { 0 } else { entry.mode };
        format!("{} {:?} {mode:o} {}", String::from_utf8_lossy(&entry.path), entry.kind, entry.size)
    });
    let now = now.iter().filter(|entry| entry.node != Seen::Directory).map(|entry| {
        let mode = if matches!(entry.node, Seen::Link { .. }) { 0 } else { entry.mode };
        format!("{} {mode:o} {:?}", String::from_utf8_lossy(&entry.path), entry.node)
    });
    Ok((before.collect(), now.collect()))
}

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|text| (*text).to_owned()).collect()
}

fn file_now(path: &str, content: &str) -> String {
    let node = Seen::File { size: content.len() as u64, digest: Some(Digest::of(content.as_bytes())) };
    format!("{path} 644 {node:?}")
}

pub(super) async fn tells_what_changed(on: Subject) -> Outcome {
    tree(&on).await?;
    on.done([write("trees/a/other", "of nobody's"), snapshot("before")]).await?;
    on.stands("before", EntryKind::File, 0o600).await?;
    same("nothing", &changed(&on).await?, &(Vec::new(), Vec::new()))?;
    // An odd name is still one name.
    let odd = HOSTILE.iter().find(|name| name.contains('\'')).ok_or("no odd name")?;
    let there = format!("trees/a/d/{odd}");
    on.done([append("trees/a/other", "x"), write("trees/a/new", ""), append("trees/a/f", "x")]).await?;
    on.done([remove_file(&there), write(&there, "other"), remove_file("trees/a/l"), make_link("trees/a/l", "f")])
        .await?;
    on.done([remove_tree("trees/a/d/e"), write("trees/a/d/e", "a file")]).await?;
    let (before, now) = changed(&on).await?;
    same("as it was", &before, &texts(&[&format!("d/{odd} File 755 0"), "f File 755 0", "l Link 0 1"]))?;
    let f = file_now("f", "x").replace("644", "755");
    let link = format!("l 0 {:?}", Seen::Link { target: b"f".to_vec() });
    let mut expected = [file_now(&format!("d/{odd}"), "other"), file_now("d/e", "a file"), f, link].to_vec();
    expected.sort();
    same("as it is", &now, &expected)?;
    on.done([remove_tree("trees/a/d"), remove_file("trees/a/f")]).await?;
    let (before, now) = changed(&on).await?;
    same("what is left", &now, &texts(&[&format!("l 0 {:?}", Seen::Link { target: b"f".to_vec() })]))?;
    // A name with a newline takes two lines in a listing, and is in no snapshot.
    let listed = HOSTILE.iter().filter(|name| !name.contains('\n')).count();
    same("how many changed", &before.len(), &(listed + 2))
}

pub(super) async fn changes_need_a_snapshot(on: Subject) -> Outcome {
    on.refuses(snapshot("before"), FailureKind::Missing).await?;
    on.answers(changes("before"), Reply::Changes(None)).await?;
    tree(&on).await?;
    on.answers(changes("before"), Reply::Changes(None)).await?;
    on.answers(changes("none/before"), Reply::Changes(None)).await?;
    on.done([snapshot("before")]).await?;
    on.refuses(snapshot("before"), FailureKind::Exists).await?;
    on.done([make_dir("directory"), make_link("link", "before"), write("torn", "81a4 0 0 1 .//./f\n")]).await?;
    on.refuses(changes("directory"), FailureKind::WrongType).await?;
    on.refuses(changes("link"), FailureKind::WrongType).await?;
    on.refuses(changes("torn"), FailureKind::Mismatch).await?;
    on.done([remove_file("lists/a/listing")]).await?;
    on.refuses(snapshot("other"), FailureKind::Missing).await?;
    on.done([remove_tree("trees/a")]).await?;
    on.answers(changes("before"), Reply::Changes(None)).await
}

/// Ignores the target of a symlink that has replaced a directory.
pub(super) async fn changes_of_a_tree_that_was_replaced(on: Subject) -> Outcome {
    tree(&on).await?;
    on.done([snapshot("before"), make_dir("elsewhere"), move_into("trees/a/d", "elsewhere")]).await?;
    on.done([make_link("trees/a/d", "../../elsewhere/d")]).await?;
    let (before, now) = changed(&on).await?;
    let listed = HOSTILE.iter().filter(|name| !name.contains('\n')).count();
    same("how many are gone", &before.len(), &listed)?;
    same("what is there", &now, &texts(&[&format!("d 0 {:?}", Seen::Link { target: b"../../elsewhere/d".to_vec() })]))?;
    on.done([make_link("trees/link", "a")]).await?;
    on.refuses(Op::Changes { tree: at("trees/link"), since: at("before") }, FailureKind::WrongType).await
}
