//! Access to a host: [`Transport`], and the implementations that come with the crate.
//!
//! Work is data: a [`Batch`] of typed operations, each with its precondition, which run in order in one exchange
//! ([`raw`] has the vocabulary, which only authors of transports need). The local transport runs them with system calls,
//! the SSH transport compiles them to one POSIX script, and the memory transport is the model that the others are tested
//! against.
#![cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "the local transport uses it, which is for Linux"))]

mod base;
mod batch;
mod chain;
mod changes;
mod compare;
mod error;
mod found;
mod group;
mod handle;
mod hook;
#[cfg(target_os = "linux")]
mod local;
#[cfg(any(test, feature = "testing"))]
mod memory;
mod op;
mod options;
pub(crate) mod process;
pub mod raw;
pub mod shell;
#[cfg(feature = "ssh")]
#[cfg_attr(docsrs, doc(cfg(feature = "ssh")))]
pub mod ssh;
mod upload;

pub(crate) use base::{Base, BaseLists};
pub(crate) use batch::{Batch, OnFailure, Step};
pub(crate) use chain::{BoundedFile, ChainLink};
pub(crate) use changes::{Changes, Snapped};
pub(crate) use compare::{Compared, Comparison, Counted, DifferentEntries, ForeignEntry, TreeName, above};
pub use error::{Effect, FailureKind, StepFailure, TransportError};
pub use found::{Entry, EntryKind, FileId, FilesystemKind, HostIdentity, Liveness, Passed, Used, Users};
pub(crate) use found::{Found, Listed, OwnedFile};
pub(crate) use group::{GIVEN, Group, GroupPlace, GroupReach};
pub(crate) use handle::{Ask, BatchError, Content, Contents, Handle, LinkText, Listing, MayFail, Replies};
pub(crate) use hook::{HookCall, Secrets};
pub use hook::{HookEnd, HookExit, LineSink, Stream};
#[cfg(target_os = "linux")]
#[cfg_attr(docsrs, doc(cfg(target_os = "linux")))]
pub use local::LocalTransport;
#[cfg(any(test, feature = "testing"))]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub use memory::{MemoryHost, MemoryTransport};
pub(crate) use op::{Op, Reply, SyncReach};
pub use options::{KnownHosts, SshOptions};
pub use shell::ShellTransport;
#[cfg(feature = "ssh")]
#[cfg_attr(docsrs, doc(cfg(feature = "ssh")))]
pub use ssh::SshTransport;
pub(crate) use upload::Upload;

use std::{fmt, sync::Arc};

use crate::future::BoxFuture;
#[cfg(doc)]
use crate::tree::Tree;

/// A connection to one host.
///
/// # Contract
///
/// - The steps of a batch run in order, on the host, without the controller between them. The first [`OnFailure::Stop`]
///   step that fails ends the batch: earlier steps took effect, later ones did not. There is one reply for each step
///   that ran.
/// - Every path in a batch lies inside [`Batch::root`]; no step follows a symlink out of it, except to inspect the
///   target ([`Op::Resolve`]) or to read a name from it ([`TreeName::Recorded`]).
/// - [`Op::MoveInto`] is exactly one `rename(2)`. It never copies, never unlinks first and never moves into the target
///   of a symlink.
/// - A batch runs to its end once its first step has begun, even if nobody waits for it any more.
/// - An error reports the effect ([`TransportError::effect`]): nothing, the steps before the one that failed, or
///   unknown. After a lost reply it is unknown, and never guessed.
/// - Every call but [`run`](Self::run) ends within a bounded time, whatever the host does.
/// - A batch with an operation that the transport does not know fails before its first step
///   ([`TransportError::unknown_op`]): later versions of this crate may add some.
/// - Nothing is sent before the first call. A call after [`close`](Self::close) or after a lost connection reconnects.
///
/// `Display` names the host in messages.
///
/// The suite in `switchback::testing::conformance` (feature `testing`) tests an implementation against this contract.
pub trait Transport: fmt::Debug + fmt::Display + Send + Sync + 'static {
    /// Connects in advance, so that a fleet connects to all of its hosts at the same time.
    ///
    /// Changes nothing on the host. A transport without connections need not implement it; without this call, the next
    /// one connects by itself.
    ///
    /// # Errors
    ///
    /// [`TransportError`] when the host cannot be reached; nothing was sent to it then.
    fn connect(&self) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async { Ok(()) })
    }

    /// Opens connections early for an expected [`upload`](Self::upload) and the calls before it.
    ///
    /// They open while other calls run, or before any. Changes nothing on the host and reports no failure: a later call
    /// opens the connection itself, or, if it waited for this one, reports the failure. Unused connections end at
    /// [`close`](Self::close). The future may be dropped at any time; a future that is kept but not polled blocks other
    /// calls.
    fn expect_upload(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    /// Checks that an [`upload`](Self::upload) could connect to the host. Changes nothing.
    ///
    /// A transport whose uploads use the connection of its batches need not implement it.
    ///
    /// # Errors
    ///
    /// [`TransportError`] with the reason, as an upload would fail with.
    fn try_upload(&self) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async { Ok(()) })
    }

    /// Runs `batch` and returns one reply for each of its steps.
    ///
    /// # Errors
    ///
    /// [`TransportError`]; its [`effect`](TransportError::effect) is the state left behind.
    fn execute<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Vec<Reply>, TransportError>>;

    /// Copies a tree into a directory of the host, and returns when all of it has arrived.
    ///
    /// The content is not synced yet: [`Op::Sync`] does that. Memory use does not grow with the tree.
    ///
    /// # Errors
    ///
    /// [`TransportError`]; content that arrived before it is in [`Upload::into`] and [`Upload::lists`], and nowhere
    /// else.
    fn upload<'a>(
        &'a self,
        upload: &'a Upload,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<Uploaded, TransportError>>;

    /// Runs a command on the host, or follows one that an earlier call started, and returns its result.
    ///
    /// # Contract
    ///
    /// - `mkdir(2)` with mode 0700 claims the record, [`HookCall::record`]. Its parent must exist, and no symlink on
    ///   the path is followed. The call that creates the record starts the command. A call that finds the record never
    ///   starts anything: it reports the command's output from the beginning, waits for its end, and returns that. So
    ///   anybody can recover a lost reply, any number of times. The record, or a directory above it, may be renamed
    ///   while the command runs.
    /// - The command runs in its own session and process group, in [`HookCall::directory`], with empty standard input,
    ///   and in the environment of a login without a terminal, plus the variables of the call and `SWITCHBACK_HOOK`,
    ///   which marks its processes.
    /// - Neither a lost connection nor a dropped future stops, delays or kills the command.
    /// - [`HookCall::output_limit`] bytes of each stream are kept; output beyond is read and dropped. A background
    ///   process that keeps a stream open delays the end by a second or so, no longer.
    /// - The host enforces the time limit itself, even when nobody listens: the group gets `SIGTERM`, and `SIGKILL`
    ///   after 5 s.
    /// - A call that [ends](HookCall::ends) a command sends its process group `SIGTERM`, and `SIGKILL` after 5 s, if
    ///   the record names the leading process with its start time and boot, and that process still runs. Then, and
    ///   where it lacks the right or cannot tell, it waits as any other call does. Without a record it fails.
    /// - A command whose runner has provably ended without a result, by a reboot or a kill, is [`HookEnd::Lost`].
    /// - The output of the command is never taken for a reply. Secrets are in the environment of its processes and
    ///   nowhere else.
    /// - The call confirms the start, or fails, in bounded time; and it fails in bounded time once the host falls
    ///   silent. A command without a time limit may otherwise take any time.
    ///
    /// # Errors
    ///
    /// [`TransportError::Hook`], [`Root`](TransportError::Root), [`Unsuitable`](TransportError::Unsuitable) and
    /// [`Unreachable`](TransportError::Unreachable): this call ran nothing. [`Unknown`](TransportError::Unknown): the
    /// command may have started, and may still run. The same call again finds out: it starts the command only if it
    /// never started.
    fn run<'a>(
        &'a self,
        call: &'a HookCall,
        output: &'a dyn LineSink,
    ) -> BoxFuture<'a, Result<HookExit, TransportError>>;

    /// Closes the connections kept between calls. Reports no failure: they end by themselves in bounded time.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// The amount of content that an upload sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Uploaded {
    /// Regular files sent. Files copied on the host do not count.
    pub files: u64,
    /// Bytes of content in them.
    pub bytes: u64,
}

/// A receiver for the progress of an upload. Called often, from any thread: it must be cheap.
pub trait Progress: Send + Sync {
    /// Reports the files and bytes sent so far.
    ///
    /// The totals are [`Tree::files`] and [`Tree::bytes`], less those [`copied`](Self::copied).
    fn advanced(&self, files: u64, bytes: u64);

    /// Reports the files and bytes that the host copies and that need not be sent.
    ///
    /// A store calls it before an upload, and again with zeros when everything must be sent after all.
    fn copied(&self, files: u64, bytes: u64) {
        let _ = (files, bytes);
    }

    /// Reports the bytes sent to the host so far, compressed and with all overhead.
    ///
    /// Only transports that send over a network call it.
    fn transferred(&self, bytes: u64) {
        let _ = bytes;
    }
}

impl<F: Fn(u64, u64) + Send + Sync> Progress for F {
    fn advanced(&self, files: u64, bytes: u64) {
        self(files, bytes);
    }
}

macro_rules! forward {
    ($pointer:ty $(, $generic:ident)?) => {
        #[deny(clippy::missing_trait_methods)]
        impl$(<$generic: Transport + ?Sized>)? Transport for $pointer {
            fn connect(&self) -> BoxFuture<'_, Result<(), TransportError>> {
                (**self).connect()
            }

            fn expect_upload(&self) -> BoxFuture<'_, ()> {
                (**self).expect_upload()
            }

            fn try_upload(&self) -> BoxFuture<'_, Result<(), TransportError>> {
                (**self).try_upload()
            }

            fn execute<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Vec<Reply>, TransportError>> {
                (**self).execute(batch)
            }

            fn upload<'a>(&'a self, upload: &'a Upload, progress: &'a dyn Progress) -> BoxFuture<'a, Result<Uploaded, TransportError>> {
                (**self).upload(upload, progress)
            }

            fn run<'a>(&'a self, call: &'a HookCall, output: &'a dyn LineSink) -> BoxFuture<'a, Result<HookExit, TransportError>> {
                (**self).run(call, output)
            }

            fn close(&self) -> BoxFuture<'_, ()> {
                (**self).close()
            }
        }
    };
}

forward!(Arc<T>, T);
forward!(Box<T>, T);
forward!(&'static T, T);
