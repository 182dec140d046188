//! Which processes use what stands in a directory, as `/proc` shows it.

use std::{collections::BTreeMap, os::fd::AsRawFd};

use rustix::fs::{self, OFlags};

use crate::{
    path::InnerPath,
    transport::{Reply, StepFailure, Used, Users},
};

use super::{
    errno::{self, found},
    root::Root,
};

/// What of a process is a link to a file or a directory that it uses.
const LINKS: [&str; 3] = ["cwd", "root", "exe"];

pub(super) fn find_users(root: &Root, path: &InnerPath) -> Result<Reply, StepFailure> {
    let open = || root.place(path)?.open(OFlags::RDONLY | OFlags::DIRECTORY);
    let Some(directory) = found(open()).map_err(errno::on(path))? else { return Ok(Reply::Users(Users::none())) };
    let real = fs::readlinkat(fs::CWD, format!("/proc/self/fd/{}", directory.as_raw_fd()), Vec::new());
    let mut prefix = real.map_err(errno::on(path))?.into_bytes();
    prefix.push(b'/');
    Ok(Reply::Users(users_below(&prefix)))
}

/// Who uses what begins with `prefix`, a directory with its slash.
fn users_below(prefix: &[u8]) -> Users {
    let Ok(processes) = fs_err::read_dir("/proc") else { return Users { used: Vec::new(), all_seen: false } };
    let (mut used, mut all_seen) = (BTreeMap::new(), true);
    for entry in processes.filter_map(Result::ok) {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        match used_by(process, prefix) {
            Some(names) => names.into_iter().for_each(|name| {
                used.entry(name).or_insert(process);
            }),
            None => all_seen = false,
        }
    }
    Users { used: used.into_iter().map(|(name, process)| Used { name, process }).collect(), all_seen }
}

/// The names that a process uses; `None` when it cannot be looked at.
fn used_by(process: u32, prefix: &[u8]) -> Option<Vec<Vec<u8>>> {
    let link = |name: &str| fs::readlinkat(fs::CWD, format!("/proc/{process}/{name}"), Vec::new());
    // One that has just ended, and one that nobody waited for, use nothing.
    let is_gone = |errno| errno == rustix::io::Errno::NOENT || errno == rustix::io::Errno::SRCH;
    let mut names: Vec<Vec<u8>> = Vec::new();
    for name in LINKS {
        match link(name) {
            Ok(target) => names.extend(name_below(target.as_bytes(), prefix)),
            Err(errno) if is_gone(errno) => {}
            Err(_) => return None,
        }
    }
    let maps = fs_err::read(format!("/proc/{process}/maps")).unwrap_or_default();
    let mapped = maps.split(|byte| *byte == b'\n').filter_map(|line| {
        let at = line.iter().position(|byte| *byte == b'/')?;
        name_below(&line[at..], prefix)
    });
    names.extend(mapped);
    Some(names)
}

/// The name in the directory `prefix` that `path` is or lies below.
fn name_below(path: &[u8], prefix: &[u8]) -> Option<Vec<u8>> {
    let rest = path.strip_prefix(prefix)?;
    let name = rest.split(|byte| *byte == b'/').next().unwrap_or_default();
    (!name.is_empty()).then(|| name.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_stands_directly_in_the_directory() {
        let below = |path: &str| name_below(path.as_bytes(), b"/srv/shop/releases/");
        assert_eq!(below("/srv/shop/releases/a/bin/x"), Some(b"a".to_vec()));
        assert_eq!(below("/srv/shop/releases/a"), Some(b"a".to_vec()));
        assert_eq!(below("/srv/shop/releases"), None);
        assert_eq!(below("/srv/shop/releases2/a"), None);
    }
}
