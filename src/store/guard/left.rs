//! Commands that interrupted operations left running: each is ended or waited for, so that nothing is done beside it.

use crate::{
    hook::HookKind,
    path::InnerPath,
    store::{Interrupted, StoreError, layout::inner},
    time::Timestamp,
    transport::{Batch, EntryKind, Found, Liveness, Op, Reply, Stream, process::ProcessMark},
};

use super::{DirGuard, operation_of};

/// The most that is read of a process's mark.
const MARK_LIMIT: u64 = 4096;

/// How many steps ask about one command.
const ASKED: usize = 5;

/// A command that has left no result yet.
struct LeftCommand {
    record: InnerPath,
    /// What it is for, as its record is called.
    kind: String,
    /// Whether it may still run.
    runs: bool,
    /// Its process, where that is recorded.
    pid: Option<u32>,
    /// When it began, by the host's clock.
    since: Option<Timestamp>,
}

impl LeftCommand {
    /// Whether it works on data. A record that is called in no way that is known may be of a newer program's data command.
    fn is_of_data(&self) -> bool {
        let hooks = [HookKind::Prepare, HookKind::AfterSwitch, HookKind::Validate];
        !hooks.iter().any(|hook| hook.as_str() == self.kind)
    }

    /// What is done about it, in words.
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
    pub(super) async fn settle_left(
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
                self.run_surely(&self.attach(command.record, ends), &nobody).await?;
            }
        }
        Ok(())
    }

    /// The commands of an interrupted operation that have left no result yet, in the order in which they were started.
    async fn commands_of(&self, left: &Interrupted) -> Result<Vec<LeftCommand>, StoreError> {
        let Some(operation) = operation_of(left) else { return Ok(Vec::new()) };
        let hooks = self.store.layout().in_state(&["journal", left.token.as_str(), operation.as_str()]);
        let mut batch = self.store.steps.empty();
        batch.push_lenient(Op::List { path: hooks.clone() });
        let replies = self.store.execute(&batch).await?;
        let Some(Reply::Listing(Some(listed))) = replies.first() else { return Ok(Vec::new()) };
        let records = listed.iter().filter(|listed| listed.entry.kind == EntryKind::Directory);
        let mut names: Vec<&str> = records.filter_map(|listed| std::str::from_utf8(&listed.name).ok()).collect();
        names.sort_unstable();
        let records: Vec<(InnerPath, &str)> =
            names.into_iter().filter_map(|name| Some((hooks.join(&InnerPath::new(name).ok()?), name))).collect();
        let mut batch = self.store.steps.empty();
        for (record, _) in &records {
            ask(&mut batch, record);
        }
        let replies = self.store.execute(&batch).await?;
        let commands = records.into_iter().zip(replies.chunks(ASKED));
        Ok(commands.filter_map(|((record, name), replies)| read(record, name, replies)).collect())
    }
}

/// Adds the questions about the command of a record.
fn ask(batch: &mut Batch, record: &InnerPath) {
    let at = |name: &str| record.join(&inner(name));
    batch.push_lenient(Op::Inspect { path: at("result") });
    batch.push_lenient(Op::Inspect { path: at("begun") });
    batch.push_lenient(Op::CheckProcess { path: at("runner") });
    batch.push_lenient(Op::CheckProcess { path: at("child") });
    batch.push_lenient(Op::Read { path: at("child"), limit: MARK_LIMIT });
}

/// The command of a record, if it has left no result.
fn read(record: InnerPath, name: &str, replies: &[Reply]) -> Option<LeftCommand> {
    let [result, begun, runner, child, mark] = replies else { return None };
    if matches!(result, Reply::Entry(Some(_))) {
        return None;
    }
    let may_run = |reply: &Reply| !matches!(reply, Reply::Process(Liveness::Gone));
    let pid = match mark {
        Reply::Content(Some(Found::Content(content))) => ProcessMark::parse(content).map(|mark| mark.pid),
        _ => None,
    };
    let since = if let Reply::Entry(Some(begun)) = begun { Timestamp::from_unix(begun.modified, 0) } else { None };
    Some(LeftCommand {
        record,
        kind: name.trim_start_matches(|letter: char| letter.is_ascii_digit()).trim_start_matches('-').to_owned(),
        runs: since.is_some() && (may_run(runner) || matches!(child, Reply::Process(Liveness::Alive))),
        pid,
        since,
    })
}

/// The operation in words.
fn whose(left: &Interrupted) -> String {
    let owner = left.owner.record();
    owner.map_or_else(|| "somebody's operation".to_owned(), |owner| format!("{}'s {}", owner.by, owner.command))
}
