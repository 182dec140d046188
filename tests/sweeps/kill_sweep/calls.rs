//! The system calls of one run of the command, and faults at each of them, by `strace`.
//!
//! `strace` counts for each thread of its own. So that the counts mean something, all that the command does to a root
//! is done by one thread: the runtime has one worker, and the kernel refuses (`EAGAIN`) every thread after the first
//! for blocking work, which the runtime takes as "not now".

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Output},
};

use super::support::cut::one_thread;

/// All that changes something on disk, or makes it durable. Opening counts where it creates.
const CHANGING: &str =
    "mkdirat,symlinkat,linkat,renameat,renameat2,unlinkat,fchmod,chmod,write,fsync,syncfs,ftruncate,openat";

/// One system call of a run, as `strace` counts them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// Its name.
    pub(crate) name: String,
    /// Which of the calls of that name it is, in its thread; the first is 1.
    pub(crate) nth: usize,
    /// Whether no other thread ever comes so far: then a fault at this number hits this call only.
    pub(crate) alone: bool,
}

/// Runs the command in `directory` with faults as `strace -e inject=` describes them.
pub(crate) fn with_fault(directory: &Path, fault: &str, arguments: &[&str]) -> Output {
    let name = fault.split(':').next().unwrap_or_default();
    traced(directory, &format!("clone3,{name}"), &["-e", &format!("inject={fault}")], arguments)
}

/// Without `--seccomp-bpf`, which is quicker and loses the signals that are to be injected.
fn traced(directory: &Path, trace: &str, more: &[&str], arguments: &[&str]) -> Output {
    Command::new("strace")
        .args(["-f", "-qq", "-o", "calls", "-e", &format!("trace={trace}")])
        .args(["-e", one_thread(arguments)])
        .args(more)
        .arg(env!("CARGO_BIN_EXE_switchback"))
        .args(arguments)
        .current_dir(directory)
        .env("TOKIO_WORKER_THREADS", "1")
        .env_remove("SWITCHBACK_CONFIG")
        .env_remove("SWITCHBACK_ENV")
        .output()
        .expect("strace runs")
}

/// The changing calls of an undisturbed run, in their order, and how the run ended.
pub(crate) fn changing(directory: &Path, arguments: &[&str]) -> (Vec<Call>, Output) {
    let output = traced(directory, &format!("clone3,{CHANGING}"), &[], arguments);
    let log = fs_err::read_to_string(directory.join("calls")).expect("strace wrote what it saw");
    (parse(&log), output)
}

fn parse(log: &str) -> Vec<Call> {
    let lines: Vec<(&str, &str, &str)> = log.lines().filter_map(begun).collect();
    let mut lines_of: BTreeMap<&str, usize> = BTreeMap::new();
    for (thread, ..) in &lines {
        *lines_of.entry(thread).or_default() += 1;
    }
    let worker = lines_of.iter().max_by_key(|(_, lines)| **lines).map(|(thread, _)| *thread).expect("a thread");
    let others = |name: &str, lines: &[(&str, &str, &str)]| {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (thread, ..) in lines.iter().filter(|(thread, called, _)| *thread != worker && *called == name) {
            *counts.entry(thread).or_default() += 1;
        }
        counts.into_values().max().unwrap_or(0)
    };
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut calls = Vec::new();
    for (at, (thread, name, rest)) in lines.iter().enumerate() {
        if *thread != worker {
            continue;
        }
        let nth = *counts.entry(name).and_modify(|count| *count += 1).or_insert(1);
        let changes = match *name {
            "openat" => rest.contains("O_CREAT"),
            // The runtime waking up one of its threads: it does not survive that this fails, which it never does.
            "write" => !rest.contains(r#"\1\0\0\0\0\0\0\0", 8"#),
            _ => true,
        };
        // Where another thread comes so far first, a fault at this number would hit that one.
        if changes && nth > others(name, &lines[..at]) {
            calls.push(Call { name: (*name).to_owned(), nth, alone: nth > others(name, &lines) });
        }
    }
    calls
}

/// The thread, the name and the rest of a line that tells of the beginning of a call.
fn begun(line: &str) -> Option<(&str, &str, &str)> {
    let (thread, rest) = line.split_once(' ')?;
    let (name, rest) = rest.trim_start().split_once('(')?;
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_').then_some((thread, name, rest))
}

#[test]
fn calls_are_counted_by_thread() {
    let log = "1 openat(AT_FDCWD, \"/lib\", O_RDONLY) = 3\n2 mkdirat(3, \"a\", 0700) = 0\n\
               2 openat(3, \"b\", O_WRONLY|O_CREAT <unfinished ...>\n1 write(1, \"x\", 1) = 1\n\
               2 <... openat resumed>) = 4\n2 openat(3, \"c\", O_WRONLY|O_CREAT) = 5\n2 write(5, \"y\", 1) = 1\n\
               2 write(5, \"z\", 1) = 1\n2 write(4, \"\\1\\0\\0\\0\\0\\0\\0\\0\", 8) = 8\n1 write(1, \"x\", 1) = 1\n2 +++ exited with 0 +++\n";
    let call = |name: &str, nth, alone| Call { name: name.to_owned(), nth, alone };
    assert_eq!(parse(log), [call("mkdirat", 1, true), call("openat", 2, true), call("write", 2, false)]);
}
