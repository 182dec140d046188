//! [`Streams`]: the streams to send to a host, made for it alone or shared by all hosts with the same need.

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
    pack::{is_shut, pack},
    second::SecondState,
};

/// The size in bytes below which one stream is faster than two: the second channel takes time to open.
const WORTH_TWO: u64 = 8 << 20;

/// The streams of an upload.
#[derive(Debug)]
pub(super) struct Streams {
    pub(super) first: Stream,
    pub(super) second: Option<SecondStream>,
}

#[derive(Debug)]
pub(in crate::transport::shell) struct Stream {
    /// The name of its last entry.
    pub(in crate::transport::shell) marker: String,
    /// Its compression.
    pub(in crate::transport::shell) compression: Compression,
    chunks: ChunkSource,
    /// The next chunk, if it was read ahead.
    ahead: Option<NextChunk>,
}

/// A stream that takes a part of the files.
#[derive(Debug)]
pub(super) struct SecondStream {
    pub(super) stream: Stream,
    pub(super) state: Arc<SecondState>,
    /// Whether other hosts share it, so that it has files even where there is no channel for it.
    pub(super) is_divided: bool,
}

/// The source of a stream's chunks.
#[derive(Debug)]
enum ChunkSource {
    Own(Receiver<NextChunk>),
    Shared(Follower),
}

/// Streams that serve every host with the same need.
#[derive(Debug)]
struct SharedUpload {
    compression: Compression,
    /// The upload that they were made for.
    upload: Upload,
    first: (String, Arc<DiskBuffer>),
    second: Option<(String, Arc<DiskBuffer>)>,
    state: Option<Arc<SecondState>>,
}

/// The name of a stream's last entry, and its chunks.
type Made = (String, Receiver<NextChunk>);

impl Streams {
    /// Returns the streams of `upload`, for a host that supports `compression` and may be far away.
    pub(super) fn of(upload: &Upload, compression: Compression, is_far: bool) -> Self {
        let compression = compression.of(upload);
        let divides = is_far && may_be_two(upload);
        let serves = |made: &SharedUpload| {
            made.compression == compression && made.second.is_some() == divides && is_same(&made.upload, upload)
        };
        let shared = upload.tree.made_once(serves, || {
            let state = divides.then(|| Arc::new(SecondState::wanted()));
            let (first, second) = make(upload, compression, state.clone());
            let buffer = |(marker, chunks): Made| Ok::<_, io::Error>((marker, Arc::new(DiskBuffer::of(chunks)?)));
            let (first, second) = (buffer(first)?, second.map(buffer).transpose()?);
            Ok::<_, io::Error>(SharedUpload { compression, upload: upload.clone(), first, second, state })
        });
        // Without room for the shared file, each host gets its own stream.
        if let Some(Ok(shared)) = shared {
            let follow = |(marker, buffer): &(String, Arc<DiskBuffer>)| {
                Stream::new(marker.clone(), compression, ChunkSource::Shared(Arc::clone(buffer).follow()))
            };
            let second = shared.second.as_ref().map(follow).zip(shared.state.clone());
            let second = second.map(|(stream, state)| SecondStream { stream, state, is_divided: true });
            return Self { first: follow(&shared.first), second };
        }
        let state = divides.then(|| Arc::new(SecondState::unwanted()));
        let (first, second) = make(upload, compression, state.clone());
        let own = |(marker, chunks): Made| Stream::new(marker, compression, ChunkSource::Own(chunks));
        let second = second.map(own).zip(state);
        let second = second.map(|(stream, state)| SecondStream { stream, state, is_divided: false });
        Self { first: own(first), second }
    }
}

/// Whether a second stream may take a part.
///
/// Copies on the host are verified by one stream alone, and a directory must not become read-only while the other
/// stream fills it.
fn may_be_two(upload: &Upload) -> bool {
    upload.base.is_none() && upload.tree.bytes() >= WORTH_TWO && !upload.tree.entries().iter().any(is_shut)
}

/// Packs and compresses, into two streams if there is a `state`.
fn make(upload: &Upload, compression: Compression, state: Option<Arc<SecondState>>) -> (Made, Option<Made>) {
    let marker = || format!(".switchback-{}", Token::random());
    let (first, second) = (marker(), state.map(|state| (marker(), state)));
    let name = second.as_ref().map(|(marker, _)| marker.clone());
    let (chunks, others) = pack(upload.clone(), first.clone(), second);
    let other = name.zip(others.map(|chunks| compression.apply(chunks)));
    ((first, compression.apply(chunks)), other)
}

impl Stream {
    fn new(marker: String, compression: Compression, chunks: ChunkSource) -> Self {
        Self { marker, compression, chunks, ahead: None }
    }

    /// Returns the next chunk; `None` when the packing ended before the stream was complete.
    pub(super) async fn next(&mut self) -> Option<NextChunk> {
        if let Some(next) = self.ahead.take() {
            return Some(next);
        }
        match &mut self.chunks {
            ChunkSource::Own(chunks) => chunks.recv().await,
            ChunkSource::Shared(follower) => follower.next().await,
        }
    }
}

impl SecondStream {
    /// Whether the stream ended without a chunk because it has no files.
    pub(super) async fn is_empty(&mut self) -> bool {
        self.stream.ahead = self.stream.next().await;
        self.stream.ahead.is_none() && !self.state.is_used()
    }
}

/// Whether the same streams serve both uploads, which are of one tree.
fn is_same(one: &Upload, other: &Upload) -> bool {
    // Compare everything that enters a stream. The pattern lists all fields, so that a new one must be considered
    // here.
    let Upload { root: _, into: _, tree: _, lists, unlisted, base } = one;
    let forms = |lists: &[(InnerPath, Form)]| lists.iter().map(|(_, form)| *form).collect::<Vec<_>>();
    let is_copied_alike = match (base, &other.base) {
        (Some(Base { from: _, files, lists }), Some(other)) => *files == other.files && *lists == other.lists,
        (one, other) => one.is_none() && other.is_none(),
    };
    forms(lists) == forms(&other.lists) && *unlisted == other.unlisted && is_copied_alike
}
