//! Sqitch. If nothing is deployed, it exits with 1 or 2, as for a failure.

use super::answer::{Answer, Tool, nothing};
use crate::data::{DataVersion, DataVersionError};

/// The version is `NAME ID`: a reworked change keeps its name, so only the ID is exact.
pub(super) static TOOL: Tool = Tool {
    version: Some("sqitch status"),
    apply: "sqitch deploy",
    revert: Some("sqitch revert -y ${SWITCHBACK_DATA_TARGET:+--to \"${SWITCHBACK_DATA_TARGET##* }\"}"),
    advice: "",
    read,
};

fn read(answer: &Answer<'_>) -> Result<DataVersion, DataVersionError> {
    let nothing_deployed = answer.says("No changes deployed") || answer.says("has not been initialized for Sqitch");
    if answer.status != 0 && nothing_deployed {
        return nothing();
    }
    answer.succeeded()?;
    let text = answer.stdout();
    let after = |label: &str| text.lines().find_map(|line| line.strip_prefix(label)).map(str::trim);
    match (after("# Name:"), after("# Change:")) {
        (Some(name), Some(id)) if !name.is_empty() && !id.is_empty() => DataVersion::new(&format!("{name} {id}")),
        _ => Err(answer.unclear("printed no change that is deployed")),
    }
}

#[cfg(test)]
mod tests {
    use crate::data::Preset;

    #[test]
    fn reads_what_sqitch_prints() {
        let read = |status, out: &str, err: &str| {
            Preset::Sqitch
                .read(status, out.as_bytes(), err.as_bytes())
                .map(String::from)
                .map_err(|error| error.to_string())
        };
        let deployed = "# On database db:sqlite:shop.db\n# Project:  shop\n\
            # Change:   73072cc13a944230ca10ef37aa881705831e608b\n# Name:     one\n\
            # Deployed: 2026-11-24 18:20:53 +0000\n# By:       x <x@example.com>\n# \nUndeployed change:\n  * two\n";
        assert_eq!(read(0, deployed, ""), Ok("one 73072cc13a944230ca10ef37aa881705831e608b".into()));
        assert_eq!(read(1, "# On database db:sqlite:shop.db\nNo changes deployed\n", ""), Ok(String::new()));
        assert_eq!(read(2, "", "Database db:pg:shop has not been initialized for Sqitch\n"), Ok(String::new()));
        let failed = read(2, "# On database db:sqlite:/nowhere/x.db\n", "unable to open database file\n");
        assert!(failed.is_err_and(|error| error.contains("unable to open")));
        assert!(read(0, "nothing of the kind\n", "").is_err());
    }
}
