//! Alembic. It prints some failures on standard output, with exit status 255.

use super::answer::{Answer, Tool, nothing};
use crate::data::{DataVersion, DataVersionError};

pub(super) static TOOL: Tool = Tool {
    version: Some("alembic current"),
    apply: "alembic upgrade head",
    revert: Some("alembic downgrade \"${SWITCHBACK_DATA_TARGET:-base}\""),
    advice: "",
    read,
};

/// Parses one line per head: `0a1b2c3d (head)`.
fn read(answer: &Answer<'_>) -> Result<DataVersion, DataVersionError> {
    if answer.status != 0 {
        // Swapped: Alembic prints its error on standard output, and only a log on standard error.
        return Err(DataVersionError::failed(answer.status, answer.stderr, answer.stdout));
    }
    let text = answer.stdout();
    let heads: Vec<&str> = text.lines().filter_map(revision).collect();
    match heads.as_slice() {
        [] if text.trim().is_empty() => nothing(),
        [] => Err(answer.unclear("printed no line with a revision")),
        [one] => DataVersion::new(one),
        several => Err(answer.unclear(format!("is at several revisions at once ({}): merge them", several.join(", ")))),
    }
}

/// Returns the revision of a line that has one, with notes in parentheses after it; ignores log output of the
/// application.
fn revision(line: &str) -> Option<&str> {
    let (first, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    let notes = rest.split_whitespace().all(|word| matches!(word, "(head)" | "(mergepoint)" | "(branchpoint)"))
        || rest == "(effective head)";
    (!first.is_empty() && notes).then_some(first)
}

#[cfg(test)]
mod tests {
    use crate::data::Preset;

    #[test]
    fn reads_what_alembic_prints() {
        let read = |status, out: &str, err: &str| {
            Preset::Alembic.read(status, out.as_bytes(), err.as_bytes()).map(String::from).map_err(|e| e.to_string())
        };
        let log = "INFO  [alembic.runtime.migration] Context impl SQLiteImpl.\n";
        assert_eq!(read(0, "r_one\n", log), Ok("r_one".into()));
        assert_eq!(read(0, "r_two (head)\n", log), Ok("r_two".into()));
        assert_eq!(read(0, "reading the settings\nr_two (head) (mergepoint)\n", log), Ok("r_two".into()));
        assert_eq!(read(0, "", log), Ok(String::new()));
        let missing = "FAILED: Can't locate revision identified by 'r_two'\n";
        assert!(read(255, missing, log).is_err_and(|error| error.contains("255") && error.contains("locate")));
        assert!(read(0, "r_a (head)\nr_b (head)\n", log).is_err_and(|error| error.contains("r_a, r_b")));
        assert!(read(0, "reading the settings\n", log).is_err());
    }
}
