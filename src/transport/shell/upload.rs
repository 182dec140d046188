//! Uploads: a script, and after it a tar stream, down a channel of their own.

use std::{
    future::{Future, poll_fn},
    io,
    pin::pin,
    task::Poll,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use crate::{
    transport::{Base, Progress, StepFailure, TransportError, Upload, Uploaded},
    tree::TreeError,
};

use super::{
    channel::{Channel, Shell, ShellCommand, Streams, beside, drain},
    compression::Compression,
    frame::Frames,
    prelude,
    reply::{Misfit, failure, words_of},
    script::receive,
    session::{Hello, Lost, Wire, lacking},
    stream::Stream,
};

/// How often the exchange timeout fits into the wait for the answer, once all has been sent: much of it may still be
/// on its way over a slow link, and the host still unpacks. A dead link is found sooner, by what carries the channel.
const UNPACKING: u32 = 10;

/// Does the work of [`Transport::upload`](crate::Transport::upload) over the channel `spare`, or else one that `shell` opens, to a
/// host that takes `compression`.
pub(super) async fn upload<S: Shell>(
    shell: &S,
    spare: Option<Channel>,
    stall: Duration,
    compression: Compression,
    upload: &Upload,
    progress: &dyn Progress,
) -> Result<Uploaded, TransportError> {
    let mut wire = Wire::new();
    let spare = match spare {
        Some(spare) => wire.standing(spare).await,
        None => None,
    };
    let mut channel = match spare {
        Some(channel) => channel,
        None => shell.open(ShellCommand::stream()).await?,
    };
    let stream = Stream::of(upload, compression);
    let script = receive(&prelude::upload(&wire.nonce), upload, &stream, wire.nonce.as_str());
    let sending = Sending { script, stream, stall, progress, sent: 0 };
    let (answer, unread) = wire.receive(&mut channel, sending).await;
    let host = || shell.to_string();
    if let Some(source) = unread {
        return Err(TransportError::Source { host: host(), source });
    }
    match answer {
        Ok(Some(Answer::Done)) => {
            let (files, bytes) = upload.base.as_ref().map_or((0, 0), Base::size);
            Ok(Uploaded { files: upload.tree.files() - files, bytes: upload.tree.bytes() - bytes })
        }
        Ok(Some(Answer::Failed(failure))) => {
            Err(TransportError::Upload { host: host(), root: upload.root.clone(), failure })
        }
        Ok(Some(Answer::Root(failure))) => {
            Err(TransportError::Root { host: host(), root: upload.root.clone(), failure })
        }
        Ok(Some(Answer::Lacks(lacks))) => Err(TransportError::Unsuitable { host: host(), lacks }),
        Ok(None) => match wire.ended(channel, stall).await {
            Ok(lacks) => Err(TransportError::Unsuitable { host: host(), lacks }),
            Err(lost) => Err(TransportError::unknown(host(), lost)),
        },
        Err(lost) => Err(TransportError::unknown(host(), lost)),
    }
}

/// What the host says in the end.
enum Answer {
    Done,
    Failed(StepFailure),
    Root(StepFailure),
    Lacks(String),
}

/// What is on its way to the host.
struct Sending<'a> {
    script: Vec<u8>,
    stream: Stream,
    stall: Duration,
    progress: &'a dyn Progress,
    /// Bytes that went over the channel by now.
    sent: u64,
}

impl Wire {
    /// The channel, when it still stands, as far as that shows without asking. What start-up files printed is no answer.
    async fn standing(&mut self, mut channel: Channel) -> Option<Channel> {
        let noise = channel.peek().await?;
        self.frames.begin();
        self.frames.push(&noise).ok()?;
        Some(channel)
    }

    /// Sends all, and says what the host answered (`None` when its channel ended), and why the tree could not be read, when
    /// that is why the stream ended.
    async fn receive(
        &mut self,
        channel: &mut Channel,
        sending: Sending<'_>,
    ) -> (Result<Option<Answer>, Lost>, Option<TreeError>) {
        let Streams { stdin, stdout, stderr } = channel.streams();
        let Self { frames, stderr: tail, hello, .. } = self;
        frames.begin();
        let stall = sending.stall;
        let exchange = async {
            let mut read = pin!(read_answer(frames, hello, stdout));
            match first(read.as_mut(), pin!(sending.send(stdin.take()))).await {
                Either::Read(answer) => (answer, None),
                Either::Sent(Err(late)) => (Err(late), None),
                Either::Sent(Ok(unread)) => {
                    let wait = stall.saturating_mul(UNPACKING);
                    let late = |_| Err(Lost::Late(wait, String::new()));
                    (timeout(wait, read).await.unwrap_or_else(late), unread)
                }
            }
        };
        beside(exchange, drain(stderr, tail)).await
    }
}

impl Sending<'_> {
    /// Sends all, and ends the stream. Says why the tree could not be read, when it could not. The host may take no more of
    /// it, which its answer then explains.
    async fn send(mut self, stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>) -> Result<Option<TreeError>, Lost> {
        let Some(mut stdin) = stdin else { return Ok(None) };
        let script = std::mem::take(&mut self.script);
        if !self.write(&mut stdin, &script).await? {
            return Ok(None);
        }
        let unread = loop {
            let piece = match self.stream.next().await {
                Some(Ok(piece)) => piece,
                Some(Err(error)) => break Some(error),
                // Neither whole nor failed: the thread that made it has ended in another way.
                None => break Some(TreeError::Visit(io::Error::other("the packing ended before all was packed"))),
            };
            if !self.write(&mut stdin, &piece.bytes).await? {
                return Ok(None);
            }
            self.progress.advanced(piece.so_far.files, piece.so_far.bytes);
            if piece.last {
                break None;
            }
        };
        let _: io::Result<()> = stdin.shutdown().await;
        Ok(unread)
    }

    /// Writes all of `bytes`. Each write may take so long: a slow host is none that has stopped.
    async fn write(&mut self, stdin: &mut (dyn AsyncWrite + Send + Unpin), mut bytes: &[u8]) -> Result<bool, Lost> {
        while !bytes.is_empty() {
            match timeout(self.stall, stdin.write(bytes)).await {
                Err(_) => return Err(Lost::Late(self.stall, String::new())),
                Ok(Ok(0) | Err(_)) => return Ok(false),
                Ok(Ok(written)) => {
                    self.sent += written as u64;
                    bytes = &bytes[written..];
                }
            }
        }
        self.progress.transferred(self.sent);
        Ok(true)
    }
}

enum Either<R, S> {
    Read(R),
    Sent(S),
}

/// Whichever is done first, the reading when both are.
async fn first<R: Future + Unpin, S: Future + Unpin>(mut read: R, mut send: S) -> Either<R::Output, S::Output> {
    poll_fn(|context| {
        if let Poll::Ready(answer) = pin!(&mut read).poll(context) {
            return Poll::Ready(Either::Read(answer));
        }
        pin!(&mut send).poll(context).map(Either::Sent)
    })
    .await
}

async fn read_answer(
    frames: &mut Frames,
    hello: &mut Option<Hello>,
    stdout: &mut (dyn AsyncRead + Send + Unpin),
) -> Result<Option<Answer>, Lost> {
    let mut answer = None;
    while let Some(frame) = Wire::frame(frames, hello, stdout).await? {
        let words: Vec<&str> = words_of(&frame, 0).ok_or(Misfit)?.iter().map(String::as_str).collect();
        match (&words[..], &frame.values[..], hello.as_ref().map(|hello| &hello.lacks[..])) {
            (["root", "fail", kind], [detail], _) => answer = Some(Answer::Root(failure(kind, detail))),
            (["0", "fail", kind], [detail], _) => answer = Some(Answer::Failed(failure(kind, detail))),
            (["0", "done"], [], _) => answer = Some(Answer::Done),
            (["end"], [], _) if answer.is_some() => return Ok(answer),
            (["end"], [], Some(lacks @ [_, ..])) => return Ok(Some(Answer::Lacks(lacking(lacks)))),
            _ => return Err(Misfit.into()),
        }
    }
    Ok(None)
}
