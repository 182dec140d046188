//! Refinery. It only migrates forward, and has no command that prints the version.

use super::answer::{Answer, Tool};
use crate::data::{DataVersion, DataVersionError};

pub(super) static TOOL: Tool = Tool {
    version: None,
    apply: "refinery migrate",
    revert: None,
    advice: "write `version` as a query such as \"SELECT max(version) FROM refinery_schema_history\", run by the client of \
             your database; Refinery cannot revert, so write `revert` too, or releases with migrations cannot be rolled back",
    read,
};

fn read(answer: &Answer<'_>) -> Result<DataVersion, DataVersionError> {
    answer.succeeded()?;
    DataVersion::last_line(answer.stdout)
}
