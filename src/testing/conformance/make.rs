//! Creation of directories, symlinks and files.

use crate::{
    manifest::{Form, Manifest},
    transport::{Compared, Comparison, EntryKind, FailureKind, Op, Reply, TreeName},
    tree::{Node, Tree, TreeEntry},
};

use super::{
    Outcome,
    ops::{at, compare, link_reply, make_dir, make_link, read_link, rename, survey, write},
    subject::{Subject, in_words, same},
};

pub(super) async fn directories_have_exact_modes(on: Subject) -> Outcome {
    for mode in [0o755, 0o700, 0o777, 0o775, 0o711, 0o750] {
        let name = format!("d{mode:o}");
        on.answers(Op::MakeDir { path: at(&name), mode, existing_is_fine: false }, Reply::Done).await?;
        on.stands(&name, EntryKind::Directory, mode).await?;
    }
    Ok(())
}

/// Passes a directory's setgid bit on to everything created in it, in any way, and no other bit.
pub(super) async fn the_setgid_bit_is_passed_on(on: Subject) -> Outcome {
    let make = |path: &str, mode| Op::MakeDir { path: at(path), mode, existing_is_fine: false };
    on.done([make("d", 0o2775), make("d/one", 0o755), make("d/one/two", 0o700), make("d/three", 0o755)]).await?;
    for (path, mode) in [("d", 0o2775), ("d/one", 0o2755), ("d/one/two", 0o2700), ("d/three", 0o2755)] {
        on.stands(path, EntryKind::Directory, mode).await?;
    }
    on.done([rename("d/three", "stage")]).await?;
    on.stands("stage", EntryKind::Directory, 0o2755).await?;
    let directory = |path: &str, mode| (TreeEntry { path: path.into(), mode, node: Node::Directory }, Vec::new());
    let file = TreeEntry { path: "a/b/f".into(), mode: 0o640, node: Node::File { size: 1 } };
    let tree = Tree::of_entries(vec![directory("a", 0o775), directory("a/b", 0o700), (file, b"x".to_vec())]);
    let manifest = tree.manifest().map_err(|error| in_words(&error))?;
    on.upload("stage", tree).await.map_err(|error| in_words(&error))?;
    for (path, mode) in [("stage/a", 0o2775), ("stage/a/b", 0o2700)] {
        on.stands(path, EntryKind::Directory, mode).await?;
    }
    on.stands("stage/a/b/f", EntryKind::File, 0o640).await?;
    // The bit is not a difference from the manifest.
    on.done([make_dir("trees"), rename("stage", "trees/one"), make_dir("lists"), make_dir("lists/one")]).await?;
    let text = String::from_utf8_lossy(&manifest.in_form(Form::Manifest)).into_owned();
    on.done([write("lists/one/manifest", &text)]).await?;
    let found = Compared::Entries(Box::default());
    let holds = Reply::Comparison(Comparison { tree: Some("one".to_owned()), found });
    on.answers(compare(TreeName::Given(at("one")), &[]), holds).await?;
    let Reply::Survey(Some(seen)) = on.ask(survey("trees/one", true)).await? else {
        return Err("nothing was surveyed".to_owned());
    };
    same("what differs", &manifest.compare(&seen, true, &[]), &Vec::new())?;
    let sealed = Manifest::of_survey(&seen, &[]).map_err(|path| format!("{path:?} is not listed"))?;
    same("what is sealed", &sealed, &*manifest)
}

pub(super) async fn directories_that_exist(on: Subject) -> Outcome {
    on.done([make_dir("d"), write("f", "x"), make_link("l", "d"), make_link("gone", "none")]).await?;
    let again = |path: &str| Op::MakeDir { path: at(path), mode: 0o700, existing_is_fine: true };
    on.answers(again("d"), Reply::Done).await?;
    on.answers(again("."), Reply::Done).await?;
    on.stands("d", EntryKind::Directory, 0o755).await?;
    for path in ["d", "f", "l", "gone", "."] {
        on.refuses(make_dir(path), FailureKind::Exists).await?;
    }
    for path in ["f", "l", "gone"] {
        on.refuses(again(path), FailureKind::Exists).await?;
    }
    on.lists(".", &["d", "f", "gone", "l"]).await
}

pub(super) async fn directories_need_a_parent(on: Subject) -> Outcome {
    on.refuses(make_dir("none/d"), FailureKind::Missing).await?;
    let lenient = Op::MakeDir { path: at("none/d"), mode: 0o755, existing_is_fine: true };
    on.refuses(lenient, FailureKind::Missing).await?;
    on.lists(".", &[]).await
}

pub(super) async fn links(on: Subject) -> Outcome {
    let outside = format!("{}-elsewhere", on.root.as_str());
    for (index, text) in ["releases/1", "..", "/", "./x/", &outside].iter().enumerate() {
        let name = format!("l{index}");
        on.done([make_link(&name, text)]).await?;
        on.answers(read_link(&name), link_reply(text)).await?;
    }
    on.refuses(make_link("none/l", "x"), FailureKind::Missing).await
}

pub(super) async fn links_replace_nothing(on: Subject) -> Outcome {
    on.done([make_dir("d"), write("f", "x"), make_link("gone", "none"), make_link("l", "d")]).await?;
    for path in ["d", "f", "gone", "l"] {
        on.refuses(make_link(path, "new"), FailureKind::Exists).await?;
    }
    on.lists("d", &[]).await?;
    on.holds("f", "x").await?;
    on.answers(read_link("gone"), link_reply("none")).await
}

pub(super) async fn files_have_exact_modes(on: Subject) -> Outcome {
    for mode in [0o644, 0o600, 0o400, 0o755, 0o666, 0o640] {
        let name = format!("f{mode:o}");
        on.answers(Op::WriteNew { path: at(&name), content: "x\n".to_owned(), mode }, Reply::Done).await?;
        on.stands(&name, EntryKind::File, mode).await?;
        on.holds(&name, "x\n").await?;
    }
    on.done([write("empty", "")]).await?;
    on.holds("empty", "").await
}

pub(super) async fn files_replace_nothing(on: Subject) -> Outcome {
    on.done([make_dir("d"), write("f", "kept"), make_link("gone", "none"), make_link("l", "f")]).await?;
    for path in ["d", "f", "gone", "l"] {
        on.refuses(write(path, "new"), FailureKind::Exists).await?;
    }
    on.refuses(write("none/f", "new"), FailureKind::Missing).await?;
    on.holds("f", "kept").await?;
    on.lists(".", &["d", "f", "gone", "l"]).await
}

pub(super) async fn large_content(on: Subject) -> Outcome {
    let line = "it's \"64 KiB\" of $(this) and `that` \\ %s ünï\n";
    let content = line.repeat(64 * 1024 / line.len() + 1);
    on.done([write("f", &content)]).await?;
    on.holds("f", &content).await?;
    same("the size", &on.must_entry("f").await?.size, &(content.len() as u64))
}
