//! Liquibase. It reverts by count, so the script counts in its own history.

use super::answer::{Answer, Tool};
use crate::data::{DataVersion, DataVersionError};

pub(super) static TOOL: Tool = Tool {
    version: Some("liquibase history --format=TEXT"),
    apply: "liquibase update",
    revert: Some(REVERT),
    advice: "",
    read,
};

/// A target that is not in the history is an error: its count would be nothing or all.
const REVERT: &str = r#"list=$(liquibase history --format=TEXT) || exit
count=$(printf '%s\n' "$list" | awk '
    BEGIN { found = ENVIRON["SWITCHBACK_DATA_TARGET"] == "" }
    /^  [^ ].*::.*::/ { if (found) count++; else if (substr($0, 3) == ENVIRON["SWITCHBACK_DATA_TARGET"]) found = 1 }
    END { if (!found) exit 1; print count + 0 }') || { echo "$SWITCHBACK_DATA_TARGET is not deployed" >&2; exit 1; }
[ "$count" -eq 0 ] || liquibase rollback-count --count="$count""#;

/// Returns the changeset that was deployed last: `  db/changelog.sql::2::jane`.
fn read(answer: &Answer<'_>) -> Result<DataVersion, DataVersionError> {
    answer.succeeded()?;
    let text = answer.stdout();
    if !text.contains("Liquibase History") {
        return Err(answer.unclear("printed no history"));
    }
    let changeset = |line: &&str| line.starts_with("  ") && line.matches("::").count() >= 2;
    DataVersion::new(text.lines().rfind(changeset).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use crate::data::Preset;

    #[test]
    fn reads_what_liquibase_prints() {
        let read = |status, out: &str| Preset::Liquibase.read(status, out.as_bytes(), b"").map(String::from);
        let heading = "Liquibase History for jdbc:h2:/srv/shop/x\n\n";
        let some = "- Database updated at 11/24/26, 6:33 PM. Applied 2 changeset(s) in 0.062s, DeploymentId: 5545182764\n  \
                    changelog.sql::1::jane\n  changelog.sql::two::jane\n\n- Database updated at 11/24/26, 6:33 PM. Applied 1 \
                    changeset(s), DeploymentId: 5545224244\n  changelog.sql::3::bob\n\n";
        assert_eq!(read(0, &format!("{heading}{some}")), Ok("changelog.sql::3::bob".into()));
        assert_eq!(read(0, &format!("{heading}No changesets deployed\n")), Ok(String::new()));
        assert!(read(1, "").is_err());
        assert!(read(0, "").is_err());
    }
}
