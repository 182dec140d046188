//! The tasks in which commands run, so that a command ends in order although its caller stopped waiting.
//!
//! A command that changes something owns everything it needs and runs in a task of its own. Its caller waits for the
//! task; a caller who drops the future only requests a stop. A dropped task, in contrast, could not revert anything:
//! that happens when the whole runtime is shut down, and leaves the locks to the next command.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{runtime::Handle, sync::watch};

use crate::{
    error::{Error, ErrorKind},
    event::{Event, Observer},
    future::BoxFuture,
    hint::Hint,
    report::{Command, Report},
    run_error::RunError,
    token::Token,
};

use super::{Call, Cancel, Fleet};

/// The number of tasks of a fleet that have not ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Tasks(watch::Sender<usize>);

impl Tasks {
    fn enter(&self) -> Ticket {
        self.0.send_modify(|running| *running += 1);
        Ticket(self.clone())
    }

    /// Waits until no task runs.
    pub(super) async fn ended(&self) {
        let _ = self.0.subscribe().wait_for(|running| *running == 0).await;
    }
}

/// A task that has not ended.
struct Ticket(Tasks);

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.0.send_modify(|running| *running -= 1);
    }
}

impl Fleet {
    /// Runs a command in a task, and waits for it. A caller who stops waiting requests its stop.
    pub(super) async fn in_task<F>(
        &self,
        command: Command,
        call: Call,
        work: impl FnOnce(Self, Call) -> F,
    ) -> Result<Report, RunError>
    where
        F: Future<Output = Report> + Send + 'static,
    {
        if self.in_place {
            return RunError::check(Box::pin(work(self.clone(), call)).await);
        }
        let runtime = runtime(command)?;
        let cancel = call.cancel.of_one();
        let observer = Arc::new(Guarded { observer: call.observer, cancel: cancel.clone(), panic: Mutex::default() });
        let work = work(self.clone(), Call { observer: observer.clone(), cancel: cancel.clone() });
        let ticket = self.tasks.enter();
        let _stop = StopOnDrop(cancel);
        let task = runtime.spawn(async move {
            let report = work.await;
            drop(ticket);
            report
        });
        match task.await {
            Ok(report) => {
                if let Some(panic) = observer.panic() {
                    resume_unwind(panic);
                }
                RunError::check(report)
            }
            Err(ended) if ended.is_panic() => resume_unwind(ended.into_panic()),
            Err(_) => {
                let what = "the runtime was shut down during the command; where the hosts are is not known";
                Err(RunError::unknown(command, Error::new(ErrorKind::Unknown, what).hint(Hint::Status)))
            }
        }
    }

    /// Runs a command that changes nothing. It is boxed, so that the future of its caller stays small.
    pub(super) async fn in_caller(&self, command: Command, work: BoxFuture<'_, Report>) -> Result<Report, RunError> {
        if !self.in_place {
            runtime(command)?;
        }
        RunError::check(work.await)
    }
}

/// Returns the runtime that polls the caller.
fn runtime(command: Command) -> Result<Handle, RunError> {
    Handle::try_current().map_err(|error| {
        let what = "the commands of a fleet need a Tokio runtime; nothing was touched";
        RunError::refused(command, Error::new(ErrorKind::Internal, what).because(error))
    })
}

/// Requests a stop when the caller of a command stops waiting for it. At its end, nobody listens any more.
struct StopOnDrop(Cancel);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.request();
    }
}

/// An observer whose panic stops the command instead of unwinding through it, and continues in the caller.
struct Guarded {
    observer: Arc<dyn Observer>,
    cancel: Cancel,
    panic: Mutex<Option<Panic>>,
}

type Panic = Box<dyn Any + Send>;

impl Guarded {
    /// Calls the observer, until it panics once.
    fn guard(&self, tell: impl FnOnce(&dyn Observer)) {
        let panicked = || self.panic.lock().unwrap_or_else(PoisonError::into_inner);
        if panicked().is_some() {
            return;
        }
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| tell(self.observer.as_ref()))) {
            self.cancel.request();
            panicked().get_or_insert(panic);
        }
    }

    fn panic(&self) -> Option<Panic> {
        self.panic.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Observer for Guarded {
    fn event(&self, event: &Event) {
        self.guard(|observer| observer.event(event));
    }

    fn event_of(&self, operation: &Token, event: &Event) {
        self.guard(|observer| observer.event_of(operation, event));
    }
}
