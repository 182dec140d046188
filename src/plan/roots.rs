//! The check that no two hosts of a fleet share one root.

use crate::report::Command;

use super::{HostRefusal, Reason, Refusal, Seen};

/// Refuses a fleet in which two hosts have the same root directory.
///
/// Compares the boot ID of the kernel that answers, and the root's device and inode. Hosts that report no boot ID pass:
/// they conflict on the lock later.
pub(crate) fn one_root_each(command: Command, hosts: &[Seen<'_>]) -> Result<(), Refusal> {
    let refusals: Vec<HostRefusal> = hosts
        .iter()
        .enumerate()
        .filter_map(|(at, seen)| {
            let root = root_of(seen)?;
            let other = hosts[..at].iter().find(|other| root_of(other) == Some(root))?;
            Some(seen.refuse(Reason::SameRoot { other: other.host.to_owned() }))
        })
        .collect();
    if refusals.is_empty() { Ok(()) } else { Err(Refusal::of(command, refusals)) }
}

/// Returns the identity of a root: no two kernels share a boot ID, no two directories of a kernel share an
/// inode.
fn root_of<'s>(seen: &Seen<'s>) -> Option<(&'s str, crate::transport::FileId)> {
    let identity = seen.state.identity.as_ref()?;
    Some((identity.boot.as_deref()?, identity.root))
}
