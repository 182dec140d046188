//! [`DirGuard`]: the held lock of a root, and the operations under it.

mod adopt;
mod data;
mod finish;
mod hook;
mod left;
mod seal;

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    adoption::Adoption,
    claim::Claim,
    data::{DataRecord, LedgerEntry},
    future::BoxFuture,
    limits,
    lock::LockOwner,
    name::ReleaseName,
    path::InnerPath,
    shared::SharedRecord,
    token::Token,
    transport::{BatchError, Effect, FailureKind, HookExit, LineSink, StepFailure},
};

use super::{
    ActivateError, Activated, AdoptGuard, Current, DirStore, Finish, FinishError, Finished, HookDirectory, HookRun,
    Intent, Preparation, Pruned, Ready, RootState, Staged, StoreError, StoreGuard, TookEffect,
    extent::Wanted,
    query::FIRST_LINKS,
    steps::{Activating, Preparing},
    take::{self, Taken},
};

/// The maximum number of releases read in steps along chains; beyond it, all are read at once.
const MANY_LINKS: usize = 5_000;

/// Holds the lock of a root over any transport.
#[derive(Debug)]
pub(super) struct DirGuard {
    pub(super) store: DirStore,
    owner: LockOwner,
    pub(super) token: Token,
    claim: Claim,
    pub(super) state: RootState,
    /// Whether the intent is written on the host.
    intent_written: bool,
    /// Earlier locks of this operation, removed to fence off requests that were still on their way.
    pub(super) fenced: Vec<Token>,
    /// Whether the staged release is published, according to the replies.
    published: bool,
    /// The line files that have grown so long that they are rotated before the next line.
    long: BTreeSet<&'static str>,
    /// The release's record before this operation wrote it.
    record_before: Option<String>,
    /// The number of hooks run.
    hooks_run: usize,
    /// Whether the directory of the hooks exists under the present lock.
    hooks_begun: bool,
    /// How much more output of hooks to keep, in bytes.
    output_left: u64,
    /// The logs of old operations, beyond the number to keep.
    old_logs: Vec<InnerPath>,
    /// The releases of which this operation has snapshots, and whether a command has run in each since.
    marks: BTreeMap<ReleaseName, bool>,
    /// The releases without a snapshot, each with the reason.
    unmarked: BTreeMap<ReleaseName, StepFailure>,
    /// The release that this operation published, with the symlinks to shared paths that it created there.
    linked: Option<(ReleaseName, SharedRecord)>,
}

impl DirGuard {
    pub(super) fn new(store: DirStore, owner: LockOwner, taken: Taken, state: RootState) -> Self {
        let Taken { token, claim } = taken;
        Self {
            store,
            owner,
            token,
            claim,
            state,
            intent_written: false,
            fenced: Vec::new(),
            published: false,
            long: BTreeSet::new(),
            record_before: None,
            hooks_run: 0,
            hooks_begun: false,
            output_left: limits::OPERATION_OUTPUT,
            old_logs: Vec::new(),
            marks: BTreeMap::new(),
            unmarked: BTreeMap::new(),
            linked: None,
        }
    }

    pub(super) fn host(&self) -> String {
        self.store.to_string()
    }

    fn intent(&self, to: &ReleaseName) -> Intent {
        Intent { record: self.record_of(to), ..Intent::new(&self.owner, &self.state, to) }
    }

    /// Returns the line of a release's record, if it is valid.
    fn record_of(&self, name: &ReleaseName) -> Option<String> {
        let previous = self.state.release(name)?.previous.as_ref().ok()?;
        Some(previous.line(&self.store.steps.root, self.store.layout().releases()))
    }

    /// Returns the recorded symlinks to shared paths of a release.
    fn links_of(&self, name: &ReleaseName) -> Option<&SharedRecord> {
        let made = self.linked.as_ref().filter(|(linked, _)| linked == name).map(|(_, record)| record);
        made.or_else(|| self.state.release(name)?.links.record())
    }

    /// Reads the releases that were requested from a partial state.
    ///
    /// Each call doubles the number of links read, so that a long chain takes few exchanges and a short one little
    /// data.
    async fn read_more(&mut self) -> Result<bool, StoreError> {
        let known = self.state.extent.len().unwrap_or_default();
        match self.state.extent.wanted() {
            Wanted::Nothing => return Ok(false),
            Wanted::Releases(names) if known < MANY_LINKS => {
                let most = u32::try_from(known).unwrap_or(u32::MAX).max(FIRST_LINKS);
                let (batch, query) = self.store.steps.read_links(&self.token, &names, most);
                let replies = self.store.execute(&batch).await?;
                self.store.read_more(&mut self.state, names, (&query, &replies)).await?;
            }
            Wanted::Releases(_) | Wanted::All => {
                self.state = take::read_again(&self.store, &self.token, self.state.clone()).await?;
            }
        }
        Ok(true)
    }

    /// Takes the lock again with a new token: requests still on their way no longer find it.
    async fn fence(&mut self) -> Result<(), StoreError> {
        let (taken, state) = take::fence(&self.store, &self.owner, &self.token).await?;
        self.claim.release();
        self.claim = taken.claim;
        self.fenced.push(std::mem::replace(&mut self.token, taken.token));
        self.intent_written = false;
        self.published = false;
        self.hooks_begun = false;
        self.state = state;
        let fenced = &self.fenced;
        self.state.interrupted.retain(|left| !fenced.contains(&left.token));
        Ok(())
    }

    async fn prepare(&mut self, preparation: &Preparation) -> Result<Ready, StoreError> {
        let intent = self.intent(&preparation.name);
        self.record_before.clone_from(&intent.record);
        let preparing = self.store.steps.prepare(&self.token, &intent, preparation);
        let result = self.store.execute(&preparing.batch).await;
        self.published = preparing.publish.is_some_and(|publish| match &result {
            Ok(_) => true,
            Err(error) => error.failed_after(publish),
        });
        match result {
            Ok(replies) => {
                self.intent_written = true;
                preparation.staged.iter().for_each(Staged::release);
                if finish::is_long(replies.get(preparing.history)?) {
                    self.long.insert("history");
                }
                self.linked = (!preparation.shared.is_empty())
                    .then(|| (preparation.name.clone(), self.store.steps.shared_record(&preparation.shared)));
                Ok(Ready::new(preparation.name.clone()))
            }
            Err(error) => Err(self.understand_prepare(&preparing, &preparation.name, error)),
        }
    }

    fn understand_prepare(&self, preparing: &Preparing, name: &ReleaseName, error: BatchError) -> StoreError {
        let (host, name) = (self.host(), name.clone());
        if error.is_missing_at(preparing.lock) {
            return StoreError::LockLost { host };
        }
        if preparing.absent.is_some_and(|absent| error.failed_at(absent)) {
            return StoreError::NameTaken { host, name };
        }
        if error.failed_at(preparing.present) {
            return StoreError::NoSuchRelease { host, name };
        }
        match preparing.seeds.iter().find(|(seed, _)| error.failed_at(*seed)) {
            Some((_, place)) if error.kind() == Some(FailureKind::CrossDevice) => {
                StoreError::SeedElsewhere { host, place: self.store.steps.root.join(place) }
            }
            _ => error.into(),
        }
    }

    async fn unprepare(&mut self, preparation: &Preparation) -> Result<(), StoreError> {
        // The plan was made under the lock, when the name was free: if the name is taken in a later state, the release
        // is ours.
        let published = self.published || self.state.release(&preparation.name).is_some();
        if let (false, Some(staged)) = (published, &preparation.staged) {
            return self.store.discard(staged).await;
        }
        // Somebody may have made it current by hand, and a current release must never be removed.
        self.look().await?;
        let current = &self.state.current;
        if current.release() == Some(&preparation.name) {
            let detail = format!("it leads to {} by now", preparation.name);
            return Err(StoreError::Conflict { host: self.host(), detail });
        }
        let steps = &self.store.steps;
        let batch = steps.unprepare(&self.token, current, preparation, self.record_before.as_deref());
        self.store.execute_locked(&batch).await?;
        self.published = false;
        // A release that was never current leaves no records.
        if preparation.staged.is_some() {
            self.marks.remove(&preparation.name);
            self.unmarked.remove(&preparation.name);
        }
        Ok(())
    }

    /// Reads the target of `current`.
    async fn look(&mut self) -> Result<(), StoreError> {
        let (batch, query) = self.store.steps.ask();
        let replies = self.store.execute(&batch).await?;
        self.state.current = self.store.read(&query, &replies).await?.current;
        Ok(())
    }

    /// Activates a release. If the filesystem is full, frees the reserve and tries once more.
    async fn activate(&mut self, expected: &Current, to: &Ready) -> Result<Activated, ActivateError> {
        match self.try_activate(expected, to).await {
            Err(failed) if failed.took_effect == TookEffect::No && self.store.frees_reserve(&failed.error).await => {
                self.try_activate(expected, to).await
            }
            result => result,
        }
    }

    async fn try_activate(&mut self, expected: &Current, to: &Ready) -> Result<Activated, ActivateError> {
        // A removed `current` that is only linked again needs no intent: recovery would have nothing to undo.
        let relinks = *expected == Current::Absent && self.state.was_last(to.name());
        let intent = (!self.intent_written && !relinks).then(|| self.intent(to.name()));
        let activating = self.store.steps.activate(&self.token, intent.as_ref(), (expected, to));
        let replies = match self.store.execute(&activating.batch).await {
            Ok(replies) => replies,
            Err(error) => {
                // A revert belongs to the same operation: it does not write the intent again.
                self.intent_written |= activating.intent.is_some_and(|intent| error.failed_after(intent));
                let failed = self.understand_activate(&activating, to, error);
                // Reports show the actual state of this host, not the one before somebody else changed it.
                if matches!(failed.error, StoreError::Conflict { .. } | StoreError::LockLost { .. }) {
                    let _ = self.look().await;
                }
                return Err(failed);
            }
        };
        self.intent_written = true;
        let wanted = self.store.layout().link_to(to.name());
        let unknown = |error| ActivateError { error, took_effect: TookEffect::Unknown };
        let link = replies.get(activating.look).map_err(|error| unknown(error.into()))?;
        if link.as_ref() != Some(&wanted) {
            let link = link.as_ref().map(|link| link.escape_ascii().to_string());
            let detail = format!("after the switch it was read back as {}", link.as_deref().unwrap_or("missing"));
            return Err(unknown(StoreError::Conflict { host: self.host(), detail }));
        }
        let after = Current::Release { name: to.name().clone(), link: wanted };
        let before = std::mem::replace(&mut self.state.current, after.clone());
        let at = replies.get(activating.clock).ok().and_then(Result::ok).copied();
        self.state.clock = at.or(self.state.clock);
        Ok(Activated { before, after, at })
    }

    fn understand_activate(&mut self, activating: &Activating, to: &Ready, error: BatchError) -> ActivateError {
        let host = self.host();
        let took_effect = match error.effect() {
            _ if error.failed_after(activating.rename) => TookEffect::Yes,
            Effect::Nothing | Effect::Steps(_) => TookEffect::No,
            Effect::Unknown => TookEffect::Unknown,
        };
        if took_effect == TookEffect::Yes {
            let (name, link) = (to.name().clone(), self.store.layout().link_to(to.name()));
            self.state.current = Current::Release { name, link };
        }
        let is_missing = matches!(error.effect(), Effect::Steps(_)) && error.kind() == Some(FailureKind::Missing);
        let error = if error.failed_at(activating.expect) {
            self.store.conflict(&error)
        } else if error.failed_at(activating.target) {
            StoreError::NoSuchRelease { host, name: to.name().clone() }
        } else if is_missing && took_effect == TookEffect::No {
            // The lock directory is gone, and the prepared symlink with it.
            StoreError::LockLost { host }
        } else {
            error.into()
        };
        ActivateError { error, took_effect }
    }

    async fn deactivate(&mut self) -> Result<(), StoreError> {
        let (batch, expect, away) = self.store.steps.deactivate(&self.token, &self.state.current);
        let result = self.store.execute(&batch).await;
        let is_away = match &result {
            Ok(_) => true,
            Err(error) => error.failed_after(away),
        };
        if is_away {
            self.state.current = Current::Absent;
        }
        match result {
            Ok(_) => Ok(()),
            Err(error) if error.failed_at(expect) => Err(self.store.conflict(&error)),
            Err(error) => Err(error.into()),
        }
    }
}

impl StoreGuard for DirGuard {
    fn state(&self) -> &RootState {
        &self.state
    }

    fn read_more(&mut self) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(self.read_more())
    }

    fn fence(&mut self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.fence())
    }

    fn prepare<'a>(&'a mut self, preparation: &'a Preparation) -> BoxFuture<'a, Result<Ready, StoreError>> {
        Box::pin(self.prepare(preparation))
    }

    fn unprepare<'a>(&'a mut self, preparation: &'a Preparation) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.unprepare(preparation))
    }

    fn seal<'a>(&'a mut self, name: &'a ReleaseName) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.seal(name))
    }

    fn seal_left(&mut self) -> BoxFuture<'_, Result<Vec<ReleaseName>, StoreError>> {
        Box::pin(self.seal_left())
    }

    fn ready(&self, name: &ReleaseName) -> Result<Ready, StoreError> {
        match self.state.release(name) {
            Some(release) => Ok(Ready::new(release.name.clone())),
            None => Err(StoreError::NoSuchRelease { host: self.host(), name: name.clone() }),
        }
    }

    fn activate<'a>(
        &'a mut self,
        expected: &'a Current,
        to: &'a Ready,
    ) -> BoxFuture<'a, Result<Activated, ActivateError>> {
        Box::pin(self.activate(expected, to))
    }

    fn deactivate(&mut self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.deactivate())
    }

    fn look(&mut self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.look())
    }

    fn run<'a>(
        &'a mut self,
        hook: &'a HookRun,
        output: &'a dyn LineSink,
    ) -> BoxFuture<'a, Result<HookExit, StoreError>> {
        Box::pin(self.run(hook, output))
    }

    fn settle_hooks<'a>(
        &'a self,
        keep_data: bool,
        told: &'a (dyn Fn(String) + Send + Sync),
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.settle_hooks(keep_data, told))
    }

    fn directory_of<'a>(
        &'a self,
        name: &'a ReleaseName,
        saved: &'a [InnerPath],
    ) -> BoxFuture<'a, Result<HookDirectory, StoreError>> {
        Box::pin(self.directory_of(name, saved))
    }

    fn announce<'a>(&'a mut self, to: &'a ReleaseName) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.announce(to))
    }

    fn record_data<'a>(
        &'a mut self,
        name: &'a ReleaseName,
        record: Option<&'a DataRecord>,
        entry: Option<&'a LedgerEntry>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.record_data(name, record, entry))
    }

    fn ledger(&self) -> BoxFuture<'_, Result<(Vec<LedgerEntry>, usize), StoreError>> {
        Box::pin(self.ledger())
    }

    fn adoption(&mut self) -> Option<&mut dyn AdoptGuard> {
        Some(self)
    }

    fn survey(&mut self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.survey())
    }

    fn prune<'a>(&'a mut self, releases: &'a [ReleaseName]) -> BoxFuture<'a, Result<Pruned, StoreError>> {
        Box::pin(self.prune(releases))
    }

    fn finish(mut self: Box<Self>, finish: &Finish) -> BoxFuture<'_, Result<Finished, FinishError>> {
        Box::pin(async move {
            match Self::finish(&mut self, finish).await {
                Ok(finished) => Ok(finished),
                Err(error) => Err(FinishError { error, guard: self }),
            }
        })
    }
}

impl AdoptGuard for DirGuard {
    fn adopt<'a>(&'a mut self, adoption: &'a Adoption) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.adopt(adoption))
    }
}
