//! The system calls of one run of the command, and faults at each of them, with `strace`.
//!
//! `strace` counts the calls of each thread separately. To make a count identify one call, a single thread makes all
//! changes to a root: the runtime has one worker, and the kernel refuses (`EAGAIN`) every thread for blocking work
//! after the first, which the runtime takes as "not now".

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Output},
};

use super::support::cut::one_thread;

/// Calls that change the disk, or make a change durable. Opening counts if it creates.
const CHANGING: &str =
    "mkdirat,symlinkat,linkat,renameat,renameat2,unlinkat,fchmod,chmod,write,fsync,syncfs,ftruncate,openat";

/// A system call of a run, as `strace` counts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// The number of this call among the thread's calls of this name, from 1.
    pub(crate) nth: usize,
    /// Whether no other thread reaches this number, so that a fault hits this call only.
    pub(crate) alone: bool,
}

/// Runs the command in `directory` with a fault, as `strace -e inject=` takes it.
pub(crate) fn with_fault(directory: &Path, fault: &str, arguments: &[&str]) -> Output {
    let name = fault.split(':').next().unwrap_or_default();
    traced(directory, &format!("clone3,{name}"), &["-e", &format!("inject={fault}")], arguments)
}

/// Runs the command under `strace`, without `--seccomp-bpf`: that is faster, but loses injected signals.
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

/// Returns the changing calls of an undisturbed run, in order, and the run's output.
pub(crate) fn changing(directory: &Path, arguments: &[&str]) -> (Vec<Call>, Output) {
    let output = traced(directory, &format!("clone3,{CHANGING}"), &[], arguments);
    let log = fs_err::read_to_string(directory.join("calls")).expect("strace wrote what it saw");
    (parse(&log), output)
}

fn parse(log: &str) -> Vec<Call> {
    let lines: Vec<(&str, &str, &str)> = log.lines().filter_map(begun).collect();
    let mut lines_of: BTreeMap<&str, usize> = BTreeMap::new();
    // Other threads print, and read files.
    for (thread, ..) in lines.iter().filter(|(_, name, _)| !["clone3", "write", "openat"].contains(name)) {
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
            // Traced to count threads. A program that cannot have a thread does not start.
            "clone3" => false,
            "openat" => rest.contains("O_CREAT"),
            // The runtime wakes one of its threads with this write (eventfd(2)). It cannot survive a failure, and none
            // occurs in reality.
            "write" => !rest.contains(r#"\1\0\0\0\0\0\0\0", 8"#),
            _ => true,
        };
        // If another thread has reached this number before, a fault would hit that thread.
        if changes && nth > others(name, &lines[..at]) {
            calls.push(Call { name: (*name).to_owned(), nth, alone: nth > others(name, &lines) });
        }
    }
    calls
}

/// Splits a line for the start of a call into thread, name and rest.
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
