//! Tools whose migrations have one order, and whose version is the last one applied.

use super::answer::Answer;
use crate::data::{DataVersion, DataVersionError};

/// The last that is applied, of migrations in their order, each with whether it is applied.
///
/// One that is pending before it would be applied by the next deploy without the version telling, and no way back by
/// version would undo it, so that is an error.
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
                    "has applied {name} and not {pending}, which comes before it: no version could tell whether that \
                     one is applied, so nothing could revert it; give it a later place"
                )));
            }
        }
    }
    DataVersion::new(last)
}
