//! Reads the output of commands that a host keeps: in the lock of an operation under way, in the journal of an
//! interrupted one, and in `log` of one that has ended.

use crate::{
    hook::{HookKind, how},
    limits,
    log::CommandLog,
    path::InnerPath,
    token::Token,
    transport::{Batch, Content, EntryKind, Handle, HookEnd, Listing, Liveness, MayFail, Op, Replies, StepFailure},
};

use super::{DirStore, Kept, RootState, StoreError, layout::inner};

/// The number of commands whose records are read in one exchange.
const AT_ONCE: usize = 4;

/// Returns the operations whose output is kept, the newest first as far as the host's clock tells.
pub(super) async fn operations(store: &DirStore, state: &RootState) -> Result<Vec<Token>, StoreError> {
    let mut batch = store.steps.empty();
    let open: Vec<_> = open(store, state).map(|(token, path)| (token, batch.push(Op::list(path)))).collect();
    let ended = batch.push(Op::list(store.layout().in_state(&["log"])));
    let replies = match store.execute(&batch).await {
        Err(error) if error.is_missing_root() => return Ok(Vec::new()),
        replies => replies?,
    };
    let mut found = Vec::new();
    for (token, listing) in open {
        if replies.get(listing)?.as_ref().is_some_and(|listing| !listing.is_empty()) {
            found.push(token);
        }
    }
    let mut logs: Vec<_> = replies.get(ended)?.iter().flatten().collect();
    logs.sort_by_key(|log| std::cmp::Reverse(log.entry.modified));
    let names = logs.into_iter().filter_map(|log| std::str::from_utf8(&log.name).ok()?.parse().ok());
    for token in names {
        if !found.contains(&token) {
            found.push(token);
        }
    }
    Ok(found)
}

/// Returns the directories of hooks of the operations that have not ended, the newest first.
fn open<'s>(store: &'s DirStore, state: &'s RootState) -> impl Iterator<Item = (Token, InnerPath)> + use<'s> {
    let held =
        state.lock.iter().filter_map(|lock| Some(("lock", lock.token.as_ref()?, &lock.owner.as_ref()?.operation)));
    let left = state.interrupted.iter().filter_map(|left| Some(("journal", &left.token, left.operation()?)));
    held.chain(left).map(|(place, token, operation)| {
        (operation.clone(), store.layout().in_state(&[place, token.as_str(), operation.as_str()]))
    })
}

/// Reads the output of the commands of an operation, in the order in which they ran.
///
/// Of more than a host keeps for an operation, the oldest is missing.
pub(super) async fn read(
    store: &DirStore,
    state: &RootState,
    operation: &Token,
) -> Result<Vec<CommandLog>, StoreError> {
    let ended = store.layout().in_state(&["log", operation.as_str()]);
    let places = open(store, state).filter(|(open, _)| open == operation).map(|(_, path)| path).chain([ended]);
    let mut batch = store.steps.empty();
    let places: Vec<_> = places.map(|path| (batch.push(Op::list(path.clone())), path)).collect();
    let replies = match store.execute(&batch).await {
        Err(error) if error.is_missing_root() => return Ok(Vec::new()),
        replies => replies?,
    };
    let mut records = Vec::new();
    for (listing, path) in places {
        records.extend(records_of(replies.get(listing)?, &path));
    }
    records.sort_by_key(|record| record.number);
    let (mut commands, mut left) = (Vec::new(), limits::OPERATION_OUTPUT);
    for records in records.rchunks(AT_ONCE) {
        let limit = (left / (2 * AT_ONCE as u64)).clamp(limits::LEAST_OUTPUT, limits::OUTPUT);
        let mut batch = store.steps.empty();
        let asked: Vec<_> =
            records.iter().map(|record| (record, Asked::push(&mut batch, &record.path, limit))).collect();
        let replies = store.execute(&batch).await?;
        for (record, asked) in asked.into_iter().rev() {
            let command = asked.read(&replies, record.hook, limit)?;
            left = left.saturating_sub((command.stdout.len() + command.stderr.len()) as u64);
            commands.push(command);
        }
    }
    commands.reverse();
    Ok(commands)
}

/// The record of a command: a directory `NUMBER-KIND`.
struct Record {
    number: u64,
    hook: HookKind,
    path: InnerPath,
}

fn records_of(listing: &Listing, place: &InnerPath) -> Vec<Record> {
    let directories = listing.iter().flatten().filter(|listed| listed.entry.kind == EntryKind::Directory);
    let record = |name: &[u8]| {
        let name = std::str::from_utf8(name).ok()?;
        let (number, kind) = name.split_once('-')?;
        let path = place.join(&InnerPath::new(name).ok()?);
        Some(Record { number: number.parse().ok()?, hook: HookKind::named(kind), path })
    };
    directories.filter_map(|listed| record(&listed.name)).collect()
}

/// The steps that read the record of a command.
struct Asked {
    script: Handle<MayFail<Content>>,
    result: Handle<MayFail<Content>>,
    runner: Handle<MayFail<Liveness>>,
    streams: [Handle<MayFail<Content>>; 2],
}

impl Asked {
    fn push(batch: &mut Batch, record: &InnerPath, limit: u64) -> Self {
        let at = |name: &str| record.join(&inner(name));
        Self {
            script: batch.push_lenient(Op::read(at("command"), limits::COMMANDS)),
            result: batch.push_lenient(Op::read(at("result"), limits::RECORD)),
            runner: batch.push_lenient(Op::check_process(at("runner"))),
            streams: ["out", "err"].map(|name| batch.push_lenient(Op::read_end(at(name), limit))),
        }
    }

    fn read(&self, replies: &Replies, hook: HookKind, limit: u64) -> Result<CommandLog, StoreError> {
        let mut unreadable = None;
        let mut text = |step: Handle<MayFail<Content>>| {
            Ok::<_, StoreError>(content(replies.get(step)?).unwrap_or_else(|why| {
                unreadable.get_or_insert(why);
                None
            }))
        };
        let (script, result) = (text(self.script)?, text(self.result)?);
        let [out, err] = [text(self.streams[0])?, text(self.streams[1])?];
        let runs = result.is_none() && !matches!(replies.get(self.runner)?, Ok(Liveness::Gone) | Err(_));
        let end = match (result.as_deref(), &unreadable) {
            (Some(result), _) => HookEnd::parse(result),
            (None, None) if !runs => Some(HookEnd::Lost),
            _ => None,
        };
        let is_full =
            |text: &Option<Vec<u8>>| text.as_ref().is_some_and(|text| text.len() as u64 >= limit || was_full(text));
        let words = |text: Option<Vec<u8>>| String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
        Ok(CommandLog {
            end: end.as_ref().map(how),
            ok: end == Some(HookEnd::Exited(0)),
            cut: is_full(&out) || is_full(&err),
            stdout: words(out),
            stderr: words(err),
            unreadable,
            ..CommandLog::new(hook, words(script))
        })
    }
}

/// Returns the limit of each stream of a command whose operation may keep so many bytes more: a power of two, by which
/// [`was_full`] tells a stream that reached it.
pub(super) fn stream_limit(left: u64) -> u64 {
    let half = (left / 2).clamp(limits::LEAST_OUTPUT, limits::OUTPUT);
    1 << half.ilog2()
}

/// Whether the host kept no more of a stream than it may.
fn was_full(kept: &[u8]) -> bool {
    kept.len() as u64 >= limits::LEAST_OUTPUT && kept.len().is_power_of_two()
}

/// Returns the content of a file; `None` if it does not exist.
fn content(read: Result<&Content, &StepFailure>) -> Result<Option<Vec<u8>>, String> {
    let found = read.map_err(ToString::to_string)?;
    match Kept::bytes(found.as_ref()) {
        Kept::Nothing => Ok(None),
        Kept::Record(content) => Ok(Some(content.to_vec())),
        Kept::Unreadable(why) => Err(why),
    }
}
