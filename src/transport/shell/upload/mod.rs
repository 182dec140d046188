//! Uploads, in three stages: [pack](pack) a tar stream, [compress](compress) it, [send](send) it over a channel of its own.
//!
//! Each stage passes [chunks](chunk) on to the next one and waits while that has enough. For several hosts the first two
//! run once: a [buffer on disk](disk_buffer) keeps the compressed stream, which each host reads at its own pace.
//!
//! One channel carries only as much as its window allows: that of `sshd` is 2 MiB, which is 40 MB/s over a round trip
//! of 50 ms. So a [second stream](second) takes files too, as soon as its channel is open. It holds the directories that
//! they need, and a marker of its own proves that it is complete. The lists go with the first stream: they are useless
//! before both have arrived.
//!
//! # What a failure leaves
//!
//! Everything arrives in a directory that the caller created for this upload and that nothing leads to before it is
//! published.
//!
//! - A failure of the source, the host or one of two streams ends both streams. The directory keeps what has arrived.
//!   The files beside it, the lists, are moved last, and not at all after a failure.
//! - A kill of this process ends the streams early. The last entry of each, the marker, is then missing, and the host
//!   moves no lists. Nobody removes the directory here: the next upload finds its owner dead and removes it.
//! - A lost reply is [`TransportError::Unknown`]: the upload may be complete. The caller
//!   publishes nothing without a reply, so the directory is a leftover as after a kill.

mod channel;
mod chunk;
mod compress;
mod disk_buffer;
mod edit;
mod lists;
mod pack;
mod second;
mod send;
mod stream;
mod zstd;

pub(super) use {channel::UploadChannel, compress::Compression, stream::Stream};

use std::{
    future::pending,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};

use crate::transport::{Base, Progress, TransportError, Upload, Uploaded};

use super::{
    channel::Shell,
    reply::Misfit,
    script::{Part, receive, receive_nothing},
    session::Lost,
};
use second::SecondState;
use send::{ReportedProgress, Sending, UploadReply};
use stream::{SecondStream, Streams};

/// Implements [`Transport::upload`](crate::Transport::upload), for a host that supports `compression`.
///
/// Uses the channel `spare`, or else one that `shell` opens.
pub(super) async fn upload<S: Shell>(
    shell: &S,
    spare: Option<UploadChannel>,
    stall: Duration,
    compression: Compression,
    upload: &Upload,
    progress: &dyn Progress,
) -> Result<Uploaded, TransportError> {
    let Streams { first, second } = Streams::of(upload, compression, shell.is_far());
    let told = ReportedProgress::new(progress);
    let work = Work { shell, stall, upload, told: &told, over: AtomicBool::new(false), cause: Mutex::default() };
    match second {
        None => work.send_stream(spare, &mut { first }, Part::Whole, &Notify::new(), None).await?,
        Some(second) => work.send_both(spare, first, second).await?,
    }
    let (files, bytes) = upload.base.as_ref().map_or((0, 0), Base::size);
    Ok(Uploaded { files: upload.tree.files() - files, bytes: upload.tree.bytes() - bytes })
}

/// Implements [`Transport::try_upload`](crate::Transport::try_upload): opens a channel, gets a reply, and
/// closes it.
pub(super) async fn try_upload<S: Shell>(shell: &S, stall: Duration) -> Result<(), TransportError> {
    let UploadChannel { mut channel, mut wire, .. } = UploadChannel::open(shell, stall).await?;
    let script = receive_nothing(wire.nonce.as_str());
    let answer = timeout(stall, wire.answer(&mut channel, &script)).await;
    let answer = answer.unwrap_or_else(|_| Err(Lost::Late(stall, wire.said())));
    let host = || shell.to_string();
    // There was nothing to do, so a lost reply leaves no unknown outcome: an upload could not begin here.
    let lost = |lost: Lost| TransportError::Unreachable { host: host(), source: lost.into() };
    match answer {
        Ok(Some(UploadReply::Done)) => Ok(()),
        Ok(Some(UploadReply::Lacks(lacks))) => Err(TransportError::Unsuitable { host: host(), lacks }),
        Ok(Some(UploadReply::Failed(_) | UploadReply::Root(_))) => Err(lost(Misfit.into())),
        Ok(None) => {
            let said = match wire.ended(channel, stall).await {
                Ok(lacks) => lacks,
                Err(lost) => lost.to_string(),
            };
            let lacks = format!(
                "it takes no uploads, which need `sh -c 'WORDS'`: a forced command must hand these to a shell: {said}"
            );
            Err(TransportError::Unsuitable { host: host(), lacks })
        }
        Err(error) => Err(lost(error)),
    }
}

/// An upload under way.
struct Work<'a, S> {
    shell: &'a S,
    stall: Duration,
    upload: &'a Upload,
    told: &'a ReportedProgress<'a>,
    /// Set once a stream has failed: nothing more is sent.
    over: AtomicBool,
    /// The first failure.
    cause: Mutex<Option<TransportError>>,
}

impl<S: Shell> Work<'_, S> {
    /// Sends both streams.
    ///
    /// When one fails, the other is cut short, so that it fails too, and awaited. A stream that nobody takes is dropped
    /// at once: else the packer would wait for its receiver, and the other stream for the packer.
    async fn send_both(
        &self,
        spare: Option<UploadChannel>,
        first: Stream,
        second: SecondStream,
    ) -> Result<(), TransportError> {
        let (begun, ended) = (Notify::new(), Notify::new());
        let first = async {
            let mut stream = first;
            self.record(self.send_stream(spare, &mut stream, Part::First, &begun, None).await);
            drop(stream);
            ended.notify_one();
            // If the first stream ended before it began, the second must not wait for it.
            begun.notify_one();
        };
        let second = async {
            let mut second = second;
            let joined = if second.is_divided {
                self.send_divided(&mut second, &begun, &ended).await
            } else {
                self.join(&mut second, &begun, &ended).await
            };
            self.record(joined);
        };
        tokio::join!(first, second);
        self.cause.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }

    /// Sends the second stream, which takes files only once its channel works. Until then, all files go with the
    /// first.
    async fn join(&self, second: &mut SecondStream, begun: &Notify, ended: &Notify) -> Result<(), TransportError> {
        let SecondStream { stream, state, .. } = second;
        let goes_without = async {
            ended.notified().await;
            if !state.withdraw() {
                pending::<()>().await;
            }
        };
        let sending = async {
            let (opened, ()) = tokio::join!(self.open_channel(), begun.notified());
            self.send_stream(Some(opened?), stream, Part::Second, &Notify::new(), Some(state)).await
        };
        tokio::select! {
            sent = sending => sent.or_else(|error| if state.withdraw() { Ok(()) } else { Err(error) }),
            () = goes_without => Ok(()),
        }
    }

    /// Sends the second stream, which has files in any case, since other hosts share it.
    ///
    /// Sends it after the first stream where there is no channel for it beside that.
    async fn send_divided(
        &self,
        second: &mut SecondStream,
        begun: &Notify,
        ended: &Notify,
    ) -> Result<(), TransportError> {
        let opened = tokio::select! {
            opened = self.open_channel() => opened.ok(),
            () = ended.notified() => {
                ended.notify_one();
                None
            }
        };
        if opened.is_none() {
            ended.notified().await;
        }
        begun.notified().await;
        if self.is_over() || second.is_empty().await {
            return Ok(());
        }
        self.send_stream(opened, &mut second.stream, Part::Second, &Notify::new(), Some(&second.state)).await
    }

    fn open_channel(&self) -> impl Future<Output = Result<UploadChannel, TransportError>> {
        UploadChannel::open(self.shell, self.stall)
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn record(&self, result: Result<(), TransportError>) {
        if let Err(error) = result {
            self.over.store(true, Ordering::Relaxed);
            self.cause.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }

    /// Sends one stream, and notifies `begun` when the host has begun with it.
    ///
    /// Only the caller drops the stream, once the failure is recorded: the packer must not fail first.
    async fn send_stream(
        &self,
        spare: Option<UploadChannel>,
        stream: &mut Stream,
        part: Part,
        begun: &Notify,
        joins: Option<&SecondState>,
    ) -> Result<(), TransportError> {
        let spare = match spare {
            Some(spare) => spare.standing().await,
            None => None,
        };
        let UploadChannel { mut channel, mut wire, sent } = match spare {
            Some(spare) => spare,
            None => self.open_channel().await?,
        };
        self.told.sent(sent);
        let script = receive(self.upload, stream, part, wire.nonce.as_str());
        let sending = Sending { script, stream, stall: self.stall, told: self.told, over: &self.over, begun, joins };
        let (answer, unread) = wire.receive(&mut channel, sending).await;
        let (host, root) = (|| self.shell.to_string(), || self.upload.root.clone());
        if let Some(source) = unread {
            return Err(TransportError::Source { host: host(), source });
        }
        match answer {
            Ok(Some(UploadReply::Done)) => Ok(()),
            Ok(Some(UploadReply::Failed(failure))) => {
                Err(TransportError::Upload { host: host(), root: root(), failure })
            }
            Ok(Some(UploadReply::Root(failure))) => Err(TransportError::Root { host: host(), root: root(), failure }),
            Ok(Some(UploadReply::Lacks(lacks))) => Err(TransportError::Unsuitable { host: host(), lacks }),
            Ok(None) => match wire.ended(channel, self.stall).await {
                Ok(lacks) => Err(TransportError::Unsuitable { host: host(), lacks }),
                Err(lost) => Err(TransportError::unknown(host(), lost)),
            },
            Err(lost) => Err(TransportError::unknown(host(), lost)),
        }
    }
}
