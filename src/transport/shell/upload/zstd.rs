//! [`ZstdStream`]: a stream in the format of `zstd`, compressed frame by frame.

use std::io::{self, Write};

use ::zstd::{bulk::Compressor, zstd_safe::compress_bound};

use crate::transport::Uploaded;

use super::{chunk::ChunkWriter, compress::Serves};

/// The content of one frame, in bytes.
///
/// `zstd -d` reads frame after frame (RFC 8878, 3.1), and each may have its own level. Repetitions across frames are
/// not found: the sources of a language came out 3 % larger than in one frame, and 27 % with frames of 512 KiB.
const FRAME: usize = 4 << 20;

/// The level of the first frame, and of frames that delay nobody or serve many; and the level of all others.
///
/// The better level takes one and a half to three times as long, and leaves up to a quarter less.
const BETTER: i32 = 3;
const QUICKER: i32 = 1;

/// The number of chunks that must wait to be sent for the better level to delay nobody.
const RESERVE: usize = 2;

/// Compresses written bytes and passes them on.
pub(super) struct ZstdStream {
    compressor: Compressor<'static>,
    /// The unfinished frame, and its compressed form.
    frame: Vec<u8>,
    compressed: Vec<u8>,
    level: i32,
    serves: Serves,
    /// The content written so far.
    pub(super) so_far: Uploaded,
    out: ChunkWriter,
}

impl ZstdStream {
    pub(super) fn new(out: ChunkWriter, serves: Serves) -> io::Result<Self> {
        let mut compressor = Compressor::new(BETTER)?;
        // Without it, a damaged stream may decompress without an error.
        compressor.include_checksum(true)?;
        let (compressed, so_far) = (Vec::with_capacity(compress_bound(FRAME)), out.so_far);
        Ok(Self { compressor, frame: Vec::with_capacity(FRAME), compressed, level: BETTER, serves, so_far, out })
    }

    /// Passes on the rest, as the last chunk.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.pass()?;
        self.out.end()
    }

    fn pass(&mut self) -> io::Result<()> {
        self.compressor.compress_to_buffer(&self.frame, &mut self.compressed)?;
        self.frame.clear();
        let is_waited_for = self.serves == Serves::One && self.out.waiting() < RESERVE;
        let level = if is_waited_for { QUICKER } else { BETTER };
        self.out.write_all(&self.compressed)?;
        // Count a frame only once sent: its content is usable only when all of it has arrived.
        self.out.so_far = self.so_far;
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

    use super::{
        super::chunk::{CHUNK_SIZE, NextChunk},
        *,
    };

    /// Compresses `content` in one go, and returns whether its last chunk is marked as the last.
    fn compressed(content: &[u8], serves: Serves) -> (Vec<u8>, bool) {
        let (next, mut taken) = channel(1 << 10);
        let mut stream = ZstdStream::new(ChunkWriter::new(next), serves).expect("memory");
        content.chunks(100_000).for_each(|chunk| stream.write_all(chunk).expect("somebody takes it"));
        stream.end().expect("somebody takes it");
        let chunks: Vec<_> = std::iter::from_fn(|| taken.blocking_recv()).map(|next| next.expect("a chunk")).collect();
        (chunks.iter().flat_map(|chunk| chunk.bytes.clone()).collect(), chunks.last().is_some_and(|chunk| chunk.last))
    }

    #[test]
    fn what_goes_in_comes_out_however_many_frames_it_takes() {
        for length in [0, 1, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME + 7] {
            let content: Vec<u8> = (0..=u8::MAX).cycle().step_by(7).take(length).collect();
            for serves in [Serves::One, Serves::Many] {
                let (stream, is_whole) = compressed(&content, serves);
                assert!(is_whole, "{length} bytes");
                assert!(zstd::decode_all(&stream[..]).expect("what zstd reads") == content, "{length} bytes");
            }
        }
    }

    #[test]
    fn a_frame_is_told_of_when_all_of_it_has_gone() {
        let (next, mut taken) = channel(1 << 10);
        let mut stream = ZstdStream::new(ChunkWriter::new(next), Serves::One).expect("memory");
        // Incompressible content takes many chunks.
        let next_word = |word: &u64| {
            let word = word ^ word << 13;
            let word = word ^ word >> 7;
            Some(word ^ word << 17)
        };
        let noise =
            std::iter::successors(Some(0x2545_f491_4f6c_dd1d), next_word).flat_map(u64::to_ne_bytes).take(FRAME);
        stream.so_far = Uploaded { files: 1, bytes: FRAME as u64 };
        stream.write_all(&noise.collect::<Vec<u8>>()).expect("somebody takes it");
        let files = |next: NextChunk| next.expect("a chunk").so_far.files;
        let told: Vec<u64> = std::iter::from_fn(|| taken.try_recv().ok()).map(files).collect();
        assert!(told.len() > 1 && told.iter().all(|files| *files == 0), "{told:?}");
        stream.end().expect("somebody takes it");
        assert_eq!(taken.blocking_recv().map(files), Some(1));
    }

    #[test]
    fn a_stream_that_was_damaged_is_found() {
        let content = vec![7; 2 * FRAME + 1];
        let (stream, _) = compressed(&content, Serves::One);
        let first = zstd::zstd_safe::find_frame_compressed_size(&stream).expect("a frame");
        for end in [first, stream.len()] {
            let mut damaged = stream.clone();
            damaged[end - 1] ^= 1;
            assert!(zstd::decode_all(&damaged[..]).is_err(), "each frame ends with a checksum");
        }
    }

    /// Returns the level of the frame after one, when this many earlier chunks wait to be taken.
    fn level_after(waiting: usize, serves: Serves) -> i32 {
        let (next, _taken) = channel(1 << 10);
        let mut stream = ZstdStream::new(ChunkWriter::new(next), serves).expect("memory");
        stream.out.write_all(&vec![7; waiting * CHUNK_SIZE]).expect("somebody takes it");
        stream.write_all(&vec![7; FRAME]).expect("somebody takes it");
        stream.level
    }

    #[test]
    fn only_who_waits_gets_it_quickly() {
        assert_eq!(level_after(0, Serves::One), QUICKER);
        assert_eq!(level_after(RESERVE, Serves::One), BETTER, "enough is there to be sent");
        assert_eq!(level_after(0, Serves::Many), BETTER, "each byte goes to many");
    }
}
