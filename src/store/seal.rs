//! Seals the changes that a release's own commands made in it, once the last of them has ended.
//!
//! Before the first command runs in a release, a snapshot of it is kept beside its manifest. It marks the release as
//! not yet sealed again, and later shows what changed meanwhile: only that is digested, and only entries of the
//! manifest. Files that commands add are the application's own business. An entry that did not match the manifest
//! before the first command keeps its line, whatever became of it: damage from before stays damage.

use std::{collections::HashMap, sync::Arc};

use crate::{
    limits,
    manifest::{Manifest, ManifestEntry, ManifestNode, Surveyed},
    name::ReleaseName,
    token::Token,
    transport::{
        Batch, Changes, Content, EntryKind, FailureKind, Found, GIVEN, Handle, MayFail, Op, Replies, Snapped,
        StepFailure, SyncReach, TransportError,
    },
};

use super::{
    DirStore, Kept, StoreError,
    layout::{LISTING, MANIFEST, TOUCHED, inner},
    steps::Steps,
};

/// The maximum size of a manifest that is read before it is known to be needed, in bytes.
const SHORT: u64 = 256 << 10;

/// The result of taking a snapshot of a release.
pub(super) enum Marked {
    /// The release has a snapshot, new or left from an earlier run and not sealed yet.
    Yes,
    /// The release has no manifest to maintain.
    Unlisted,
    /// The snapshot failed.
    Failed(StepFailure),
}

/// The steps that take a snapshot of a release.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marking {
    snapshot: Handle<MayFail<()>>,
    /// The step that gives it its name. It fails if there is one already.
    rename: Handle<MayFail<()>>,
}

impl Marked {
    /// Reads the replies to the steps of [`Steps::mark_touched`].
    pub(super) fn read(replies: &Replies, marking: Marking) -> Result<Self, TransportError> {
        Ok(match (replies.get(marking.snapshot)?, replies.get(marking.rename)?) {
            (Err(why), _) if why.kind == FailureKind::Missing => Self::Unlisted,
            (Err(why), _) => Self::Failed(why.clone()),
            (Ok(()), Err(why)) if why.kind != FailureKind::Exists => Self::Failed(why.clone()),
            _ => Self::Yes,
        })
    }
}

impl Steps {
    /// Durably takes a snapshot of a release before commands run in it, unless it has one.
    ///
    /// The steps may fail: a full disk must not prevent a command.
    pub(super) fn mark_touched(&self, batch: &mut Batch, token: &Token, name: &ReleaseName) -> Marking {
        let (kept, written) = (self.layout.kept(name), self.layout.on_the_way(token, TOUCHED));
        batch.push_lenient(Op::RemoveFile { path: written.clone() });
        let (tree, list) = (self.layout.release(name), kept.join(&inner(LISTING)));
        let snapshot = batch.push_lenient(Op::Snapshot { tree, list, into: written.clone() });
        batch.push_lenient(Op::Sync { paths: vec![written.clone()], reach: SyncReach::Entries });
        let rename = batch.push_lenient(Op::Rename { from: written, to: kept.join(&inner(TOUCHED)) });
        batch.push_lenient(Op::Sync { paths: vec![kept], reach: SyncReach::Entries });
        Marking { snapshot, rename }
    }

    /// Removes the mark of a release that is sealed, or needs no seal. A mark that stays only costs another
    /// comparison.
    pub(super) fn unmark_touched(&self, batch: &mut Batch, name: &ReleaseName) {
        batch.push_lenient(Op::RemoveFile { path: self.layout.kept(name).join(&inner(TOUCHED)) });
    }
}

/// The result of sealing the changes of commands.
#[derive(Debug, Default)]
pub(super) struct Sealed {
    /// The releases whose manifests were rewritten and whose marks were removed.
    pub(super) rewritten: Vec<ReleaseName>,
    /// The releases whose manifests are correct as they are: their marks are obsolete.
    pub(super) untouched: Vec<ReleaseName>,
    /// The reasons why releases could not be sealed, in words.
    pub(super) failed: Vec<String>,
}

/// Seals the changes in these releases since their snapshots.
pub(super) async fn seal_changes(
    store: &DirStore,
    token: &Token,
    names: impl IntoIterator<Item = ReleaseName>,
) -> Result<Sealed, StoreError> {
    let mut batch = store.steps.locked(token);
    let mut asked = Vec::new();
    for name in names {
        let kept = store.layout().kept(&name);
        let (tree, since) = (store.layout().release(&name), kept.join(&inner(TOUCHED)));
        let changes = batch.push_lenient(Op::changes_since(tree, since));
        let manifest = batch.push_lenient(Op::read(kept.join(&inner(MANIFEST)), SHORT));
        asked.push((name, changes, manifest));
    }
    let replies = store.execute_locked(&batch).await?;
    let mut all = Sealed::default();
    for (name, changes, manifest) in asked {
        let why = match replies.get(changes)? {
            Ok(None) => {
                all.untouched.push(name);
                continue;
            }
            Ok(Some(changes)) => match seal_one(store, token, &name, changes, replies.get(manifest)?).await {
                Ok(true) => {
                    all.rewritten.push(name);
                    continue;
                }
                Ok(false) => {
                    all.untouched.push(name);
                    continue;
                }
                Err(error @ StoreError::LockLost { .. }) => return Err(error),
                Err(error) => crate::error::Error::from(error).full_message(),
            },
            Err(why) => {
                // A torn snapshot will never be readable, so its mark is removed.
                if why.kind == FailureKind::Mismatch {
                    all.untouched.push(name.clone());
                }
                why.to_string()
            }
        };
        all.failed.push(format!("what commands changed in {name} is not sealed: {why}"));
    }
    Ok(all)
}

/// Seals the changes in a release. Returns `true` if its manifest was rewritten.
async fn seal_one(
    store: &DirStore,
    token: &Token,
    name: &ReleaseName,
    changes: &Changes,
    read: Result<&Content, &StepFailure>,
) -> Result<bool, StoreError> {
    if changes.before.is_empty() {
        return Ok(false);
    }
    let Some(manifest) = manifest_of(store, name, read).await? else { return Ok(false) };
    let for_group = store.steps.team.group().is_some();
    let Some(sealed) = resealed(&manifest, changes, for_group) else { return Ok(false) };
    let batch = store.steps.seal(token, name, &sealed, None, TOUCHED);
    // The commands have already changed the release, so the seal may use the reserve.
    match store.execute_locked(&batch).await {
        Err(error) if store.frees_reserve(&error).await => store.execute_locked(&batch).await,
        result => result,
    }?;
    store.known.remember(Arc::new(sealed)).await;
    Ok(true)
}

/// Parses the manifest, or reads it in full if it was too large; `None` if there is none.
pub(super) async fn manifest_of(
    store: &DirStore,
    name: &ReleaseName,
    read: Result<&Content, &StepFailure>,
) -> Result<Option<Manifest>, StoreError> {
    let mut whole = None;
    if read == Ok(&Some(Found::TooLarge)) {
        let mut batch = store.steps.empty();
        let path = store.layout().kept(name).join(&inner(MANIFEST));
        let manifest = batch.push(Op::read(path, limits::MANIFEST));
        whole = Some(store.execute(&batch).await?.get(manifest)?.clone());
    }
    let damaged = |why: String| {
        let what = format!("the manifest of {name}: {why}");
        StoreError::Damaged { host: store.to_string(), what }
    };
    let found = whole.as_ref().map_or(read, Ok).map_err(|why| damaged(why.to_string()))?;
    match Kept::bytes(found.as_ref()) {
        Kept::Nothing => Ok(None),
        Kept::Record(text) => Manifest::parse(text).map(Some).map_err(|error| damaged(error.to_string())),
        Kept::Unreadable(why) => Err(damaged(why)),
    }
}

/// Returns the manifest with the changed entries as they are now; `None` if it does not change.
fn resealed(manifest: &Manifest, changes: &Changes, for_group: bool) -> Option<Manifest> {
    let there: HashMap<&[u8], &Surveyed> = changes.now.iter().map(|entry| (&entry.path[..], entry)).collect();
    let mut new: HashMap<&[u8], Option<ManifestNode>> = HashMap::new();
    for before in &changes.before {
        let Some(entry) = manifest.entry(&before.path).filter(|entry| was_intact(&entry.node, before, for_group))
        else {
            continue;
        };
        match there.get(&before.path[..]) {
            None => {
                new.insert(&before.path, None);
            }
            Some(now) => {
                if let Some(node) = now_listed(now, before).filter(|node| *node != entry.node) {
                    new.insert(&before.path, Some(node));
                }
            }
        }
    }
    if new.is_empty() {
        return None;
    }
    let entries = manifest.entries().iter().filter_map(|entry| match new.get(&entry.path[..]) {
        None => Some(entry.clone()),
        Some(node) => Some(ManifestEntry { path: entry.path.clone(), node: node.clone()? }),
    });
    Some(Manifest::new(entries.collect()))
}

/// Returns `true` if an entry matched the manifest, as far as its metadata tells.
fn was_intact(node: &ManifestNode, before: &Snapped, for_group: bool) -> bool {
    match node {
        ManifestNode::Directory { mode } => {
            // Setgid and the group's bits that a directory inherits, or gets in a group's root, are not part of a
            // release.
            let passed_over = if for_group { GIVEN | 0o2000 } else { 0o2000 };
            before.kind == EntryKind::Directory && (before.mode ^ mode) & !passed_over == 0
        }
        ManifestNode::File { mode, size, .. } => {
            before.kind == EntryKind::File && (before.mode, before.size) == (*mode, *size)
        }
        ManifestNode::Link { target } => before.kind == EntryKind::Link && before.size == target.len() as u64,
    }
}

/// Returns the manifest entry of a file as it is now.
///
/// `None` if no manifest can list it, or if only the contents of a directory changed.
fn now_listed(now: &Surveyed, before: &Snapped) -> Option<ManifestNode> {
    let listed = Manifest::of_survey(std::slice::from_ref(now), &[]).ok()?;
    let node = listed.entries().first()?.node.clone();
    let is_same = before.kind == EntryKind::Directory && matches!(node, ManifestNode::Directory { .. });
    (!is_same || before.mode != now.mode).then_some(node)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Digest, Seen};

    fn manifest() -> Manifest {
        let entry = |path: &str, node| ManifestEntry { path: path.into(), node };
        let file = |content: &[u8]| ManifestNode::File {
            mode: 0o644,
            size: content.len() as u64,
            digest: Digest::of(content),
        };
        Manifest::new(vec![
            entry("d", ManifestNode::Directory { mode: 0o755 }),
            entry("d/f", file(b"old")),
            entry("l", ManifestNode::Link { target: b"d".to_vec() }),
        ])
    }

    fn was(path: &str, kind: EntryKind, mode: u32, size: u64) -> Snapped {
        Snapped { path: path.into(), kind, mode, size }
    }

    fn is(path: &str, mode: u32, node: Seen) -> Surveyed {
        Surveyed { path: path.into(), mode, owner: 0, node }
    }

    fn file(content: &[u8]) -> Seen {
        Seen::File { size: content.len() as u64, digest: Some(Digest::of(content)) }
    }

    /// Returns the paths whose lines changed, and those that were removed.
    fn lines(before: Vec<Snapped>, now: Vec<Surveyed>) -> Option<Vec<String>> {
        let (old, new) = (manifest(), resealed(&manifest(), &Changes { before, now }, false)?);
        let differs = |entry: &&ManifestEntry| new.entry(&entry.path) != Some(*entry);
        Some(old.entries().iter().filter(differs).map(|entry| String::from_utf8_lossy(&entry.path).into()).collect())
    }

    #[test]
    fn what_a_command_changed_is_listed_as_it_is() {
        let before = || vec![was("d/f", EntryKind::File, 0o644, 3)];
        assert_eq!(lines(before(), vec![is("d/f", 0o644, file(b"newer"))]), Some(vec!["d/f".into()]));
        assert_eq!(lines(before(), vec![is("d/f", 0o640, file(b"old"))]), Some(vec!["d/f".into()]));
        assert_eq!(lines(before(), vec![]), Some(vec!["d/f".into()]));
        assert_eq!(lines(before(), vec![is("d/f", 0o644, file(b"old"))]), None, "only its time changed");
        let link = vec![was("l", EntryKind::Link, 0o777, 1)];
        assert_eq!(lines(link, vec![is("l", 0o755, Seen::Directory)]), Some(vec!["l".into()]));
        let unlisted = vec![was("new", EntryKind::File, 0o644, 3)];
        assert_eq!(lines(unlisted, vec![is("new", 0o644, file(b"x"))]), None);
    }

    #[test]
    fn what_was_damaged_before_keeps_its_line() {
        for (mode, size, kind) in [
            (0o600, 3, EntryKind::File),
            (0o644, 4, EntryKind::File),
            (0o644, 3, EntryKind::Link),
            (0o755, 3, EntryKind::Directory),
        ] {
            let before = || vec![was("d/f", kind, mode, size)];
            assert_eq!(lines(before(), vec![is("d/f", 0o644, file(b"newer"))]), None);
            assert_eq!(lines(before(), vec![]), None);
        }
    }

    #[test]
    fn what_no_manifest_can_list_keeps_its_line() {
        for node in [Seen::Other, Seen::File { size: 3, digest: None }] {
            assert_eq!(lines(vec![was("d/f", EntryKind::File, 0o644, 3)], vec![is("d/f", 0o644, node)]), None);
        }
    }

    #[test]
    fn what_a_directory_was_given_is_no_change() {
        let before = |mode| vec![was("d", EntryKind::Directory, mode, 40)];
        let now = |mode| vec![is("d", mode, Seen::Directory)];
        assert_eq!(lines(before(0o2755), now(0o2755)), None);
        assert_eq!(lines(before(0o2755), now(0o700)), Some(vec!["d".into()]));
        assert_eq!(lines(before(0o775), now(0o700)), None, "it was damaged");
        let changes = Changes { before: before(0o2775), now: now(0o2775) };
        assert_eq!(resealed(&manifest(), &changes, true), None);
        let changes = Changes { before: before(0o2775), now: now(0o2770) };
        assert!(resealed(&manifest(), &changes, true).is_some());
    }
}
