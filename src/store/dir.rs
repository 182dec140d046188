//! [`DirStore`]: the releases of a root as directories, over any transport.

use std::{fmt, mem::take, sync::Arc};

use crate::{
    adoption::Traces,
    future::BoxFuture,
    group::GroupName,
    history::HistoryEntry,
    lock::LockOwner,
    name::ReleaseName,
    path::{HostPath, InnerPath},
    record::{BadRecord, PreviousVersion},
    release::{Release, ReleaseContent},
    shared::SharedPath,
    token::Token,
    transport::{
        Batch, Effect, FailureKind, Found, HookExit, LineSink, Liveness, Op, Progress, Reply, Transport, TransportError,
    },
};

use super::{
    BrokenLinks, Checked, Examined, HookRun, HostedRelease, Kept, KnownManifests, Layout, QuickCheck, ReleaseStore,
    RootState, Staged, StoreError, StoreGuard, UnreadableFile, Verified, ask, check,
    guard::DirGuard,
    history,
    layout::inner,
    permission,
    query::{Answer, Query, STATE_LIMIT, Spelled, whole},
    staging,
    state::Interrupted,
    steps::Steps,
    take,
    team::Team,
    traces,
};

/// The maximum number of unreadable files whose owners are queried.
const OWNERS_ASKED: usize = 100;

/// Keeps the releases of one root as directories, over any [`Transport`].
///
/// ```
/// use switchback::{HostPath, Layout, store::DirStore, transport::LocalTransport};
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

    pub(super) async fn execute(&self, batch: &Batch) -> Result<Vec<Reply>, TransportError> {
        self.transport.execute(&self.steps.for_group(batch)).await
    }

    /// Interprets the replies of a query. Asks the host to resolve records in an unusual spelling.
    pub(super) async fn read(&self, query: Query, replies: &[Reply]) -> Result<RootState, StoreError> {
        let damaged = |what| StoreError::Damaged { host: self.to_string(), what };
        let group = self.steps.read_group(query.group.and_then(|at| replies.get(at)));
        let answer = query.read(replies, &self.steps.root, self.layout(), group).map_err(damaged)?;
        let Answer { mut state, spelled, live, mut unreadable } = answer;
        state.shared = query.shared.map(|first| self.steps.read_shared(&replies[first..])).unwrap_or_default();
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
        (query, replies): (Query, &[Reply]),
    ) -> Result<(), StoreError> {
        let damaged = |what| StoreError::Damaged { host: self.to_string(), what };
        let Answer { state: mut more, spelled, unreadable, .. } =
            query.read(replies, &self.steps.root, self.layout(), state.team.clone()).map_err(damaged)?;
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
        for path in files.iter().take(OWNERS_ASKED) {
            batch.push_lenient(Op::Read { path: path.clone(), limit: 0 });
        }
        let replies = self.execute(&batch).await?;
        let why = |reply: &Reply| whole(Some(reply)).unreadable().map(ToOwned::to_owned);
        Ok(files.into_iter().zip(&replies).filter_map(|(path, reply)| Some((path, why(reply)?))).collect())
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
        for (path, _) in unreadable.iter().take(OWNERS_ASKED) {
            // If the parent directory cannot be entered, that is the unreadable one.
            for path in [Some(path.clone()), path.parent()].into_iter().flatten() {
                batch.push_lenient(Op::Inspect { path });
            }
        }
        let replies = self.execute(&batch).await?;
        let mut files: Vec<UnreadableFile> = Vec::new();
        for (at, (path, why)) in unreadable.into_iter().enumerate() {
            let (own, above) = (replies.get(2 * at), replies.get(2 * at + 1));
            let file = match (own, above, path.parent()) {
                (Some(Reply::Entry(Some(entry))), ..) => self.unreadable(&path, Some(entry.owner), why),
                (Some(_), Some(Reply::Entry(Some(entry))), Some(above)) => {
                    self.unreadable(&above, Some(entry.owner), why)
                }
                _ => self.unreadable(&path, None, why),
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
        for (_, path) in spelled {
            batch.push_lenient(Op::Resolve { link: path.as_str().into() });
        }
        let replies = self.execute(&batch).await?;
        for ((own, _), reply) in spelled.iter().zip(replies) {
            let Reply::Entry(Some(entry)) = reply else { continue };
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
    pub(super) async fn read_state(&self) -> Result<RootState, StoreError> {
        let (batch, query) = self.steps.ask();
        let replies = match self.execute(&batch).await {
            Err(TransportError::Root { failure, .. }) if failure.kind == FailureKind::Missing => {
                // Without a root, the shared paths do not exist either.
                return Ok(RootState { shared: self.steps.read_shared(&[]), ..RootState::default() });
            }
            Err(error) => {
                self.settle(error.into(), None).await?;
                self.execute(&batch).await?
            }
            Ok(replies) => replies,
        };
        let mut state = self.read(query, &replies).await?;
        // Read again: the trusted owners depend on the group.
        if self.joins_recorded(&state).await {
            let (batch, query) = self.steps.ask();
            state = self.read(query, &self.execute(&batch).await?).await?;
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
        for (token, _) in &state.uploads {
            batch.push_lenient(Op::CheckProcess { path: self.steps.live(token) });
        }
        let replies = self.execute(&batch).await?;
        for ((token, owner), reply) in take(&mut state.uploads).into_iter().zip(replies) {
            if reply == Reply::Process(Liveness::Gone) {
                state.staging.retain(|upload| *upload != token);
                state.add_dead_upload(token, owner);
            }
        }
        Ok(())
    }

    /// Checks whether the holder of the lock `token` is alive.
    async fn liveness(&self, token: &Token) -> Result<Liveness, StoreError> {
        let mut batch = self.steps.empty();
        let mark = self.layout().held(token).join(&inner("process"));
        batch.push_lenient(Op::CheckProcess { path: mark.clone() });
        batch.push_lenient(Op::Read { path: mark, limit: STATE_LIMIT });
        let replies = self.execute(&batch).await?;
        // A lock gets its name only once its mark is durable, so an empty mark lost its content in a power cut: the
        // boot of its writer is over.
        let is_lost = |content: &[u8]| content.iter().all(|byte| *byte == 0);
        match &replies[..] {
            [Reply::Process(Liveness::Unknown), Reply::Content(Some(Found::Content(content)))] if is_lost(content) => {
                Ok(Liveness::Gone)
            }
            [Reply::Process(liveness), ..] => Ok(*liveness),
            _ => Ok(Liveness::Unknown),
        }
    }

    /// Removes one directory of the trash for good; files already removed stay removed.
    pub(super) async fn remove_trash(&self, trash: &Token) -> Result<(), TransportError> {
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
        let mut ask = self.steps.empty();
        ask.push(Op::Inspect { path: self.layout().in_state(&["reserve"]) });
        let is_there = self.execute(&ask).await.is_ok_and(|replies| matches!(replies[..], [Reply::Entry(Some(_))]));
        is_there && self.execute(&self.steps.free_reserve()).await.is_ok()
    }

    fn guard(&self, owner: &LockOwner, token: Token, state: RootState) -> Box<dyn StoreGuard> {
        Box::new(DirGuard::new(self.clone(), owner.clone(), token, state))
    }

    /// Converts an error to [`StoreError::NewerFormat`] if that ended a batch that enters the state directory; or to
    /// an error of the step that failed to write the format.
    pub(super) fn understand_format(&self, error: TransportError) -> StoreError {
        let TransportError::Step { index: Steps::FORMAT_STEP, host, root, failure, mut replies } = error else {
            return error.into();
        };
        let written = replies.get(Steps::FORMAT_STEP - 1);
        if let Some(Reply::Failed(why)) = written.filter(|reply| !is_there_already(reply)) {
            let failure = why.clone();
            replies.truncate(Steps::FORMAT_STEP - 1);
            return TransportError::Step { host, root, index: Steps::FORMAT_STEP - 1, failure, replies }.into();
        }
        match failure.kind {
            FailureKind::Mismatch => StoreError::NewerFormat { host: self.to_string(), found: failure.detail },
            _ => TransportError::Step { index: Steps::FORMAT_STEP, host, root, failure, replies }.into(),
        }
    }
}

fn is_there_already(reply: &Reply) -> bool {
    matches!(reply, Reply::Failed(failure) if failure.kind == FailureKind::Exists)
}

impl ReleaseStore for DirStore {
    fn root(&self) -> &HostPath {
        &self.steps.root
    }

    fn release_path(&self, name: &ReleaseName) -> HostPath {
        self.steps.root.join(&self.layout().release(name))
    }

    fn state(&self) -> BoxFuture<'_, Result<RootState, StoreError>> {
        Box::pin(self.read_state())
    }

    fn history(&self, newest: Option<usize>) -> BoxFuture<'_, Result<(Vec<HistoryEntry>, usize), StoreError>> {
        Box::pin(history::read(self, newest))
    }

    fn traces(&self) -> BoxFuture<'_, Result<Traces, StoreError>> {
        Box::pin(async {
            let mut batch = self.steps.empty();
            traces::ask(&mut batch, self.layout());
            let replies = match self.execute(&batch).await {
                Err(TransportError::Root { failure, .. }) if failure.kind == FailureKind::Missing => Vec::new(),
                replies => replies?,
            };
            traces::read(&replies, self.layout()).map_err(|what| StoreError::Damaged { host: self.to_string(), what })
        })
    }

    fn survey(&self) -> BoxFuture<'_, Result<RootState, StoreError>> {
        Box::pin(async {
            match self.read_survey().await {
                Err(StoreError::Transport(TransportError::Root { failure, .. }))
                    if failure.kind == FailureKind::Missing =>
                {
                    Ok(RootState::default())
                }
                survey => survey,
            }
        })
    }

    fn empty_trash<'a>(&'a self, trash: &'a Token) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async { Ok(self.remove_trash(trash).await?) })
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
        let ReleaseContent::Tree(tree) = release.content() else {
            panic!("the content of {} is on the hosts already", release.name());
        };
        Box::pin(staging::stage(self, release.name(), tree, owner, bases, progress))
    }

    fn discard(&self, staged: Staged) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.execute(&self.steps.forgetting(&staged.token)).await?;
            Ok(())
        })
    }

    fn verify<'a>(&'a self, release: &'a HostedRelease, full: bool) -> BoxFuture<'a, Result<Verified, StoreError>> {
        Box::pin(check::verify(self, release, full))
    }

    fn check<'a>(&'a self, release: &'a HostedRelease, full: bool) -> BoxFuture<'a, Result<Checked, StoreError>> {
        Box::pin(check::check(self, release, full))
    }

    fn examine<'a>(&'a self, releases: &'a [HostedRelease]) -> BoxFuture<'a, Result<Vec<Examined>, StoreError>> {
        Box::pin(check::examine(self, releases))
    }

    fn broken_links<'a>(&'a self, releases: &'a [HostedRelease]) -> BoxFuture<'a, Result<BrokenLinks, StoreError>> {
        Box::pin(self.broken_links_of(releases))
    }

    fn lock<'a>(
        &'a self,
        owner: &'a LockOwner,
        check: Option<&'a QuickCheck>,
    ) -> BoxFuture<'a, Result<Box<dyn StoreGuard>, StoreError>> {
        Box::pin(async move {
            let (token, state) = take::lock(self, owner, check).await?;
            Ok(self.guard(owner, token, state))
        })
    }

    fn steal<'a>(
        &'a self,
        owner: &'a LockOwner,
        holder: &'a Token,
    ) -> BoxFuture<'a, Result<Box<dyn StoreGuard>, StoreError>> {
        Box::pin(async move {
            let (token, state) = match take::fence(self, owner, holder).await {
                Ok(taken) => taken,
                Err(error) => {
                    self.settle(error, Some(owner)).await?;
                    take::fence(self, owner, holder).await?
                }
            };
            Ok(self.guard(owner, token, state))
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
