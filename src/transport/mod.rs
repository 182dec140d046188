//! Access to a host: [`Transport`], and the implementations that come with the crate.
//!
//! Work is data: a [`Batch`] of typed [`Op`]s, each with its precondition, which run in order in one exchange. The
//! local transport runs them with system calls, the SSH transport compiles them to one POSIX script, and the memory
//! transport is the model that the others are tested against.
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
pub(crate) mod local_shell;
#[cfg(any(test, feature = "testing"))]
mod memory;
mod op;
mod options;
pub(crate) mod process;
pub mod shell;
#[cfg(feature = "ssh")]
#[cfg_attr(docsrs, doc(cfg(feature = "ssh")))]
pub mod ssh;

pub use base::{Base, BaseLists};
pub use batch::{Batch, BatchId, OnFailure, Step};
pub use chain::{BoundedFile, ChainLink};
pub use changes::{Changes, Snapped};
pub(crate) use compare::above;
pub use compare::{Compared, Comparison, Counted, DifferentEntries, ForeignEntry, TreeName};
pub use error::{Effect, FailureKind, StepFailure, TransportError};
pub use found::{
    Entry, EntryKind, FileId, FilesystemKind, Found, HostIdentity, Listed, Liveness, OwnedFile, Passed, Used, Users,
};
pub(crate) use group::GIVEN;
pub use group::{Group, GroupPlace, GroupReach};
pub use handle::{Ask, Handle};
pub(crate) use handle::{BatchError, Content, Contents, LinkText, Listing, MayFail, Replies};
pub use hook::{HookCall, HookEnd, HookExit, LineSink, Secrets, Stream};
#[cfg(target_os = "linux")]
#[cfg_attr(docsrs, doc(cfg(target_os = "linux")))]
pub use local::LocalTransport;
#[cfg(any(test, feature = "testing"))]
pub use memory::{MemoryHost, MemoryTransport};
pub use op::{Op, Reply, SyncReach};
pub use options::{KnownHosts, SshOptions};
pub use shell::ShellTransport;
#[cfg(feature = "ssh")]
#[cfg_attr(docsrs, doc(cfg(feature = "ssh")))]
pub use ssh::SshTransport;

use std::{fmt, sync::Arc};

use crate::{
    future::BoxFuture,
    manifest::{Form, Manifest},
    path::{HostPath, InnerPath},
    tree::{Tree, TreeError},
};

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

/// A tree to upload to a host.
#[derive(Debug, Clone)]
pub struct Upload {
    /// The deploy root.
    pub root: HostPath,
    /// The directory to copy the tree into: existing, empty, private, inside the root.
    pub into: InnerPath,
    /// The tree to copy.
    pub tree: Arc<Tree>,
    /// New files, outside of `into`, for the tree's [manifest](Tree::manifest), each in its form.
    ///
    /// They are written after the content has arrived, for the user alone (mode 0600). The manifest is computed while
    /// the content is sent.
    pub lists: Vec<(InnerPath, Form)>,
    /// Paths in the tree that the lists omit, with all below them.
    pub unlisted: Vec<InnerPath>,
    /// The files to copy on the host instead of sending them.
    ///
    /// The copies are verified against [`Base::files`] before the upload ends. It fails with [`FailureKind::Mismatch`]
    /// when one is missing, has another kind or other content, or when the host has no means to copy: the same tree may
    /// then be uploaded without a base, into another directory.
    pub base: Option<Base>,
}

impl Upload {
    /// Whether the file at `path` of the tree is copied on the host.
    pub(crate) fn is_copied(&self, path: &[u8]) -> bool {
        self.base.as_ref().is_some_and(|base| base.file(path).is_some())
    }

    /// Returns the content of a list of this form. Reads the tree unless it was read before. Blocks.
    ///
    /// # Errors
    ///
    /// As [`Tree::manifest`].
    pub fn list(&self, form: Form) -> Result<Vec<u8>, TreeError> {
        self.listed().map(|manifest| manifest.in_form(form))
    }

    /// Returns the tree's manifest without the [`unlisted`](Self::unlisted) paths.
    ///
    /// Reads the tree unless it was read before. Blocks.
    ///
    /// # Errors
    ///
    /// As [`Tree::manifest`].
    pub fn listed(&self) -> Result<Manifest, TreeError> {
        let unlisted: Vec<&[u8]> = self.unlisted.iter().map(|path| path.as_str().as_bytes()).collect();
        self.tree.manifest().map(|manifest| manifest.without(&unlisted))
    }
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
