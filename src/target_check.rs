//! [`TargetCheck`]: how a rollback looks at its target before it switches.

use std::str::FromStr;

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

impl TargetCheck {
    /// Every way there is.
    pub const ALL: &'static [Self] = &[Self::Quick, Self::Full, Self::None];

    /// As it is spelled.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Full => "full",
            Self::None => "none",
        }
    }
}

impl FromStr for TargetCheck {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.iter().find(|check| check.as_str() == text);
        known.copied().ok_or_else(|| format!("`{text}` is none of quick, full and none"))
    }
}
