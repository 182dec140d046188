//! Runs a batch, step by step.

use crate::transport::{Batch, OnFailure, Op, Reply, StepFailure, TransportError, compare::Expected};

use super::{ask, chain, change, changes, group, identity, remove, rename, root::Root, survey, users, way};

/// Runs `batch` on this machine, which messages call `host`.
pub(super) fn run(batch: &Batch, host: &str) -> Result<Vec<Reply>, TransportError> {
    let root = open_root(batch, host)?;
    let mut replies = Vec::with_capacity(batch.steps.len());
    for (index, step) in batch.steps.iter().enumerate() {
        match (carry_out(&root, &step.op, batch), step.on_failure) {
            (Ok(reply), _) => replies.push(reply),
            (Err(failure), OnFailure::GoOn) => replies.push(Reply::Failed(failure)),
            (Err(failure), OnFailure::Stop) => return Err(TransportError::step(host, batch, index, failure, replies)),
        }
    }
    Ok(replies)
}

/// Opens the root of `batch`.
pub(super) fn open_root(batch: &Batch, host: &str) -> Result<Root, TransportError> {
    Root::open(batch).map_err(|failure| TransportError::Root {
        host: host.to_owned(),
        root: batch.root.clone(),
        failure,
    })
}

fn carry_out(root: &Root, op: &Op, batch: &Batch) -> Result<Reply, StepFailure> {
    let for_group = batch.for_group;
    // The mode of files without a mode of their own.
    let private = if for_group { 0o660 } else { 0o600 };
    match op {
        Op::Identify => identity::identify(root),
        Op::Clock => identity::clock(),
        Op::Inspect { path } => ask::inspect(root, path),
        Op::Resolve { link } => ask::resolve(root, link),
        Op::ReadLink { path } => ask::read_link(root, path),
        Op::Read { path, limit } => ask::read(root, path, *limit),
        Op::ReadEnd { path, limit } => ask::read_end(root, path, *limit),
        Op::List { path } => ask::list(root, path),
        Op::ReadEach { path, file, limit } => ask::read_each(root, path, file, *limit),
        Op::ReadChain { trees, from, record, lists, files, most } => {
            chain::read_chain(root, (trees, record), from, (lists, files), *most)
        }
        Op::Survey { path, digests } => survey::survey(root, path, *digests),
        Op::CompareTree { trees, name, lists, manifest, contents, owners, except } => {
            let expected = Expected { contents: *contents, owners: owners.as_deref(), except, for_group };
            survey::compare(root, trees, name, (lists, manifest), &expected)
        }
        Op::Snapshot { tree, list, into } => changes::snapshot(root, tree, list, into, private),
        Op::Changes { tree, since } => changes::changes(root, tree, since),
        Op::CheckProcess { path } => Ok(identity::check_process(root, path, &batch.root)),
        Op::FindUsers { path } => users::find_users(root, path),
        Op::InspectWay { paths } => way::inspect_way(root, paths),
        Op::InspectGroup { name, paths, below } => group::inspect_group(root, name, paths, below),
        Op::GiveToGroup { path, group, reach } => group::give_to_group(root, path, group, *reach),
        Op::ExpectAbsent { path } => ask::expect_absent(root, path),
        Op::ExpectUnmounted { path } => way::expect_unmounted(root, path),
        Op::ExpectDirectory { path } => ask::expect_directory(root, path),
        Op::ExpectWritable { path } => ask::expect_writable(root, path),
        Op::ExpectLink { path, text } => ask::expect_link(root, path, text),
        Op::MakeDir { path, mode, existing_is_fine } => change::make_dir(root, path, *mode, *existing_is_fine),
        Op::MakeLink { path, text } => change::make_link(root, path, text),
        Op::WriteNew { path, content, mode } => change::write_new(root, path, content.as_bytes(), *mode),
        Op::MarkProcess { path } => identity::mark_process(root, path, private),
        Op::Append { path, content } => change::append(root, path, content, private),
        Op::MoveInto { from, into } => change::move_into(root, from, into),
        Op::Rename { from, to } => rename::rename(root, from, to),
        Op::Exchange { one, other } => rename::exchange(root, one, other),
        Op::RemoveFile { path } => change::remove_file(root, path),
        Op::RemoveDir { path } => change::remove_dir(root, path),
        Op::RemoveTree { path } => remove::remove_tree(root, path),
        Op::Sync { paths, reach } => change::sync(root, paths, *reach),
    }
}
