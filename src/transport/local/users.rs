//! The processes that use entries of a directory, from `/proc`.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::fd::AsRawFd,
};

use rustix::fs::{self, OFlags};

use crate::{
    path::InnerPath,
    transport::{Reply, StepFailure, Used, Users},
};

use super::{
    errno::{self, found},
    mounts::{self, DevicePath},
    root::Root,
};

/// The links in `/proc/PID` to files and directories that a process uses.
const LINKS: [&str; 3] = ["cwd", "root", "exe"];

/// The bits of an open file's flags that mean writing.
const WRITES: u32 = 0o3;

pub(super) fn find_users(root: &Root, path: &InnerPath) -> Result<Reply, StepFailure> {
    let open = || root.place(path)?.open(OFlags::RDONLY | OFlags::DIRECTORY);
    let Some(directory) = found(open()).map_err(errno::on(path))? else { return Ok(Reply::Users(Users::none())) };
    let real = fs::readlinkat(fs::CWD, format!("/proc/self/fd/{}", directory.as_raw_fd()), Vec::new());
    let mut prefix = real.map_err(errno::on(path))?.into_bytes();
    prefix.push(b'/');
    let search = Search { device: mounts::device_path(&prefix), prefix };
    Ok(Reply::Users(search.users()))
}

/// A search among the processes of this machine.
struct Search {
    /// The directory, with a trailing slash.
    prefix: Vec<u8>,
    /// The directory's path in its own filesystem; `None` where that cannot be determined.
    device: Option<DevicePath>,
}

impl Search {
    fn users(&self) -> Users {
        let Ok(processes) = fs_err::read_dir("/proc") else { return Users { used: Vec::new(), all_seen: false } };
        // If the first process is not visible, the processes of others are hidden.
        let all_visible = fs_err::metadata("/proc/1").is_ok() && self.device.is_some();
        let (mut used, mut all_seen, mut spaces) = (BTreeMap::new(), all_visible, BTreeSet::new());
        for entry in processes.filter_map(Result::ok) {
            let Some(process) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            match self.used_by(process).map(|names| [names, self.mounted_for(process, &mut spaces)].concat()) {
                Some(names) => names.into_iter().for_each(|name| {
                    used.entry(name).or_insert(process);
                }),
                None => all_seen = false,
            }
        }
        Users { used: used.into_iter().map(|(name, process)| Used { name, process }).collect(), all_seen }
    }

    /// Returns the names that a process uses; `None` when it cannot be inspected.
    fn used_by(&self, process: u32) -> Option<Vec<Vec<u8>>> {
        let link = |name: &str| fs::readlinkat(fs::CWD, format!("/proc/{process}/{name}"), Vec::new());
        // A process that has just ended, and a zombie, use nothing.
        let is_gone = |errno| errno == rustix::io::Errno::NOENT || errno == rustix::io::Errno::SRCH;
        let mut names: Vec<Vec<u8>> = Vec::new();
        for name in LINKS {
            match link(name) {
                Ok(target) => names.extend(name_below(target.as_bytes(), &self.prefix)),
                Err(errno) if is_gone(errno) => {}
                Err(_) => return None,
            }
        }
        let maps = fs_err::read(format!("/proc/{process}/maps")).unwrap_or_default();
        let mapped = maps.split(|byte| *byte == b'\n').filter_map(|line| {
            let at = line.iter().position(|byte| *byte == b'/')?;
            name_below(&line[at..], &self.prefix)
        });
        names.extend(mapped);
        match fs_err::read_dir(format!("/proc/{process}/fd")) {
            Ok(open) => names.extend(open.filter_map(Result::ok).filter_map(|file| self.written(process, &file))),
            Err(error) if is_gone(errno::of(&error)) => {}
            Err(_) => return None,
        }
        Some(names)
    }

    /// Returns the name below which a process has this file open for writing.
    fn written(&self, process: u32, file: &fs_err::DirEntry) -> Option<Vec<u8>> {
        let target = fs::readlinkat(fs::CWD, file.path(), Vec::new()).ok()?;
        let name = name_below(target.as_bytes(), &self.prefix)?;
        let number = file.file_name();
        let info = fs_err::read_to_string(format!("/proc/{process}/fdinfo/{}", number.to_str()?)).ok()?;
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
        (u32::from_str_radix(flags.trim(), 8).ok()? & WRITES != 0).then_some(name)
    }

    /// Returns the names that a process sees as a mount, its source, or a path above either.
    ///
    /// Examines each mount namespace once.
    fn mounted_for(&self, process: u32, spaces: &mut BTreeSet<Vec<u8>>) -> Vec<Vec<u8>> {
        let space = fs::readlinkat(fs::CWD, format!("/proc/{process}/ns/mnt"), Vec::new());
        if space.is_ok_and(|space| !spaces.insert(space.into_bytes())) {
            return Vec::new();
        }
        let mounts = mounts::of(&process.to_string());
        let mounted = mounts.iter().flat_map(|mount| {
            let below = name_below(&mount.point, &self.prefix);
            let device = self.device.as_ref().filter(|own| own.device == mount.device);
            below.into_iter().chain(device.and_then(|own| name_below(&mount.root, &own.prefix)))
        });
        mounted.collect()
    }
}

/// Returns the name in the directory `prefix` that `path` is or lies below.
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
