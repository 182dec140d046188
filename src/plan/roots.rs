//! Whether two hosts of a fleet are one root.

use crate::report::Command;

use super::{HostRefusal, Reason, Refusal, Seen};

/// Refuses a fleet in which two hosts are one root, which is told by the boot of the kernel that answers and the root's device and
/// inode. Hosts that do not tell their boot pass: the lock finds them out.
///
/// # Errors
///
/// [`Refusal`] with [`Reason::SameRoot`] for each host whose root is that of a host before it.
pub fn one_root_each(command: Command, hosts: &[Seen<'_>]) -> Result<(), Refusal> {
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

/// What tells a root from every other: no two kernels have one boot, and no two directories of a kernel one inode.
fn root_of<'s>(seen: &Seen<'s>) -> Option<(&'s str, crate::transport::FileId)> {
    let identity = seen.state.identity.as_ref()?;
    Some((identity.boot.as_deref()?, identity.root))
}
