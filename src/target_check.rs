//! [`TargetCheck`]: how a rollback looks at its target before it switches.

use serde::{Deserialize, Serialize};

/// How a rollback looks at its target before it switches, on every host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetCheck {
    /// Whether all that the manifest lists is there, with its type, size and mode.
    #[default]
    Quick,
    /// The same, and every digest: as long as it takes to read the release once.
    Full,
    /// Nothing but whether it is a complete release.
    None,
}
