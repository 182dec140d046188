//! [`Sending`]: sends a script and a stream over a channel while it reads the host's reply.

use std::{
    future::{Future, poll_fn},
    io,
    pin::pin,
    task::Poll,
    time::Duration,
};

use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use crate::{
    transport::{
        Progress, StepFailure,
        shell::{
            channel::{Channel, Streams},
            frame::Frame,
            reply::{Misfit, failed},
            wire::{Failure, Lost, Replying, Wire},
        },
    },
    tree::TreeError,
};

use super::stream::Stream;

/// The factor of the exchange timeout for the reply, once everything has been sent.
///
/// Much of it may still be on its way over a slow link, and the host still unpacks. The transport below the channel
/// notices a dead link sooner.
const UNPACKING: u32 = 10;

/// The reply to an upload: done, or its failure.
#[derive(Default)]
pub(super) struct Arrival(Option<Result<(), StepFailure>>);

impl Replying for Arrival {
    type Reply = ();
    type Failed = StepFailure;

    fn line(&mut self, line: Frame) -> Result<(), Misfit> {
        self.0 = Some(match (&line.words()[..], &line.values[..]) {
            (["0", "done"], []) => Ok(()),
            (["0", failure @ ..], values) => Err(failed(failure, values)?),
            _ => return Err(Misfit),
        });
        Ok(())
    }

    fn end(self) -> Result<Result<(), StepFailure>, Misfit> {
        self.0.ok_or(Misfit)
    }
}

/// A script and a stream to send to the host.
pub(super) struct Sending<'a> {
    pub(super) script: Vec<u8>,
    pub(super) stream: Stream,
    pub(super) stall: Duration,
    pub(super) progress: &'a dyn Progress,
    /// The bytes sent over the channel so far.
    pub(super) sent: u64,
}

impl Sending<'_> {
    /// Sends everything, and ends the stream. Returns the error of the source, if it could not be read.
    ///
    /// The host may stop reading; its reply then explains why.
    async fn send(mut self, stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>) -> Result<Option<TreeError>, Lost> {
        let Some(mut stdin) = stdin else { return Ok(None) };
        let script = std::mem::take(&mut self.script);
        if !self.write(&mut stdin, &script).await? {
            return Ok(None);
        }
        let unread = loop {
            let chunk = match self.stream.next().await {
                Some(Ok(chunk)) => chunk,
                Some(Err(error)) => break Some(error),
                // The packing thread has ended without a last chunk and without an error.
                None => break Some(TreeError::Visit(io::Error::other("the compressor ended early"))),
            };
            if !self.write(&mut stdin, &chunk.bytes).await? {
                return Ok(None);
            }
            self.progress.advanced(chunk.so_far.files, chunk.so_far.bytes);
            if chunk.last {
                break None;
            }
        };
        // A failure shows as a missing reply.
        let _: io::Result<()> = stdin.shutdown().await;
        Ok(unread)
    }

    /// Writes all of `bytes`. The time limit is for each write: a slow host has not stopped.
    async fn write(&mut self, stdin: &mut (dyn AsyncWrite + Send + Unpin), bytes: &[u8]) -> Result<bool, Lost> {
        let mut left = bytes;
        while !left.is_empty() {
            match timeout(self.stall, stdin.write(left)).await {
                Err(_) => return Err(Lost::Late(self.stall, String::new())),
                Ok(Ok(0) | Err(_)) => return Ok(false),
                Ok(Ok(written)) => left = &left[written..],
            }
        }
        self.sent += bytes.len() as u64;
        self.progress.transferred(self.sent);
        Ok(true)
    }
}

impl Wire {
    /// Sends everything, and returns the host's reply with the error of the source, if that ended the stream.
    pub(super) async fn receive(
        &mut self,
        channel: &mut Channel,
        sending: Sending<'_>,
    ) -> (Result<(), Failure>, Option<TreeError>) {
        let Streams { stdin, stdout, stderr } = channel.streams();
        let stall = sending.stall;
        let mut read = pin!(self.read((stdout, stderr), 0, Arrival::default()));
        match first(read.as_mut(), pin!(sending.send(stdin.take()))).await {
            Either::Read(reply) => (reply, None),
            Either::Sent(Err(late)) => (Err(late.into()), None),
            Either::Sent(Ok(unread)) => {
                let wait = stall.saturating_mul(UNPACKING);
                let late = |_| Err(Lost::Late(wait, String::new()).into());
                (timeout(wait, read).await.unwrap_or_else(late), unread)
            }
        }
    }
}

enum Either<R, S> {
    Read(R),
    Sent(S),
}

/// Returns the result of the future that ends first; of the reading if both have ended.
async fn first<R: Future + Unpin, S: Future + Unpin>(mut read: R, mut send: S) -> Either<R::Output, S::Output> {
    poll_fn(|context| {
        if let Poll::Ready(answer) = pin!(&mut read).poll(context) {
            return Poll::Ready(Either::Read(answer));
        }
        pin!(&mut send).poll(context).map(Either::Sent)
    })
    .await
}
