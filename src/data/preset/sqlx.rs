//! sqlx-cli. `revert` keeps the target version applied; 0 is the version before all migrations.

use super::{
    answer::{Answer, Tool},
    order::last_applied,
};
use crate::data::{DataVersion, DataVersionError};

pub(super) static TOOL: Tool = Tool {
    version: Some("sqlx migrate info"),
    apply: "sqlx migrate run",
    revert: Some("sqlx migrate revert --target-version \"${SWITCHBACK_DATA_TARGET:-0}\""),
    advice: "",
    read,
};

/// Parses one line per migration: `20260101000000/installed create users`, or `/pending`.
fn read(answer: &Answer<'_>) -> Result<DataVersion, DataVersionError> {
    answer.succeeded()?;
    let text = answer.stdout();
    let migrations: Vec<(bool, &str)> = text.lines().filter_map(migration).collect();
    if migrations.is_empty() && !text.trim().is_empty() {
        return Err(answer.unclear("printed no migration"));
    }
    last_applied(answer, migrations)
}

fn migration(line: &str) -> Option<(bool, &str)> {
    let (version, rest) = line.split_once('/')?;
    let is_version = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
    let state = rest.split_whitespace().next()?;
    (is_version && matches!(state, "installed" | "pending")).then_some((state == "installed", version))
}

#[cfg(test)]
mod tests {
    use crate::data::Preset;

    #[test]
    fn reads_what_sqlx_prints() {
        let read = |status, out: &str| Preset::Sqlx.read(status, out.as_bytes(), b"").map(String::from);
        assert_eq!(
            read(0, "1/installed one\n20260102030405/installed two\n3/pending three\n"),
            Ok("20260102030405".into())
        );
        assert_eq!(read(0, "1/pending one\n"), Ok(String::new()));
        assert_eq!(read(0, ""), Ok(String::new()));
        let changed = "1/installed (different checksum) one\napplied migration had checksum 00\nlocal migration has checksum 01\n";
        assert_eq!(read(0, changed), Ok("1".into()));
        let late =
            read(0, "1/installed one\n2/pending two\n3/installed three\n").expect_err("2 could not be gone back from");
        assert!(late.to_string().starts_with("sqlx has applied 3 and not 2"), "{late}");
        assert!(read(1, "1/installed one\n").is_err());
        assert!(read(0, "nothing of the kind\n").is_err());
    }
}
