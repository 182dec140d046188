//! [`Error`], the face of everything that can go wrong, and [`ErrorKind`], what callers match on.

use std::{error::Error as StdError, fmt};

use serde::{Deserialize, Serialize};

/// What went wrong, with the words for the person who reads it at night: what failed, in which state everything is
/// now, and what to type next. Never more than one sentence each.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this kind. The message says what failed and in which state things are, not why: that is the
    /// [`source`](Self::because).
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, source: None }
    }

    /// The same error, with what to do or type next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same error, with the reason for it.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same error, with what lies behind `error` as the reason for it, when its own message stands here already.
    #[must_use]
    pub(crate) fn because_of(self, error: &(dyn StdError + 'static)) -> Self {
        match error.source() {
            Some(source) => self.because(full_message(source)),
            None => self,
        }
    }

    /// What kind of error it is: stable, and what a program matches on.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What to do or type next, where that is known.
    #[must_use]
    pub fn next(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The message and all its reasons, joined by `: `.
    #[must_use]
    pub fn full_message(&self) -> String {
        full_message(self)
    }
}

/// The message of `error` and all its reasons, joined by `: `.
pub(crate) fn full_message(error: &(dyn StdError + 'static)) -> String {
    let mut message = error.to_string();
    let mut reason = error.source();
    while let Some(why) = reason {
        message.push_str(": ");
        message.push_str(&why.to_string());
        reason = why.source();
    }
    message
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])+ $kind:ident => $text:literal,)+) => {
        /// The closed list of kinds of error, as the JSON report spells them. [`ExitCode`](crate::ExitCode) says which
        /// exit code each stands for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum ErrorKind {
            $($(#[$doc])+ #[serde(rename = $text)] $kind,)+
        }

        impl ErrorKind {
            /// Every kind there is.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)+];

            /// The kind as the JSON report spells it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $text,)+
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
    /// The source of a release cannot be read, or holds what no release may hold. Nothing was touched.
    Source => "source",
    /// The deploy root is one of the system's own directories, or no directory at all.
    RootRefused => "root-refused",
    /// There is no deploy root, or nothing was ever deployed to it.
    NotDeployed => "not-deployed",
    /// A host could not be reached.
    Unreachable => "unreachable",
    /// A host lacks a tool, or a shell, that the work needs.
    Unsuitable => "unsuitable",
    /// `current` is not a link, or does not lead to one of our releases: whoever made it must decide.
    NotOurs => "not-ours",
    /// Others than the user may write to a directory on the way to the root.
    OthersMayWrite => "others-may-write",
    /// The root is another account's or another group's, or the group that it is to be does not exist or lacks the user.
    OtherAccount => "other-account",
    /// `current` is missing although there are releases: somebody removed it.
    NoCurrent => "no-current",
    /// `current` leads to a release that is not there.
    Dangling => "dangling",
    /// A release of that name is on a host already: with other content, not current, or left by an interrupted run.
    NameTaken => "name-taken",
    /// A host does not have the release that is asked for.
    NoSuchRelease => "no-such-release",
    /// The release lies on the recorded way back; going there is a rollback.
    OnTheWayBack => "on-the-way-back",
    /// The hosts are on different releases, or would go to different ones.
    HostsDiffer => "hosts-differ",
    /// `current` is not what was expected: it moved between reading it and switching it, or a deploy was to come from another release.
    Conflict => "conflict",
    /// Somebody else holds the lock.
    Locked => "locked",
    /// The release that is current was the first: there is nothing before it.
    NothingBefore => "nothing-before",
    /// A `previousVersion` record is missing or means nothing.
    BadRecord => "bad-record",
    /// The recorded way back runs in a circle.
    ChainLoops => "chain-loops",
    /// The release that a record names is not on the host.
    PreviousGone => "previous-gone",
    /// `adopt` cannot tell which tool made a tree.
    UnknownTree => "unknown-tree",
    /// Something that is shared by all releases is not on a host, and nothing seeds it.
    MissingShared => "missing-shared",
    /// A release is not what it was when it was staged: something of it is missing or changed.
    DamagedRelease => "damaged-release",
    /// A release has no manifest that it could be held against.
    NoManifest => "no-manifest",
    /// The state directory was written by a newer program.
    NewerFormat => "newer-format",
    /// The state directory holds something that this program did not write.
    DamagedState => "damaged-state",
    /// A host has no permission, no space, or only a read-only filesystem for it, or its system failed.
    HostFailed => "host-failed",
    /// The data of a release cannot go back, because that was said so or no way is known.
    Irreversible => "irreversible",
    /// The data version is not the one that was recorded, records disagree about it, or the data is elsewhere.
    DataDiffers => "data-differs",
    /// The hosts recorded different things about data that is worked on once for all of them.
    RecordsDiffer => "records-differ",
    /// Only a host recorded what the controller would have to run, read or send.
    NotConfigured => "not-configured",
    /// A command that takes the data forward or back failed.
    DataFailed => "data-failed",
    /// A hook failed.
    HookFailed => "hook-failed",
    /// The validation did not hold.
    NotValid => "not-valid",
    /// A source is to be deployed that no passed drill is known of.
    NotDrilled => "not-drilled",
    /// The rehearsal showed something that does not hold.
    DrillFailed => "drill-failed",
    /// An upload did not arrive whole.
    UploadFailed => "upload-failed",
    /// It is not known what a host did: its answer was lost, and it could not be asked again.
    Unknown => "unknown",
    /// A signal ended the run.
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
        assert_eq!((error.kind(), error.next()), (ErrorKind::Locked, Some("wait")));
    }

    #[test]
    fn every_kind_is_spelled_as_json_spells_it() {
        for kind in ErrorKind::ALL {
            let json = serde_json::to_string(kind).expect("a kind is a string");
            assert_eq!(json, format!("\"{kind}\""));
        }
    }
}
