//! What a root holds, and the only way to change it: [`ReleaseStore`].
//!
//! Reading needs no lock. Everything that changes what the root holds hangs on a [`StoreGuard`], which only
//! [`ReleaseStore::lock`] gives. Staging does not: an upload touches nothing that anybody else looks at, so an urgent
//! rollback never waits for one.

mod ask;
mod base;
mod check;
mod closing;
mod dir;
mod error;
mod extent;
mod foreign;
mod guard;
mod history;
mod hook_run;
mod kept;
mod known;
mod layout;
mod links;
mod permission;
mod preparation;
mod prune;
mod query;
mod seal;
mod staging;
mod state;
mod steps;
mod survey;
mod switch;
mod take;
mod team;
mod traces;

pub use check::{Checked, Examined, QuickCheck, Verified};
pub use closing::{Closed, Closing, Ended};
pub use dir::DirStore;
pub use error::{ActivateError, StoreError, TookEffect};
pub(crate) use history::RECENT as RECENT_HISTORY;
pub use hook_run::{HookDirectory, HookRun};
pub use kept::{Kept, UnreadableFile};
pub use known::KnownManifests;
pub use layout::{Layout, LayoutError};
pub use links::BrokenLinks;
pub use preparation::{Preparation, Staged};
pub use prune::Pruned;
pub use state::{
    Current, GoneRelease, HostedRelease, Intent, Interrupted, RecordOwner, RootState, StagedRecord, States,
};
pub use switch::{Activated, Ready, Switch};
pub use team::TeamState;

use std::fmt;

use crate::{
    adoption::{Adoption, Traces},
    data::{DataRecord, LedgerEntry},
    future::BoxFuture,
    history::HistoryEntry,
    lock::LockOwner,
    name::ReleaseName,
    path::{HostPath, InnerPath},
    release::Release,
    token::Token,
    transport::{HookExit, LineSink, Progress},
};

/// Keeps the releases of one root on one host.
///
/// # Contract
///
/// - `current` is absent, or leads to a complete release, at every instant and in whatever a crash leaves.
/// - A release bears its name only when it is complete.
/// - [`activate`](StoreGuard::activate) is a compare and swap, and one atomic step.
/// - A guard whose lock was taken over can change nothing any more.
/// - An error says how much took effect ([`StoreError::effect`]).
///
/// `Display` names the host in messages.
pub trait ReleaseStore: fmt::Debug + fmt::Display + Send + Sync + 'static {
    /// The root.
    fn root(&self) -> &HostPath;

    /// Connects to the host, so that what comes next costs no more than its own exchange. Changes nothing there.
    ///
    /// # Errors
    ///
    /// [`StoreError::Transport`] when the host cannot be reached.
    fn connect(&self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Reads what the root holds. A root that is not there yet is an empty state without an identity.
    fn state(&self) -> BoxFuture<'_, Result<RootState, StoreError>>;

    /// The directory of the release `name`, as it is configured.
    fn release_path(&self, name: &ReleaseName) -> HostPath;

    /// Reads what the root holds, and what decides which releases may go: what was current when each was published, and
    /// which processes use it.
    fn survey(&self) -> BoxFuture<'_, Result<RootState, StoreError>>;

    /// Removes what [`StoreGuard::prune`] put into the trash. Needs no lock.
    ///
    /// # Errors
    ///
    /// What was removed by then stays removed; the rest lies in the trash, where the next staging tries again.
    fn empty_trash<'a>(&'a self, trash: &'a Token) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Reads what was done here, oldest first, and how many lines of what was read are torn or unreadable: all of it, or
    /// at least the `newest` entries, where there are so many, without reading all that is older.
    fn history(&self, newest: Option<usize>) -> BoxFuture<'_, Result<(Vec<HistoryEntry>, usize), StoreError>>;

    /// Reads what other tools left in the root. Changes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] when a log is there and cannot be read: it must not pass for none.
    fn traces(&self) -> BoxFuture<'_, Result<Traces, StoreError>>;

    /// Is told that a [`stage`](Self::stage) may come soon, so that what it and the calls before it need is opened while others go
    /// on, or before there are any. Changes nothing on the host, and failing to is no error.
    fn expect_stage(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    /// Asks whether changing the root would be refused: for want of a right, because a newer program wrote its state, or, where a
    /// `name` is to be staged, because a release of that name was pruned. Changes nothing. Whoever goes on to change the root need
    /// not ask: the first thing that is written says the same.
    ///
    /// # Errors
    ///
    /// What [`stage`](Self::stage) or [`lock`](Self::lock) would fail with.
    fn may_write<'a>(&'a self, name: Option<&'a ReleaseName>) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Runs a command that only asks, without the lock. Nothing of it stays on the host.
    ///
    /// # Errors
    ///
    /// [`StoreError::Transport`] when it could not be run, where the tool never kept anything for one, or its end is not known.
    fn ask<'a>(
        &'a self,
        question: &'a HookRun,
        output: &'a dyn LineSink,
    ) -> BoxFuture<'a, Result<HookExit, StoreError>>;

    /// Finds out whether a [`stage`](Self::stage) would find a way for what it brings. Changes nothing on the host.
    ///
    /// # Errors
    ///
    /// [`StoreError::Transport`] says why there is none.
    fn try_stage(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }

    /// Brings the content of a release to the host and makes it durable, under no name yet. Needs no lock.
    ///
    /// What one of the releases `bases`, best first, has of it already may be copied there instead. Whatever these hold, what
    /// is staged is what the release holds.
    ///
    /// On an error what had arrived stands in the staging directory, where the next staging removes it once this
    /// process is gone.
    ///
    /// # Panics
    ///
    /// When the release's content is on the hosts already: there is nothing to bring.
    fn stage<'a>(
        &'a self,
        release: &'a dyn Release,
        owner: &'a LockOwner,
        bases: &'a [ReleaseName],
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<Staged, StoreError>>;

    /// Removes what was staged and is not wanted any more.
    fn discard(&self, staged: Staged) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Holds a release against its manifest, entry by entry; with `full` every content too. Needs no lock and changes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchRelease`] when the root does not hold it any more, [`StoreError::Damaged`] when the manifest itself
    /// means nothing.
    fn verify<'a>(&'a self, release: &'a HostedRelease, full: bool) -> BoxFuture<'a, Result<Verified, StoreError>>;

    /// Compares a release with its manifest: types, modes and sizes, and with `full` links and contents too. Needs no lock and
    /// changes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchRelease`] when the root does not hold it. That the host cannot compare it is no error, but
    /// [`Checked::Impossible`].
    fn check<'a>(&'a self, release: &'a HostedRelease, full: bool) -> BoxFuture<'a, Result<Checked, StoreError>>;

    /// Compares releases with their manifests as [`check`](Self::check) quickly does, and looks whether their links to what
    /// is shared still lead there, in one exchange. Needs no lock and changes nothing.
    fn examine<'a>(&'a self, releases: &'a [HostedRelease]) -> BoxFuture<'a, Result<Vec<Examined>, StoreError>>;

    /// Looks whether the links of these releases to what is shared still lead there, and returns those that do not, by release. Where
    /// none are recorded nothing is asked. Needs no lock and changes nothing.
    fn broken_links<'a>(&'a self, releases: &'a [HostedRelease]) -> BoxFuture<'a, Result<BrokenLinks, StoreError>>;

    /// Takes the lock and reads the state, in one exchange, in which a release is compared with its manifest as well where
    /// `check` says so; what that showed is in [`RootState::checked`]. A lock whose holder is proven gone is taken over; what that
    /// holder had begun is then in [`RootState::interrupted`].
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] when somebody else holds it; nothing was changed then.
    fn lock<'a>(
        &'a self,
        owner: &'a LockOwner,
        check: Option<&'a QuickCheck>,
    ) -> BoxFuture<'a, Result<Box<dyn StoreGuard>, StoreError>>;

    /// Takes the lock over from `holder`, be it gone or not, and reads the state, in one exchange. Whatever the holder has
    /// under way finds nothing to work with any more; what it had begun is then in [`RootState::interrupted`].
    ///
    /// # Errors
    ///
    /// [`StoreError::LockLost`] when the lock is held by another than `holder`; nothing was changed then.
    fn steal<'a>(
        &'a self,
        owner: &'a LockOwner,
        holder: &'a Token,
    ) -> BoxFuture<'a, Result<Box<dyn StoreGuard>, StoreError>>;

    /// Ends whatever is kept open.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// Holds the lock of a root: the only thing that can change what the root holds.
///
/// Give it back with [`finish`](Self::finish). When it is only dropped, the lock stays until this process ends, since
/// giving it back means asking the host, and nobody can wait in a `Drop`.
#[must_use = "the lock stays taken until `finish`"]
pub trait StoreGuard: fmt::Debug + Send + Sync {
    /// What the root held when it was last read under the lock.
    fn state(&self) -> &RootState;

    /// Reads the releases that its state was asked for and does not have, where it was not read as a whole. Returns whether
    /// there were any: then what was made of the state must be made anew.
    ///
    /// # Errors
    ///
    /// When they cannot be read; the state is as it was.
    fn read_more(&mut self) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(async { Ok(false) })
    }

    /// Fences off whatever was sent before, and reads the state again under a new lock: after this, nothing that was on
    /// its way can take effect any more. For answers that were lost.
    ///
    /// # Errors
    ///
    /// [`StoreError::LockLost`] when somebody else took the lock over meanwhile; the state is as read last.
    fn fence(&mut self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Makes a release ready to be switched to: writes the intent, publishes what was staged, writes the record, and
    /// syncs it all. `current` is not touched.
    ///
    /// # Errors
    ///
    /// When it fails, [`unprepare`](Self::unprepare) takes back what had taken effect.
    fn prepare<'a>(&'a mut self, preparation: &'a Preparation) -> BoxFuture<'a, Result<Ready, StoreError>>;

    /// Takes back what [`prepare`](Self::prepare) did: a release that it published is removed and its name free again,
    /// a record that it wrote is as it was.
    fn unprepare<'a>(&'a mut self, preparation: &'a Preparation) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Looks at a release anew and keeps what it finds as its manifest: for what was done to a release after it was
    /// published, and before it is switched to. Needs as long as reading all of it takes.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unlistable`] when something is in it that no manifest can list; the manifest is what it was then, as it
    /// is with any other error but one whose [effect](StoreError::effect) is unknown.
    fn seal<'a>(&'a mut self, name: &'a ReleaseName) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Seals what commands of interrupted operations changed in releases. Returns those whose manifests are others now.
    ///
    /// # Errors
    ///
    /// When the marks of such releases cannot be read, or one of those cannot be sealed: its manifest and its mark are what they
    /// were.
    fn seal_left(&mut self) -> BoxFuture<'_, Result<Vec<ReleaseName>, StoreError>>;

    /// A release that is there, ready to be switched to as it is, its record unchanged: for going back.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchRelease`] when the root does not hold it.
    fn ready(&self, name: &ReleaseName) -> Result<Ready, StoreError>;

    /// Switches `current` from what the state says to `ready`: compare and swap, one `rename(2)`, durable when this returns.
    ///
    /// # Errors
    ///
    /// [`ActivateError`] says whether `current` was switched all the same. When that is unknown,
    /// [`fence`](Self::fence) and look. [`StoreError::Conflict`]: `current` was not what was expected, and is as it was.
    fn activate<'a>(&'a mut self, switch: &'a Switch) -> BoxFuture<'a, Result<Activated, ActivateError>>;

    /// Undoes a first deploy: makes `current` absent again, when it is what [`activate`](Self::activate) made it.
    fn deactivate(&mut self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Reads anew where `current` leads, which the state has then: for after what may have changed it.
    ///
    /// # Errors
    ///
    /// When it cannot be read; the state is as it was.
    fn look(&mut self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Runs a hook on the host, and waits for its end. A connection that is lost meanwhile does not end it: its result is
    /// found again.
    ///
    /// # Errors
    ///
    /// [`StoreError::LockLost`] when the lock was taken over: the hook was not started. When the answer stays lost, it is
    /// not known how the hook ended, or whether.
    fn run<'a>(
        &'a mut self,
        hook: &'a HookRun,
        output: &'a dyn LineSink,
    ) -> BoxFuture<'a, Result<HookExit, StoreError>>;

    /// Settles what interrupted operations left running here, and returns once none of it runs any more: hooks and validations are
    /// ended, and commands on data are waited for, or with `keep_data` left alone. `told` hears of each in words, before that.
    fn settle_hooks<'a>(
        &'a self,
        keep_data: bool,
        told: &'a (dyn Fn(String) + Send + Sync),
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Where the commands of the release `name` are run: in the release, or in the copy that was saved of it, when the
    /// release, or one of `saved` in it, is not there any more.
    fn directory_of<'a>(
        &'a self,
        name: &'a ReleaseName,
        saved: &'a [InnerPath],
    ) -> BoxFuture<'a, Result<HookDirectory, StoreError>>;

    /// Writes durably that this operation is about to go to `to`, as [`prepare`](Self::prepare) and
    /// [`activate`](Self::activate) do by themselves: for what comes before them.
    ///
    /// # Errors
    ///
    /// [`StoreError::LockLost`] when the lock was taken over.
    fn announce<'a>(&'a mut self, to: &'a ReleaseName) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Writes durably what the release `name` did to the data, and a line of the host's ledger.
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

    /// Reads the host's ledger, oldest line first, and how many lines of it are torn or unreadable.
    fn ledger(&self) -> BoxFuture<'_, Result<(Vec<LedgerEntry>, usize), StoreError>>;

    /// Takes over a tree that another tool made: writes marks and records, and replaces a plain directory `current` by a
    /// link to the release that it becomes. Nothing else of what was there is changed.
    ///
    /// # Errors
    ///
    /// What was written by then stays: it says nothing wrong, and the next adoption goes on from there.
    fn adopt<'a>(&'a mut self, adoption: &'a Adoption) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Reads the state again under the lock, and what decides which releases may go.
    fn survey(&mut self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Moves releases out of sight, into the trash, and makes that durable. What is current must be what the state says.
    /// They are removed with [`ReleaseStore::empty_trash`], when the lock is given back.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] when `current` is another by now, and [`StoreError::LockLost`]: nothing was moved then.
    fn prune<'a>(&'a mut self, releases: &'a [ReleaseName]) -> BoxFuture<'a, Result<Pruned, StoreError>>;

    /// Writes marks and history, and gives the lock back. What fails on the way is told in what this returns: it changes
    /// nothing about what is current.
    ///
    /// # Errors
    ///
    /// When the lock could not be given back. It is taken over by the next run once this process is gone.
    fn finish<'a>(&'a mut self, closing: &'a Closing) -> BoxFuture<'a, Result<Closed, StoreError>>;
}
