//! Whether a root can be a group's: every member must be able to work there.

use super::{HostRefusal, Reason, Seen};

/// Refuses a host that does not have the group, whose user is not in it, or where a directory is not the group's and cannot be
/// given to it.
///
/// # Errors
///
/// [`HostRefusal`] with [`Reason::NoSuchGroup`], [`Reason::NotInGroup`] or [`Reason::NotOfGroup`].
pub fn team(seen: &Seen<'_>) -> Result<(), HostRefusal> {
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

/// That the account to which `prepare` gives releases is in the group: whoever takes the application over could change what the
/// tool keeps, and what it runs.
#[must_use]
pub fn given_to_a_member(seen: &Seen<'_>) -> Option<String> {
    let team = seen.state.team.as_ref().filter(|team| !team.given.is_empty())?;
    let users: Vec<String> = team.given.iter().map(ToString::to_string).collect();
    Some(format!(
        "`prepare` gave a release to user {}, who is in the group {}: the application's own account should not be, since it \
         could change what is deployed, and what runs then",
        users.join(", "),
        team.name
    ))
}
