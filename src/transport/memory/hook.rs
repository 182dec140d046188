//! What a command does on the model: what the test says, and the record of it.

use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::transport::{FailureKind, HookCall, HookEnd, HookExit, Stream, hook::Output, process::ProcessMark};

use super::{
    host::MemoryHost,
    model::{Body, Model, TOP},
};

/// What the commands of a host do.
#[derive(Clone)]
pub(super) struct Script(Arc<dyn Fn(&HookCall) -> HookExit + Send + Sync>);

impl Script {
    pub(super) fn new(script: impl Fn(&HookCall) -> HookExit + Send + Sync + 'static) -> Self {
        Self(Arc::new(script))
    }

    pub(super) fn call(&self, call: &HookCall) -> HookExit {
        (self.0)(call)
    }
}

impl Default for Script {
    fn default() -> Self {
        Self::new(|_| HookExit { end: HookEnd::Exited(0), stdout: Vec::new(), stderr: Vec::new() })
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Script")
    }
}

/// What a call finds.
pub(super) enum Claim {
    /// It made the record, this directory, and is to run the command as this process.
    Ours(u64, u32),
    /// The record is there, this directory.
    Theirs(u64),
}

/// What is known of a command.
pub(super) enum Seen {
    Ended(HookEnd),
    Runs,
}

/// Makes the record, or finds it.
pub(super) fn claim(model: &mut Model, root: u64, call: &HookCall) -> Result<Claim, FailureKind> {
    let (way, name) = model.place(root, &call.record)?;
    let above = way[way.len() - 1];
    if let Some(record) = model.child(above, name)? {
        return model.names(record).map(|_| Claim::Theirs(record));
    }
    let directory = model.follow(&[TOP], call.directory.as_str().as_bytes())?;
    model.names(directory[directory.len() - 1])?;
    let record = model.make(above, name, 0o700, Body::Directory(BTreeMap::new()))?;
    let process = model.start_process();
    let mark = model.mark(process).to_content();
    for (name, content) in [("command", call.script.clone()), ("runner", mark)] {
        model.make(record, name.as_bytes(), 0o600, Body::File(content.into()))?;
    }
    Ok(Claim::Ours(record, process))
}

/// Runs the command with nothing locked, so that it may meddle with the host, and writes down how it ended.
pub(super) fn run(host: &MemoryHost, call: &HookCall, record: u64, process: u32) {
    let script = host.model().script.clone();
    let exit = script.call(call);
    let mut model = host.model();
    // Whoever ran it was ended meanwhile, or the host was booted.
    if !model.runs(process) {
        return;
    }
    let limit = usize::try_from(call.output_limit).unwrap_or(usize::MAX);
    let kept = |bytes: &[u8]| bytes[..bytes.len().min(limit)].to_vec();
    let mut files = vec![("out", kept(&exit.stdout)), ("err", kept(&exit.stderr))];
    files.extend(exit.end.to_line().map(|line| ("result", line.into_bytes())));
    for (name, content) in files {
        // A script may have removed or filled its own record.
        let _: Result<u64, FailureKind> = model.make(record, name.as_bytes(), 0o600, Body::File(content));
    }
    model.end_process(process);
}

/// How far the command of a record has come.
pub(super) fn look(model: &Model, record: u64) -> Result<Seen, FailureKind> {
    let result = file(model, record, "result")?;
    let line = String::from_utf8_lossy(&result).into_owned();
    if let Some(end) = HookEnd::parse(&line.split_whitespace().collect::<Vec<_>>()) {
        return Ok(Seen::Ended(end));
    }
    let mark = file(model, record, "runner")?;
    let runs = ProcessMark::parse(&mark).is_some_and(|mark| model.runs(mark.pid) && model.mark(mark.pid) == mark);
    Ok(if runs { Seen::Runs } else { Seen::Ended(HookEnd::Lost) })
}

/// Tells what the command printed.
pub(super) fn print(model: &Model, record: u64, output: &mut Output<'_>) -> Result<(), FailureKind> {
    for (name, stream) in [("out", Stream::Stdout), ("err", Stream::Stderr)] {
        output.push(stream, &file(model, record, name)?);
    }
    Ok(())
}

/// What a file of the record holds; nothing when it is not there.
fn file(model: &Model, record: u64, name: &str) -> Result<Vec<u8>, FailureKind> {
    Ok(match model.child(record, name.as_bytes())?.map(|inode| model.body(inode)) {
        Some(Body::File(content)) => content.clone(),
        _ => Vec::new(),
    })
}
