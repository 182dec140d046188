//! [`OperationLog`]: the output of an operation's commands on a host.

use serde::{Deserialize, Serialize};

use crate::{history::HistoryEntry, hook::HookKind, token::Token};

/// The output of an operation's commands on a host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct OperationLog {
    /// The operation.
    #[serde(rename = "operation")]
    pub operation: Token,
    /// Its entry in the host's history; `None` while it is under way or interrupted.
    #[serde(rename = "entry", default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<HistoryEntry>,
    /// The commands whose output the host keeps, in the order in which they ran.
    #[serde(rename = "commands")]
    pub commands: Vec<CommandLog>,
}

/// A command that ran on a host, and its output as it was printed: any text, of whoever controls the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CommandLog {
    /// The kind of command.
    #[serde(rename = "hook")]
    pub hook: HookKind,
    /// The command.
    #[serde(rename = "command")]
    pub command: String,
    /// The end of the command, in words; `None` while it runs.
    #[serde(rename = "end")]
    pub end: Option<String>,
    /// Whether it exited with 0.
    #[serde(rename = "ok")]
    pub ok: bool,
    /// The standard output.
    #[serde(rename = "stdout")]
    pub stdout: String,
    /// The standard error.
    #[serde(rename = "stderr")]
    pub stderr: String,
    /// Whether a part of the output is missing, because it exceeded a limit.
    #[serde(rename = "cut", default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// The reason why a part of the record could not be read.
    #[serde(rename = "unreadable", default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

impl CommandLog {
    /// A command of this kind without output, that has not ended.
    #[must_use]
    pub fn new(hook: HookKind, command: impl Into<String>) -> Self {
        Self {
            hook,
            command: command.into(),
            end: None,
            ok: false,
            stdout: String::new(),
            stderr: String::new(),
            cut: false,
            unreadable: None,
        }
    }
}
