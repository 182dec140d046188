//! [`Recording`]: records the calls of a transport.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    future::BoxFuture,
    transport::{Batch, HookCall, HookExit, LineSink, Progress, Reply, Transport, TransportError, Upload, Uploaded},
};

/// A transport that counts the exchanges, uploads and commands of the one that it wraps, and records the batches
/// and commands. It changes nothing else.
///
/// Wrapped in an [`Arc`](std::sync::Arc), one clone can be read while another is in use.
#[derive(Debug)]
pub struct Recording<T> {
    inner: T,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    batches: Vec<Batch>,
    uploads: usize,
    brought: Vec<Uploaded>,
    hooks: Vec<HookCall>,
}

impl<T> Recording<T> {
    /// Wraps `inner`.
    #[must_use]
    pub fn new(inner: T) -> Self {
        Self { inner, seen: Mutex::default() }
    }

    /// Returns the wrapped transport.
    #[must_use]
    pub fn inner(&self) -> &T {
        &self.inner
    }

    /// Returns the number of batches sent, whatever their result.
    #[must_use]
    pub fn exchanges(&self) -> usize {
        self.seen().batches.len()
    }

    /// Returns the number of uploads begun, whatever their result.
    #[must_use]
    pub fn uploads(&self) -> usize {
        self.seen().uploads
    }

    /// Returns the results of the completed uploads, in the order of completion.
    #[must_use]
    pub fn brought(&self) -> Vec<Uploaded> {
        self.seen().brought.clone()
    }

    /// Returns the commands, in the order in which they were sent, whatever their result.
    #[must_use]
    pub fn hooks(&self) -> Vec<HookCall> {
        self.seen().hooks.clone()
    }

    /// Returns the batches, in the order in which they were sent.
    #[must_use]
    pub fn batches(&self) -> Vec<Batch> {
        self.seen().batches.clone()
    }

    /// Clears the record and the counts.
    pub fn forget(&self) {
        *self.seen() = Seen::default();
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: fmt::Display> fmt::Display for Recording<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[deny(clippy::missing_trait_methods)]
impl<T: Transport> Transport for Recording<T> {
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
        Box::pin(async move {
            self.seen().batches.push(batch.clone());
            self.inner.execute(batch).await
        })
    }

    fn upload<'a>(
        &'a self,
        upload: &'a Upload,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<Uploaded, TransportError>> {
        Box::pin(async move {
            self.seen().uploads += 1;
            let uploaded = self.inner.upload(upload, progress).await;
            self.seen().brought.extend(uploaded.as_ref().ok());
            uploaded
        })
    }

    fn run<'a>(
        &'a self,
        call: &'a HookCall,
        output: &'a dyn LineSink,
    ) -> BoxFuture<'a, Result<HookExit, TransportError>> {
        Box::pin(async move {
            self.seen().hooks.push(call.clone());
            self.inner.run(call, output).await
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.inner.close()
    }
}
