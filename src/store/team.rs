//! Roots shared by a group: file ownership, and the conversion of an account's root to a group's.
//!
//! The tool's files in the state directory are accessible to the group, whatever the umask: directories `2770`, files
//! `0660`. Such a state directory has format 2, so that a program without support for groups, whose files other members
//! could not read, only reads it. The group's name is stored beside the format; a run without a configuration uses it.

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
};

use crate::{
    group::GroupName,
    lock::LockOwner,
    path::InnerPath,
    token::Token,
    transport::{
        Batch, FailureKind, Group, GroupPlace, GroupReach, Handle, LinkText, Listing, MayFail, Op, StepFailure,
        SyncReach, TransportError,
    },
};

use super::{
    DirStore, RootState, StoreError,
    layout::inner,
    steps::{LockedBatch, Steps},
    take,
};

/// The formats of a state directory: of an account's root, and of a group's root.
pub(super) const ALONE: &str = "1";
pub(super) const OF_GROUP: &str = "2";

/// The group of a root, from the configuration, else from the root itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Team(Arc<OnceLock<GroupName>>);

impl Team {
    pub(super) fn of(group: GroupName) -> Self {
        Self(Arc::new(OnceLock::from(group)))
    }

    pub(super) fn group(&self) -> Option<&GroupName> {
        self.0.get()
    }

    /// Uses this group for the rest of the run, unless one is set.
    fn join(&self, group: GroupName) {
        self.0.get_or_init(|| group);
    }
}

/// The state of a root's group on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TeamState {
    /// The group's name.
    pub name: GroupName,
    /// The group, with the root, the releases, the state and the shared directory as its places; `None` if the host
    /// has no group of that name.
    pub group: Option<Group>,
    /// The paths of the group's places.
    pub(crate) paths: Vec<InnerPath>,
    /// The UIDs of members to whom `prepare` gave a release: the application's own account should not be among them.
    pub given: Vec<u32>,
}

impl TeamState {
    /// The group `name` of a root without directories of its own to check.
    #[must_use]
    pub const fn new(name: GroupName, group: Option<Group>) -> Self {
        Self { name, group, paths: Vec::new(), given: Vec::new() }
    }

    /// Returns the first directory that is not the group's and that this user cannot give to it.
    ///
    /// It belongs to another user, or to another group that has more rights there than others do and would lose them.
    pub(crate) fn closed(&self, user: u32) -> Option<&InnerPath> {
        let group = self.group.as_ref()?;
        self.paths.iter().zip(&group.places).take(2).find_map(|(path, place)| {
            let place = place.as_ref().filter(|place| !group.has(place))?;
            let is_giver = user == 0 || place.owner == user;
            (!is_giver || takes_rights(group, place)).then_some(path)
        })
    }

    /// Returns `true` if only members of the group may write to the state directory.
    pub(crate) fn keeps_others_out(&self) -> bool {
        let found = self.group.as_ref().and_then(|group| Some((group, group.places.get(2)?.as_ref()?)));
        // The last three bits are the permissions of others.
        found.is_some_and(|(group, place)| group.has(place) && place.mode.trailing_zeros() >= 3)
    }

    /// Returns the known members of the group.
    pub(crate) fn members(&self) -> impl Iterator<Item = u32> {
        self.group.iter().flat_map(|group| group.members.iter().copied())
    }

    /// Returns `true` if the user is a known member of the group.
    #[must_use]
    pub fn has(&self, user: u32) -> bool {
        self.group.as_ref().is_some_and(|group| group.members.contains(&user))
    }
}

impl Steps {
    /// Returns the format for new state directories.
    pub(super) fn format(&self) -> &'static str {
        if self.team.group().is_some() { OF_GROUP } else { ALONE }
    }

    /// Adds the step that reads the group, if the root has one.
    pub(super) fn ask_group(&self, batch: &mut Batch) -> Option<Handle<MayFail<Option<Group>>>> {
        let (name, below) = (self.team.group()?.clone(), self.layout.releases().clone());
        Some(batch.push_lenient(Op::inspect_group(name, self.group_places(), below)))
    }

    /// Returns the places of the group: the root, the releases, the state and the shared directory, in this order.
    fn group_places(&self) -> Vec<InnerPath> {
        let others = [self.layout.releases(), self.layout.state(), self.layout.shared()].map(Clone::clone);
        std::iter::once(InnerPath::root()).chain(others).collect()
    }

    /// Adds the step that lists the owners of the releases' kept directories, if the root has a group.
    pub(super) fn ask_keepers(&self, batch: &mut Batch) -> Option<Handle<MayFail<Listing>>> {
        self.team.group()?;
        Some(batch.push_lenient(Op::list(self.layout.in_state(&["releases"]))))
    }

    /// Reads the reply to [`ask_group`](Self::ask_group).
    pub(super) fn read_group(&self, found: Option<Result<&Option<Group>, &StepFailure>>) -> Option<TeamState> {
        let (name, group) = (self.team.group()?.clone(), found?.ok()?.clone());
        Some(TeamState { name, group, paths: self.group_places(), given: Vec::new() })
    }

    /// Gives a directory to the group, if the root has one. Errors are ignored here: an earlier check reports them.
    pub(super) fn give(&self, batch: &mut Batch, path: InnerPath, reach: GroupReach) {
        if let Some(group) = self.team.group() {
            batch.push_lenient(Op::GiveToGroup { path, group: group.clone(), reach });
        }
    }

    /// Enters the state directory of a group. The user who creates it gives it to the group.
    pub(super) fn enter_group(&self, batch: &mut Batch) {
        let Some(group) = self.team.group() else { return };
        let (state, link) = (self.layout.state().clone(), self.layout.in_state(&["group"]));
        batch.push(Op::GiveToGroup { path: state, group: group.clone(), reach: GroupReach::Itself });
        let text = group.as_str().as_bytes().to_vec();
        batch.push_lenient(Op::MakeLink { path: link.clone(), text: text.clone() });
        batch.push(Op::ExpectLink { path: link, text });
    }

    /// Returns the batch with the group's modes for directories and files, if the root has a group.
    pub(super) fn for_group<'b>(&self, batch: &'b Batch) -> Cow<'b, Batch> {
        if self.team.group().is_none() {
            return Cow::Borrowed(batch);
        }
        let mut batch = batch.clone();
        batch.for_group = true;
        for step in &mut batch.steps {
            match &mut step.op {
                // The state directory is given to the group once that is known to be the right one.
                Op::MakeDir { path, .. } if path == self.layout.state() => {}
                // The group gets the owner's permissions; setgid passes the group on to new entries.
                Op::MakeDir { mode, .. } => *mode |= 0o2000 | (*mode & 0o700) >> 3,
                Op::WriteNew { mode, .. } => *mode |= (*mode & 0o600) >> 3,
                _ => {}
            }
        }
        Cow::Owned(batch)
    }
}

/// The way into a state directory that could not be entered as configured.
pub(super) enum Entry {
    /// With its own group, which is now known.
    Known,
    /// After a conversion to the group's by this user.
    Converted {
        /// The user's UID.
        user: u32,
    },
}

/// The ownership and format of a root, read before anything is done there.
struct Seen {
    uid: u32,
    user: String,
    owner: u32,
    format: Option<Vec<u8>>,
    group: Option<GroupName>,
    /// Whether the user is a member of the configured group; `true` if none is configured.
    is_member: bool,
}

impl DirStore {
    /// Enters a state directory that could not be entered as configured.
    ///
    /// A group's directory is entered with its group; one of this account is converted to the group's, under its lock.
    ///
    /// # Errors
    ///
    /// `error`, or the reason why the root is not for this user.
    pub(super) async fn settle(&self, error: StoreError, owner: Option<&LockOwner>) -> Result<(), StoreError> {
        match (self.entry(error).await?, self.steps.team.group(), owner) {
            // Boxed, because taking a lock may read the state, which may end up here again.
            (Entry::Converted { user }, Some(group), Some(owner)) => Box::pin(self.convert(group, owner, user)).await,
            _ => Ok(()),
        }
    }

    /// Finds the way into a state directory that could not be entered as configured. Changes nothing.
    ///
    /// # Errors
    ///
    /// As [`settle`](Self::settle).
    pub(super) async fn entry(&self, error: StoreError) -> Result<Entry, StoreError> {
        let is_other_format = matches!(error, StoreError::NewerFormat { .. });
        let denied =
            |error: &TransportError| error.failure().is_some_and(|failure| failure.kind == FailureKind::Denied);
        let is_denied = matches!(&error, StoreError::Transport(error) if denied(error));
        let seen = if is_other_format || is_denied { self.look_at_state().await } else { None };
        let Some(seen) = seen else { return Err(error) };
        let (host, is_ours) = (self.to_string(), seen.uid == seen.owner || seen.uid == 0);
        match (self.steps.team.group(), seen.format.as_deref()) {
            (None, _) if !is_ours => {
                Err(StoreError::OfAnother { host, owner: seen.owner, user: seen.user, group: seen.group })
            }
            (Some(group), _) if !seen.is_member => {
                Err(StoreError::NotInGroup { host, user: seen.user, group: group.clone() })
            }
            (None, Some(b"2")) if seen.group.is_some() => {
                seen.group.into_iter().for_each(|group| self.steps.team.join(group));
                Ok(Entry::Known)
            }
            (Some(group), Some(b"2")) if seen.group.as_ref().is_some_and(|other| other != group) => {
                let (group, configured) = (seen.group.unwrap_or_else(|| group.clone()), group.clone());
                Err(StoreError::OfAnotherGroup { host, group, configured })
            }
            (Some(group), Some(b"1") | None) if !is_ours => {
                Err(StoreError::NotConverted { host, owner: seen.owner, group: group.clone() })
            }
            (Some(_), Some(b"1")) if is_other_format => Ok(Entry::Converted { user: seen.uid }),
            _ => Err(error),
        }
    }

    /// Uses the group that a root of this account names, if none is configured. Returns `true` if it did.
    pub(super) async fn joins_recorded(&self, state: &RootState) -> bool {
        let is_open = state.keeper.is_some_and(|keeper| keeper.mode & 0o020 != 0);
        if self.steps.team.group().is_some() || !is_open {
            return false;
        }
        let Some(seen) = self.look_at_state().await else { return false };
        let is_ours = seen.uid == seen.owner || seen.uid == 0;
        let group = seen.group.filter(|_| is_ours && seen.format.as_deref() == Some(OF_GROUP.as_bytes()));
        group.map(|group| self.steps.team.join(group)).is_some()
    }

    async fn look_at_state(&self) -> Option<Seen> {
        let mut batch = self.steps.empty();
        let identity = batch.push(Op::identify());
        let state = batch.push(Op::inspect(self.layout().state().clone()));
        let [format, group] =
            ["format", "group"].map(|name| batch.push_lenient(Op::read_link(self.layout().in_state(&[name]))));
        let link = batch.push_lenient(Op::inspect(self.layout().in_state(&["group"])));
        let configured = self.steps.ask_group(&mut batch);
        let replies = self.execute(&batch).await.ok()?;
        let (identity, state) = (replies.get(identity).ok()?, replies.get(state).ok()?.as_ref()?);
        let is_ours = |found: Result<&Option<Group>, _>| matches!(found, Ok(Some(group)) if group.is_ours);
        let is_member = replies.get_some(configured).ok()?.is_none_or(is_ours);
        let text = |link: Handle<MayFail<LinkText>>| replies.get(link).ok()?.ok()?.clone();
        // Another user with write permission there could name a group of their own.
        let is_trusted = |owner: u32| owner == 0 || owner == state.owner;
        let is_named = matches!(replies.get(link), Ok(Ok(Some(link))) if is_trusted(link.owner));
        let group = text(group).filter(|_| is_named).and_then(|group| String::from_utf8(group).ok()?.parse().ok());
        let user = identity.user.clone();
        Some(Seen { uid: identity.uid, user, owner: state.owner, format: text(format), group, is_member })
    }

    /// Converts the root of this account to the group's, under its lock.
    ///
    /// The format is written last, so that the next run repeats an interrupted conversion.
    async fn convert(&self, group: &GroupName, owner: &LockOwner, uid: u32) -> Result<(), StoreError> {
        let mut alone = self.clone();
        alone.steps.team = Team::default();
        // Every release is given to the group, even if this command needs few of them.
        let (taken, state) = take::taken_whole(&alone, owner).await?;
        let converted = self.give_all(group, &taken.token, &state, uid).await;
        take::give_back(&alone, &taken.token).await;
        converted
    }

    async fn give_all(&self, group: &GroupName, token: &Token, state: &RootState, uid: u32) -> Result<(), StoreError> {
        let mut batch = self.steps.empty();
        let asked = self.steps.ask_group(&mut batch);
        let team = self.steps.read_group(self.execute(&batch).await?.get_some(asked)?);
        if let Some(path) = team.as_ref().and_then(|team| team.closed(uid)) {
            let (host, path) = (self.to_string(), self.steps.root.join(path));
            return Err(StoreError::NotOfGroup { host, path, group: group.clone() });
        }
        let mut whole: Vec<InnerPath> =
            state.releases.iter().map(|release| self.layout().release(&release.name)).collect();
        let found = team.as_ref().and_then(|team| team.group.as_ref());
        let shared = found.and_then(|group| Some((group, group.places.get(3)?.as_ref()?)));
        // Giving the shared directory away must not take rights from another group.
        whole.extend(
            shared.filter(|(group, place)| !takes_rights(group, place)).map(|_| self.layout().shared().clone()),
        );
        self.execute_locked(&self.steps.convert(token, group, whole)).await.map(drop)
    }
}

/// Returns `true` if giving a directory to the group would take rights from its present group.
fn takes_rights(group: &Group, place: &GroupPlace) -> bool {
    place.group != group.id && (place.mode >> 3) & !place.mode & 0o7 != 0
}

impl Steps {
    fn convert(&self, token: &Token, group: &GroupName, whole: Vec<InnerPath>) -> LockedBatch {
        let mut batch = self.locked(token);
        let give = |path, reach| Op::GiveToGroup { path, group: group.clone(), reach };
        batch.push(give(InnerPath::root(), GroupReach::Itself));
        batch.push_lenient(give(self.layout.releases().clone(), GroupReach::Itself));
        for path in whole {
            // Files that an application created there stay its own.
            batch.push_lenient(give(path, GroupReach::Directories));
        }
        batch.push(give(self.layout.state().clone(), GroupReach::All));
        let (link, format) = (self.layout.in_state(&["group"]), self.layout.held(token).join(&inner("format")));
        batch.push_lenient(Op::MakeLink { path: link.clone(), text: group.as_str().into() });
        batch.push(Op::ExpectLink { path: link, text: group.as_str().into() });
        batch.push(Op::RemoveFile { path: format.clone() });
        batch.push(Op::MakeLink { path: format.clone(), text: OF_GROUP.into() });
        batch.push(Op::MoveInto { from: format, into: self.layout.state().clone() });
        batch.push(Op::Sync { paths: vec![self.layout.state().clone()], reach: SyncReach::Entries });
        batch
    }
}
