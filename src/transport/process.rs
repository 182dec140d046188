//! [`ProcessMark`]: the identity of a process that holds something, so that its end can be proven.
//!
//! The mark is one line, `PID STARTTIME BOOTID FIRST HOST`: the process's id, its start time in clock ticks since the
//! boot (field 22 of `/proc/PID/stat`), and the boot itself (`/proc/sys/kernel/random/boot_id`). A process id alone
//! proves nothing, since ids are reused; the three together identify one process of one host for ever.
//!
//! Another user of the same root may see it from elsewhere: from another container of the same kernel, where the id
//! belongs to another process or to none, or from another host that mounts the same disk. So the mark also holds the
//! start time of the first process (id 1), which differs between containers, and the host's name
//! (`/proc/sys/kernel/hostname`), each `-` where it is not visible. A process marked elsewhere is never declared dead.
//! A shell can read both without starting a program, unlike the name of the namespace (`/proc/self/ns/pid`). Older
//! versions wrote marks of three words.

use std::fmt;

use super::Liveness;

/// The file with the id of the boot, which changes with every boot.
pub(crate) const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The identity of one process of one host, for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProcessMark {
    /// Its process id.
    pub(crate) pid: u32,
    /// Its start time, in clock ticks since the boot.
    pub(crate) start: u64,
    /// The boot of the host.
    pub(crate) boot: String,
    /// The scope in which its id is unique; `None` in marks of older versions.
    pub(crate) realm: Option<Realm>,
}

/// The scope in which a process id names one process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Realm {
    /// The start time of the first process, in clock ticks since the boot, if visible.
    pub(crate) first: Option<u64>,
    /// The name of the host, if it consists of usual characters.
    pub(crate) host: Option<String>,
}

/// The scope and boot in which a mark is examined.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Here {
    /// The content of [`BOOT_ID`].
    pub(crate) boot: String,
    /// The scope of the ids read here.
    pub(crate) realm: Realm,
}

impl Realm {
    /// Creates the realm whose `/proc/1/stat` is `first`, on the host of this name.
    pub(crate) fn new(first: Option<&[u8]>, host: &str) -> Self {
        let first = first.and_then(Stat::parse).map(|stat| stat.start);
        Self { first, host: Some(host.to_owned()).filter(|host| is_usual(host)) }
    }

    fn parse(first: &str, host: &str) -> Option<Self> {
        let first = if first == "-" { None } else { Some(first.parse().ok()?) };
        let host = if host == "-" { None } else { Some(host.to_owned()).filter(|host| is_usual(host)) };
        Some(Self { first, host })
    }
}

fn is_usual(host: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !host.is_empty() && host != "-" && host.bytes().all(usual)
}

impl fmt::Display for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first {
            Some(first) => write!(f, "{first}")?,
            None => f.write_str("-")?,
        }
        write!(f, " {}", self.host.as_deref().unwrap_or("-"))
    }
}

/// The present state of the process id that a mark names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen<'a> {
    /// The content of `/proc/PID/stat`.
    Stat(&'a [u8]),
    /// No process has that id.
    Nothing,
    /// A process has that id, but its identity is hidden (`/proc` mounted with `hidepid`).
    Hidden,
}

impl ProcessMark {
    /// Creates the mark of the process `pid`, whose `/proc/PID/stat` is `stat`, here.
    ///
    /// `None` when that or the boot does not have the format of Linux.
    pub(crate) fn new(pid: u32, stat: &[u8], here: &Here) -> Option<Self> {
        let (boot, realm) = (here.boot.trim().to_owned(), Some(here.realm.clone()));
        let one_word = !boot.is_empty() && !boot.contains(char::is_whitespace);
        one_word.then_some(Self { pid, start: Stat::parse(stat)?.start, boot, realm })
    }

    /// Parses a mark; `None` for anything else.
    pub(crate) fn parse(content: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(content).ok()?.strip_suffix('\n')?;
        let words: Vec<&str> = line.split(' ').collect();
        let (pid, start, boot, realm) = match words[..] {
            [pid, start, boot] => (pid, start, boot, None),
            [pid, start, boot, first, host] => (pid, start, boot, Some(Realm::parse(first, host)?)),
            _ => return None,
        };
        let mark = Self { pid: pid.parse().ok()?, start: start.parse().ok()?, boot: boot.to_owned(), realm };
        // A line that does not print as it was read (a sign, leading zeros, other white space) was not written by us.
        (mark.to_string() == line && !boot.is_empty() && !boot.contains(char::is_whitespace)).then_some(mark)
    }

    /// Returns the content of the file that bears the mark.
    pub(crate) fn to_content(&self) -> String {
        format!("{self}\n")
    }

    /// Returns the state of the marked process, examined `here`, where its id shows `seen`.
    pub(crate) fn liveness(&self, here: &Here, seen: Seen<'_>) -> Liveness {
        let boot = here.boot.trim();
        if boot.is_empty() {
            return Liveness::Unknown;
        }
        if boot != self.boot {
            // Another boot of this host ended the process; another host has its own boots.
            let same_host =
                self.realm.as_ref().is_none_or(|realm| is_same(realm.host.as_ref(), here.realm.host.as_ref()));
            return if same_host { Liveness::Gone } else { Liveness::Unknown };
        }
        if self.realm.as_ref().is_some_and(|realm| !is_same(realm.first.as_ref(), here.realm.first.as_ref())) {
            return Liveness::Unknown;
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

/// Whether both are known and equal.
fn is_same<T: PartialEq>(marked: Option<&T>, here: Option<&T>) -> bool {
    marked.is_some() && marked == here
}

impl fmt::Display for ProcessMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.pid, self.start, self.boot)?;
        self.realm.as_ref().map_or(Ok(()), |realm| write!(f, " {realm}"))
    }
}

/// The fields of `/proc/PID/stat` that matter here.
struct Stat {
    start: u64,
    /// Whether it has ended and only waits for its parent to reap it.
    ///
    /// In a container whose first process never reaps, that lasts for ever.
    ended: bool,
}

impl Stat {
    fn parse(stat: &[u8]) -> Option<Self> {
        // The second field is the program's name in parentheses, and may itself hold spaces and parentheses.
        let name_end = stat.iter().rposition(|byte| *byte == b')')?;
        let fields: Vec<&str> = std::str::from_utf8(&stat[name_end + 1..]).ok()?.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3).copied();
        // A first thread that has ended while others run is a zombie too, but its process still runs.
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

    fn at(boot: &str) -> Here {
        Here { boot: boot.to_owned(), realm: Realm::new(Some(&stat("init", 'S', 1, 5)), "web1") }
    }

    fn mark() -> ProcessMark {
        ProcessMark::new(77, &stat("sh", 'S', 1, 4242), &at(BOOT)).unwrap()
    }

    #[test]
    fn prints_one_line_and_reads_it_back() {
        assert_eq!(mark().to_content(), format!("77 4242 {} 5 web1\n", BOOT.trim()));
        let hidden = ProcessMark { realm: Some(Realm::default()), ..mark() };
        assert_eq!(hidden.to_content(), format!("77 4242 {} - -\n", BOOT.trim()));
        let before = ProcessMark { realm: None, ..mark() };
        assert_eq!(before.to_content(), format!("77 4242 {BOOT}"));
        for mark in [mark(), hidden, before] {
            assert_eq!(ProcessMark::parse(mark.to_content().as_bytes()), Some(mark));
        }
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
            "7 1 b 5\n",
            "7 1 b 5 h more\n",
            "7 1 b x h\n",
            "7 1 b 5 h/h\n",
            "7 1 b 05 h\n",
        ] {
            assert_eq!(ProcessMark::parse(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn a_program_may_be_called_anything() {
        for name in ["a b", "a) R 1 2 (b", ")", "((", "\n"] {
            assert_eq!(ProcessMark::new(77, &stat(name, 'S', 1, 4242), &at(BOOT)), Some(mark()), "{name:?}");
        }
        assert_eq!(ProcessMark::new(77, b"77 (sh) S 1 2", &at(BOOT)), None);
        assert_eq!(ProcessMark::new(77, &stat("sh", 'S', 1, 1), &at(" \n")), None);
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
            assert_eq!(mark().liveness(&at(boot), seen), expected, "{boot:?} {seen:?}");
            let before = ProcessMark { realm: None, ..mark() };
            assert_eq!(before.liveness(&at(boot), seen), expected, "{boot:?} {seen:?}");
        }
    }

    #[test]
    fn what_is_marked_elsewhere_is_never_proven_gone() {
        let elsewhere = |first: &[u8], host: &str| Realm::new(Some(first), host);
        let (init, other) = (stat("init", 'S', 1, 5), stat("init", 'S', 1, 6));
        let hidden = Realm { first: None, ..elsewhere(&init, "web1") };
        let nameless = Realm { host: None, ..elsewhere(&init, "web1") };
        let cases = [
            (BOOT, elsewhere(&other, "web1"), Liveness::Unknown),
            (BOOT, hidden.clone(), Liveness::Unknown),
            (BOOT, elsewhere(&init, "web2"), Liveness::Gone),
            ("another-boot", elsewhere(&init, "web2"), Liveness::Unknown),
            ("another-boot", nameless, Liveness::Unknown),
            ("another-boot", elsewhere(&other, "web1"), Liveness::Gone),
        ];
        for (boot, realm, expected) in cases {
            let here = Here { boot: boot.to_owned(), realm };
            assert_eq!(mark().liveness(&here, Seen::Nothing), expected, "{here:?}");
        }
        // Where the first process is not visible, nobody knows whether it is the same.
        let mark = ProcessMark { realm: Some(hidden.clone()), ..mark() };
        assert_eq!(mark.liveness(&Here { boot: BOOT.to_owned(), realm: hidden }, Seen::Nothing), Liveness::Unknown);
    }
}
