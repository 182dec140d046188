//! [`Error`], the error type of the library, and [`ErrorKind`], which callers match on.

use std::{error::Error as StdError, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::hint::Hint;

/// An error, worded for the person who reads it at night: what failed, and the state of everything now, in at most
/// one sentence each. The [hints](Self::next) are the next steps.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hints: Vec<Hint>,
    reason: Option<Reason>,
}

/// The reason of an error, shared by its clones.
#[derive(Debug, Clone)]
enum Reason {
    /// This error.
    Itself(Arc<dyn StdError + Send + Sync>),
    /// The reason of this error, whose own message the error has already.
    Behind(Arc<dyn StdError + Send + Sync>),
}

impl Error {
    /// An error of this kind. The message says what failed and the resulting state; the reason belongs in the
    /// [`source`](Self::because).
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hints: Vec::new(), reason: None }
    }

    /// Adds a next step, after those that it has.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Hint>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds next steps, after those that it has.
    #[must_use]
    pub fn hints(mut self, hints: impl IntoIterator<Item = Hint>) -> Self {
        self.hints.extend(hints);
        self
    }

    /// Adds the reason.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.reason = Some(Reason::Itself(Arc::from(source.into())));
        self
    }

    /// Adds the reasons behind `error`, for when the message already contains that of `error` itself.
    #[must_use]
    pub(crate) fn because_of(mut self, error: impl StdError + Send + Sync + 'static) -> Self {
        self.reason = Some(Reason::Behind(Arc::new(error)));
        self
    }

    /// Adds the reasons of `error`.
    #[must_use]
    pub(crate) fn reasons_of(self, error: &Self) -> Self {
        Self { reason: error.reason.clone(), ..self }
    }

    /// Returns the kind: stable, for programs to match on.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns the next steps, the best first.
    #[must_use]
    pub fn next(&self) -> &[Hint] {
        &self.hints
    }

    /// Returns the message and all its reasons, joined by `: `.
    #[must_use]
    pub fn full_message(&self) -> String {
        full_message(self)
    }
}

/// Returns the message of `error` and all its reasons, joined by `: `.
pub(crate) fn full_message(error: &(dyn StdError + 'static)) -> String {
    let mut message = error.to_string();
    let mut reason = error.source();
    while let Some(why) = reason {
        message.push_str(": ");
        message.push_str(without_number(&why.to_string()));
        reason = why.source();
    }
    message
}

/// Returns a message of the system without its number, as in `(os error 2)`, which helps nobody.
pub(crate) fn without_number(message: &str) -> &str {
    match message.rsplit_once(" (os error ") {
        Some((words, number)) if number.ends_with(')') => words,
        _ => message,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self.reason.as_ref()? {
            Reason::Itself(error) => Some(error.as_ref()),
            Reason::Behind(error) => error.source(),
        }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])+ $kind:ident => $text:literal,)+) => {
        /// All error kinds of this version, as the JSON report spells them. [`ExitCode`](crate::ExitCode) gives the exit
        /// code of each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[non_exhaustive]
        pub enum ErrorKind {
            $($(#[$doc])+ #[serde(rename = $text)] $kind,)+
            /// A kind that only a later version knows, read back.
            #[serde(rename = "other", other)]
            Other,
        }

        impl ErrorKind {
            /// Every kind that this version knows.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)+];

            /// Returns the kind as the JSON report spells it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $text,)+
                    Self::Other => "other",
                }
            }
        }
    };
}

kinds! {
    /// The command line is wrong. Nothing was touched.
    Usage => "usage",
    /// The configuration is wrong. Nothing was touched.
    Config => "config",
    /// The command that lists the hosts failed. Nothing was touched.
    Inventory => "inventory",
    /// The source of a release cannot be read, or holds something that a release cannot hold. Nothing was touched.
    Source => "source",
    /// The deploy root is a system directory, not a directory, or divided over several filesystems.
    RootRefused => "root-refused",
    /// There is no deploy root, or nothing is deployed to it.
    NotDeployed => "not-deployed",
    /// A host is unreachable.
    Unreachable => "unreachable",
    /// A host lacks a tool or a shell that the command needs.
    Unsuitable => "unsuitable",
    /// `current` is not a symlink, or does not point to a release of this root. Whoever made it must decide.
    NotOurs => "not-ours",
    /// Others may write to a directory on the path to the root, or own a release or a record that commands would use.
    OthersMayWrite => "others-may-write",
    /// The root belongs to another account or another group, or its configured group does not exist or lacks the
    /// user.
    OtherAccount => "other-account",
    /// `current` is missing although releases were current: somebody removed it.
    NoCurrent => "no-current",
    /// `current` points to a release that does not exist.
    Dangling => "dangling",
    /// A release of that name already exists on a host: with other content, not current, or left by an interrupted
    /// run.
    NameTaken => "name-taken",
    /// A host does not have the requested release.
    NoSuchRelease => "no-such-release",
    /// No host knows the requested operation, or several begin with these digits.
    NoSuchOperation => "no-such-operation",
    /// The release is on the recorded rollback chain; only a rollback goes there.
    OnTheWayBack => "on-the-way-back",
    /// The hosts are on different releases, or would go to different ones.
    HostsDiffer => "hosts-differ",
    /// `current` is not the expected release: it moved between the read and the switch, or the deploy required
    /// another release to start from.
    Conflict => "conflict",
    /// Somebody else holds the lock.
    Locked => "locked",
    /// The current release was the first: there is nothing to roll back to.
    NothingBefore => "nothing-before",
    /// A `previousVersion` record is missing or invalid.
    BadRecord => "bad-record",
    /// The recorded rollback chain is a cycle.
    ChainLoops => "chain-loops",
    /// The release that a record names does not exist on the host.
    PreviousGone => "previous-gone",
    /// `adopt` cannot tell which tool made a tree.
    UnknownTree => "unknown-tree",
    /// A shared path does not exist on a host, and nothing seeds it.
    MissingShared => "missing-shared",
    /// A release is damaged: parts of it are missing or changed since it was staged.
    DamagedRelease => "damaged-release",
    /// A release has no manifest to verify or compare it by.
    NoManifest => "no-manifest",
    /// A newer version of the program wrote the state directory.
    NewerFormat => "newer-format",
    /// A file of the state directory cannot be read, or this program did not write it.
    DamagedState => "damaged-state",
    /// A host lacks permission or space, its filesystem is read-only, or its system failed.
    HostFailed => "host-failed",
    /// The data of a release cannot be reverted, because its release says so or there is no revert command.
    Irreversible => "irreversible",
    /// The data version is not the recorded one, records disagree about it, or the data is at another place.
    DataDiffers => "data-differs",
    /// The hosts recorded different facts about data that is migrated once for all of them.
    RecordsDiffer => "records-differ",
    /// Only a host has recorded the command, path or variable that the controller would have to run, read or send.
    NotConfigured => "not-configured",
    /// A command that migrates the data failed.
    DataFailed => "data-failed",
    /// A hook failed.
    HookFailed => "hook-failed",
    /// The validation failed.
    NotValid => "not-valid",
    /// No passed drill of this source is known.
    NotDrilled => "not-drilled",
    /// A check of the drill failed.
    DrillFailed => "drill-failed",
    /// An upload arrived incomplete or damaged.
    UploadFailed => "upload-failed",
    /// The effect on a host is unknown: its answer was lost, and it could not be asked again.
    Unknown => "unknown",
    /// A signal or the caller stopped the run.
    Interrupted => "interrupted",
    /// The controller itself failed: its files, its memory, or a bug.
    Internal => "internal",
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_says_what_and_the_chain_says_why() {
        let error = Error::new(ErrorKind::Locked, "web1 is locked").because("held by jane").hint("wait");
        assert_eq!(error.to_string(), "web1 is locked");
        assert_eq!(error.full_message(), "web1 is locked: held by jane");
        let system = Error::new(ErrorKind::Internal, "cannot read x").because(std::io::Error::from_raw_os_error(2));
        assert_eq!(system.full_message(), "cannot read x: No such file or directory");
        assert_eq!((error.kind(), error.next()), (ErrorKind::Locked, &[Hint::from("wait")][..]));
    }

    #[test]
    fn every_kind_is_spelled_as_json_spells_it() {
        for kind in ErrorKind::ALL {
            let json = serde_json::to_string(kind).expect("a kind is a string");
            assert_eq!(json, format!("\"{kind}\""));
        }
    }
}
