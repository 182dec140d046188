//! Whether a release still is what its manifest says.

use std::sync::Arc;

use crate::{
    manifest::{Difference, DifferenceKind, Digest, Form, Manifest, listed_in_words},
    name::ReleaseName,
    path::InnerPath,
    record::RECORD_FILE,
    token::Token,
    transport::{
        Batch, Compared, Comparison, Effect, FailureKind, Found, Op, Reply, SyncReach, TransportError, TreeName,
    },
    verification::Foreign,
};

use super::{
    DirStore, Layout, StoreError, foreign,
    layout::{LISTS, SEALED_USER, UNSEALED, inner},
    steps::{PRIVATE, PRIVATE_FILE, Steps},
};

/// The most that is read of a manifest, in bytes: some 500,000 entries.
pub(super) const MANIFEST_LIMIT: u64 = 64 << 20;

/// The release that is compared with its manifest in the exchange that takes the lock, so that it costs none of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuickCheck {
    /// The one that the record of the current release names, as the host itself reads it.
    Previous,
    /// This one.
    Release(ReleaseName),
}

/// What comparing a release with its manifest showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// All that the manifest lists is there as it is listed.
    Holds {
        /// How much is there that the manifest does not list.
        added: u64,
        /// Some of those paths, printable.
        some: Vec<String>,
    },
    /// It is damaged.
    Damaged {
        /// In how many entries of the manifest.
        entries: u64,
        /// Some of them, each in words.
        some: Vec<String>,
    },
    /// It has no manifest: it was made by hand, or by an older version.
    NoManifest,
    /// Its manifest is there and cannot be read.
    Unreadable {
        /// Why.
        why: String,
    },
    /// The host could not compare it.
    Impossible {
        /// Why.
        why: String,
    },
}

/// A release, held against its manifest entry by entry.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// The digest of the manifest; `None` when the release has none, and then there is nothing to differ from.
    pub manifest: Option<Digest>,
    /// Every difference, in the order of the paths; what was added is among them.
    pub differences: Vec<Difference>,
    /// What belongs to somebody who may not be trusted with it: of the release, what its manifest lists and its record; of
    /// the tool's own files, what it keeps of the release.
    pub foreign: Vec<Foreign>,
}

impl Checked {
    /// How many entries are shown.
    const SHOWN: usize = 20;

    /// What a comparison of all entries showed.
    pub(super) fn of(verified: &Verified) -> Self {
        if verified.manifest.is_none() {
            return Self::NoManifest;
        }
        let (damaged, mut added): (Vec<&Difference>, Vec<&Difference>) =
            verified.differences.iter().partition(|difference| difference.kind.is_damage());
        if damaged.is_empty() {
            // What could not be looked at is told first.
            added.sort_by_key(|difference| difference.kind != DifferenceKind::TooDeep);
            let some = added.iter().take(Self::SHOWN).map(|difference| difference.shown_path()).collect();
            return Self::Holds { added: added.len() as u64, some };
        }
        let some = damaged.iter().take(Self::SHOWN).map(ToString::to_string).collect();
        Self::Damaged { entries: damaged.len() as u64, some }
    }
}

impl Steps {
    /// Compares a release with its listing, on the host. Its failure is an answer too.
    pub(super) fn compare(&self, batch: &mut Batch, check: &QuickCheck) -> usize {
        let name = match check {
            QuickCheck::Previous => TreeName::Recorded(self.layout.current().join(&inner(RECORD_FILE))),
            QuickCheck::Release(name) => TreeName::Given(name.into()),
        };
        batch.push_lenient(Op::CompareTree {
            trees: self.layout.releases().clone(),
            name,
            lists: self.layout.in_state(&["releases"]),
            list: inner("listing"),
            except: self.beside(),
        })
    }

    /// What is no part of a release's content, and the directories that may have been made for it.
    fn beside(&self) -> Vec<InnerPath> {
        let above =
            |path: InnerPath| std::iter::successors(Some(path), InnerPath::parent).filter(|path| !path.is_root());
        self.unlisted().into_iter().flat_map(above).collect()
    }

    /// Writes what is kept of a release's content anew, each file in the lock first.
    fn seal(&self, token: &Token, name: &ReleaseName, manifest: &Manifest, owner: u32) -> Batch {
        let mut batch = self.empty();
        self.expect_lock(&mut batch, token);
        let kept = self.layout.kept(name);
        batch.push(Op::MakeDir { path: kept.clone(), mode: PRIVATE, existing_is_fine: true });
        let lists = LISTS.into_iter().map(|(file, form)| (file, text_of(manifest, form)));
        for (file, content) in lists.chain([(SEALED_USER, format!("{owner}\n"))]) {
            let written = self.layout.on_the_way(token, file);
            batch.push(Op::RemoveFile { path: written.clone() });
            batch.push(Op::WriteNew { path: written.clone(), content, mode: PRIVATE_FILE });
            batch.push(Op::Sync { paths: vec![written.clone()], reach: SyncReach::Entries });
            batch.push(Op::MoveInto { from: written, into: kept.clone() });
        }
        // Not before all of that is durable.
        batch.push(Op::Sync { paths: vec![kept.clone()], reach: SyncReach::Entries });
        batch.push(Op::RemoveFile { path: kept.join(&inner(UNSEALED)) });
        batch.push(Op::Sync { paths: vec![kept], reach: SyncReach::Entries });
        batch
    }
}

/// The release that a host compared, and what that showed; `None` when it compared none.
pub(super) fn checked(layout: &Layout, reply: Option<&Reply>) -> Option<(ReleaseName, Checked)> {
    let Some(Reply::Comparison(Comparison { tree, found })) = reply else { return None };
    let name = layout.release_name(tree.as_deref()?.as_bytes())?;
    let words = |lines: &[Vec<u8>]| lines.iter().map(|line| listed_in_words(line)).collect::<Vec<_>>();
    let checked = match found {
        Compared::NoTree => return None,
        Compared::NoList => Checked::NoManifest,
        Compared::Unreadable(why) => Checked::Unreadable { why: why.to_string() },
        Compared::Holds { added, some } => Checked::Holds { added: *added, some: words(some) },
        Compared::Differs { lines, some } => {
            let some = words(some).into_iter().map(|what| format!("{what} is missing or changed"));
            Checked::Damaged { entries: *lines, some: some.collect() }
        }
    };
    Some((name, checked))
}

/// Compares the release `name` with its listing, on the host.
pub(super) async fn quick(store: &DirStore, name: &ReleaseName) -> Result<Checked, StoreError> {
    let mut batch = store.steps.empty();
    let at = store.steps.compare(&mut batch, &QuickCheck::Release(name.clone()));
    let replies = store.execute(&batch).await?;
    if let Some(Reply::Failed(why)) = replies.get(at) {
        return Ok(Checked::Impossible { why: why.to_string() });
    }
    match checked(store.layout(), replies.get(at)) {
        Some((_, checked)) => Ok(checked),
        None => Err(StoreError::NoSuchRelease { host: store.to_string(), name: name.clone() }),
    }
}

/// Compares the release `name` with its manifest entry by entry, with `full` the contents too.
pub(super) async fn verify(store: &DirStore, name: &ReleaseName, full: bool) -> Result<Verified, StoreError> {
    let mut batch = store.steps.empty();
    let path = store.layout().kept(name).join(&inner("manifest"));
    batch.push(Op::Read { path, limit: MANIFEST_LIMIT });
    batch.push(Op::Survey { path: store.layout().release(name), digests: full });
    foreign::ask(store, name, &mut batch);
    let replies = store.execute(&batch).await?;
    let Some(Reply::Survey(Some(seen))) = replies.get(1) else {
        return Err(StoreError::NoSuchRelease { host: store.to_string(), name: name.clone() });
    };
    let damaged = |why: String| {
        let what = format!("the manifest of {name}: {why}");
        StoreError::Damaged { host: store.to_string(), what }
    };
    let content = match replies.first() {
        Some(Reply::Content(None)) => {
            return Ok(Verified { manifest: None, differences: Vec::new(), foreign: Vec::new() });
        }
        Some(Reply::Content(Some(Found::Content(content)))) => content,
        Some(Reply::Content(Some(Found::TooLarge))) => return Err(damaged("it is too long to be read".to_owned())),
        _ => return Err(damaged("it is no readable file".to_owned())),
    };
    let manifest = Manifest::parse(content).map_err(|error| damaged(error.to_string()))?;
    let (unlisted, beside) = (store.steps.unlisted(), store.steps.beside());
    let mut differences = manifest.compare(seen, full, &bytes(&unlisted));
    differences.retain(|found| found.kind.is_damage() || !bytes(&beside).contains(&&found.path[..]));
    let foreign = foreign::read(store, name, &manifest, seen, &replies[2..]);
    Ok(Verified { manifest: Some(Digest::of(content)), differences, foreign })
}

/// Looks at the release `name` anew and keeps what it finds as its manifest.
pub(super) async fn seal(store: &DirStore, token: &Token, name: &ReleaseName) -> Result<(), StoreError> {
    let mut batch = store.steps.empty();
    store.steps.expect_lock(&mut batch, token);
    batch.push(Op::Survey { path: store.layout().release(name), digests: true });
    batch.push(Op::Inspect { path: store.layout().release(name) });
    let replies = store.execute(&batch).await.map_err(|error| lost(store, error))?;
    let (Some(Reply::Survey(Some(seen))), Some(Reply::Entry(Some(release)))) = (replies.get(1), replies.get(2)) else {
        return Err(StoreError::NoSuchRelease { host: store.to_string(), name: name.clone() });
    };
    let unlisted = store.steps.unlisted();
    let manifest = Manifest::of_survey(seen, &bytes(&unlisted)).map_err(|path| StoreError::Unlistable {
        host: store.to_string(),
        name: name.clone(),
        path: crate::manifest::shown(&path),
    })?;
    store
        .execute(&store.steps.seal(token, name, &manifest, release.owner))
        .await
        .map_err(|error| lost(store, error))?;
    store.known.remember(Arc::new(manifest)).await;
    Ok(())
}

fn bytes(paths: &[InnerPath]) -> Vec<&[u8]> {
    paths.iter().map(|path| path.as_str().as_bytes()).collect()
}

/// A lock that is not there any more, when that is why a batch ended.
fn lost(store: &DirStore, error: TransportError) -> StoreError {
    let missing = error.failure().is_some_and(|failure| failure.kind == FailureKind::Missing);
    if missing && error.effect() == Effect::Steps(Steps::LOCK_STEP) {
        return StoreError::LockLost { host: store.to_string() };
    }
    error.into()
}

/// A list as text: names that are not UTF-8 stand in the manifest only.
fn text_of(manifest: &Manifest, form: Form) -> String {
    let list = manifest.in_form(form);
    let lines = list.split_inclusive(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    lines.collect()
}
