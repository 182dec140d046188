//! What belongs to somebody else: of a release, and of the tool's own files.

use crate::{
    manifest::{Manifest, Surveyed, shown},
    name::ReleaseName,
    path::InnerPath,
    plan::Owners,
    record::RECORD_FILE,
    transport::{Batch, Listed, Op, Reply},
    verification::Foreign,
};

use super::{
    DirStore,
    layout::{SEALED_USER, inner},
    query::{STATE_LIMIT, sealed_owner},
    team::TeamState,
};

/// Asks who works there, and whose the release and what is kept of it are: five steps.
pub(super) fn ask(store: &DirStore, name: &ReleaseName, batch: &mut Batch) {
    let kept = store.layout().kept(name);
    batch.push(Op::Identify);
    batch.push(Op::Inspect { path: store.layout().state().clone() });
    batch.push(Op::Inspect { path: store.layout().release(name) });
    batch.push(Op::Read { path: kept.join(&inner(SEALED_USER)), limit: STATE_LIMIT });
    batch.push(Op::List { path: kept });
    store.steps.ask_group(batch);
}

/// What is foreign, as the answers to those steps and the survey of the release tell.
pub(super) fn read(
    store: &DirStore,
    name: &ReleaseName,
    manifest: &Manifest,
    seen: &[Surveyed],
    replies: &[Reply],
) -> Vec<Foreign> {
    let [
        Reply::Identity(identity),
        Reply::Entry(state),
        Reply::Entry(release),
        Reply::Content(sealed),
        kept,
        group @ ..,
    ] = replies
    else {
        return Vec::new();
    };
    let team = store.steps.read_group(group.first());
    let owners = Owners::new(identity.uid).with(team.as_ref());
    let given_to = sealed_owner(sealed.as_ref());
    let is_foreign = |owner: u32| !owners.trust(owner) && given_to != Some(owner);
    let mut foreign = Vec::new();
    let directory = store.layout().release(name);
    if let Some(release) = release.filter(|release| is_foreign(release.owner)) {
        foreign.push(Foreign { path: directory.to_string(), owner: release.owner });
    }
    let counts = |entry: &&Surveyed| manifest.entry(&entry.path).is_some() || entry.path == RECORD_FILE.as_bytes();
    let inside = seen.iter().filter(counts).filter(|entry| is_foreign(entry.owner));
    foreign.extend(
        inside.map(|entry| Foreign { path: format!("{directory}/{}", shown(&entry.path)), owner: entry.owner }),
    );
    if let Some(state) = state.filter(|state| !owners.trust(state.owner)) {
        foreign.push(Foreign { path: store.layout().state().to_string(), owner: state.owner });
    }
    // Where only members of the root's group can write, whatever stands is a member's.
    let is_closed = team.as_ref().is_some_and(TeamState::keeps_others_out);
    foreign.extend(of_the_tool(&store.layout().kept(name), kept, |owner| !is_closed && !owners.trust(owner)));
    foreign
}

/// What is foreign of what the tool keeps of a release.
fn of_the_tool(kept: &InnerPath, listing: &Reply, is_foreign: impl Fn(u32) -> bool) -> Vec<Foreign> {
    let listed: &[Listed] = if let Reply::Listing(Some(listed)) = listing { listed } else { &[] };
    let foreign = listed.iter().filter(|listed| is_foreign(listed.entry.owner));
    let named =
        |listed: &Listed| Foreign { path: format!("{kept}/{}", shown(&listed.name)), owner: listed.entry.owner };
    foreign.map(named).collect()
}
