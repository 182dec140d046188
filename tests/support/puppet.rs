//! A command on a fleet whose every call waits until somebody says what becomes of it.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::FutureExt;
use switchback::{
    BoxFuture, DirStore, Fleet, Host, HostPath, Layout, Report, Transport,
    transport::{
        HookExit, LineSink, MemoryTransport, Progress, StepFailure, TransportError, Uploaded,
        raw::{Batch, HookCall, Reply, Upload},
    },
};
use tokio::sync::oneshot;

use super::names::Names;

pub(crate) const ROOT: &str = "/srv/shop";

/// A call of a command to a host.
#[derive(Debug, Clone)]
pub(crate) enum Call {
    Execute(Batch),
    Upload(Upload),
}

/// The result of a call.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Replies(Vec<Reply>),
    Uploaded(Uploaded),
    Root(StepFailure),
    Step(usize, StepFailure, Vec<Reply>),
    Upload(StepFailure),
    Unreachable,
    Unknown,
}

/// A call that waits for its answer.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) host: usize,
    pub(crate) call: Call,
    answer: oneshot::Sender<Answer>,
}

impl Call {
    /// Executes the call at once.
    pub(crate) fn carry_out(&self, over: &MemoryTransport) -> Answer {
        let result = match self {
            Self::Execute(batch) => over.execute(batch).now_or_never().map(|replies| replies.map(Answer::Replies)),
            Self::Upload(upload) => {
                over.upload(upload, &|_, _| {}).now_or_never().map(|uploaded| uploaded.map(Answer::Uploaded))
            }
        };
        result.expect("in memory nothing waits").unwrap_or_else(Answer::of)
    }

    /// Returns the number of steps.
    pub(crate) fn steps(&self) -> usize {
        match self {
            Self::Execute(batch) => batch.steps.len(),
            Self::Upload(_) => 1,
        }
    }

    /// Whether it changes anything.
    pub(crate) fn changes(&self) -> bool {
        match self {
            Self::Execute(batch) => batch.changes(),
            Self::Upload(_) => true,
        }
    }
}

impl Answer {
    fn of(error: TransportError) -> Self {
        match error {
            TransportError::Root { failure, .. } => Self::Root(failure),
            TransportError::Step { index, failure, replies, .. } => Self::Step(index, failure, replies),
            TransportError::Upload { failure, .. } => Self::Upload(failure),
            TransportError::Unreachable { .. } => Self::Unreachable,
            _ => Self::Unknown,
        }
    }

    fn into_error(self, host: &str) -> TransportError {
        let host = host.to_owned();
        match self {
            Self::Root(failure) => TransportError::Root { host, root: ROOT.parse().expect("a path"), failure },
            Self::Step(index, failure, replies) => {
                TransportError::Step { host, root: ROOT.parse().expect("a path"), index, failure, replies }
            }
            Self::Upload(failure) => TransportError::Upload { host, root: ROOT.parse().expect("a path"), failure },
            Self::Unreachable => TransportError::Unreachable { host, source: "nobody answers".into() },
            Self::Unknown | Self::Replies(_) | Self::Uploaded(_) => {
                TransportError::unknown(host, "the answer was lost on purpose")
            }
        }
    }
}

/// A planted fault: it changes calls, and may watch the answers.
pub(crate) trait Twist {
    /// Changes a call to a host.
    fn call(&mut self, _host: usize, _call: &mut Call) {}

    /// Watches the answer of a host.
    fn answer(&mut self, _host: usize, _answer: &Answer) {}
}

impl Twist for () {}

/// The queue of one command's calls that wait for an answer.
pub(crate) struct Desk {
    requests: Mutex<Vec<Request>>,
    names: Mutex<Names>,
    twist: Mutex<Box<dyn Twist + Send>>,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

impl Desk {
    pub(crate) fn new(names: Names, twist: impl Twist + Send + 'static) -> Arc<Self> {
        Arc::new(Self { requests: Mutex::default(), names: Mutex::new(names), twist: Mutex::new(Box::new(twist)) })
    }

    /// A fleet of these hosts, whose calls wait here.
    pub(crate) fn fleet(self: &Arc<Self>, hosts: impl IntoIterator<Item = usize>) -> Fleet {
        let root: HostPath = ROOT.parse().expect("a path");
        let host = |host: usize| {
            let name = host_name(host);
            let puppet = Puppet { desk: Arc::clone(self), host, name: name.clone() };
            Host::new(name, DirStore::new(puppet, root.clone(), Layout::default()))
        };
        Fleet::new(hosts.into_iter().map(host).collect()).expect("a fleet").in_place()
    }

    fn requests(&self) -> MutexGuard<'_, Vec<Request>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn twist(&self) -> MutexGuard<'_, Box<dyn Twist + Send>> {
        self.twist.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, host: usize, call: Call) -> Answer {
        let (answer, answered) = oneshot::channel();
        let mut call = self.names().outgoing(host, call);
        self.twist().call(host, &mut call);
        self.requests().push(Request { host, call, answer });
        let answer = answered.await.unwrap_or(Answer::Unreachable);
        self.twist().answer(host, &answer);
        self.names().incoming(answer)
    }
}

/// Returns the name of a host.
pub(crate) fn host_name(host: usize) -> String {
    format!("web{:02}", host + 1)
}

/// The transport to one host of such a fleet.
#[derive(Debug)]
struct Puppet {
    desk: Arc<Desk>,
    host: usize,
    name: String,
}

impl fmt::Display for Puppet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

impl Transport for Puppet {
    fn execute<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Vec<Reply>, TransportError>> {
        Box::pin(async move {
            match self.desk.ask(self.host, Call::Execute(batch.clone())).await {
                Answer::Replies(replies) => Ok(replies),
                failed => Err(failed.into_error(&self.name)),
            }
        })
    }

    fn upload<'a>(
        &'a self,
        upload: &'a Upload,
        _: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<Uploaded, TransportError>> {
        Box::pin(async move {
            match self.desk.ask(self.host, Call::Upload(upload.clone())).await {
                Answer::Uploaded(uploaded) => Ok(uploaded),
                failed => Err(failed.into_error(&self.name)),
            }
        })
    }

    fn run<'a>(&'a self, _: &'a HookCall, _: &'a dyn LineSink) -> BoxFuture<'a, Result<HookExit, TransportError>> {
        Box::pin(async {
            Err(TransportError::Unsuitable { host: self.name.clone(), lacks: "it runs no commands".to_owned() })
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A running command.
pub(crate) struct Controller {
    desk: Arc<Desk>,
    future: Pin<Box<dyn Future<Output = Vec<Report>>>>,
    woken: Arc<Woken>,
    /// The reports when it is done: one for each fleet it worked on.
    pub(crate) reports: Option<Vec<Report>>,
}

impl Controller {
    /// Starts a command whose calls wait on `desk`, and runs it until it can only wait.
    pub(crate) fn begin(desk: &Arc<Desk>, command: impl Future<Output = Vec<Report>> + 'static) -> Self {
        let mut controller =
            Self { desk: Arc::clone(desk), future: Box::pin(command), woken: Arc::default(), reports: None };
        controller.advance();
        controller
    }

    /// Returns the number of calls that wait for an answer.
    pub(crate) fn waiting(&self) -> usize {
        let mut requests = self.desk.requests();
        requests.retain(|request| !request.answer.is_closed());
        requests.len()
    }

    /// Returns the host and the content of a waiting call.
    pub(crate) fn call(&self, at: usize) -> (usize, Call) {
        let requests = self.desk.requests();
        (requests[at].host, requests[at].call.clone())
    }

    /// Answers a waiting call, and runs the command until it can only wait.
    pub(crate) fn answer(&mut self, at: usize, answer: Answer) {
        let request = self.desk.requests().remove(at);
        // If nobody listens any more, the command has gone on without the answer.
        let _ = request.answer.send(answer);
        self.advance();
    }

    /// Runs the command until it can only wait.
    pub(crate) fn advance(&mut self) {
        let waker = Waker::from(Arc::clone(&self.woken));
        let mut context = Context::from_waker(&waker);
        while self.reports.is_none() {
            self.woken.0.store(false, Ordering::SeqCst);
            match self.future.as_mut().poll(&mut context) {
                Poll::Ready(reports) => self.reports = Some(reports),
                Poll::Pending if self.woken.0.load(Ordering::SeqCst) => {}
                Poll::Pending => return,
            }
        }
    }
}
