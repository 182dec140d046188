//! Renames that replace nothing, and exchanges.

use rustix::{
    fs::{self, RenameFlags},
    io::Errno,
};

use crate::{
    path::InnerPath,
    transport::{FailureKind, Reply, StepFailure},
};

use super::{
    errno::{self, Result, found},
    root::{Place, Root},
};

type Answer = std::result::Result<Reply, StepFailure>;

pub(super) fn rename(root: &Root, from: &InnerPath, to: &InnerPath) -> Answer {
    if from.is_root() {
        return Err(StepFailure::new(FailureKind::Io, "the root itself is never renamed"));
    }
    let source = there(root, from)?;
    let target = root.place(to).map_err(errno::on(to))?;
    let renamed = with(&source, &target, RenameFlags::NOREPLACE).or_else(|errno| match errno {
        // The filesystem lacks RENAME_NOREPLACE: check first.
        Errno::INVAL | Errno::NOSYS => match found(target.stat())? {
            Some(_) => Err(Errno::EXIST),
            None => fs::renameat(&source.directory, source.name, &target.directory, target.name),
        },
        errno => Err(errno),
    });
    renamed.map(|()| Reply::Done).map_err(errno::on(format!("{from} to {to}")))
}

pub(super) fn exchange(root: &Root, one: &InnerPath, other: &InnerPath) -> Answer {
    let (first, second) = (there(root, one)?, there(root, other)?);
    let cannot = |errno| StepFailure::new(FailureKind::Io, errno::failure(format!("{one} and {other}"), errno).detail);
    with(&first, &second, RenameFlags::EXCHANGE).map(|()| Reply::Done).map_err(cannot)
}

fn there<'p>(root: &Root, path: &'p InnerPath) -> std::result::Result<Place<'p>, StepFailure> {
    let place = root.place(path).map_err(errno::on(path))?;
    place.stat().map_err(errno::on(path))?;
    Ok(place)
}

fn with(one: &Place<'_>, other: &Place<'_>, flags: RenameFlags) -> Result<()> {
    fs::renameat_with(&one.directory, one.name, &other.directory, other.name, flags)
}
