//! [`Compression`]: how the stream of an upload is made smaller, by a thread of its own.

use std::io::{self, Write};

use flate2::write::GzEncoder;
use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    task::spawn_blocking,
};

use crate::transport::{Base, Upload, Uploaded};

use super::{
    piece::{Next, Pieces},
    zstd::ZstdStream,
};

/// How the stream of an upload is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Compression {
    /// Not at all.
    #[default]
    Plain,
    /// As `gzip` reads it.
    Gzip,
    /// As `zstd` reads it.
    Zstd,
}

/// How many hosts a stream is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Serves {
    /// One, so that the time it takes to make is that host's own.
    One,
    /// Many, so that each byte less is saved as often.
    Many,
}

/// A stream that is expected to be smaller goes plain, in bytes: on the host a program is started sooner than that is sent.
const WORTH: u64 = 64 << 10;

/// What an entry or a line of a list takes in a stream, in bytes, about; and what the edits of the lists take for a file that is
/// copied.
const ENTRY: u64 = 512;
const COPIED: u64 = 16;

/// How many pieces are ready at most before they are taken. Far away an `sshd` takes 2 MiB at once and then nothing for a round
/// trip: they are compressed meanwhile.
const AHEAD: usize = 16;

impl Compression {
    /// The best that a host with these programs takes.
    pub(super) fn best(programs: &[String]) -> Self {
        let has = |name: &str| programs.iter().any(|program| program == name);
        if has("zstd") {
            Self::Zstd
        } else if has("gzip") || has("gunzip") {
            Self::Gzip
        } else {
            Self::Plain
        }
    }

    /// The same, or none where there is little to send.
    pub(super) fn of(self, upload: &Upload) -> Self {
        let (files, bytes) = upload.base.as_ref().map_or((0, 0), Base::size);
        let entries = (upload.tree.entries().len() as u64).saturating_sub(files) * ENTRY + files * COPIED;
        if upload.tree.bytes().saturating_sub(bytes) + entries < WORTH { Self::Plain } else { self }
    }

    /// What the script calls it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// The stream of `pieces`, compressed as fast as it is taken.
    pub(super) fn apply(self, pieces: Receiver<Next>, serves: Serves) -> Receiver<Next> {
        if self == Self::Plain {
            return pieces;
        }
        let (next, taken) = channel(AHEAD);
        let failed = next.clone();
        // Nobody takes it any more, or memory has run out: the stream ends before it is whole, which is found.
        drop(spawn_blocking(move || {
            let out = Pieces::new(next);
            let compressed =
                if self == Self::Zstd { zstd(pieces, out, serves, &failed) } else { gzip(pieces, out, &failed) };
            compressed.ok()
        }));
        taken
    }
}

/// Passes what comes through `stream`, and keeps there what has gone in, `so_far`; whether it is whole.
fn pour<W: Write>(
    mut pieces: Receiver<Next>,
    stream: &mut W,
    so_far: fn(&mut W) -> &mut Uploaded,
    failed: &Sender<Next>,
) -> io::Result<bool> {
    while let Some(next) = pieces.blocking_recv() {
        match next {
            Ok(piece) => {
                *so_far(stream) = piece.so_far;
                stream.write_all(&piece.bytes)?;
                if piece.last {
                    return Ok(true);
                }
            }
            Err(error) => {
                // When nobody takes it, nobody wants to know.
                let _ = failed.blocking_send(Err(error));
                return Ok(false);
            }
        }
    }
    Ok(false)
}

fn zstd(pieces: Receiver<Next>, out: Pieces, serves: Serves, failed: &Sender<Next>) -> io::Result<()> {
    let mut stream = ZstdStream::new(out, serves)?;
    if pour(pieces, &mut stream, |stream| &mut stream.so_far, failed)? { stream.end() } else { Ok(()) }
}

fn gzip(pieces: Receiver<Next>, out: Pieces, failed: &Sender<Next>) -> io::Result<()> {
    let mut stream = GzEncoder::new(out, flate2::Compression::fast());
    if pour(pieces, &mut stream, |stream| &mut stream.get_mut().so_far, failed)? {
        stream.finish()?.end()
    } else {
        Ok(())
    }
}
