//! Files of untrusted owners, in a release and among the tool's own files.

use crate::{
    manifest::shown,
    name::ReleaseName,
    path::InnerPath,
    plan::Owners,
    record::RECORD_FILE,
    transport::{Batch, Counted, ForeignEntry, Listed, Op, Reply},
    verification::Foreign,
};

use super::{
    DirStore,
    layout::{SEALED_USER, inner},
    query::{STATE_LIMIT, sealed_owner},
    team::TeamState,
};

/// Adds six steps that read the user, and the owners of the state directory, the release, its record and its
/// kept files; one more for the group, if the root has one.
pub(super) fn ask(store: &DirStore, name: &ReleaseName, batch: &mut Batch) {
    let kept = store.layout().kept(name);
    batch.push(Op::Identify);
    batch.push(Op::Inspect { path: store.layout().state().clone() });
    batch.push(Op::Inspect { path: store.layout().release(name) });
    batch.push(Op::Inspect { path: store.layout().release(name).join(&inner(RECORD_FILE)) });
    batch.push(Op::Read { path: kept.join(&inner(SEALED_USER)), limit: STATE_LIMIT });
    batch.push(Op::List { path: kept });
    store.steps.ask_group(batch);
}

/// The owners found by these steps.
pub(super) struct Asked {
    /// The UIDs that may own the release's files.
    pub(super) owners: Vec<u32>,
    /// The untrusted files among the release's directory and record.
    release: Vec<Foreign>,
    /// The untrusted files among the tool's own.
    tool: Vec<Foreign>,
}

/// Reads the replies to these steps; `None` if the release does not exist.
pub(super) fn read(store: &DirStore, name: &ReleaseName, replies: &[Reply]) -> Option<Asked> {
    let [
        Reply::Identity(identity),
        Reply::Entry(state),
        Reply::Entry(Some(release)),
        Reply::Entry(record),
        Reply::Content(sealed),
        kept,
        group @ ..,
    ] = replies
    else {
        return None;
    };
    let team = store.steps.read_group(group.first());
    let trusted = Owners::new(identity.uid).with(team.as_ref());
    let mut owners = trusted.all();
    owners.extend(sealed_owner(sealed.as_ref()));
    let directory = store.layout().release(name);
    let record = record.as_ref().map(|record| (format!("{directory}/{RECORD_FILE}"), record.owner));
    let own = std::iter::once((directory.to_string(), release.owner)).chain(record);
    let own = own.filter(|(_, owner)| !owners.contains(owner)).map(|(path, owner)| Foreign { path, owner });
    let mut asked = Asked { release: own.collect(), owners, tool: Vec::new() };
    if let Some(state) = state.filter(|state| !trusted.trust(state.owner)) {
        asked.tool.push(Foreign { path: store.layout().state().to_string(), owner: state.owner });
    }
    // If only members of the root's group can write there, a member wrote whatever is there.
    let is_closed = team.as_ref().is_some_and(TeamState::keeps_others_out);
    asked.tool.extend(of_the_tool(&store.layout().kept(name), kept, |owner| !is_closed && !trusted.trust(owner)));
    Some(asked)
}

impl Asked {
    /// Returns all untrusted files, including those of the release's entries found by a comparison.
    pub(super) fn with(
        self,
        store: &DirStore,
        name: &ReleaseName,
        entries: &Counted<ForeignEntry>,
    ) -> Counted<Foreign> {
        let directory = store.layout().release(name);
        let inside = entries
            .some
            .iter()
            .map(|entry| Foreign { path: format!("{directory}/{}", shown(&entry.path)), owner: entry.owner });
        let count = entries.count + (self.release.len() + self.tool.len()) as u64;
        Counted { count, some: self.release.into_iter().chain(inside).chain(self.tool).collect() }
    }
}

/// Returns the untrusted files among those that the tool keeps for a release.
fn of_the_tool(kept: &InnerPath, listing: &Reply, is_foreign: impl Fn(u32) -> bool) -> Vec<Foreign> {
    let listed: &[Listed] = if let Reply::Listing(Some(listed)) = listing { listed } else { &[] };
    let foreign = listed.iter().filter(|listed| is_foreign(listed.entry.owner));
    let named =
        |listed: &Listed| Foreign { path: format!("{kept}/{}", shown(&listed.name)), owner: listed.entry.owner };
    foreign.map(named).collect()
}
