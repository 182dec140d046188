//! [`Stream`]: the stream to send to a host, made for it alone or shared by all hosts with the same need.

use std::{io, sync::Arc};

use tokio::sync::mpsc::Receiver;

use crate::{
    manifest::Form,
    path::InnerPath,
    token::Token,
    transport::{Base, Upload},
};

use super::{
    chunk::NextChunk,
    compress::Compression,
    disk_buffer::{DiskBuffer, Follower},
    pack::pack,
};

/// A packed and compressed upload.
#[derive(Debug)]
pub(in crate::transport::shell) struct Stream {
    /// The name of its last entry.
    pub(in crate::transport::shell) marker: String,
    /// Its compression.
    pub(in crate::transport::shell) compression: Compression,
    chunks: ChunkSource,
}

/// The source of a stream's chunks.
#[derive(Debug)]
enum ChunkSource {
    Own(Receiver<NextChunk>),
    Shared(Follower),
}

/// A stream that serves every host with the same need.
#[derive(Debug)]
struct SharedUpload {
    compression: Compression,
    /// The upload that it was made for.
    upload: Upload,
    marker: String,
    buffer: Arc<DiskBuffer>,
}

impl Stream {
    /// Returns the stream of `upload`, for a host that supports `compression`.
    pub(super) fn of(upload: &Upload, compression: Compression) -> Self {
        let compression = compression.of(upload);
        let serves = |made: &SharedUpload| made.compression == compression && is_same(&made.upload, upload);
        let shared = upload.tree.made_once(serves, || {
            let (marker, chunks) = make(upload, compression);
            let buffer = Arc::new(DiskBuffer::of(chunks)?);
            Ok::<_, io::Error>(SharedUpload { compression, upload: upload.clone(), marker, buffer })
        });
        // Without room for the shared file, each host gets its own stream.
        let (marker, chunks) = if let Some(Ok(shared)) = shared {
            (shared.marker.clone(), ChunkSource::Shared(Arc::clone(&shared.buffer).follow()))
        } else {
            let (marker, chunks) = make(upload, compression);
            (marker, ChunkSource::Own(chunks))
        };
        Self { marker, compression, chunks }
    }

    /// Returns the next chunk; `None` when the packing ended before the stream was complete.
    pub(super) async fn next(&mut self) -> Option<NextChunk> {
        match &mut self.chunks {
            ChunkSource::Own(chunks) => chunks.recv().await,
            ChunkSource::Shared(follower) => follower.next().await,
        }
    }
}

/// Packs and compresses; returns the name of the last entry, and the chunks.
fn make(upload: &Upload, compression: Compression) -> (String, Receiver<NextChunk>) {
    let marker = format!(".switchback-{}", Token::random());
    let chunks = pack(upload.clone(), marker.clone());
    (marker, compression.apply(chunks))
}

/// Whether the same stream serves both uploads, which are of one tree.
fn is_same(one: &Upload, other: &Upload) -> bool {
    // Compare everything that enters the stream. The pattern lists all fields, so that a new one must be considered
    // here.
    let Upload { root: _, into: _, tree: _, lists, unlisted, base } = one;
    let forms = |lists: &[(InnerPath, Form)]| lists.iter().map(|(_, form)| *form).collect::<Vec<_>>();
    let is_copied_alike = match (base, &other.base) {
        (Some(Base { from: _, files, lists }), Some(other)) => *files == other.files && *lists == other.lists,
        (one, other) => one.is_none() && other.is_none(),
    };
    forms(lists) == forms(&other.lists) && *unlisted == other.unlisted && is_copied_alike
}
