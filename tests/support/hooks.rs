//! Calls of commands, and who hears what they print.

use std::sync::Mutex;

use switchback::{
    HostPath,
    transport::{
        LineSink, Stream,
        raw::{HookCall, Secrets},
    },
};

/// Collects the lines that a command prints.
#[derive(Default)]
pub(crate) struct Lines(Mutex<Vec<(Stream, String)>>);

impl Lines {
    /// Returns the lines of one stream so far.
    pub(crate) fn of(&self, stream: Stream) -> Vec<String> {
        let lines = self.0.lock().expect("no thread panics with it");
        lines.iter().filter(|(of, _)| *of == stream).map(|(_, line)| line.clone()).collect()
    }
}

impl LineSink for Lines {
    fn line(&self, stream: Stream, line: &[u8]) {
        let line = String::from_utf8_lossy(line).into_owned();
        self.0.lock().expect("no thread panics with it").push((stream, line));
    }
}

/// A call of `script` in `root`, without a time limit.
pub(crate) fn call(root: &HostPath, record: &str, script: &str) -> HookCall {
    HookCall {
        root: root.clone(),
        record: record.parse().expect("a place"),
        directory: root.clone(),
        script: script.to_owned(),
        environment: Vec::new(),
        secrets: Secrets::default(),
        timeout: None,
        output_limit: 1 << 20,
        ends: false,
    }
}
