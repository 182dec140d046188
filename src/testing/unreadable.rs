//! [`Unreadable`]: makes files of a host unreadable, like a missing permission or a failing disk.

use std::fmt;

use crate::{
    future::BoxFuture,
    path::InnerPath,
    transport::{
        Batch, Compared, FailureKind, Found, HookCall, HookExit, LineSink, OnFailure, Op, OwnedFile, Progress, Reply,
        StepFailure, Transport, TransportError, Upload, Uploaded,
    },
};

/// A transport that fails every read of given files and directories on the one that it wraps. Entries of such a
/// directory cannot be inspected either. Changes still work.
#[derive(Debug)]
pub struct Unreadable<T> {
    inner: T,
    paths: Vec<(InnerPath, FailureKind)>,
}

impl<T> Unreadable<T> {
    /// Wraps `inner`, and leaves everything readable.
    #[must_use]
    pub fn new(inner: T) -> Self {
        Self { inner, paths: Vec::new() }
    }

    /// Fails reads of `path`, inside the root, with this kind of failure.
    #[must_use]
    pub fn on(mut self, path: InnerPath, kind: FailureKind) -> Self {
        self.paths.push((path, kind));
        self
    }

    /// Returns the failure of reads of `path`, if any.
    fn failure(&self, path: &InnerPath) -> Option<StepFailure> {
        let is_in =
            |above: &InnerPath| std::iter::successors(Some(path.clone()), InnerPath::parent).any(|at| at == *above);
        let (_, kind) = self.paths.iter().find(|(above, _)| is_in(above))?;
        Some(StepFailure::new(*kind, format!("{path}: {}", words(*kind))))
    }

    /// Returns the failure of inspecting `path`, if a directory above it is unreadable.
    fn hidden(&self, path: &InnerPath) -> Option<StepFailure> {
        path.parent().and_then(|above| self.failure(&above))
    }

    /// Returns the failure of the whole step, if any.
    fn fails(&self, op: &Op) -> Option<StepFailure> {
        match op {
            Op::Inspect { path } | Op::ExpectAbsent { path } | Op::ExpectDirectory { path } => self.hidden(path),
            Op::List { path } | Op::ReadEach { path, .. } | Op::ReadLink { path } | Op::Changes { since: path, .. } => {
                self.failure(path)
            }
            Op::ReadChain { trees, .. } => self.failure(trees),
            _ => None,
        }
    }

    /// Removes the unreadable parts from the reply to `op`.
    fn without(&self, op: &Op, reply: Reply) -> Reply {
        match (op, reply) {
            (Op::Read { path, .. } | Op::ReadEnd { path, .. }, Reply::Content(Some(found))) => {
                Reply::Content(Some(self.failure(path).map_or(found, Found::Unreadable)))
            }
            (Op::ReadEach { path, file, .. }, Reply::Contents(mut contents)) => {
                for (name, found) in &mut contents {
                    let Some(directory) = std::str::from_utf8(name).ok().and_then(|name| InnerPath::new(name).ok())
                    else {
                        continue;
                    };
                    if let Some(failure) = self.failure(&path.join(&directory).join(file)) {
                        found.found = Found::Unreadable(failure);
                    }
                }
                Reply::Contents(contents)
            }
            (Op::ReadChain { trees, record, lists, files, .. }, Reply::Chain(mut links)) => {
                for link in &mut links {
                    let Ok(name) = InnerPath::new(&link.name) else { continue };
                    let kept = lists.join(&name);
                    let own = self.failure(&trees.join(&name).join(&record.name)).map(Found::Unreadable);
                    link.record = own.filter(|_| link.record.is_some()).or(link.record.take());
                    for (file, found) in files.iter().zip(&mut link.files) {
                        let path = kept.join(&file.name);
                        // If its directory is unreadable, nobody can tell whether the file exists, so it counts as
                        // existing.
                        let is_there = found.is_some() || self.hidden(&path).is_some();
                        let unreadable = |failure| OwnedFile::unowned(Found::Unreadable(failure));
                        *found = self.failure(&path).filter(|_| is_there).map(unreadable).or(found.take());
                    }
                }
                Reply::Chain(links)
            }
            (Op::CompareTree { lists, manifest, .. }, Reply::Comparison(mut comparison)) => {
                let tree = comparison.tree.as_deref().and_then(|tree| InnerPath::new(tree).ok());
                let failure = tree.and_then(|tree| self.failure(&lists.join(&tree).join(manifest)));
                if let Some(failure) = failure.filter(|_| comparison.found != Compared::NoTree) {
                    comparison.found = Compared::Unreadable(failure);
                }
                Reply::Comparison(comparison)
            }
            (_, reply) => reply,
        }
    }
}

/// Returns the system's message for the failure.
fn words(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Denied => "Permission denied",
        _ => "Input/output error",
    }
}

impl<T: Transport> Unreadable<T> {
    async fn send(&self, batch: &Batch) -> Result<Vec<Reply>, TransportError> {
        let mut sent = batch.clone();
        let mut stopped = None;
        for (index, step) in batch.steps.iter().enumerate() {
            let Some(failure) = self.fails(&step.op) else { continue };
            if step.on_failure == OnFailure::Stop {
                sent.steps.truncate(index);
                stopped = Some((index, failure));
                break;
            }
            // A harmless step in its place keeps the other replies at their indexes.
            sent.steps[index].op = Op::Clock;
        }
        let replies = self.inner.execute(&sent).await?;
        let seen = batch.steps.iter().zip(replies).map(|(step, reply)| match self.fails(&step.op) {
            Some(failure) => Reply::Failed(failure),
            None => self.without(&step.op, reply),
        });
        let seen = seen.collect();
        match stopped {
            Some((index, failure)) => Err(TransportError::step(self, batch, index, failure, seen)),
            None => Ok(seen),
        }
    }
}

impl<T: fmt::Display> fmt::Display for Unreadable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[deny(clippy::missing_trait_methods)]
impl<T: Transport> Transport for Unreadable<T> {
    fn connect(&self) -> BoxFuture<'_, Result<(), TransportError>> {
        self.inner.connect()
    }

    fn expect_upload(&self) -> BoxFuture<'_, ()> {
        self.inner.expect_upload()
    }

    fn try_upload(&self) -> BoxFuture<'_, Result<(), TransportError>> {
        self.inner.try_upload()
    }

    fn execute<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Vec<Reply>, TransportError>> {
        Box::pin(self.send(batch))
    }

    fn upload<'a>(
        &'a self,
        upload: &'a Upload,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<Uploaded, TransportError>> {
        self.inner.upload(upload, progress)
    }

    fn run<'a>(
        &'a self,
        call: &'a HookCall,
        output: &'a dyn LineSink,
    ) -> BoxFuture<'a, Result<HookExit, TransportError>> {
        self.inner.run(call, output)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.inner.close()
    }
}
