//! [`Stamp`]: metadata that shows a change of a file.

use rustix::{
    fd::AsFd,
    fs::{FileType, Stat, fstat},
    io::Errno,
};

/// The size, modification time and kind of a file.
///
/// # Limitations
///
/// Filesystems store times with limited resolution: a change that keeps the size, within the same few milliseconds as
/// the scan, is not detected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// The size in bytes.
    pub(super) size: u64,
    modified: i128,
    kind: FileType,
}

impl Stamp {
    pub(super) fn of(stat: &Stat) -> Self {
        Self {
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec),
            kind: FileType::from_raw_mode(stat.st_mode),
        }
    }

    /// Reads the stamp of an open file.
    pub(super) fn of_open(file: impl AsFd) -> Result<Self, Errno> {
        fstat(file).map(|stat| Self::of(&stat))
    }
}
