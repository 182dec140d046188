//! The attributes of the directories on a path, and mounts below one.

use std::{
    ffi::OsStr,
    os::{fd::AsRawFd, unix::ffi::OsStrExt},
    path::Path,
};

use rustix::{
    fs::{self, AtFlags},
    io::Errno,
};

use crate::{
    path::InnerPath,
    transport::{EntryKind, FailureKind, Passed, Reply, StepFailure},
};

use super::{
    errno::{self, Result, found},
    mounts,
    root::{Root, entry},
};

pub(super) fn inspect_way(root: &Root, paths: &[InnerPath]) -> std::result::Result<Reply, StepFailure> {
    let mut way = above(root).map_err(errno::on("the way to the root"))?;
    let here = way.last().map(|passed| passed.path.clone()).unwrap_or_default();
    for path in paths {
        let prefixes: Vec<InnerPath> = std::iter::successors(Some(path.clone()), InnerPath::parent).collect();
        for prefix in prefixes.iter().rev().filter(|prefix| !prefix.is_root()) {
            let stat = match found(root.place(prefix).and_then(|place| place.stat())) {
                Err(Errno::NOTDIR) => None,
                other => other.map_err(errno::on(prefix))?,
            };
            let passed = stat.map(|stat| Passed { path: format!("{here}/{prefix}"), entry: entry(&stat) });
            way.extend(passed.filter(|passed| passed.entry.kind == EntryKind::Directory));
        }
    }
    Ok(Reply::Way(way))
}

/// Inspects the directories from `/` down to the root.
fn above(root: &Root) -> Result<Vec<Passed>> {
    let real = real_path(root)?;
    let real = Path::new(OsStr::from_bytes(&real));
    let mut way = Vec::new();
    for directory in real.ancestors() {
        // The path is free of symlinks: one found here was created just now.
        let stat = fs::statat(fs::CWD, directory, AtFlags::SYMLINK_NOFOLLOW)?;
        let passed = Passed { path: directory.to_string_lossy().into_owned(), entry: entry(&stat) };
        if passed.entry.kind != EntryKind::Directory {
            return Err(Errno::NOTDIR);
        }
        way.push(passed);
    }
    way.reverse();
    Ok(way)
}

/// Returns the path of the root, as the kernel has it.
fn real_path(root: &Root) -> Result<Vec<u8>> {
    let link = format!("/proc/self/fd/{}", root.fd().as_raw_fd());
    fs::readlinkat(fs::CWD, link, Vec::new()).map(std::ffi::CString::into_bytes)
}

pub(super) fn expect_unmounted(root: &Root, path: &InnerPath) -> std::result::Result<Reply, StepFailure> {
    // A symlink on the path fails; a path that does not exist has no mounts.
    if found(root.place(path).and_then(|place| place.stat())).map_err(errno::on(path))?.is_none() {
        return Ok(Reply::Done);
    }
    let mut place = real_path(root).map_err(errno::on(path))?;
    if !path.is_root() {
        place.extend_from_slice(format!("/{path}").as_bytes());
    }
    let mounts = fs_err::read("/proc/self/mountinfo").map_err(|error| errno::failure(path, errno::of(&error)))?;
    if mount_points(&mounts).any(|point| is_at_or_below(&point, &place)) {
        let detail = format!("{path}: another filesystem is mounted there");
        return Err(StepFailure::new(FailureKind::CrossDevice, detail));
    }
    Ok(Reply::Done)
}

fn is_at_or_below(point: &[u8], place: &[u8]) -> bool {
    point.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// Decodes the mount points: the fifth column, with blanks, newlines and backslashes in octal.
fn mount_points(mounts: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let lines = mounts.split(|byte| *byte == b'\n');
    lines.filter_map(|line| line.split(|byte| *byte == b' ').nth(4)).map(mounts::unescaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_found_whatever_their_names() {
        let mounts = b"1 2 0:1 / / rw - ext4 x rw\n3 1 0:2 / /srv/a\\040b/c rw - tmpfs t rw\n";
        let points: Vec<Vec<u8>> = mount_points(mounts).collect();
        assert_eq!(points, [b"/".to_vec(), b"/srv/a b/c".to_vec()]);
        assert!(is_at_or_below(&points[1], b"/srv/a b") && !is_at_or_below(&points[1], b"/srv/a"));
    }
}
