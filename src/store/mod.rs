//! The contents of a root, and the only way to change them: [`ReleaseStore`].
//!
//! Reading needs no lock. Whatever changes the contents needs a [`StoreGuard`], which only [`ReleaseStore::lock`] and
//! [`ReleaseStore::steal`] return. Staging needs none: an upload touches nothing that anybody else reads, so an urgent
//! rollback never waits for one.
//!
//! [`DirStore`] keeps releases as directories. For anything else, implement the two traits, and
//! check the implementation with the cases of `switchback::testing::stores` (feature `testing`);
//! `examples/custom_store.rs` does both.

mod activation;
mod adopt;
mod ask;
mod base;
mod check;
pub(crate) mod dir;
mod error;
mod extent;
mod finish;
mod foreign;
mod guard;
mod history;
mod hook_run;
mod kept;
mod known;
pub(crate) mod layout;
mod links;
mod log;
mod permission;
mod preparation;
mod prune;
mod query;
mod seal;
mod staging;
mod state;
mod states;
mod steps;
mod survey;
mod take;
mod team;
mod traces;

pub use activation::{Activated, Ready};
pub use adopt::{AdoptGuard, AdoptStore};
pub use check::{Checked, Examined, QuickCheck, Verified};
pub(crate) use dir::DirStore;
pub use error::{ActivateError, StoreError, TookEffect};
pub use finish::{Ended, Finish, FinishError, Finished};
pub(crate) use history::RECENT as RECENT_HISTORY;
pub use hook_run::{HookDirectory, HookRun};
pub use kept::{Kept, UnreadableFile};
pub use known::KnownManifests;
pub(crate) use layout::Layout;
pub use links::BrokenLinks;
pub use preparation::{Preparation, Staged};
pub use prune::Pruned;
pub use state::{Current, GoneRelease, HostedRelease, Intent, Interrupted, RecordOwner, RootState, StagedRecord};
pub(crate) use states::States;
pub use team::TeamState;

use std::fmt;

use crate::{
    data::{DataRecord, LedgerEntry},
    future::BoxFuture,
    history::HistoryEntry,
    lock::LockOwner,
    log::CommandLog,
    manifest::Manifest,
    name::ReleaseName,
    path::{HostPath, InnerPath},
    release::Release,
    token::Token,
    transport::{HookExit, LineSink, Progress},
};

/// Manages the releases of one root on one host.
///
/// # Contract
///
/// - `current` is absent, or leads to a complete release, at every instant and after any crash.
/// - A release bears its name only when it is complete.
/// - [`activate`](StoreGuard::activate) is a compare and swap, and one atomic step.
/// - A guard whose lock was taken over can no longer change anything.
/// - An error says how much took effect ([`StoreError::effect`]).
///
/// The cases of `switchback::testing::stores` check it. The default of a method is for a store
/// without that part: connections, trash, commands on the host, shared paths, trees of other tools.
///
/// `Display` prints the host's name for messages.
pub trait ReleaseStore: fmt::Debug + fmt::Display + Send + Sync + 'static {
    /// Returns the root.
    fn root(&self) -> &HostPath;

    /// Connects to the host in advance, so that the next call costs only its own exchange. Changes nothing there.
    ///
    /// # Errors
    ///
    /// [`StoreError::Transport`] when the host is unreachable.
    fn connect(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }

    /// Reads the state of the root. A root that does not exist is an empty state without an identity.
    fn state(&self) -> BoxFuture<'_, Result<RootState, StoreError>>;

    /// Returns the directory of the release `name`, according to the configuration.
    fn release_path(&self, name: &ReleaseName) -> HostPath {
        self.root().join(&name.into())
    }

    /// Reads the state of the root with everything that pruning needs: the release that was current when each one
    /// was published, and the processes that use each.
    fn survey(&self) -> BoxFuture<'_, Result<RootState, StoreError>> {
        self.state()
    }

    /// Removes a directory that [`StoreGuard::prune`] moved to the trash. Needs no lock.
    ///
    /// # Errors
    ///
    /// Files already removed stay removed; the rest stays in the trash, where the next staging retries.
    fn empty_trash<'a>(&'a self, _trash: &'a Token) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }

    /// Reads the history, oldest entry first, and the number of torn or unreadable lines.
    ///
    /// With `newest`, reads at least that many of the latest entries if there are so many, without reading everything
    /// older.
    fn history(&self, newest: Option<usize>) -> BoxFuture<'_, Result<(Vec<HistoryEntry>, usize), StoreError>>;

    /// Returns the operations whose commands' output is kept: those that have not ended, then the others, the newest
    /// first as far as the host's clock tells. Needs no lock and changes nothing.
    fn logs<'a>(&'a self, _state: &'a RootState) -> BoxFuture<'a, Result<Vec<Token>, StoreError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Reads the output of the commands of `operation`, in the order in which they ran. Needs no lock and changes
    /// nothing.
    ///
    /// A command whose output cannot be read says why; it is no error.
    fn log<'a>(
        &'a self,
        _state: &'a RootState,
        _operation: &'a Token,
    ) -> BoxFuture<'a, Result<Vec<CommandLog>, StoreError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Returns this store if it can adopt trees that other tools made. `adopt` refuses a store that cannot.
    fn adoption(&self) -> Option<&dyn AdoptStore> {
        None
    }

    /// Opens connections early for an expected [`stage`](Self::stage).
    ///
    /// Changes nothing on the host; a failure is no error.
    fn expect_stage(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    /// Checks whether changes of the root would be refused. Changes nothing.
    ///
    /// Causes are a lack of permission, a state directory of a newer program, or a `name` whose release was pruned. A
    /// caller that goes on to change the root need not call this: the first write fails with the same error.
    ///
    /// # Errors
    ///
    /// The error that [`stage`](Self::stage) or [`lock`](Self::lock) would fail with.
    fn may_write<'a>(&'a self, name: Option<&'a ReleaseName>) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Runs a read-only command without the lock. Leaves nothing on the host.
    ///
    /// # Errors
    ///
    /// [`StoreError::Transport`] when the command could not be run, when the tool has no state directory on the host,
    /// or when the command's result is unknown; [`StoreError::Unsupported`] when the store runs no commands.
    fn ask<'a>(
        &'a self,
        _question: &'a HookRun,
        _output: &'a dyn LineSink,
    ) -> BoxFuture<'a, Result<HookExit, StoreError>> {
        Box::pin(async { Err(StoreError::Unsupported { what: NO_COMMANDS }) })
    }

    /// Checks whether a [`stage`](Self::stage) would find a way to upload. Changes nothing on the host.
    ///
    /// # Errors
    ///
    /// [`StoreError::Transport`] with the reason there is none.
    fn try_stage(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }

    /// Uploads the content of a release and makes it durable, without publishing it under its name. Needs no lock.
    ///
    /// Files that one of the releases `bases`, best first, already has may be copied on the host instead. The staged
    /// content is that of `release`, whatever the bases contain.
    ///
    /// On an error, the content received so far stays in the staging directory. The next staging removes it once this
    /// process is dead.
    fn stage<'a>(
        &'a self,
        release: &'a dyn Release,
        owner: &'a LockOwner,
        bases: &'a [ReleaseName],
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<Staged, StoreError>>;

    /// Removes a staged release that is no longer wanted.
    fn discard(&self, staged: Staged) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Compares a release with its manifest entry by entry; with `full`, also all contents. Needs no lock and
    /// changes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchRelease`] when the root no longer has the release, [`StoreError::Damaged`] when the manifest
    /// itself is invalid.
    fn verify<'a>(&'a self, release: &'a HostedRelease, full: bool) -> BoxFuture<'a, Result<Verified, StoreError>>;

    /// Reads the manifest of a release; `None` if it has none. Needs no lock and changes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] when the manifest cannot be read or is invalid.
    fn manifest<'a>(&'a self, _release: &'a HostedRelease) -> BoxFuture<'a, Result<Option<Manifest>, StoreError>> {
        Box::pin(async { Ok(None) })
    }

    /// Compares types, modes and sizes of a release with its manifest; with `full`, also links and contents.
    ///
    /// Needs no lock and changes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchRelease`] when the root does not have the release. A host that cannot compare is no error,
    /// but [`Checked::Impossible`].
    fn check<'a>(&'a self, release: &'a HostedRelease, full: bool) -> BoxFuture<'a, Result<Checked, StoreError>> {
        Box::pin(async move { Ok(self.verify(release, full).await?.checked()) })
    }

    /// Compares releases with their manifests as a quick [`check`](Self::check) does, and checks their symlinks to
    /// shared paths, in one exchange. Needs no lock and changes nothing.
    fn examine<'a>(&'a self, releases: &'a [HostedRelease]) -> BoxFuture<'a, Result<Vec<Examined>, StoreError>> {
        Box::pin(async move {
            let mut examined = Vec::new();
            for release in releases {
                examined.push(Examined::new(release.name.clone(), self.check(release, false).await?));
            }
            for (name, links) in self.broken_links(releases).await? {
                if let Some(examined) = examined.iter_mut().find(|examined| examined.name == name) {
                    examined.links = links;
                }
            }
            Ok(examined)
        })
    }

    /// Returns the symlinks of these releases that no longer lead to their shared paths, by release.
    ///
    /// Makes no request if none are recorded. Needs no lock and changes nothing.
    fn broken_links<'a>(&'a self, _releases: &'a [HostedRelease]) -> BoxFuture<'a, Result<BrokenLinks, StoreError>> {
        Box::pin(async { Ok(BrokenLinks::new()) })
    }

    /// Takes the lock and reads the state in one exchange.
    ///
    /// With `check`, the same exchange compares a release with its manifest; the result is in [`RootState::checked`]. A
    /// lock whose holder is proven dead is taken over; the interrupted operation is then in [`RootState::interrupted`].
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] when somebody else holds the lock; nothing was changed then.
    fn lock<'a>(
        &'a self,
        owner: &'a LockOwner,
        check: Option<&'a QuickCheck>,
    ) -> BoxFuture<'a, Result<Box<dyn StoreGuard>, StoreError>>;

    /// Takes the lock over from `holder`, dead or alive, and reads the state in one exchange.
    ///
    /// Requests of the holder that are still under way fail from then on; its operation is in
    /// [`RootState::interrupted`].
    ///
    /// # Errors
    ///
    /// [`StoreError::LockLost`] when somebody other than `holder` holds the lock; nothing was changed then.
    fn steal<'a>(
        &'a self,
        owner: &'a LockOwner,
        holder: &'a Token,
    ) -> BoxFuture<'a, Result<Box<dyn StoreGuard>, StoreError>>;

    /// Closes all connections.
    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// The task that a store without commands cannot do.
const NO_COMMANDS: &str = "run commands";

/// A held lock of a root: the only way to change what the root contains.
///
/// Release it with [`finish`](Self::finish). After a plain drop the lock stays on the host, because releasing it takes a
/// request, and `Drop` cannot wait. The next run takes it over once the holder is proven dead: over SSH when the
/// connection or this process has ended; for a [`DirStore`] on this machine at once in this process, and in others once
/// this process has ended.
#[must_use = "the lock stays taken until `finish`"]
pub trait StoreGuard: fmt::Debug + Send + Sync {
    /// Returns the state of the root, as last read under the lock.
    fn state(&self) -> &RootState;

    /// Reads the releases that were requested from a partial state and are not in it.
    ///
    /// Returns `true` if there were any: the caller must then repeat whatever it derived from the state.
    ///
    /// # Errors
    ///
    /// When they cannot be read; the state is unchanged then.
    fn read_more(&mut self) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(async { Ok(false) })
    }

    /// Takes a new lock, which fences off earlier requests, and reads the state again.
    ///
    /// No request that was still on its way can take effect afterwards. Meant for lost replies.
    ///
    /// # Errors
    ///
    /// [`StoreError::LockLost`] when somebody else took the lock over; the state is as last read.
    fn fence(&mut self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Makes a release ready for a switch: writes the intent, publishes the staged content, writes the record, and
    /// syncs everything. Does not touch `current`.
    ///
    /// # Errors
    ///
    /// After a failure, [`unprepare`](Self::unprepare) undoes the steps that took effect.
    fn prepare<'a>(&'a mut self, preparation: &'a Preparation) -> BoxFuture<'a, Result<Ready, StoreError>>;

    /// Undoes [`prepare`](Self::prepare): removes a release that it published, which frees the name, or restores the
    /// record.
    fn unprepare<'a>(&'a mut self, preparation: &'a Preparation) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Records the release's present content as its manifest.
    ///
    /// Meant for changes made after it was published and before the switch. Takes as long as reading the whole release.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unlistable`] when the release contains something that no manifest can list. The manifest is
    /// unchanged after any error, except one whose [effect](StoreError::effect) is unknown.
    fn seal<'a>(&'a mut self, _name: &'a ReleaseName) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async { Err(StoreError::Unsupported { what: NO_COMMANDS }) })
    }

    /// Seals the changes that commands of interrupted operations made in releases. Returns the releases whose
    /// manifests changed.
    ///
    /// # Errors
    ///
    /// When the marks of such releases cannot be read, or a release cannot be sealed: its manifest and its mark are
    /// unchanged then.
    fn seal_left(&mut self) -> BoxFuture<'_, Result<Vec<ReleaseName>, StoreError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Returns an existing release, ready for a switch with its record unchanged: for rollbacks and reverts.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchRelease`] when the root does not have it.
    fn ready(&self, name: &ReleaseName) -> Result<Ready, StoreError>;

    /// Switches `current` from `expected` to the release `to`: compare and swap, one atomic step (`rename(2)` in a
    /// [`DirStore`]), durable on return.
    ///
    /// # Errors
    ///
    /// [`ActivateError`] says whether `current` was switched nevertheless. If that is unknown, call
    /// [`fence`](Self::fence) and read the state. [`StoreError::Conflict`]: `current` was not as expected, and is
    /// unchanged.
    fn activate<'a>(
        &'a mut self,
        expected: &'a Current,
        to: &'a Ready,
    ) -> BoxFuture<'a, Result<Activated, ActivateError>>;

    /// Undoes a first deploy: removes `current` if it is as [`activate`](Self::activate) left it.
    fn deactivate(&mut self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Reads the target of `current` again into the state, after something may have changed it.
    ///
    /// # Errors
    ///
    /// When it cannot be read; the state is unchanged then.
    fn look(&mut self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.survey()
    }

    /// Runs a hook on the host and waits until it ends.
    ///
    /// A lost connection does not end the hook; its result is fetched later.
    ///
    /// # Errors
    ///
    /// [`StoreError::LockLost`] when the lock was taken over: the hook was not started. If replies stay lost, it is
    /// unknown how the hook ended, or whether it did. [`StoreError::Unsupported`] when the store runs no commands.
    fn run<'a>(
        &'a mut self,
        _hook: &'a HookRun,
        _output: &'a dyn LineSink,
    ) -> BoxFuture<'a, Result<HookExit, StoreError>> {
        Box::pin(async { Err(StoreError::Unsupported { what: NO_COMMANDS }) })
    }

    /// Settles commands that interrupted operations left running, and returns once none of them runs.
    ///
    /// Ends hooks and validations; waits for data commands, or ignores them with `keep_data`. Calls `told` with a
    /// description before each.
    fn settle_hooks<'a>(
        &'a self,
        _keep_data: bool,
        _told: &'a (dyn Fn(String) + Send + Sync),
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }

    /// Returns the working directory for the commands of the release `name`.
    ///
    /// That is the release, or its saved copy if the release, or one of the files `saved` in it, no longer exists.
    fn directory_of<'a>(
        &'a self,
        _name: &'a ReleaseName,
        _saved: &'a [InnerPath],
    ) -> BoxFuture<'a, Result<HookDirectory, StoreError>> {
        Box::pin(async { Ok(HookDirectory::Release) })
    }

    /// Durably writes the intent to move to `to`, for actions that precede [`prepare`](Self::prepare) and
    /// [`activate`](Self::activate), which write it themselves.
    ///
    /// # Errors
    ///
    /// [`StoreError::LockLost`] when the lock was taken over.
    fn announce<'a>(&'a mut self, to: &'a ReleaseName) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Durably writes the data record of the release `name`, and a line of the host's ledger.
    ///
    /// # Errors
    ///
    /// [`StoreError::LockLost`] when the lock was taken over: nothing was written.
    fn record_data<'a>(
        &'a mut self,
        name: &'a ReleaseName,
        record: Option<&'a DataRecord>,
        entry: Option<&'a LedgerEntry>,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Reads the host's ledger, oldest line first, and the number of torn or unreadable lines.
    fn ledger(&self) -> BoxFuture<'_, Result<(Vec<LedgerEntry>, usize), StoreError>>;

    /// Returns this guard if it can adopt a tree that another tool made.
    fn adoption(&mut self) -> Option<&mut dyn AdoptGuard> {
        None
    }

    /// Reads the state again under the lock, with everything that pruning needs.
    fn survey(&mut self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Moves releases into the trash, and makes that durable. `current` must be as in the state.
    ///
    /// After the lock is released, [`ReleaseStore::empty_trash`] removes them.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] when `current` has changed, and [`StoreError::LockLost`]: nothing was moved then.
    fn prune<'a>(&'a mut self, releases: &'a [ReleaseName]) -> BoxFuture<'a, Result<Pruned, StoreError>>;

    /// Writes marks and history, and releases the lock, in one exchange.
    ///
    /// The result lists the writes that failed: they do not affect what is current.
    ///
    /// # Errors
    ///
    /// When the lock could not be released, with the guard. The next run takes the lock over once this process is dead.
    fn finish(self: Box<Self>, finish: &Finish) -> BoxFuture<'_, Result<Finished, FinishError>>;
}
