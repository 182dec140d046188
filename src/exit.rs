//! [`ExitCode`]: a number that says who must act.

use crate::{error::ErrorKind, outcome::Outcome};

/// The exit code of the command. Each code says who must act.
///
/// | code | meaning | the fleet |
/// | --- | --- | --- |
/// | 0 | done, or nothing to do | as asked |
/// | 1 | unexpected: a bug or a local fault | as the message says |
/// | 2 | the command line or the configuration is wrong | untouched |
/// | 3 | refused, or failed before the switch | untouched |
/// | 4 | failed after the switch began, and everything was reverted | on the version it was on |
/// | 5 | mixed or unknown: a person is needed | named host by host |
/// | 6 | locked by somebody else | untouched |
/// | 7 | nothing to roll back to | untouched |
/// | 8 | a check found a difference | as before |
/// | 130 | interrupted | as before |
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExitCode(u8);

impl ExitCode {
    /// 0: done, or nothing to do.
    pub const DONE: Self = Self(0);
    /// 1: unexpected, a bug or a local fault.
    pub const UNEXPECTED: Self = Self(1);
    /// 2: the command line or the configuration is wrong; the fleet is untouched.
    pub const USAGE: Self = Self(2);
    /// 3: refused, or failed before the switch; the fleet is untouched.
    pub const REFUSED: Self = Self(3);
    /// 4: failed after the switch began, and everything was reverted.
    pub const PUT_BACK: Self = Self(4);
    /// 5: mixed or unknown; a person is needed.
    pub const INCONSISTENT: Self = Self(5);
    /// 6: locked by somebody else; the fleet is untouched.
    pub const LOCKED: Self = Self(6);
    /// 7: nothing to roll back to; the fleet is untouched.
    pub const NOTHING_TO_ROLL_BACK_TO: Self = Self(7);
    /// 8: a check found a difference.
    pub const DIFFERS: Self = Self(8);
    /// 130: interrupted by SIGINT.
    pub const INTERRUPTED: Self = Self(130);

    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        self.0
    }

    /// Returns the code for this outcome and error.
    #[must_use]
    pub fn of(outcome: Outcome, error: Option<ErrorKind>) -> Self {
        match outcome {
            Outcome::Done | Outcome::Unchanged => Self::DONE,
            Outcome::Refused | Outcome::Failed => error.map_or(Self::REFUSED, Self::of_refusal),
            Outcome::PutBack => Self::PUT_BACK,
            Outcome::Inconsistent => Self::INCONSISTENT,
            Outcome::Differs => Self::DIFFERS,
            Outcome::Interrupted => Self::INTERRUPTED,
            Outcome::Error | Outcome::Other => error.map_or(Self::UNEXPECTED, Self::of_refusal),
        }
    }

    /// Returns the code for a command that was refused with this error.
    fn of_refusal(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Usage | ErrorKind::Config => Self::USAGE,
            ErrorKind::Locked => Self::LOCKED,
            ErrorKind::NothingBefore | ErrorKind::BadRecord | ErrorKind::ChainLoops | ErrorKind::PreviousGone => {
                Self::NOTHING_TO_ROLL_BACK_TO
            }
            ErrorKind::Internal => Self::UNEXPECTED,
            ErrorKind::Interrupted => Self::INTERRUPTED,
            ErrorKind::Inventory
            | ErrorKind::Source
            | ErrorKind::RootRefused
            | ErrorKind::NotDeployed
            | ErrorKind::Unreachable
            | ErrorKind::Unsuitable
            | ErrorKind::NotOurs
            | ErrorKind::OthersMayWrite
            | ErrorKind::OtherAccount
            | ErrorKind::NoCurrent
            | ErrorKind::Dangling
            | ErrorKind::NameTaken
            | ErrorKind::NoSuchRelease
            | ErrorKind::NoSuchOperation
            | ErrorKind::OnTheWayBack
            | ErrorKind::HostsDiffer
            | ErrorKind::UnknownTree
            | ErrorKind::MissingShared
            | ErrorKind::Conflict
            | ErrorKind::DamagedRelease
            | ErrorKind::NoManifest
            | ErrorKind::NewerFormat
            | ErrorKind::DamagedState
            | ErrorKind::HostFailed
            | ErrorKind::Irreversible
            | ErrorKind::DataDiffers
            | ErrorKind::RecordsDiffer
            | ErrorKind::NotConfigured
            | ErrorKind::DataFailed
            | ErrorKind::HookFailed
            | ErrorKind::NotValid
            | ErrorKind::NotDrilled
            | ErrorKind::DrillFailed
            | ErrorKind::UploadFailed
            // An answer was lost before any switch was sent: whatever the answer was, no `current` moved.
            | ErrorKind::Unknown
            | ErrorKind::Other => Self::REFUSED,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.0)
    }
}
