//! [`ProcessMark`]: which process holds something, so that it can be proven gone.
//!
//! The mark is one line, `PID STARTTIME BOOTID`: the process's id, when it started in clock ticks since the boot
//! (field 22 of `/proc/PID/stat`), and the boot itself (`/proc/sys/kernel/random/boot_id`). A process id alone
//! proves nothing, since ids are used again; the three together name one process for ever.

use std::fmt;

use super::Liveness;

/// The file whose content is another one after every boot.
pub(crate) const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Names one process of one host, for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProcessMark {
    /// Its process id.
    pub(crate) pid: u32,
    /// When it started, in clock ticks since the boot.
    pub(crate) start: u64,
    /// The boot of the host.
    pub(crate) boot: String,
}

/// What the host shows now of the process id that a mark names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen<'a> {
    /// The content of `/proc/PID/stat`.
    Stat(&'a [u8]),
    /// No process has that id.
    Nothing,
    /// A process has that id, but who it is cannot be seen (`/proc` mounted with `hidepid`).
    Hidden,
}

impl ProcessMark {
    /// The mark of the process `pid` whose `/proc/PID/stat` is `stat`, on the boot that [`BOOT_ID`] holds; `None`
    /// when one of them is not as Linux writes it.
    pub(crate) fn new(pid: u32, stat: &[u8], boot: &str) -> Option<Self> {
        let boot = boot.trim();
        let one_word = !boot.is_empty() && !boot.contains(char::is_whitespace);
        one_word.then_some(Self { pid, start: Stat::parse(stat)?.start, boot: boot.to_owned() })
    }

    /// Reads a mark as it was printed; `None` for anything else.
    pub(crate) fn parse(content: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(content).ok()?.strip_suffix('\n')?;
        let words: Vec<&str> = line.split(' ').collect();
        let [pid, start, boot] = words[..] else { return None };
        let mark = Self { pid: pid.parse().ok()?, start: start.parse().ok()?, boot: boot.to_owned() };
        // What does not print as it was read (a sign, leading zeros, other white space) was not written by us.
        (mark.to_string() == line && !boot.is_empty() && !boot.contains(char::is_whitespace)).then_some(mark)
    }

    /// The content of the file that bears the mark.
    pub(crate) fn to_content(&self) -> String {
        format!("{self}\n")
    }

    /// Whether the marked process still runs, on a host whose boot is `boot` and which shows `seen` for its id.
    pub(crate) fn liveness(&self, boot: &str, seen: Seen<'_>) -> Liveness {
        if boot.trim().is_empty() {
            return Liveness::Unknown;
        }
        if boot.trim() != self.boot {
            return Liveness::Gone;
        }
        match seen {
            Seen::Nothing => Liveness::Gone,
            Seen::Hidden => Liveness::Unknown,
            Seen::Stat(stat) => Stat::parse(stat).map_or(Liveness::Unknown, |stat| self.compare(&stat)),
        }
    }

    fn compare(&self, stat: &Stat) -> Liveness {
        if stat.start == self.start && !stat.ended { Liveness::Alive } else { Liveness::Gone }
    }
}

impl fmt::Display for ProcessMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.pid, self.start, self.boot)
    }
}

/// What `/proc/PID/stat` says, as far as it matters here.
struct Stat {
    start: u64,
    /// It has ended and only waits for its parent to ask how. In a container whose first process never asks, that
    /// lasts for ever.
    ended: bool,
}

impl Stat {
    fn parse(stat: &[u8]) -> Option<Self> {
        // The second field is the program's name in parentheses, and may itself hold spaces and parentheses.
        let name_end = stat.iter().rposition(|byte| *byte == b')')?;
        let fields: Vec<&str> = std::str::from_utf8(&stat[name_end + 1..]).ok()?.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3).copied();
        // A first thread that has ended while others run is a zombie too, but its process is not over.
        let threads: u64 = field(20)?.parse().ok()?;
        let ended = matches!(field(3)?, "Z" | "X" | "x") && threads <= 1;
        Some(Self { start: field(22)?.parse().ok()?, ended })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: &str = "6b3cbbd6-4a54-4b0b-a7f4-3f2d3b6f3f2a\n";

    fn stat(name: &str, state: char, threads: u32, start: u64) -> Vec<u8> {
        format!("77 ({name}) {state} 1 77 77 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 {threads} 0 {start} 1000 20\n").into()
    }

    fn mark() -> ProcessMark {
        ProcessMark::new(77, &stat("sh", 'S', 1, 4242), BOOT).unwrap()
    }

    #[test]
    fn prints_one_line_and_reads_it_back() {
        assert_eq!(mark().to_content(), format!("77 4242 {BOOT}"));
        assert_eq!(ProcessMark::parse(mark().to_content().as_bytes()), Some(mark()));
    }

    #[test]
    fn anything_else_is_no_mark() {
        for bad in [
            "",
            "\n",
            "77 4242 b",
            "77 4242\n",
            "77 4242 b c\n",
            "x 1 b\n",
            "77 4242 \n",
            "+7 1 b\n",
            "7 01 b\n",
            "7 1 b\n\n",
        ] {
            assert_eq!(ProcessMark::parse(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn a_program_may_be_called_anything() {
        for name in ["a b", "a) R 1 2 (b", ")", "((", "\n"] {
            assert_eq!(ProcessMark::new(77, &stat(name, 'S', 1, 4242), BOOT), Some(mark()), "{name:?}");
        }
        assert_eq!(ProcessMark::new(77, b"77 (sh) S 1 2", BOOT), None);
        assert_eq!(ProcessMark::new(77, &stat("sh", 'S', 1, 1), " \n"), None);
    }

    #[test]
    fn only_what_is_proven_is_gone() {
        let same = stat("sh", 'S', 1, 4242);
        let cases = [
            (BOOT, Seen::Stat(&same), Liveness::Alive),
            ("another-boot\n", Seen::Stat(&same), Liveness::Gone),
            ("another-boot\n", Seen::Hidden, Liveness::Gone),
            ("", Seen::Nothing, Liveness::Unknown),
            (BOOT, Seen::Nothing, Liveness::Gone),
            (BOOT, Seen::Hidden, Liveness::Unknown),
            (BOOT, Seen::Stat(b"what is this"), Liveness::Unknown),
            (BOOT, Seen::Stat(&stat("sh", 'R', 1, 4243)), Liveness::Gone),
            (BOOT, Seen::Stat(&stat("sh", 'Z', 1, 4242)), Liveness::Gone),
            (BOOT, Seen::Stat(&stat("sh", 'Z', 2, 4242)), Liveness::Alive),
        ];
        for (boot, seen, expected) in cases {
            assert_eq!(mark().liveness(boot, seen), expected, "{boot:?} {seen:?}");
        }
    }
}
