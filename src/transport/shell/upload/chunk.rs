//! [`Chunk`]: a chunk of a stream, on its way from the packing thread to the sender.

use std::io::{self, Write};

use tokio::sync::mpsc::Sender;

use crate::{transport::Uploaded, tree::TreeError};

/// The size of a chunk, in bytes.
pub(super) const CHUNK_SIZE: usize = 128 << 10;

/// A chunk of the stream, and the content in the stream up to its end.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) bytes: Vec<u8>,
    pub(super) so_far: Uploaded,
    /// Whether it completes the stream. A stream that ends without such a chunk is incomplete.
    pub(super) last: bool,
}

/// The next chunk, or the error of the source.
pub(super) type NextChunk = Result<Chunk, TreeError>;

/// Passes written bytes on in chunks; blocks while earlier chunks are not taken.
#[derive(Debug)]
pub(super) struct ChunkWriter {
    next: Sender<NextChunk>,
    bytes: Vec<u8>,
    pub(super) so_far: Uploaded,
}

impl ChunkWriter {
    pub(super) fn new(next: Sender<NextChunk>) -> Self {
        Self { next, bytes: Vec::with_capacity(CHUNK_SIZE), so_far: Uploaded::default() }
    }

    /// Passes on the rest, as the last chunk.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.send(true)
    }

    fn send(&mut self, last: bool) -> io::Result<()> {
        let bytes = std::mem::replace(&mut self.bytes, Vec::with_capacity(if last { 0 } else { CHUNK_SIZE }));
        let chunk = Chunk { bytes, so_far: self.so_far, last };
        self.next.blocking_send(Ok(chunk)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for ChunkWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(CHUNK_SIZE - self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..taken]);
        if self.bytes.len() == CHUNK_SIZE {
            self.send(false)?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
