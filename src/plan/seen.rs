//! [`Seen`]: a host and what it said, from which plans are made.

use crate::{
    lock::LockOwner,
    name::ReleaseName,
    report::Command,
    store::{Current, RootState},
    transport::Liveness,
};

use super::{Chain, HostRefusal, Reason, describe};

/// A host, and what it was seen to hold.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'s> {
    /// The host's name.
    pub host: &'s str,
    /// What it holds.
    pub state: &'s RootState,
}

impl<'s> Seen<'s> {
    /// A refusal of this host.
    pub(super) fn refuse(&self, reason: Reason) -> HostRefusal {
        HostRefusal { host: self.host.to_owned(), reason }
    }

    /// Whether others of these hosts remember that it missed an operation: a deploy or an activation, which names the release
    /// for every host, brings it along wherever it is. Nothing else obeys that.
    pub(super) fn owes(&self, hosts: &[Seen<'_>]) -> bool {
        hosts.iter().any(|other| other.state.debts.iter().any(|debt| debt.host == self.host))
    }

    /// The release that is current.
    pub(super) fn current(&self) -> Option<&'s ReleaseName> {
        self.state.current.release()
    }

    /// The refusal because somebody removed `current`.
    pub(super) fn no_current(&self) -> Reason {
        let last = self.state.last.as_ref().and_then(|last| self.state.release(last));
        Reason::NoCurrent(last.filter(|last| !last.bad.exists()).map(|last| last.name.clone()))
    }

    /// The recorded way back from the release that is current.
    pub(super) fn chain(&self) -> Option<Chain<'s>> {
        self.current().map(|name| Chain::from(self.state, name))
    }

    /// Refuses to go to a release that was never made ready, but where it is current: it is too late then.
    pub(super) fn sealed(&self, name: &ReleaseName) -> Result<(), HostRefusal> {
        let unsealed = self.state.release(name).is_some_and(|release| release.unsealed.record().is_some());
        let goes = unsealed && self.current() != Some(name);
        if goes { Err(self.refuse(Reason::NotSealed { name: name.clone() })) } else { Ok(()) }
    }

    /// Whether an adoption was interrupted here, whose holder of the lock is gone.
    fn is_half_adopted(&self) -> bool {
        let state = self.state;
        let adopts = |owner: Option<&LockOwner>| owner.is_some_and(|owner| owner.command == Command::Adopt);
        let left = state.lock.as_ref().is_some_and(|lock| lock.holder == Liveness::Gone && adopts(lock.owner.as_ref()));
        left || state.adopting.is_some() || state.interrupted.iter().any(|left| adopts(left.owner.record()))
    }

    /// Refuses a `current` that whoever made it must decide about, and a root where nobody can say what was interrupted.
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
