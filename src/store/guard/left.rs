//! Commands that interrupted operations left running: each is ended or waited for, so that nothing runs beside
//! it.

use crate::{
    hook::HookKind,
    limits,
    path::InnerPath,
    store::{Interrupted, StoreError, layout::inner},
    time::Timestamp,
    transport::{
        Batch, Content, Entry, EntryKind, Found, Handle, Liveness, MayFail, Op, Replies, Stream, TransportError,
        process::ProcessMark,
    },
};

use super::DirGuard;

/// A command without a result.
struct LeftCommand {
    record: InnerPath,
    /// The kind of command, from the name of its record.
    kind: String,
    /// Whether the command may still be running.
    runs: bool,
    /// The PID, if recorded.
    pid: Option<u32>,
    /// The start time by the host's clock.
    since: Option<Timestamp>,
}

impl LeftCommand {
    /// Returns `true` if the command works on data. An unknown kind may be a newer program's data command.
    fn is_of_data(&self) -> bool {
        let hooks = [HookKind::Prepare, HookKind::AfterSwitch, HookKind::Validate];
        !hooks.iter().any(|hook| hook.as_str() == self.kind)
    }

    /// Describes how the command is settled.
    fn told(&self, ends: bool, by: &str) -> String {
        let verb = if ends { "ends" } else { "waits for" };
        let pid = self.pid.map(|pid| format!("process {pid}"));
        let since = self.since.map(|since| format!("started {since}"));
        let process: Vec<String> = pid.into_iter().chain(since).collect();
        let process = if process.is_empty() { String::new() } else { format!(" ({})", process.join(", ")) };
        format!("{verb} `{}`, which {by} left running{process}", self.kind)
    }
}

impl DirGuard {
    pub(super) async fn settle_hooks(
        &self,
        keep_data: bool,
        told: &(dyn Fn(String) + Send + Sync),
    ) -> Result<(), StoreError> {
        for left in &self.state.interrupted {
            for command in self.commands_of(left).await? {
                let ends = !command.is_of_data();
                if !ends && keep_data {
                    continue;
                }
                if command.runs {
                    told(command.told(ends, &whose(left)));
                }
                let nobody = |_: Stream, _: &[u8]| {};
                // However it ended: it must only be over.
                let _ = self.run_surely(&self.attach(command.record, ends), &nobody).await?;
            }
        }
        Ok(())
    }

    /// Returns the commands of an interrupted operation without a result, in the order in which they were started.
    async fn commands_of(&self, left: &Interrupted) -> Result<Vec<LeftCommand>, StoreError> {
        let Some(operation) = left.operation() else { return Ok(Vec::new()) };
        let hooks = self.store.layout().in_state(&["journal", left.token.as_str(), operation.as_str()]);
        let mut batch = self.store.steps.empty();
        let listing = batch.push_lenient(Op::list(hooks.clone()));
        let replies = self.store.execute(&batch).await?;
        let Ok(Some(listed)) = replies.get(listing)? else { return Ok(Vec::new()) };
        let records = listed.iter().filter(|listed| listed.entry.kind == EntryKind::Directory);
        let mut names: Vec<&str> = records.filter_map(|listed| std::str::from_utf8(&listed.name).ok()).collect();
        names.sort_unstable();
        let records = names.into_iter().filter_map(|name| Some((hooks.join(&InnerPath::new(name).ok()?), name)));
        let mut batch = self.store.steps.empty();
        let asked: Vec<_> =
            records.map(|(record, name)| (CommandSteps::ask(&mut batch, &record), record, name)).collect();
        let replies = self.store.execute(&batch).await?;
        let mut commands = Vec::new();
        for (steps, record, name) in asked {
            commands.extend(steps.read(&replies, record, name)?);
        }
        Ok(commands)
    }
}

/// The steps that query the command of a record.
struct CommandSteps {
    result: Handle<MayFail<Option<Entry>>>,
    begun: Handle<MayFail<Option<Entry>>>,
    runner: Handle<MayFail<Liveness>>,
    child: Handle<MayFail<Liveness>>,
    mark: Handle<MayFail<Content>>,
}

impl CommandSteps {
    fn ask(batch: &mut Batch, record: &InnerPath) -> Self {
        let at = |name: &str| record.join(&inner(name));
        Self {
            result: batch.push_lenient(Op::inspect(at("result"))),
            begun: batch.push_lenient(Op::inspect(at("begun"))),
            runner: batch.push_lenient(Op::check_process(at("runner"))),
            child: batch.push_lenient(Op::check_process(at("child"))),
            mark: batch.push_lenient(Op::read(at("child"), limits::PROCESS_MARK)),
        }
    }

    /// Reads the command; `None` if it has a result.
    fn read(&self, replies: &Replies, record: InnerPath, name: &str) -> Result<Option<LeftCommand>, TransportError> {
        if matches!(replies.get(self.result)?, Ok(Some(_))) {
            return Ok(None);
        }
        let may_run = replies.get(self.runner)? != Ok(&Liveness::Gone);
        let runs = replies.get(self.child)? == Ok(&Liveness::Alive);
        let pid = match replies.get(self.mark)? {
            Ok(Some(Found::Content(content))) => ProcessMark::parse(content).map(|mark| mark.pid),
            _ => None,
        };
        let begun = replies.get(self.begun)?.ok().and_then(Option::as_ref);
        let since = begun.and_then(|begun| Timestamp::from_unix(begun.modified, 0));
        let kind = name.trim_start_matches(|letter: char| letter.is_ascii_digit()).trim_start_matches('-').to_owned();
        Ok(Some(LeftCommand { record, kind, runs: since.is_some() && (may_run || runs), pid, since }))
    }
}

/// Describes the operation.
fn whose(left: &Interrupted) -> String {
    let owner = left.owner.record();
    owner.map_or_else(|| "somebody's operation".to_owned(), |owner| format!("{}'s {}", owner.by, owner.command))
}
