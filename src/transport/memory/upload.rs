//! Copies a tree into the model.

use std::{collections::BTreeMap, io};

use crate::{
    path::InnerPath,
    transport::{FailureKind, Progress, StepFailure, TransportError, Upload, Uploaded},
    tree::{Node, TreeEntry},
};

use super::model::{Body, Model};

/// Copies the tree of `upload` below the root at the end of `way`.
pub(super) fn upload(
    model: &mut Model,
    way: &[u64],
    upload: &Upload,
    progress: &dyn Progress,
    host: &str,
) -> Result<Uploaded, TransportError> {
    let failed = |path: &str, kind: FailureKind| TransportError::Upload {
        host: host.to_owned(),
        root: upload.root.clone(),
        failure: StepFailure::new(kind, format!("{path}: {kind}")),
    };
    let target = empty(model, way, upload).map_err(|kind| failed(upload.into.as_str(), kind))?;
    let (mut so_far, mut failure) = (Uploaded::default(), None);
    let visited = upload.tree.visit(&mut |entry, reader| {
        let mut content = Vec::new();
        reader.read_to_end(&mut content)?;
        let is_copied = upload.is_copied(&entry.path);
        let held = if is_copied { held(model, way, upload, entry, &content) } else { None };
        if is_copied && held.is_none() {
            let path = String::from_utf8_lossy(&entry.path);
            failure = Some(failed(&path, FailureKind::Mismatch));
            return Err(io::Error::other("the base differs"));
        }
        if !is_copied && matches!(entry.node, Node::File { .. }) {
            so_far.files += 1;
            so_far.bytes += content.len() as u64;
        }
        let modified = held.unwrap_or(i64::try_from(upload.tree.modified()).unwrap_or(0));
        put(model, target, entry, content, modified).map_err(|kind| {
            failure = Some(failed(&String::from_utf8_lossy(&entry.path), kind));
            io::Error::other(kind)
        })?;
        progress.advanced(so_far.files, so_far.bytes);
        Ok(())
    });
    match (failure, visited) {
        (Some(failure), _) => Err(failure),
        (None, Err(source)) => Err(TransportError::Source { host: host.to_owned(), source }),
        (None, Ok(())) => {
            for (path, form) in &upload.lists {
                let list = upload.list(*form);
                let list = list.map_err(|source| TransportError::Source { host: host.to_owned(), source })?;
                let made = model
                    .place(way[way.len() - 1], path)
                    .and_then(|(above, name)| model.make(above[above.len() - 1], name, 0o600, Body::File(list)));
                made.map_err(|kind| failed(path.as_str(), kind))?;
            }
            Ok(so_far)
        }
    }
}

/// Returns the modification time of the base's copy of `entry`; `None` when its content differs.
fn held(model: &Model, way: &[u64], upload: &Upload, entry: &TreeEntry, content: &[u8]) -> Option<i64> {
    let (base, root) = upload.base.as_ref().zip(way.last())?;
    let held = || -> Result<Option<i64>, FailureKind> {
        let path = std::str::from_utf8(&entry.path).map_err(|_| FailureKind::Io)?;
        let place = base.from.join(&InnerPath::new(path).map_err(|_| FailureKind::Io)?);
        let (above, name) = model.place(*root, &place)?;
        let found = model.child(above[above.len() - 1], name)?.ok_or(FailureKind::Missing)?;
        let is_same = matches!(model.body(found), Body::File(held) if held == content);
        Ok(is_same.then(|| model.entry(found).modified))
    };
    held().ok().flatten()
}

/// Returns the directory to upload into, which must be empty.
fn empty(model: &Model, way: &[u64], upload: &Upload) -> Result<u64, FailureKind> {
    let root = way.last().copied().ok_or(FailureKind::Missing)?;
    let (above, name) = model.place(root, &upload.into)?;
    let target = model.child(above[above.len() - 1], name)?.ok_or(FailureKind::Missing)?;
    if model.names(target)?.is_empty() { Ok(target) } else { Err(FailureKind::Exists) }
}

fn put(model: &mut Model, target: u64, entry: &TreeEntry, content: Vec<u8>, modified: i64) -> Result<(), FailureKind> {
    let mut names: Vec<&[u8]> = entry.path.split(|byte| *byte == b'/').collect();
    let name = names.pop().unwrap_or_default();
    let mut directory = target;
    for name in names {
        directory = model.child(directory, name)?.ok_or(FailureKind::Missing)?;
    }
    let (mode, body) = match &entry.node {
        Node::Directory => (entry.mode & 0o777, Body::Directory(BTreeMap::new())),
        Node::File { .. } => (entry.mode & 0o777, Body::File(content)),
        Node::Link { target } => (0o777, Body::Link(target.clone())),
    };
    let is_directory = matches!(body, Body::Directory(_));
    let inode = model.make(directory, name, mode, body)?;
    if !is_directory {
        model.set_modified(inode, modified);
    }
    Ok(())
}
