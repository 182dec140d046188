//! [`TargetCheck`]: the check of a switch's target.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How to verify an existing release on every host before a rollback, an activation or a deploy switches to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum TargetCheck {
    /// Compares the types, sizes and modes of all entries with the manifest.
    #[default]
    #[serde(rename = "quick")]
    Quick,
    /// Compares every digest too, which takes as long as reading the release once.
    #[serde(rename = "full")]
    Full,
    /// Checks only that the release is complete.
    #[serde(rename = "none")]
    None,
}

impl TargetCheck {
    /// Every check.
    pub const ALL: &'static [Self] = &[Self::Quick, Self::Full, Self::None];

    /// Returns the check as typed.
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
        known.copied().ok_or_else(|| format!("{text:?} is not one of quick, full and none"))
    }
}
