//! [`Session`]: an open channel, and the exchanges over it.

use std::{collections::BTreeSet, time::Duration};

use tokio::{io::AsyncWriteExt, time::timeout};

use crate::{
    token::Token,
    transport::{Batch, OnFailure, Reply, StepFailure},
};

use super::{
    channel::{Channel, ShellCommand, Streams},
    frame::Frame,
    prelude,
    reply::{Misfit, reply},
    script::call,
    together::Waiting,
    wire::{Failure, Lost, Replying, Wire},
};

/// The failure of a step that ends its batch, and the replies of the steps before it.
pub(super) type Stopped = (StepFailure, Vec<Reply>);

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
    ) -> (Result<Vec<Reply>, Failure<Stopped>>, Option<Self>) {
        self.exchanges += 1;
        let mut script = std::mem::take(&mut self.unsent);
        script.extend_from_slice(prelude::steps().needed(body, &mut self.known).as_bytes());
        script.extend_from_slice(body);
        script.extend_from_slice(&call(self.wire.nonce.as_str(), self.exchanges));
        let reply = Replies { batch, waiting: Waiting::default(), done: Vec::new(), failed: None };
        let asked = self.wire.ask(&mut self.channel, (&script, false), self.exchanges, reply);
        let outcome = timeout(answer, asked).await;
        match outcome.unwrap_or_else(|_| Err(Lost::Late(answer, self.wire.said()).into())) {
            lost @ Err(Failure::Lost(_)) => (self.wire.settle(lost, self.channel, end).await, None),
            outcome => (outcome, Some(self)),
        }
    }
}

/// The replies to the steps of a batch.
struct Replies<'b> {
    batch: &'b Batch,
    waiting: Waiting,
    done: Vec<Reply>,
    failed: Option<StepFailure>,
}

impl Replying for Replies<'_> {
    type Reply = Vec<Reply>;
    type Failed = Stopped;

    fn line(&mut self, line: Frame) -> Result<(), Misfit> {
        let open = self.batch.steps.iter().map(|step| &step.op).skip(self.done.len());
        self.waiting.next(line, open)?.iter().try_for_each(|line| self.step(line))
    }

    fn end(self) -> Result<Result<Vec<Reply>, Stopped>, Misfit> {
        match self.failed {
            _ if !self.waiting.is_empty() => Err(Misfit),
            Some(failure) => Ok(Err((failure, self.done))),
            None if self.done.len() == self.batch.steps.len() => Ok(Ok(self.done)),
            None => Err(Misfit),
        }
    }
}

impl Replies<'_> {
    /// Takes the reply to the next step.
    fn step(&mut self, line: &Frame) -> Result<(), Misfit> {
        let step = self.batch.steps.get(self.done.len()).filter(|_| self.failed.is_none()).ok_or(Misfit)?;
        let words = line.words();
        let (index, words) = words.split_first().ok_or(Misfit)?;
        if index.parse() != Ok(self.done.len()) {
            return Err(Misfit);
        }
        match (reply(&step.op, words, &line.values)?, step.on_failure) {
            (Ok(reply), _) => self.done.push(reply),
            (Err(failure), OnFailure::GoOn) => self.done.push(Reply::Failed(failure)),
            (Err(failure), OnFailure::Stop) => self.failed = Some(failure),
        }
        Ok(())
    }
}
