//! The place of the data, and the choice of the host whose records decide about it.

use crate::{commands::DataPlace, data::DataRecord, name::ReleaseName, report::Command};

use super::{
    super::{HostRefusal, Reason, Refusal, Seen, describe},
    DataMeans,
    steps::Left,
};

/// Refuses data on a host that does not take part.
pub(super) fn takes_part(place: &DataPlace, hosts: &[Seen<'_>]) -> Result<(), HostRefusal> {
    let DataPlace::Host(name) = place else { return Ok(()) };
    if hosts.iter().any(|seen| seen.host == name) {
        return Ok(());
    }
    Err(hosts[0].refuse(Reason::DataElsewhere { place: name.clone() }))
}

/// Refuses to work on data at `place` if the ledger there cannot be read, and so not be appended to.
pub(super) fn ledger_is_open(command: Command, place: &DataPlace, hosts: &[Seen<'_>]) -> Result<(), Refusal> {
    let keeps = |seen: &&Seen<'_>| match place {
        DataPlace::Host(name) => seen.host == name,
        DataPlace::Controller => true,
    };
    let closed = hosts.iter().filter(keeps).filter_map(|seen| {
        let why = seen.state.ledger.unreadable()?.to_owned();
        Some(seen.refuse(Reason::LedgerUnreadable { why }))
    });
    let refusals: Vec<HostRefusal> = closed.collect();
    if refusals.is_empty() { Ok(()) } else { Err(Refusal::of(command, refusals)) }
}

/// Returns one host's data record of a release.
pub(super) fn record_of<'s>(seen: &Seen<'s>, name: &ReleaseName) -> Option<&'s DataRecord> {
    Left::find(seen.state, name)?.data.record()
}

/// Refuses data on the controller if the hosts' records differ: nothing tells which of them is right.
pub(super) fn agree(
    command: Command,
    release: &ReleaseName,
    place: &DataPlace,
    hosts: &[Seen<'_>],
) -> Result<(), Refusal> {
    let mut records = hosts.iter().filter_map(|seen| record_of(seen, release));
    let first = records.next();
    if *place != DataPlace::Controller || records.all(|record| Some(record) == first) {
        return Ok(());
    }
    Err(records_differ(command, release, hosts))
}

/// Builds the refusal, with a table of each host's record.
pub(super) fn records_differ(command: Command, release: &ReleaseName, hosts: &[Seen<'_>]) -> Refusal {
    let words = |seen: &Seen<'_>| {
        let Some(record) = record_of(seen, release) else { return format!("recorded nothing about {release}") };
        let Some(change) = &record.change else { return format!("recorded no change by {release}") };
        let after = change.after.as_ref().map_or("unknown".to_owned(), ToString::to_string);
        format!("recorded {} to {after} on {}", change.before, change.place)
    };
    let row = |seen: &Seen<'_>| (seen.host.to_owned(), describe(&seen.state.current), words(seen));
    let refusals = hosts.iter().map(|seen| seen.refuse(Reason::RecordsDiffer { name: release.clone() })).collect();
    Refusal { table: hosts.iter().map(row).collect(), ..Refusal::of(command, refusals) }
}

/// Returns the place of these releases' data: from the configuration, else from the hosts' records, which must
/// agree.
///
/// `None` when no record has a change.
pub(super) fn place_of(
    command: Command,
    releases: &[&ReleaseName],
    means: DataMeans<'_>,
    hosts: &[Seen<'_>],
) -> Result<Option<DataPlace>, Refusal> {
    let changes = |name: &ReleaseName| {
        let recorded = hosts.iter().filter_map(|seen| record_of(seen, name)?.change.as_ref()).collect::<Vec<_>>();
        recorded.into_iter().filter(|change| change.changed() || means.to.is_some())
    };
    let mut place: Option<&DataPlace> = None;
    for name in releases {
        for change in changes(name) {
            let first = *place.get_or_insert(&change.place);
            if means.place.is_none() && *first != change.place {
                return Err(records_differ(command, name, hosts));
            }
        }
    }
    Ok(place.map(|recorded| means.place.unwrap_or(recorded).clone()))
}

/// Returns the host whose records decide about data at `place`: the data host itself.
///
/// For data on the controller all records must agree, and the first host with a record is returned.
pub(super) fn keeper<'s>(
    command: Command,
    release: &ReleaseName,
    place: &DataPlace,
    hosts: &[Seen<'s>],
) -> Result<Seen<'s>, Refusal> {
    takes_part(place, hosts).map_err(|refusal| Refusal::of(command, vec![refusal]))?;
    agree(command, release, place, hosts)?;
    let has = |seen: &&Seen<'_>| match place {
        DataPlace::Host(name) => seen.host == name,
        DataPlace::Controller => record_of(seen, release).is_some(),
    };
    Ok(*hosts.iter().find(has).unwrap_or(&hosts[0]))
}
