//! [`ZstdStream`]: a stream as `zstd` reads it, made frame by frame.

use std::io::{self, Write};

use ::zstd::{bulk::Compressor, zstd_safe::compress_bound};

use super::{compression::Serves, piece::Pieces};

/// How much goes into one frame, in bytes; `zstd -d` reads frame after frame (RFC 8878, 3.1). What is compressed at once takes
/// two thirds of the time that it takes as a part of one long frame, whose window is in two pieces most of the time, and mixed
/// files come out no larger.
const FRAME: usize = 512 << 10;

/// How the first frames are compressed, and those that hold nobody up or go to many; and how all others are. On text the better
/// level takes twice the time and leaves a fifth less.
const BETTER: i32 = 3;
const QUICKER: i32 = 1;

/// How many frames hurrying gains nothing for: no more than so are sent where a release is like the one before.
const FIRST: u32 = 4;

/// How many pieces must wait to be sent for the better level to hold nobody up.
const RESERVE: usize = 2;

/// Compresses what is written, and passes it on.
pub(super) struct ZstdStream {
    compressor: Compressor<'static>,
    /// The frame in the making, and what it becomes.
    frame: Vec<u8>,
    compressed: Vec<u8>,
    level: i32,
    frames: u32,
    serves: Serves,
    pub(super) out: Pieces,
}

impl ZstdStream {
    pub(super) fn new(out: Pieces, serves: Serves) -> io::Result<Self> {
        let mut compressor = Compressor::new(BETTER)?;
        compressor.include_checksum(true)?;
        let compressed = Vec::with_capacity(compress_bound(FRAME));
        Ok(Self { compressor, frame: Vec::with_capacity(FRAME), compressed, level: BETTER, frames: 0, serves, out })
    }

    /// Passes on what is left. The stream is whole.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.pass()?;
        self.out.end()
    }

    fn pass(&mut self) -> io::Result<()> {
        self.compressor.compress_to_buffer(&self.frame, &mut self.compressed)?;
        self.frame.clear();
        self.frames = self.frames.saturating_add(1);
        let is_waited_for = self.frames >= FIRST && self.out.waiting() < RESERVE;
        let level = if is_waited_for && self.serves == Serves::One { QUICKER } else { BETTER };
        self.out.write_all(&self.compressed)?;
        if level != self.level {
            self.compressor.set_compression_level(level)?;
            self.level = level;
        }
        Ok(())
    }
}

impl Write for ZstdStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(FRAME - self.frame.len());
        self.frame.extend_from_slice(&bytes[..taken]);
        if self.frame.len() == FRAME {
            self.pass()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::channel;

    use super::{super::piece::CHUNK, *};

    /// What `content` becomes when it is taken at once, and whether its last piece says that it is the last.
    fn compressed(content: &[u8], serves: Serves) -> (Vec<u8>, bool) {
        let (next, mut taken) = channel(1 << 10);
        let mut stream = ZstdStream::new(Pieces::new(next), serves).expect("memory");
        content.chunks(100_000).for_each(|chunk| stream.write_all(chunk).expect("somebody takes it"));
        stream.end().expect("somebody takes it");
        let pieces: Vec<_> = std::iter::from_fn(|| taken.blocking_recv()).map(|next| next.expect("a piece")).collect();
        (pieces.iter().flat_map(|piece| piece.bytes.clone()).collect(), pieces.last().is_some_and(|piece| piece.last))
    }

    #[test]
    fn what_goes_in_comes_out_however_many_frames_it_takes() {
        for length in [0, 1, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME + 7] {
            let content: Vec<u8> = (0..=u8::MAX).cycle().step_by(7).take(length).collect();
            for serves in [Serves::One, Serves::Many] {
                let (stream, is_whole) = compressed(&content, serves);
                assert!(is_whole, "{length} bytes");
                assert!(zstd::decode_all(&stream[..]).expect("what zstd reads") == content, "{length} bytes");
            }
        }
    }

    #[test]
    fn a_stream_that_was_damaged_is_found() {
        let (mut stream, _) = compressed(&vec![7; 2 * FRAME], Serves::One);
        let last = stream.len() - 1;
        stream[last] ^= 1;
        assert!(zstd::decode_all(&stream[..]).is_err(), "each frame ends with a checksum");
    }

    /// The level of the frame that comes after `frames`, of which so many pieces wait to be taken.
    fn level_after(frames: u32, waiting: usize, serves: Serves) -> i32 {
        let (next, mut taken) = channel(1 << 10);
        let mut stream = ZstdStream::new(Pieces::new(next), serves).expect("memory");
        let frame = vec![7; FRAME];
        for _ in 1..frames {
            stream.write_all(&frame).expect("somebody takes it");
        }
        while taken.try_recv().is_ok() {}
        stream.out.write_all(&vec![7; waiting * CHUNK]).expect("somebody takes it");
        stream.write_all(&frame).expect("somebody takes it");
        stream.level
    }

    #[test]
    fn only_who_waits_gets_it_quickly() {
        assert_eq!(level_after(FIRST, 0, Serves::One), QUICKER);
        assert_eq!(level_after(FIRST, RESERVE, Serves::One), BETTER, "enough is there to be sent");
        assert_eq!(level_after(FIRST - 1, 0, Serves::One), BETTER, "it may be all but done");
        assert_eq!(level_after(FIRST, 0, Serves::Many), BETTER, "each byte goes to many");
    }
}
