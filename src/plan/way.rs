//! Permission checks of the directories that lead to the tool's files: whoever may write to one of them can
//! replace its contents at any instant.

use crate::transport::Passed;

use super::{HostRefusal, Reason, Seen};

/// The sticky bit: in such a directory only the owner of an entry may rename or remove it.
const STICKY: u32 = 0o1000;

/// Refuses a host with a directory on the path that is world-writable or belongs to an untrusted user.
///
/// A sticky directory passes. A user who owns a directory may do anything with it.
pub(crate) fn guard(seen: &Seen<'_>) -> Result<(), HostRefusal> {
    let Some(identity) = &seen.state.identity else { return Ok(()) };
    let refusal = |passed: &Passed| {
        let (path, entry) = (&passed.path, &passed.entry);
        let is_member = seen.state.team.as_ref().is_some_and(|team| team.has(entry.owner));
        if entry.owner != 0 && entry.owner != identity.uid && !is_member {
            return Some(format!("{path} belongs to user {}, not to {} or root", entry.owner, identity.user));
        }
        let open = entry.mode & 0o002 != 0 && entry.mode & STICKY == 0;
        open.then(|| format!("everybody may write to {path} (mode {:04o})", entry.mode))
    };
    match seen.state.way.iter().find_map(refusal) {
        Some(what) => Err(seen.refuse(Reason::OthersMayWrite { what })),
        None => Ok(()),
    }
}

/// Refuses a host whose releases, or the tool's own files, lie on another filesystem than the root: rename(2)
/// works only within one filesystem.
pub(crate) fn one_filesystem(seen: &Seen<'_>) -> Result<(), HostRefusal> {
    let Some(root) = seen.state.identity.as_ref().map(|identity| identity.root) else { return Ok(()) };
    // The directories above the root may be on other filesystems.
    let below = seen.state.way.iter().skip_while(|passed| passed.entry.id != root).skip(1);
    match below.into_iter().find(|passed| passed.entry.id.device != root.device) {
        Some(passed) => Err(seen.refuse(Reason::AnotherFilesystem { path: passed.path.clone() })),
        None => Ok(()),
    }
}

/// Warns about group-writable directories on the path.
#[must_use]
pub(crate) fn writable_by_group(seen: &Seen<'_>) -> Option<String> {
    let open = |passed: &&Passed| passed.entry.mode & 0o020 != 0 && passed.entry.mode & STICKY == 0;
    // A group's root is meant to be writable by the group, with all of the tool's files in it.
    let root = seen.state.team.as_ref().and(seen.state.identity.as_ref()).map(|identity| identity.root);
    let way = seen.state.way.iter().take_while(|passed| Some(passed.entry.id) != root);
    let paths: Vec<&str> = way.filter(open).map(|passed| passed.path.as_str()).collect();
    let message = "a group may write to {}: its members can replace releases";
    (!paths.is_empty()).then(|| message.replace("{}", &paths.join(", ")))
}

/// Warns that the root is on a network filesystem, which other machines may have mounted too.
#[must_use]
pub(crate) fn on_network(seen: &Seen<'_>) -> Option<String> {
    let name = seen.state.identity.as_ref()?.filesystem?.network()?;
    Some(format!(
        "the root is on {name}: the switch is atomic there too, but another machine that mounts it may see the old release until its cache of `current` expires"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        store::RootState,
        time::Timestamp,
        transport::{Entry, EntryKind, FileId, FilesystemKind, HostIdentity},
    };

    fn state(way: &[(&str, u32, u32)]) -> RootState {
        let id = FileId { device: 1, inode: 1 };
        let passed = |(path, mode, owner): &(&str, u32, u32)| Passed {
            path: (*path).to_owned(),
            entry: Entry { kind: EntryKind::Directory, mode: *mode, owner: *owner, id, size: 0, modified: 0 },
        };
        let identity = HostIdentity {
            user: "deploy".into(),
            uid: 7,
            hostname: "h".into(),
            boot: None,
            root: id,
            filesystem: None,
            clock: Timestamp::UNIX_EPOCH,
        };
        RootState { identity: Some(identity), way: way.iter().map(passed).collect(), ..RootState::default() }
    }

    fn refused(way: &[(&str, u32, u32)]) -> Option<String> {
        let state = state(way);
        guard(&Seen { host: "web1", state: &state }).err().map(|refusal| refusal.reason.to_string())
    }

    #[test]
    fn a_root_that_other_machines_may_have_is_told_of() {
        let on = |kind: Option<u32>| {
            let mut state = state(&[]);
            let identity = state.identity.as_mut().expect("it answered");
            identity.filesystem = kind.map(FilesystemKind);
            on_network(&Seen { host: "web1", state: &state })
        };
        assert!(on(Some(0x6969)).is_some_and(|warning| warning.starts_with("the root is on NFS: ")));
        assert_eq!((on(Some(0xef53)), on(None)), (None, None));
    }

    #[test]
    fn what_everybody_or_another_user_can_change_is_refused() {
        assert_eq!(refused(&[("/", 0o755, 0), ("/srv", 0o775, 0), ("/srv/shop", 0o700, 7)]), None);
        assert_eq!(refused(&[("/tmp", 0o1777, 0), ("/tmp/shop", 0o755, 7)]), None, "the sticky bit keeps others out");
        assert!(refused(&[("/srv", 0o777, 0)]).is_some_and(|why| why.contains("/srv (mode 0777)")));
        assert!(refused(&[("/home/jo", 0o755, 8)]).is_some_and(|why| why.contains("belongs to user 8")));
    }

    #[test]
    fn what_lies_on_another_filesystem_is_refused() {
        let mut state =
            state(&[("/", 0o755, 0), ("/srv", 0o755, 0), ("/srv/releases", 0o755, 7), ("/srv/s", 0o755, 7)]);
        for (passed, id) in state.way.iter_mut().zip([(9, 2), (1, 1), (1, 3), (8, 2)]) {
            passed.entry.id = FileId { device: id.0, inode: id.1 };
        }
        let refused = |state: &RootState| {
            one_filesystem(&Seen { host: "web1", state }).err().map(|refusal| refusal.reason.to_string())
        };
        assert!(refused(&state).is_some_and(|why| why.contains("/srv/s is on another filesystem")));
        state.way.pop();
        assert_eq!(refused(&state), None, "what is above the root may lie where it likes");
    }

    #[test]
    fn what_a_group_can_change_is_told() {
        let state = state(&[("/", 0o755, 0), ("/srv", 0o775, 0), ("/srv/shop", 0o2775, 7)]);
        let told = writable_by_group(&Seen { host: "web1", state: &state }).expect("a warning");
        assert!(told.contains("/srv, /srv/shop"), "{told}");
    }
}
