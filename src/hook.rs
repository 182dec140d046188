//! [`Hook`]: what runs around a switch, be it a command of a configuration or the caller's own code.

use std::{fmt, time::Duration};

use serde::Serialize;

use crate::{
    data::DataVersion,
    error::{Error, ErrorKind},
    future::BoxFuture,
    name::ReleaseName,
    path::HostPath,
    transport::{HookEnd, HookExit},
};

/// What a hook is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum HookKind {
    /// Makes a new release ready, before anything is switched.
    Prepare,
    /// Tells services of a switch, in either direction.
    AfterSwitch,
    /// Decides whether a switch was good.
    Validate,
    /// Prints the data version.
    Version,
    /// Prints what the data is like.
    Fingerprint,
    /// Takes the data forward.
    Apply,
    /// Takes the data back.
    Revert,
    /// Keeps a copy of what a revert needs.
    Save,
}

impl HookKind {
    /// Whether what it changes in its release is sealed with the release; the others only ask, or write elsewhere. What
    /// `prepare` makes is sealed as a whole.
    pub(crate) fn changes_release(self) -> bool {
        matches!(self, Self::AfterSwitch | Self::Apply | Self::Revert)
    }

    /// The hook as the configuration spells it.
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
        }
    }
}

impl fmt::Display for HookKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Which way a hook's operation goes, as `SWITCHBACK_DIRECTION` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HookDirection {
    /// Forward, to a release that was just brought.
    Deploy,
    /// Forward, to a release that was there.
    Activate,
    /// Back, also when a deploy is put back.
    Rollback,
}

impl HookDirection {
    /// The direction as it is spelled.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Activate => "activate",
            Self::Rollback => "rollback",
        }
    }
}

/// On which occasion a hook runs: for which release, where, and which way.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Occasion {
    /// The host, by its name; `controller` for what runs there.
    pub host: String,
    /// The deploy root.
    pub root: HostPath,
    /// The release it is about.
    pub release: ReleaseName,
    /// The directory of that release on its host.
    pub directory: HostPath,
    /// The release that was current before the operation began.
    pub previous: Option<ReleaseName>,
    /// Which way.
    pub direction: HookDirection,
}

/// A command for the `sh` of the place where a hook runs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShellHook {
    /// What it is for.
    pub kind: HookKind,
    /// The command.
    pub script: String,
    /// How long it may take; no limit when there is none.
    pub timeout: Option<Duration>,
    /// The data version that it is to take the data to, as `SWITCHBACK_DATA_TARGET`.
    pub target: Option<DataVersion>,
}

impl ShellHook {
    /// The command `script`, which may take as long as it likes.
    pub fn new(kind: HookKind, script: impl Into<String>) -> Self {
        Self { kind, script: script.into(), timeout: None, target: None }
    }
}

/// Runs commands where a hook runs: on its host, in the directory of the release, under the lock.
pub trait HookShell: Send {
    /// Runs `hook` and waits for its end. Its output is streamed to whoever observes, and kept in the host's log.
    ///
    /// A connection that is lost meanwhile does not end it: its result is found again.
    ///
    /// # Errors
    ///
    /// When it is not known how the command ended, or it could not be started. A command that ended in any way is none.
    fn sh<'a>(&'a mut self, hook: &'a ShellHook) -> BoxFuture<'a, Result<HookExit, Error>>;
}

/// Something that runs on every host around a switch.
///
/// The commands of the configuration are one implementation; an embedder brings code of its own with
/// [`RunOptions::code`](crate::engine::RunOptions::code).
pub trait Hook: fmt::Debug + Send + Sync + 'static {
    /// Runs it. `shell` runs commands on the host.
    ///
    /// # Errors
    ///
    /// Before the switch an error leaves every `current` where it was; after it, a deploy is put back, and a rollback
    /// stays where it arrived.
    fn run<'a>(&'a self, at: &'a Occasion, shell: &'a mut dyn HookShell) -> BoxFuture<'a, Result<(), Error>>;
}

/// The error that a command on `host` ended in another way than it should, with the last of what it said.
pub(crate) fn failed(kind: ErrorKind, host: &str, hook: HookKind, exit: &HookExit) -> Error {
    let how = how(&exit.end);
    let said = [&exit.stderr, &exit.stdout].into_iter().map(|text| last_words(text)).find(|text| !text.is_empty());
    let said = said.map(|text| format!(", after saying: {text}")).unwrap_or_default();
    Error::new(kind, format!("`{hook}` on {host} {how}{said}"))
}

/// How a command ended, in words.
pub(crate) fn how(end: &HookEnd) -> String {
    match end {
        HookEnd::Exited(status) => format!("ended with {status}"),
        HookEnd::Killed(signal) => format!("was killed by signal {signal}"),
        HookEnd::TimedOut { survivors } if survivors.is_empty() => "took too long, and was ended".to_owned(),
        HookEnd::TimedOut { survivors } => {
            let ids: Vec<String> = survivors.iter().map(ToString::to_string).collect();
            format!("took too long, and was ended; processes of it that still run: {}", ids.join(", "))
        }
        HookEnd::Lost => "is gone without a result: it was killed, or the host was restarted".to_owned(),
    }
}

/// The last lines of what was printed, on one line and escaped.
fn last_words(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines[lines.len().saturating_sub(3)..].join(" / ");
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    let escaped: String = last.chars().map(escape).collect();
    let from = escaped.char_indices().rev().nth(399).map_or(0, |(at, _)| at);
    escaped[from..].to_owned()
}
