//! [`Event`]: progress of a command, and [`Observer`], which receives it.

mod channel;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    data::{DataVersion, LedgerStep},
    hint::{Notice, Words},
    hook::HookKind,
    lock::LockHolder,
    name::ReleaseName,
    report::{Command, Failure},
    time::Timestamp,
    token::Token,
    transport::Stream,
};

pub use channel::{Receiver, Record, Sender, channel};

/// One event. `--json` prints each as a line, which can be read back as [`Report`](crate::Report) says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type")]
#[non_exhaustive]
pub enum Event {
    /// A command began.
    #[serde(rename = "started")]
    Started {
        /// The command.
        #[serde(rename = "command")]
        command: Command,
        /// The number of hosts that take part.
        #[serde(rename = "hosts")]
        hosts: usize,
        /// The release, if already known.
        #[serde(rename = "release")]
        release: Option<ReleaseName>,
    },
    /// The plan to execute, in words, line by line.
    #[serde(rename = "planned")]
    Planned {
        /// The plan.
        #[serde(rename = "plan")]
        plan: Vec<String>,
    },
    /// A phase began: every host has finished everything before it.
    #[serde(rename = "phase")]
    Phase {
        /// The phase.
        #[serde(rename = "phase")]
        phase: Phase,
        /// The number of hosts that take part in it.
        #[serde(rename = "hosts")]
        hosts: usize,
    },
    /// The connection to a host is up. Sent once for each host; a host on this machine needs none, and is connected at once.
    #[serde(rename = "connected")]
    Connected {
        /// The host.
        #[serde(rename = "host")]
        host: String,
    },
    /// The lock of a host is held, and the command waits for it. Sent once for each host.
    #[serde(rename = "waiting")]
    Waiting {
        /// The host.
        #[serde(rename = "host")]
        host: String,
        /// The holder of the lock.
        #[serde(rename = "lock")]
        lock: Box<LockHolder>,
        /// The longest wait, in seconds.
        #[serde(rename = "seconds")]
        seconds: f64,
    },
    /// Progress of an upload. Slow observers receive only the latest of many.
    #[serde(rename = "progress")]
    Progress {
        /// The host.
        #[serde(rename = "host")]
        host: String,
        /// Files sent.
        #[serde(rename = "files")]
        files: u64,
        /// Files to send.
        #[serde(rename = "files_total")]
        files_total: u64,
        /// Bytes of content sent.
        #[serde(rename = "bytes")]
        bytes: u64,
        /// Bytes of content to send.
        #[serde(rename = "bytes_total")]
        bytes_total: u64,
    },
    /// An upload is complete.
    #[serde(rename = "uploaded")]
    Uploaded {
        /// The host.
        #[serde(rename = "host")]
        host: String,
        /// Files sent.
        #[serde(rename = "files")]
        files: u64,
        /// Bytes of content in them.
        #[serde(rename = "bytes")]
        bytes: u64,
        /// Files that the host copied from a release that it has.
        #[serde(rename = "files_copied")]
        files_copied: u64,
        /// Bytes of content in them.
        #[serde(rename = "bytes_copied")]
        bytes_copied: u64,
        /// Bytes sent to the host, compressed and with the protocol's own; `None` where content is only copied.
        #[serde(rename = "transferred")]
        transferred: Option<u64>,
    },
    /// A host finished a phase.
    #[serde(rename = "host-done")]
    HostDone {
        /// The host.
        #[serde(rename = "host")]
        host: String,
        /// The phase.
        #[serde(rename = "phase")]
        phase: Phase,
    },
    /// A host was switched, and its `current` was read back.
    #[serde(rename = "switched")]
    Switched {
        /// The host.
        #[serde(rename = "host")]
        host: String,
        /// The release that was current before.
        #[serde(rename = "before")]
        before: Option<ReleaseName>,
        /// The release that is current now; `None` when a first deploy was reverted.
        #[serde(rename = "after")]
        after: Option<ReleaseName>,
        /// The time of the switch, by the host's clock.
        #[serde(rename = "at")]
        at: Option<Timestamp>,
    },
    /// A host failed in a phase.
    #[serde(rename = "host-failed")]
    HostFailed {
        /// The host.
        #[serde(rename = "host")]
        host: String,
        /// The phase.
        #[serde(rename = "phase")]
        phase: Phase,
        /// The error.
        #[serde(rename = "error")]
        error: Failure,
    },
    /// A command of a hook was started. A hook in Rust that runs none sends no event.
    #[serde(rename = "hook-started")]
    HookStarted {
        /// The host, or `controller`.
        #[serde(rename = "host")]
        host: String,
        /// The hook.
        #[serde(rename = "hook")]
        hook: HookKind,
    },
    /// A hook printed a line.
    #[serde(rename = "hook-output")]
    HookOutput {
        /// The host, or `controller`.
        #[serde(rename = "host")]
        host: String,
        /// The hook.
        #[serde(rename = "hook")]
        hook: HookKind,
        /// The stream that it printed to.
        #[serde(rename = "stream")]
        stream: Stream,
        /// The line, without the secrets that the hook received.
        #[serde(rename = "line")]
        line: String,
    },
    /// A hook ended.
    #[serde(rename = "hook-ended")]
    HookEnded {
        /// The host, or `controller`.
        #[serde(rename = "host")]
        host: String,
        /// The hook.
        #[serde(rename = "hook")]
        hook: HookKind,
        /// The way it ended, in words.
        #[serde(rename = "end")]
        end: String,
    },
    /// A question about the current release was answered; neither answer refuses the command.
    #[serde(rename = "answered")]
    Answered {
        /// The host, or `controller`.
        #[serde(rename = "host")]
        host: String,
        /// The question: `version` or `validate`.
        #[serde(rename = "question")]
        question: HookKind,
        /// The answer, in words.
        #[serde(rename = "answer")]
        answer: String,
    },
    /// A step of the data was recorded.
    #[serde(rename = "data")]
    Data {
        /// The release whose step it is.
        #[serde(rename = "release")]
        release: ReleaseName,
        /// The step.
        #[serde(rename = "step")]
        step: LedgerStep,
        /// The data version at that time.
        #[serde(rename = "version")]
        version: Option<DataVersion>,
    },
    /// A problem that does not change the outcome, or a fact that the user should know.
    #[serde(rename = "warning")]
    Warning {
        /// The host it concerns, if any.
        #[serde(rename = "host")]
        host: Option<String>,
        /// The text, with the next steps.
        #[serde(rename = "message")]
        message: Notice,
    },
    /// An event that only a later version knows, or the report, read back.
    #[serde(rename = "other", other)]
    Other,
}

impl Event {
    /// Words all hints, so that people can read them and JSON contains them.
    pub fn word_hints(&mut self, words: &Words<'_>) {
        match self {
            Self::HostFailed { error, .. } => error.word_hints(words),
            Self::Warning { message, .. } => message.word_hints(words),
            _ => {}
        }
    }
}

/// The phases of a command, in order. A barrier over all hosts separates each from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum Phase {
    /// Run on every host all checks that could refuse the command.
    #[serde(rename = "ask")]
    Ask,
    /// Upload the release, without the lock.
    #[serde(rename = "stage")]
    Stage,
    /// Take the locks, and read the state again under them.
    #[serde(rename = "lock")]
    Lock,
    /// Verify releases against their manifests.
    #[serde(rename = "verify")]
    Verify,
    /// Publish the release under its name, sync it, and write its record.
    #[serde(rename = "prepare")]
    Prepare,
    /// Migrate the data forward or back.
    #[serde(rename = "data")]
    Data,
    /// Switch `current` on all hosts at once.
    #[serde(rename = "switch")]
    Switch,
    /// Notify services of the switch.
    #[serde(rename = "after-switch")]
    AfterSwitch,
    /// Decide whether the switch was good.
    #[serde(rename = "validate")]
    Validate,
    /// Revert the hosts that were switched.
    #[serde(rename = "put-back")]
    PutBack,
    /// Move removable releases out of sight.
    #[serde(rename = "prune")]
    Prune,
    /// Write marks and history, and release the locks.
    #[serde(rename = "finish")]
    Finish,
    /// A phase that only a later version knows, read back.
    #[serde(rename = "other", other)]
    Other,
}

impl Phase {
    /// Returns the phase as JSON spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Stage => "stage",
            Self::Lock => "lock",
            Self::Verify => "verify",
            Self::Prepare => "prepare",
            Self::Data => "data",
            Self::Switch => "switch",
            Self::AfterSwitch => "after-switch",
            Self::Validate => "validate",
            Self::PutBack => "put-back",
            Self::Prune => "prune",
            Self::Finish => "finish",
            Self::Other => "other",
        }
    }
}

/// Receives events, in order, as they happen. Must be cheap: the work waits for it.
pub trait Observer: Send + Sync {
    /// Receives `event`.
    fn event(&self, event: &Event);

    /// Receives `event` with the id of its operation. By default passes it to [`event`](Self::event) without the id.
    fn event_of(&self, operation: &Token, event: &Event) {
        let _ = operation;
        self.event(event);
    }
}

impl<F: Fn(&Event) + Send + Sync> Observer for F {
    fn event(&self, event: &Event) {
        self(event);
    }
}

impl<O: Observer + ?Sized> Observer for Arc<O> {
    fn event(&self, event: &Event) {
        (**self).event(event);
    }

    fn event_of(&self, operation: &Token, event: &Event) {
        (**self).event_of(operation, event);
    }
}

/// An observer that ignores every event.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: &Event) {}
}
