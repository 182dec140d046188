//! Which files of a new release one that is on the host has already.

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

/// The manifest of a tree of fewer files is likely a short one.
const FEW: u64 = 100;

/// What is believed of the releases that are on a host.
#[derive(Debug, Clone)]
pub(super) enum Trust {
    /// What the manifest of one of these says, best first.
    Manifest(Vec<ReleaseName>),
    /// Nothing. A base that did not hold what was believed of it is not read to find out what it holds: an application may have
    /// put any amount into it, and sending all of the release must never take less time.
    Nothing,
}

impl Trust {
    /// Adds the steps, if any, that ask for what is believed, and returns the first.
    pub(super) fn ask(&self, store: &DirStore, batch: &mut Batch, tree: &Tree) -> Option<usize> {
        match self {
            Self::Manifest(bases) => {
                let base = bases.first()?;
                let first = batch.push_lenient(lists_of(store, base));
                // A short manifest is not remembered from one run to the next, and reading it costs less than an exchange.
                if tree.files() < FEW {
                    batch.push_lenient(Op::Read { path: manifest_of(store, base), limit: WORTH as u64 });
                }
                Some(first)
            }
            Self::Nothing => None,
        }
    }

    /// The release that is copied from, and what of `tree` it has. `replies` begin with the answers to what was
    /// [asked](Self::ask).
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

/// Asks for the digests of what is kept of a release, its lists among it.
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
    /// The first of `bases` that has a manifest and anything of the tree; `first` says what is kept of the first, and has its
    /// manifest where that is short.
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

    /// What of the tree the release `name` has, of which `reply` says what is kept. A release without a manifest, or with
    /// one that means nothing, has nothing.
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
        // Whether a source cannot be read, its upload says.
        Ok(compared.await.flatten())
    }

    /// The manifest of this digest that is kept of the release `name`: from memory, else as it came along, else from the host.
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

/// The digest of the file `name` among what is kept of a release.
pub(super) fn digest_of(kept: &[Surveyed], name: &str) -> Option<Digest> {
    let found = kept.iter().find(|entry| entry.path == name.as_bytes())?;
    if let Seen::File { digest, .. } = found.node { digest } else { None }
}
