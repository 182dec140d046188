//! [`Commands`]: what is run around a switch, as it is configured, and as it is recorded with a release.

use std::time::Duration;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use crate::{
    data::{DataVersion, DataVersionError, Preset},
    path::InnerPath,
};

/// The longest that a hook or a validation may take, unless something else is said.
pub const HOOK_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// The commands around a switch. Each is a text for `sh`.
///
/// They are recorded with a release when it is staged, so that going back needs no configuration, and never that of the
/// version that is fled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Commands {
    /// The version of this format: 1.
    pub format: u32,
    /// Runs on every host, in the new release, before anything is switched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prepare: Option<String>,
    /// Runs on every host after the switch, in either direction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_switch: Option<String>,
    /// How long `prepare`, `after_switch` and one try of the validation may take each.
    pub timeout: Duration,
    /// A file on the controller with lines `NAME=VALUE`: variables for every command, which stand in no argument list, no
    /// log and no error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env_file: Option<Utf8PathBuf>,
    /// The names of variables of the controller that every command is given too, kept as secret.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pass_env: Vec<String>,
    /// What decides whether a switch was good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<Validation>,
    /// What takes the data forward and back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<DataCommands>,
    /// Prints what the data is like, for the drill. Runs like `version`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

impl Default for Commands {
    fn default() -> Self {
        Self {
            format: 1,
            prepare: None,
            after_switch: None,
            timeout: HOOK_TIMEOUT,
            env_file: None,
            pass_env: Vec::new(),
            validation: None,
            data: None,
            fingerprint: None,
        }
    }
}

impl Commands {
    /// Whether there is nothing to run.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.prepare.is_none() && self.after_switch.is_none() && self.validation.is_none() && self.data.is_none()
    }
}

/// A command that decides whether a switch was good: it is when the command ends with 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Validation {
    /// The command.
    pub command: String,
    /// Where it runs.
    pub on: ValidateOn,
    /// How long it may fail until it first holds.
    pub start_within: Duration,
    /// How long to rest between two tries.
    pub every: Duration,
    /// How long it must hold after it first held; not at all when it need hold only once.
    #[serde(rename = "for")]
    pub hold_for: Duration,
    /// How many failures in a row are forgiven after it first held.
    pub allow_failures: u32,
}

impl Validation {
    /// A command that must hold once, on every host, at the first try.
    pub fn new(command: impl Into<String>) -> Self {
        Self {
            command: command.into(),
            on: ValidateOn::Hosts,
            start_within: Duration::ZERO,
            every: Duration::from_secs(2),
            hold_for: Duration::ZERO,
            allow_failures: 0,
        }
    }
}

/// Where a validation runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ValidateOn {
    /// On every host, in the release that is current there.
    #[default]
    Hosts,
    /// Once, on the controller, in the directory of the configuration.
    Controller,
}

/// The commands that take the data forward and back, once for the whole fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DataCommands {
    /// Where they run.
    pub place: DataPlace,
    /// The tool whose answer `version` prints; without one, the answer is the last line of what it prints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// Prints the data version.
    pub version: String,
    /// Takes the data forward to what the release needs.
    pub apply: String,
    /// Takes the data back to `$SWITCHBACK_DATA_TARGET`; without it, what was applied cannot be reverted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revert: Option<String>,
    /// When a rollback reverts: after the switch, as the mirror of a deploy, or before it.
    #[serde(default)]
    pub revert_when: RevertWhen,
    /// How long each may take; no limit when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// What of a release `revert` needs: a copy of it is kept outside the release when it is applied, so that a damaged
    /// or pruned release can be undone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub save: Vec<InnerPath>,
}

impl DataCommands {
    /// Commands on the controller that know no way back.
    pub fn new(place: DataPlace, version: impl Into<String>, apply: impl Into<String>) -> Self {
        Self {
            place,
            preset: None,
            version: version.into(),
            apply: apply.into(),
            revert: None,
            revert_when: RevertWhen::AfterSwitch,
            timeout: None,
            save: Vec::new(),
        }
    }

    /// The data version, from how `version` ended and what it printed: as the preset's tool says it, else the last line
    /// of standard output.
    ///
    /// # Errors
    ///
    /// [`DataVersionError`] when the command failed, or what it printed is no version.
    pub fn read_version(&self, status: u8, stdout: &[u8], stderr: &[u8]) -> Result<DataVersion, DataVersionError> {
        match self.preset {
            Some(preset) => preset.read(status, stdout, stderr),
            None if status == 0 => DataVersion::last_line(stdout),
            None => Err(DataVersionError::failed(status, stdout, stderr)),
        }
    }
}

/// Where the data commands run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataPlace {
    /// On this host of the fleet, by its name.
    Host(String),
    /// On the controller, in the directory of the configuration.
    Controller,
}

impl std::fmt::Display for DataPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Host(name) => f.pad(name),
            Self::Controller => f.pad("the controller"),
        }
    }
}

/// When a rollback reverts data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RevertWhen {
    /// Once the old code is current everywhere: it has met the new data before, when the deploy applied it.
    #[default]
    AfterSwitch,
    /// Before anything is switched, for code that cannot meet newer data.
    BeforeSwitch,
}
