//! Staging: a release is uploaded into a private directory, and made durable there. What a release that is there already
//! has of it is copied on the host.

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

/// Brings `tree` to the host of `store` as the release `name`. What one of `bases`, best first, has of it is copied there:
/// what its manifest says, and when it does not hold that, nothing.
pub(super) async fn stage(
    store: &DirStore,
    name: &ReleaseName,
    tree: Arc<Tree>,
    owner: &LockOwner,
    bases: &[ReleaseName],
    progress: &dyn Progress,
) -> Result<Staged, StoreError> {
    // A small tree too: what is copied keeps its modification time, and with it its place in caches.
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

/// One release on its way to one host.
struct Staging<'s> {
    store: &'s DirStore,
    name: &'s ReleaseName,
    tree: &'s Arc<Tree>,
    owner: &'s LockOwner,
    progress: &'s dyn Progress,
    trust: &'s Trust,
    /// The release that is copied from, once it is chosen.
    used: Option<ReleaseName>,
}

/// What the host answered when the place was made, and where in it.
struct Made {
    replies: Vec<Reply>,
    /// What others have in private.
    lists: Range<usize>,
    reserve: usize,
    /// What the release that is copied from has.
    asked: Option<usize>,
}

/// What an upload begins with.
struct Begun {
    trash: Vec<Token>,
    base: Option<Base>,
    /// Whether there is no reserve for going back on a full filesystem.
    lacks_reserve: bool,
}

/// What nobody will finish.
pub(super) struct Abandoned {
    pub(super) token: Token,
    /// Whether it is an upload that says what it was.
    pub(super) tells: bool,
}

impl Staging<'_> {
    /// Uploads, and removes what arrived when that fails.
    async fn attempt(&mut self) -> Result<Staged, StoreError> {
        let staged = Staged { name: self.name.clone(), token: Token::random() };
        let uploaded = self.upload(&staged).await;
        if uploaded.as_ref().is_err_and(is_over) {
            // A disk that it filled must be free again for whoever goes back now. Failing to harms nobody.
            let _ = self.store.execute(&self.store.steps.forgetting(&staged.token)).await;
        }
        uploaded.map(|()| staged)
    }

    /// Uploads into a private directory and makes it durable there.
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
        // What is known already is remembered while the host is at work; anything else only once it has gone by.
        let early = self.tree.known_manifest().is_some();
        let uploading = store.transport.upload(&upload, self.progress);
        let (uploaded, ()) = tokio::join!(uploading, self.remember(&upload, early));
        uploaded?;
        let end = steps.end_staging(staged, &self.record(), lacks_reserve);
        let (ended, ()) = tokio::join!(store.execute(&end), self.remember(&upload, !early));
        ended?;
        for left in trash {
            // What cannot be removed now is tried again by the next one.
            let _ = store.remove_trash(&left).await;
        }
        Ok(())
    }

    /// Makes the place, and finds out what need not be sent.
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
            // The upload may need their space. What cannot be removed now is tried again by the next one.
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

    /// What is copied, once the host answered what it was asked of it.
    async fn base(&mut self, replies: &[Reply]) -> Result<Option<Base>, StoreError> {
        let chosen = self.trust.base(self.store, replies, self.tree).await?;
        let (files, bytes) = chosen.as_ref().map_or((0, 0), |(_, base)| base.size());
        self.progress.copied(files, bytes);
        let (used, base) = chosen.unzip();
        self.used = used;
        Ok(base)
    }

    /// Remembers what the host has then, when it is time for that.
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

/// Whether what was to be copied was not what it was taken for.
fn is_mismatch(error: &StoreError) -> bool {
    let StoreError::Transport(TransportError::Upload { failure, .. }) = error else { return false };
    failure.kind == FailureKind::Mismatch
}

/// Whether the host says that it failed, so that hardly anything of it is still on its way: at most what another stream of it had
/// sent, which the next upload removes.
fn is_over(error: &StoreError) -> bool {
    use TransportError::{Source, Step, Upload};
    matches!(error, StoreError::Transport(Upload { .. } | Step { .. } | Source { .. }))
}

impl DirStore {
    /// A name that is taken for ever, when that is why a staging ended before it began.
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

    /// What nobody will finish: whatever others have in private without a mark, or with the mark of a process that is
    /// gone; and what lies in the trash, which is nobody's.
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
