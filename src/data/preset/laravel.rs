//! Laravel. It reverts by count, newest batch first, so migrations are sorted by batch first, then by name.

use super::answer::{Answer, Tool, nothing};
use crate::data::{DataVersion, DataVersionError};

pub(super) static TOOL: Tool = Tool {
    version: Some("php artisan migrate:status --no-ansi"),
    apply: "php artisan migrate --force --no-interaction",
    revert: Some(REVERT),
    advice: "",
    read,
};

/// A count of 0 is skipped: Laravel would roll back the whole last batch.
const REVERT: &str = r#"list=$(php artisan migrate:status --no-ansi) || exit
count=$(printf '%s\n' "$list" | awk '
    $NF == "Ran" { batch = $(NF - 1); gsub(/[^0-9]/, "", batch); print batch, $1 }
    $1 == "|" && $2 ~ /^Y/ { print $6, $4 }' | LC_ALL=C sort -k1,1n -k2 | awk '
    BEGIN { found = ENVIRON["SWITCHBACK_DATA_TARGET"] == "" }
    { if (found) count++; else if ($2 == ENVIRON["SWITCHBACK_DATA_TARGET"]) found = 1 }
    END { if (!found) exit 1; print count + 0 }') || { echo "$SWITCHBACK_DATA_TARGET has not run" >&2; exit 1; }
[ "$count" -eq 0 ] || php artisan migrate:rollback --step="$count" --force --no-interaction"#;

/// Parses one line per migration: `2026_01_01_000000_create_users ...... [1] Ran`, or `| Yes | 2026_... | 1 |`
/// before Laravel 9.
fn read(answer: &Answer<'_>) -> Result<DataVersion, DataVersionError> {
    if answer.says("Migration table not found") || answer.says("No migrations found") {
        return nothing();
    }
    answer.succeeded()?;
    let text = answer.stdout();
    if !["Batch / Status", "Ran?"].iter().any(|heading| text.contains(heading)) {
        return Err(answer.unclear("printed no list of migrations"));
    }
    DataVersion::new(text.lines().filter_map(ran).max().map_or("", |(_, name)| name))
}

/// Returns the batch and the name of a migration that ran.
fn ran(line: &str) -> Option<(u64, &str)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (batch, name) = match words.as_slice() {
        ["|", "Yes" | "Y", "|", name, "|", batch, "|"] => (*batch, *name),
        [name, .., batch, "Ran"] => (batch.strip_prefix('[')?.strip_suffix(']')?, *name),
        _ => return None,
    };
    Some((batch.parse().ok()?, name))
}

#[cfg(test)]
mod tests {
    use crate::data::Preset;

    #[test]
    fn reads_what_laravel_prints() {
        let read = |status, out: &str| Preset::Laravel.read(status, out.as_bytes(), b"").map(String::from);
        let some = "\n  Migration name ..... Batch / Status  \n  0001_users ......... [1] Ran  \n  0002_late .......... [10] Ran  \n  \
                    0003_items ......... [2] Ran  \n  0004_x ............. Pending  \n\n";
        assert_eq!(read(0, some), Ok("0002_late".into()));
        let table = "+------+------------+-------+\n| Ran? | Migration  | Batch |\n+------+------------+-------+\n| Yes  | \
                     0001_users | 1     |\n| Yes  | 0002_items | 1     |\n| No   | 0003_x     |       |\n";
        assert_eq!(read(0, table), Ok("0002_items".into()));
        assert_eq!(read(0, "  Migration name ... Batch / Status\n  0001_users ... Pending\n"), Ok(String::new()));
        assert_eq!(read(1, "\n   ERROR  Migration table not found.  \n\n"), Ok(String::new()));
        assert!(read(1, "could not find driver\n").is_err());
        assert!(read(0, "").is_err());
    }
}
