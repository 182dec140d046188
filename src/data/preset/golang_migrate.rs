//! golang-migrate. It prints the version on standard error, and accepts the database only as an argument.

use super::answer::{Answer, Tool, nothing};
use crate::data::{DataVersion, DataVersionError};

pub(super) static TOOL: Tool = Tool {
    version: Some("migrate -path migrations -database \"$DATABASE_URL\" version"),
    apply: "migrate -path migrations -database \"$DATABASE_URL\" up",
    revert: Some(REVERT),
    advice: "",
    read,
};

const REVERT: &str = r#"if [ -n "$SWITCHBACK_DATA_TARGET" ]; then
    migrate -path migrations -database "$DATABASE_URL" goto "$SWITCHBACK_DATA_TARGET"
else
    migrate -path migrations -database "$DATABASE_URL" down -all
fi"#;

fn read(answer: &Answer<'_>) -> Result<DataVersion, DataVersionError> {
    let text = String::from_utf8_lossy(answer.stderr);
    let last = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    if answer.status != 0 && last.ends_with("no migration") {
        return nothing();
    }
    answer.succeeded()?;
    match last.strip_suffix(" (dirty)") {
        Some(version) => Err(answer.unclear(format!(
            "failed in the middle of {version}: fix the data by hand, then record that with `migrate force`"
        ))),
        None if !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()) => DataVersion::new(last),
        None => Err(answer.unclear("printed no version on standard error")),
    }
}

#[cfg(test)]
mod tests {
    use crate::data::Preset;

    #[test]
    fn reads_what_golang_migrate_prints() {
        let read = |status, err: &str| Preset::GolangMigrate.read(status, b"", err.as_bytes()).map(String::from);
        assert_eq!(read(0, "20260101\n"), Ok("20260101".into()));
        assert_eq!(read(1, "error: no migration\n"), Ok(String::new()));
        assert!(read(0, "3 (dirty)\n").is_err_and(|error| error.to_string().contains("in the middle of 3")));
        assert!(read(1, "error: failed to open database\n").is_err());
        assert!(read(0, "").is_err());
    }
}
