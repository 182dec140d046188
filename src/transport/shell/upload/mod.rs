//! Uploads, in three stages: [pack](pack) a tar stream, [compress](compress) it, [send](send) it over a channel of its own.
//!
//! Each stage passes [chunks](chunk) on to the next one and waits while that has enough. For several hosts the first two
//! run once: a [buffer on disk](disk_buffer) keeps the compressed stream, which each host reads at its own pace.
//!
//! # What a failure leaves
//!
//! Everything arrives in a directory that the caller created for this upload and that nothing leads to before it is
//! published.
//!
//! - A failure of the source or the host ends the stream. The directory keeps what has arrived. The files beside it, the
//!   lists, are moved last, and not at all after a failure.
//! - A kill of this process ends the stream early. Its last entry, the marker, is then missing, and the host moves no
//!   lists. Nobody removes the directory here: the next upload finds its owner dead and removes it.
//! - A lost reply is [`TransportError::Unknown`]: the upload may be complete. The caller
//!   publishes nothing without a reply, so the directory is a leftover as after a kill.

mod channel;
mod chunk;
mod compress;
mod disk_buffer;
mod edit;
#[cfg(feature = "compression")]
mod encode;
mod lists;
mod pack;
mod send;
mod stream;
#[cfg(feature = "compression")]
mod zstd;

pub(super) use {channel::UploadChannel, compress::Compression, stream::Stream};

use std::time::Duration;

use tokio::time::timeout;

use crate::transport::{Base, Progress, TransportError, Upload, Uploaded};

use super::{
    channel::Shell,
    reply::Misfit,
    script::{receive, receive_nothing},
    wire::{Failure, Lost},
};
use send::{Arrival, Sending};

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
    let spare = match spare {
        Some(spare) => spare.standing().await,
        None => None,
    };
    let UploadChannel { mut channel, mut wire, sent } = match spare {
        Some(spare) => spare,
        None => UploadChannel::open(shell, stall).await?,
    };
    progress.transferred(sent);
    let stream = Stream::of(upload, compression);
    let script = receive(upload, &stream, wire.nonce.as_str());
    let (reply, unread) = wire.receive(&mut channel, Sending { script, stream, stall, progress, sent }).await;
    if let Some(source) = unread {
        return Err(TransportError::Source { host: shell.to_string(), source });
    }
    match wire.settle(reply, channel, stall).await {
        Ok(()) => {
            let (files, bytes) = upload.base.as_ref().map_or((0, 0), Base::size);
            Ok(Uploaded { files: upload.tree.files() - files, bytes: upload.tree.bytes() - bytes })
        }
        Err(failure) => Err(failure.into_error(shell, &upload.root, |host, failure| TransportError::Upload {
            host,
            root: upload.root.clone(),
            failure,
        })),
    }
}

/// Implements [`Transport::try_upload`](crate::Transport::try_upload): opens a channel, gets a reply, and
/// closes it.
pub(super) async fn try_upload<S: Shell>(shell: &S, stall: Duration) -> Result<(), TransportError> {
    let UploadChannel { mut channel, mut wire, .. } = UploadChannel::open(shell, stall).await?;
    let script = receive_nothing(wire.nonce.as_str());
    let reply = timeout(stall, wire.ask(&mut channel, (&script, true), 0, Arrival::default())).await;
    let reply = reply.unwrap_or_else(|_| Err(Lost::Late(stall, wire.said()).into()));
    let has_ended = matches!(reply, Err(Failure::Lost(Lost::Ended(_))));
    let host = shell.to_string();
    Err(match wire.settle(reply, channel, stall).await {
        Ok(()) => return Ok(()),
        Err(failure) if has_ended => {
            let lacks = format!(
                "it accepts no uploads, which need `sh -c 'WORDS'`: a forced command must pass them to a shell: {failure}"
            );
            TransportError::Unsuitable { host, lacks }
        }
        Err(Failure::Lacks(lacks)) => TransportError::Unsuitable { host, lacks },
        // There was nothing to do, so a lost reply leaves no unknown outcome: an upload could not begin here.
        Err(Failure::Lost(lost)) => TransportError::Unreachable { host, source: lost.into() },
        Err(Failure::Root(_) | Failure::Work(_)) => TransportError::Unreachable { host, source: Misfit.into() },
    })
}
