//! [`ShellTransport`]: access to any host with a POSIX shell, over any connection.
//!
//! A batch becomes one shell function, which is sent whole and then called: the host has all of it before its first
//! step runs. All batches share one open `sh -s`; each upload and each command has a channel of its own.
//!
//! [`CommandShell`] gives a [`Transport`] over any command that starts a process on a host and carries its standard
//! streams (`docker exec -i`, `kubectl exec -i`). For anything else that can, implement [`Shell`].

mod chain;
mod channel;
mod command;
mod compare;
mod frame;
mod functions;
pub(super) mod hook;
mod minify;
mod output_tail;
mod prelude;
mod quote;
mod reply;
mod script;
mod session;
mod survey;
mod together;
mod upload;
mod wire;

pub use channel::{Channel, ChannelEnd, Shell, ShellCommand};
pub use command::CommandShell;
#[cfg(any(test, feature = "testing"))]
pub(crate) use frame::WORDS;
pub use quote::{NulByte, ShellWord};

use std::{
    fmt,
    mem::take,
    sync::{self, Arc, PoisonError, Weak},
    time::{Duration, Instant},
};

use tokio::{
    sync::Mutex,
    time::{sleep, timeout},
};

use crate::{future::BoxFuture, token::Token, transport::TransportError};

use super::{Batch, HookCall, HookExit, LineSink, Progress, Reply, Transport, Upload, Uploaded};
use session::Session;
use upload::{Compression, UploadChannel};

/// Accesses a host through the POSIX shells that `S` opens.
///
/// Calls of [`execute`](Transport::execute) take turns; uploads and commands run beside them.
pub struct ShellTransport<S> {
    shell: S,
    exchange_timeout: Duration,
    /// The interval of the lines that tell a far host that its client is alive.
    ///
    /// After four silent intervals its shell ends itself.
    beat: Duration,
    session: Arc<Mutex<Kept>>,
    /// The channel for the next upload.
    spare: Mutex<Option<UploadChannel>>,
    /// The compression that the host supports, from its last reply; none before the first.
    takes: sync::Mutex<Compression>,
}

/// The channel for batches.
#[derive(Default)]
enum Kept {
    /// No channel; the next batch opens one.
    #[default]
    Nothing,
    Session(Box<Session>),
    /// The failure to open one in advance, and its time.
    Failure(Instant, TransportError),
}

impl<S: Shell> ShellTransport<S> {
    /// Creates a transport that uses `shell`.
    ///
    /// Once a channel is open, one exchange takes at most `exchange_timeout`, and sixty times that if a step reads
    /// every file of a release.
    pub fn new(shell: S, exchange_timeout: Duration) -> Self {
        Self {
            shell,
            exchange_timeout,
            beat: BEAT,
            session: Arc::default(),
            spare: Mutex::new(None),
            takes: sync::Mutex::default(),
        }
    }

    async fn exchange(&self, batch: &Batch) -> Result<Vec<Reply>, TransportError> {
        let body = script::compile(batch).map_err(|index| self.unsuitable(nul(index)))?;
        let since = Instant::now();
        let mut kept = self.session.lock().await;
        let session = self.session(take(&mut kept), since).await?;
        let (outcome, again) = session.exchange(batch, &body, (self.patience(batch), self.exchange_timeout)).await;
        if let Some(session) = &again {
            self.learn(session.has());
        }
        *kept = again.map_or(Kept::Nothing, |session| Kept::Session(session.into()));
        drop(kept);
        outcome.map_err(|failure| {
            failure.into_error(self, &batch.root, |host, (failure, replies)| {
                TransportError::step(host, batch, replies.len(), failure, replies)
            })
        })
    }

    /// Returns the time limit for the reply to `batch`.
    fn patience(&self, batch: &Batch) -> Duration {
        let reads_contents = batch.steps.iter().any(|step| step.op.reads_contents());
        self.exchange_timeout.saturating_mul(if reads_contents { READING } else { 1 })
    }

    /// Records the compression that the host supports.
    fn learn(&self, programs: &[String]) {
        if self.shell.is_far() {
            *self.takes.lock().unwrap_or_else(PoisonError::into_inner) = Compression::best(programs);
        }
    }

    fn takes(&self) -> Compression {
        *self.takes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the kept session if it is still open, or a new one, for a caller that waits since `since`.
    async fn session(&self, kept: Kept, since: Instant) -> Result<Session, TransportError> {
        match kept {
            Kept::Session(mut session) => {
                if session.stands().await {
                    return Ok(*session);
                }
            }
            // The caller waited for this attempt: do not retry. After an earlier failure the host may be reachable by
            // now.
            Kept::Failure(at, error) if at >= since => return Err(error),
            Kept::Failure(..) | Kept::Nothing => {}
        }
        let channel = self.shell.open(Session::command()).await?;
        let beat = self.shell.is_far().then_some(self.beat);
        let session = Session::new(channel, beat);
        if let Some(beat) = beat {
            tokio::spawn(keep_alive(Arc::downgrade(&self.session), session.nonce().clone(), beat));
        }
        Ok(session)
    }

    fn unsuitable(&self, lacks: String) -> TransportError {
        TransportError::Unsuitable { host: self.to_string(), lacks }
    }
}

/// The factor of the exchange timeout for steps that read every file of a release.
///
/// Their time depends on the release's size. `ssh` notices a lost connection sooner.
const READING: u32 = 60;

/// The interval of the heartbeat. Four intervals end before the minute after which nothing of a run may be
/// left.
const BEAT: Duration = Duration::from_secs(14);

/// Tells the host at every interval that the client is alive, for as long as the session `nonce` is kept.
async fn keep_alive(kept: Weak<Mutex<Kept>>, nonce: Token, every: Duration) {
    loop {
        sleep(every).await;
        let Some(kept) = kept.upgrade() else { return };
        // A locked session is in an exchange: its shell is at work.
        let Ok(mut kept) = kept.try_lock() else { continue };
        match &mut *kept {
            Kept::Session(session) if *session.nonce() == nonce => session.beat().await,
            _ => return,
        }
    }
}

/// Returns the message for a step with a NUL byte, which no shell word can hold.
fn nul(index: usize) -> String {
    format!("step {} contains a NUL byte, which no shell accepts", index + 1)
}

impl<S: Shell> Transport for ShellTransport<S> {
    fn connect(&self) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async {
            let since = Instant::now();
            let mut kept = self.session.lock().await;
            *kept = Kept::Session(self.session(take(&mut kept), since).await?.into());
            Ok(())
        })
    }

    fn expect_upload(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            // Whoever holds the lock opens the session, or has it.
            if let Ok(mut kept) = self.session.try_lock()
                && !matches!(*kept, Kept::Session(_))
            {
                match self.session(Kept::Nothing, Instant::now()).await {
                    Ok(session) => *kept = Kept::Session(session.into()),
                    Err(error) => {
                        *kept = Kept::Failure(Instant::now(), error);
                        return;
                    }
                }
            }
            let mut spare = self.spare.lock().await;
            if spare.is_none() {
                // Limit the whole attempt too. If it fails, the upload reports the cause when it fails to open a
                // channel itself.
                let opening = timeout(self.exchange_timeout, UploadChannel::open(&self.shell, self.exchange_timeout));
                *spare = opening.await.ok().and_then(Result::ok);
            }
        })
    }

    fn try_upload(&self) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(upload::try_upload(&self.shell, self.exchange_timeout))
    }

    fn execute<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Vec<Reply>, TransportError>> {
        Box::pin(self.exchange(batch))
    }

    fn upload<'a>(
        &'a self,
        upload: &'a Upload,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<Uploaded, TransportError>> {
        Box::pin(async {
            let spare = self.spare.lock().await.take();
            upload::upload(&self.shell, spare, self.exchange_timeout, self.takes(), upload, progress).await
        })
    }

    fn run<'a>(
        &'a self,
        call: &'a HookCall,
        output: &'a dyn LineSink,
    ) -> BoxFuture<'a, Result<HookExit, TransportError>> {
        Box::pin(hook::run(&self.shell, self.exchange_timeout, call, output))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            *self.session.lock().await = Kept::Nothing;
            self.spare.lock().await.take();
            self.shell.close().await;
        })
    }
}

impl<S: fmt::Display> fmt::Display for ShellTransport<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shell.fmt(f)
    }
}

impl<S: fmt::Debug> fmt::Debug for ShellTransport<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShellTransport").field("shell", &self.shell).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fmt, fs, process,
        time::{Duration, Instant},
    };

    use super::{
        BoxFuture, ShellTransport, Transport, TransportError,
        channel::{Channel, Shell, ShellCommand},
    };
    use crate::transport::Batch;

    /// A `sh` whose input is also copied to a file.
    #[derive(Debug)]
    struct Copied(tempfile::TempDir);

    impl fmt::Display for Copied {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("far")
        }
    }

    impl Shell for Copied {
        fn open(&self, command: ShellCommand) -> BoxFuture<'_, Result<Channel, TransportError>> {
            let mut sh = process::Command::new("sh");
            sh.args(["-c", "tee input | \"$@\"", "sh"]).args(command.arguments()).current_dir(self.0.path());
            let channel = Channel::start(sh).expect("every machine has sh");
            Box::pin(async { Ok(channel) })
        }

        fn close(&self) -> BoxFuture<'_, ()> {
            Box::pin(async {})
        }

        fn is_far(&self) -> bool {
            true
        }
    }

    #[tokio::test]
    async fn an_idle_session_tells_a_far_shell_that_its_client_lives() {
        let dir = tempfile::tempdir().expect("a directory");
        let (root, input) = (dir.path().to_str().expect("UTF-8"), dir.path().join("input"));
        let batch = Batch::new(root.parse().expect("a path"));
        let transport = ShellTransport {
            beat: Duration::from_millis(5),
            ..ShellTransport::new(Copied(dir), Duration::from_secs(60))
        };
        transport.execute(&batch).await.expect("an empty batch");
        let began = Instant::now();
        // `tee` writes to the shell first, so the file may still lack the end of the batch.
        while !fs::read(&input).expect("the input").ends_with(&b":\n".repeat(10)) {
            assert!(began.elapsed() < Duration::from_secs(60), "no line came");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        transport.execute(&batch).await.expect("the session still works");
    }
}
