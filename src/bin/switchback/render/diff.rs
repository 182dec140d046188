//! The differences between two releases, for people.

use switchback::report::{EntryChange, EntryDiff, EntryFacts, ReleaseDiff};

use super::{escape, fit, moment, table::Table};

/// Renders the entries that differ, and how many there are.
pub(crate) fn diff(diff: &ReleaseDiff) -> String {
    let ReleaseDiff { from, to, added, removed, changed, bytes_before, bytes_after, entries, .. } = diff;
    if added + removed + changed == 0 {
        return format!("{from} and {to} have the same content\n");
    }
    let mut table = Table::new(&["CHANGE", "PATH", "BEFORE", "AFTER"]);
    for entry in entries {
        let cells = [entry.before.as_ref(), entry.after.as_ref()].map(|facts| side(entry, facts));
        let [before, after] = cells;
        table.row(vec![entry.change.to_string(), escape::line(&entry.path), before, after], None);
    }
    let unnamed = (added + removed + changed).saturating_sub(entries.len() as u64);
    let more = if entries.is_empty() || unnamed == 0 { String::new() } else { format!("and {unnamed} more\n") };
    let sizes = format!("{} -> {}", moment::size(*bytes_before), moment::size(*bytes_after));
    let counts = format!("{from} -> {to}: {added} added, {removed} removed, {changed} changed, {sizes}\n");
    table.print() + &more + &fit::result(counts)
}

/// Renders the part of an entry that differs.
fn side(entry: &EntryDiff, facts: Option<&EntryFacts>) -> String {
    let Some(facts) = facts else { return "-".to_owned() };
    match (entry.change, &facts.target, facts.bytes) {
        (EntryChange::Mode, ..) => facts.mode.clone().unwrap_or_default(),
        (_, Some(target), _) => format!("-> {}", escape::line(target)),
        (EntryChange::Type, None, _) | (_, None, None) => escape::line(&facts.kind),
        (_, None, Some(bytes)) => moment::size(bytes),
    }
}
