//! Files of untrusted owners, in a release and among the tool's own files.

use crate::{
    limits,
    manifest::shown,
    name::ReleaseName,
    path::InnerPath,
    plan::Owners,
    record::RECORD_FILE,
    transport::{
        Batch, Content, Counted, Entry, ForeignEntry, Group, Handle, HostIdentity, Listed, Listing, MayFail, Op,
        Replies, TransportError,
    },
    verification::Foreign,
};

use super::{
    DirStore,
    layout::{SEALED_USER, inner},
    query::sealed_owner,
    team::TeamState,
};

/// The steps that read the owners of a release's files.
#[derive(Debug)]
pub(super) struct OwnerSteps {
    identity: Handle<HostIdentity>,
    state: Handle<Option<Entry>>,
    release: Handle<Option<Entry>>,
    record: Handle<Option<Entry>>,
    sealed: Handle<Content>,
    kept: Handle<Listing>,
    group: Option<Handle<MayFail<Option<Group>>>>,
}

/// Adds the steps that read the user, the owners of the state directory, the release, its record and its kept files,
/// and the group, if the root has one.
pub(super) fn ask(store: &DirStore, name: &ReleaseName, batch: &mut Batch) -> OwnerSteps {
    let (kept, release) = (store.layout().kept(name), store.layout().release(name));
    OwnerSteps {
        identity: batch.push(Op::identify()),
        state: batch.push(Op::inspect(store.layout().state().clone())),
        release: batch.push(Op::inspect(release.clone())),
        record: batch.push(Op::inspect(release.join(&inner(RECORD_FILE)))),
        sealed: batch.push(Op::read(kept.join(&inner(SEALED_USER)), limits::STATE)),
        kept: batch.push(Op::list(kept)),
        group: store.steps.ask_group(batch),
    }
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
pub(super) fn read(
    store: &DirStore,
    name: &ReleaseName,
    steps: &OwnerSteps,
    replies: &Replies,
) -> Result<Option<Asked>, TransportError> {
    let Some(release) = replies.get(steps.release)? else { return Ok(None) };
    let team = store.steps.read_group(replies.get_some(steps.group)?);
    let trusted = Owners::new(replies.get(steps.identity)?.uid).with(team.as_ref());
    let mut owners = trusted.all();
    owners.extend(sealed_owner(replies.get(steps.sealed)?.as_ref()));
    let directory = store.layout().release(name);
    let record = replies.get(steps.record)?.map(|record| (format!("{directory}/{RECORD_FILE}"), record.owner));
    let own = std::iter::once((directory.to_string(), release.owner)).chain(record);
    let own = own.filter(|(_, owner)| !owners.contains(owner)).map(|(path, owner)| Foreign { path, owner });
    let mut asked = Asked { release: own.collect(), owners, tool: Vec::new() };
    if let Some(state) = replies.get(steps.state)?.filter(|state| !trusted.trust(state.owner)) {
        asked.tool.push(Foreign { path: store.layout().state().to_string(), owner: state.owner });
    }
    // If only members of the root's group can write there, a member wrote whatever is there.
    let is_closed = team.as_ref().is_some_and(TeamState::keeps_others_out);
    let listed = replies.get(steps.kept)?.as_deref().unwrap_or_default();
    asked.tool.extend(of_the_tool(&store.layout().kept(name), listed, |owner| !is_closed && !trusted.trust(owner)));
    Ok(Some(asked))
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
fn of_the_tool(kept: &InnerPath, listed: &[Listed], is_foreign: impl Fn(u32) -> bool) -> Vec<Foreign> {
    let foreign = listed.iter().filter(|listed| is_foreign(listed.entry.owner));
    let named =
        |listed: &Listed| Foreign { path: format!("{kept}/{}", shown(&listed.name)), owner: listed.entry.owner };
    foreign.map(named).collect()
}
