//! The check that every member of a root's group can work there.

use super::{HostRefusal, Reason, Seen};

/// Refuses a host that lacks the group, whose user is not a member, or with a directory that cannot be given to
/// the group.
pub(crate) fn team(seen: &Seen<'_>) -> Result<(), HostRefusal> {
    let Some(team) = &seen.state.team else { return Ok(()) };
    let name = team.name.clone();
    let Some(group) = &team.group else { return Err(seen.refuse(Reason::NoSuchGroup { group: name })) };
    let Some(identity) = &seen.state.identity else { return Ok(()) };
    if !group.is_ours {
        return Err(seen.refuse(Reason::NotInGroup { group: name, user: identity.user.clone() }));
    }
    match team.closed(identity.uid) {
        Some(path) => Err(seen.refuse(Reason::NotOfGroup { path: path.to_string(), group: name })),
        None => Ok(()),
    }
}

/// Warns that the account to which `prepare` gives releases is in the group: whoever takes over the application
/// could change the tool's state, and what it runs.
#[must_use]
pub(crate) fn given_to_a_member(seen: &Seen<'_>) -> Option<String> {
    let team = seen.state.team.as_ref().filter(|team| !team.given.is_empty())?;
    let users: Vec<String> = team.given.iter().map(ToString::to_string).collect();
    Some(format!(
        "`prepare` gave a release to user {}, who is in the group {}: the application's own account should not be, since it \
         could change what is deployed, and what runs then",
        users.join(", "),
        team.name
    ))
}
