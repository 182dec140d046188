//! [`States`]: the states of the releases of one root.

use std::collections::HashSet;

use crate::{name::ReleaseName, status::ReleaseState};

use super::{HostedRelease, RootState};

/// The states of the releases of one root.
#[derive(Debug, Clone)]
pub(crate) struct States<'s> {
    current: Option<&'s ReleaseName>,
    /// The releases named by the records of others.
    named: HashSet<&'s ReleaseName>,
    /// The targets of operations that are under way or were interrupted.
    begun: HashSet<&'s ReleaseName>,
}

impl<'s> States<'s> {
    pub(super) fn new(state: &'s RootState) -> Self {
        let named = state.releases.iter().filter_map(|release| release.previous.as_ref().ok()?.release());
        let intents = state.interrupted.iter().map(|left| &left.intent).chain([&state.intent]);
        let begun = intents.filter_map(|intent| Some(&intent.record()?.to));
        Self { current: state.current.release(), named: named.collect(), begun: begun.collect() }
    }

    /// Returns the state of one of the releases.
    #[must_use]
    pub(crate) fn of(&self, release: &HostedRelease) -> ReleaseState {
        let recorded = release.previous.is_ok() && !self.begun.contains(&release.name);
        if self.current == Some(&release.name) {
            ReleaseState::Current
        } else if release.bad.exists() {
            ReleaseState::Bad
        } else if recorded || self.named.contains(&release.name) {
            ReleaseState::Good
        } else {
            ReleaseState::Staged
        }
    }
}
