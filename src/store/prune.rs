//! Removes releases under the lock: moves them all into the trash first, and makes that durable.

use std::collections::HashSet;

use crate::{
    name::ReleaseName,
    status::ReleaseState,
    token::Token,
    transport::{Contents, Handle, MayFail, Replies, StepFailure, TransportError},
};

#[cfg(doc)]
use super::StoreGuard;
use super::{
    DirStore, Kept, RootState, StoreError,
    guard::DirGuard,
    steps::{Move, Pruning},
};

/// The result of [`StoreGuard::prune`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Pruned {
    /// The releases moved away, each with its directory in the trash.
    pub moved: Vec<(ReleaseName, Token)>,
    /// The releases that stayed in place, each with the reason.
    pub failed: Vec<(ReleaseName, String)>,
}

/// The maximum number of releases pruned by older versions whose lists are removed per run.
const CATCHES_UP: usize = 200;

impl DirStore {
    /// Returns the pruned releases whose lists an older version left.
    fn older(&self, lists: Result<&Contents, &StepFailure>) -> Vec<ReleaseName> {
        let names = lists.into_iter().flatten().filter_map(|(name, _)| self.layout().release_name(name));
        names.take(CATCHES_UP).collect()
    }
}

impl DirGuard {
    /// Surveys the whole root again. The caller holds the lock, so the state reports no holder.
    pub(super) async fn survey(&mut self) -> Result<(), StoreError> {
        let state = self.store.survey().await?;
        let fenced = &self.fenced;
        let interrupted = state.interrupted.into_iter().filter(|left| !fenced.contains(&left.token)).collect();
        self.state = RootState { lock: None, intent: Kept::Nothing, interrupted, ..state };
        Ok(())
    }

    /// Moves releases into the trash. Reports those that could not be moved with the reason.
    pub(super) async fn prune(&mut self, releases: &[ReleaseName]) -> Result<Pruned, StoreError> {
        if releases.is_empty() {
            return Ok(Pruned::default());
        }
        let pruning = self.store.steps.prune(&self.token, &self.state.current, releases);
        let replies = self.store.execute_locked(&pruning.batch).await?;
        let pruned = self.read_pruned(&pruning, &replies)?;
        let older = self.store.older(replies.get(pruning.lists)?);
        self.keep_names(&pruned, &older).await?;
        let moved: HashSet<&ReleaseName> = pruned.moved.iter().map(|(name, _)| name).collect();
        self.state.releases.retain(|release| !moved.contains(&release.name));
        Ok(pruned)
    }

    /// Sorts the replies into moved and failed releases.
    fn read_pruned(&self, pruning: &Pruning, replies: &Replies) -> Result<Pruned, TransportError> {
        let why =
            |step: Handle<MayFail<()>>| Ok::<_, TransportError>(replies.get(step)?.err().map(ToString::to_string));
        // A crash may bring an unsynced release back under its name, so it must stay complete: the next staging empties
        // the trash.
        let unsynced = why(pruning.sync)?.map(|why| format!("it is in the trash, which could not be synced ({why})"));
        let mut pruned = Pruned::default();
        for Move { name, trash, out, away } in &pruning.moves {
            let at = self.store.layout().release(name);
            match why(*out)?.map(|why| format!("{at} stays: {why}")).or(why(*away)?).or(unsynced.clone()) {
                Some(why) => pruned.failed.push((name.clone(), why)),
                None => pruned.moved.push((name.clone(), trash.clone())),
            }
        }
        Ok(pruned)
    }

    async fn keep_names(&self, pruned: &Pruned, older: &[ReleaseName]) -> Result<(), StoreError> {
        let states = self.state.states();
        let was_current = |name: &ReleaseName| {
            self.state.release(name).is_none_or(|release| states.of(release) != ReleaseState::Staged)
        };
        let gone: Vec<(ReleaseName, bool)> =
            pruned.moved.iter().map(|(name, _)| (name.clone(), was_current(name))).collect();
        self.store.execute_locked(&self.store.steps.forget_releases(&self.token, &gone, older)).await.map(drop)
    }
}
