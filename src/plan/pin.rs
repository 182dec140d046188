//! The plans of `pin` and `unpin`.

use crate::{name::ReleaseName, report::Command};

use super::{HostRefusal, Reason, Refusal, Seen};

/// The hosts on which a pin is added or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) struct Pinning {
    /// The release.
    pub release: ReleaseName,
    /// Whether the release is pinned; else its pin is removed.
    pub pins: bool,
    /// The hosts that change, in the order of the input.
    pub hosts: Vec<String>,
}

impl Pinning {
    /// Describes the plan in words.
    #[must_use]
    pub(crate) fn lines(&self) -> Vec<String> {
        let does = if self.pins { "pin" } else { "unpin" };
        let line = || format!("{}: {does} {}", self.hosts.join(", "), self.release);
        if self.hosts.is_empty() { Vec::new() } else { vec![line()] }
    }
}

/// Plans to pin the release `name` on every host. Existing pins stay unchanged.
pub(crate) fn pin(name: &ReleaseName, hosts: &[Seen<'_>]) -> Result<Pinning, Refusal> {
    let lacking = hosts.iter().filter(|seen| seen.state.release(name).is_none());
    let no_such =
        |seen: &Seen<'_>| seen.refuse(Reason::NoSuchRelease { name: name.clone(), instead: seen.state.stranger(name) });
    let refusals: Vec<HostRefusal> = lacking.map(no_such).collect();
    if !refusals.is_empty() {
        return Err(Refusal::of(Command::Pin, refusals));
    }
    Ok(pinning(name, hosts, true))
}

/// Plans to remove the pin of `name` from every host that has one.
pub(crate) fn unpin(name: &ReleaseName, hosts: &[Seen<'_>]) -> Result<Pinning, Refusal> {
    if hosts.iter().any(|seen| seen.state.release(name).is_some()) {
        return Ok(pinning(name, hosts, false));
    }
    let instead = |seen: &Seen<'_>| seen.state.stranger(name);
    let no_such = |seen: &Seen<'_>| seen.refuse(Reason::NoSuchRelease { name: name.clone(), instead: instead(seen) });
    Err(Refusal::of(Command::Unpin, hosts.iter().map(no_such).collect()))
}

fn pinning(name: &ReleaseName, hosts: &[Seen<'_>], pins: bool) -> Pinning {
    let pinned = |seen: &Seen<'_>| seen.state.release(name).is_some_and(|release| release.pinned.exists());
    let present = hosts.iter().filter(|seen| seen.state.release(name).is_some());
    let hosts = present.filter(|seen| pinned(seen) != pins).map(|seen| seen.host.to_owned()).collect();
    Pinning { release: name.clone(), pins, hosts }
}
