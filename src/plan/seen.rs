//! [`Seen`]: a host and its state, the input of every plan.

use crate::{
    lock::LockOwner,
    name::ReleaseName,
    report::Command,
    store::{Current, RootState},
    transport::Liveness,
};

use super::{Chain, HostRefusal, Reason, describe};

/// A host and its observed state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'s> {
    /// The host's name.
    pub host: &'s str,
    /// The state of its root.
    pub state: &'s RootState,
}

impl<'s> Seen<'s> {
    /// Builds a refusal of this host.
    pub(super) fn refuse(&self, reason: Reason) -> HostRefusal {
        HostRefusal { host: self.host.to_owned(), reason }
    }

    /// Returns `true` if another host records that this one missed an operation.
    ///
    /// Only a deploy or an activation, which names the release for every host, moves such a host along from wherever it
    /// is. Other commands ignore the record.
    pub(super) fn owes(&self, hosts: &[Seen<'_>]) -> bool {
        hosts.iter().any(|other| other.state.debts.iter().any(|debt| debt.host == self.host))
    }

    /// Returns the current release.
    pub(super) fn current(&self) -> Option<&'s ReleaseName> {
        self.state.current.release()
    }

    /// Returns the reason for a refusal when somebody removed `current`.
    pub(super) fn no_current(&self) -> Reason {
        let last = self.state.last.as_ref().and_then(|last| self.state.release(last));
        Reason::NoCurrent(last.filter(|last| !last.bad.exists()).map(|last| last.name.clone()))
    }

    /// Returns the reason for a refusal when there is no `current`: none was made yet, or somebody removed it.
    pub(super) fn without_current(&self) -> Option<Reason> {
        match self.state.current {
            Current::Absent if self.state.lost_current() => Some(self.no_current()),
            Current::Absent => Some(Reason::NotDeployed),
            _ => None,
        }
    }

    /// Returns the chain of recorded previous releases, starting at the current one.
    pub(super) fn chain(&self) -> Option<Chain<'s>> {
        self.current().map(|name| Chain::from(self.state, name))
    }

    /// Refuses a switch to a release that was never sealed; allows it if the release is current, when it is too
    /// late.
    pub(super) fn sealed(&self, name: &ReleaseName) -> Result<(), HostRefusal> {
        let unsealed = self.state.release(name).is_some_and(|release| release.unsealed.record().is_some());
        let goes = unsealed && self.current() != Some(name);
        if goes { Err(self.refuse(Reason::NotSealed { name: name.clone() })) } else { Ok(()) }
    }

    /// Returns `true` if an adoption was interrupted here and the holder of its lock is dead.
    fn is_half_adopted(&self) -> bool {
        let state = self.state;
        let adopts = |owner: Option<&LockOwner>| owner.is_some_and(|owner| owner.command == Command::Adopt);
        let left = state.lock.as_ref().is_some_and(|lock| lock.holder == Liveness::Gone && adopts(lock.owner.as_ref()));
        left || state.adopting.is_some() || state.interrupted.iter().any(|left| adopts(left.owner.record()))
    }

    /// Refuses a `current` that this tool did not make, and a root whose record of an interrupted operation is
    /// unreadable.
    pub(super) fn ours(&self) -> Result<(), HostRefusal> {
        let mut intents = self.state.interrupted.iter().map(|left| left.intent.unreadable());
        if let Some(why) = self.state.journal.unreadable().or_else(|| intents.find_map(|why| why)) {
            return Err(self.refuse(Reason::IntentUnreadable { why: why.to_owned() }));
        }
        match &self.state.current {
            Current::Release { .. } => Ok(()),
            current if self.is_half_adopted() => Err(self.refuse(Reason::HalfAdopted { current: describe(current) })),
            Current::Absent | Current::Dangling { .. } => Ok(()),
            Current::Outside { .. } | Current::NotALink(_) => {
                Err(self.refuse(Reason::NotOurs { current: describe(&self.state.current) }))
            }
        }
    }
}
