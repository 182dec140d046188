//! [`Event`]: progress of a command, and [`Observer`], which receives it.

use serde::Serialize;

use crate::{
    data::{DataVersion, LedgerStep},
    hook::HookKind,
    name::ReleaseName,
    report::{Command, Failure},
    time::Timestamp,
    transport::Stream,
};

/// One event. `--json` prints each as a line.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// A command began.
    Started {
        /// The command.
        command: Command,
        /// The number of hosts that take part.
        hosts: usize,
        /// The release, if already known.
        release: Option<ReleaseName>,
    },
    /// The plan to execute, in words, line by line.
    Planned {
        /// The plan.
        plan: Vec<String>,
    },
    /// A phase began: every host has finished everything before it.
    Phase {
        /// The phase.
        phase: Phase,
        /// The number of hosts that take part in it.
        hosts: usize,
    },
    /// Progress of an upload. Slow observers receive only the latest of many.
    Progress {
        /// The host.
        host: String,
        /// Files sent.
        files: u64,
        /// Files to send.
        files_total: u64,
        /// Bytes of content sent.
        bytes: u64,
        /// Bytes of content to send.
        bytes_total: u64,
    },
    /// An upload is complete.
    Uploaded {
        /// The host.
        host: String,
        /// Files sent.
        files: u64,
        /// Bytes of content in them.
        bytes: u64,
        /// Files that the host copied from a release that it has.
        files_copied: u64,
        /// Bytes of content in them.
        bytes_copied: u64,
        /// Bytes sent to the host, compressed and with the protocol's own; `None` where content is only copied.
        transferred: Option<u64>,
    },
    /// A host finished a phase.
    HostDone {
        /// The host.
        host: String,
        /// The phase.
        phase: Phase,
    },
    /// A host was switched, and its `current` was read back.
    Switched {
        /// The host.
        host: String,
        /// The release that was current before.
        before: Option<ReleaseName>,
        /// The release that is current now; `None` when a first deploy was reverted.
        after: Option<ReleaseName>,
        /// The time of the switch, by the host's clock.
        at: Option<Timestamp>,
    },
    /// A host failed in a phase.
    HostFailed {
        /// The host.
        host: String,
        /// The phase.
        phase: Phase,
        /// The error.
        error: Failure,
    },
    /// A hook was started.
    HookStarted {
        /// The host, or `controller`.
        host: String,
        /// The hook.
        hook: HookKind,
    },
    /// A hook printed a line.
    HookOutput {
        /// The host, or `controller`.
        host: String,
        /// The hook.
        hook: HookKind,
        /// The stream that it printed to.
        stream: Stream,
        /// The line, without the secrets that the hook received.
        line: String,
    },
    /// A hook ended.
    HookEnded {
        /// The host, or `controller`.
        host: String,
        /// The hook.
        hook: HookKind,
        /// The way it ended, in words.
        end: String,
    },
    /// A question about the current release was answered; neither answer refuses the command.
    Answered {
        /// The host, or `controller`.
        host: String,
        /// The question: `version` or `validate`.
        question: HookKind,
        /// The answer, in words.
        answer: String,
    },
    /// A step of the data was recorded.
    Data {
        /// The release whose step it is.
        release: ReleaseName,
        /// The step.
        step: LedgerStep,
        /// The data version at that time.
        version: Option<DataVersion>,
    },
    /// A problem that does not change the outcome, or a fact that the user should know.
    Warning {
        /// The host it concerns, if any.
        host: Option<String>,
        /// The text.
        message: String,
    },
}

/// The phases of a command, in order. A barrier over all hosts separates each from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Phase {
    /// Run on every host all checks that could refuse the command.
    Ask,
    /// Upload the release, without the lock.
    Stage,
    /// Take the locks, and read the state again under them.
    Lock,
    /// Verify releases against their manifests.
    Verify,
    /// Publish the release under its name, sync it, and write its record.
    Prepare,
    /// Migrate the data forward or back.
    Data,
    /// Switch `current` on all hosts at once.
    Switch,
    /// Notify services of the switch.
    AfterSwitch,
    /// Decide whether the switch was good.
    Validate,
    /// Revert the hosts that were switched.
    PutBack,
    /// Move removable releases out of sight.
    Prune,
    /// Write marks and history, and release the locks.
    Finish,
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
        }
    }
}

/// Receives events, in order, as they happen. Must be cheap: the work waits for it.
pub trait Observer: Send + Sync {
    /// Receives `event`.
    fn event(&self, event: &Event);
}

impl<F: Fn(&Event) + Send + Sync> Observer for F {
    fn event(&self, event: &Event) {
        self(event);
    }
}

/// An observer that ignores every event.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: &Event) {}
}
