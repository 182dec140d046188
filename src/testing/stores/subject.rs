//! [`Subject`]: the root under test, its clients, and their common steps.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    error::full_message,
    lock::LockOwner,
    name::ReleaseName,
    outcome::{Command, HostOutcome, Outcome as Ending},
    record::PreviousVersion,
    release::NewRelease,
    store::{
        Ended, Finish, Finished, HostedRelease, Preparation, Ready, ReleaseStore, RootState, Staged, StoreError,
        StoreGuard,
    },
    time::Timestamp,
    tree::Tree,
};

use super::{Connect, ConnectLosing, Lose, Outcome};

/// The root under test.
pub(super) struct Subject {
    connect: Box<Connect>,
    losing: Option<Box<ConnectLosing>>,
    clients: Clients,
}

/// The clients that a case made, to be closed at its end.
#[derive(Clone, Default)]
pub(super) struct Clients(Arc<Mutex<Vec<Arc<dyn ReleaseStore>>>>);

impl Clients {
    fn add(&self, store: &Arc<dyn ReleaseStore>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(store));
    }

    /// Closes all, and returns the name of the store.
    pub(super) async fn close(self) -> String {
        let clients = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for client in &clients {
            client.close().await;
        }
        clients.first().map_or_else(|| "a store".to_owned(), ToString::to_string)
    }
}

impl Subject {
    pub(super) fn new(connect: Box<Connect>, losing: Option<Box<ConnectLosing>>) -> Self {
        Self { connect, losing, clients: Clients::default() }
    }

    pub(super) fn clients(&self) -> Clients {
        self.clients.clone()
    }

    /// Makes another client of the root.
    pub(super) fn client(&self) -> Arc<dyn ReleaseStore> {
        let client = (self.connect)();
        self.clients.add(&client);
        client
    }

    /// Makes another client of the root that can lose an answer.
    pub(super) fn losing_client(&self) -> Result<(Arc<dyn ReleaseStore>, Lose), String> {
        let (client, lose) = self.losing.as_ref().ok_or("the fixture loses no answers")?();
        self.clients.add(&client);
        Ok((client, lose))
    }

    /// Reads the state as somebody else does.
    pub(super) async fn state(&self) -> Result<RootState, String> {
        done("another client reads the state", self.client().state().await)
    }

    /// Reads a release as somebody else does.
    pub(super) async fn hosted(&self, release: &str) -> Result<HostedRelease, String> {
        self.state().await?.release(&name(release)).cloned().ok_or_else(|| format!("there is no release {release}"))
    }

    /// Locks the root as a client of its own.
    pub(super) async fn lock(&self) -> Result<Box<dyn StoreGuard>, String> {
        done("the lock is free", self.client().lock(&owner(Command::Deploy), None).await)
    }

    /// Stages a release as a client of its own.
    pub(super) async fn stage(&self, release: &str) -> Result<Staged, String> {
        self.stage_tree(release, tree(release)?).await
    }

    pub(super) async fn stage_tree(&self, release: &str, tree: Tree) -> Result<Staged, String> {
        let (release, owner) = (NewRelease::new(name(release), tree), owner(Command::Stage));
        done("it is staged", self.client().stage(&release, &owner, &[], &|_: u64, _: u64| {}).await)
    }

    /// Stages and publishes a release, with a record of the one before.
    pub(super) async fn publish(&self, release: &str, before: Option<&str>) -> Outcome {
        let preparation = Preparation::of(self.stage(release).await?).record(record(before));
        let mut guard = self.lock().await?;
        done("it is prepared", guard.prepare(&preparation).await)?;
        finish(guard).await
    }

    /// Publishes a release and switches to it, as a deploy does.
    pub(super) async fn deploy(&self, release: &str) -> Outcome {
        let staged = self.stage(release).await?;
        let mut guard = self.lock().await?;
        let before = guard.state().current.clone();
        let preparation = Preparation::of(staged).record(record(before.release().map(ReleaseName::as_str)));
        let ready = done("it is prepared", guard.prepare(&preparation).await)?;
        switched(guard.activate(&before, &ready).await)?;
        let mut ended = Ended::new(Ending::Done, HostOutcome::Switched);
        (ended.from, ended.to) = (before.release().cloned(), Some(name(release)));
        finish_with(guard, |finish| (finish.history, finish.settles) = (Some(ended), true)).await.map(drop)
    }

    /// Checks the release that is current, as somebody else reads it.
    pub(super) async fn is_on(&self, release: Option<&str>) -> Outcome {
        let state = self.state().await?;
        same("the current release", &state.current.release().map(ReleaseName::as_str), &release)
    }

    /// Checks that a release is intact and has the content of `tree`.
    pub(super) async fn holds(&self, release: &str, tree: &Tree) -> Outcome {
        let hosted = self.hosted(release).await?;
        let verified = done("it is verified", self.client().verify(&hosted, true).await)?;
        same("the number of damaged entries", &verified.differences.damage.count, &0)?;
        let digest = tree.digest().map_err(|error| full_message(&error))?;
        same("the digest of the content", &verified.manifest, &Some(digest))
    }
}

/// Releases the lock, with nothing to write.
pub(super) async fn finish(guard: Box<dyn StoreGuard>) -> Outcome {
    finish_with(guard, |_| ()).await.map(drop)
}

/// Releases the lock.
pub(super) async fn finish_with(
    guard: Box<dyn StoreGuard>,
    writes: impl FnOnce(&mut Finish),
) -> Result<Finished, String> {
    let mut finish = Finish::default();
    writes(&mut finish);
    let finished = guard.finish(&finish).await;
    let finished = finished.map_err(|failed| format!("the lock is not released: {}", full_message(&failed.error)))?;
    same("what could not be written", &finished.failed, &Vec::new())?;
    Ok(finished)
}

/// Parses a name that is known to be valid.
pub(super) fn name(text: &str) -> ReleaseName {
    text.parse().expect("the suite has valid names")
}

pub(super) fn owner(command: Command) -> LockOwner {
    let mut owner = LockOwner::new(command, "suite@here");
    // Stores may keep times less precisely than this machine tells them.
    (owner.reason, owner.since) = (Some("it conforms".to_owned()), Timestamp::UNIX_EPOCH);
    owner
}

pub(super) fn record(before: Option<&str>) -> PreviousVersion {
    before.map_or(PreviousVersion::None, |before| PreviousVersion::Release(name(before)))
}

/// A tree with one of everything, and a page that contains `text`.
pub(super) fn tree(text: &str) -> Result<Tree, String> {
    Tree::builder()
        .file("index.html", 0o644, text)
        .file("bin/run", 0o755, &b"#!/bin/sh\n"[..])
        .link("latest", "bin/run")
        .directory("empty", 0o750)
        .build()
        .map_err(|error| full_message(&error))
}

/// Checks that a call succeeded.
pub(super) fn done<T>(what: &str, result: Result<T, StoreError>) -> Result<T, String> {
    result.map_err(|error| format!("not true that {what}: {}", full_message(&error)))
}

/// Checks that a switch succeeded.
pub(super) fn switched(
    result: Result<crate::store::Activated, crate::store::ActivateError>,
) -> Result<crate::store::Activated, String> {
    result.map_err(|failed| format!("not switched ({:?}): {}", failed.took_effect, full_message(&failed.error)))
}

/// Checks that a call failed with the expected error.
pub(super) fn fails<T: Debug>(
    what: &str,
    result: Result<T, StoreError>,
    is_expected: impl FnOnce(&StoreError) -> bool,
) -> Outcome {
    match result {
        Err(error) if is_expected(&error) => Ok(()),
        other => Err(format!("{what}: {other:?}")),
    }
}

pub(super) fn is_lock_lost(error: &StoreError) -> bool {
    matches!(error, StoreError::LockLost { .. })
}

/// A claim about a release that is not there.
pub(super) fn none_ready() -> Ready {
    Ready::new(name("missing"))
}

/// Checks that the two are equal.
pub(super) fn same<T: PartialEq + Debug>(what: &str, found: &T, expected: &T) -> Outcome {
    holds(found == expected, || format!("{what}: found {found:?}, expected {expected:?}"))
}

/// Checks that `truth` holds; otherwise fails with the given words.
pub(super) fn holds(truth: bool, otherwise: impl FnOnce() -> String) -> Outcome {
    if truth { Ok(()) } else { Err(otherwise()) }
}
