//! [`Compression`]: the compression of an upload's stream, in a thread of its own.

use std::io::{self, Write};

use flate2::write::GzEncoder;
use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    task::spawn_blocking,
};

use crate::transport::{Base, Upload, Uploaded};

use super::{
    chunk::{ChunkWriter, NextChunk},
    zstd::ZstdStream,
};

/// The compression of an upload's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::transport::shell) enum Compression {
    /// No compression.
    #[default]
    Plain,
    /// The format of `gzip`.
    Gzip,
    /// The format of `zstd`.
    Zstd,
}

/// The size in bytes below which a stream is sent plain: sending it takes less time than starting a program.
const WORTH: u64 = 64 << 10;

/// The approximate bytes that an entry or a line of a list takes in a stream, and that a copied file takes in
/// the edits of the lists.
const ENTRY: u64 = 512;
const COPIED: u64 = 16;

/// The limit on the chunks that are compressed ahead.
///
/// A far `sshd` takes 2 MiB at once and then nothing for a round trip: compression goes on meanwhile.
const AHEAD: usize = 16;

impl Compression {
    /// Returns the best compression that a host with these programs supports.
    pub(in crate::transport::shell) fn best(programs: &[String]) -> Self {
        let has = |name: &str| programs.iter().any(|program| program == name);
        if has("zstd") {
            Self::Zstd
        } else if has("gzip") || has("gunzip") {
            Self::Gzip
        } else {
            Self::Plain
        }
    }

    /// Returns the same compression, or none where there is little to send.
    pub(super) fn of(self, upload: &Upload) -> Self {
        let (files, bytes) = upload.base.as_ref().map_or((0, 0), Base::size);
        let entries = (upload.tree.entries().len() as u64).saturating_sub(files) * ENTRY + files * COPIED;
        if upload.tree.bytes().saturating_sub(bytes) + entries < WORTH { Self::Plain } else { self }
    }

    /// Returns its word in the script.
    pub(in crate::transport::shell) fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// Compresses the stream of `chunks` as fast as it is taken.
    pub(super) fn apply(self, chunks: Receiver<NextChunk>) -> Receiver<NextChunk> {
        if self == Self::Plain {
            return chunks;
        }
        let (next, taken) = channel(AHEAD);
        let failed = next.clone();
        // A failure means that nobody takes the stream any more, or that memory has run out. The stream then ends
        // before its last chunk, which the receiver notices.
        drop(spawn_blocking(move || {
            let out = ChunkWriter::new(next);
            let compressed = if self == Self::Zstd { zstd(chunks, out, &failed) } else { gzip(chunks, out, &failed) };
            compressed.ok()
        }));
        taken
    }
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

fn zstd(chunks: Receiver<NextChunk>, out: ChunkWriter, failed: &Sender<NextChunk>) -> io::Result<()> {
    let mut stream = ZstdStream::new(out)?;
    if pour(chunks, &mut stream, |stream| &mut stream.so_far, failed)? { stream.end() } else { Ok(()) }
}

fn gzip(chunks: Receiver<NextChunk>, out: ChunkWriter, failed: &Sender<NextChunk>) -> io::Result<()> {
    let mut stream = GzEncoder::new(out, flate2::Compression::fast());
    if pour(chunks, &mut stream, |stream| &mut stream.get_mut().so_far, failed)? {
        stream.finish()?.end()
    } else {
        Ok(())
    }
}
