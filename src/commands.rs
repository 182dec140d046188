//! [`Commands`]: the commands around a switch, as configured and as recorded with a release.

use std::time::Duration;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use crate::{
    data::{DataVersion, DataVersionError, Preset},
    path::InnerPath,
};

/// The default time limit of a hook or a validation attempt.
pub(crate) const HOOK_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// The commands around a switch. Each is a script for `sh`.
///
/// They are recorded with a release when it is staged, so that a rollback needs no configuration, least of all that of
/// the version it rolls back from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Commands {
    /// The version of this format: 1.
    #[serde(rename = "format")]
    pub format: u32,
    /// Runs on every host, in the new release, before anything is switched.
    #[serde(rename = "prepare", skip_serializing_if = "Option::is_none")]
    pub prepare: Option<String>,
    /// Runs on every host after the switch, in either direction.
    #[serde(rename = "after_switch", skip_serializing_if = "Option::is_none")]
    pub after_switch: Option<String>,
    /// The time limit of each `prepare`, `after_switch` and validation attempt.
    #[serde(rename = "timeout")]
    pub timeout: Duration,
    /// A file on the controller with lines `NAME=VALUE`: variables for every command. Their values appear in no
    /// argument list, log or error.
    #[serde(rename = "env_file", skip_serializing_if = "Option::is_none")]
    pub env_file: Option<Utf8PathBuf>,
    /// The names of variables of the controller that are passed to every command, as secrets.
    #[serde(rename = "pass_env", skip_serializing_if = "Vec::is_empty")]
    pub pass_env: Vec<String>,
    /// The check that decides whether a switch was good.
    #[serde(rename = "validation", skip_serializing_if = "Option::is_none")]
    pub validation: Option<Validation>,
    /// The commands that migrate the data forward and back.
    #[serde(rename = "data", skip_serializing_if = "Option::is_none")]
    pub data: Option<DataCommands>,
    /// Prints a fingerprint of the data, for the drill and after a failed migration. Runs where `version` runs.
    #[serde(rename = "fingerprint", skip_serializing_if = "Option::is_none")]
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

/// A command that decides whether a switch was good, which it is if the command exits with 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Validation {
    /// The command.
    #[serde(rename = "command")]
    pub command: String,
    /// The place where it runs.
    #[serde(rename = "on")]
    pub on: ValidateOn,
    /// The time within which it may fail before it first succeeds.
    #[serde(rename = "start_within")]
    pub start_within: Duration,
    /// The pause between two attempts.
    #[serde(rename = "every")]
    pub every: Duration,
    /// The time for which it must keep succeeding after its first success; zero if one success is enough.
    #[serde(rename = "for")]
    pub hold_for: Duration,
    /// The same after a rollback, which holds nobody up unless this is set.
    #[serde(rename = "rollback_for", default, skip_serializing_if = "Duration::is_zero")]
    pub rollback_hold_for: Duration,
    /// The number of failures in a row that are tolerated after the first success.
    #[serde(rename = "allow_failures")]
    pub allow_failures: u32,
}

impl Validation {
    /// A command that must succeed once, on every host, at the first attempt.
    pub fn new(command: impl Into<String>) -> Self {
        Self {
            command: command.into(),
            on: ValidateOn::Hosts,
            start_within: Duration::ZERO,
            every: Duration::from_secs(2),
            hold_for: Duration::ZERO,
            rollback_hold_for: Duration::ZERO,
            allow_failures: 0,
        }
    }
}

/// The place where a validation runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ValidateOn {
    /// Every host, in its current release.
    #[default]
    #[serde(rename = "hosts")]
    Hosts,
    /// The controller, once, in the directory of the configuration.
    #[serde(rename = "controller")]
    Controller,
}

/// The commands that migrate the data forward and back, once for the whole fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DataCommands {
    /// The place where they run.
    #[serde(rename = "place")]
    pub place: DataPlace,
    /// The tool whose output `version` prints; without one, the data version is the last line of the output.
    #[serde(rename = "preset", default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// Prints the data version.
    #[serde(rename = "version")]
    pub version: String,
    /// Migrates the data forward to the version that the release needs.
    #[serde(rename = "apply")]
    pub apply: String,
    /// Migrates the data back to `$SWITCHBACK_DATA_TARGET`; without it, an applied migration cannot be reverted.
    #[serde(rename = "revert", default, skip_serializing_if = "Option::is_none")]
    pub revert: Option<String>,
    /// The time of the revert in a rollback: after the switch, mirroring a deploy, or before it.
    #[serde(rename = "revert_when", default)]
    pub revert_when: RevertWhen,
    /// The time limit of each command; `None` for no limit.
    #[serde(rename = "timeout", default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// The paths of a release that `revert` needs. A copy of them is kept outside the release when it is applied, so
    /// that a damaged or pruned release can be reverted.
    #[serde(rename = "save", default, skip_serializing_if = "Vec::is_empty")]
    pub save: Vec<InnerPath>,
}

impl DataCommands {
    /// Data commands at `place` without a `revert`.
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

    /// Reads the data version from the exit status and output of `version`: as the preset's tool prints it,
    /// otherwise the last line of standard output.
    ///
    /// # Errors
    ///
    /// [`DataVersionError`] when the command failed, or its output is not a version.
    pub fn read_version(&self, status: u8, stdout: &[u8], stderr: &[u8]) -> Result<DataVersion, DataVersionError> {
        match self.preset {
            Some(preset) => preset.read(status, stdout, stderr),
            None if status == 0 => DataVersion::last_line(stdout),
            None => Err(DataVersionError::failed(status, stdout, stderr)),
        }
    }
}

/// The place where the data commands run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DataPlace {
    /// This host of the fleet, by its name.
    #[serde(rename = "host")]
    Host(String),
    /// The controller, in the directory of the configuration.
    #[serde(rename = "controller")]
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

/// The time at which a rollback reverts data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum RevertWhen {
    /// Once the old code is current everywhere. The old code has met the new data before, when the deploy applied
    /// it.
    #[default]
    #[serde(rename = "after-switch")]
    AfterSwitch,
    /// Before any host is switched, for code that cannot run on newer data.
    #[serde(rename = "before-switch")]
    BeforeSwitch,
}
