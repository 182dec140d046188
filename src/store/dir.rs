//! [`DirStore`]: the releases of a root as directories, over any transport.

use std::{fmt, mem::take, sync::Arc};

use crate::{
    future::BoxFuture,
    group::GroupName,
    history::HistoryEntry,
    limits,
    lock::LockOwner,
    log::CommandLog,
    manifest::Manifest,
    name::ReleaseName,
    path::{HostPath, InnerPath},
    record::{BadRecord, PreviousVersion},
    release::Release,
    shared::SharedPath,
    token::Token,
    transport::{
        Batch, BatchError, Effect, FailureKind, Found, HookExit, LineSink, Liveness, Op, Progress, Replies, Transport,
        TransportError,
    },
};

use super::{
    AdoptStore, BrokenLinks, Checked, Examined, HookRun, HostedRelease, Kept, KnownManifests, Layout, QuickCheck,
    ReleaseStore, RootState, Staged, StoreError, StoreGuard, UnreadableFile, Verified, ask, check,
    guard::DirGuard,
    history,
    layout::inner,
    log, permission,
    query::{Query, QueryResult, Spelled, whole},
    staging,
    state::Interrupted,
    steps::{Entered, LockedBatch, Steps},
    take::{self, Taken},
    team::Team,
};

/// The maximum number of unreadable files whose owners are queried.
const OWNERS_ASKED: usize = 100;

/// Keeps the releases of one root as directories, over any [`Transport`].
///
/// ```
/// use switchback::{DirStore, HostPath, Layout, transport::LocalTransport};
///
/// let store = DirStore::new(LocalTransport::new(), HostPath::new("/srv/shop")?, Layout::default());
/// assert_eq!(store.to_string(), "local");
/// # Ok::<(), switchback::PathError>(())
/// ```
#[derive(Debug, Clone)]
pub struct DirStore {
    pub(super) transport: Arc<dyn Transport>,
    pub(super) steps: Steps,
    pub(super) known: KnownManifests,
}

impl fmt::Display for DirStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.transport, f)
    }
}

impl DirStore {
    /// Creates a store at `root` with the given layout. Makes no request.
    pub fn new(transport: impl Transport, root: HostPath, layout: Layout) -> Self {
        let shared = Arc::new([]);
        let known = KnownManifests::new();
        Self { transport: Arc::new(transport), steps: Steps { root, layout, shared, team: Team::default() }, known }
    }

    /// Sets a cache of manifests that is consulted before reading them from the host.
    #[must_use]
    pub fn remembering(mut self, known: KnownManifests) -> Self {
        self.known = known;
        self
    }

    /// Sets the shared paths to link into every published release.
    #[must_use]
    pub fn sharing(mut self, shared: impl Into<Arc<[SharedPath]>>) -> Self {
        self.steps.shared = shared.into();
        self
    }

    /// Sets the group of the host whose members deploy to the root together.
    #[must_use]
    pub fn for_group(mut self, group: GroupName) -> Self {
        self.steps.team = Team::of(group);
        self
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.steps.layout
    }

    pub(super) async fn execute(&self, batch: &Batch) -> Result<Replies, BatchError> {
        self.steps.for_group(batch).run_on(&*self.transport).await
    }

    /// Executes a batch under the lock.
    ///
    /// # Errors
    ///
    /// [`StoreError::LockLost`] and [`StoreError::Conflict`] when the batch ended because of that.
    pub(super) async fn execute_locked(&self, batch: &LockedBatch) -> Result<Replies, StoreError> {
        self.execute(batch).await.map_err(|error| self.understand_locked(batch, error))
    }

    /// Converts the error of a batch under the lock.
    pub(super) fn understand_locked(&self, batch: &LockedBatch, error: BatchError) -> StoreError {
        if error.is_missing_at(batch.lock) {
            return StoreError::LockLost { host: self.to_string() };
        }
        // An I/O error does not tell what is there.
        let is_other = batch.current.is_some_and(|current| error.failed_at(current));
        if is_other && error.kind() != Some(FailureKind::Io) { self.conflict(&error) } else { error.into() }
    }

    /// Creates the error for a batch that ended because `current` was not as expected.
    pub(super) fn conflict(&self, error: &TransportError) -> StoreError {
        let detail = error.failure().map(ToString::to_string).unwrap_or_default();
        StoreError::Conflict { host: self.to_string(), detail }
    }

    /// Interprets the replies of a query. Asks the host to resolve records in an unusual spelling.
    pub(super) async fn read(&self, query: &Query, replies: &Replies) -> Result<RootState, StoreError> {
        let group = self.steps.read_group(replies.get_some(query.group)?);
        let QueryResult { mut state, spelled, live, mut unreadable } = query.read(replies, self, group)?;
        let mut found = Vec::new();
        for step in query.shared.iter().flatten() {
            found.push(replies.get(*step)?.map(|entry| entry.kind));
        }
        state.shared = self.steps.shared_places(found);
        if !spelled.is_empty() {
            self.resolve(&mut state, &spelled).await?;
        }
        unreadable.extend(self.unreadable_of(live).await?);
        state.unreadable = self.with_owners(unreadable).await?;
        if state.lost_current() {
            state.last = history::last_current(self).await?;
        }
        Ok(state)
    }

    /// Adds the replies to a query for more releases to `state`; `names` are the requested releases.
    pub(super) async fn read_more(
        &self,
        state: &mut RootState,
        names: Vec<ReleaseName>,
        (query, replies): (&Query, &Replies),
    ) -> Result<(), StoreError> {
        let QueryResult { state: mut more, spelled, unreadable, .. } = query.read(replies, self, state.team.clone())?;
        more.unreadable = self.with_owners(unreadable).await?;
        state.extent.widen(names);
        state.add(more);
        if !spelled.is_empty() {
            self.resolve(state, &spelled).await?;
        }
        Ok(())
    }

    /// Returns the unreadable ones among these files. Takes an exchange only if there are any files to check, which
    /// are those of other users.
    async fn unreadable_of(&self, files: Vec<InnerPath>) -> Result<Vec<(InnerPath, String)>, StoreError> {
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let mut batch = self.steps.empty();
        let files = files.into_iter().take(OWNERS_ASKED);
        let files: Vec<_> = files.map(|path| (batch.push_lenient(Op::read(path.clone(), 0)), path)).collect();
        let replies = self.execute(&batch).await?;
        let mut unreadable = Vec::new();
        for (step, path) in files {
            unreadable.extend(whole(replies.get(step)?).unreadable().map(|why| (path, why.to_owned())));
        }
        Ok(unreadable)
    }

    /// Reads the owners of unreadable files. Takes an exchange only if there are any.
    pub(super) async fn with_owners(
        &self,
        unreadable: Vec<(InnerPath, String)>,
    ) -> Result<Vec<UnreadableFile>, StoreError> {
        if unreadable.is_empty() {
            return Ok(Vec::new());
        }
        let mut batch = self.steps.empty();
        let mut asked = Vec::new();
        for (at, (path, why)) in unreadable.into_iter().enumerate() {
            // If the parent directory cannot be entered, that is the unreadable one.
            let places = [Some(path.clone()), path.parent()].into_iter().flatten().filter(|_| at < OWNERS_ASKED);
            let steps = places.map(|place| (batch.push_lenient(Op::inspect(place.clone())), place));
            asked.push((steps.collect::<Vec<_>>(), path, why));
        }
        let replies = self.execute(&batch).await?;
        let mut files: Vec<UnreadableFile> = Vec::new();
        for (steps, path, why) in asked {
            let mut found = None;
            for (step, place) in &steps {
                found = found.or(replies.get(*step)?.ok().copied().flatten().map(|entry| (place, entry.owner)));
            }
            let file = match found {
                Some((place, owner)) => self.unreadable(place, Some(owner), why),
                None => self.unreadable(&path, None, why),
            };
            if files.iter().all(|noted| noted.path != file.path) {
                files.push(file);
            }
        }
        Ok(files)
    }

    fn unreadable(&self, path: &InnerPath, owner: Option<u32>, why: String) -> UnreadableFile {
        UnreadableFile { path: self.steps.root.join(path).as_str().to_owned(), owner, why }
    }

    /// Resolves records in an unusual spelling by device and inode instead of their text.
    async fn resolve(&self, state: &mut RootState, spelled: &[Spelled]) -> Result<(), StoreError> {
        let mut batch = self.steps.empty();
        let asked: Vec<_> =
            spelled.iter().map(|(own, path)| (own, batch.push_lenient(Op::resolve(path.as_str())))).collect();
        let replies = self.execute(&batch).await?;
        for (own, step) in asked {
            let Ok(Some(entry)) = replies.get(step)? else { continue };
            let target =
                state.releases.iter().find(|release| release.id == entry.id).map(|release| release.name.clone());
            if target.is_none() {
                // The target may be a release that was not read.
                state.extent.ask_for_all();
            }
            let release = state.releases.iter_mut().find(|release| release.name == *own);
            if let (Some(target), Some(release)) = (target, release) {
                release.previous =
                    if target == *own { Err(BadRecord::Itself) } else { Ok(PreviousVersion::Release(target)) };
            }
        }
        Ok(())
    }

    /// Reads the root, and, if it is locked, whether the holder is alive.
    pub(super) async fn state(&self) -> Result<RootState, StoreError> {
        let (batch, query) = self.steps.ask();
        let replies = match self.execute(&batch).await {
            Err(error) if error.is_missing_root() => {
                // Without a root, the shared paths do not exist either.
                let shared = self.steps.shared_places(std::iter::repeat(None));
                return Ok(RootState { shared, ..RootState::default() });
            }
            Err(error) => {
                self.settle(error.into(), None).await?;
                self.execute(&batch).await?
            }
            Ok(replies) => replies,
        };
        let mut state = self.read(&query, &replies).await?;
        // Read again: the trusted owners depend on the group.
        if self.joins_recorded(&state).await {
            let (batch, query) = self.steps.ask();
            state = self.read(&query, &self.execute(&batch).await?).await?;
        }
        if let Some(mut holder) = state.lock.take() {
            if let Some(token) = &holder.token {
                holder.holder = self.liveness(token).await?;
            }
            if let Some(token) = holder.token.clone().filter(|_| holder.holder == Liveness::Gone) {
                let owner = holder.owner.clone().map_or_else(Kept::default, Kept::Record);
                let intent = state.intent.clone();
                state.interrupted.push(Interrupted { token, owner, intent, uploads: Vec::new() });
            }
            state.lock = Some(holder);
        }
        self.find_dead_uploads(&mut state).await?;
        Ok(state)
    }

    /// Adds the uploads of dead processes to the interrupted operations. Takes an exchange only if there are
    /// unfinished uploads.
    pub(super) async fn find_dead_uploads(&self, state: &mut RootState) -> Result<(), StoreError> {
        if state.uploads.is_empty() {
            return Ok(());
        }
        let mut batch = self.steps.empty();
        let asked: Vec<_> = state
            .uploads
            .iter()
            .map(|(token, _)| batch.push_lenient(Op::check_process(self.steps.live(token))))
            .collect();
        let replies = self.execute(&batch).await?;
        for ((token, owner), step) in take(&mut state.uploads).into_iter().zip(asked) {
            state.staging.retain(|upload| *upload != token);
            if replies.get(step)? == Ok(&Liveness::Gone) {
                state.add_dead_upload(token, owner);
            }
        }
        Ok(())
    }

    /// Checks whether the holder of the lock `token` is alive.
    async fn liveness(&self, token: &Token) -> Result<Liveness, StoreError> {
        let mut batch = self.steps.empty();
        let mark = self.layout().held(token).join(&inner("process"));
        let process = batch.push_lenient(Op::check_process(mark.clone()));
        let content = batch.push_lenient(Op::read(mark, limits::STATE));
        let replies = self.execute(&batch).await?;
        // A lock gets its name only once its mark is durable, so an empty mark lost its content in a power cut: the
        // boot of its writer is over.
        let is_lost = |content: &[u8]| content.iter().all(|byte| *byte == 0);
        match (replies.get(process)?, replies.get(content)?) {
            (Ok(Liveness::Unknown), Ok(Some(Found::Content(content)))) if is_lost(content) => Ok(Liveness::Gone),
            (process, _) => Ok(process.copied().unwrap_or(Liveness::Unknown)),
        }
    }

    /// Removes one directory of the trash for good; files already removed stay removed.
    pub(super) async fn empty_trash(&self, trash: &Token) -> Result<(), BatchError> {
        let batch = self.steps.empty_trash(trash);
        let first = self.execute(&batch).await;
        // A concurrent staging removes it too, and each may find files already removed by the other.
        if first.as_ref().is_err_and(|error| error.effect() != Effect::Unknown) {
            return self.execute(&batch).await.map(drop);
        }
        first.map(drop)
    }

    /// Returns `true` if the filesystem is full and the reserve was freed, so that a retry is worthwhile.
    pub(super) async fn frees_reserve(&self, error: &StoreError) -> bool {
        let StoreError::Transport(error) = error else { return false };
        error.failure().is_some_and(|failure| failure.kind == FailureKind::NoSpace) && self.gives_up_reserve().await
    }

    /// Frees the reserve, if there is one. Returns `true` if it did.
    pub(super) async fn gives_up_reserve(&self) -> bool {
        let mut batch = self.steps.empty();
        let reserve = batch.push(Op::inspect(self.layout().in_state(&["reserve"])));
        let is_there = |replies: Replies| replies.get(reserve).is_ok_and(Option::is_some);
        let is_there = self.execute(&batch).await.is_ok_and(is_there);
        is_there && self.execute(&self.steps.free_reserve()).await.is_ok()
    }

    fn guard(&self, owner: &LockOwner, taken: Taken, state: RootState) -> Box<dyn StoreGuard> {
        Box::new(DirGuard::new(self.clone(), owner.clone(), taken, state))
    }

    /// Converts an error to [`StoreError::NewerFormat`] if that ended a batch that enters the state directory; or to
    /// an error of the step that failed to write the format.
    pub(super) fn understand_format(&self, entered: Entered, error: BatchError) -> StoreError {
        if !error.failed_at(entered.expect) {
            return error.into();
        }
        match (error.earlier_failure(entered.write), error.failure()) {
            (Some(why), _) if why.kind != FailureKind::Exists => {
                let why = why.clone();
                error.because_of(entered.write, why).into()
            }
            (_, Some(failure)) if failure.kind == FailureKind::Mismatch => {
                StoreError::NewerFormat { host: self.to_string(), found: failure.detail.clone() }
            }
            _ => error.into(),
        }
    }
}

impl ReleaseStore for DirStore {
    fn root(&self) -> &HostPath {
        &self.steps.root
    }

    fn release_path(&self, name: &ReleaseName) -> HostPath {
        self.steps.root.join(&self.layout().release(name))
    }

    fn state(&self) -> BoxFuture<'_, Result<RootState, StoreError>> {
        Box::pin(self.state())
    }

    fn history(&self, newest: Option<usize>) -> BoxFuture<'_, Result<(Vec<HistoryEntry>, usize), StoreError>> {
        Box::pin(history::read(self, newest))
    }

    fn logs<'a>(&'a self, state: &'a RootState) -> BoxFuture<'a, Result<Vec<Token>, StoreError>> {
        Box::pin(log::operations(self, state))
    }

    fn log<'a>(&'a self, state: &'a RootState, of: &'a Token) -> BoxFuture<'a, Result<Vec<CommandLog>, StoreError>> {
        Box::pin(log::read(self, state, of))
    }

    fn adoption(&self) -> Option<&dyn AdoptStore> {
        Some(self)
    }

    fn survey(&self) -> BoxFuture<'_, Result<RootState, StoreError>> {
        Box::pin(async {
            match self.survey().await {
                Err(StoreError::Transport(error)) if error.is_missing_root() => Ok(RootState::default()),
                survey => survey,
            }
        })
    }

    fn empty_trash<'a>(&'a self, trash: &'a Token) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async { Ok(self.empty_trash(trash).await?) })
    }

    fn may_write<'a>(&'a self, name: Option<&'a ReleaseName>) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(permission::may_write(self, name))
    }

    fn ask<'a>(
        &'a self,
        question: &'a HookRun,
        output: &'a dyn LineSink,
    ) -> BoxFuture<'a, Result<HookExit, StoreError>> {
        Box::pin(ask::ask(self, question, output))
    }

    fn stage<'a>(
        &'a self,
        release: &'a dyn Release,
        owner: &'a LockOwner,
        bases: &'a [ReleaseName],
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<Staged, StoreError>> {
        Box::pin(staging::stage(self, release.name(), release.content(), owner, bases, progress))
    }

    fn discard(&self, staged: Staged) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move { self.discard(&staged).await })
    }

    fn verify<'a>(&'a self, release: &'a HostedRelease, full: bool) -> BoxFuture<'a, Result<Verified, StoreError>> {
        Box::pin(check::verify(self, release, full))
    }

    fn manifest<'a>(&'a self, release: &'a HostedRelease) -> BoxFuture<'a, Result<Option<Manifest>, StoreError>> {
        Box::pin(check::manifest(self, release))
    }

    fn check<'a>(&'a self, release: &'a HostedRelease, full: bool) -> BoxFuture<'a, Result<Checked, StoreError>> {
        Box::pin(check::check(self, release, full))
    }

    fn examine<'a>(&'a self, releases: &'a [HostedRelease]) -> BoxFuture<'a, Result<Vec<Examined>, StoreError>> {
        Box::pin(check::examine(self, releases))
    }

    fn broken_links<'a>(&'a self, releases: &'a [HostedRelease]) -> BoxFuture<'a, Result<BrokenLinks, StoreError>> {
        Box::pin(self.broken_links(releases))
    }

    fn lock<'a>(
        &'a self,
        owner: &'a LockOwner,
        check: Option<&'a QuickCheck>,
    ) -> BoxFuture<'a, Result<Box<dyn StoreGuard>, StoreError>> {
        Box::pin(async move {
            let (taken, state) = take::lock(self, owner, check).await?;
            Ok(self.guard(owner, taken, state))
        })
    }

    fn steal<'a>(
        &'a self,
        owner: &'a LockOwner,
        holder: &'a Token,
    ) -> BoxFuture<'a, Result<Box<dyn StoreGuard>, StoreError>> {
        Box::pin(async move {
            let (taken, state) = match take::fence(self, owner, holder).await {
                Ok(taken) => taken,
                Err(error) => {
                    self.settle(error, Some(owner)).await?;
                    take::fence(self, owner, holder).await?
                }
            };
            Ok(self.guard(owner, taken, state))
        })
    }

    fn connect(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(self.transport.connect().await?) })
    }

    fn expect_stage(&self) -> BoxFuture<'_, ()> {
        self.transport.expect_upload()
    }

    fn try_stage(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(self.transport.try_upload().await?) })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.transport.close()
    }
}
