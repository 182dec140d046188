//! Short constructors of steps.

use crate::{
    path::InnerPath,
    transport::{Op, Reply, TreeName},
};

/// Parses a path that is known to be valid.
pub(super) fn at(path: &str) -> InnerPath {
    InnerPath::new(path).expect("the suite names places inside a root")
}

pub(super) fn inspect(path: &str) -> Op {
    Op::Inspect { path: at(path) }
}

pub(super) fn resolve(link: impl AsRef<[u8]>) -> Op {
    Op::Resolve { link: link.as_ref().to_vec() }
}

pub(super) fn read_link(path: &str) -> Op {
    Op::ReadLink { path: at(path) }
}

pub(super) fn read(path: &str, limit: u64) -> Op {
    Op::Read { path: at(path), limit }
}

pub(super) fn read_end(path: &str, limit: u64) -> Op {
    Op::ReadEnd { path: at(path), limit }
}

pub(super) fn list(path: &str) -> Op {
    Op::List { path: at(path) }
}

pub(super) fn read_each(path: &str, file: &str, limit: u64) -> Op {
    Op::ReadEach { path: at(path), file: at(file), limit }
}

pub(super) fn survey(path: &str, digests: bool) -> Op {
    Op::Survey { path: at(path), digests }
}

/// Compares the tree `name` in `trees` with its manifest `lists/NAME/manifest`.
pub(super) fn compare(name: TreeName, except: &[&str]) -> Op {
    compare_in(name, except, false, None)
}

/// Compares like [`compare`], with contents and owners.
pub(super) fn compare_contents(name: TreeName, except: &[&str], owners: Option<Vec<u32>>) -> Op {
    compare_in(name, except, true, owners)
}

fn compare_in(name: TreeName, except: &[&str], contents: bool, owners: Option<Vec<u32>>) -> Op {
    let except = except.iter().map(|path| at(path)).collect();
    let (trees, lists, manifest) = (at("trees"), at("lists"), at("manifest"));
    Op::CompareTree { trees, name, lists, manifest, contents, owners, except }
}

/// Takes a snapshot of the tree `trees/a`, by its listing.
pub(super) fn snapshot(into: &str) -> Op {
    Op::Snapshot { tree: at("trees/a"), list: at("lists/a/listing"), into: at(into) }
}

/// Asks for the changes in the tree `trees/a`.
pub(super) fn changes(since: &str) -> Op {
    Op::Changes { tree: at("trees/a"), since: at(since) }
}

pub(super) fn check_process(path: &str) -> Op {
    Op::CheckProcess { path: at(path) }
}

pub(super) fn expect_absent(path: &str) -> Op {
    Op::ExpectAbsent { path: at(path) }
}

pub(super) fn expect_directory(path: &str) -> Op {
    Op::ExpectDirectory { path: at(path) }
}

pub(super) fn expect_link(path: &str, text: &str) -> Op {
    Op::ExpectLink { path: at(path), text: text.into() }
}

pub(super) fn make_dir(path: &str) -> Op {
    Op::MakeDir { path: at(path), mode: 0o755, existing_is_fine: false }
}

pub(super) fn make_link(path: &str, text: impl AsRef<[u8]>) -> Op {
    Op::MakeLink { path: at(path), text: text.as_ref().to_vec() }
}

pub(super) fn write(path: &str, content: &str) -> Op {
    Op::WriteNew { path: at(path), content: content.to_owned(), mode: 0o644 }
}

pub(super) fn mark_process(path: &str) -> Op {
    Op::MarkProcess { path: at(path) }
}

pub(super) fn append(path: &str, content: &str) -> Op {
    Op::Append { path: at(path), content: content.to_owned() }
}

pub(super) fn move_into(from: &str, into: &str) -> Op {
    Op::MoveInto { from: at(from), into: at(into) }
}

pub(super) fn rename(from: &str, to: &str) -> Op {
    Op::Rename { from: at(from), to: at(to) }
}

pub(super) fn exchange(one: &str, other: &str) -> Op {
    Op::Exchange { one: at(one), other: at(other) }
}

pub(super) fn remove_file(path: &str) -> Op {
    Op::RemoveFile { path: at(path) }
}

pub(super) fn remove_dir(path: &str) -> Op {
    Op::RemoveDir { path: at(path) }
}

pub(super) fn remove_tree(path: &str) -> Op {
    Op::RemoveTree { path: at(path) }
}

/// The reply for a symlink with this target.
pub(super) fn link_reply(text: impl AsRef<[u8]>) -> Reply {
    Reply::Link(Some(text.as_ref().to_vec()))
}
