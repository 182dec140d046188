//! Uploads: a script followed by a tar stream, over a channel of their own, and over a second one for much
//! content.
//!
//! One channel carries only as much as its window allows: that of `sshd` is 2 MiB, which is 40 MB/s over a round trip
//! of 50 ms. So a second channel takes files too, as soon as it is open. Its stream holds the directories that they
//! need, and a marker of its own proves that it is complete. The lists go with the first stream: they are useless
//! before both have arrived.

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
    compression::Compression,
    lane::Lane,
    reply::Misfit,
    script::{Part, receive, receive_nothing},
    sending::{Answer, Sending, Told},
    session::Lost,
    share::Share,
    stream::{Second, Stream, Streams},
};

/// Implements [`Transport::upload`](crate::Transport::upload), for a host that supports `compression`.
///
/// Uses the channel `spare`, or else one that `shell` opens.
pub(super) async fn upload<S: Shell>(
    shell: &S,
    spare: Option<Lane>,
    stall: Duration,
    compression: Compression,
    upload: &Upload,
    progress: &dyn Progress,
) -> Result<Uploaded, TransportError> {
    let Streams { first, second } = Streams::of(upload, compression, shell.is_far());
    let told = Told::new(progress);
    let work = Work { shell, stall, upload, told: &told, over: AtomicBool::new(false), cause: Mutex::default() };
    match second {
        None => work.bring(spare, &mut { first }, Part::Whole, &Notify::new(), None).await?,
        Some(second) => work.bring_both(spare, first, second).await?,
    }
    let (files, bytes) = upload.base.as_ref().map_or((0, 0), Base::size);
    Ok(Uploaded { files: upload.tree.files() - files, bytes: upload.tree.bytes() - bytes })
}

/// Implements [`Transport::try_upload`](crate::Transport::try_upload): opens a channel, gets a reply, and
/// closes it.
pub(super) async fn try_upload<S: Shell>(shell: &S, stall: Duration) -> Result<(), TransportError> {
    let Lane { mut channel, mut wire, .. } = Lane::open(shell, stall).await?;
    let script = receive_nothing(wire.nonce.as_str());
    let answer = timeout(stall, wire.answer(&mut channel, &script)).await;
    let answer = answer.unwrap_or_else(|_| Err(Lost::Late(stall, wire.said())));
    let host = || shell.to_string();
    // There was nothing to do, so a lost reply leaves no unknown outcome: an upload could not begin here.
    let lost = |lost: Lost| TransportError::Unreachable { host: host(), source: lost.into() };
    match answer {
        Ok(Some(Answer::Done)) => Ok(()),
        Ok(Some(Answer::Lacks(lacks))) => Err(TransportError::Unsuitable { host: host(), lacks }),
        Ok(Some(Answer::Failed(_) | Answer::Root(_))) => Err(lost(Misfit.into())),
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
    told: &'a Told<'a>,
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
    async fn bring_both(&self, spare: Option<Lane>, first: Stream, second: Second) -> Result<(), TransportError> {
        let (begun, ended) = (Notify::new(), Notify::new());
        let first = async {
            let mut stream = first;
            self.keep(self.bring(spare, &mut stream, Part::First, &begun, None).await);
            drop(stream);
            ended.notify_one();
            // If the first stream ended before it began, the second must not wait for it.
            begun.notify_one();
        };
        let second = async {
            let mut second = second;
            let joined = if second.is_divided {
                self.bring_divided(&mut second, &begun, &ended).await
            } else {
                self.join(&mut second, &begun, &ended).await
            };
            self.keep(joined);
        };
        tokio::join!(first, second);
        self.cause.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }

    /// Sends the second stream, which takes files only once its channel works. Until then, all files go with the
    /// first.
    async fn join(&self, second: &mut Second, begun: &Notify, ended: &Notify) -> Result<(), TransportError> {
        let Second { stream, share, .. } = second;
        let goes_without = async {
            ended.notified().await;
            if !share.withdraw() {
                pending::<()>().await;
            }
        };
        let bring = async {
            let (lane, ()) = tokio::join!(self.lane(), begun.notified());
            self.bring(Some(lane?), stream, Part::Second, &Notify::new(), Some(share)).await
        };
        tokio::select! {
            brought = bring => brought.or_else(|error| if share.withdraw() { Ok(()) } else { Err(error) }),
            () = goes_without => Ok(()),
        }
    }

    /// Sends the second stream, which has files in any case, since other hosts share it.
    ///
    /// Sends it after the first stream where there is no channel for it beside that.
    async fn bring_divided(&self, second: &mut Second, begun: &Notify, ended: &Notify) -> Result<(), TransportError> {
        let opened = tokio::select! {
            opened = self.lane() => opened.ok(),
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
        self.bring(opened, &mut second.stream, Part::Second, &Notify::new(), Some(&second.share)).await
    }

    fn lane(&self) -> impl Future<Output = Result<Lane, TransportError>> {
        Lane::open(self.shell, self.stall)
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn keep(&self, result: Result<(), TransportError>) {
        if let Err(error) = result {
            self.over.store(true, Ordering::Relaxed);
            self.cause.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }

    /// Sends one stream, and notifies `begun` when the host has begun with it.
    ///
    /// Only the caller drops the stream, once the failure is recorded: the packer must not fail first.
    async fn bring(
        &self,
        spare: Option<Lane>,
        stream: &mut Stream,
        part: Part,
        begun: &Notify,
        joins: Option<&Share>,
    ) -> Result<(), TransportError> {
        let spare = match spare {
            Some(spare) => spare.standing().await,
            None => None,
        };
        let Lane { mut channel, mut wire, told } = match spare {
            Some(spare) => spare,
            None => self.lane().await?,
        };
        self.told.sent(told);
        let script = receive(self.upload, stream, part, wire.nonce.as_str());
        let sending = Sending { script, stream, stall: self.stall, told: self.told, over: &self.over, begun, joins };
        let (answer, unread) = wire.receive(&mut channel, sending).await;
        let (host, root) = (|| self.shell.to_string(), || self.upload.root.clone());
        if let Some(source) = unread {
            return Err(TransportError::Source { host: host(), source });
        }
        match answer {
            Ok(Some(Answer::Done)) => Ok(()),
            Ok(Some(Answer::Failed(failure))) => Err(TransportError::Upload { host: host(), root: root(), failure }),
            Ok(Some(Answer::Root(failure))) => Err(TransportError::Root { host: host(), root: root(), failure }),
            Ok(Some(Answer::Lacks(lacks))) => Err(TransportError::Unsuitable { host: host(), lacks }),
            Ok(None) => match wire.ended(channel, self.stall).await {
                Ok(lacks) => Err(TransportError::Unsuitable { host: host(), lacks }),
                Err(lost) => Err(TransportError::unknown(host(), lost)),
            },
            Err(lost) => Err(TransportError::unknown(host(), lost)),
        }
    }
}
