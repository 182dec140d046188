//! Whether a release still is what its manifest says.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    manifest::{
        Difference, DifferenceKind, Differences, Digest, Form, ListedMode, Manifest, listed_in_words, listed_mode,
        listed_path,
    },
    name::ReleaseName,
    path::InnerPath,
    record::RECORD_FILE,
    shared::{BrokenLink, SharedRecord},
    token::Token,
    transport::{
        Batch, Compared, Comparison, DifferentLines, Effect, FailureKind, Found, GIVEN, Op, Reply, SyncReach,
        TransportError, TreeName,
    },
    verification::Foreign,
};

use super::{
    DirStore, HostedRelease, Layout, StoreError, foreign,
    layout::{LISTS, SEALED_USER, UNSEALED, inner},
    links,
    seal::Marked,
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
        /// How many entries have another mode, which grants nobody anything.
        modes: u64,
        /// Some of those, each in words.
        changed: Vec<String>,
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

/// What a look at a release showed, for who goes nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// The release.
    pub name: ReleaseName,
    /// What comparing it with its manifest showed.
    pub checked: Checked,
    /// Its links to what is shared that are not what they were made as.
    pub links: Vec<BrokenLink>,
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
        let differences = Differences::of(&verified.differences);
        if differences.damage.is_empty() {
            let (mut added, modes) = (differences.added, &differences.modes);
            // What could not be looked at is told first.
            added.sort_by_key(|difference| difference.kind != DifferenceKind::TooDeep);
            return Self::Holds {
                added: added.len() as u64,
                some: added.iter().take(Self::SHOWN).map(|difference| difference.shown_path()).collect(),
                modes: modes.len() as u64,
                changed: words(modes),
            };
        }
        Self::Damaged { entries: differences.damage.len() as u64, some: words(&differences.damage) }
    }

    /// What the lines of a listing and of a tree that differ mean; `None` when too many differ to be told one by one.
    fn of_lines(lines: &DifferentLines) -> Option<Self> {
        if !lines.modes.is_whole() || !lines.found.is_whole() {
            return None;
        }
        let modes = changed_modes(&lines.modes.some, &lines.found.some);
        let Differences { damage, modes, .. } = Differences::of(&modes);
        let entries = lines.lacking.count + damage.len() as u64;
        if entries == 0 {
            let (added, some) =
                (lines.added.count, lines.added.some.iter().map(|line| listed_in_words(line)).collect());
            return Some(Self::Holds { added, some, modes: modes.len() as u64, changed: words(&modes) });
        }
        let lacking = lines.lacking.some.iter().map(|line| format!("{} is missing or changed", listed_in_words(line)));
        Some(Self::Damaged { entries, some: lacking.chain(words(&damage)).take(Self::SHOWN).collect() })
    }
}

/// Some of these, each in words.
fn words(differences: &[&Difference]) -> Vec<String> {
    differences.iter().take(Checked::SHOWN).map(ToString::to_string).collect()
}

/// The changes of modes that lines of a listing and the lines of the same entries as they are tell of.
fn changed_modes(listed: &[Vec<u8>], found: &[Vec<u8>]) -> Vec<Difference> {
    let found: BTreeMap<_, _> = found.iter().filter_map(|line| listed_mode(line)).map(|one| (one.path, one)).collect();
    let change = |line: &Vec<u8>| {
        let ListedMode { directory, mode, path } = listed_mode(line)?;
        let kind = DifferenceKind::Mode { directory, expected: mode, found: found.get(path)?.mode };
        Some(Difference { path: path.to_vec(), kind })
    };
    listed.iter().filter_map(change).collect()
}

impl Steps {
    /// Compares a release with its listing, on the host, without what is `unlisted`. Its failure is an answer too.
    pub(super) fn compare(&self, batch: &mut Batch, check: &QuickCheck, unlisted: Vec<InnerPath>) -> usize {
        let name = match check {
            QuickCheck::Previous => TreeName::Recorded(self.layout.current().join(&inner(RECORD_FILE))),
            QuickCheck::Release(name) => TreeName::Given(name.into()),
        };
        batch.push_lenient(Op::CompareTree {
            trees: self.layout.releases().clone(),
            name,
            lists: self.layout.in_state(&["releases"]),
            list: inner("listing"),
            except: beside(unlisted),
        })
    }

    fn compare_hosted(&self, batch: &mut Batch, release: &HostedRelease) -> usize {
        let check = QuickCheck::Release(release.name.clone());
        self.compare(batch, &check, unlisted(release.links.record()))
    }

    /// Writes what is kept of a release's content anew, each file in the lock first, and then removes the `mark` that says that
    /// this was yet to be done; with `owner`, whose the release is now.
    pub(super) fn seal(
        &self,
        token: &Token,
        name: &ReleaseName,
        manifest: &Manifest,
        owner: Option<u32>,
        mark: &str,
    ) -> Batch {
        let mut batch = self.empty();
        self.expect_lock(&mut batch, token);
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
        // Not before all of that is durable.
        batch.push(Op::Sync { paths: vec![kept.clone()], reach: SyncReach::Entries });
        batch.push(Op::RemoveFile { path: kept.join(&inner(mark)) });
        batch.push(Op::Sync { paths: vec![kept], reach: SyncReach::Entries });
        batch
    }
}

/// What no manifest of a release lists: its record, and the links to what is shared that were made in it.
pub(super) fn unlisted(links: Option<&SharedRecord>) -> Vec<InnerPath> {
    let links = links.iter().flat_map(|record| record.links.iter().cloned());
    std::iter::once(inner(RECORD_FILE)).chain(links).collect()
}

/// What is no part of a release's content, and the directories that may have been made for it.
fn beside(unlisted: Vec<InnerPath>) -> Vec<InnerPath> {
    let above = |path: InnerPath| std::iter::successors(Some(path), InnerPath::parent).filter(|path| !path.is_root());
    unlisted.into_iter().flat_map(above).collect()
}

/// The release that a host compared, and what that showed; `None` when it compared none, or found too much to be told. What
/// was added at the places that `passes_over` says for it is not told of.
pub(super) fn checked(
    layout: &Layout,
    reply: Option<&Reply>,
    passes_over: impl FnOnce(&ReleaseName) -> Vec<InnerPath>,
) -> Option<(ReleaseName, Checked)> {
    let Some(Reply::Comparison(Comparison { tree, found })) = reply else { return None };
    let name = layout.release_name(tree.as_deref()?.as_bytes())?;
    let checked = match found {
        Compared::NoTree => return None,
        Compared::NoList => Checked::NoManifest,
        Compared::Unreadable(why) => Checked::Unreadable { why: why.to_string() },
        Compared::Lines(lines) => {
            let mut lines = lines.clone();
            let passed = beside(passes_over(&name));
            let is_told = |line: &Vec<u8>| !bytes(&passed).iter().any(|path| listed_path(line) == Some(path));
            let all = lines.added.some.len();
            lines.added.some.retain(is_told);
            lines.added.count -= (all - lines.added.some.len()) as u64;
            Checked::of_lines(&lines)?
        }
    };
    Some((name, checked))
}

/// Compares a release with its listing, on the host; with `full` with its manifest, contents too.
pub(super) async fn check(store: &DirStore, release: &HostedRelease, full: bool) -> Result<Checked, StoreError> {
    if full {
        return verify(store, release, true).await.map(|verified| Checked::of(&verified));
    }
    let mut batch = store.steps.empty();
    let at = store.steps.compare_hosted(&mut batch, release);
    let replies = store.execute(&batch).await?;
    compared(store, release, replies.get(at)).await
}

/// What the reply to a comparison of `release` says.
async fn compared(store: &DirStore, release: &HostedRelease, reply: Option<&Reply>) -> Result<Checked, StoreError> {
    if let Some(Reply::Failed(why)) = reply {
        return Ok(Checked::Impossible { why: why.to_string() });
    }
    match checked(store.layout(), reply, |_| Vec::new()) {
        Some((_, checked)) => Ok(checked),
        // There is none, or so much differs that it must be looked at entry by entry.
        None => verify(store, release, false).await.map(|verified| Checked::of(&verified)),
    }
}

/// Compares releases with their listings and looks at their links to what is shared, in one exchange.
pub(super) async fn examine(store: &DirStore, releases: &[HostedRelease]) -> Result<Vec<Examined>, StoreError> {
    let mut batch = store.steps.empty();
    let looks: Vec<usize> = releases.iter().map(|release| store.steps.compare_hosted(&mut batch, release)).collect();
    let links = store.look_at_links(&mut batch, links::recorded(releases));
    let replies = store.execute(&batch).await?;
    let mut broken = links.read(&replies);
    let mut examined = Vec::new();
    for (release, at) in releases.iter().zip(looks) {
        let checked = compared(store, release, replies.get(at)).await?;
        let own = broken.iter().position(|(name, _)| *name == release.name).map(|at| broken.swap_remove(at).1);
        examined.push(Examined { name: release.name.clone(), checked, links: own.unwrap_or_default() });
    }
    Ok(examined)
}

/// Compares a release with its manifest entry by entry, with `full` the contents too.
pub(super) async fn verify(store: &DirStore, release: &HostedRelease, full: bool) -> Result<Verified, StoreError> {
    let name = &release.name;
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
    let unlisted = unlisted(release.links.record());
    let mut differences = manifest.compare(seen, full, &bytes(&unlisted));
    let beside = beside(unlisted);
    differences.retain(|found| found.kind.is_damage() || !bytes(&beside).contains(&&found.path[..]));
    if store.steps.team.group().is_some() {
        differences.retain(|found| !is_given(found));
    }
    let foreign = foreign::read(store, name, &manifest, seen, &replies[2..]);
    Ok(Verified { manifest: Some(Digest::of(content)), differences, foreign })
}

/// Looks at the release `name` anew and keeps what it finds as its manifest. Commands may run in it next: returns whether what
/// they change can be told.
pub(super) async fn seal(
    store: &DirStore,
    token: &Token,
    name: &ReleaseName,
    links: Option<&SharedRecord>,
) -> Result<Marked, StoreError> {
    let mut batch = store.steps.empty();
    store.steps.expect_lock(&mut batch, token);
    batch.push(Op::Survey { path: store.layout().release(name), digests: true });
    batch.push(Op::Inspect { path: store.layout().release(name) });
    let replies = store.execute(&batch).await.map_err(|error| lost(store, error))?;
    let (Some(Reply::Survey(Some(seen))), Some(Reply::Entry(Some(release)))) = (replies.get(1), replies.get(2)) else {
        return Err(StoreError::NoSuchRelease { host: store.to_string(), name: name.clone() });
    };
    let unlisted = unlisted(links);
    let manifest = Manifest::of_survey(seen, &bytes(&unlisted)).map_err(|path| StoreError::Unlistable {
        host: store.to_string(),
        name: name.clone(),
        path: crate::manifest::shown(&path),
    })?;
    let mut batch = store.steps.seal(token, name, &manifest, Some(release.owner), UNSEALED);
    let marks = store.steps.mark_touched(&mut batch, token, name);
    let replies = store.execute(&batch).await.map_err(|error| lost(store, error))?;
    store.known.remember(Arc::new(manifest)).await;
    Ok(Marked::read(&replies[marks]))
}

/// Whether a directory differs only in what it was given with the root's group.
fn is_given(found: &Difference) -> bool {
    match found.kind {
        DifferenceKind::Mode { directory, expected, found } => {
            directory && (expected ^ found) & !GIVEN == 0 && found & GIVEN == GIVEN
        }
        _ => false,
    }
}

fn bytes(paths: &[InnerPath]) -> Vec<&[u8]> {
    paths.iter().map(|path| path.as_str().as_bytes()).collect()
}

/// A lock that is not there any more, when that is why a batch ended.
pub(super) fn lost(store: &DirStore, error: TransportError) -> StoreError {
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
