//! [`LocalTransport`]: access to this machine.

mod ask;
mod batch;
mod chain;
mod change;
mod changes;
mod errno;
mod group;
mod identity;
mod mounts;
mod remove;
mod rename;
mod root;
mod survey;
mod upload;
mod users;
mod way;

use std::{fmt, sync::Arc};

use tokio::{sync::watch, task};

use crate::{claim::Running, future::BoxFuture};

use super::{
    Batch, HookCall, HookExit, LineSink, Progress, Reply, Transport, TransportError, Upload, Uploaded,
    shell::CommandShell,
};

/// Accesses roots on this machine with system calls. Runs commands with the `sh` of the search path.
///
/// Only for Linux: the type does not exist elsewhere. A controller on another system reaches its hosts over SSH.
///
/// # Symlinks
///
/// Each batch opens the root once, and reaches every path inside it from there without following symlinks (`openat2(2)`
/// with `RESOLVE_NO_SYMLINKS`, or `openat(2)` name by name). So somebody with write access to the root can make a step
/// fail, but never make it act outside.
///
/// # Cancellation
///
/// Batches run on Tokio's threads for blocking work. Once begun, a batch runs to its end, even if its future is
/// dropped. An upload stops soon after its future is dropped.
///
/// ```
/// use switchback::transport::{LocalTransport, Transport, raw::{Batch, Op, Reply}};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let mut batch = Batch::new("/tmp".parse()?);
/// batch.push(Op::Inspect { path: ".".parse()? });
/// let replies = LocalTransport::new().execute(&batch).await?;
/// assert!(matches!(replies[..], [Reply::Entry(Some(_))]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct LocalTransport {
    name: Arc<str>,
}

impl LocalTransport {
    /// Creates a transport for this machine, called `local`.
    #[must_use]
    pub fn new() -> Self {
        Self::named("local")
    }

    /// Creates a transport for this machine, with a name of its own for messages.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into().into() }
    }
}

impl Default for LocalTransport {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for LocalTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

impl Transport for LocalTransport {
    fn execute<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Vec<Reply>, TransportError>> {
        Box::pin(async move {
            let (name, batch) = (Arc::clone(&self.name), batch.clone());
            let running = Running::on(&batch.root);
            let run = task::spawn_blocking(move || {
                let _running = running;
                batch::run(&batch, &name)
            });
            run.await.unwrap_or_else(|error| Err(TransportError::unknown(self, error)))
        })
    }

    fn upload<'a>(
        &'a self,
        upload: &'a Upload,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<Uploaded, TransportError>> {
        Box::pin(async move {
            let (name, upload) = (Arc::clone(&self.name), upload.clone());
            let (told, mut so_far) = watch::channel(Uploaded::default());
            let running = Running::on(&upload.root);
            let run = task::spawn_blocking(move || {
                let _running = running;
                copy(&name, &upload, told)
            });
            // The channel closes when the copy ends, since that drops the sender.
            while so_far.changed().await.is_ok() {
                let Uploaded { files, bytes } = *so_far.borrow_and_update();
                progress.advanced(files, bytes);
            }
            run.await.unwrap_or_else(|error| Err(TransportError::unknown(self, error)))
        })
    }

    fn run<'a>(
        &'a self,
        call: &'a HookCall,
        output: &'a dyn LineSink,
    ) -> BoxFuture<'a, Result<HookExit, TransportError>> {
        Box::pin(CommandShell::local(Arc::clone(&self.name)).run(call, output))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

fn copy(name: &str, upload: &Upload, told: watch::Sender<Uploaded>) -> Result<Uploaded, TransportError> {
    let root = batch::open_root(&Batch::new(upload.root.clone()), name)?;
    upload::upload(&root, upload, told).map_err(|failed| match failed {
        upload::Failed::Host(failure) => {
            TransportError::Upload { host: name.to_owned(), root: upload.root.clone(), failure }
        }
        upload::Failed::Source(source) => TransportError::Source { host: name.to_owned(), source },
    })
}
