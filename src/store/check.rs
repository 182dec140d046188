//! The comparison of releases with their manifests.

use std::sync::Arc;

use crate::{
    manifest::{Difference, Digest, Form, Manifest, is_within},
    name::ReleaseName,
    path::InnerPath,
    record::RECORD_FILE,
    shared::{BrokenLink, SharedRecord},
    token::Token,
    transport::{
        Batch, Compared, Comparison, Counted, DifferentEntries, Found, Handle, MayFail, Op, StepFailure, SyncReach,
        TreeName, above,
    },
    verification::Foreign,
};

use super::{
    DirStore, HostedRelease, Layout, StoreError, base, foreign,
    layout::{LISTS, MANIFEST, SEALED_USER, UNSEALED, inner},
    links,
    seal::{Marked, manifest_of},
    steps::{LockedBatch, PRIVATE, PRIVATE_FILE, Steps},
};

/// The release to compare with its manifest in the exchange that takes the lock, so that the check costs no
/// exchange of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuickCheck {
    /// The previous release, which the host itself reads from the current release's record.
    Previous,
    /// The named release.
    Release(ReleaseName),
}

/// The result of comparing a release with its manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// The release is intact: everything that the manifest lists exists as listed.
    Holds {
        /// The number of existing paths that the manifest does not list.
        added: u64,
        /// Some of these paths, printable.
        some: Vec<String>,
        /// The number of entries with another mode that grants nobody additional rights.
        modes: u64,
        /// Some of these entries, each in words.
        changed: Vec<String>,
    },
    /// The release is damaged.
    Damaged {
        /// The number of damaged entries of the manifest.
        entries: u64,
        /// Some of these entries, each in words.
        some: Vec<String>,
    },
    /// The release has no manifest: it was made by hand, or by an older version.
    NoManifest,
    /// The manifest exists and cannot be read.
    Unreadable {
        /// The reason.
        why: String,
    },
    /// The host could not compare the release.
    Impossible {
        /// The reason.
        why: String,
    },
}

/// The result of examining a release that no host moves to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Examined {
    /// The release.
    pub name: ReleaseName,
    /// The result of comparing it with its manifest.
    pub checked: Checked,
    /// Its broken symlinks to shared paths.
    pub links: Vec<BrokenLink>,
}

/// The result of comparing a release with its manifest entry by entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// The digest of the manifest; `None` if the release has none, and so nothing to differ from.
    pub manifest: Option<Digest>,
    /// The differences, including added files.
    pub differences: DifferentEntries,
    /// The files of untrusted owners: entries of the manifest, the release's record, and the tool's own files about
    /// the release.
    pub foreign: Counted<Foreign>,
}

impl Examined {
    /// A result without broken symlinks.
    #[must_use]
    pub const fn new(name: ReleaseName, checked: Checked) -> Self {
        Self { name, checked, links: Vec::new() }
    }
}

impl Verified {
    /// Returns the same result in the form of a [`check`](super::ReleaseStore::check).
    #[must_use]
    pub fn checked(&self) -> Checked {
        if self.manifest.is_some() { Checked::of(&self.differences) } else { Checked::NoManifest }
    }
}

impl Checked {
    /// The number of entries shown.
    const SHOWN: usize = 20;

    /// Interprets the differences.
    fn of(found: &DifferentEntries) -> Self {
        let DifferentEntries { damage, modes, added, .. } = found;
        if damage.count == 0 {
            return Self::Holds {
                added: added.count,
                some: added.some.iter().take(Self::SHOWN).map(Difference::shown_path).collect(),
                modes: modes.count,
                changed: words(&modes.some),
            };
        }
        Self::Damaged { entries: damage.count, some: words(&damage.some) }
    }
}

/// Describes some of these differences.
fn words(differences: &[Difference]) -> Vec<String> {
    differences.iter().take(Checked::SHOWN).map(ToString::to_string).collect()
}

impl Steps {
    /// Adds the step that compares a release with its manifest on the host, except the `unlisted` paths. May fail: a
    /// failure is an answer too.
    pub(super) fn compare(
        &self,
        batch: &mut Batch,
        check: &QuickCheck,
        unlisted: Vec<InnerPath>,
        (contents, owners): (bool, Option<Vec<u32>>),
    ) -> Handle<MayFail<Comparison>> {
        let name = match check {
            QuickCheck::Previous => TreeName::Recorded(self.layout.current().join(&inner(RECORD_FILE))),
            QuickCheck::Release(name) => TreeName::Given(name.into()),
        };
        let tree = (self.layout.releases().clone(), name);
        let manifest = (self.layout.in_state(&["releases"]), inner(MANIFEST));
        batch.push_lenient(Op::compare_tree(tree, manifest, contents, owners, unlisted))
    }

    fn compare_hosted(
        &self,
        batch: &mut Batch,
        release: &HostedRelease,
        (contents, owners): (bool, Option<Vec<u32>>),
    ) -> Handle<MayFail<Comparison>> {
        let check = QuickCheck::Release(release.name.clone());
        self.compare(batch, &check, unlisted(release.links.record()), (contents, owners))
    }

    /// Writes the lists of a release again, each file in the lock first, and then removes `mark`.
    ///
    /// With `owner`, also writes the present owner of the release.
    pub(super) fn seal(
        &self,
        token: &Token,
        name: &ReleaseName,
        manifest: &Manifest,
        owner: Option<u32>,
        mark: &str,
    ) -> LockedBatch {
        let mut batch = self.locked(token);
        let kept = self.layout.kept(name);
        batch.push(Op::MakeDir { path: kept.clone(), mode: PRIVATE, existing_is_fine: true });
        let lists = LISTS.into_iter().map(|(file, form)| (file, text_of(manifest, form)));
        for (file, content) in lists.chain(owner.map(|owner| (SEALED_USER, format!("{owner}\n")))) {
            let written = self.layout.on_the_way(token, file);
            batch.push(Op::RemoveFile { path: written.clone() });
            batch.push(Op::WriteNew { path: written.clone(), content, mode: PRIVATE_FILE });
            batch.push(Op::Sync { paths: vec![written.clone()], reach: SyncReach::Entries });
            batch.push(Op::MoveInto { from: written, into: kept.clone() });
        }
        // The mark is removed only once the lists are durable.
        batch.push(Op::Sync { paths: vec![kept.clone()], reach: SyncReach::Entries });
        batch.push(Op::RemoveFile { path: kept.join(&inner(mark)) });
        batch.push(Op::Sync { paths: vec![kept], reach: SyncReach::Entries });
        batch
    }
}

/// Returns the paths that no manifest lists: the release's record, and its symlinks to shared paths.
pub(super) fn unlisted(links: Option<&SharedRecord>) -> Vec<InnerPath> {
    let links = links.iter().flat_map(|record| record.links.iter().cloned());
    std::iter::once(inner(RECORD_FILE)).chain(links).collect()
}

/// Returns the release that a host compared, and the result; `None` if it compared none.
///
/// Ignores files added at the paths that `passes_over` returns for the release.
pub(super) fn checked(
    layout: &Layout,
    Comparison { tree, found }: &Comparison,
    passes_over: impl FnOnce(&ReleaseName) -> Vec<InnerPath>,
) -> Option<(ReleaseName, Checked)> {
    let name = layout.release_name(tree.as_deref()?.as_bytes())?;
    let checked = match found {
        Compared::NoTree => return None,
        Compared::NoManifest => Checked::NoManifest,
        Compared::Unreadable(why) => Checked::Unreadable { why: why.to_string() },
        Compared::Entries(found) => {
            let mut found = found.clone();
            let passed = passes_over(&name);
            let above = above(&passed);
            let is_passed = |path: &[u8]| {
                passed.iter().any(|passed| is_within(path, passed.as_str().as_bytes())) || bytes(&above).contains(&path)
            };
            let all = found.added.some.len();
            found.added.some.retain(|found| !is_passed(&found.path));
            found.added.count -= (all - found.added.some.len()) as u64;
            Checked::of(&found)
        }
    };
    Some((name, checked))
}

/// Reads the manifest of a release.
pub(super) async fn manifest(store: &DirStore, release: &HostedRelease) -> Result<Option<Manifest>, StoreError> {
    manifest_of(store, &release.name, Ok(&Some(Found::TooLarge))).await
}

/// Compares a release with its manifest on the host; with `full`, also contents.
pub(super) async fn check(store: &DirStore, release: &HostedRelease, full: bool) -> Result<Checked, StoreError> {
    let mut batch = store.steps.empty();
    let at = store.steps.compare_hosted(&mut batch, release, (full, None));
    let replies = store.execute(&batch).await?;
    compared(store, release, replies.get(at)?)
}

/// Interprets a comparison of `release`.
fn compared(
    store: &DirStore,
    release: &HostedRelease,
    comparison: Result<&Comparison, &StepFailure>,
) -> Result<Checked, StoreError> {
    match comparison {
        Err(why) => Ok(Checked::Impossible { why: why.to_string() }),
        Ok(found) => {
            let checked = checked(store.layout(), found, |_| Vec::new());
            checked.map(|(_, checked)| checked).ok_or_else(|| missing(store, &release.name))
        }
    }
}

fn missing(store: &DirStore, name: &ReleaseName) -> StoreError {
    StoreError::NoSuchRelease { host: store.to_string(), name: name.clone() }
}

/// Compares releases with their manifests and checks their symlinks to shared paths, in one exchange.
pub(super) async fn examine(store: &DirStore, releases: &[HostedRelease]) -> Result<Vec<Examined>, StoreError> {
    let mut batch = store.steps.empty();
    let looks: Vec<_> =
        releases.iter().map(|release| store.steps.compare_hosted(&mut batch, release, (false, None))).collect();
    let links = store.look_at_links(&mut batch, links::recorded(releases));
    let replies = store.execute(&batch).await?;
    let mut broken = links.read(&replies)?;
    let mut examined = Vec::new();
    for (release, at) in releases.iter().zip(looks) {
        let checked = compared(store, release, replies.get(at)?)?;
        let own = broken.iter().position(|(name, _)| *name == release.name).map(|at| broken.swap_remove(at).1);
        examined.push(Examined { name: release.name.clone(), checked, links: own.unwrap_or_default() });
    }
    Ok(examined)
}

/// Compares a release with its manifest entry by entry; with `full`, also contents. Finds files of untrusted
/// owners.
pub(super) async fn verify(store: &DirStore, release: &HostedRelease, full: bool) -> Result<Verified, StoreError> {
    let name = &release.name;
    let mut batch = store.steps.empty();
    let lists = batch.push_lenient(base::lists_of(store, name));
    let owners = foreign::ask(store, name, &mut batch);
    let replies = store.execute(&batch).await?;
    let asked = foreign::read(store, name, &owners, &replies)?.ok_or_else(|| missing(store, name))?;
    let digest = replies.get(lists)?.ok().and_then(Option::as_ref).and_then(|kept| base::digest_of(kept, MANIFEST));
    let mut batch = store.steps.empty();
    let at = store.steps.compare_hosted(&mut batch, release, (full, Some(asked.owners.clone())));
    let damaged = |why: String| {
        let what = format!("the manifest of {name}: {why}");
        StoreError::Damaged { host: store.to_string(), what }
    };
    let differences = match store.execute(&batch).await?.get(at)?.map(|comparison| &comparison.found) {
        Ok(Compared::Entries(found)) => (**found).clone(),
        Ok(Compared::NoManifest) => return Ok(Verified::default()),
        Ok(Compared::Unreadable(why)) => return Err(damaged(why.to_string())),
        Ok(Compared::NoTree) => return Err(missing(store, name)),
        Err(why) => return Err(damaged(format!("{name} could not be compared with it: {why}"))),
    };
    let foreign = asked.with(store, name, &differences.foreign);
    let digest = digest.ok_or_else(|| damaged("it could not be digested".to_owned()))?;
    Ok(Verified { manifest: Some(digest), differences, foreign })
}

/// Surveys the release `name` and records the result as its manifest.
///
/// Commands may run in it next: returns whether their changes will be detectable.
pub(super) async fn seal(
    store: &DirStore,
    token: &Token,
    name: &ReleaseName,
    links: Option<&SharedRecord>,
) -> Result<Marked, StoreError> {
    let mut batch = store.steps.locked(token);
    let seen = batch.push(Op::survey(store.layout().release(name), true));
    let release = batch.push(Op::inspect(store.layout().release(name)));
    let replies = store.execute_locked(&batch).await?;
    let (Some(seen), Some(release)) = (replies.get(seen)?, replies.get(release)?) else {
        return Err(StoreError::NoSuchRelease { host: store.to_string(), name: name.clone() });
    };
    let unlisted = unlisted(links);
    let manifest = Manifest::of_survey(seen, &bytes(&unlisted)).map_err(|path| StoreError::Unlistable {
        host: store.to_string(),
        name: name.clone(),
        path: crate::manifest::shown(&path),
    })?;
    let mut batch = store.steps.seal(token, name, &manifest, Some(release.owner), UNSEALED);
    let marking = store.steps.mark_touched(&mut batch, token, name);
    let replies = store.execute_locked(&batch).await?;
    store.known.remember(Arc::new(manifest)).await;
    Ok(Marked::read(&replies, marking)?)
}

fn bytes(paths: &[InnerPath]) -> Vec<&[u8]> {
    paths.iter().map(|path| path.as_str().as_bytes()).collect()
}

/// Returns a list as text: names that are not UTF-8 are only in the manifest.
fn text_of(manifest: &Manifest, form: Form) -> String {
    let list = manifest.in_form(form);
    let lines = list.split_inclusive(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    lines.collect()
}
