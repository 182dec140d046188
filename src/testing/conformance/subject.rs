//! [`Subject`]: the transport under test, and its common checks.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use crate::{
    path::HostPath,
    transport::{
        Batch, Effect, Entry, EntryKind, FailureKind, Found, LineSink, Op, Reply, Stream, Transport, TransportError,
        Upload, Uploaded,
    },
    tree::Tree,
};

use super::{Fixture, Outcome, ops};

/// The reason to skip the rules about files that may not be read.
pub(super) const READS_ALL: &str = "the user may read every file";

/// The transport under test, with its empty directory.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) transport: Arc<dyn Transport>,
    pub(super) root: HostPath,
    /// The reason why the environment does not allow to test all of the rule.
    pub(super) skipped: Arc<OnceLock<String>>,
}

impl Subject {
    pub(super) fn new(fixture: &Fixture) -> Self {
        Self { transport: Arc::clone(&fixture.transport), root: fixture.root.clone(), skipped: Arc::default() }
    }

    /// Notes that the rest of the case is skipped, for this reason.
    pub(super) fn skip(&self, why: impl Into<String>) {
        self.skipped.get_or_init(|| why.into());
    }

    pub(super) fn batch(&self) -> Batch {
        Batch::new(self.root.clone())
    }

    /// Returns the same transport on a root below this one.
    pub(super) fn below(&self, path: &str) -> Self {
        let (transport, skipped) = (Arc::clone(&self.transport), Arc::clone(&self.skipped));
        Self { transport, root: self.root.join(&ops::at(path)), skipped }
    }

    /// Sends steps that stop at the first failure.
    pub(super) async fn send(&self, steps: impl IntoIterator<Item = Op>) -> Result<Vec<Reply>, TransportError> {
        let mut batch = self.batch();
        for op in steps {
            batch.push(op);
        }
        self.transport.execute(&batch).await
    }

    /// Sends steps that must all succeed.
    pub(super) async fn done(&self, steps: impl IntoIterator<Item = Op>) -> Result<Vec<Reply>, String> {
        self.send(steps).await.map_err(|error| in_words(&error))
    }

    /// Sends one step that must succeed.
    pub(super) async fn ask(&self, op: Op) -> Result<Reply, String> {
        let mut replies = self.done([op.clone()]).await?;
        match (replies.pop(), replies.len()) {
            (Some(reply), 0) => Ok(reply),
            (_, more) => Err(format!("{op:?} was not answered by one reply, but by {}", more + 1)),
        }
    }

    /// Checks that the reply to `op` is exactly this.
    pub(super) async fn answers(&self, op: Op, expected: Reply) -> Outcome {
        same(&format!("{op:?}"), &self.ask(op).await?, &expected)
    }

    /// Checks that `op` fails in this way, whether its failure stops the batch or not.
    pub(super) async fn refuses(&self, op: Op, kind: FailureKind) -> Outcome {
        let what = format!("{op:?}");
        match self.send([op.clone()]).await {
            Err(TransportError::Step { index: 0, failure, replies, .. }) if replies.is_empty() => {
                same(&format!("{what}: {failure}"), &failure.kind, &kind)?;
            }
            Err(other) => return Err(format!("{what}: {}", in_words(&other))),
            Ok(replies) => return Err(format!("{what} gave {replies:?}, expected {kind:?}")),
        }
        let mut batch = self.batch();
        batch.push_lenient(op);
        match self.transport.execute(&batch).await.as_deref() {
            Ok([Reply::Failed(failure)]) => {
                same(&format!("{what} that may fail: {failure}"), &failure.kind, &kind)?;
                let printable = !failure.detail.is_empty() && !failure.detail.contains(char::is_control);
                holds(printable, || format!("{what}: no message for a line: {:?}", failure.detail))
            }
            other => Err(format!("{what} that may fail: {other:?}")),
        }
    }

    /// Checks that the host refuses the root for this reason, and that nothing took effect.
    pub(super) async fn root_refused(&self, batch: &Batch, kind: FailureKind) -> Outcome {
        match self.transport.execute(batch).await {
            Err(error @ TransportError::Root { .. }) => {
                same(&in_words(&error), &error.failure().map(|failure| failure.kind), &Some(kind))?;
                same("what took effect", &error.effect(), &Effect::Nothing)
            }
            other => Err(format!("expected the root to be refused, got {other:?}")),
        }
    }

    /// Returns the entry at `path`, if any.
    pub(super) async fn entry(&self, path: &str) -> Result<Option<Entry>, String> {
        match self.ask(ops::inspect(path)).await? {
            Reply::Entry(entry) => Ok(entry),
            other => Err(format!("no entry: {other:?}")),
        }
    }

    /// Returns the entry at `path`, which must exist.
    pub(super) async fn must_entry(&self, path: &str) -> Result<Entry, String> {
        self.entry(path).await?.ok_or_else(|| format!("nothing stands at {path:?}"))
    }

    /// Checks the kind and mode of the entry at `path`.
    pub(super) async fn stands(&self, path: &str, kind: EntryKind, mode: u32) -> Outcome {
        let entry = self.must_entry(path).await?;
        let (found, expected) = (format!("{:?} {:o}", entry.kind, entry.mode), format!("{kind:?} {mode:o}"));
        same(&format!("what stands at {path:?}"), &found, &expected)
    }

    /// Checks the content of the file at `path`.
    pub(super) async fn holds(&self, path: &str, content: &str) -> Outcome {
        let found = Reply::Content(Some(Found::Content(content.into())));
        self.answers(ops::read(path, 1 << 20), found).await
    }

    /// Checks that no entry exists at `path`.
    pub(super) async fn absent(&self, path: &str) -> Outcome {
        self.answers(ops::inspect(path), Reply::Entry(None)).await
    }

    /// Returns the names in a directory, sorted.
    pub(super) async fn names(&self, path: &str) -> Result<Vec<String>, String> {
        let Reply::Listing(Some(listed)) = self.ask(ops::list(path)).await? else {
            return Err(format!("{path:?} cannot be listed"));
        };
        let mut names: Vec<_> =
            listed.iter().map(|listed| String::from_utf8_lossy(&listed.name).into_owned()).collect();
        names.sort();
        Ok(names)
    }

    /// Checks that the directory contains exactly these names, given sorted.
    pub(super) async fn lists(&self, path: &str, names: &[&str]) -> Outcome {
        let expected: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        same(&format!("the names in {path:?}"), &self.names(path).await?, &expected)
    }

    /// Uploads a tree into the directory `into`.
    pub(super) async fn upload(&self, into: &str, tree: Tree) -> Result<Uploaded, TransportError> {
        let upload = Upload {
            root: self.root.clone(),
            into: ops::at(into),
            tree: Arc::new(tree),
            lists: Vec::new(),
            unlisted: Vec::new(),
            base: None,
        };
        self.transport.upload(&upload, &|_, _| {}).await
    }
}

/// Collects the lines that a command prints.
#[derive(Debug, Default)]
pub(super) struct Heard(Mutex<Vec<(Stream, Vec<u8>)>>);

impl Heard {
    /// Returns the lines of one stream so far.
    pub(super) fn of(&self, stream: Stream) -> Vec<Vec<u8>> {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.iter().filter(|(of, _)| *of == stream).map(|(_, line)| line.clone()).collect()
    }

    /// Returns the lines of one stream so far, as text.
    pub(super) fn texts(&self, stream: Stream) -> Vec<String> {
        self.of(stream).iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect()
    }
}

impl LineSink for Heard {
    fn line(&self, stream: Stream, line: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((stream, line.to_vec()));
    }
}

/// Formats an error with all its causes.
pub(super) fn in_words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}

/// Checks that the two are equal.
pub(super) fn same<T: PartialEq + Debug>(what: &str, found: &T, expected: &T) -> Outcome {
    holds(found == expected, || format!("{what}: found {found:?}, expected {expected:?}"))
}

/// Checks that `truth` holds; otherwise fails with the given words.
pub(super) fn holds(truth: bool, otherwise: impl FnOnce() -> String) -> Outcome {
    if truth { Ok(()) } else { Err(otherwise()) }
}
