//! [`Hook`]: work around a switch, either a configured command or the caller's own code.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    data::DataVersion,
    error::{Error, ErrorKind},
    fleet::Cancel,
    future::BoxFuture,
    hint::Hint,
    name::ReleaseName,
    path::HostPath,
    transport::{HookEnd, HookExit},
};

/// The purpose of a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum HookKind {
    /// Prepares a new release before any host is switched.
    #[serde(rename = "prepare")]
    Prepare,
    /// Notifies services of a switch, in either direction.
    #[serde(rename = "after-switch")]
    AfterSwitch,
    /// Decides whether a switch was good.
    #[serde(rename = "validate")]
    Validate,
    /// Prints the data version.
    #[serde(rename = "version")]
    Version,
    /// Prints a fingerprint of the data.
    #[serde(rename = "fingerprint")]
    Fingerprint,
    /// Migrates the data forward.
    #[serde(rename = "apply")]
    Apply,
    /// Migrates the data back.
    #[serde(rename = "revert")]
    Revert,
    /// Copies the files that a revert needs.
    #[serde(rename = "save")]
    Save,
    /// A hook that only a later version knows, read back.
    #[serde(rename = "other", other)]
    Other,
}

impl HookKind {
    /// Whether changes that it makes in its release are sealed with the release. The others only ask, or write
    /// elsewhere; `prepare` is not among them because the seal after it covers the whole release.
    pub(crate) fn changes_release(self) -> bool {
        matches!(self, Self::AfterSwitch | Self::Apply | Self::Revert)
    }

    /// Returns the hook as the configuration spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::AfterSwitch => "after_switch",
            Self::Validate => "validate",
            Self::Version => "version",
            Self::Fingerprint => "fingerprint",
            Self::Apply => "apply",
            Self::Revert => "revert",
            Self::Save => "save",
            Self::Other => "other",
        }
    }
}

impl HookKind {
    /// Returns the hook that the configuration spells so.
    pub(crate) fn named(text: &str) -> Self {
        use HookKind::{AfterSwitch, Apply, Fingerprint, Prepare, Revert, Save, Validate, Version};
        let all = [Prepare, AfterSwitch, Validate, Version, Fingerprint, Apply, Revert, Save];
        all.into_iter().find(|kind| kind.as_str() == text).unwrap_or(Self::Other)
    }
}

impl fmt::Display for HookKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The direction of the operation around a hook, the value of `SWITCHBACK_DIRECTION`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum HookDirection {
    /// Forward, to a release that was just uploaded.
    #[serde(rename = "deploy")]
    Deploy,
    /// Forward, to a release that the host already had.
    #[serde(rename = "activate")]
    Activate,
    /// Back, also when a failed deploy is reverted.
    #[serde(rename = "rollback")]
    Rollback,
}

impl HookDirection {
    /// Returns the direction as JSON spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Activate => "activate",
            Self::Rollback => "rollback",
        }
    }
}

/// The circumstances of a hook run: its release, host and direction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Occasion {
    /// The host, by its name; `controller` for a hook that runs there.
    pub host: String,
    /// The deploy root.
    pub root: HostPath,
    /// The release that the hook is about.
    pub release: ReleaseName,
    /// The directory of that release on its host; for a migration on the controller, on the hosts.
    pub directory: HostPath,
    /// The release that was current before the operation began.
    pub previous: Option<ReleaseName>,
    /// The direction.
    pub direction: HookDirection,
    /// Tells whether the caller wants the command to stop.
    ///
    /// A hook that waits can end early with an error, and the command is reverted. In an undo, and in a rollback that is
    /// not undone any more, no stop is shown.
    pub cancel: Cancel,
}

/// A command for `sh`, at the place where a hook runs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShellHook {
    /// The purpose of the command.
    pub kind: HookKind,
    /// The command.
    pub script: String,
    /// The time limit; `None` for no limit.
    pub timeout: Option<Duration>,
    /// The data version to migrate to, passed as `SWITCHBACK_DATA_TARGET`.
    pub target: Option<DataVersion>,
}

impl ShellHook {
    /// The command `script`, without a time limit.
    pub fn new(kind: HookKind, script: impl Into<String>) -> Self {
        Self { kind, script: script.into(), timeout: None, target: None }
    }
}

/// Runs commands on the hook's host, in the directory of the release, under the lock.
pub trait HookShell: Send {
    /// Runs `hook` and waits for it to end. Its output goes to the observer, and to the host's log.
    ///
    /// The command survives the loss of the connection, and its result is read afterwards.
    ///
    /// # Errors
    ///
    /// Fails when it is unknown how the command ended, or it could not be started. An exit status other than 0 is not
    /// an error.
    fn sh<'a>(&'a mut self, hook: &'a ShellHook) -> BoxFuture<'a, Result<HookExit, Error>>;
}

/// Code that runs on every host around a switch.
///
/// The commands of the configuration are one implementation; an embedder supplies its own with
/// [`RunOptions::code`](crate::fleet::RunOptions::code).
///
/// A hook has no time limit, only its commands can have one: a hook that never ends holds the locks of all hosts. A
/// reverted deploy runs it again, with [`HookDirection::Rollback`].
///
/// ```
/// use switchback::{
///     BoxFuture, Error, ErrorKind,
///     hook::{Hook, HookKind, HookShell, Occasion, ShellHook},
/// };
///
/// /// Reloads the service.
/// #[derive(Debug)]
/// struct Reload;
///
/// impl Hook for Reload {
///     fn run<'a>(&'a self, at: &'a Occasion, shell: &'a mut dyn HookShell) -> BoxFuture<'a, Result<(), Error>> {
///         Box::pin(async move {
///             let reload = ShellHook::new(HookKind::AfterSwitch, "systemctl reload shop");
///             if shell.sh(&reload).await?.success() {
///                 return Ok(());
///             }
///             Err(Error::new(ErrorKind::HookFailed, format!("{}: shop was not reloaded", at.host)))
///         })
///     }
/// }
/// ```
pub trait Hook: fmt::Debug + Send + Sync + 'static {
    /// Runs the hook. `shell` runs commands on the host.
    ///
    /// # Errors
    ///
    /// Before the switch, an error leaves every `current` unchanged. After it, a deploy is reverted, and a rollback
    /// stays on its target.
    fn run<'a>(&'a self, at: &'a Occasion, shell: &'a mut dyn HookShell) -> BoxFuture<'a, Result<(), Error>>;
}

/// The name of the controller in places that name hosts.
pub(crate) const CONTROLLER: &str = "controller";

/// Builds the error for a command on `host` that ended badly, with the last lines of its output.
pub(crate) fn failed(kind: ErrorKind, host: &str, hook: HookKind, exit: &HookExit) -> Error {
    let how = how(&exit.end);
    let said = [&exit.stderr, &exit.stdout].into_iter().map(|text| last_words(text)).find(|text| !text.is_empty());
    let said = said.map(|text| format!(", after printing: {text}")).unwrap_or_default();
    let error = Error::new(kind, format!("`{hook}` on {host} {how}{said}"));
    // What runs on the controller is in no host's log.
    if host == CONTROLLER { error } else { error.hint(Hint::Log) }
}

/// Describes in words how a command ended.
pub(crate) fn how(end: &HookEnd) -> String {
    match end {
        HookEnd::Exited(status) => format!("exited with {status}"),
        HookEnd::Killed(signal) => format!("was killed by signal {signal}"),
        HookEnd::TimedOut { survivors } if survivors.is_empty() => "timed out and was killed".to_owned(),
        HookEnd::TimedOut { survivors } => {
            let ids: Vec<String> = survivors.iter().map(ToString::to_string).collect();
            format!("timed out and was killed; processes of it still run: {}", ids.join(", "))
        }
        HookEnd::Lost => "disappeared without a result: it was killed, or the host restarted".to_owned(),
    }
}

/// Returns the last lines of the output, on one line and escaped.
fn last_words(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines[lines.len().saturating_sub(3)..].join(" / ");
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    let escaped: String = last.chars().map(escape).collect();
    let from = escaped.char_indices().rev().nth(399).map_or(0, |(at, _)| at);
    escaped[from..].to_owned()
}
