//! [`TreeError`]: the reason why a source cannot become a release.

use std::io;

use thiserror::Error;

use crate::error::{Error, ErrorKind};

use super::Exceeded;

/// The reason why a source cannot become a release, or can no longer be read. No host was touched.
///
/// Paths are escaped where they are not printable.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TreeError {
    /// The source or an entry in it cannot be read.
    #[error("{path} cannot be read")]
    Read {
        /// The source, or the entry in it.
        path: String,
        /// The system's error.
        source: io::Error,
    },
    /// The source is of an unsupported kind.
    #[error("{path} is neither a directory nor a .tar, .tar.gz, .tgz or .tar.zst archive")]
    Unrecognised {
        /// The source.
        path: String,
    },
    /// The crate was built without a feature that the source needs.
    #[error("{what} needs the feature `{feature}`, and this program was built without it")]
    NotBuilt {
        /// The source, or its option.
        what: String,
        /// The feature of the crate.
        feature: &'static str,
    },
    /// The source is an archive of another format than its name says.
    #[error("{path} has the name of {named}, but contains {holds}")]
    Misnamed {
        /// The archive.
        path: String,
        /// The format of its name.
        named: &'static str,
        /// The format of its first bytes.
        holds: &'static str,
    },
    /// The archive is truncated, malformed, or not an archive.
    #[error("the archive {path} is damaged or incomplete")]
    Damaged {
        /// The archive.
        path: String,
        /// The fault.
        source: io::Error,
    },
    /// The source contains an entry that no release may contain.
    #[error("{path} cannot be part of a release")]
    Refused {
        /// The entry, as the source names it.
        path: String,
        /// The rule that it breaks.
        #[source]
        why: Refusal,
    },
    /// The source exceeds one of the [`Limits`](super::Limits).
    #[error("{path} exceeds the limits of a release")]
    TooLarge {
        /// The entry that exceeds the limit, or the source.
        path: String,
        /// The limit.
        #[source]
        limit: Exceeded,
    },
    /// An exclude pattern is invalid.
    #[error("the exclude pattern `{pattern}` is not valid")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// The fault of the pattern.
        #[source]
        why: PatternError,
    },
    /// The source has changed since the scan.
    #[error("{path} changed while it was being read; finish the build, then try again")]
    Changed {
        /// The entry that changed, or the source.
        path: String,
    },
    /// The visitor itself failed.
    #[error("the content could not be passed on")]
    Visit(#[source] io::Error),
}

impl TreeError {
    /// A failure to read `path`.
    pub(super) fn read(path: &[u8], source: impl Into<io::Error>) -> Self {
        Self::Read { path: shown(path), source: source.into() }
    }

    /// A refusal of the entry at `path`, which breaks the rule `why`.
    pub(super) fn refused(path: &[u8], why: Refusal) -> Self {
        Self::Refused { path: shown(path), why }
    }

    /// A change at `path` since the scan.
    pub(super) fn changed(path: &[u8]) -> Self {
        Self::Changed { path: shown(path) }
    }

    /// Copies the error, for another caller that waits for the same content.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Read { path, source } => Self::Read { path: path.clone(), source: io_again(source) },
            Self::Unrecognised { path } => Self::Unrecognised { path: path.clone() },
            Self::NotBuilt { what, feature } => Self::NotBuilt { what: what.clone(), feature },
            Self::Misnamed { path, named, holds } => Self::Misnamed { path: path.clone(), named, holds },
            Self::Damaged { path, source } => Self::Damaged { path: path.clone(), source: io_again(source) },
            Self::Refused { path, why } => Self::Refused { path: path.clone(), why: why.clone() },
            Self::TooLarge { path, limit } => Self::TooLarge { path: path.clone(), limit: *limit },
            Self::Pattern { pattern, why } => Self::Pattern { pattern: pattern.clone(), why: why.clone() },
            Self::Changed { path } => Self::Changed { path: path.clone() },
            Self::Visit(source) => Self::Visit(io_again(source)),
        }
    }
}

fn io_again(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

/// The rule that an entry of a source breaks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Its path is absolute.
    #[error("its path is absolute")]
    Absolute,
    /// Its path starts with a drive, as on Windows.
    #[error("its path starts with a drive")]
    Drive,
    /// Its path contains a `..` name.
    #[error("its path holds `..`")]
    Parent,
    /// Its path is empty or contains an empty name.
    #[error("its path holds an empty name")]
    EmptyName,
    /// Its path contains a `.` name that is not at its start.
    #[error("its path holds a `.` name")]
    DotName,
    /// Its path or the target of the symlink contains a NUL byte.
    #[error("it contains a NUL byte")]
    Nul,
    /// Its name is reserved for the tool's own record.
    #[error("the tool reserves that name at the top of a release")]
    Reserved,
    /// There are two entries of that path.
    #[error("two entries have that path")]
    Duplicate,
    /// It is a directory in one place and something else in another.
    #[error("it is a directory in one place and something else in another")]
    TwoKinds,
    /// Its path leads through a symlink or a file.
    #[error("its path leads through a link or a file")]
    Through,
    /// It is a device.
    #[error("it is a device")]
    Device,
    /// It is a named pipe.
    #[error("it is a named pipe")]
    Fifo,
    /// It is a socket.
    #[error("it is a socket")]
    Socket,
    /// It is a hard link to a path that no earlier entry of the archive has.
    #[error("it is a hard link to {target}, which no earlier entry of the archive contains")]
    HardLink {
        /// The target.
        target: String,
    },
    /// It has fewer leading directories than `strip` removes.
    #[error("its path has fewer than the {0} leading directories that `[source] strip` removes")]
    TooShallow(usize),
    /// It is stored as a sparse file.
    #[error("it is stored as a sparse file; make the archive without `tar --sparse`")]
    Sparse,
    /// It is of an unsupported type.
    #[error("it is an entry of type {:?}, which is not understood", char::from(*.0))]
    UnknownType(u8),
    /// It has a setuid or setgid bit, and would run with the rights of its owner or group.
    #[error("it has a setuid or setgid bit; take it away with `chmod ug-s`")]
    Setuid,
    /// It has content although it is not a file, so that another program would read the rest of the archive
    /// differently.
    #[error("it has content, but is not a file")]
    UnexpectedContent,
    /// It has an extended header that another program may read differently, or that cannot be read at all.
    #[error(
        "it has an extended header that can be read in two ways; make the archive with `tar --format=gnu --no-xattrs`"
    )]
    Malformed,
    /// It is a symlink with an empty target.
    #[error("it is a link to nothing")]
    LinkEmpty,
    /// It is a symlink to an absolute path.
    #[error("it is a link to the absolute path {target}")]
    LinkAbsolute {
        /// The target.
        target: String,
    },
    /// It is a symlink that leads out of the release.
    #[error("it is a link to {target}, which leads out of the release")]
    LinkEscapes {
        /// The target.
        target: String,
    },
    /// It is a symlink that cannot be resolved within the release.
    #[error(
        "it is a link to {target}, which is part of a cycle, or follows `..` from outside the release's directories"
    )]
    LinkUnclear {
        /// The target.
        target: String,
    },
}

/// The fault of a pattern, in words for its author.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct PatternError(pub(super) String);

pub(super) use crate::manifest::shown;

impl From<TreeError> for Error {
    /// An invalid pattern or a missing feature is an error of the configuration; anything else, even a missing source, is an error of the
    /// source.
    fn from(error: TreeError) -> Self {
        let kind = match &error {
            TreeError::Pattern { .. } | TreeError::NotBuilt { .. } => ErrorKind::Config,
            _ => ErrorKind::Source,
        };
        Self::new(kind, format!("the source cannot be released, and no host was touched: {error}")).because_of(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::full_message;

    #[test]
    fn the_message_says_what_and_the_source_says_why() {
        let error = TreeError::refused(b"a/\xff", Refusal::LinkEscapes { target: "../../b".into() });
        assert_eq!(
            full_message(&error),
            r"a/\xff cannot be part of a release: it is a link to ../../b, which leads out of the release"
        );
        let error = TreeError::read(b"caf\xc3\xa9", io::Error::other("out of order"));
        assert_eq!(full_message(&error), "café cannot be read: out of order");
    }

    #[test]
    fn paths_do_not_act_on_a_terminal() {
        assert_eq!(shown(b"a\x1b[31m\n\xe2\x80\xae"), r"a\u{1b}[31m\n\u{202e}");
        assert_ne!(shown(b"\\xff"), shown(b"\xff"));
    }
}
