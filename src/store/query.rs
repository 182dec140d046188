//! [`Query`]: the steps that read a whole root in one exchange, and the interpretation of their replies.

mod chain;
mod left;
mod unreadable;

pub(super) use chain::FIRST_LINKS;
pub(super) use unreadable::{LEDGERS, whole};

use unreadable::{FILES, readable};

use std::{cell::RefCell, collections::HashMap};

use serde::de::DeserializeOwned;

use crate::{
    adoption::AdoptedRecord,
    name::ReleaseName,
    path::{HostPath, InnerPath},
    plan::Owners,
    record::{BadRecord, PreviousVersion, RECORD_FILE, RECORD_LIMIT, Reading},
    shared::SharedRecord,
    time::Timestamp,
    token::Token,
    transport::{Batch, Entry, EntryKind, Found, Listed, Op, Reply},
};

use super::{
    Kept, Layout,
    extent::Extent,
    kept::reason,
    layout::{LOCK, SEALED_USER, TOUCHED, UNSEALED, inner},
    state::{Current, GoneRelease, HostedRelease, RootState},
    steps::{COMMANDS, DATA},
    team::TeamState,
};

/// The maximum size of one of the tool's own records, in bytes.
pub(super) const STATE_LIMIT: u64 = 64 * 1024;

/// The maximum size of the commands of one release, in bytes: a person wrote them.
const KEPT_LIMIT: u64 = 1024 * 1024;

/// The positions of a query's steps in a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Query {
    first: usize,
    /// The step after the last one.
    end: usize,
    reach: Reach,
    /// The first of the steps that inspect shared paths, if requested.
    pub(super) shared: Option<usize>,
    /// The step that reads the root's group, if it has one, and the step that lists the owners of the releases' kept
    /// directories.
    pub(super) group: Option<usize>,
    pub(super) kept: Option<usize>,
    /// The step that inspects a directory just created, whose owner tells the UID if no other step does.
    pub(super) made: Option<usize>,
    /// The step that reads the number of the newest bad mark, if requested.
    pub(super) marks: Option<usize>,
    /// The first of the steps that check whether the ledgers are readable, under a lock.
    pub(super) ledger: Option<usize>,
}

/// The releases that a query reads.
#[derive(Debug, Clone, Copy)]
enum Reach {
    /// All releases.
    All,
    /// The releases of this many chains; the first chain starts at the current release.
    Chains(usize),
    /// The releases of this many chains, and nothing else of the root.
    Links(usize),
}

/// The steps of a query, in their order.
#[derive(Debug, Clone, Copy)]
enum At {
    CurrentEntry,
    CurrentLink,
    CurrentTarget,
    Releases,
    Records,
    Bad,
    Commands,
    Data,
    JournalOwners,
    JournalIntents,
    Debts,
    State,
    Owners,
    Unsealed,
    Links,
    UploadOwners,
    LedgerEntry,
    Staged,
    Adopted,
    Staging,
    LockOwners,
    LockIntents,
    Identity,
    Pins,
    Way,
    Locks,
    Pruned,
    Ledger,
    OlderLedger,
    History,
    OlderHistory,
    Marks,
    Listings,
    Manifests,
    Touched,
    Live,
}

/// The files that are read from many directories: the parent of these directories in the state directory, and
/// the file's name.
const EACH: [(At, &str, &str); 18] = [
    (At::Bad, "releases", "bad"),
    (At::Commands, "releases", COMMANDS),
    (At::Data, "releases", DATA),
    (At::Owners, "releases", SEALED_USER),
    (At::Unsealed, "releases", UNSEALED),
    (At::Links, "releases", SharedRecord::FILE),
    (At::Staged, "releases", "staged"),
    (At::Adopted, "releases", AdoptedRecord::FILE),
    (At::Pins, "releases", "pin"),
    (At::Listings, "releases", "listing"),
    (At::Manifests, "releases", "manifest"),
    (At::Touched, "releases", TOUCHED),
    (At::JournalOwners, "journal", "owner"),
    (At::JournalIntents, "journal", "intent"),
    (At::Debts, "debts", "debt"),
    (At::UploadOwners, "staging", "owner"),
    (At::LockOwners, LOCK, "owner"),
    (At::LockIntents, LOCK, "intent"),
];

/// A name that no release can have, to check whether names can be looked up at all.
const NO_RELEASE: &str = "-";

impl Query {
    /// Adds the steps that read a whole root.
    pub(super) fn add_to(batch: &mut Batch, layout: &Layout) -> Self {
        let query = Self::add_short(batch, layout);
        // One release with unreadable files must not hide the others.
        batch.push_lenient(each(layout.in_state(&["releases"]), "staged", STATE_LIMIT));
        batch.push_lenient(each(layout.in_state(&["releases"]), AdoptedRecord::FILE, STATE_LIMIT));
        batch.push_lenient(Op::List { path: layout.in_state(&["staging"]) });
        for file in ["owner", "intent"] {
            batch.push_lenient(each(layout.in_state(&[LOCK]), file, STATE_LIMIT));
        }
        batch.push(Op::Identify);
        batch.push_lenient(each(layout.in_state(&["releases"]), "pin", STATE_LIMIT));
        // If the path cannot be inspected, everything else must still be readable.
        batch.push_lenient(Op::InspectWay { paths: vec![layout.releases().clone(), layout.state().clone()] });
        batch.push_lenient(Op::List { path: layout.lock() });
        batch.push_lenient(Op::Inspect { path: layout.in_state(&["pruned", NO_RELEASE]) });
        for (_, names) in FILES {
            batch.push_lenient(Op::Read { path: layout.in_state(names), limit: 0 });
        }
        for file in ["listing", "manifest", TOUCHED] {
            batch.push_lenient(each(layout.in_state(&["releases"]), file, 0));
        }
        batch.push_lenient(Op::List { path: layout.in_state(&["live"]) });
        // A user who may not enter the state directory at all gets an error here.
        batch.push(Op::Inspect { path: layout.in_state(&["format"]) });
        Self { end: batch.steps.len(), ..query }
    }

    /// Adds the steps that determine where `current` may lead, for a command that has just taken the lock.
    ///
    /// Each of them is a process on the host that a rollback waits for.
    pub(super) fn add_short(batch: &mut Batch, layout: &Layout) -> Self {
        let current = layout.current().clone();
        let ops = [
            Op::Inspect { path: current.clone() },
            Op::ReadLink { path: current.clone() },
            Op::Resolve { link: current.as_str().into() },
            Op::List { path: layout.releases().clone() },
            each(layout.releases().clone(), RECORD_FILE, RECORD_LIMIT),
            each(layout.in_state(&["releases"]), "bad", STATE_LIMIT),
            each(layout.in_state(&["releases"]), COMMANDS, KEPT_LIMIT),
            each(layout.in_state(&["releases"]), DATA, STATE_LIMIT),
            each(layout.in_state(&["journal"]), "owner", STATE_LIMIT),
            each(layout.in_state(&["journal"]), "intent", STATE_LIMIT),
            each(layout.in_state(&["debts"]), "debt", STATE_LIMIT),
            Op::Inspect { path: layout.state().clone() },
            each(layout.in_state(&["releases"]), SEALED_USER, STATE_LIMIT),
            each(layout.in_state(&["releases"]), UNSEALED, STATE_LIMIT),
            each(layout.in_state(&["releases"]), SharedRecord::FILE, KEPT_LIMIT),
            each(layout.in_state(&["staging"]), "owner", STATE_LIMIT),
            Op::Inspect { path: layout.in_state(&["ledger"]) },
        ];
        let first = batch.steps.len();
        for op in ops {
            match op {
                // `current` may not be a symlink; the inspection reports what it is.
                Op::ReadLink { .. } => batch.push_lenient(op),
                Op::Inspect { ref path } if *path == layout.in_state(&["ledger"]) => batch.push_lenient(op),
                // Only some commands need the tool's own files, so an unreadable one is no failure here.
                Op::ReadEach { ref path, .. } if path != layout.releases() => batch.push_lenient(op),
                _ => batch.push(op),
            };
        }
        Self::at(first, batch)
    }

    fn at(first: usize, batch: &Batch) -> Self {
        let (end, reach) = (batch.steps.len(), Reach::All);
        Self { first, end, reach, shared: None, group: None, kept: None, made: None, marks: None, ledger: None }
    }

    /// Interprets the replies to a batch with these steps.
    ///
    /// # Errors
    ///
    /// The reason, in words, why `current` cannot be read.
    pub(super) fn read(
        self,
        replies: &[Reply],
        root: &HostPath,
        layout: &Layout,
        team: Option<TeamState>,
    ) -> Result<Answer, String> {
        let made = self.made.and_then(|at| replies.get(at)).and_then(entry);
        let marks = match self.marks.and_then(|at| replies.get(at)) {
            Some(Reply::Content(found)) => Kept::json(found.as_ref()).record().copied(),
            _ => None,
        };
        let keepers = self.kept.and_then(|at| replies.get(at));
        let ledgers = self.ledger.map(|at| [replies.get(at), replies.get(at + 1)]);
        let end = self.end.min(replies.len());
        let (own, names) = self.widened(&replies[self.first.min(end)..end], layout);
        let reader = Reader { team: team.clone(), ..Reader::new(&own, root, layout, made) };
        let given = reader.given(keepers);
        let (releases, strangers) = reader.releases();
        let spelled = releases.iter().filter_map(|release| reader.spelled(&release.name)).collect();
        let adopting = reader.adopting(&releases);
        let identity = reader.identity();
        let state = RootState {
            clock: identity.as_ref().map(|identity| identity.clock).or_else(|| reader.clock()),
            identity,
            user: reader.user(),
            keeper: reader.entry(At::State),
            current: reader.current(&releases)?,
            gone: reader.gone(&releases),
            last: None,
            releases,
            strangers,
            lock: reader.lock(),
            intent: reader.intent(),
            journal: reader.directory(At::JournalOwners),
            interrupted: reader.interrupted(),
            debts: reader.debts(),
            way: reader.way(),
            users: None,
            staging: reader.staging(),
            uploads: reader.uploads(),
            record_owners: reader.record_owners(),
            shared: Vec::new(),
            adopting,
            team: team.map(|team| TeamState { given, ..team }),
            checked: None,
            pruned: reader.pruned(),
            ledger: readable(ledgers.unwrap_or([reader.at(At::Ledger), reader.at(At::OlderLedger)])),
            unreadable: Vec::new(),
            marks,
            extent: names.map(Extent::of).unwrap_or_default(),
        };
        reader.note_contents();
        let live = reader.live_of_others();
        Ok(Answer { state, spelled, live, unreadable: reader.unreadable.into_inner() })
    }

    /// Returns the tokens among the names of a listing.
    pub(super) fn tokens_in(reply: Option<&Reply>) -> impl Iterator<Item = Token> {
        let listed: &[Listed] = if let Some(Reply::Listing(Some(listed))) = reply { listed } else { &[] };
        listed.iter().filter_map(|listed| token_of(&listed.name))
    }
}

/// Returns the step that reads `file` in every directory of `path`.
pub(super) fn each(path: InnerPath, file: &str, limit: u64) -> Op {
    Op::ReadEach { path, file: inner(file), limit }
}

fn token_of(name: &[u8]) -> Option<Token> {
    std::str::from_utf8(name).ok()?.parse().ok()
}

/// Parses the owner that a release had when it was sealed.
pub(super) fn sealed_owner(found: Option<&Found>) -> Option<u32> {
    let Some(Found::Content(content)) = found else { return None };
    std::str::from_utf8(content).ok()?.trim_end().parse().ok()
}

/// A release whose record is an absolute path in an unusual spelling.
pub(super) type Spelled = (ReleaseName, HostPath);

/// The result of a query.
#[derive(Debug)]
pub(super) struct Answer {
    /// The state of the root, without its unreadable files.
    pub(super) state: RootState,
    /// The records in an unusual spelling, which only the host can resolve.
    pub(super) spelled: Vec<Spelled>,
    /// The marks of other users' live processes, which may not be readable by everybody.
    pub(super) live: Vec<InnerPath>,
    /// The tool's own unreadable files, each with the reason.
    pub(super) unreadable: Vec<(InnerPath, String)>,
}

/// Interprets the replies.
struct Reader<'r> {
    replies: &'r [Reply],
    root: &'r HostPath,
    layout: &'r Layout,
    /// The directory just created.
    made: Option<Entry>,
    /// The files read from many directories, by step and directory name.
    contents: Vec<HashMap<&'r [u8], &'r Found>>,
    /// The unreadable files. Reading a record through this type notes them, so that no caller can forget to.
    unreadable: RefCell<Vec<(InnerPath, String)>>,
    team: Option<TeamState>,
}

/// Returns the inspected file.
fn entry(reply: &Reply) -> Option<Entry> {
    if let Reply::Entry(entry) = reply { *entry } else { None }
}

impl<'r> Reader<'r> {
    fn new(replies: &'r [Reply], root: &'r HostPath, layout: &'r Layout, made: Option<Entry>) -> Self {
        let by_directory = |reply: &'r Reply| match reply {
            Reply::Contents(contents) => contents.iter().map(|(name, file)| (&name[..], &file.found)).collect(),
            _ => HashMap::new(),
        };
        let contents = replies.iter().map(by_directory).collect();
        Self { replies, root, layout, made, contents, unreadable: RefCell::default(), team: None }
    }

    fn at(&self, at: At) -> Option<&'r Reply> {
        self.replies.get(at as usize)
    }

    /// Returns the time from the last step that read the clock.
    fn clock(&self) -> Option<Timestamp> {
        self.replies.iter().rev().find_map(|reply| if let Reply::Clock(at) = reply { Some(*at) } else { None })
    }

    fn identity(&self) -> Option<crate::transport::HostIdentity> {
        match self.at(At::Identity) {
            Some(Reply::Identity(identity)) => Some(identity.clone()),
            _ => None,
        }
    }

    fn entry(&self, at: At) -> Option<Entry> {
        self.at(at).and_then(entry)
    }

    /// Returns the UID that the tool runs as.
    fn user(&self) -> Option<u32> {
        self.identity().map(|identity| identity.uid).or(self.made.map(|made| made.owner))
    }

    /// Returns the owner of a release, if untrusted.
    ///
    /// Trusted are the owners of trusted files, and the user that the release was given to before it was sealed.
    fn foreign(&self, name: &ReleaseName, owner: u32) -> Option<u32> {
        let given_to = sealed_owner(self.found(At::Owners, name.as_str()));
        let owners = Owners::new(self.user()?).with(self.team.as_ref());
        (!owners.trust(owner) && given_to != Some(owner)).then_some(owner)
    }

    /// Returns the group members to whom releases were given before they were sealed, by another user who keeps the
    /// records.
    fn given(&self, kept: Option<&Reply>) -> Vec<u32> {
        let keepers: &[Listed] = if let Some(Reply::Listing(Some(listed))) = kept { listed } else { &[] };
        let given = keepers.iter().filter_map(|kept| {
            let name = std::str::from_utf8(&kept.name).ok()?;
            let owner = sealed_owner(self.found(At::Owners, name))?;
            let is_given = owner != 0 && owner != kept.entry.owner && self.team.as_ref()?.has(owner);
            is_given.then_some(owner)
        });
        let mut given: Vec<u32> = given.collect();
        given.sort_unstable();
        given.dedup();
        given
    }

    fn current(&self, releases: &[HostedRelease]) -> Result<Current, String> {
        let Some(entry) = self.entry(At::CurrentEntry) else {
            return Ok(Current::Absent);
        };
        if entry.kind != EntryKind::Link {
            return Ok(Current::NotALink(entry.kind));
        }
        let link = match self.at(At::CurrentLink) {
            Some(Reply::Link(Some(link))) => link.clone(),
            Some(Reply::Failed(failure)) => return Err(format!("`current` cannot be read ({failure})")),
            // It was removed since the inspection.
            _ => return Ok(Current::Absent),
        };
        Ok(match self.entry(At::CurrentTarget) {
            None => Current::Dangling { name: self.name_in(&link), link },
            Some(target) => match releases.iter().find(|release| release.id == target.id) {
                Some(release) => Current::Release { name: release.name.clone(), link },
                None => Current::Outside { link },
            },
        })
    }

    /// Checks that the names of pruned releases can be looked up.
    fn pruned(&self) -> Kept<()> {
        match self.at(At::Pruned) {
            Some(Reply::Failed(failure)) => {
                let why = reason(failure);
                self.note(self.layout.in_state(&["pruned"]), &why);
                Kept::Unreadable(why)
            }
            _ => Kept::Nothing,
        }
    }

    /// Returns the release that the text of a link names in the usual spelling.
    fn name_in(&self, link: &[u8]) -> Option<ReleaseName> {
        let text = std::str::from_utf8(link).ok()?;
        let absolute = if text.starts_with('/') {
            HostPath::new(text)
        } else {
            HostPath::new(&format!("{}/{text}", self.root.as_str()))
        };
        let path = absolute.ok()?;
        let releases = self.root.join(self.layout.releases());
        let name = (path.as_path().parent()? == releases.as_path()).then(|| path.as_path().file_name()).flatten()?;
        self.layout.release_name(name.as_bytes())
    }

    fn releases(&self) -> (Vec<HostedRelease>, Vec<(ReleaseName, EntryKind)>) {
        let (mut releases, mut strangers) = (Vec::new(), Vec::new());
        for Listed { name, entry } in self.listing(At::Releases) {
            let Some(name) = self.layout.release_name(name) else {
                continue;
            };
            match entry.kind {
                EntryKind::Directory => releases.push(self.hosted(name, entry)),
                kind => strangers.push((name, kind)),
            }
        }
        releases.sort_by(|one, other| one.name.cmp(&other.name));
        (releases, strangers)
    }

    /// Returns the releases that no longer exist and whose data records do.
    fn gone(&self, releases: &[HostedRelease]) -> Vec<GoneRelease> {
        let contents: &[_] = if let Some(Reply::Contents(contents)) = self.at(At::Data) { contents } else { &[] };
        let names = contents.iter().filter_map(|(name, _)| self.layout.release_name(name));
        let gone = names.filter(|name| releases.binary_search_by(|release| release.name.cmp(name)).is_err());
        let kept = |name: ReleaseName| GoneRelease {
            commands: self.kept(At::Commands, name.as_str()),
            data: self.kept(At::Data, name.as_str()),
            name,
        };
        gone.map(kept).collect()
    }

    fn listing(&self, at: At) -> &[Listed] {
        match self.at(at) {
            Some(Reply::Listing(Some(listed))) => listed,
            _ => &[],
        }
    }

    fn hosted(&self, name: ReleaseName, entry: &Entry) -> HostedRelease {
        HostedRelease {
            previous: self.previous(&name),
            bad: self.kept(At::Bad, name.as_str()),
            pinned: self.kept(At::Pins, name.as_str()),
            over: None,
            staged: self.kept(At::Staged, name.as_str()),
            commands: self.kept(At::Commands, name.as_str()),
            data: self.kept(At::Data, name.as_str()),
            links: self.kept(At::Links, name.as_str()),
            broken: Vec::new(),
            adopted: self.kept(At::Adopted, name.as_str()),
            id: entry.id,
            foreign: self.foreign(&name, entry.owner),
            unsealed: self.mark(At::Unsealed, name.as_str()),
            touched: self.noted(At::Touched, name.as_str(), self.beyond(At::Touched, name.as_str())),
            name,
        }
    }

    fn previous(&self, name: &ReleaseName) -> Result<PreviousVersion, BadRecord> {
        match self.reading(name)? {
            Reading::Certain(previous) => Ok(previous),
            Reading::Spelled(path) => Err(BadRecord::Outside { text: path.as_str().to_owned() }),
        }
    }

    fn spelled(&self, name: &ReleaseName) -> Option<Spelled> {
        match self.reading(name) {
            Ok(Reading::Spelled(path)) => Some((name.clone(), path)),
            Ok(Reading::Certain(_)) | Err(_) => None,
        }
    }

    fn reading(&self, name: &ReleaseName) -> Result<Reading, BadRecord> {
        match self.found(At::Records, name.as_str()) {
            None => Err(BadRecord::Missing),
            Some(Found::TooLarge) => Err(BadRecord::TooLong),
            Some(Found::NotAFile(kind)) => Err(BadRecord::NotAFile { kind: kind.with_article().to_owned() }),
            Some(Found::Unreadable(failure)) => {
                let reason = reason(failure);
                self.note(self.layout.record(name), &reason);
                Err(BadRecord::Unreadable { reason })
            }
            Some(Found::Content(content)) => PreviousVersion::read(content, name, self.root, self.layout.releases()),
        }
    }

    fn found(&self, at: At, directory: &str) -> Option<&'r Found> {
        self.contents.get(at as usize)?.get(directory.as_bytes()).copied()
    }

    /// Reads a record; keeps unreadable and missing apart.
    fn kept<T: DeserializeOwned>(&self, at: At, directory: &str) -> Kept<T> {
        self.noted(at, directory, Kept::json(self.found(at, directory)))
    }

    /// Checks a file that matters only by its existence.
    fn mark(&self, at: At, directory: &str) -> Kept<()> {
        self.noted(at, directory, Kept::bytes(self.found(at, directory)).mark())
    }
}
