//! File ownership checks: commands execute what the owner of a release, or of the tool's state, put there.

use crate::{commands::DataPlace, name::ReleaseName, store::TeamState};

use super::{DataPlan, HostRefusal, Plan, Reason, Refusal, Seen};

/// The accounts whose files are trusted on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owners<'t> {
    user: u32,
    team: Option<&'t TeamState>,
}

impl<'t> Owners<'t> {
    /// Trusts root and the user that the tool runs as.
    #[must_use]
    pub(crate) fn new(user: u32) -> Self {
        Self { user, team: None }
    }

    /// Also trusts the members of the root's group, if it has one.
    #[must_use]
    pub(crate) fn with(self, team: Option<&'t TeamState>) -> Self {
        Self { team, ..self }
    }

    /// Returns every trusted UID.
    #[must_use]
    pub(crate) fn all(self) -> Vec<u32> {
        [0, self.user].into_iter().chain(self.team.iter().flat_map(|team| team.members())).collect()
    }

    /// Returns `true` if files of `owner` are trusted.
    #[must_use]
    pub(crate) fn trust(self, owner: u32) -> bool {
        owner == 0 || owner == self.user || self.team.is_some_and(|team| team.has(owner))
    }
}

/// Refuses a plan that relies on files of untrusted owners.
///
/// That is a state directory of another user, from which the plan reads its target, records and commands; or a release
/// of another user in which commands would run: the release that a host ends on, if the plan runs commands there or
/// `code` does, and the releases whose data is reverted there.
pub(crate) fn trust(plan: &Plan, code: bool, hosts: &[Seen<'_>]) -> Result<(), Refusal> {
    let refuse = |seen: &Seen<'_>| {
        let host = plan.host(seen.host)?;
        state(seen).err().or_else(|| {
            let runs = code || !host.commands.commands.is_empty();
            let target = host.arrives_on().filter(|_| runs);
            let foreign = target.into_iter().chain(reverted(plan, seen.host)).find_map(|name| foreign(seen, name));
            foreign.map(|(name, owner)| seen.refuse(Reason::ForeignRelease { name: name.clone(), owner }))
        })
    };
    let refusals: Vec<HostRefusal> = hosts.iter().filter_map(refuse).collect();
    if refusals.is_empty() { Ok(()) } else { Err(Refusal::of(plan.command, refusals)) }
}

/// Refuses a state directory that untrusted users may have written to: nothing in it can be obeyed.
pub(crate) fn state(seen: &Seen<'_>) -> Result<(), HostRefusal> {
    let (Some(user), Some(state)) = (seen.state.user, seen.state.keeper) else { return Ok(()) };
    if !Owners::new(user).with(seen.state.team.as_ref()).trust(state.owner) {
        return Err(seen.refuse(Reason::ForeignState { owner: state.owner, user }));
    }
    let is_teams = seen.state.team.as_ref().is_some_and(TeamState::keeps_others_out);
    let reason = match state.mode & 0o022 {
        // In a group's root, members of the group wrote what is there.
        0 | 0o020 if is_teams => return Ok(()),
        0 => return records(seen, user),
        // Every member of that group can replace any record.
        0o020 => Reason::GroupMayWrite { mode: state.mode },
        _ => Reason::OthersMayWrite {
            what: format!("everybody may write to the state directory (mode {:04o})", state.mode),
        },
    };
    Err(seen.refuse(reason))
}

/// Refuses records of untrusted users, who put them there while the directory was open to them.
fn records(seen: &Seen<'_>, user: u32) -> Result<(), HostRefusal> {
    let owners = Owners::new(user).with(seen.state.team.as_ref());
    match seen.state.record_owners.iter().find(|record| !owners.trust(record.owner)) {
        Some(record) => {
            Err(seen.refuse(Reason::ForeignRecord { path: record.path.clone(), owner: record.owner, user }))
        }
        None => Ok(()),
    }
}

fn foreign<'n>(seen: &Seen<'_>, name: &'n ReleaseName) -> Option<(&'n ReleaseName, u32)> {
    Some((name, seen.state.release(name)?.foreign?))
}

/// Returns the releases whose commands revert the data on `host`.
fn reverted<'p>(plan: &'p Plan, host: &'p str) -> impl Iterator<Item = &'p ReleaseName> {
    let steps = if let Some(DataPlan::Revert { steps, .. }) = &plan.data { &steps[..] } else { &[] };
    let here = move |place: &DataPlace| matches!(place, DataPlace::Host(name) if name == host);
    steps.iter().filter(move |step| step.commands.is_some() && here(&step.place)).map(|step| &step.release)
}
