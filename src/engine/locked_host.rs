//! [`LockedHost`]: a locked host, its part of the plan, and how far it has come.

use crate::{
    name::ReleaseName,
    plan::{HostPlan, Seen},
    report::Failure,
    status::ReleaseState,
    store::{Preparation, Ready, Staged, StoreGuard},
};

use super::{Host, outcome::HostState};

/// A locked host.
pub(super) struct LockedHost<'r> {
    pub(super) member: &'r Host,
    pub(super) guard: Box<dyn StoreGuard>,
    pub(super) plan: Option<HostPlan>,
    pub(super) staged: Option<Staged>,
    /// Everything that was prepared here, in whole or in part.
    pub(super) preparation: Option<Preparation>,
    /// The release to switch to, once it is complete here.
    pub(super) ready: Option<Ready>,
    pub(super) state: HostState,
    pub(super) failure: Option<Failure>,
    /// Whether the `prepare` hook ran in its release.
    pub(super) prepared: bool,
    pub(super) warnings: Vec<String>,
    /// Warnings that were told already, and stand in the report too.
    pub(super) reported: Vec<String>,
    /// The releases that were pruned.
    pub(super) pruned: Vec<ReleaseName>,
}

impl<'r> LockedHost<'r> {
    pub(super) fn new(member: &'r Host, guard: Box<dyn StoreGuard>) -> Self {
        Self {
            member,
            guard,
            plan: None,
            staged: None,
            preparation: None,
            ready: None,
            state: HostState::default(),
            failure: None,
            prepared: false,
            warnings: Vec::new(),
            reported: Vec::new(),
            pruned: Vec::new(),
        }
    }

    pub(super) fn name(&self) -> &'r str {
        &self.member.name
    }

    pub(super) fn seen(&self) -> Seen<'_> {
        Seen { host: &self.member.name, state: self.guard.state() }
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
