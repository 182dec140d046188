//! Doctrine Migrations. `migrate` goes down as well as up; `first` is the version before all migrations.

use super::answer::{Answer, Tool, nothing};
use crate::data::{DataVersion, DataVersionError};

pub(super) static TOOL: Tool = Tool {
    version: Some("vendor/bin/doctrine-migrations current --no-ansi"),
    apply: "vendor/bin/doctrine-migrations migrate --no-interaction --allow-no-migration",
    revert: Some(
        "vendor/bin/doctrine-migrations migrate --no-interaction --allow-no-migration \"${SWITCHBACK_DATA_TARGET:-first}\"",
    ),
    advice: "",
    read,
};

/// Parses the last line: `DoctrineMigrations\Version20260101000000 - create users`, or `0 - (No migration
/// executed yet)`.
fn read(answer: &Answer<'_>) -> Result<DataVersion, DataVersionError> {
    answer.succeeded()?;
    let text = answer.stdout();
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    let version = line.split_once(" - ").map_or(line, |(version, _)| version);
    match version {
        "0" => nothing(),
        "" => Err(answer.unclear("printed no version")),
        words if words.contains(char::is_whitespace) => Err(answer.unclear("printed no version in its last line")),
        version => DataVersion::new(version),
    }
}

#[cfg(test)]
mod tests {
    use crate::data::Preset;

    #[test]
    fn reads_what_doctrine_prints() {
        let read = |status, out: &str| Preset::Doctrine.read(status, out.as_bytes(), b"").map(String::from);
        assert_eq!(read(0, " App\\Version2026 - create - users\n\n"), Ok("App\\Version2026".into()));
        assert_eq!(read(0, " App\\Version2026\n\n"), Ok("App\\Version2026".into()));
        assert_eq!(read(0, " 0 - (No migration executed yet)\n\n"), Ok(String::new()));
        assert!(read(1, "").is_err());
        assert!(read(0, "").is_err());
        assert!(read(0, "The metadata storage is not up to date\n").is_err());
    }
}
