//! [`Gzip`]: a `gzip` stream that costs little where nothing shrinks.

use std::io::{self, Write};

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// The most that one stored block holds, in bytes.
const STORED: usize = 0xffff;

/// So many writes at most are stored untried after one that did not shrink.
const MOST_UNTRIED: u32 = 16;

/// Compresses what is written as one `gzip` member (RFC 1952).
///
/// Each write is compressed by itself, so it should be large. One that does not shrink is stored as it is, and so are those after it,
/// the more the longer none shrinks: media and archives pass at the speed of a copy.
pub(super) struct Gzip<W> {
    out: W,
    compress: Compress,
    crc: Crc,
    block: Vec<u8>,
    /// How many writes are stored untried next, and how many after the next one that does not shrink.
    untried: u32,
    after_next: u32,
}

impl<W: Write> Gzip<W> {
    /// A stream to `out`.
    pub(super) fn new(mut out: W) -> io::Result<Self> {
        // Deflate, no flags, no time, fastest, of an unknown system.
        out.write_all(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255])?;
        let compress = Compress::new(Compression::fast(), false);
        Ok(Self { out, compress, crc: Crc::new(), block: Vec::new(), untried: 0, after_next: 1 })
    }

    /// Where it goes to.
    pub(super) fn get_mut(&mut self) -> &mut W {
        &mut self.out
    }

    /// Ends the stream, and gives back where it went to.
    pub(super) fn finish(mut self) -> io::Result<W> {
        // An empty block, the last.
        self.out.write_all(&[1, 0, 0, 0xff, 0xff])?;
        self.out.write_all(&self.crc.sum().to_le_bytes())?;
        self.out.write_all(&self.crc.amount().to_le_bytes())?;
        Ok(self.out)
    }

    /// Compresses `bytes` into the block; whether that made them smaller.
    fn shrinks(&mut self, bytes: &[u8]) -> io::Result<bool> {
        self.block.clear();
        // No more room than would be worth it.
        self.block.reserve_exact(bytes.len() - bytes.len() / 16);
        let room = self.block.capacity();
        self.compress.reset();
        let status =
            self.compress.compress_vec(bytes, &mut self.block, FlushCompress::Sync).map_err(io::Error::other)?;
        let all = self.compress.total_in() == bytes.len() as u64;
        Ok(all && status == Status::Ok && self.block.len() < room)
    }

    fn store(&mut self, bytes: &[u8]) -> io::Result<()> {
        for part in bytes.chunks(STORED) {
            let length = u16::try_from(part.len()).map_err(io::Error::other)?;
            self.out.write_all(&[0])?;
            self.out.write_all(&length.to_le_bytes())?;
            self.out.write_all(&(!length).to_le_bytes())?;
            self.out.write_all(part)?;
        }
        Ok(())
    }
}

impl<W: Write> Write for Gzip<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.crc.update(bytes);
        if self.untried > 0 {
            self.untried -= 1;
            self.store(bytes)?;
        } else if self.shrinks(bytes)? {
            self.after_next = 1;
            self.out.write_all(&self.block)?;
        } else {
            self.untried = self.after_next;
            self.after_next = (self.after_next * 2).min(MOST_UNTRIED);
            self.store(bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// Bytes that nothing makes smaller.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        };
        (0..length).map(|_| next()).collect()
    }

    fn through(pieces: &[Vec<u8>]) -> (Vec<u8>, Vec<u8>) {
        let mut stream = Gzip::new(Vec::new()).unwrap();
        for piece in pieces {
            stream.write_all(piece).unwrap();
        }
        let packed = stream.finish().unwrap();
        let mut back = Vec::new();
        flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut back).unwrap();
        (packed, back)
    }

    #[test]
    fn what_goes_in_comes_out() {
        let text = |length| b"what is said often ".iter().copied().cycle().take(length).collect::<Vec<u8>>();
        let noise = noise(200_000);
        for pieces in [
            vec![],
            vec![vec![]],
            vec![vec![7]],
            vec![text(131_072), noise.clone(), text(131_072), text(70_000), noise.clone(), noise.clone(), text(9)],
            vec![noise[..65_535].to_vec(), noise[..65_536].to_vec(), noise[..1].to_vec()],
        ] {
            let (_, back) = through(&pieces);
            assert!(back == pieces.concat(), "{:?}", pieces.iter().map(Vec::len).collect::<Vec<_>>());
        }
    }

    #[test]
    fn text_shrinks_and_noise_hardly_grows() {
        let text = vec![b"what is said often ".repeat(7000); 9];
        assert!(through(&text).0.len() < text.concat().len() / 20);
        let noise = vec![noise(131_072); 9];
        assert!(through(&noise).0.len() < noise.concat().len() + 400);
        // And text is tried again after it.
        let text = vec![b"what is said often ".repeat(7000); 72];
        let mixed = [noise.clone(), text.clone()].concat();
        assert!(through(&mixed).0.len() < noise.concat().len() + text.concat().len() / 3);
    }
}
