//! Staging: uploads a release into a private directory and makes it durable there. Files that an existing
//! release has are copied on the host.

use std::{ops::Range, sync::Arc};

use crate::{
    lock::LockOwner,
    name::ReleaseName,
    token::Token,
    transport::{Base, Batch, FailureKind, Liveness, Op, Progress, Reply, TransportError, Upload},
    tree::Tree,
};

use super::{
    DirStore, Kept, Staged, StagedRecord, StoreError,
    base::Trust,
    layout::inner,
    query::{Query, STATE_LIMIT},
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
    replies: Vec<Reply>,
    /// The lists of all runs' private files.
    lists: Range<usize>,
    reserve: usize,
    /// The reply about the base's lists.
    asked: Option<usize>,
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
        let staged = Staged { name: self.name.clone(), token: Token::random() };
        let uploaded = self.upload(&staged).await;
        if uploaded.as_ref().is_err_and(is_over) {
            // A disk that the upload filled must have space again for a rollback. A failure is harmless: a later
            // staging removes the files.
            let _ = self.store.execute(&self.store.steps.forgetting(&staged.token)).await;
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
        let end = steps.end_staging(staged, &self.record(), lacks_reserve);
        let (ended, ()) = tokio::join!(store.execute(&end), self.remember(&upload, !early));
        ended?;
        for left in trash {
            // If it cannot be removed now, the next staging tries again.
            let _ = store.remove_trash(&left).await;
        }
        Ok(())
    }

    /// Creates the private directory, and determines which files need not be sent.
    async fn begin(&mut self, staged: &Staged) -> Result<Begun, StoreError> {
        let store = self.store;
        let Made { replies, lists, reserve, asked } = match self.make_place(staged).await {
            Err(error) => {
                store.settle(error, Some(self.owner)).await?;
                self.make_place(staged).await?
            }
            made => made?,
        };
        let (abandoned, trash) = store.abandoned(&staged.token, &replies[lists]).await?;
        if !abandoned.is_empty() {
            // The upload may need their space. The next staging removes whatever cannot be removed now.
            let _ = store.execute(&store.steps.sweep(&abandoned)).await;
        }
        let base = self.base(asked.map_or(&[][..], |at| &replies[at.min(replies.len())..])).await?;
        let lacks_reserve = matches!(replies.get(reserve), Some(Reply::Entry(None)));
        Ok(Begun { trash, base, lacks_reserve })
    }

    async fn make_place(&self, staged: &Staged) -> Result<Made, StoreError> {
        let store = self.store;
        let (mut batch, lists, reserve) = store.steps.begin_staging(staged, self.owner);
        let asked = self.trust.ask(store, &mut batch, self.tree);
        let replies = store.execute(&batch).await.map_err(|error| store.not_staged(staged, &batch, error))?;
        Ok(Made { replies, lists, reserve, asked })
    }

    /// Chooses the files to copy, from the replies about the base.
    async fn base(&mut self, replies: &[Reply]) -> Result<Option<Base>, StoreError> {
        let chosen = self.trust.base(self.store, replies, self.tree).await?;
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

    fn record(&self) -> StagedRecord {
        StagedRecord {
            format: 1,
            at: self.owner.since,
            by: self.owner.by.clone(),
            files: self.tree.files(),
            bytes: self.tree.bytes(),
            digest: self.tree.digest().ok(),
            revision: self.owner.revision.clone(),
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
    /// Converts an error to [`StoreError::NamePruned`] if the pruned name is why a staging ended before it began.
    fn not_staged(&self, staged: &Staged, batch: &Batch, error: TransportError) -> StoreError {
        let step = if let TransportError::Step { index, .. } = &error { batch.steps.get(*index) } else { None };
        match step.map(|step| &step.op) {
            Some(Op::ExpectAbsent { .. })
                if error.failure().is_some_and(|failure| failure.kind == FailureKind::Exists) =>
            {
                StoreError::NamePruned { host: self.to_string(), name: staged.name.clone() }
            }
            _ => self.understand_format(error),
        }
    }

    /// Returns the private files without a mark, or with the mark of a dead process, and the contents of the trash.
    async fn abandoned(&self, own: &Token, lists: &[Reply]) -> Result<(Vec<Abandoned>, Vec<Token>), StoreError> {
        let marked: Vec<Token> = Query::tokens_in(lists.last()).collect();
        let trash = lists.len() - 2;
        let private = lists[..trash].iter().flat_map(|list| Query::tokens_in(Some(list)));
        let unmarked = private.filter(|token| token != own && !marked.contains(token));
        let mut abandoned: Vec<Abandoned> = unmarked.map(|token| Abandoned { token, tells: false }).collect();
        let trash: Vec<Token> = Query::tokens_in(lists.get(trash)).collect();
        let others: Vec<&Token> = marked.iter().filter(|token| *token != own).collect();
        if !others.is_empty() {
            let mut batch = self.steps.empty();
            for other in &others {
                let owner = self.steps.staging(other).join(&inner("owner"));
                batch.push_lenient(Op::CheckProcess { path: self.steps.live(other) });
                batch.push_lenient(Op::Read { path: owner, limit: STATE_LIMIT });
            }
            let replies = self.execute(&batch).await?;
            let answers = others.into_iter().zip(replies.chunks(2));
            let gone = answers.filter(|(_, replies)| replies.first() == Some(&Reply::Process(Liveness::Gone)));
            abandoned.extend(gone.map(|(token, replies)| {
                let found = if let Some(Reply::Content(found)) = replies.get(1) { found.as_ref() } else { None };
                let tells = Kept::<LockOwner>::json(found).record().is_some_and(|owner| owner.upload.is_some());
                Abandoned { token: token.clone(), tells }
            }));
        }
        Ok((abandoned, trash))
    }
}
