//! A preview of the releases that a deploy removes at its end.

use crate::{
    name::ReleaseName,
    record::PreviousVersion,
    store::{Current, HostedRelease, Kept, RootState, StagedRecord},
    time::Timestamp,
    transport::FileId,
};

use super::{Action, Fate, HostPruning, Plan, Pruning, Refusal, Seen, prune};

/// Describes, line by line, the releases removed at the end of a successful `plan` when `keep` good releases are
/// kept. Expects states from a survey of the hosts.
///
/// # Errors
///
/// [`Refusal`] as of [`prune`], applied to the state of the hosts after the plan.
pub(crate) fn removed_after(plan: &Plan, keep: u32, hosts: &[Seen<'_>]) -> Result<Vec<String>, Refusal> {
    let after: Vec<RootState> = hosts.iter().map(|seen| after(plan, seen)).collect();
    let seen: Vec<Seen<'_>> = hosts.iter().zip(&after).map(|(seen, state)| Seen { host: seen.host, state }).collect();
    let pruning = prune(keep, &seen)?;
    let goes = |host: HostPruning| HostPruning {
        fates: host.fates.into_iter().filter(|(_, fate)| matches!(fate, Fate::Goes(_))).collect(),
        ..host
    };
    let goes = Pruning { hosts: pruning.hosts.into_iter().map(goes).collect(), ..pruning };
    Ok(if goes.is_empty() { Vec::new() } else { goes.lines() })
}

/// Returns the state of a host after the plan.
fn after(plan: &Plan, seen: &Seen<'_>) -> RootState {
    let mut state = seen.state.clone();
    let Some(host) = plan.host(seen.host) else { return state };
    let (Action::Deploy { record } | Action::Activate { record }) = &host.action else { return state };
    let name = &host.release;
    if let Some(release) = state.releases.iter_mut().find(|release| release.name == *name) {
        (release.previous, release.bad) = (Ok(record.clone()), Kept::Nothing);
    } else {
        state.releases.push(brought(name, record));
        state.releases.sort_by(|one, other| one.name.cmp(&other.name));
    }
    state.current = Current::Release { name: name.clone(), link: Vec::new() };
    state
}

fn brought(name: &ReleaseName, record: &PreviousVersion) -> HostedRelease {
    let (format, at) = (1, Timestamp::UNIX_EPOCH);
    HostedRelease {
        previous: Ok(record.clone()),
        staged: Kept::Record(StagedRecord {
            format,
            at,
            by: String::new(),
            files: 0,
            bytes: 0,
            digest: None,
            revision: None,
        }),
        ..HostedRelease::new(name.clone(), FileId { device: 0, inode: 0 })
    }
}
