//! Staging: a release is uploaded into a private directory, and made durable there. What the current release has is copied
//! on the host.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use crate::{
    lock::LockOwner,
    manifest::Manifest,
    name::ReleaseName,
    token::Token,
    transport::{Base, Batch, FailureKind, Found, Liveness, Op, Progress, Reply, TransportError, Upload},
    tree::Tree,
};

use super::{DirStore, Staged, StagedRecord, StoreError, check::MANIFEST_LIMIT, layout::inner, query::Query};

/// A tree of fewer files and fewer bytes is sent sooner than a host is asked what it has of it.
const WORTH_FILES: u64 = 64;
const WORTH_BYTES: u64 = 1 << 20;

/// Brings `tree` to the host of `store` as the release `name`. What the current release has of it is copied there, and when
/// that release does not hold what its manifest says, all is sent.
pub(super) async fn stage(
    store: &DirStore,
    name: &ReleaseName,
    tree: Arc<Tree>,
    owner: &LockOwner,
    progress: &dyn Progress,
) -> Result<Staged, StoreError> {
    let staging = Staging { store, name, tree, owner, progress };
    if staging.tree.files() < WORTH_FILES && staging.tree.bytes() < WORTH_BYTES {
        return staging.attempt(false).await;
    }
    match staging.attempt(true).await {
        Err(StoreError::Transport(TransportError::Upload { failure, .. })) if failure.kind == FailureKind::Mismatch => {
            progress.copied(0, 0);
            staging.attempt(false).await
        }
        other => other,
    }
}

/// One release on its way to one host.
struct Staging<'s> {
    store: &'s DirStore,
    name: &'s ReleaseName,
    tree: Arc<Tree>,
    owner: &'s LockOwner,
    progress: &'s dyn Progress,
}

impl Staging<'_> {
    /// Uploads, and removes what arrived when that fails.
    async fn attempt(&self, with_base: bool) -> Result<Staged, StoreError> {
        let staged = Staged { name: self.name.clone(), token: Token::random() };
        let uploaded = self.upload(&staged, with_base).await;
        if uploaded.as_ref().is_err_and(is_over) {
            // A disk that it filled must be free again for whoever goes back now. Failing to harms nobody.
            let _ = self.store.execute(&self.store.steps.forgetting(&staged.token)).await;
        }
        uploaded.map(|()| staged)
    }

    /// Uploads into a private directory and makes it durable there.
    async fn upload(&self, staged: &Staged, with_base: bool) -> Result<(), StoreError> {
        let (store, steps) = (self.store, &self.store.steps);
        let (mut batch, lists) = steps.begin_staging(staged);
        let current = with_base.then(|| batch.push_lenient(Op::ReadLink { path: store.layout().current().clone() }));
        let replies = store.execute(&batch).await.map_err(|error| store.not_staged(staged, &batch, error))?;
        let (abandoned, trash) = store.abandoned(&staged.token, &replies[lists]).await?;
        let base = match current.and_then(|at| replies.get(at)) {
            Some(Reply::Link(Some(text))) => self.base(text).await?,
            _ => None,
        };
        let (files, bytes) = base.as_ref().map_or((0, 0), Base::size);
        self.progress.copied(files, bytes);
        let upload = Upload {
            root: steps.root.clone(),
            into: steps.staged_content(staged),
            tree: Arc::clone(&self.tree),
            lists: steps.staged_lists(staged),
            unlisted: steps.unlisted(),
            base,
        };
        store.transport.upload(&upload, self.progress).await?;
        let record = StagedRecord {
            format: 1,
            at: self.owner.since,
            by: self.owner.by.clone(),
            files: self.tree.files(),
            bytes: self.tree.bytes(),
            digest: self.tree.digest().ok(),
        };
        store.execute(&steps.end_staging(staged, &record, &abandoned)).await?;
        for left in trash {
            // What cannot be removed now is tried again by the next one.
            let _ = store.remove_trash(&left).await;
        }
        Ok(())
    }

    /// What the release that `current`, a link of this text, leads to has of the tree. A release without a manifest, or
    /// with one that cannot be read, has nothing; and whether a source cannot be read, its upload says.
    async fn base(&self, current: &[u8]) -> Result<Option<Base>, StoreError> {
        let layout = self.store.layout();
        let last = current.rsplit(|byte| *byte == b'/').next().unwrap_or(current);
        let Some(name) = layout.release_name(last).filter(|name| layout.link_to(name) == current) else {
            return Ok(None);
        };
        let mut batch = self.store.steps.empty();
        let path = layout.kept(&name).join(&inner("manifest"));
        batch.push_lenient(Op::Read { path, limit: MANIFEST_LIMIT });
        let replies = self.store.execute(&batch).await?;
        let Some(Reply::Content(Some(Found::Content(text)))) = replies.first() else { return Ok(None) };
        let Ok(old) = Manifest::parse(text) else { return Ok(None) };
        let tree = Arc::clone(&self.tree);
        let Ok(Ok(new)) = spawn_blocking(move || tree.manifest()).await else { return Ok(None) };
        Ok(Base::between(layout.release(&name), &old, &new))
    }
}

/// Whether the host says that it failed, so that nothing of it is still on its way.
fn is_over(error: &StoreError) -> bool {
    use TransportError::{Source, Step, Upload};
    matches!(error, StoreError::Transport(Upload { .. } | Step { .. } | Source { .. }))
}

impl DirStore {
    /// A name that is taken for ever, when that is why a staging ended before it began.
    fn not_staged(&self, staged: &Staged, batch: &Batch, error: TransportError) -> StoreError {
        let step = if let TransportError::Step { index, .. } = &error { batch.steps.get(*index) } else { None };
        match step.map(|step| &step.op) {
            Some(Op::ExpectAbsent { .. }) => {
                StoreError::NamePruned { host: self.to_string(), name: staged.name.clone() }
            }
            _ => self.understand_format(error),
        }
    }

    /// What nobody will finish: whatever others have in private without a mark, or with the mark of a process that is
    /// gone; and what lies in the trash, which is nobody's.
    async fn abandoned(&self, own: &Token, lists: &[Reply]) -> Result<(Vec<Token>, Vec<Token>), StoreError> {
        let marked: Vec<Token> = Query::tokens_in(lists.last()).collect();
        let trash = lists.len() - 2;
        let private = lists[..trash].iter().flat_map(|list| Query::tokens_in(Some(list)));
        let unmarked = private.filter(|token| token != own && !marked.contains(token));
        let mut abandoned: Vec<Token> = unmarked.collect();
        let trash: Vec<Token> = Query::tokens_in(lists.get(trash)).collect();
        let others: Vec<&Token> = marked.iter().filter(|token| *token != own).collect();
        if !others.is_empty() {
            let mut batch = self.steps.empty();
            for other in &others {
                batch.push_lenient(Op::CheckProcess { path: self.steps.live(other) });
            }
            let replies = self.execute(&batch).await?;
            let gone = others.into_iter().zip(replies).filter(|(_, reply)| *reply == Reply::Process(Liveness::Gone));
            abandoned.extend(gone.map(|(token, _)| token.clone()));
        }
        Ok((abandoned, trash))
    }
}
