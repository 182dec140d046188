//! [`Session`]: an open channel, and the exchanges over it.

use std::{collections::BTreeSet, io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::{
    token::Token,
    transport::{Batch, OnFailure, Reply, StepFailure},
};

use super::{
    channel::{Channel, ChannelEnd, ShellCommand, Streams, beside, drain},
    frame::{Frame, FrameError, Frames},
    output_tail::OutputTail,
    prelude,
    reply::{Misfit, failure, reply, words_of},
    script::call,
    together::Waiting,
};

/// The reason why the reply to a batch was lost.
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

/// The result of an exchange.
#[derive(Debug)]
pub(super) enum Outcome {
    /// All steps ran.
    Replies(Vec<Reply>),
    /// The root cannot be used.
    Root(StepFailure),
    /// A step failed that ends the batch.
    Failed(StepFailure, Vec<Reply>),
    /// The host lacks a requirement, in words, and no step ran.
    Lacks(String),
}

/// A channel that carries one batch after the other.
pub(super) struct Session {
    channel: Channel,
    wire: Wire,
    /// The prelude, until the first batch is sent with it.
    unsent: Vec<u8>,
    /// The functions that the host has received.
    known: BTreeSet<usize>,
    exchanges: u64,
}

/// The output of a channel.
pub(super) struct Wire {
    pub(super) nonce: Token,
    pub(super) frames: Frames,
    pub(super) stderr: OutputTail,
    /// The host's first frame.
    pub(super) hello: Option<Hello>,
}

/// A host's first reply: the availability of the programs in the request.
#[derive(Debug, Default)]
pub(super) struct Hello {
    /// The required programs that it lacks.
    pub(super) lacks: Vec<String>,
    /// The optional programs that it has.
    has: Vec<String>,
}

impl Hello {
    fn of(programs: &[Vec<u8>]) -> Self {
        let programs = programs.iter().map(|program| String::from_utf8_lossy(program).into_owned());
        let (has, lacks): (Vec<_>, Vec<_>) = programs.partition(|program| program.starts_with('+'));
        Self { lacks, has: has.iter().map(|word| word[1..].to_owned()).collect() }
    }
}

impl Session {
    pub(super) fn command() -> ShellCommand {
        ShellCommand::batches()
    }

    /// Creates a session over a new channel.
    ///
    /// With a `beat`, the host ends it after four such intervals without a [line](Self::beat).
    pub(super) fn new(channel: Channel, beat: Option<Duration>) -> Self {
        let wire = Wire::new();
        Self { channel, unsent: prelude::batches(&wire.nonce, beat), known: BTreeSet::new(), wire, exchanges: 0 }
    }

    /// Returns the optional programs that the host has; empty before its first reply.
    pub(super) fn has(&self) -> &[String] {
        self.wire.hello.as_ref().map_or(&[], |hello| &hello.has)
    }

    /// Whether the channel is still open, as far as that shows without a request.
    pub(super) async fn stands(&mut self) -> bool {
        let Some(noise) = self.channel.peek().await else { return false };
        self.wire.frames.begin();
        self.wire.frames.push(&noise).is_ok() && self.wire.frames.next().is_none()
    }

    /// Returns the nonce, which identifies the session.
    pub(super) fn nonce(&self) -> &Token {
        &self.wire.nonce
    }

    /// Tells the host that the client is alive. A failure shows in the next exchange.
    pub(super) async fn beat(&mut self) {
        let Streams { stdin, .. } = self.channel.streams();
        if let (Some(stdin), true) = (stdin, self.unsent.is_empty()) {
            let beat = async {
                stdin.write_all(prelude::BEAT).await?;
                stdin.flush().await
            };
            // The next exchange reports a host that has stopped reading.
            let _ = timeout(Duration::from_secs(1), beat).await;
        }
    }

    /// Runs the compiled `batch`, and returns the session if it can be used again.
    ///
    /// Waits at most `answer` for the reply, and `end` for the end of a channel that sent none.
    pub(super) async fn exchange(
        mut self,
        batch: &Batch,
        body: &[u8],
        (answer, end): (Duration, Duration),
    ) -> (Result<Outcome, Lost>, Option<Self>) {
        self.exchanges += 1;
        let mut script = std::mem::take(&mut self.unsent);
        script.extend_from_slice(prelude::steps().needed(body, &mut self.known).as_bytes());
        script.extend_from_slice(body);
        script.extend_from_slice(&call(self.wire.nonce.as_str(), self.exchanges));
        let answered = timeout(answer, self.wire.ask(&mut self.channel, &script, batch, self.exchanges)).await;
        match answered {
            Ok(Ok(Some(outcome))) => (Ok(outcome), Some(self)),
            Ok(Ok(None)) => (self.wire.ended(self.channel, end).await.map(Outcome::Lacks), None),
            Ok(Err(lost)) => (Err(lost), None),
            Err(_) => (Err(Lost::Late(answer, self.wire.said())), None),
        }
    }
}

impl Wire {
    pub(super) fn new() -> Self {
        let nonce = Token::random();
        Self { frames: Frames::new(nonce.as_str()), nonce, stderr: OutputTail::default(), hello: None }
    }

    /// Sends `script` and reads the reply; `None` when the channel ended before its end.
    async fn ask(
        &mut self,
        channel: &mut Channel,
        script: &[u8],
        batch: &Batch,
        exchange: u64,
    ) -> Result<Option<Outcome>, Lost> {
        let Streams { stdin, stdout, stderr } = channel.streams();
        let send = async {
            if let Some(stdin) = stdin {
                // A failure shows as a missing reply.
                let _: io::Result<()> = stdin.write_all(script).await;
                let _: io::Result<()> = stdin.flush().await;
            }
        };
        let Self { frames, stderr: tail, hello, .. } = self;
        frames.begin();
        let read = read_answer(frames, hello, stdout, batch, exchange);
        beside(beside(read, send), drain(stderr, tail)).await
    }

    /// Returns the next frame except the hello, which it keeps; `None` when the channel has ended.
    pub(super) async fn frame(
        frames: &mut Frames,
        hello: &mut Option<Hello>,
        stdout: &mut (dyn AsyncRead + Send + Unpin),
    ) -> Result<Option<Frame>, Lost> {
        let mut chunk = vec![0; 16 << 10];
        loop {
            while let Some(frame) = frames.next() {
                match &frame.words[..] {
                    [word, _version] if word == "hello" => *hello = Some(Hello::of(&frame.values)),
                    _ => return Ok(Some(frame)),
                }
            }
            match stdout.read(&mut chunk).await.map_err(Lost::Read)? {
                0 => return Ok(None),
                length => frames.push(&chunk[..length])?,
            }
        }
    }

    /// Returns what the host lacks, if its channel ended without a reply and certainly ran nothing.
    pub(super) async fn ended(&mut self, channel: Channel, deadline: Duration) -> Result<String, Lost> {
        // A host that sent the hello may have run something, whatever its end.
        if self.hello.is_none() && timeout(deadline, channel.end()).await == Ok(ChannelEnd::Exited) {
            return Ok(format!("it has no POSIX shell{}", said(&self.said())));
        }
        Err(Lost::Ended(self.said()))
    }

    /// Drops the host's output other than replies, so that no message shows it.
    pub(super) fn forget_noise(&mut self) {
        self.frames.noise = OutputTail::default();
        self.stderr = OutputTail::default();
    }

    /// Returns the host's output other than replies.
    pub(super) fn said(&self) -> String {
        let (out, err) = (self.frames.noise.to_string(), self.stderr.to_string());
        [out, err].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" / ")
    }
}

async fn read_answer(
    frames: &mut Frames,
    hello: &mut Option<Hello>,
    stdout: &mut (dyn AsyncRead + Send + Unpin),
    batch: &Batch,
    exchange: u64,
) -> Result<Option<Outcome>, Lost> {
    let mut waiting = Waiting::default();
    let mut answer = Answer::default();
    while let Some(frame) = Wire::frame(frames, hello, stdout).await? {
        let open = batch.steps.iter().map(|step| &step.op).skip(answer.replies.len());
        for frame in waiting.next(frame, open)? {
            if answer.take(batch, &frame, exchange)? {
                let lacks = hello.as_ref().map_or(&[][..], |hello| &hello.lacks);
                return finish(batch, lacks, answer.replies, answer.failed).map(Some);
            }
        }
    }
    Ok(None)
}

/// The received part of a reply.
#[derive(Debug, Default)]
struct Answer {
    replies: Vec<Reply>,
    failed: Option<Outcome>,
}

impl Answer {
    /// Takes the next frame; returns whether it was the last.
    fn take(&mut self, batch: &Batch, frame: &Frame, exchange: u64) -> Result<bool, Misfit> {
        let words = words_of(frame, exchange).ok_or(Misfit)?;
        match (words, &frame.values[..]) {
            ([end], []) if end == "end" => return Ok(true),
            ([root, fail, kind], [detail]) if root == "root" && fail == "fail" => {
                self.failed = Some(Outcome::Root(failure(kind, detail)));
            }
            ([index, words @ ..], values) if self.failed.is_none() && index.parse() == Ok(self.replies.len()) => {
                let step = batch.steps.get(self.replies.len()).ok_or(Misfit)?;
                match (reply(&step.op, words, values)?, step.on_failure) {
                    (Ok(reply), _) => self.replies.push(reply),
                    (Err(failure), OnFailure::GoOn) => self.replies.push(Reply::Failed(failure)),
                    (Err(failure), OnFailure::Stop) => {
                        self.failed = Some(Outcome::Failed(failure, std::mem::take(&mut self.replies)));
                    }
                }
            }
            _ => return Err(Misfit),
        }
        Ok(false)
    }
}

fn finish(batch: &Batch, lacks: &[String], replies: Vec<Reply>, failed: Option<Outcome>) -> Result<Outcome, Lost> {
    match failed {
        Some(failed) => Ok(failed),
        None if replies.len() == batch.steps.len() && lacks.is_empty() => Ok(Outcome::Replies(replies)),
        None if replies.is_empty() && !lacks.is_empty() => Ok(Outcome::Lacks(lacking(lacks))),
        None => Err(Misfit.into()),
    }
}

/// Returns the message for missing commands.
pub(super) fn lacking(lacks: &[String]) -> String {
    match lacks {
        [one] => format!("it lacks the command {one}"),
        more => format!("it lacks the commands {}", more.join(", ")),
    }
}
