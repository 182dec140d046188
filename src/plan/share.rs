//! The check of shared paths against the hosts and the release.

use crate::{
    path::InnerPath,
    report::Command,
    shared::{SharedLink, SharedPath, SharedPlace, Supply},
    transport::EntryKind,
};

use super::{HostRefusal, Plan, Reason, Refusal, Seen};

/// Returns the kind of the file that a release ships at a path; `None` if none.
pub(super) type Ships<'s> = dyn Fn(&InnerPath) -> Option<EntryKind> + Send + Sync + 's;

/// Plans the symlinks to shared paths for a release that ships these files.
///
/// A file that the release ships at a shared path is refused, because the link would hide it. With `seed = true` it is
/// only the first content, and the link replaces it.
///
/// # Errors
///
/// [`Refusal`] when a host lacks a shared path and nothing seeds it, when a file of the wrong kind stands there, or
/// when the release ships a file at a shared path or in place of one of its parent directories.
pub(crate) fn share(plan: &mut Plan, hosts: &[Seen<'_>], ships: &Ships<'_>) -> Result<(), Refusal> {
    let mut refusals = Vec::new();
    for seen in hosts {
        match links(seen, ships) {
            Ok(links) => {
                if let Some(host) = plan.hosts.iter_mut().find(|host| host.host == seen.host) {
                    host.shared = links;
                }
            }
            Err(refusal) => refusals.push(refusal),
        }
    }
    if refusals.is_empty() { Ok(()) } else { Err(Refusal::of(plan.command, refusals)) }
}

/// Checks the shared paths against the hosts alone, before the contents of a release are known.
///
/// # Errors
///
/// [`Refusal`] as of [`share`], except that paths with a seed may be missing.
pub(crate) fn check_shared(command: Command, hosts: &[Seen<'_>]) -> Result<(), Refusal> {
    let seeded = |_: &InnerPath| None;
    let refusal = |seen: &Seen<'_>| {
        let needed = seen.state.shared.iter().filter(|place| !(place.path.seed() && place.found.is_none()));
        decide(seen, needed, &seeded).err()
    };
    let refusals: Vec<HostRefusal> = hosts.iter().filter_map(refusal).collect();
    if refusals.is_empty() { Ok(()) } else { Err(Refusal::of(command, refusals)) }
}

fn links(seen: &Seen<'_>, ships: &Ships<'_>) -> Result<Vec<SharedLink>, HostRefusal> {
    decide(seen, seen.state.shared.iter(), ships)
}

/// Decides on each path; reports all missing ones at once.
fn decide<'p>(
    seen: &Seen<'_>,
    places: impl Iterator<Item = &'p SharedPlace>,
    ships: &Ships<'_>,
) -> Result<Vec<SharedLink>, HostRefusal> {
    let (mut links, mut missing) = (Vec::new(), Vec::new());
    for place in places {
        match link(place, ships) {
            Ok(Some(link)) => links.push(link),
            Ok(None) => missing.push(place.clone()),
            Err(reason) => return Err(seen.refuse(reason)),
        }
    }
    if missing.is_empty() { Ok(links) } else { Err(seen.refuse(Reason::MissingShared { missing })) }
}

/// Decides how to link this path; `None` when it is missing.
fn link(place: &SharedPlace, ships: &Ships<'_>) -> Result<Option<SharedLink>, Reason> {
    let path = &place.path;
    let shipped = shipped(path, ships)?;
    if let Some(kind) = place.found
        && (kind == EntryKind::Directory) != path.is_directory()
    {
        return Err(Reason::SharedKind { place: place.clone() });
    }
    let supply = match (place.found, shipped) {
        (Some(_), _) => Supply::There,
        (None, Some(_)) => Supply::FromRelease,
        // An application can start with an empty directory; an empty file is a wrong setting.
        (None, None) if path.seed() && path.is_directory() => Supply::Empty,
        (None, None) => return Ok(None),
    };
    let fits = if path.is_directory() { EntryKind::Directory } else { EntryKind::File };
    match shipped {
        Some(kind) if supply == Supply::FromRelease && kind != fits => {
            Err(Reason::ShippedShared { path: path.clone(), at: path.path().clone(), kind })
        }
        _ => Ok(Some(SharedLink { path: path.clone(), supply, replaces: shipped.is_some() })),
    }
}

/// Returns the kind of the file that the release ships at a shared path, if that is allowed.
fn shipped(path: &SharedPath, ships: &Ships<'_>) -> Result<Option<EntryKind>, Reason> {
    let refuse = |at: InnerPath, kind| Reason::ShippedShared { path: path.clone(), at, kind };
    let above = std::iter::successors(path.path().parent(), InnerPath::parent).filter(|above| !above.is_root());
    for above in above {
        if let Some(kind) = ships(&above).filter(|kind| *kind != EntryKind::Directory) {
            return Err(refuse(above, kind));
        }
    }
    match ships(path.path()) {
        Some(kind) if !path.seed() => Err(refuse(path.path().clone(), kind)),
        shipped => Ok(shipped),
    }
}

/// Describes the links of a host's plan.
pub(super) fn lines(links: &[SharedLink]) -> Vec<String> {
    let told = |what: &str, supply: Supply| {
        let paths: Vec<String> =
            links.iter().filter(|link| link.supply == supply).map(|link| link.path.to_string()).collect();
        (!paths.is_empty()).then(|| format!("{what} {}", paths.join(", ")))
    };
    [
        told("move to the shared directory and link", Supply::FromRelease),
        told("make in the shared directory and link", Supply::Empty),
        told("link the shared", Supply::There),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, seed: bool, found: Option<EntryKind>) -> SharedPlace {
        let path: SharedPath = text.parse().expect("a shared path");
        let place = crate::store::Layout::default().shared_place(&path);
        SharedPlace { path: path.with_seed(seed), place, found }
    }

    const DIRECTORY: Option<EntryKind> = Some(EntryKind::Directory);
    const FILE: Option<EntryKind> = Some(EntryKind::File);

    #[test]
    fn every_place_is_there_seeded_missing_or_in_the_way() {
        // Columns: the shared path, whether it has a seed, the host's file, the shipped file, the link's supply.
        type Row = (&'static str, bool, Option<EntryKind>, Option<EntryKind>, Result<Option<Supply>, ()>);
        let rows: &[Row] = &[
            (".env", false, FILE, None, Ok(Some(Supply::There))),
            (".env", false, None, None, Ok(None)),
            (".env", false, FILE, FILE, Err(())),
            (".env", false, None, FILE, Err(())),
            (".env", false, DIRECTORY, None, Err(())),
            (".env", true, None, FILE, Ok(Some(Supply::FromRelease))),
            (".env", true, FILE, FILE, Ok(Some(Supply::There))),
            (".env", true, None, None, Ok(None)),
            (".env", true, None, Some(EntryKind::Link), Err(())),
            ("storage/", false, DIRECTORY, None, Ok(Some(Supply::There))),
            ("storage/", false, FILE, None, Err(())),
            ("storage/", true, None, None, Ok(Some(Supply::Empty))),
            ("storage/", true, None, DIRECTORY, Ok(Some(Supply::FromRelease))),
            ("storage/", true, None, FILE, Err(())),
            ("storage/", true, DIRECTORY, FILE, Ok(Some(Supply::There))),
        ];
        for (text, seed, found, shipped, expected) in rows {
            let place = place(text, *seed, *found);
            let ships = |at: &InnerPath| (at == place.path.path()).then_some(*shipped).flatten();
            let decided = link(&place, &ships).map(|link| link.map(|link| link.supply)).map_err(|_| ());
            assert_eq!(decided, *expected, "{text} seed={seed} {found:?} {shipped:?}");
        }
    }

    #[test]
    fn nothing_but_directories_may_stand_above_a_link() {
        for kind in [EntryKind::File, EntryKind::Link] {
            let ships = |at: &InnerPath| (at.as_str() == "config").then_some(kind);
            assert!(link(&place("config/db.yml", true, FILE), &ships).is_err());
        }
    }
}
