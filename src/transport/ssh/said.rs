//! [`Said`]: the standard error of `ssh`, without the last message of `ssh` itself.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, ReadBuf};

/// The beginning of the last message: the amount of data sent, which helps nobody.
const LAST_WORDS: &[u8] = b"Transferred: sent ";

/// The limit on the length of the last message, in bytes.
const LAST_LENGTH: usize = 256;

/// A standard error that ends where the last message of `ssh` begins.
#[derive(Debug)]
pub(super) struct Said<R> {
    stderr: R,
    ended: bool,
}

impl<R> Said<R> {
    pub(super) fn new(stderr: R) -> Self {
        Self { stderr, ended: false }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Said<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ended {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stderr).poll_read(context, buffer);
        // `ssh` writes the message at once, so it arrives in one read.
        let end = buffer.filled().len().saturating_sub(LAST_LENGTH).max(before);
        if let Some(at) = buffer.filled()[end..].windows(LAST_WORDS.len()).position(|window| window == LAST_WORDS) {
            buffer.set_filled(end + at);
            self.ended = true;
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[test]
    fn the_last_words_are_left_out() {
        let all =
            b"no such file\nTransferred: sent 2124, received 2412 bytes, in 0.1 seconds\nBytes per second: sent 1\n";
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let mut heard = String::new();
        runtime.block_on(Said::new(&all[..]).read_to_string(&mut heard)).expect("text");
        assert_eq!(heard, "no such file\n");
    }
}
