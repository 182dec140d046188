//! [`Piece`]: what a stream is passed on in, from who makes it to who sends it.

use std::io::{self, Write};

use tokio::sync::mpsc::Sender;

use crate::{transport::Uploaded, tree::TreeError};

/// How much of a stream is passed on at once, in bytes.
pub(super) const CHUNK: usize = 128 << 10;

/// A piece of the stream, and what had gone into the stream by its end.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    pub(super) so_far: Uploaded,
    /// Whether the stream is whole with it. A stream that ends otherwise is not.
    pub(super) last: bool,
}

/// The next piece, or why the source can give none.
pub(super) type Next = Result<Piece, TreeError>;

/// Passes what is written on in pieces; waits while those before are not taken yet.
#[derive(Debug)]
pub(super) struct Pieces {
    next: Sender<Next>,
    bytes: Vec<u8>,
    pub(super) so_far: Uploaded,
}

impl Pieces {
    pub(super) fn new(next: Sender<Next>) -> Self {
        Self { next, bytes: Vec::with_capacity(CHUNK), so_far: Uploaded::default() }
    }

    /// How many pieces may be passed on without waiting.
    pub(super) fn room(&self) -> usize {
        self.next.capacity()
    }

    /// How many pieces wait to be taken.
    pub(super) fn waiting(&self) -> usize {
        self.next.max_capacity() - self.next.capacity()
    }

    /// Passes on what is left. The stream is whole.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.send(true)
    }

    fn send(&mut self, last: bool) -> io::Result<()> {
        let bytes = std::mem::replace(&mut self.bytes, Vec::with_capacity(if last { 0 } else { CHUNK }));
        let piece = Piece { bytes, so_far: self.so_far, last };
        self.next.blocking_send(Ok(piece)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(CHUNK - self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..taken]);
        if self.bytes.len() == CHUNK {
            self.send(false)?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
