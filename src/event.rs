//! [`Event`]: what happens during a command, as it happens, and [`Observer`], who is told.

use serde::Serialize;

use crate::{
    data::{DataVersion, LedgerStep},
    hook::HookKind,
    name::ReleaseName,
    report::{Command, Failure},
    time::Timestamp,
    transport::Stream,
};

/// One thing that happened. `--json` prints each as a line.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// A command began.
    Started {
        /// The command.
        command: Command,
        /// How many hosts take part.
        hosts: usize,
        /// The release, where it is known by now.
        release: Option<ReleaseName>,
    },
    /// The plan that is carried out, in words, line by line.
    Planned {
        /// The plan.
        plan: Vec<String>,
    },
    /// A phase began: everything before it is done on every host.
    Phase {
        /// The phase.
        phase: Phase,
        /// How many hosts take part in it.
        hosts: usize,
    },
    /// An upload came so far. Only the last of many is kept by slow observers.
    Progress {
        /// The host.
        host: String,
        /// Files sent.
        files: u64,
        /// Of so many.
        files_total: u64,
        /// Bytes of content sent.
        bytes: u64,
        /// Of so many.
        bytes_total: u64,
    },
    /// An upload has arrived whole.
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
        /// Bytes that went to the host, compressed and with all that goes along; `None` where nothing is sent but copied.
        transferred: Option<u64>,
    },
    /// A host is done with a phase.
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
        /// What was current before.
        before: Option<ReleaseName>,
        /// What is current now; `None` when a first deploy was put back.
        after: Option<ReleaseName>,
        /// When, by the host's clock.
        at: Option<Timestamp>,
    },
    /// A host failed in a phase.
    HostFailed {
        /// The host.
        host: String,
        /// The phase.
        phase: Phase,
        /// Why.
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
        /// Where it printed it.
        stream: Stream,
        /// The line, without the secrets that the hook was given.
        line: String,
    },
    /// A hook ended.
    HookEnded {
        /// The host, or `controller`.
        host: String,
        /// The hook.
        hook: HookKind,
        /// How, in words.
        end: String,
    },
    /// What was asked of the current release was answered: neither answer refuses anything.
    Answered {
        /// The host, or `controller`.
        host: String,
        /// What was asked: `version` or `validate`.
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
        /// The data version then.
        version: Option<DataVersion>,
    },
    /// Something went wrong that does not change the outcome, or that one should know.
    Warning {
        /// The host it concerns, if one.
        host: Option<String>,
        /// What.
        message: String,
    },
}

/// The phases of a command, in their order. Between two of them is a barrier over all hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Phase {
    /// Every host is asked everything that could refuse.
    Ask,
    /// The release is uploaded, without the lock.
    Stage,
    /// The locks are taken, and the state is read again under them.
    Lock,
    /// Releases are held against their manifests.
    Verify,
    /// The release is published under its name and synced, and its record written.
    Prepare,
    /// The data is taken forward or back.
    Data,
    /// `current` is switched on all hosts at once.
    Switch,
    /// Services are told of the switch.
    AfterSwitch,
    /// It is decided whether the switch was good.
    Validate,
    /// What had been switched is put back.
    PutBack,
    /// Releases that are not needed any more move out of sight.
    Prune,
    /// Marks and history are written, and the locks given back.
    Finish,
}

impl Phase {
    /// The phase as it is spelled.
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

/// Is told what happens, in order, while it happens. Must be cheap: the work waits for it.
pub trait Observer: Send + Sync {
    /// `event` happened.
    fn event(&self, event: &Event);
}

impl<F: Fn(&Event) + Send + Sync> Observer for F {
    fn event(&self, event: &Event) {
        self(event);
    }
}

/// An observer that looks away.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: &Event) {}
}
