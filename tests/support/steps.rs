//! Steps, carried out one by one or together, and what came of them.

use switchback::{
    HostPath, InnerPath, Transport,
    transport::{
        FailureKind,
        raw::{Batch, Op, Reply},
    },
};
use tempfile::TempDir;

pub(crate) fn inner(path: &str) -> InnerPath {
    path.parse().expect("an inner path")
}

pub(crate) fn root(dir: &TempDir) -> HostPath {
    dir.path().to_str().and_then(|path| path.parse().ok()).expect("a plain path")
}

/// Sends lenient steps, and returns their replies.
pub(crate) async fn replies(transport: &dyn Transport, root: &HostPath, ops: Vec<Op>) -> Vec<Reply> {
    let mut batch = Batch::new(root.clone());
    for op in ops {
        batch.push_lenient(op);
    }
    transport.execute(&batch).await.unwrap_or_else(|error| panic!("{transport}: {error:?}"))
}

pub(crate) async fn reply(transport: &dyn Transport, root: &HostPath, op: Op) -> Reply {
    replies(transport, root, vec![op]).await.remove(0)
}

pub(crate) fn kind(reply: &Reply) -> Option<FailureKind> {
    if let Reply::Failed(failure) = reply { Some(failure.kind) } else { None }
}
