//! [`OutputTail`]: the end of a program's output, bounded and safe to print.

use std::{collections::VecDeque, fmt};

/// The bytes kept.
const KEPT: usize = 2048;

/// The last bytes of a stream.
#[derive(Debug, Clone, Default)]
pub(super) struct OutputTail(VecDeque<u8>);

impl OutputTail {
    /// Adds the next output.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let last = &bytes[bytes.len().saturating_sub(KEPT)..];
        let over = (self.0.len() + last.len()).saturating_sub(KEPT);
        self.0.drain(..over);
        self.0.extend(last);
    }
}

/// Prints one line, with everything escaped that a terminal would act on.
impl fmt::Display for OutputTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: Vec<u8> = self.0.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        lines
            .join(" / ")
            .chars()
            .try_for_each(|c| if c.is_control() { write!(f, "{}", c.escape_default()) } else { write!(f, "{c}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_end_and_escapes_it() {
        let mut tail = OutputTail::default();
        (0..100).for_each(|_| tail.push(&[b'x'; 999]));
        tail.push(b"\n\x1b[31mred\r\n\n done ");
        let text = tail.to_string();
        assert!(text.len() < KEPT + 20 && text.ends_with(r"x / \u{1b}[31mred / done"), "{text}");
    }
}
