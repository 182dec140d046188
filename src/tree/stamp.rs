//! [`Stamp`]: what of a file tells that it changed.

use rustix::{
    fd::AsFd,
    fs::{FileType, Stat, fstat},
    io::Errno,
};

/// Size, time of change and kind of a file.
///
/// # Limitations
///
/// A filesystem keeps times only so finely: a change that keeps the size, in the same few milliseconds as the scan, is not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Its size in bytes.
    pub(super) size: u64,
    modified: i128,
    kind: FileType,
}

impl Stamp {
    /// Of what `stat` tells of.
    pub(super) fn of(stat: &Stat) -> Self {
        Self {
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec),
            kind: FileType::from_raw_mode(stat.st_mode),
        }
    }

    /// Of an open file.
    pub(super) fn of_open(file: impl AsFd) -> Result<Self, Errno> {
        fstat(file).map(|stat| Self::of(&stat))
    }
}
