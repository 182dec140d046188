//! The meaning of a failed system call: the only place that maps an `errno` to a [`FailureKind`].

use std::{fmt, io};

use rustix::io::Errno;

use crate::{
    error::without_number,
    transport::{EntryKind, FailureKind, StepFailure},
};

/// The result of a system call.
pub(super) type Result<T> = std::result::Result<T, Errno>;

/// Returns the kind of failure for `errno`.
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

/// Returns the system's message for `errno`, as `strerror(3)` does.
pub(super) fn words(errno: Errno) -> String {
    without_number(&io::Error::from(errno).to_string()).to_owned()
}

/// Returns the failure of a system call on `path`.
pub(super) fn failure(path: impl fmt::Display, errno: Errno) -> StepFailure {
    StepFailure::new(kind(errno), format!("{path}: {}", words(errno)))
}

/// Turns the failure of a system call on `path` into that of a step.
pub(super) fn on<P: fmt::Display>(path: P) -> impl FnOnce(Errno) -> StepFailure {
    move |errno| failure(path, errno)
}

/// Returns the failure of a step that expects another kind of entry at `path`.
pub(super) fn wrong_kind(path: impl fmt::Display, kind: EntryKind) -> StepFailure {
    StepFailure::new(FailureKind::WrongType, format!("{path}: {}", kind.with_article()))
}

/// Turns the absence of an entry into a value.
pub(super) fn found<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(thing) => Ok(Some(thing)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Returns the `errno` of an error of the standard library; `EIO` for one that does not come from the system.
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
        assert_eq!(failure("a/b", Errno::NOENT).to_string(), "does not exist: a/b: No such file or directory");
    }
}
