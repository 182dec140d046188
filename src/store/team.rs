//! A root that the members of a group deploy to together: whose its files are, and how a root of one account becomes one of a
//! group.
//!
//! What the tool makes in the state directory is for the group, whatever the umask: directories `2770`, files `0660`. Such a
//! state directory has format 2, so that a program that knows nothing of groups, whose files nobody else could read, only reads
//! it. Its group is written down beside the format: whoever works without a configuration keeps to it.

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
};

use crate::{
    group::GroupName,
    lock::LockOwner,
    path::InnerPath,
    token::Token,
    transport::{Batch, FailureKind, Group, GroupPlace, GroupReach, Op, Reply, SyncReach, TransportError},
};

use super::{DirStore, RootState, StoreError, layout::inner, steps::Steps, take};

/// The format of the state directory of a root of one account, and of one of a group.
pub(super) const ALONE: &str = "1";
pub(super) const OF_GROUP: &str = "2";

/// The group that a root belongs to, as the configuration says or, without one, the root itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Team(Arc<OnceLock<GroupName>>);

impl Team {
    pub(super) fn of(group: GroupName) -> Self {
        Self(Arc::new(OnceLock::from(group)))
    }

    pub(super) fn group(&self) -> Option<&GroupName> {
        self.0.get()
    }

    /// Works for this group from now on, where no other was named.
    fn join(&self, group: GroupName) {
        self.0.get_or_init(|| group);
    }
}

/// A root's group, as the host has it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TeamState {
    /// The group's name.
    pub name: GroupName,
    /// The group, with the root, the releases, the state and the shared directory as its places; `None` when the host has none
    /// of that name.
    pub group: Option<Group>,
    /// The places of the group.
    pub(crate) paths: Vec<InnerPath>,
    /// The user ids of members to whom `prepare` gave a release: the application's own account should be none.
    pub given: Vec<u32>,
}

impl TeamState {
    /// The directory, if any, that is not the group's and cannot be given to it by this user: it belongs to somebody else, or to
    /// another group that may do more there than others, and would lose that.
    pub(crate) fn closed(&self, user: u32) -> Option<&InnerPath> {
        let group = self.group.as_ref()?;
        self.paths.iter().zip(&group.places).take(2).find_map(|(path, place)| {
            let place = place.as_ref().filter(|place| !group.has(place))?;
            let is_giver = user == 0 || place.owner == user;
            (!is_giver || takes_rights(group, place)).then_some(path)
        })
    }

    /// Whether nobody but members of the group may write to the state directory.
    pub(crate) fn keeps_others_out(&self) -> bool {
        let found = self.group.as_ref().and_then(|group| Some((group, group.places.get(2)?.as_ref()?)));
        // The last three bits are the others'.
        found.is_some_and(|(group, place)| group.has(place) && place.mode.trailing_zeros() >= 3)
    }

    /// The users that are known to be in the group.
    pub(crate) fn members(&self) -> impl Iterator<Item = u32> {
        self.group.iter().flat_map(|group| group.members.iter().copied())
    }

    /// Whether a user is known to be in the group.
    #[must_use]
    pub fn has(&self, user: u32) -> bool {
        self.group.as_ref().is_some_and(|group| group.members.contains(&user))
    }
}

impl Steps {
    /// The format of state directories that is written here.
    pub(super) fn format(&self) -> &'static str {
        if self.team.group().is_some() { OF_GROUP } else { ALONE }
    }

    /// Adds the step that asks for the group, where the root is one's.
    pub(super) fn ask_group(&self, batch: &mut Batch) -> Option<usize> {
        let (name, below) = (self.team.group()?.clone(), self.layout.releases().clone());
        Some(batch.push_lenient(Op::InspectGroup { name, paths: self.group_places(), below }))
    }

    /// The root first, and then the releases.
    fn group_places(&self) -> Vec<InnerPath> {
        let others = [self.layout.releases(), self.layout.state(), self.layout.shared()].map(Clone::clone);
        std::iter::once(InnerPath::root()).chain(others).collect()
    }

    /// Adds the step that tells who keeps what of the releases, where the root is a group's.
    pub(super) fn ask_keepers(&self, batch: &mut Batch) -> Option<usize> {
        self.team.group()?;
        Some(batch.push_lenient(Op::List { path: self.layout.in_state(&["releases"]) }))
    }

    /// What the answer to that step says.
    pub(super) fn read_group(&self, reply: Option<&Reply>) -> Option<TeamState> {
        let name = self.team.group()?.clone();
        match reply {
            Some(Reply::Group(group)) => {
                Some(TeamState { name, group: group.clone(), paths: self.group_places(), given: Vec::new() })
            }
            _ => None,
        }
    }

    /// Gives a directory to the group, where the root is one's. That it cannot be given is found by whoever asks before.
    pub(super) fn give(&self, batch: &mut Batch, path: InnerPath, reach: GroupReach) {
        if let Some(group) = self.team.group() {
            batch.push_lenient(Op::GiveToGroup { path, group: group.clone(), reach });
        }
    }

    /// Enters the state directory of a group, which the one who makes it gives away.
    pub(super) fn enter_group(&self, batch: &mut Batch) {
        let Some(group) = self.team.group() else { return };
        let (state, link) = (self.layout.state().clone(), self.layout.in_state(&["group"]));
        batch.push(Op::GiveToGroup { path: state, group: group.clone(), reach: GroupReach::Itself });
        let text = group.as_str().as_bytes().to_vec();
        batch.push_lenient(Op::MakeLink { path: link.clone(), text: text.clone() });
        batch.push(Op::ExpectLink { path: link, text });
    }

    /// The same batch, whose directories and files are the group's where the root is.
    pub(super) fn for_group<'b>(&self, batch: &'b Batch) -> Cow<'b, Batch> {
        if self.team.group().is_none() {
            return Cow::Borrowed(batch);
        }
        let mut batch = batch.clone();
        batch.for_group = true;
        for step in &mut batch.steps {
            match &mut step.op {
                // It is given to the group when that is known to be the right one.
                Op::MakeDir { path, .. } if path == self.layout.state() => {}
                Op::MakeDir { mode, .. } => *mode |= 0o2000 | (*mode & 0o700) >> 3,
                Op::WriteNew { mode, .. } => *mode |= (*mode & 0o600) >> 3,
                _ => {}
            }
        }
        Cow::Owned(batch)
    }
}

/// How a state directory can be entered.
pub(super) enum Entry {
    /// As the group's that it belongs to.
    Known,
    /// Once this user has made it the group's.
    Converted {
        /// The user id.
        user: u32,
    },
}

/// What a root says of itself before anything is done there.
struct Seen {
    uid: u32,
    user: String,
    owner: u32,
    format: Option<Vec<u8>>,
    group: Option<GroupName>,
    /// Whether the user is in the group that was configured, as far as one was.
    is_member: bool,
}

impl DirStore {
    /// Enters a state directory that could not be entered as it was: one of a group is worked in as its group's, and one of this very
    /// account becomes its group's, under its lock.
    ///
    /// # Errors
    ///
    /// `error`, or why the root is not for this user.
    pub(super) async fn settle(&self, error: StoreError, owner: Option<&LockOwner>) -> Result<(), StoreError> {
        match (self.entry(error).await?, self.steps.team.group(), owner) {
            // Boxed, since taking a lock may read the state, which may end here.
            (Entry::Converted { user }, Some(group), Some(owner)) => Box::pin(self.convert(group, owner, user)).await,
            _ => Ok(()),
        }
    }

    /// How a state directory that could not be entered as it was can be. Changes nothing.
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

    /// Adopts the group that a root of this account names, where none is configured. Returns whether it did.
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
        batch.push(Op::Identify);
        batch.push(Op::Inspect { path: self.layout().state().clone() });
        for name in ["format", "group"] {
            batch.push_lenient(Op::ReadLink { path: self.layout().in_state(&[name]) });
        }
        batch.push_lenient(Op::Inspect { path: self.layout().in_state(&["group"]) });
        self.steps.ask_group(&mut batch);
        let replies = self.execute(&batch).await.ok()?;
        let [Reply::Identity(identity), Reply::Entry(Some(state)), format, group, link, asked @ ..] = &replies[..]
        else {
            return None;
        };
        let is_member = asked.first().is_none_or(|asked| matches!(asked, Reply::Group(Some(group)) if group.is_ours));
        let text = |reply: &Reply| if let Reply::Link(text) = reply { text.clone() } else { None };
        // Somebody else who may write there would name a group of their own.
        let is_trusted = |owner: u32| owner == 0 || owner == state.owner;
        let is_named = matches!(link, Reply::Entry(Some(link)) if is_trusted(link.owner));
        let group = text(group).filter(|_| is_named).and_then(|group| String::from_utf8(group).ok()?.parse().ok());
        let user = identity.user.clone();
        Some(Seen { uid: identity.uid, user, owner: state.owner, format: text(format), group, is_member })
    }

    /// Makes the root of this account one of the group, under its lock. Whatever is cut off is done again by the next one: the
    /// format is written last.
    async fn convert(&self, group: &GroupName, owner: &LockOwner, uid: u32) -> Result<(), StoreError> {
        let mut alone = self.clone();
        alone.steps.team = Team::default();
        // Every release is given to the group, however little this command needs to know.
        let (token, state) = take::taken_whole(&alone, owner).await?;
        let mut batch = self.steps.empty();
        self.steps.ask_group(&mut batch);
        let converted = match self.execute(&batch).await {
            Ok(asked) => self.give_all(group, &token, &state, self.steps.read_group(asked.first()), uid).await,
            Err(error) => Err(error.into()),
        };
        take::give_back(&alone, &token).await;
        converted
    }

    async fn give_all(
        &self,
        group: &GroupName,
        token: &Token,
        state: &RootState,
        team: Option<TeamState>,
        uid: u32,
    ) -> Result<(), StoreError> {
        if let Some(path) = team.as_ref().and_then(|team| team.closed(uid)) {
            let (host, path) = (self.to_string(), self.steps.root.join(path));
            return Err(StoreError::NotOfGroup { host, path, group: group.clone() });
        }
        let mut whole: Vec<InnerPath> =
            state.releases.iter().map(|release| self.layout().release(&release.name)).collect();
        let found = team.as_ref().and_then(|team| team.group.as_ref());
        let shared = found.and_then(|group| Some((group, group.places.get(3)?.as_ref()?)));
        whole.extend(
            shared.filter(|(group, place)| !takes_rights(group, place)).map(|_| self.layout().shared().clone()),
        );
        self.execute(&self.steps.convert(token, group, whole)).await?;
        Ok(())
    }
}

/// Whether giving a directory to the group takes rights from the group that it has.
fn takes_rights(group: &Group, place: &GroupPlace) -> bool {
    place.group != group.id && (place.mode >> 3) & !place.mode & 0o7 != 0
}

impl Steps {
    fn convert(&self, token: &Token, group: &GroupName, whole: Vec<InnerPath>) -> Batch {
        let mut batch = self.empty();
        self.expect_lock(&mut batch, token);
        let give = |path, reach| Op::GiveToGroup { path, group: group.clone(), reach };
        batch.push(give(InnerPath::root(), GroupReach::Itself));
        batch.push_lenient(give(self.layout.releases().clone(), GroupReach::Itself));
        for path in whole {
            // What an application made there itself stays its own.
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
