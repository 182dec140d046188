//! Whose the directories on the way are.

use std::os::{fd::AsRawFd, unix::ffi::OsStrExt};

use rustix::{
    fs::{self, AtFlags},
    io::Errno,
};

use crate::{
    path::InnerPath,
    transport::{EntryKind, Passed, Reply, StepFailure},
};

use super::{
    errno::{self, Result, found},
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

/// The directories from `/` down to the root.
fn above(root: &Root) -> Result<Vec<Passed>> {
    let real = fs::readlinkat(fs::CWD, format!("/proc/self/fd/{}", root.fd().as_raw_fd()), Vec::new())?;
    let real = std::path::Path::new(std::ffi::OsStr::from_bytes(real.as_bytes()));
    let mut way = Vec::new();
    for directory in real.ancestors() {
        // The way is the real one: a link on it was put there just now.
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
