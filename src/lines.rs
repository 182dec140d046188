//! Append-only files of JSON lines.

use serde::de::DeserializeOwned;

/// Parses the lines, oldest first, and counts the invalid ones: a crash can tear the last line of an operation,
/// and the next operation appends to it.
pub(crate) fn read<T: DeserializeOwned>(content: &[u8]) -> (Vec<T>, usize) {
    let lines = content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let (mut values, mut torn) = (Vec::new(), 0);
    for line in lines {
        // The complete line, or the record that follows a torn one without a line end. `{"` occurs only at the start of
        // a record: inside a string the quote is escaped, and records contain no objects.
        let whole = serde_json::from_slice(line).ok();
        let tail =
            || line.windows(2).rposition(|pair| pair == b"{\"").and_then(|at| serde_json::from_slice(&line[at..]).ok());
        let value = whole.or_else(|| {
            torn += 1;
            tail()
        });
        values.extend(value);
    }
    (values, torn)
}
