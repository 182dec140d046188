//! Tools whose migrations have one order, and whose version is the last applied migration.

use super::answer::Answer;
use crate::data::{DataVersion, DataVersionError};

/// Returns the last applied migration, of migrations in order, each with whether it is applied.
///
/// A pending migration before an applied one is an error. The next deploy would apply it without a change of the
/// version, and no revert to a version would undo it.
pub(super) fn last_applied<'t>(
    answer: &Answer<'_>,
    migrations: impl IntoIterator<Item = (bool, &'t str)>,
) -> Result<DataVersion, DataVersionError> {
    let mut last = "";
    let mut pending = None;
    for (applied, name) in migrations {
        match pending {
            _ if !applied => pending = pending.or(Some(name)),
            None => last = name,
            Some(pending) => {
                return Err(answer.unclear(format!(
                    "has applied {name} and not {pending}, which comes before it: no version would show whether {pending} is applied, so nothing could revert it; order it later"
                )));
            }
        }
    }
    DataVersion::new(last)
}
