//! [`Working`]: a locked host, its part of the plan, and how far it has come.

use crate::{
    name::ReleaseName,
    plan::{HostPlan, Seen},
    report::Failure,
    status::ReleaseState,
    store::{Activated, Preparation, Ready, Staged, StoreGuard},
};

use super::Host;

/// A locked host.
pub(super) struct Working<'r> {
    pub(super) host: &'r Host,
    pub(super) guard: Box<dyn StoreGuard>,
    pub(super) plan: Option<HostPlan>,
    pub(super) staged: Option<Staged>,
    pub(super) progress: Progress,
    pub(super) failure: Option<Failure>,
    /// Whether the `prepare` hook ran in its release.
    pub(super) prepared: bool,
    /// Whether a hook failed that told of its being put back.
    pub(super) hook_failed: bool,
    pub(super) warnings: Vec<String>,
    /// Warnings that were told already, and stand in the report too.
    pub(super) told: Vec<String>,
    /// The releases that were pruned.
    pub(super) pruned: Vec<ReleaseName>,
}

/// How far a host has come.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// What was prepared, be it wholly or in part.
    pub(super) preparation: Option<Preparation>,
    /// What can be switched to.
    pub(super) ready: Option<Ready>,
    /// The switch that took effect, with what it takes to go back.
    pub(super) switched: Option<Activated>,
    /// Whether a switch that took effect was put back.
    pub(super) reverted: bool,
    /// Whether somebody moved `current` away again after it was switched.
    pub(super) strayed: bool,
    /// Whether nobody knows where `current` leads.
    pub(super) unknown: bool,
}

impl<'r> Working<'r> {
    pub(super) fn new(host: &'r Host, guard: Box<dyn StoreGuard>) -> Self {
        Self {
            host,
            guard,
            plan: None,
            staged: None,
            progress: Progress::default(),
            failure: None,
            prepared: false,
            hook_failed: false,
            warnings: Vec::new(),
            told: Vec::new(),
            pruned: Vec::new(),
        }
    }

    pub(super) fn name(&self) -> &'r str {
        &self.host.name
    }

    pub(super) fn seen(&self) -> Seen<'_> {
        Seen { host: &self.host.name, state: self.guard.state() }
    }

    /// Whether `release` was never current here, or is not here yet: what is run to make it ready is run in it then.
    pub(super) fn is_new(&self, release: &ReleaseName) -> bool {
        let state = self.guard.state();
        state.release(release).is_none_or(|release| state.state_of(release) == ReleaseState::Staged)
    }

    /// Whether its plan switches `current`.
    pub(super) fn switches(&self) -> bool {
        self.plan.as_ref().is_some_and(|plan| plan.action.switches())
    }
}
