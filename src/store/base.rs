//! The files of a new release that a release on the host already has.

use std::sync::Arc;

use crate::{
    blocking::apart,
    manifest::{Digest, Manifest, Seen, Surveyed},
    name::ReleaseName,
    path::InnerPath,
    transport::{Base, BaseLists, Batch, Found, Op, Reply},
    tree::Tree,
};

use super::{
    DirStore, StoreError,
    check::MANIFEST_LIMIT,
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

impl Trust {
    /// Adds the steps that request the source's lists, if any, and returns the first.
    pub(super) fn ask(&self, store: &DirStore, batch: &mut Batch, tree: &Tree) -> Option<usize> {
        match self {
            Self::Manifest(bases) => {
                let base = bases.first()?;
                let first = batch.push_lenient(lists_of(store, base));
                // Short manifests are not cached between runs, and reading one costs less than an exchange.
                if tree.files() < FEW {
                    batch.push_lenient(Op::Read { path: manifest_of(store, base), limit: WORTH as u64 });
                }
                Some(first)
            }
            Self::Nothing => None,
        }
    }

    /// Returns the release to copy from, and the part of `tree` that it has.
    ///
    /// `replies` begins with the replies to [`ask`](Self::ask).
    pub(super) async fn base(
        &self,
        store: &DirStore,
        replies: &[Reply],
        tree: &Arc<Tree>,
    ) -> Result<Option<(ReleaseName, Base)>, StoreError> {
        match self {
            Self::Manifest(bases) => Choice { store, tree }.listed(bases, replies).await,
            Self::Nothing => Ok(None),
        }
    }
}

/// Requests the digests of the files kept for a release, including its lists.
pub(super) fn lists_of(store: &DirStore, name: &ReleaseName) -> Op {
    Op::Survey { path: store.layout().kept(name), digests: true }
}

fn manifest_of(store: &DirStore, name: &ReleaseName) -> InnerPath {
    store.layout().kept(name).join(&inner("manifest"))
}

struct Choice<'s> {
    store: &'s DirStore,
    tree: &'s Arc<Tree>,
}

impl Choice<'_> {
    /// Returns the first of `bases` that has a manifest and any file of the tree.
    ///
    /// `first` holds the digests of the first base's kept files, and its manifest if that is short.
    async fn listed(&self, bases: &[ReleaseName], first: &[Reply]) -> Result<Option<(ReleaseName, Base)>, StoreError> {
        let Some((name, others)) = bases.split_first() else { return Ok(None) };
        if let Some(base) = self.listed_by(name, first.first(), first.get(1)).await? {
            return Ok(Some((name.clone(), base)));
        }
        if others.is_empty() {
            return Ok(None);
        }
        let mut batch = self.store.steps.empty();
        for name in others {
            batch.push_lenient(lists_of(self.store, name));
        }
        for (name, reply) in others.iter().zip(self.store.execute(&batch).await?) {
            if let Some(base) = self.listed_by(name, Some(&reply), None).await? {
                return Ok(Some((name.clone(), base)));
            }
        }
        Ok(None)
    }

    /// Returns the part of the tree that the release `name` has, given the digests of its kept files in `reply`.
    ///
    /// A release without a valid manifest has nothing.
    async fn listed_by(
        &self,
        name: &ReleaseName,
        reply: Option<&Reply>,
        short: Option<&Reply>,
    ) -> Result<Option<Base>, StoreError> {
        let Some(Reply::Survey(Some(kept))) = reply else { return Ok(None) };
        let Some(digest) = digest_of(kept, "manifest") else { return Ok(None) };
        let Some(old) = self.manifest(name, digest, short).await? else { return Ok(None) };
        let (from, directory) = (self.store.layout().release(name), self.store.layout().kept(name));
        let (tree, kept) = (Arc::clone(self.tree), kept.clone());
        let compared = apart(move || {
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

    /// Returns the manifest with this digest of the release `name`: from the cache, else from the reply, else from
    /// the host.
    async fn manifest(
        &self,
        name: &ReleaseName,
        digest: Digest,
        short: Option<&Reply>,
    ) -> Result<Option<Arc<Manifest>>, StoreError> {
        let known = self.store.known.clone();
        if let Some(Some(manifest)) = apart(move || known.get(&digest)).await {
            return Ok(Some(manifest));
        }
        let reply = if let Some(reply @ Reply::Content(Some(Found::Content(_)))) = short {
            Some(reply.clone())
        } else {
            let mut batch = self.store.steps.empty();
            batch.push_lenient(Op::Read { path: manifest_of(self.store, name), limit: MANIFEST_LIMIT });
            self.store.execute(&batch).await?.into_iter().next()
        };
        let Some(Reply::Content(Some(Found::Content(text)))) = reply else { return Ok(None) };
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
