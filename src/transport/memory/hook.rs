//! Commands on the model: the test decides their result, and the model keeps their record.

use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::transport::{FailureKind, HookCall, HookEnd, HookExit, Stream, hook::Output, process::ProcessMark};

use super::{
    host::MemoryHost,
    model::{Body, Model, TOP},
};

/// The behaviour of a host's commands.
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
        Self::new(|_| HookExit::new(HookEnd::Exited(0), "", ""))
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Script")
    }
}

/// The result of claiming a record.
pub(super) enum Claim {
    /// The call created this record, and runs the command as this process.
    Ours(u64, u32),
    /// The record existed, with this inode.
    Theirs(u64),
}

/// The state of a command.
pub(super) enum Seen {
    Ended(HookEnd),
    Runs,
}

/// Creates the record, or finds it.
pub(super) fn claim(model: &mut Model, root: u64, call: &HookCall) -> Result<Claim, FailureKind> {
    let (way, name) = model.place(root, &call.record)?;
    let above = way[way.len() - 1];
    if let Some(record) = model.child(above, name)? {
        model.names(record)?;
        if call.ends {
            end(model, record)?;
        }
        return Ok(Claim::Theirs(record));
    }
    if call.ends {
        return Err(FailureKind::Missing);
    }
    let directory = model.follow(&[TOP], call.directory.as_str().as_bytes())?;
    model.names(directory[directory.len() - 1])?;
    let record = model.make(above, name, 0o700, Body::Directory(BTreeMap::new()))?;
    let process = model.start_process();
    let mark = model.mark(process).to_content();
    for (name, content) in [("command", call.script.clone()), ("runner", mark.clone()), ("child", mark)] {
        model.make(record, name.as_bytes(), 0o600, Body::File(content.into()))?;
    }
    Ok(Claim::Ours(record, process))
}

/// Runs the command and writes its result to the record. Holds no lock, so that the command may change the
/// host.
pub(super) fn run(host: &MemoryHost, call: &HookCall, record: u64, process: u32) {
    let script = host.model().script.clone();
    let exit = script.call(call);
    let mut model = host.model();
    // The process was ended meanwhile, or the host was rebooted.
    if !model.runs(process) {
        return;
    }
    let limit = usize::try_from(call.output_limit).unwrap_or(usize::MAX);
    let kept = |bytes: &[u8]| bytes[..bytes.len().min(limit)].to_vec();
    let mut files = vec![("out", kept(&exit.stdout)), ("err", kept(&exit.stderr))];
    files.extend(exit.end.to_line().map(|line| ("result", line.into_bytes())));
    for (name, content) in files {
        // A script may have removed or filled its own record, so ignore a failure.
        let _: Result<u64, FailureKind> = model.make(record, name.as_bytes(), 0o600, Body::File(content));
    }
    model.end_process(process);
}

/// Ends the command of a record, if it still runs: here the command and its runner are one process.
fn end(model: &mut Model, record: u64) -> Result<(), FailureKind> {
    if let Some(mark) = ProcessMark::parse(&file(model, record, "child")?).filter(|mark| model.mark(mark.pid) == *mark)
    {
        model.end_process(mark.pid);
    }
    Ok(())
}

/// Returns the state of a record's command.
pub(super) fn look(model: &Model, record: u64) -> Result<Seen, FailureKind> {
    let result = file(model, record, "result")?;
    if let Some(end) = HookEnd::parse(&result) {
        return Ok(Seen::Ended(end));
    }
    let mark = file(model, record, "runner")?;
    let runs = ProcessMark::parse(&mark).is_some_and(|mark| model.runs(mark.pid) && model.mark(mark.pid) == mark);
    Ok(if runs { Seen::Runs } else { Seen::Ended(HookEnd::Lost) })
}

/// Passes the command's output on.
pub(super) fn print(model: &Model, record: u64, output: &mut Output<'_>) -> Result<(), FailureKind> {
    for (name, stream) in [("out", Stream::Stdout), ("err", Stream::Stderr)] {
        output.push(stream, &file(model, record, name)?);
    }
    Ok(())
}

/// Returns the content of a file of the record; empty when it does not exist.
fn file(model: &Model, record: u64, name: &str) -> Result<Vec<u8>, FailureKind> {
    Ok(match model.child(record, name.as_bytes())?.map(|inode| model.body(inode)) {
        Some(Body::File(content)) => content.clone(),
        _ => Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::transport::{Effect, Secrets, Transport, TransportError};

    fn call() -> HookCall {
        HookCall {
            root: "/srv".parse().unwrap(),
            record: "r".parse().unwrap(),
            directory: "/srv".parse().unwrap(),
            script: "migrate".to_owned(),
            environment: Vec::new(),
            secrets: Secrets::new([("TOKEN", "hush")]),
            timeout: None,
            output_limit: 8,
            ends: false,
        }
    }

    fn host() -> MemoryHost {
        let host = MemoryHost::new();
        host.make_dir("/srv");
        host
    }

    async fn run(host: &MemoryHost) -> Result<HookExit, TransportError> {
        host.connect("web1").run(&call(), &|_: Stream, _: &[u8]| {}).await
    }

    #[tokio::test]
    async fn a_script_is_called_once_and_may_meddle() {
        let (host, times) = (host(), Arc::new(AtomicUsize::new(0)));
        let (inside, counted) = (host.clone(), Arc::clone(&times));
        host.on_hook(move |call| {
            counted.fetch_add(1, Ordering::SeqCst);
            inside.write("/srv/schema", &call.script);
            HookExit::new(HookEnd::Killed(9), "0123456789", "oh")
        });
        let first = run(&host).await.unwrap();
        assert_eq!(first.end, HookEnd::Killed(9));
        assert_eq!((&first.stdout[..], &first.stderr[..]), (&b"01234567"[..], &b"oh"[..]));
        assert_eq!(run(&host.snapshot()).await.unwrap(), first);
        assert_eq!(times.load(Ordering::SeqCst), 1);
        assert_eq!(host.read("/srv/schema").as_deref(), Some(&b"migrate"[..]));
    }

    #[tokio::test]
    async fn a_boot_while_it_runs_loses_its_end() {
        let host = host();
        let inside = host.clone();
        host.on_hook(move |_| {
            inside.reboot();
            HookExit::new(HookEnd::Exited(0), "", "")
        });
        assert_eq!(run(&host).await.unwrap().end, HookEnd::Lost);
        assert_eq!(run(&host).await.unwrap().end, HookEnd::Lost);
    }

    #[tokio::test]
    async fn nothing_is_run_without_a_root() {
        assert_eq!(run(&MemoryHost::new()).await.unwrap_err().effect(), Effect::Nothing);
    }
}
