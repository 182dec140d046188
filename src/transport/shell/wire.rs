//! [`Wire`]: the output of a channel, and the one way to read a reply from it.

use std::{fmt, io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::{
    path::HostPath,
    token::Token,
    transport::{StepFailure, TransportError},
};

use super::{
    channel::{Channel, ChannelEnd, Streams, beside, drain},
    frame::{Frame, FrameError, Frames},
    output_tail::OutputTail,
    reply::{Misfit, failed},
};

/// The reason why a reply was lost.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    /// The channel ended before the reply.
    #[error("the connection ended{}", said(.0))]
    Ended(String),
    /// The reply exceeded its time limit.
    #[error("no answer within {} s{}", .0.as_secs_f64(), said(.1))]
    Late(Duration, String),
    /// The channel could not be read.
    #[error("cannot read from the connection")]
    Read(#[source] io::Error),
    /// The output is not a valid reply.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The reply does not fit the request.
    #[error(transparent)]
    Misfit(#[from] Misfit),
}

/// Returns the host's other output, if any, for a message.
fn said(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(", after printing: {text}") }
}

/// The reason for an exchange without a full reply.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) enum Failure<F = StepFailure> {
    /// The root cannot be used.
    Root(StepFailure),
    /// The work failed.
    Work(F),
    /// The host lacks a requirement, in words, and nothing ran.
    Lacks(String),
    /// The reply was lost.
    Lost(Lost),
}

impl<F, L: Into<Lost>> From<L> for Failure<F> {
    fn from(lost: L) -> Self {
        Self::Lost(lost.into())
    }
}

impl<F> Failure<F> {
    /// Returns the error for `host`, whose root is `root`; `work` makes that of failed work.
    pub(super) fn into_error(
        self,
        host: &impl fmt::Display,
        root: &HostPath,
        work: impl FnOnce(String, F) -> TransportError,
    ) -> TransportError {
        let host = host.to_string();
        match self {
            Self::Root(failure) => TransportError::Root { host, root: root.clone(), failure },
            Self::Work(failure) => work(host, failure),
            Self::Lacks(lacks) => TransportError::Unsuitable { host, lacks },
            Self::Lost(lost) => TransportError::unknown(host, lost),
        }
    }
}

/// The reply to one request, line by line.
///
/// Its [reader](Wire::read) knows about lacking programs, the root and the end.
pub(super) trait Replying {
    /// The whole reply.
    type Reply;
    /// The failure of the work.
    type Failed;

    /// Takes the next line.
    fn line(&mut self, line: Frame) -> Result<(), Misfit>;

    /// Ends the reply, unless lines are missing.
    fn end(self) -> Result<Result<Self::Reply, Self::Failed>, Misfit>;

    /// Returns the longest time to wait for the next line of a reply that goes on for as long as something runs.
    fn silence(&self) -> Option<Duration> {
        None
    }
}

/// The output of a channel.
pub(super) struct Wire {
    pub(super) nonce: Token,
    pub(super) frames: Frames,
    pub(super) stderr: OutputTail,
    /// The host's first frame.
    pub(super) hello: Option<Hello>,
    /// Whether the host's other output may hold secrets, so that no message shows it.
    pub(super) is_secret: bool,
}

/// A host's first reply: the availability of the programs in the request.
#[derive(Debug, Default)]
pub(super) struct Hello {
    /// The required programs that it lacks.
    lacks: Vec<String>,
    /// The optional programs that it has.
    pub(super) has: Vec<String>,
}

impl Hello {
    fn of(programs: &[Vec<u8>]) -> Self {
        let programs = programs.iter().map(|program| String::from_utf8_lossy(program).into_owned());
        let (has, lacks): (Vec<_>, Vec<_>) = programs.partition(|program| program.starts_with('+'));
        Self { lacks, has: has.iter().map(|word| word[1..].to_owned()).collect() }
    }
}

impl Wire {
    pub(super) fn new() -> Self {
        let nonce = Token::random();
        let frames = Frames::new(nonce.as_str());
        Self { nonce, frames, stderr: OutputTail::default(), hello: None, is_secret: false }
    }

    /// Sends `script`, as the last input if `is_last`, and reads the reply to exchange number `exchange`.
    pub(super) async fn ask<R: Replying>(
        &mut self,
        channel: &mut Channel,
        (script, is_last): (&[u8], bool),
        exchange: u64,
        reply: R,
    ) -> Result<R::Reply, Failure<R::Failed>> {
        let Streams { stdin, stdout, stderr } = channel.streams();
        let send = async {
            let Some(open) = stdin else { return };
            // A failure shows as a missing reply.
            let _: io::Result<()> = open.write_all(script).await;
            let _: io::Result<()> = if is_last { open.shutdown().await } else { open.flush().await };
            stdin.take_if(|_| is_last);
        };
        beside(self.read((stdout, stderr), exchange, reply), send).await
    }

    /// Reads the reply to exchange number `exchange`, and drains standard error meanwhile.
    pub(super) async fn read<R: Replying>(
        &mut self,
        (stdout, stderr): (&mut (dyn AsyncRead + Send + Unpin), &mut (dyn AsyncRead + Send + Unpin)),
        exchange: u64,
        mut reply: R,
    ) -> Result<R::Reply, Failure<R::Failed>> {
        let Self { frames, stderr: tail, hello, .. } = self;
        let read = async {
            let (mut root, mut has_begun) = (None, false);
            frames.begin();
            loop {
                let frame = match reply.silence() {
                    None => next(frames, hello, stdout).await?,
                    Some(limit) => {
                        frames.begin();
                        let next = timeout(limit, next(frames, hello, stdout)).await;
                        next.map_err(|_| Lost::Late(limit, String::new()))??
                    }
                };
                let line = frame.numbered(exchange).ok_or(Misfit)?;
                match (&line.words()[..], &line.values[..]) {
                    (["end"], []) => break,
                    (["root", failure @ ..], values) if !has_begun => root = Some(failed(failure, values)?),
                    _ if root.is_some() => return Err(Misfit.into()),
                    _ => reply.line(line)?,
                }
                has_begun = true;
            }
            match (root, hello.as_ref().map_or(&[][..], |hello| &hello.lacks)) {
                (Some(failure), _) => Err(Failure::Root(failure)),
                (None, []) => reply.end()?.map_err(Failure::Work),
                (None, lacks) if !has_begun => Err(Failure::Lacks(lacking(lacks))),
                _ => Err(Misfit.into()),
            }
        };
        beside(read, drain(stderr, tail)).await
    }

    /// Finds the reason for a lost `reply` in the end of its channel: a process that exited by itself without the hello
    /// certainly ran nothing. A host that sent the hello may have run something, whatever its end.
    pub(super) async fn settle<T, F>(
        &self,
        reply: Result<T, Failure<F>>,
        channel: Channel,
        deadline: Duration,
    ) -> Result<T, Failure<F>> {
        match reply {
            Err(Failure::Lost(Lost::Ended(_)))
                if self.hello.is_none() && timeout(deadline, channel.end()).await == Ok(ChannelEnd::Exited) =>
            {
                Err(Failure::Lacks(format!("it has no POSIX shell{}", said(&self.said()))))
            }
            Err(Failure::Lost(Lost::Ended(_))) => Err(Lost::Ended(self.said()).into()),
            reply => reply,
        }
    }

    /// Returns the host's output other than replies.
    pub(super) fn said(&self) -> String {
        if self.is_secret {
            return String::new();
        }
        let (out, err) = (self.frames.noise.to_string(), self.stderr.to_string());
        [out, err].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" / ")
    }
}

/// Returns the next frame except the hello, which it keeps.
async fn next(
    frames: &mut Frames,
    hello: &mut Option<Hello>,
    stdout: &mut (dyn AsyncRead + Send + Unpin),
) -> Result<Frame, Lost> {
    let mut chunk = vec![0; 16 << 10];
    loop {
        while let Some(frame) = frames.next() {
            match &frame.words[..] {
                [word, _version] if word == "hello" => *hello = Some(Hello::of(&frame.values)),
                _ => return Ok(frame),
            }
        }
        match stdout.read(&mut chunk).await.map_err(Lost::Read)? {
            0 => return Err(Lost::Ended(String::new())),
            length => frames.push(&chunk[..length])?,
        }
    }
}

/// Returns the message for missing commands.
fn lacking(lacks: &[String]) -> String {
    match lacks {
        [one] => format!("it lacks the command {one}"),
        more => format!("it lacks the commands {}", more.join(", ")),
    }
}
