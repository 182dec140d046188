//! [`Shell`], which opens channels to a host, and [`Channel`].

use std::{
    fmt,
    future::{Future, poll_fn},
    io,
    os::unix::process::CommandExt,
    pin::{Pin, pin},
    process::{self, Stdio},
    task::Poll,
};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use crate::{future::BoxFuture, transport::TransportError};

use super::output_tail::OutputTail;

/// A source of POSIX shells on one host, for a [`ShellTransport`](super::ShellTransport).
///
/// # Contract
///
/// - A channel is a process of its own. Its three streams carry bytes unchanged: no terminal.
/// - Nothing is sent before the first call of [`open`](Self::open).
/// - The future of [`open`](Self::open) may be dropped before it is done, as a channel may turn out not to be needed.
/// - Dropping a channel ends the standard input of its process, and does not kill it.
/// - `Display` names the host in messages.
pub trait Shell: fmt::Debug + fmt::Display + Send + Sync + 'static {
    /// Runs `command` on the host.
    ///
    /// # Errors
    ///
    /// [`TransportError::Unreachable`] or [`TransportError::Unsuitable`]: nothing ran.
    fn open(&self, command: ShellCommand) -> BoxFuture<'_, Result<Channel, TransportError>>;

    /// Ends everything that is kept between channels.
    fn close(&self) -> BoxFuture<'_, ()>;

    /// Whether the host is across a network, so that uploads should use compression.
    ///
    /// `false` by default: through a pipe on one machine, 180 MB of plain text took half the time that `zstd` took.
    fn is_far(&self) -> bool {
        false
    }
}

/// The command of a channel: one of two constants, safe under every login shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShellCommand(Input);

/// The use of standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    /// All of it is commands.
    Commands,
    /// The first line is commands, which then read the rest themselves.
    CommandsAndData,
}

/// Runs the first line of input.
///
/// `read` reads byte by byte where it cannot seek, and so leaves the rest to the commands. The text contains nothing
/// that csh or fish treat differently between single quotes: no backslash, newline, `!` or single quote.
const READ_A_LINE: &str = "IFS= read -r sb_line && eval \"$sb_line\"";

impl ShellCommand {
    /// Returns the command of a shell that reads all its commands from standard input.
    pub(super) fn batches() -> Self {
        Self(Input::Commands)
    }

    /// Returns the command of a shell that reads a line of commands, and leaves the rest of the input to them.
    pub(super) fn stream() -> Self {
        Self(Input::CommandsAndData)
    }

    /// Returns the command as a program and its arguments.
    #[must_use]
    pub fn arguments(self) -> &'static [&'static str] {
        match self.0 {
            Input::Commands => &["sh", "-s"],
            Input::CommandsAndData => &["sh", "-c", READ_A_LINE],
        }
    }

    /// Returns the command as one line for the host's login shell, whichever that is.
    #[must_use]
    pub fn line(self) -> String {
        match self.0 {
            Input::Commands => "sh -s".into(),
            Input::CommandsAndData => format!("sh -c '{READ_A_LINE}'"),
        }
    }
}

/// The end of a channel's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelEnd {
    /// The process certainly exited by itself, and all of its output was received.
    Exited,
    /// The process was killed, the connection was lost, or the end is unknown.
    Lost,
}

/// A process on a host, and its streams.
pub struct Channel {
    stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    stdout: Box<dyn AsyncRead + Send + Unpin>,
    stderr: Box<dyn AsyncRead + Send + Unpin>,
    end: BoxFuture<'static, ChannelEnd>,
}

impl Channel {
    /// Starts `command` on this machine as a channel; its output and its end are those of the host's process.
    ///
    /// It gets a process group of its own, since an interrupt from the terminal is meant for this program alone.
    ///
    /// # Errors
    ///
    /// The system's, when the command does not start.
    pub fn start(mut command: process::Command) -> io::Result<Self> {
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = tokio::process::Command::from(command).spawn()?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let end = async move {
            // After a signal nobody knows what the host's process did.
            let exited = child.wait().await.is_ok_and(|status| status.code().is_some());
            if exited { ChannelEnd::Exited } else { ChannelEnd::Lost }
        };
        Ok(Self::new(stdin, stdout, stderr, end))
    }

    /// Creates a channel from these streams.
    ///
    /// `end` is awaited after standard output has ended, and may hold the resources that keep the channel open.
    pub fn new(
        stdin: impl AsyncWrite + Send + Unpin + 'static,
        stdout: impl AsyncRead + Send + Unpin + 'static,
        stderr: impl AsyncRead + Send + Unpin + 'static,
        end: impl Future<Output = ChannelEnd> + Send + 'static,
    ) -> Self {
        Self { stdin: Some(Box::new(stdin)), stdout: Box::new(stdout), stderr: Box::new(stderr), end: Box::pin(end) }
    }

    /// Returns its three streams; standard input is `None` once it has ended.
    pub(super) fn streams(&mut self) -> Streams<'_> {
        Streams { stdin: &mut self.stdin, stdout: &mut self.stdout, stderr: &mut self.stderr }
    }

    /// Ends standard input, and returns the end of the process.
    pub(super) async fn end(mut self) -> ChannelEnd {
        self.stdin = None;
        self.end.await
    }

    /// Returns the output available without waiting; `None` once standard output has ended.
    ///
    /// More than a MiB at once counts as ended: an idle channel prints no more than noise.
    pub(super) async fn peek(&mut self) -> Option<Vec<u8>> {
        let mut seen = Vec::new();
        let mut chunk = vec![0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut chunk);
            let polled = poll_fn(|context| Poll::Ready(Pin::new(&mut self.stdout).poll_read(context, &mut buffer)));
            match polled.await {
                Poll::Pending => return Some(seen),
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() && seen.len() < 1 << 20 => {
                    seen.extend_from_slice(buffer.filled());
                }
                Poll::Ready(_) => return None,
            }
        }
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").finish_non_exhaustive()
    }
}

/// The streams of a channel, for use at the same time.
pub(super) struct Streams<'c> {
    pub(super) stdin: &'c mut Option<Box<dyn AsyncWrite + Send + Unpin>>,
    pub(super) stdout: &'c mut (dyn AsyncRead + Send + Unpin),
    pub(super) stderr: &'c mut (dyn AsyncRead + Send + Unpin),
}

/// Reads `stderr` to its end, so that the process never blocks on it, and keeps its tail.
pub(super) async fn drain(stderr: &mut (dyn AsyncRead + Send + Unpin), tail: &mut OutputTail) {
    let mut chunk = vec![0; 4096];
    while let Ok(1..) = stderr.read(&mut chunk).await.inspect(|length| tail.push(&chunk[..*length])) {}
}

/// Polls `other` too for as long as `main` takes.
pub(super) async fn beside<T>(main: impl Future<Output = T>, other: impl Future<Output = ()>) -> T {
    let (mut main, mut other) = (pin!(main), pin!(other));
    let mut done = false;
    poll_fn(|context| {
        if !done {
            done = other.as_mut().poll(context).is_ready();
        }
        main.as_mut().poll(context)
    })
    .await
}
