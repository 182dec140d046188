//! Staging: uploads a release into a private directory and makes it durable there. Files that an existing
//! release has are copied on the host.

use std::sync::Arc;

use crate::{
    limits,
    lock::LockOwner,
    name::ReleaseName,
    token::Token,
    transport::{
        Base, BatchError, FailureKind, Handle, Listing, Liveness, Op, Progress, Replies, TransportError, Upload,
    },
    tree::Tree,
};

use super::{
    DirStore, Kept, Staged, StagedRecord, StoreError,
    base::{ListSteps, Trust},
    layout::inner,
    query::tokens_in,
    steps::Beginning,
};

/// Uploads `tree` to the host of `store` as the release `name`.
///
/// Copies the files that one of `bases`, best first, has according to its manifest. If that base turns out to differ
/// from its manifest, sends everything instead.
pub(super) async fn stage(
    store: &DirStore,
    name: &ReleaseName,
    tree: Arc<Tree>,
    owner: &LockOwner,
    bases: &[ReleaseName],
    progress: &dyn Progress,
) -> Result<Staged, StoreError> {
    // Worthwhile for a small tree too: a copied file keeps its modification time, and with it its entry in caches.
    let mut trust = Trust::Manifest(bases.to_vec());
    loop {
        let mut staging = Staging { store, name, tree: &tree, owner, progress, trust: &trust, used: None };
        let staged = staging.attempt().await;
        let used = staging.used;
        if !staged.as_ref().is_err_and(|error| is_mismatch(error) && used.is_some()) {
            return staged;
        }
        progress.copied(0, 0);
        trust = Trust::Nothing;
    }
}

/// The staging of one release on one host.
struct Staging<'s> {
    store: &'s DirStore,
    name: &'s ReleaseName,
    tree: &'s Arc<Tree>,
    owner: &'s LockOwner,
    progress: &'s dyn Progress,
    trust: &'s Trust,
    /// The release to copy from, once it is chosen.
    used: Option<ReleaseName>,
}

/// The replies to the batch that creates the private directory.
struct Made {
    beginning: Beginning,
    /// The steps that request the base's lists.
    asked: Option<ListSteps>,
    replies: Replies,
}

/// The input of an upload.
struct Begun {
    trash: Vec<Token>,
    base: Option<Base>,
    /// Whether there is no reserve for a rollback on a full filesystem.
    lacks_reserve: bool,
}

/// An upload or other private files of a dead process.
pub(super) struct Abandoned {
    pub(super) token: Token,
    /// Whether the owner file names the uploaded release.
    pub(super) tells: bool,
}

impl Staging<'_> {
    /// Uploads once, and removes the received files if that fails.
    async fn attempt(&mut self) -> Result<Staged, StoreError> {
        let staged = Staged::claimed(self.name.clone());
        let uploaded = self.upload(&staged).await;
        if uploaded.as_ref().is_err_and(is_over) {
            // A disk that the upload filled must have space again for a rollback. A failure is harmless: a later
            // staging removes the files.
            let _ = self.store.discard(&staged).await;
        }
        uploaded.map(|()| staged)
    }

    /// Uploads into a private directory and makes the files durable there.
    async fn upload(&mut self, staged: &Staged) -> Result<(), StoreError> {
        let (store, steps) = (self.store, &self.store.steps);
        let (begun, ()) = tokio::join!(self.begin(staged), store.transport.expect_upload());
        let Begun { trash, base, lacks_reserve } = begun?;
        let upload = Upload {
            root: steps.root.clone(),
            into: steps.staged_content(staged),
            tree: Arc::clone(self.tree),
            lists: steps.staged_lists(staged),
            unlisted: steps.unlisted(),
            base,
        };
        // A known manifest is cached while the host is busy; otherwise it is known only after the upload.
        let early = self.tree.known_manifest().is_some();
        let uploading = store.transport.upload(&upload, self.progress);
        let (uploaded, ()) = tokio::join!(uploading, self.remember(&upload, early));
        uploaded?;
        let end = steps.end_staging(staged, &StagedRecord::new(self.tree, self.owner), lacks_reserve);
        let (ended, ()) = tokio::join!(store.execute(&end), self.remember(&upload, !early));
        ended?;
        for left in trash {
            // If it cannot be removed now, the next staging tries again.
            let _ = store.empty_trash(&left).await;
        }
        Ok(())
    }

    /// Creates the private directory, and determines which files need not be sent.
    async fn begin(&mut self, staged: &Staged) -> Result<Begun, StoreError> {
        let store = self.store;
        let Made { beginning, asked, replies } = match self.make_place(staged).await {
            Err(error) => {
                store.settle(error, Some(self.owner)).await?;
                self.make_place(staged).await?
            }
            made => made?,
        };
        let (abandoned, trash) = store.abandoned(&staged.token, &beginning, &replies).await?;
        if !abandoned.is_empty() {
            // The upload may need their space. The next staging removes whatever cannot be removed now.
            let _ = store.execute(&store.steps.sweep(&abandoned)).await;
        }
        let base = self.base(asked, &replies).await?;
        let lacks_reserve = replies.get(beginning.reserve)? == Ok(&None);
        Ok(Begun { trash, base, lacks_reserve })
    }

    async fn make_place(&self, staged: &Staged) -> Result<Made, StoreError> {
        let store = self.store;
        let mut beginning = store.steps.begin_staging(staged, self.owner);
        let asked = self.trust.ask(store, &mut beginning.batch, self.tree);
        let replies = store.execute(&beginning.batch).await;
        let replies = replies.map_err(|error| store.not_staged(staged, &beginning, error))?;
        Ok(Made { beginning, asked, replies })
    }

    /// Chooses the files to copy, from the replies about the base.
    async fn base(&mut self, asked: Option<ListSteps>, replies: &Replies) -> Result<Option<Base>, StoreError> {
        let chosen = self.trust.base(self.store, (asked, replies), self.tree).await?;
        let (files, bytes) = chosen.as_ref().map_or((0, 0), |(_, base)| base.size());
        self.progress.copied(files, bytes);
        let (used, base) = chosen.unzip();
        self.used = used;
        Ok(base)
    }

    /// Caches the manifest that the host has after the upload, if `now`.
    async fn remember(&self, upload: &Upload, now: bool) {
        if now {
            self.store.known.remember_listed(upload.clone()).await;
        }
    }
}

/// Returns `true` if a file to be copied differed from its manifest entry.
fn is_mismatch(error: &StoreError) -> bool {
    let StoreError::Transport(TransportError::Upload { failure, .. }) = error else { return false };
    failure.kind == FailureKind::Mismatch
}

/// Returns `true` if the host reports the failure, so that almost nothing is still on its way.
///
/// Another stream may already have sent some data, which the next staging removes.
fn is_over(error: &StoreError) -> bool {
    use TransportError::{Source, Step, Upload};
    matches!(error, StoreError::Transport(Upload { .. } | Step { .. } | Source { .. }))
}

impl DirStore {
    /// Removes an upload.
    pub(super) async fn discard(&self, staged: &Staged) -> Result<(), StoreError> {
        self.execute(&self.steps.forgetting(&staged.token)).await?;
        staged.release();
        Ok(())
    }

    /// Converts an error to [`StoreError::NamePruned`] if the pruned name is why a staging ended before it began.
    fn not_staged(&self, staged: &Staged, beginning: &Beginning, error: BatchError) -> StoreError {
        if error.failed_at(beginning.pruned) && error.kind() == Some(FailureKind::Exists) {
            return StoreError::NamePruned { host: self.to_string(), name: staged.name.clone() };
        }
        self.understand_format(beginning.entered, error)
    }

    /// Returns the private files without a mark, or with the mark of a dead process, and the contents of the trash.
    async fn abandoned(
        &self,
        own: &Token,
        beginning: &Beginning,
        replies: &Replies,
    ) -> Result<(Vec<Abandoned>, Vec<Token>), StoreError> {
        let tokens = |list: Handle<Listing>| {
            let listed = replies.get(list)?.as_deref().unwrap_or_default();
            Ok::<Vec<Token>, TransportError>(tokens_in(listed).collect())
        };
        let (marked, trash) = (tokens(beginning.live)?, tokens(beginning.trash)?);
        let mut abandoned = Vec::new();
        for list in beginning.private {
            let unmarked = tokens(list)?.into_iter().filter(|token| token != own && !marked.contains(token));
            abandoned.extend(unmarked.map(|token| Abandoned { token, tells: false }));
        }
        let mut batch = self.steps.empty();
        let mut asked = Vec::new();
        for other in marked.into_iter().filter(|token| token != own) {
            let owner = self.steps.staging(&other).join(&inner("owner"));
            let process = batch.push_lenient(Op::check_process(self.steps.live(&other)));
            asked.push((process, batch.push_lenient(Op::read(owner, limits::STATE)), other));
        }
        if asked.is_empty() {
            return Ok((abandoned, trash));
        }
        let replies = self.execute(&batch).await?;
        for (process, owner, token) in asked {
            if replies.get(process)? == Ok(&Liveness::Gone) {
                let owner = replies.get(owner)?.ok().and_then(Option::as_ref);
                let tells = Kept::<LockOwner>::json(owner).record().is_some_and(|owner| owner.upload.is_some());
                abandoned.push(Abandoned { token, tells });
            }
        }
        Ok((abandoned, trash))
    }
}
