//! Groups, from the system's files and commands.

use std::{
    os::fd::{AsRawFd, OwnedFd},
    process::{Command, Stdio},
    rc::Rc,
};

use rustix::{
    fs::{self, Gid, Mode, OFlags},
    io::Errno,
    process,
};

use crate::{
    group::GroupName,
    path::InnerPath,
    transport::{
        EntryKind, FailureKind, Group, GroupPlace, GroupReach, Listed, Reply, StepFailure,
        group::{GIVEN, GIVEN_FILE},
    },
};

use super::{
    ask,
    errno::{self, Result, found},
    root::{self, Root, entry_kind},
};

type Answer = std::result::Result<Reply, StepFailure>;

pub(super) fn inspect_group(root: &Root, name: &GroupName, paths: &[InnerPath], below: &InnerPath) -> Answer {
    let Some(id) = id_of(name) else { return Ok(Reply::Group(None)) };
    let mut group = Group { id, is_ours: is_ours(id), ..Group::default() };
    let mut owners = Vec::new();
    for path in paths {
        let stat = match found(root.place(path).and_then(|place| place.stat())) {
            Err(Errno::NOTDIR) => None,
            other => other.map_err(errno::on(path))?,
        };
        let stat = stat.filter(|stat| entry_kind(stat) == EntryKind::Directory);
        owners.extend(stat.map(|stat| stat.st_uid));
        let place = |stat: fs::Stat| GroupPlace { owner: stat.st_uid, group: stat.st_gid, mode: stat.st_mode & 0o7777 };
        group.places.push(stat.map(place));
    }
    // A directory that is missing or cannot be listed adds no owners.
    if let Ok(Reply::Listing(Some(listed))) = ask::list(root, below) {
        owners.extend(listed.iter().map(|listed| listed.entry.owner));
    }
    owners.sort_unstable();
    owners.dedup();
    group.members = owners.into_iter().filter(|owner| is_member(*owner, id)).collect();
    Ok(Reply::Group(Some(group)))
}

/// Whether this process belongs to the group; root may do whatever a member may.
fn is_ours(id: u32) -> bool {
    let groups = process::getgroups().unwrap_or_default();
    process::geteuid().is_root() || process::getegid().as_raw() == id || groups.iter().any(|group| group.as_raw() == id)
}

/// Returns the group's id, from `getent`, which also asks directory services, or from `/etc/group`.
fn id_of(name: &GroupName) -> Option<u32> {
    let told = said("getent", &["group", name.as_str()]);
    let lines = told.or_else(|| fs_err::read_to_string("/etc/group").ok())?;
    lines.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name.as_str())).then(|| fields.nth(1)?.parse().ok()).flatten()
    })
}

fn is_member(user: u32, group: u32) -> bool {
    let groups = said("id", &["-G", &user.to_string()]);
    groups.is_some_and(|groups| groups.split_whitespace().any(|id| id.parse() == Ok(group)))
}

fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

pub(super) fn give_to_group(root: &Root, path: &InnerPath, name: &GroupName, reach: GroupReach) -> Answer {
    let Some(id) = id_of(name) else {
        return Err(StepFailure::new(FailureKind::Missing, format!("there is no group {name}")));
    };
    let place = root.place(path).map_err(errno::on(path))?;
    let stat = place.stat().map_err(errno::on(path))?;
    if entry_kind(&stat) != EntryKind::Directory {
        return Err(errno::wrong_kind(path, entry_kind(&stat)));
    }
    if reach != GroupReach::Directories && stat.st_gid != id && (stat.st_mode >> 3) & !stat.st_mode & 0o2 != 0 {
        return Err(StepFailure::new(FailureKind::Denied, format!("{path}: another group may write to it")));
    }
    let giving = Giving { id, user: process::geteuid().as_raw(), reach };
    let opened = root::enter(&place.directory, place.name);
    opened.and_then(|directory| giving.all(directory)).map_err(errno::on(path))?;
    Ok(Reply::Done)
}

struct Giving {
    id: u32,
    user: u32,
    reach: GroupReach,
}

impl Giving {
    /// Gives an open directory to the group, and its contents as far as the reach says.
    ///
    /// Does not recurse: an application may nest directories to any depth.
    fn all(&self, directory: OwnedFd) -> Result<()> {
        if self.reach == GroupReach::Itself {
            return self.give(&directory, GIVEN);
        }
        let mut todo = vec![Rc::new(directory)];
        while let Some(directory) = todo.pop() {
            if self.is_ours(fs::fstat(&directory)?.st_uid) {
                self.give(&directory, GIVEN)?;
            }
            for Listed { name, entry } in
                ask::entries_of(root::open(&directory, ".", OFlags::RDONLY | OFlags::DIRECTORY)?)?
            {
                let files = self.reach == GroupReach::All && self.is_ours(entry.owner);
                // If an entry has disappeared, there is nothing to give to the group.
                match entry.kind {
                    EntryKind::Directory => todo.extend(found(root::enter(&directory, &name[..]))?.map(Rc::new)),
                    EntryKind::File if files => {
                        found(
                            root::open(&directory, &name[..], OFlags::PATH)
                                .and_then(|file| self.give(&file, GIVEN_FILE)),
                        )?;
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn is_ours(&self, owner: u32) -> bool {
        self.user == 0 || owner == self.user
    }

    /// Gives an open entry to the group, with these mode bits.
    ///
    /// An entry that already has both stays as it is, and may belong to anybody.
    fn give(&self, open: &OwnedFd, bits: u32) -> Result<()> {
        let stat = fs::fstat(open)?;
        let path = format!("/proc/self/fd/{}", open.as_raw_fd());
        if stat.st_gid != self.id {
            fs::chown(&path, None, Some(Gid::from_raw(self.id)))?;
        }
        if stat.st_gid != self.id || stat.st_mode & bits != bits {
            fs::chmod(&path, Mode::from_raw_mode(stat.st_mode & 0o7777 | bits))?;
        }
        Ok(())
    }
}
