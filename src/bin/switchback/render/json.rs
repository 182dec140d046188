//! JSON Lines on standard output: events as they happen, then the report.

use std::{
    collections::HashMap,
    io::{self, Write, stdout},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::Serialize;
use switchback::{Error, ErrorKind, Event, Observer, report::Failure};

use crate::invocation::Invocation;

/// The least time between two progress lines of a host.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// Prints each event as a line; of progress, only some.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    progress: Mutex<HashMap<String, Instant>>,
}

impl Observer for Lines {
    fn event(&self, event: &Event) {
        if self.is_worth_a_line(event) {
            // A failure is ignored here: writing the report fails then too, and that is reported.
            let _ = line(event);
        }
    }
}

impl Lines {
    fn is_worth_a_line(&self, event: &Event) -> bool {
        let Event::Progress { host, bytes, bytes_total, .. } = event else { return true };
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = bytes == bytes_total || progress.get(host).is_none_or(|last| last.elapsed() >= PROGRESS_EVERY);
        if is_due {
            progress.insert(host.clone(), Instant::now());
        }
        is_due
    }
}

/// Writes the value as one line and flushes it.
pub(crate) fn line(value: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec(value)?;
    text.push(b'\n');
    let mut out = stdout().lock();
    out.write_all(&text)?;
    out.flush()
}

/// A report without hosts: of a command such as `config`, or of one that could not begin.
#[derive(Debug, Serialize)]
pub(crate) struct Envelope {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "format")]
    format: u32,
    #[serde(rename = "command")]
    command: Option<String>,
    #[serde(rename = "outcome")]
    outcome: &'static str,
    #[serde(rename = "hosts")]
    hosts: [(); 0],
    #[serde(rename = "error", skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

/// Returns the report of a command without hosts that succeeded.
pub(crate) fn done(command: &str) -> Envelope {
    Envelope { kind: "report", format: 1, command: Some(command.to_owned()), outcome: "done", hosts: [], error: None }
}

/// Writes the report of a command that could not begin.
pub(crate) fn error(command: Option<&str>, error: &Error) {
    let mut failure = Failure::from(error);
    failure.word_hints(&|hints| super::hint::words(hints, &Invocation::default()));
    let envelope = Envelope {
        kind: "report",
        format: 1,
        command: command.map(ToOwned::to_owned),
        // Nothing is wrong with the command line or the configuration if the command that lists the hosts fails.
        outcome: if error.kind() == ErrorKind::Inventory { "refused" } else { "error" },
        hosts: [],
        error: Some(failure),
    };
    // If this write fails, the exit code still reports the error.
    let _ = line(&envelope);
}
