//! JSON Lines on standard output: events as they happen, and last the report.

use std::{
    collections::HashMap,
    io::{self, Write, stdout},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::Serialize;
use switchback::{Error, Event, Observer, report::Failure};

/// So often at most is the progress of a host worth a line.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// Prints each event as a line.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    progress: Mutex<HashMap<String, Instant>>,
}

impl Observer for Lines {
    fn event(&self, event: &Event) {
        if self.is_worth_a_line(event) {
            // The report at the end says whether standard output can be written.
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

/// Writes one line.
pub(crate) fn line(value: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec(value)?;
    text.push(b'\n');
    let mut out = stdout().lock();
    out.write_all(&text)?;
    out.flush()
}

/// The envelope of a report, for commands that are not about the fleet.
#[derive(Debug, Serialize)]
pub(crate) struct Envelope {
    #[serde(rename = "type")]
    kind: &'static str,
    format: u32,
    command: Option<String>,
    outcome: &'static str,
    hosts: [(); 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

/// The report of a command that did what was asked.
pub(crate) fn done(command: &str) -> Envelope {
    Envelope { kind: "report", format: 1, command: Some(command.to_owned()), outcome: "done", hosts: [], error: None }
}

/// Writes the report of a command that could not even begin.
pub(crate) fn error(command: Option<&str>, error: &Error) {
    let envelope = Envelope {
        kind: "report",
        format: 1,
        command: command.map(ToOwned::to_owned),
        outcome: "error",
        hosts: [],
        error: Some(error.into()),
    };
    // The exit code says it too.
    let _ = line(&envelope);
}
