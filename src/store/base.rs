//! The files of a new release that a release on the host already has.

use std::sync::Arc;

use crate::{
    limits,
    manifest::{Digest, Manifest, Seen, Surveyed},
    name::ReleaseName,
    path::InnerPath,
    run_blocking::run_blocking,
    transport::{Ask, Base, BaseLists, Batch, Content, Found, Handle, MayFail, Op, Replies},
    tree::Tree,
};

use super::{
    DirStore, StoreError,
    known::WORTH,
    layout::{LISTS, inner},
};

/// Trees with fewer files probably have a short manifest.
const FEW: u64 = 100;

/// The trusted source about the content of a host's releases.
#[derive(Debug, Clone)]
pub(super) enum Trust {
    /// The manifest of one of these releases, best first.
    Manifest(Vec<ReleaseName>),
    /// No source: everything is sent. A base that failed verification is not read to find out what it holds. An
    /// application may have written any amount of data into it, and reading that must not take longer than sending the
    /// whole release.
    Nothing,
}

/// The steps that request the lists of a base.
#[derive(Debug, Clone, Copy)]
pub(super) struct ListSteps {
    /// The step that digests its kept files.
    digests: Handle<MayFail<KeptFiles>>,
    /// The step that reads its manifest, if that is probably short.
    manifest: Option<Handle<MayFail<Content>>>,
}

/// The digests of the files kept for a release.
type KeptFiles = Option<Vec<Surveyed>>;

impl Trust {
    /// Adds the steps that request the lists of the first base, if any.
    pub(super) fn ask(&self, store: &DirStore, batch: &mut Batch, tree: &Tree) -> Option<ListSteps> {
        let Self::Manifest(bases) = self else { return None };
        let base = bases.first()?;
        let digests = batch.push_lenient(lists_of(store, base));
        // Short manifests are not cached between runs, and reading one costs less than an exchange.
        let manifest =
            (tree.files() < FEW).then(|| batch.push_lenient(Op::read(manifest_of(store, base), WORTH as u64)));
        Some(ListSteps { digests, manifest })
    }

    /// Returns the release to copy from, and the part of `tree` that it has; `asked` are the steps of
    /// [`ask`](Self::ask).
    pub(super) async fn base(
        &self,
        store: &DirStore,
        (asked, replies): (Option<ListSteps>, &Replies),
        tree: &Arc<Tree>,
    ) -> Result<Option<(ReleaseName, Base)>, StoreError> {
        match (self, asked) {
            (Self::Manifest(bases), Some(asked)) => Choice { store, tree }.listed(bases, asked, replies).await,
            _ => Ok(None),
        }
    }
}

/// Requests the digests of the files kept for a release, including its lists.
pub(super) fn lists_of(store: &DirStore, name: &ReleaseName) -> Ask<KeptFiles> {
    Op::survey(store.layout().kept(name), true)
}

fn manifest_of(store: &DirStore, name: &ReleaseName) -> InnerPath {
    store.layout().kept(name).join(&inner("manifest"))
}

struct Choice<'s> {
    store: &'s DirStore,
    tree: &'s Arc<Tree>,
}

impl Choice<'_> {
    /// Returns the first of `bases` that has a manifest and any file of the tree; `asked` are the steps for the first.
    async fn listed(
        &self,
        bases: &[ReleaseName],
        asked: ListSteps,
        replies: &Replies,
    ) -> Result<Option<(ReleaseName, Base)>, StoreError> {
        let Some((name, others)) = bases.split_first() else { return Ok(None) };
        let short = replies.get_some(asked.manifest)?.and_then(Result::ok);
        if let Ok(Some(kept)) = replies.get(asked.digests)?
            && let Some(base) = self.listed_by(name, kept, short.and_then(Option::as_ref)).await?
        {
            return Ok(Some((name.clone(), base)));
        }
        if others.is_empty() {
            return Ok(None);
        }
        let mut batch = self.store.steps.empty();
        let asked: Vec<_> = others.iter().map(|name| (name, batch.push_lenient(lists_of(self.store, name)))).collect();
        let replies = self.store.execute(&batch).await?;
        for (name, digests) in asked {
            if let Ok(Some(kept)) = replies.get(digests)?
                && let Some(base) = self.listed_by(name, kept, None).await?
            {
                return Ok(Some((name.clone(), base)));
            }
        }
        Ok(None)
    }

    /// Returns the part of the tree that the release `name` has, given the digests of its kept files.
    ///
    /// A release without a valid manifest has nothing.
    async fn listed_by(
        &self,
        name: &ReleaseName,
        kept: &[Surveyed],
        short: Option<&Found>,
    ) -> Result<Option<Base>, StoreError> {
        let Some(digest) = digest_of(kept, "manifest") else { return Ok(None) };
        let Some(old) = self.manifest(name, digest, short).await? else { return Ok(None) };
        let (from, directory) = (self.store.layout().release(name), self.store.layout().kept(name));
        let (tree, kept) = (Arc::clone(self.tree), kept.to_owned());
        let compared = run_blocking(move || {
            let mut base = Base::between(from, &old, &*tree.manifest().ok()?)?;
            let whole = |file, form| digest_of(&kept, file) == Some(Digest::of(&old.in_form(form)));
            let places = LISTS.iter().filter(|(file, form)| whole(file, *form));
            let places = places.map(|(file, form)| (directory.join(&inner(file)), *form)).collect();
            base.lists = Some(BaseLists { manifest: old, places });
            Some(base)
        });
        // If the source is unreadable, its upload reports that.
        Ok(compared.await.flatten())
    }

    /// Returns the manifest with this digest of the release `name`: from the cache, else `short`, else from the host.
    async fn manifest(
        &self,
        name: &ReleaseName,
        digest: Digest,
        short: Option<&Found>,
    ) -> Result<Option<Arc<Manifest>>, StoreError> {
        let known = self.store.known.clone();
        if let Some(Some(manifest)) = run_blocking(move || known.get(&digest)).await {
            return Ok(Some(manifest));
        }
        let text = if let Some(Found::Content(text)) = short {
            text.clone()
        } else {
            let mut batch = self.store.steps.empty();
            let read = batch.push_lenient(Op::read(manifest_of(self.store, name), limits::MANIFEST));
            match self.store.execute(&batch).await?.get(read)? {
                Ok(Some(Found::Content(text))) => text.clone(),
                _ => return Ok(None),
            }
        };
        let Some(manifest) = Manifest::parse(&text).ok().filter(|_| Digest::of(&text) == digest) else {
            return Ok(None);
        };
        let manifest = Arc::new(manifest);
        self.store.known.remember(Arc::clone(&manifest)).await;
        Ok(Some(manifest))
    }
}

/// Returns the digest of the file `name` among the files kept for a release.
pub(super) fn digest_of(kept: &[Surveyed], name: &str) -> Option<Digest> {
    let found = kept.iter().find(|entry| entry.path == name.as_bytes())?;
    if let Seen::File { digest, .. } = found.node { digest } else { None }
}
