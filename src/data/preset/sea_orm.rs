//! sea-orm-cli. It reverts by count, so the script counts in its own list.

use super::{
    answer::{Answer, Tool},
    order::last_applied,
};
use crate::data::{DataVersion, DataVersionError};

pub(super) static TOOL: Tool = Tool {
    version: Some("sea-orm-cli migrate status"),
    apply: "sea-orm-cli migrate up",
    revert: Some(REVERT),
    advice: "",
    read,
};

const REVERT: &str = r#"list=$(sea-orm-cli migrate status) || exit
count=$(printf '%s\n' "$list" | awk -F"'" '
    BEGIN { found = ENVIRON["SWITCHBACK_DATA_TARGET"] == "" }
    $1 ~ /Migration $/ && $3 ~ /Applied/ { if (found) count++; else if ($2 == ENVIRON["SWITCHBACK_DATA_TARGET"]) found = 1 }
    END { if (!found) exit 1; print count + 0 }') || { echo "$SWITCHBACK_DATA_TARGET is not applied" >&2; exit 1; }
[ "$count" -eq 0 ] || sea-orm-cli migrate down -n "$count""#;

/// Parses one line per migration: `Migration 'm20260101_000001_create_users'... Applied`, or `Pending`.
fn read(answer: &Answer<'_>) -> Result<DataVersion, DataVersionError> {
    answer.succeeded()?;
    let text = answer.stdout();
    let migrations: Vec<(bool, &str)> = text.lines().filter_map(migration).collect();
    if migrations.is_empty() && !text.contains("Checking migration status") {
        return Err(answer.unclear("printed no migration"));
    }
    last_applied(answer, migrations)
}

fn migration(line: &str) -> Option<(bool, &str)> {
    let (_, rest) = line.split_once("Migration '")?;
    let (name, state) = rest.split_once('\'')?;
    let applied = state.contains("Applied");
    (applied || state.contains("Pending")).then_some((applied, name))
}

#[cfg(test)]
mod tests {
    use crate::data::Preset;

    #[test]
    fn reads_what_sea_orm_prints() {
        let read = |status, out: &str| Preset::SeaOrm.read(status, out.as_bytes(), b"").map(String::from);
        let some = "Checking migration status\nMigration 'm1_users'... Applied\nMigration 'm2_items'... Pending\n";
        assert_eq!(read(0, some), Ok("m1_users".into()));
        assert_eq!(read(0, "Checking migration status\n"), Ok(String::new()));
        assert!(read(0, "Migration 'm1'... Pending\nMigration 'm2'... Applied\n").is_err());
        assert!(read(1, some).is_err());
        assert!(read(0, "").is_err());
    }
}
