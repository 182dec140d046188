//! [`HookCall`]: a command to run on a host, and [`HookExit`]: its result.

use std::{collections::VecDeque, fmt, time::Duration};

use crate::path::{HostPath, InnerPath};

/// The limit on the standard output in a [`HookExit`], in bytes.
const STDOUT_TAIL: usize = 64 << 10;

/// The limit on the standard error in a [`HookExit`], in bytes.
const STDERR_TAIL: usize = 4 << 10;

/// The limit on the part of a line that a [`LineSink`] receives at once, in bytes.
const PIECE: usize = 8 << 10;

/// Names that some shell reserves and refuses to set.
const KEPT_NAMES: &[&str] = &[
    "BASHOPTS",
    "BASH_VERSINFO",
    "EGID",
    "EUID",
    "GID",
    "KSHEGID",
    "KSHGID",
    "KSHUID",
    "PGRP",
    "PPID",
    "SHELLOPTS",
    "UID",
    "USERNAME",
];

/// The variable that marks the processes of a command.
pub(crate) const MARKER: &str = "SWITCHBACK_HOOK";

/// A command to run on a host with its `sh`, and the record to keep of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookCall {
    /// The deploy root.
    pub root: HostPath,
    /// The private directory of the command, inside the root. The call creates it; its parent must exist.
    ///
    /// It holds the command, its output and its result. The call that creates it starts the command; a call that finds
    /// it follows the command in it.
    pub record: InnerPath,
    /// The working directory.
    pub directory: HostPath,
    /// The script for `sh`: text of any length without NUL bytes.
    pub script: String,
    /// Variables to add to the host's environment: names that shells allow, and values.
    pub environment: Vec<(String, String)>,
    /// Secret variables to add to the environment.
    pub secrets: Secrets,
    /// The time limit, kept by the host in whole seconds (rounded up). `None` for no limit.
    pub timeout: Option<Duration>,
    /// The limit on what is kept of each output stream, in bytes (a billion at most). Output beyond it is dropped.
    pub output_limit: u64,
    /// Whether to end a command that still runs, instead of waiting for it. Starts nothing.
    pub ends: bool,
}

impl HookCall {
    /// Returns the reason why no host can run this call, in words; `None` if there is none.
    pub(crate) fn flaw(&self) -> Option<String> {
        if self.record.is_root() {
            return Some("the record of a command cannot be the root itself".to_owned());
        }
        let mut variables = self.environment.iter().chain(self.secrets.pairs());
        if let Some((name, _)) = variables.clone().find(|(name, _)| !is_settable(name)) {
            return Some(format!("{name:?} is not a valid name of an environment variable"));
        }
        let nul = self.script.contains('\0') || variables.any(|(_, value)| value.contains('\0'));
        nul.then(|| "the command or its environment contains a NUL byte, which no shell accepts".to_owned())
    }
}

/// Whether every shell lets a script set a variable of this name.
fn is_settable(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let plain =
        name.bytes().next().is_some_and(letter) && name.bytes().all(|byte| letter(byte) || byte.is_ascii_digit());
    plain && !KEPT_NAMES.contains(&name) && name != MARKER
}

/// Names and values that reach a command through its environment only.
///
/// They are never in a file, an argument list, a message or an error. Printing them shows the names.
///
/// ```
/// use switchback::transport::raw::Secrets;
///
/// let secrets = Secrets::new([("TOKEN", "hunter2")]);
/// assert_eq!(format!("{secrets} {secrets:?}"), "TOKEN=*** Secrets(TOKEN=***)");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(Vec<(String, String)>);

impl Secrets {
    /// Creates secrets from these names and values.
    pub fn new<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// Returns the names and values in plain text. Pass them on with care.
    #[must_use]
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<String> = self.0.iter().map(|(name, _)| format!("{}=***", name.escape_debug())).collect();
        f.write_str(&shown.join(" "))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({self})")
    }
}

/// The result of a command, and the end of its output.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a command that failed is no error"]
pub struct HookExit {
    /// The way in which it ended.
    pub end: HookEnd,
    /// The end of the kept standard output: 64 KiB at most.
    pub stdout: Vec<u8>,
    /// The end of the kept standard error: 4 KiB at most.
    pub stderr: Vec<u8>,
}

impl HookExit {
    /// Creates the result of a command that ended so, with the kept end of each stream.
    pub fn new(end: HookEnd, stdout: impl Into<Vec<u8>>, stderr: impl Into<Vec<u8>>) -> Self {
        Self { end, stdout: stdout.into(), stderr: stderr.into() }
    }

    /// Whether the command exited with 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.end == HookEnd::Exited(0)
    }
}

/// The ways in which a command ends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HookEnd {
    /// It exited by itself, with this status.
    Exited(u8),
    /// A signal ended it, as far as a shell can tell: a status from 129 to 159 counts as the signal 128 below it.
    Killed(u8),
    /// It exceeded its time limit. Its process group got `SIGTERM`, and `SIGKILL` 5 seconds later.
    TimedOut {
        /// Processes that it started, that had left the group and that still run.
        survivors: Vec<u32>,
    },
    /// Its runner has provably ended without a result: the command may have run in part, whole, or not at all.
    Lost,
}

impl HookEnd {
    /// Returns the end of a command whose shell exited with this status.
    #[must_use]
    pub fn from_status(status: u8) -> Self {
        match status {
            129..=159 => Self::Killed(status - 128),
            _ => Self::Exited(status),
        }
    }

    /// Parses the file `result` of a record: `exit STATUS`, or `late` and the process ids of survivors.
    pub(crate) fn parse(result: &[u8]) -> Option<Self> {
        match &std::str::from_utf8(result).ok()?.split_whitespace().collect::<Vec<_>>()[..] {
            ["exit", status] => status.parse().ok().map(Self::from_status),
            ["late", survivors @ ..] => {
                let survivors = survivors.iter().map(|pid| pid.parse()).collect::<Result<_, _>>().ok()?;
                Some(Self::TimedOut { survivors })
            }
            _ => None,
        }
    }

    /// Returns the content of the file `result` of a record; `None` for a lost command, which has none.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn to_line(&self) -> Option<String> {
        match self {
            Self::Exited(status) => Some(format!("exit {status}\n")),
            Self::Killed(signal) => Some(format!("exit {}\n", signal.saturating_add(128))),
            Self::TimedOut { survivors } => {
                let words = std::iter::once("late".to_owned()).chain(survivors.iter().map(u32::to_string));
                Some(words.collect::<Vec<_>>().join(" ") + "\n")
            }
            Self::Lost => None,
        }
    }
}

/// An output stream of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Stream {
    /// Standard output.
    #[serde(rename = "stdout")]
    Stdout,
    /// Standard error.
    #[serde(rename = "stderr")]
    Stderr,
}

/// A receiver for the output of a command, line by line as it arrives.
pub trait LineSink: Send + Sync {
    /// Receives a line of `stream` without its line feed: any bytes, 8 KiB at most. A longer line arrives in parts.
    fn line(&self, stream: Stream, line: &[u8]);
}

impl<F: Fn(Stream, &[u8]) + Send + Sync> LineSink for F {
    fn line(&self, stream: Stream, line: &[u8]) {
        self(stream, line);
    }
}

/// The output of a command, on its way to a sink and into a [`HookExit`]. Its memory is bounded.
pub(super) struct Output<'s> {
    sink: &'s dyn LineSink,
    stdout: Lines,
    stderr: Lines,
}

impl<'s> Output<'s> {
    pub(super) fn new(sink: &'s dyn LineSink) -> Self {
        Self { sink, stdout: Lines::new(Stream::Stdout, STDOUT_TAIL), stderr: Lines::new(Stream::Stderr, STDERR_TAIL) }
    }

    /// Takes the next part of the output.
    pub(super) fn push(&mut self, stream: Stream, bytes: &[u8]) {
        match stream {
            Stream::Stdout => self.stdout.push(bytes, self.sink),
            Stream::Stderr => self.stderr.push(bytes, self.sink),
        }
    }

    /// Ends both streams and returns the result of the command.
    pub(super) fn exit(self, end: HookEnd) -> HookExit {
        HookExit { end, stdout: self.stdout.end(self.sink), stderr: self.stderr.end(self.sink) }
    }
}

/// One of the streams.
struct Lines {
    stream: Stream,
    /// The unfinished line.
    line: Vec<u8>,
    /// The end of the stream.
    tail: VecDeque<u8>,
    limit: usize,
}

impl Lines {
    fn new(stream: Stream, limit: usize) -> Self {
        Self { stream, line: Vec::new(), tail: VecDeque::new(), limit }
    }

    fn push(&mut self, bytes: &[u8], sink: &dyn LineSink) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = part.strip_suffix(b"\n").map_or((part, false), |text| (text, true));
            for piece in text.chunks(PIECE) {
                self.add(piece, sink);
            }
            if ends {
                sink.line(self.stream, &std::mem::take(&mut self.line));
            }
        }
        let last = &bytes[bytes.len().saturating_sub(self.limit)..];
        let over = (self.tail.len() + last.len()).saturating_sub(self.limit);
        self.tail.drain(..over);
        self.tail.extend(last);
    }

    /// Adds to the line. Passes a full part on only when more follows, so that no part is empty.
    fn add(&mut self, mut text: &[u8], sink: &dyn LineSink) {
        while self.line.len() + text.len() > PIECE {
            let (first, rest) = text.split_at(PIECE - self.line.len());
            self.line.extend_from_slice(first);
            sink.line(self.stream, &std::mem::take(&mut self.line));
            text = rest;
        }
        self.line.extend_from_slice(text);
    }

    fn end(self, sink: &dyn LineSink) -> Vec<u8> {
        if !self.line.is_empty() {
            sink.line(self.stream, &self.line);
        }
        self.tail.into()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn lines(chunks: &[&[u8]]) -> (Vec<Vec<u8>>, HookExit) {
        let seen = Mutex::new(Vec::new());
        let sink = |_: Stream, line: &[u8]| seen.lock().unwrap().push(line.to_vec());
        let mut output = Output::new(&sink);
        for chunk in chunks {
            output.push(Stream::Stdout, chunk);
        }
        let exit = output.exit(HookEnd::Exited(0));
        (seen.into_inner().unwrap(), exit)
    }

    #[test]
    fn lines_are_told_whole_however_they_come() {
        let text = b"one\n\ntwo\xff\0\nlast";
        let expected = [&b"one"[..], b"", b"two\xff\0", b"last"].map(<[u8]>::to_vec);
        let (told, exit) = lines(&[text]);
        assert_eq!((&told[..], &exit.stdout[..]), (&expected[..], &text[..]));
        assert_eq!(lines(&text.chunks(1).collect::<Vec<_>>()).0, expected);
    }

    #[test]
    fn endless_lines_take_no_memory() {
        let (told, exit) = lines(&[&vec![b'x'; PIECE * 3], b"y\n", &vec![b'z'; PIECE], b"\n"]);
        assert_eq!(told.iter().map(Vec::len).collect::<Vec<_>>(), [PIECE, PIECE, PIECE, 1, PIECE]);
        assert_eq!(exit.stdout.len(), PIECE * 4 + 3);
        assert_eq!(lines(&[&vec![b'x'; 3 * STDOUT_TAIL]]).1.stdout.len(), STDOUT_TAIL);
    }

    #[test]
    fn an_end_is_read_as_it_is_written() {
        let survivors = || HookEnd::TimedOut { survivors: vec![7, 8] };
        for end in [HookEnd::Exited(0), HookEnd::Exited(255), HookEnd::Killed(9), survivors()] {
            let line = end.to_line().expect("a line");
            assert_eq!(HookEnd::parse(line.as_bytes()), Some(end));
        }
        for bad in [&b"exit"[..], b"exit 256", b"late x", b"", b"exit \xff"] {
            assert_eq!(HookEnd::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn what_no_shell_sets_is_no_name() {
        for bad in ["", "1A", "A-B", "A=B", "é", "A\n", "UID", MARKER] {
            assert!(!is_settable(bad), "{bad:?}");
        }
        assert!(["A", "_", "PATH", "a1_"].into_iter().all(is_settable));
    }
}
