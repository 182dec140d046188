//! Compression of an upload's stream, in a thread of its own.

use std::io::{self, Write};

use flate2::write::GzEncoder;
use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    task::spawn_blocking,
};

use crate::transport::Uploaded;

use super::{
    chunk::{ChunkWriter, NextChunk},
    zstd::ZstdStream,
};

/// The limit on the chunks that are compressed ahead.
///
/// A far `sshd` takes 2 MiB at once and then nothing for a round trip: compression goes on meanwhile.
const AHEAD: usize = 16;

/// One of the formats: compresses the chunks, and passes on the error of the source, if there is one.
type Encoder = fn(Receiver<NextChunk>, ChunkWriter, &Sender<NextChunk>) -> io::Result<()>;

/// Compresses the stream of `chunks` as fast as it is taken.
pub(super) fn apply(encode: Encoder, chunks: Receiver<NextChunk>) -> Receiver<NextChunk> {
    let (next, taken) = channel(AHEAD);
    let failed = next.clone();
    // A failure means that nobody takes the stream any more, or that memory has run out. The stream then ends before
    // its last chunk, which the receiver notices.
    drop(spawn_blocking(move || encode(chunks, ChunkWriter::new(next), &failed).ok()));
    taken
}

/// Passes the input through `stream` and records its progress, `so_far`; returns whether it is complete.
fn pour<W: Write>(
    mut chunks: Receiver<NextChunk>,
    stream: &mut W,
    so_far: fn(&mut W) -> &mut Uploaded,
    failed: &Sender<NextChunk>,
) -> io::Result<bool> {
    while let Some(next) = chunks.blocking_recv() {
        match next {
            Ok(chunk) => {
                *so_far(stream) = chunk.so_far;
                stream.write_all(&chunk.bytes)?;
                if chunk.last {
                    return Ok(true);
                }
            }
            Err(error) => {
                // The receiver may be gone; then nobody needs the error.
                let _ = failed.blocking_send(Err(error));
                return Ok(false);
            }
        }
    }
    Ok(false)
}

pub(super) fn zstd(chunks: Receiver<NextChunk>, out: ChunkWriter, failed: &Sender<NextChunk>) -> io::Result<()> {
    let mut stream = ZstdStream::new(out)?;
    if pour(chunks, &mut stream, |stream| &mut stream.so_far, failed)? { stream.end() } else { Ok(()) }
}

pub(super) fn gzip(chunks: Receiver<NextChunk>, out: ChunkWriter, failed: &Sender<NextChunk>) -> io::Result<()> {
    let mut stream = GzEncoder::new(out, flate2::Compression::fast());
    if pour(chunks, &mut stream, |stream| &mut stream.get_mut().so_far, failed)? {
        stream.finish()?.end()
    } else {
        Ok(())
    }
}
