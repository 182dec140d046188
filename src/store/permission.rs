//! A check without side effects of whether a host would allow staging.

use crate::{
    name::ReleaseName,
    path::InnerPath,
    transport::{Batch, EntryKind, FailureKind, Op, StepFailure, TransportError},
};

use super::{DirStore, StoreError};

/// Checks whether the first steps of staging or locking would fail: for lack of permission, because a newer
/// program wrote the state, or because `name` was pruned.
pub(super) async fn may_write(store: &DirStore, name: Option<&ReleaseName>) -> Result<(), StoreError> {
    let (layout, mut batch) = (store.layout(), store.steps.empty());
    let format = batch.push_lenient(Op::read_link(layout.in_state(&["format"])));
    let pruned =
        name.map(|name| batch.push_lenient(Op::ExpectAbsent { path: layout.in_state(&["pruned", name.as_str()]) }));
    let outside = [InnerPath::root(), layout.releases().clone(), layout.state().clone()];
    let written = outside.into_iter().chain(store.steps.written_in());
    let writable: Vec<_> = written.map(|path| batch.push_lenient(Op::ExpectWritable { path })).collect();
    let replies = match store.execute(&batch).await.map_err(TransportError::from) {
        Err(TransportError::Root { failure, .. }) if failure.kind == FailureKind::Missing => {
            return may_make_root(store, failure).await;
        }
        replies => replies?,
    };
    if let Ok(Some(found)) = replies.get(format)?
        && found != store.steps.format().as_bytes()
    {
        let found = found.escape_ascii().to_string();
        // The run would first settle a state directory that it can convert, so that is no refusal.
        store.entry(StoreError::NewerFormat { host: store.to_string(), found }).await?;
    }
    for step in writable {
        match replies.get(step)? {
            // Staging creates missing directories.
            Err(failure) if failure.kind != FailureKind::Missing => return Err(unusable(store, failure)),
            _ => {}
        }
    }
    match (name, replies.get_some(pruned)?) {
        (Some(name), Some(Err(failure))) if failure.kind == FailureKind::Exists => {
            Err(StoreError::NamePruned { host: store.to_string(), name: name.clone() })
        }
        _ => Ok(()),
    }
}

/// Checks the nearest existing directory above a missing root, in which staging would create the first
/// directory.
async fn may_make_root(store: &DirStore, missing: StepFailure) -> Result<(), StoreError> {
    let mut below = store.steps.root.clone();
    while let Some(above) = below.parent() {
        let mut batch = Batch::new(above.clone());
        let right = batch.push_lenient(Op::ExpectWritable { path: InnerPath::root() });
        let next = below.as_path().file_name().and_then(|name| InnerPath::new(name).ok());
        let next = next.map(|path| batch.push_lenient(Op::inspect(path)));
        let replies = match store.execute(&batch).await.map_err(TransportError::from) {
            Err(TransportError::Root { failure, .. }) if failure.kind == FailureKind::Missing => {
                below = above;
                continue;
            }
            Err(TransportError::Root { failure, .. }) => return Err(unusable(store, &failure)),
            replies => replies?,
        };
        if let Err(failure) = replies.get(right)? {
            let failure = StepFailure::new(failure.kind, above.as_str());
            return Err(unusable(store, &failure));
        }
        // A dangling symlink counts as missing when it is followed, but mkdir(2) fails on it.
        return match replies.get_some(next)? {
            Some(Ok(Some(entry))) if entry.kind == EntryKind::Link => Err(unusable(store, &missing)),
            _ => Ok(()),
        };
    }
    Ok(())
}

fn unusable(store: &DirStore, failure: &StepFailure) -> StoreError {
    TransportError::Root { host: store.to_string(), root: store.steps.root.clone(), failure: failure.clone() }.into()
}
