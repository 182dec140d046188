//! The diesel command. It reverts by count, so the script counts in diesel's own list.

use super::{
    answer::{Answer, Tool},
    order::last_applied,
};
use crate::data::{DataVersion, DataVersionError};

pub(super) static TOOL: Tool = Tool {
    version: Some("diesel migration list"),
    apply: "diesel migration run",
    revert: Some(REVERT),
    advice: "",
    read,
};

/// A target that is not applied is an error: its count would be nothing or all.
const REVERT: &str = r#"list=$(diesel migration list) || exit
count=$(printf '%s\n' "$list" | awk '
    BEGIN { found = ENVIRON["SWITCHBACK_DATA_TARGET"] == "" }
    $1 == "[X]" { if (found) count++; else if ($2 == ENVIRON["SWITCHBACK_DATA_TARGET"]) found = 1 }
    END { if (!found) exit 1; print count + 0 }') || { echo "$SWITCHBACK_DATA_TARGET is not applied" >&2; exit 1; }
[ "$count" -eq 0 ] || diesel migration revert -n "$count""#;

/// Parses one line per migration: `[X] 2026-01-01-000000-0000_create_users`, or `[ ]`.
fn read(answer: &Answer<'_>) -> Result<DataVersion, DataVersionError> {
    answer.succeeded()?;
    let text = answer.stdout();
    if !text.contains("Migrations:") {
        return Err(answer.unclear("printed no list of migrations"));
    }
    let migrations = text.lines().filter_map(|line| {
        let line = line.trim();
        let applied = line.strip_prefix("[X] ").map(|name| (true, name));
        applied.or_else(|| line.strip_prefix("[ ] ").map(|name| (false, name)))
    });
    last_applied(answer, migrations)
}

#[cfg(test)]
mod tests {
    use crate::data::Preset;

    #[test]
    fn reads_what_diesel_prints() {
        let read = |status, out: &str| Preset::Diesel.read(status, out.as_bytes(), b"").map(String::from);
        let some = "Migrations:\n  [X] 2026-01-01-000000-0000_users\n  [X] 2026-01-02-000000-0000_items\n  [ ] 2026-01-03-000000-0000_x\n";
        assert_eq!(read(0, some), Ok("2026-01-02-000000-0000_items".into()));
        assert_eq!(read(0, "Migrations:\n  [ ] 2026-01-01-000000-0000_users\n"), Ok(String::new()));
        assert!(read(0, "Migrations:\n  [ ] a\n  [X] b\n").is_err());
        assert!(read(1, some).is_err());
        assert!(read(0, "").is_err());
    }
}
