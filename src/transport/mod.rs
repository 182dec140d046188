//! How a host is reached: [`Transport`], and the carriers that come with the crate.
//!
//! Work is data: a [`Batch`] of typed [`Op`]s, each with its precondition, carried out in order in
//! one exchange. The local carrier interprets it with system calls, the SSH carrier compiles it to
//! one POSIX script, the memory carrier is the model that the others are held against.

mod base;
mod batch;
mod chain;
mod changes;
mod compare;
mod error;
mod found;
mod group;
mod hook;
mod local;
#[cfg(any(test, feature = "testing"))]
mod memory;
mod options;
pub(crate) mod process;
pub mod shell;
#[cfg(feature = "ssh")]
#[cfg_attr(docsrs, doc(cfg(feature = "ssh")))]
pub mod ssh;

pub use base::{Base, BaseLists};
pub use batch::{Batch, OnFailure, Op, Reply, Step, SyncReach};
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
pub use hook::{HookCall, HookEnd, HookExit, LineSink, Secrets, Stream};
pub use local::LocalTransport;
#[cfg(any(test, feature = "testing"))]
pub use memory::{MemoryHost, MemoryTransport};
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

/// Reaches one host.
///
/// # Contract
///
/// - The steps of a batch run in order, on the host, without the controller between them. The
///   first [`OnFailure::Stop`] step that fails ends the batch: earlier steps took effect, later ones
///   did not. There is one reply for each step that ran.
/// - Every place in a batch lies inside [`Batch::root`]; no step follows a link out of it.
/// - [`Op::MoveInto`] is exactly one `rename(2)`. It never copies, never unlinks first and never moves
///   into what a link points at.
/// - A batch runs to its end once its first step has begun, whether or not anybody still listens.
/// - An error says how much took effect ([`TransportError::effect`]): nothing, the steps before
///   the one that failed, or unknown. When an answer was lost it is unknown, and never guessed.
/// - Every call but [`run`](Self::run) ends within a bounded time, whatever the host does.
/// - Nothing is sent before the first call; a call after [`close`](Self::close) or after a lost
///   connection connects anew.
///
/// `Display` names the host in messages.
///
/// The suite in `switchback::testing::conformance` (feature `testing`) holds an implementation against all this.
pub trait Transport: fmt::Debug + fmt::Display + Send + Sync + 'static {
    /// Opens what the next call needs, so that a fleet connects to all of its hosts at the same time. Changes nothing on
    /// the host. A carrier that keeps nothing open need not care; without this the next call connects by itself.
    ///
    /// # Errors
    ///
    /// [`TransportError`] when the host cannot be reached; nothing was sent to it then.
    fn connect(&self) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async { Ok(()) })
    }

    /// Is told that an [`upload`](Self::upload) comes soon, so that what it and the calls before it need is opened while others
    /// go on, or before there are any. Changes nothing on the host, and failing to is no error: what could not be opened is opened by
    /// whoever needs it, or a call that waited for it says why it could not. What was opened and not used is given up at
    /// [`close`](Self::close). It may be given up at any time; one that is kept and not polled holds up other calls.
    fn expect_upload(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    /// Finds out whether an [`upload`](Self::upload) would find a way to the host, in an exchange that changes nothing. A carrier
    /// whose uploads go the way of its batches need not care.
    ///
    /// # Errors
    ///
    /// [`TransportError`] that says why there is none: an upload would fail with the like.
    fn try_upload(&self) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async { Ok(()) })
    }

    /// Carries out `batch` and returns one reply for each of its steps.
    ///
    /// # Errors
    ///
    /// [`TransportError`]; its [`effect`](TransportError::effect) is the state left behind.
    fn execute<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Vec<Reply>, TransportError>>;

    /// Copies a tree into a directory of the host, and returns when all of it has arrived.
    ///
    /// What arrived is not synced yet: [`Op::Sync`] does that. Memory use does not grow with the tree.
    ///
    /// # Errors
    ///
    /// [`TransportError`]; whatever had arrived by then stands in [`Upload::into`] and [`Upload::lists`], and nothing anywhere else.
    fn upload<'a>(
        &'a self,
        upload: &'a Upload,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<Uploaded, TransportError>>;

    /// Runs a command on the host, or follows one that was started before, and returns how it ended.
    ///
    /// # Contract
    ///
    /// - The record, [`HookCall::record`], is claimed by `mkdir(2)` with mode 0700; its parent must be there, and no link is
    ///   followed on the way. Whoever makes it starts the command. A call whose record is there already never starts
    ///   anything: it tells what that command printed, from the beginning, waits for its end, and returns that. So a lost
    ///   answer is found again, by anybody, as often as asked. The record, or a directory above it, may be renamed while
    ///   the command runs.
    /// - The command runs in a session and process group of its own, in [`HookCall::directory`], with nothing to read on
    ///   standard input, and in the environment of a login without a terminal, plus the variables of the call and
    ///   `SWITCHBACK_HOOK`, which marks its processes.
    /// - Neither a connection that is cut nor a future that is dropped stops the command, holds it up or kills it.
    /// - Of each stream [`HookCall::output_limit`] bytes are kept; what comes beyond is taken and dropped. A process that is
    ///   left in the background with a stream open holds up the end for a second or so, no longer.
    /// - The host keeps the time limit itself, also when nobody listens: the group gets `SIGTERM`, after 5 s `SIGKILL`.
    /// - A call that [ends](HookCall::ends) what it finds tells the command's process group to end, by `SIGTERM` and after 5 s by
    ///   `SIGKILL`, where the record names the process that leads it, with its start time and boot, and that still runs. Then, and
    ///   where it may not or cannot tell, it waits as any other call does. Without a record it fails.
    /// - A command whose runner is proven gone without a result, by a boot or a kill, is [`HookEnd::Lost`].
    /// - Whatever the command prints, it is never taken for an answer. Secrets stand in the environment of its processes
    ///   and of nothing else.
    /// - That it was started is confirmed, or the call fails, in bounded time; and so does a call whose host falls silent.
    ///   A command without a time limit may otherwise take as long as it likes.
    ///
    /// # Errors
    ///
    /// [`TransportError::Hook`], [`Root`](TransportError::Root), [`Unsuitable`](TransportError::Unsuitable) and
    /// [`Unreachable`](TransportError::Unreachable): nothing was run by this call. [`Unknown`](TransportError::Unknown):
    /// it may have been started, and may still run. The same call again finds out: it starts the command only when it
    /// never was.
    fn run<'a>(
        &'a self,
        call: &'a HookCall,
        output: &'a dyn LineSink,
    ) -> BoxFuture<'a, Result<HookExit, TransportError>>;

    /// Ends whatever is kept open between calls. Failing to is no error: it ends by itself in bounded time.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// A tree on its way to a host.
#[derive(Debug, Clone)]
pub struct Upload {
    /// The deploy root.
    pub root: HostPath,
    /// An existing, empty, private directory inside the root, which the tree is copied into.
    pub into: InnerPath,
    /// What is copied.
    pub tree: Arc<Tree>,
    /// New files, outside of `into`, that the tree's [manifest](Tree::manifest) is written to once what they come with has arrived, each
    /// in its form, for the user alone (mode 0600). It is computed while the content goes by.
    pub lists: Vec<(InnerPath, Form)>,
    /// Paths in the tree that these say nothing of, and of nothing below them.
    pub unlisted: Vec<InnerPath>,
    /// What is copied on the host instead of being sent.
    ///
    /// What was copied is held against [`Base::files`] before the upload ends. It fails with [`FailureKind::Mismatch`] when
    /// any of it is missing, is of another kind or has another content, or when the host has no means to copy: the same
    /// tree may then be uploaded without a base, into another directory.
    pub base: Option<Base>,
}

impl Upload {
    /// Whether the file at `path` of the tree is copied on the host.
    pub(crate) fn is_copied(&self, path: &[u8]) -> bool {
        self.base.as_ref().is_some_and(|base| base.file(path).is_some())
    }

    /// What is written to a list of this form. Reads the tree, unless it was read before. Blocks.
    ///
    /// # Errors
    ///
    /// As [`Tree::manifest`].
    pub fn list(&self, form: Form) -> Result<Vec<u8>, TreeError> {
        self.listed().map(|manifest| manifest.in_form(form))
    }

    /// What the lists list: the tree's manifest without what is [`unlisted`](Self::unlisted). Reads the tree, unless it was
    /// read before. Blocks.
    ///
    /// # Errors
    ///
    /// As [`Tree::manifest`].
    pub fn listed(&self) -> Result<Manifest, TreeError> {
        let unlisted: Vec<&[u8]> = self.unlisted.iter().map(|path| path.as_str().as_bytes()).collect();
        self.tree.manifest().map(|manifest| manifest.without(&unlisted))
    }
}

/// What an upload brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Uploaded {
    /// Regular files that were sent. Those that were copied on the host do not count.
    pub files: u64,
    /// Bytes of content in them.
    pub bytes: u64,
}

/// Is told how far an upload has come. Called often, from any thread: it must be cheap.
pub trait Progress: Send + Sync {
    /// `files` and `bytes` have been sent by now, of what [`Tree::files`] and [`Tree::bytes`] say in all, less what is
    /// [`copied`](Self::copied).
    fn advanced(&self, files: u64, bytes: u64);

    /// So much is copied on the host and need not be sent. A store says so before an upload, and says zero when all must
    /// be sent after all.
    fn copied(&self, files: u64, bytes: u64) {
        let _ = (files, bytes);
    }

    /// So many bytes have gone to the host by now, compressed and with all that goes along with the content. Only carriers
    /// that send say so.
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
