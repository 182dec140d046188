//! Files of JSON lines that are only ever appended to.

use serde::de::DeserializeOwned;

/// The values of the lines, oldest first, and how many lines mean nothing: a crash can tear the last line of an operation,
/// and the next one is appended behind it.
pub(crate) fn read<T: DeserializeOwned>(content: &[u8]) -> (Vec<T>, usize) {
    let lines = content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let (mut values, mut torn) = (Vec::new(), 0);
    for line in lines {
        // The whole line, or what follows a torn one that was never ended.
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
