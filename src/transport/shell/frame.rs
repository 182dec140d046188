//! [`Frames`]: the replies of a host, separated from other output of the channel.

use std::collections::VecDeque;

use super::output_tail::OutputTail;

/// The limit on one reply, in bytes; a longer one is an error.
///
/// It fits the manifest and all entries of a release with some 500,000 entries, in hex.
const ANSWER_LIMIT: usize = 512 << 20;

/// The words of the protocol.
///
/// Everything else on a line is a number or a tagged value, so that no outside text, such as the name of a release,
/// ever counts as a word or a length.
pub(crate) const WORDS: &[&str] = &[
    "-",
    "@",
    "alive",
    "all",
    "beat",
    "begun",
    "chain",
    "changes",
    "clock",
    "compare",
    "cross-device",
    "denied",
    "directory",
    "done",
    "each",
    "end",
    "entries",
    "entry",
    "equal",
    "err",
    "exists",
    "fail",
    "failed",
    "file",
    "gone",
    "group",
    "hello",
    "identity",
    "link",
    "list",
    "lost",
    "mismatch",
    "missing",
    "no-list",
    "no-tree",
    "ok",
    "other",
    "out",
    "process",
    "result",
    "root",
    "some",
    "survey",
    "together",
    "unknown",
    "unreadable",
    "users",
    "way",
    "wrong-type",
];

/// One framed line of a reply, with its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// The [`WORDS`] and numbers between the nonce and the values.
    pub(super) words: Vec<String>,
    pub(super) values: Vec<Vec<u8>>,
}

impl Frame {
    /// Returns the frame without the number of its exchange; `None` unless that is `exchange`.
    pub(super) fn numbered(mut self, exchange: u64) -> Option<Self> {
        (self.words.first()?.parse() == Ok(exchange)).then(|| self.words.remove(0))?;
        Some(self)
    }

    pub(super) fn words(&self) -> Vec<&str> {
        self.words.iter().map(String::as_str).collect()
    }
}

/// A channel's output that is not a valid reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameError {
    /// A value does not have the announced length or form.
    #[error("the answer is garbled")]
    Garbled,
    /// A reply exceeds the limit.
    #[error("the answer is longer than {ANSWER_LIMIT} bytes")]
    TooLong,
}

/// The form of a value in a reply.
#[derive(Debug)]
enum Value {
    /// Text on the line itself: unchanged, or with `~` for each blank.
    Plain(Vec<u8>),
    /// Hex text on separate lines, with this many bytes of text.
    Hex(usize),
    /// Unchanged text on separate lines, with this many bytes.
    Lines(usize),
    /// Hex on separate lines in any layout, for this many bytes of value.
    Bytes(usize),
}

/// A frame whose values are still arriving.
#[derive(Debug)]
struct Pending {
    words: Vec<String>,
    /// The incomplete values.
    values: VecDeque<Value>,
    /// The complete values.
    whole: Vec<Vec<u8>>,
    /// The received part of the first incomplete value.
    part: Vec<u8>,
}

/// Splits a channel's output into frames and noise, in bounded memory.
#[derive(Debug)]
pub(super) struct Frames {
    /// The prefix of every line of a reply.
    prefix: Vec<u8>,
    /// The unfinished line; empty while a line of noise passes.
    line: Vec<u8>,
    /// Whether the rest of this line is noise.
    skipping: bool,
    /// A frame whose values are still arriving.
    pending: Option<Pending>,
    /// Complete frames, not taken yet.
    ready: VecDeque<Frame>,
    /// Bytes kept since the last reply ended.
    kept: usize,
    /// The end of all noise.
    pub(super) noise: OutputTail,
}

impl Frames {
    /// Creates a parser for frames that begin with `SB1` and this nonce.
    pub(super) fn new(nonce: &str) -> Self {
        Self {
            prefix: format!("SB1 {nonce} ").into_bytes(),
            line: Vec::new(),
            skipping: false,
            pending: None,
            ready: VecDeque::new(),
            kept: 0,
            noise: OutputTail::default(),
        }
    }

    /// Returns the next complete frame.
    pub(super) fn next(&mut self) -> Option<Frame> {
        self.ready.pop_front()
    }

    /// Begins a new reply.
    pub(super) fn begin(&mut self) {
        self.kept = 0;
    }

    /// Takes output of the channel.
    ///
    /// # Errors
    ///
    /// [`FrameError`]; the channel is unusable afterwards.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), FrameError> {
        for chunk in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.push_within_line(chunk)?;
        }
        Ok(())
    }

    /// Takes bytes of which only the last may be a newline.
    fn push_within_line(&mut self, bytes: &[u8]) -> Result<(), FrameError> {
        let (text, ends) = bytes.strip_suffix(b"\n").map_or((bytes, false), |text| (text, true));
        if self.skipping {
            self.noise.push(bytes);
        } else {
            self.line.extend_from_slice(text);
            self.kept += text.len();
            if self.kept > ANSWER_LIMIT {
                return Err(FrameError::TooLong);
            }
            if !self.may_be_ours(text.len()) {
                self.skip();
            }
        }
        if ends {
            self.end_line()?;
        }
        Ok(())
    }

    /// Whether the line so far, whose last `new` bytes just arrived, may still be part of a reply.
    fn may_be_ours(&self, new: usize) -> bool {
        let compared = self.line.len().min(self.prefix.len());
        let framed = self.line[..compared] == self.prefix[..compared];
        let is_value = |byte: &u8| byte.is_ascii_hexdigit() || b" -".contains(byte);
        framed || (self.pending.is_some() && self.line[self.line.len() - new..].iter().all(is_value))
    }

    fn skip(&mut self) {
        self.skipping = true;
        self.kept -= self.line.len();
        self.noise.push(&self.line);
        self.line = Vec::new();
    }

    fn end_line(&mut self) -> Result<(), FrameError> {
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.skipping) {
            return Ok(());
        }
        if let Some(text) = line.strip_prefix(&self.prefix[..]) {
            return self.begin_frame(text);
        }
        if self.pending.is_some() {
            return self.value_line(&line);
        }
        self.kept -= line.len();
        self.noise.push(&line);
        self.noise.push(b"\n");
        Ok(())
    }

    fn begin_frame(&mut self, text: &[u8]) -> Result<(), FrameError> {
        if self.pending.is_some() {
            return Err(FrameError::Garbled);
        }
        let text = std::str::from_utf8(text).map_err(|_| FrameError::Garbled)?;
        let (mut words, mut values) = (Vec::new(), VecDeque::new());
        for token in text.split_ascii_whitespace() {
            if WORDS.contains(&token) || is_number(token) {
                words.push(token.to_owned());
            } else {
                values.push_back(Value::parse(token).ok_or(FrameError::Garbled)?);
            }
        }
        self.pending = Some(Pending { words, values, whole: Vec::new(), part: Vec::new() });
        self.settle()
    }

    fn value_line(&mut self, line: &[u8]) -> Result<(), FrameError> {
        if let Some(Pending { part, values, .. }) = &mut self.pending {
            if let Some(Value::Bytes(_)) = values.front() {
                part.extend(unhex(line)?);
            } else {
                if !part.is_empty() {
                    part.push(b'\n');
                }
                part.extend_from_slice(line);
            }
        }
        self.settle()
    }

    /// Completes as many values as have arrived.
    fn settle(&mut self) -> Result<(), FrameError> {
        let Some(mut frame) = self.pending.take() else { return Ok(()) };
        while let Some(value) = frame.values.pop_front() {
            match value.complete(&mut frame.part)? {
                Ok(bytes) => frame.whole.push(bytes),
                Err(incomplete) => {
                    frame.values.push_front(incomplete);
                    self.pending = Some(frame);
                    return Ok(());
                }
            }
        }
        self.ready.push_back(Frame { words: frame.words, values: frame.whole });
        Ok(())
    }
}

/// Whether `token` is a number as `stat`, `date` and `id` print it: decimal, hex, or with a literal `%N` where
/// that is not supported.
fn is_number(token: &str) -> bool {
    token.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'.' | b'-' | b'%' | b'N'))
}

impl Value {
    /// Parses the value that a token announces. Its first character is a tag that no word and no number begins
    /// with.
    fn parse(token: &str) -> Option<Self> {
        if let Some(plain) = token.strip_prefix('=') {
            return Some(Self::Plain(plain.into()));
        }
        if let Some(words) = token.strip_prefix('~') {
            return Some(Self::Plain(words.replace('~', " ").into()));
        }
        let (form, length) = token.strip_prefix('#')?.split_at_checked(1)?;
        let length = length.parse().ok()?;
        match form {
            "x" => Some(Self::Hex(length)),
            "l" => Some(Self::Lines(length)),
            "h" => Some(Self::Bytes(length)),
            _ => None,
        }
    }

    /// Returns the value if all of it is in `part`, which it empties; else itself.
    fn complete(self, part: &mut Vec<u8>) -> Result<Result<Vec<u8>, Self>, FrameError> {
        let length = match &self {
            Self::Plain(_) => 0,
            Self::Hex(length) | Self::Lines(length) | Self::Bytes(length) => *length,
        };
        if let Self::Plain(bytes) = self {
            return Ok(Ok(bytes));
        }
        if part.len() < length {
            return Ok(Err(self));
        }
        if part.len() > length {
            return Err(FrameError::Garbled);
        }
        let text = std::mem::take(part);
        if matches!(self, Self::Hex(_)) { unhex(&text).map(Ok) } else { Ok(Ok(text)) }
    }
}

/// Decodes the output of `od -An -v -tx1`.
fn unhex(text: &[u8]) -> Result<Vec<u8>, FrameError> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    text.split(u8::is_ascii_whitespace)
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair {
            [high, low] => digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low).ok_or(FrameError::Garbled),
            _ => Err(FrameError::Garbled),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(chunks: &[&[u8]]) -> (Vec<Frame>, Frames) {
        let mut frames = Frames::new("n");
        for chunk in chunks {
            frames.push(chunk).expect("frames");
        }
        (std::iter::from_fn(|| frames.next()).collect(), frames)
    }

    #[test]
    fn frames_are_found_among_noise() {
        let text = b"Welcome!\nSB1 other end\n68 69\nSB1 n 0 1 link #x6\n 68 69\nnoise SB1 n\nSB1 n 0 end\n$ ";
        let (whole, frames) = all(&[text]);
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(
            whole,
            [
                Frame { words: words("0 1 link"), values: vec![b"hi".to_vec()] },
                Frame { words: words("0 end"), values: vec![] }
            ]
        );
        assert!(frames.noise.to_string().contains("Welcome!"));
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(all(&bytes).0, whole, "however it is cut");
    }

    #[test]
    fn words_stand_on_the_line_itself() {
        let (whole, _) = all(&[b"SB1 n 1 2 fail - ~./a:~File~exists =b~c\n"]);
        assert_eq!(whole[0].values, [b"./a: File exists".to_vec(), b"b~c".to_vec()]);
    }

    #[test]
    fn bytes_are_counted_and_not_their_text() {
        let (whole, _) = all(&[b"SB1 n 0 out #h3\n 68\n 69   0a\nSB1 n 0 out #h0\n"]);
        assert_eq!([&whole[0].values[0][..], &whole[1].values[0]], [&b"hi\n"[..], b""]);
        let mut frames = Frames::new("n");
        assert_eq!(frames.push(b"SB1 n 0 out #h3\n 68\nSB1 n 0 end\n"), Err(FrameError::Garbled));
    }

    #[test]
    fn a_value_of_another_length_is_garbled() {
        let mut frames = Frames::new("n");
        assert_eq!(frames.push(b"SB1 n 0 1 link #x3\n 68 69\n"), Err(FrameError::Garbled));
        let mut frames = Frames::new("n");
        assert_eq!(frames.push(b"SB1 n 0 1 link #x9\n 68 69\nSB1 n 0 end\n"), Err(FrameError::Garbled));
    }

    #[test]
    fn a_value_is_no_word_and_a_word_no_value() {
        let fair = ["h1", "l2", "x9", "end", "fail", "-", "@", "7", "=x", "~a~b"];
        for name in fair {
            let (whole, _) = all(&[format!("SB1 n 0 1 compare ={name} entries 0 #x0\n").as_bytes()]);
            assert_eq!(whole[0].words, ["0", "1", "compare", "entries", "0"], "{name}");
            assert_eq!(whole[0].values, [name.as_bytes(), b""], "{name}");
        }
        for untagged in ["h1", "l2", "x9", "build-17", "Done", "#", "#x", "#y1", "#x-1", "#h1x"] {
            let mut frames = Frames::new("n");
            let line = format!("SB1 n 0 1 compare {untagged} entries 0 #x0\n");
            assert_eq!(frames.push(line.as_bytes()), Err(FrameError::Garbled), "{untagged}");
        }
    }

    #[test]
    fn no_word_reads_as_a_number_or_a_tag() {
        for word in WORDS {
            assert!(*word == "-" || !is_number(word), "{word}");
            assert!(Value::parse(word).is_none(), "{word}");
        }
    }

    #[test]
    fn endless_noise_takes_no_memory() {
        let mut frames = Frames::new("n");
        for noise in [&b"x".repeat(1 << 20)[..], &b"SB1 n"[..], &b"ab\n".repeat(1 << 18)[..]] {
            (0..40).for_each(|_| frames.push(noise).expect("noise is ignored"));
        }
        assert!(frames.kept < 1 << 12, "{} bytes are kept", frames.kept);
        assert!(frames.line.capacity() < 1 << 22);
    }
}
