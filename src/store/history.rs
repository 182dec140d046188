//! Reads the history of a root, in full or from its end.

use crate::{
    history::{HistoryEntry, Trail},
    limits,
    name::ReleaseName,
    transport::Op,
};

use super::{DirStore, Kept, StoreError};

/// The size of an entry in bytes; longer ones are rare.
const ENTRY: u64 = 512;

/// The entries read from the end of a file.
struct End {
    entries: Vec<HistoryEntry>,
    torn: usize,
    /// Whether the whole file was read.
    is_whole: bool,
}

/// Reads the entries, oldest first, and the number of malformed lines.
pub(super) async fn read(store: &DirStore, newest: Option<usize>) -> Result<(Vec<HistoryEntry>, usize), StoreError> {
    let wanted = newest.unwrap_or(usize::MAX);
    let of_wanted = u64::try_from(wanted).unwrap_or(u64::MAX).saturating_mul(ENTRY);
    let mut reach = of_wanted.clamp(ENTRY, limits::LINES);
    loop {
        let End { entries, torn, is_whole } = end(store, &["history"], reach).await?;
        if entries.len() >= wanted {
            return Ok((entries, torn));
        }
        if is_whole || reach == limits::LINES {
            let older = end(store, &["older", "history"], reach).await?;
            if older.entries.len() + entries.len() >= wanted || older.is_whole || reach == limits::LINES {
                return Ok(([older.entries, entries].concat(), older.torn + torn));
            }
        }
        // Some entries are longer than the estimate.
        reach = reach.saturating_mul(8).min(limits::LINES);
    }
}

/// The number of recent entries searched for the last switch, and for entries of interrupted operations.
pub(crate) const RECENT: usize = 64;

/// Returns the release that the history last names as current.
///
/// `None` if the history does not say, or is unreadable: reading the state reports the unreadable file.
pub(super) async fn last_current(store: &DirStore) -> Result<Option<ReleaseName>, StoreError> {
    for newest in [Some(RECENT), None] {
        let entries = match read(store, newest).await {
            Ok((entries, _)) => entries,
            Err(StoreError::Damaged { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        if let Some(trail) = entries.iter().rev().map(HistoryEntry::trail).find(|trail| *trail != Trail::Silent) {
            return Ok(if let Trail::On(name) = trail { Some(name.clone()) } else { None });
        }
        if entries.len() < RECENT {
            break;
        }
    }
    Ok(None)
}

/// Returns the entries that the history does not contain yet; all of them if the history is unreadable.
///
/// An operation may have written its own entry and been killed, or left its upload behind, only afterwards.
pub(super) async fn untold(store: &DirStore, entries: Vec<HistoryEntry>) -> Vec<HistoryEntry> {
    let (told, _) = read(store, Some(RECENT)).await.unwrap_or_default();
    entries.into_iter().filter(|entry| !entry.is_among(&told)).collect()
}

async fn end(store: &DirStore, names: &[&str], reach: u64) -> Result<End, StoreError> {
    let mut batch = store.steps.empty();
    let content = batch.push(Op::read_end(store.layout().in_state(names), reach));
    let replies = match store.execute(&batch).await {
        Err(error) if error.is_missing_root() => None,
        replies => Some(replies?),
    };
    let found = replies.as_ref().map(|replies| replies.get(content)).transpose()?;
    match Kept::bytes(found.and_then(Option::as_ref)) {
        Kept::Nothing => Ok(End { entries: Vec::new(), torn: 0, is_whole: true }),
        Kept::Unreadable(why) => {
            Err(StoreError::Damaged { host: store.to_string(), what: format!("the history: {why}") })
        }
        Kept::Record(content) => {
            let is_whole = (content.len() as u64) < reach;
            // The first line may be cut off.
            let cut = content.iter().position(|byte| *byte == b'\n').map_or(content.len(), |end| end + 1);
            let (entries, torn) = HistoryEntry::read_lines(if is_whole { content } else { &content[cut..] });
            Ok(End { entries, torn, is_whole })
        }
    }
}
