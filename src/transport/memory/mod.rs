//! [`MemoryTransport`]: a host in memory, the model that the other transports are tested against.

mod chain;
mod hook;
mod host;
mod model;
mod step;
mod upload;
mod way;

pub use host::MemoryHost;

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{future::BoxFuture, path::HostPath};

use super::{
    Batch, FailureKind, FileId, HookCall, HookEnd, HookExit, LineSink, OnFailure, Progress, Reply, StepFailure,
    Transport, TransportError, Upload, Uploaded, hook::Output,
};

use hook::{Claim, Seen};
use model::{Model, Way};

/// A connection to a [`MemoryHost`], and a process on it.
///
/// The process ends when the connection is dropped, closed or killed; a later call starts a new one. Each batch runs as
/// a whole: no other connection sees the host between two of its steps.
///
/// ```
/// use switchback::transport::{MemoryHost, Transport, raw::{Batch, Op, Reply}};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let host = MemoryHost::new();
/// let mut batch = Batch::new("/srv/shop".parse()?);
/// batch.make_root = true;
/// batch.push(Op::MakeLink { path: "current".parse()?, text: b"releases/1".to_vec() });
/// assert_eq!(host.connect("web1").execute(&batch).await?, [Reply::Done]);
/// assert_eq!(host.read_link("/srv/shop/current").as_deref(), Some("releases/1"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct MemoryTransport {
    host: MemoryHost,
    name: String,
    process: Mutex<Option<u32>>,
}

impl MemoryTransport {
    fn new(host: MemoryHost, name: String) -> Self {
        Self { host, name, process: Mutex::new(None) }
    }

    fn resumed(host: MemoryHost, name: String, process: u32) -> Self {
        Self { host, name, process: Mutex::new(Some(process)) }
    }

    /// Ends the connection, and returns its process, which keeps running; `None` when it has none.
    #[must_use]
    pub fn leave(self) -> Option<u32> {
        self.own_process().take()
    }

    /// Ends this connection's process on the host at once, as a crash would.
    pub fn kill(&self) {
        // Take the process before locking the host: a batch locks the host first and then the process.
        let process = self.own_process().take();
        if let Some(process) = process {
            self.host.model().end_process(process);
        }
    }

    fn own_process(&self) -> MutexGuard<'_, Option<u32>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn carry_out(&self, batch: &Batch) -> Result<Vec<Reply>, TransportError> {
        let mut model = self.host.model();
        let way = self.root(&mut model, &batch.root, batch.make_root, batch.pin)?;
        let mut own = self.own_process();
        let process = own.filter(|process| model.runs(*process)).unwrap_or_else(|| model.start_process());
        *own = Some(process);
        let mut host = step::Host { model: &mut model, root: &way, process, for_group: batch.for_group };
        let mut replies = Vec::new();
        for (index, step) in batch.steps.iter().enumerate() {
            match host.step(&step.op) {
                Ok(reply) => replies.push(reply),
                Err(failure) if step.on_failure == OnFailure::GoOn => replies.push(Reply::Failed(failure)),
                Err(failure) => return Err(TransportError::step(self, batch, index, failure, replies)),
            }
        }
        Ok(replies)
    }

    async fn hook(&self, call: &HookCall, output: &dyn LineSink) -> Result<HookExit, TransportError> {
        if let Some(lacks) = call.flaw() {
            return Err(TransportError::Unsuitable { host: self.name.clone(), lacks });
        }
        let failed = |kind: FailureKind| TransportError::Hook {
            host: self.name.clone(),
            failure: StepFailure::new(kind, format!("{}: {kind}", call.record)),
        };
        let record = match self.claim(call, failed)? {
            Claim::Theirs(record) => record,
            Claim::Ours(record, process) => {
                hook::run(&self.host, call, record, process);
                record
            }
        };
        let end = self.end_of(record).await.map_err(failed)?;
        let mut output = Output::new(output);
        hook::print(&self.host.model(), record, &mut output).map_err(failed)?;
        Ok(output.exit(end))
    }

    fn claim(&self, call: &HookCall, failed: impl Fn(FailureKind) -> TransportError) -> Result<Claim, TransportError> {
        let mut model = self.host.model();
        let way = self.root(&mut model, &call.root, false, None)?;
        hook::claim(&mut model, way[way.len() - 1], call).map_err(failed)
    }

    async fn end_of(&self, record: u64) -> Result<HookEnd, FailureKind> {
        loop {
            if let Seen::Ended(end) = hook::look(&self.host.model(), record)? {
                return Ok(end);
            }
            // Another thread runs the command.
            tokio::task::yield_now().await;
        }
    }

    fn root(&self, model: &mut Model, root: &HostPath, make: bool, pin: Option<FileId>) -> Result<Way, TransportError> {
        let way = host::root_way(model, root, make && pin.is_none()).and_then(|way| {
            let id = way.last().map(|inode| model.entry(*inode).id);
            if pin.is_some() && pin != id { Err(FailureKind::Mismatch) } else { Ok(way) }
        });
        way.map_err(|kind| TransportError::Root {
            host: self.name.clone(),
            root: root.clone(),
            failure: StepFailure::new(kind, format!("{root}: {kind}")),
        })
    }
}

impl Drop for MemoryTransport {
    fn drop(&mut self) {
        self.kill();
    }
}

impl fmt::Display for MemoryTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

impl Transport for MemoryTransport {
    fn execute<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Vec<Reply>, TransportError>> {
        Box::pin(async move { self.carry_out(batch) })
    }

    fn upload<'a>(
        &'a self,
        upload: &'a Upload,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<Uploaded, TransportError>> {
        Box::pin(async move {
            let mut model = self.host.model();
            let way = self.root(&mut model, &upload.root, false, None)?;
            upload::upload(&mut model, &way, upload, progress, &self.name)
        })
    }

    fn run<'a>(
        &'a self,
        call: &'a HookCall,
        output: &'a dyn LineSink,
    ) -> BoxFuture<'a, Result<HookExit, TransportError>> {
        Box::pin(self.hook(call, output))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { self.kill() })
    }
}
