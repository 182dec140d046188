//! The maximum sizes of the files and outputs that are read or kept, in bytes, and the maximum numbers of them.
//!
//! Whoever writes such a file may be hostile, so each read has a limit. A larger file is reported, never read in part
//! as if it were whole.

/// A `previousVersion` record: one line with a path.
pub(crate) const RECORD: u64 = 4 << 10;

/// The mark of a process: less than 100 bytes.
pub(crate) const PROCESS_MARK: u64 = 4 << 10;

/// The marker of a release whose data cannot be reverted.
pub(crate) const IRREVERSIBLE: u64 = 4 << 10;

/// One of the tool's own records.
pub(crate) const STATE: u64 = 64 << 10;

/// The commands of one release, and its symlinks to shared paths: a person wrote them.
pub(crate) const COMMANDS: u64 = 1 << 20;

/// Each stream of a command's output; what exceeds it is discarded, and the command goes on.
pub(crate) const OUTPUT: u64 = 1 << 20;

/// The output of all commands of an operation that a host keeps: what exceeds it is discarded, but for
/// [`LEAST_OUTPUT`].
pub(crate) const OPERATION_OUTPUT: u64 = 8 << 20;

/// The part of a stream that is kept of every command, however many an operation runs: a data version fits, and an
/// error.
pub(crate) const LEAST_OUTPUT: u64 = 64 << 10;

/// The operations whose output a host keeps.
pub(crate) const LOGS: usize = 50;

/// The log of another tool: tens of thousands of deploys.
pub(crate) const FOREIGN_LOG: u64 = 8 << 20;

/// The history or the ledger: several times the size at which they are rotated.
pub(crate) const LINES: u64 = 16 << 20;

/// The differences between two releases that a report names, of each host.
pub(crate) const DIFFERENCES: usize = 10_000;

/// A manifest: some 500,000 entries.
pub(crate) const MANIFEST: u64 = 64 << 20;

/// A file of the controller's cache.
pub(crate) const CACHE: u64 = 64 << 20;

/// A git file: packed refs of large repositories are a few MiB.
pub(crate) const GIT: u64 = 64 << 20;

/// A listing that a snapshot left on a host.
#[cfg(target_os = "linux")]
pub(crate) const LISTING: u64 = 1 << 30;
