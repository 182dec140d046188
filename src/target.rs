//! The targets of a rollback and of a recovery, as a caller names them.

use crate::name::ReleaseName;

/// The target of a rollback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RollbackTarget {
    /// This many good releases back in the chain; 1 is the previous release.
    Steps(u32),
    /// The named release, even if it is bad or outside the chain.
    Release(ReleaseName),
}

/// The direction of a recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Forward if every host had switched or the operation was a rollback; else back.
    #[default]
    Safest,
    /// Forward, to the target of the interrupted operation.
    Forward,
    /// Back to the release that each host was on before.
    Back,
}
