//! [`LockedHost`]: a host whose lock is held, its part of the plan, and its progress.

use crate::{
    name::ReleaseName,
    plan::{HostPlan, Seen},
    report::Failure,
    status::ReleaseState,
    store::{Ready, Staged, StoreGuard},
};

use super::{
    Host,
    log::{HostAct, Log},
    outcome::HostState,
};

/// A host whose lock is held.
pub(super) struct LockedHost<'r> {
    pub(super) member: &'r Host,
    pub(super) guard: Box<dyn StoreGuard>,
    pub(super) plan: Option<HostPlan>,
    pub(super) staged: Option<Staged>,
    /// The acts of the prepare phase here.
    pub(super) log: Log<HostAct>,
    /// The release to switch to, once it is complete here.
    pub(super) ready: Option<Ready>,
    pub(super) state: HostState,
    pub(super) failure: Option<Failure>,
    pub(super) warnings: Vec<String>,
    /// Warnings already emitted as events, kept for the report.
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
            log: Log::default(),
            ready: None,
            state: HostState::default(),
            failure: None,
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

    /// Whether `release` was never current here or does not exist yet, so that `prepare` runs in it.
    pub(super) fn is_new(&self, release: &ReleaseName) -> bool {
        let state = self.guard.state();
        state.release(release).is_none_or(|release| state.state_of(release) == ReleaseState::Staged)
    }

    /// Whether the host's plan switches `current`.
    pub(super) fn switches(&self) -> bool {
        self.plan.as_ref().is_some_and(|plan| plan.action.switches())
    }
}
