//! What a system call's failure means: the one place where an `errno` becomes a [`FailureKind`].

use std::{fmt, io};

use rustix::io::Errno;

use crate::transport::{EntryKind, FailureKind, StepFailure};

/// The result of a system call.
pub(super) type Result<T> = std::result::Result<T, Errno>;

/// The kind of failure that `errno` tells of.
pub(super) fn kind(errno: Errno) -> FailureKind {
    match errno {
        Errno::EXIST | Errno::NOTEMPTY => FailureKind::Exists,
        Errno::NOENT => FailureKind::Missing,
        Errno::NOTDIR | Errno::ISDIR | Errno::LOOP => FailureKind::WrongType,
        Errno::ACCESS | Errno::PERM => FailureKind::Denied,
        Errno::NOSPC | Errno::DQUOT => FailureKind::NoSpace,
        Errno::ROFS => FailureKind::ReadOnly,
        Errno::XDEV => FailureKind::CrossDevice,
        Errno::NAMETOOLONG => FailureKind::TooLong,
        _ => FailureKind::Io,
    }
}

/// The system's words for `errno`, as `strerror(3)`.
pub(super) fn words(errno: Errno) -> String {
    let words = io::Error::from(errno).to_string();
    words.split(" (os error").next().unwrap_or_default().to_owned()
}

/// The failure of a system call on `path`.
pub(super) fn failure(path: impl fmt::Display, errno: Errno) -> StepFailure {
    StepFailure::new(kind(errno), format!("{path}: {}", words(errno)))
}

/// Turns the failure of a system call on `path` into that of a step.
pub(super) fn on<P: fmt::Display>(path: P) -> impl FnOnce(Errno) -> StepFailure {
    move |errno| failure(path, errno)
}

/// The failure of a step that wants something else at `path` than the `kind` that stands there.
pub(super) fn wrong_kind(path: impl fmt::Display, kind: EntryKind) -> StepFailure {
    StepFailure::new(FailureKind::WrongType, format!("{path}: {}", kind.with_article()))
}

/// Makes the absence of a thing a value.
pub(super) fn found<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(thing) => Ok(Some(thing)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// The `errno` of an error of the standard library; `EIO` for one that is not the system's.
pub(super) fn of(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_mean_the_same() {
        let known = [
            Errno::EXIST,
            Errno::NOTEMPTY,
            Errno::NOENT,
            Errno::NOTDIR,
            Errno::ISDIR,
            Errno::LOOP,
            Errno::ACCESS,
            Errno::PERM,
            Errno::NOSPC,
            Errno::DQUOT,
            Errno::ROFS,
            Errno::XDEV,
            Errno::NAMETOOLONG,
            Errno::IO,
            Errno::BUSY,
        ];
        for errno in known {
            assert_eq!(FailureKind::from_message(&words(errno)), kind(errno), "{}", words(errno));
        }
    }

    #[test]
    fn a_failure_names_the_place_and_the_reason() {
        assert_eq!(failure("a/b", Errno::NOENT).to_string(), "not there: a/b: No such file or directory");
    }
}
