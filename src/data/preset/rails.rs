//! Rails. `db:version` names only the highest version, so the list is read, which shows a pending migration
//! before it.

use super::{
    answer::{Answer, Tool, nothing},
    order::last_applied,
};
use crate::data::{DataVersion, DataVersionError};

pub(super) static TOOL: Tool = Tool {
    version: Some("bin/rails db:migrate:status"),
    apply: "bin/rails db:migrate",
    revert: Some("bin/rails db:migrate VERSION=\"${SWITCHBACK_DATA_TARGET:-0}\""),
    advice: "",
    read,
};

/// Parses one line per migration: `   up     20260101000000  Create users`, or `down`.
fn read(answer: &Answer<'_>) -> Result<DataVersion, DataVersionError> {
    if answer.status != 0 && answer.says("Schema migrations table does not exist yet") {
        return nothing();
    }
    answer.succeeded()?;
    let text = answer.stdout();
    match text.lines().filter(|line| line.starts_with("database: ")).count() {
        0 => return Err(answer.unclear("printed no database")),
        1 => {}
        _ => return Err(answer.unclear("migrates several databases: write commands of your own for them")),
    }
    last_applied(answer, text.lines().filter_map(migration))
}

fn migration(line: &str) -> Option<(bool, &str)> {
    let mut words = line.split_whitespace();
    let state = words.next().filter(|state| matches!(*state, "up" | "down"))?;
    let version = words.next().filter(|version| version.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some((state == "up", version))
}

#[cfg(test)]
mod tests {
    use crate::data::Preset;

    #[test]
    fn reads_what_rails_prints() {
        let read = |status, out: &str, err: &str| {
            Preset::Rails.read(status, out.as_bytes(), err.as_bytes()).map(String::from).map_err(|e| e.to_string())
        };
        let table =
            "\ndatabase: db/production.sqlite3\n\n Status   Migration ID    Migration Name\n-----------------\n";
        let some = "   up     20260101000000  Create users\n  down    20260102000000  Create items\n\n";
        assert_eq!(read(0, &format!("{table}{some}"), ""), Ok("20260101000000".into()));
        assert_eq!(read(0, &format!("{table}  down    20260101000000  Create users\n\n"), ""), Ok(String::new()));
        assert_eq!(read(0, &format!("{table}   up     001  ********** NO FILE **********\n"), ""), Ok("001".into()));
        assert_eq!(read(1, "", "Schema migrations table does not exist yet.\n"), Ok(String::new()));
        let late = format!("{table}  down    1  Late\n   up     2  Create users\n");
        assert!(read(0, &late, "").is_err_and(|error| error.starts_with("rails has applied 2 and not 1")));
        assert!(read(0, &format!("{table}{some}{table}"), "").is_err_and(|error| error.contains("several databases")));
        assert!(read(1, "", "rails aborted!\n").is_err());
        assert!(read(0, "", "").is_err());
    }
}
