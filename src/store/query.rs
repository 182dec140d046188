//! [`Query`]: the steps that read a whole root in one exchange, and the interpretation of their replies.

mod chain;
mod file;
mod left;
mod unreadable;

pub(super) use chain::FIRST_LINKS;
pub(super) use unreadable::{LEDGERS, whole};

use chain::ReleasesRead;
use file::File;
use unreadable::CHECKED;

use std::{cell::RefCell, collections::HashMap};

use serde::de::DeserializeOwned;

use crate::{
    limits,
    name::ReleaseName,
    path::{HostPath, InnerPath},
    plan::Owners,
    record::{BadRecord, PreviousVersion, RECORD_FILE, Reading},
    time::Timestamp,
    token::Token,
    transport::{
        Ask, Batch, ChainLink, Content, Contents, Entry, EntryKind, Found, Group, Handle, HostIdentity, LinkText,
        Listed, Listing, MayFail, Op, OwnedFile, Passed, Replies, StepFailure, TransportError,
    },
};

use super::{
    DirStore, Kept, Layout, StoreError,
    extent::Extent,
    kept::reason,
    layout::inner,
    state::{Current, GoneRelease, HostedRelease, RootState},
    team::TeamState,
};

/// The steps of a query. A query of a part of the root has only some of them.
#[derive(Debug, Default)]
pub(super) struct Query {
    current_entry: Option<Handle<Option<Entry>>>,
    current_link: Option<Handle<MayFail<LinkText>>>,
    current_target: Option<Handle<Option<Entry>>>,
    /// The steps that list all releases and read their records.
    releases: Option<(Handle<Listing>, Handle<Contents>)>,
    /// The steps that follow chains of releases instead.
    chains: Vec<Handle<Vec<ChainLink>>>,
    /// The steps that read a file from many directories.
    files: Vec<(File, Handle<MayFail<Contents>>)>,
    state: Option<Handle<Option<Entry>>>,
    ledger_entry: Option<Handle<MayFail<Option<Entry>>>>,
    staging: Option<Handle<MayFail<Listing>>>,
    identity: Option<Handle<HostIdentity>>,
    way: Option<Handle<MayFail<Vec<Passed>>>>,
    locks: Option<Handle<MayFail<Listing>>>,
    pruned: Option<Handle<MayFail<Option<Entry>>>>,
    /// The steps that check whether files of the state directory are readable.
    checked: Vec<(&'static [&'static str], Handle<MayFail<Content>>)>,
    live: Option<Handle<MayFail<Listing>>>,
    /// The steps that inspect shared paths, if requested.
    pub(super) shared: Option<Vec<Handle<Option<Entry>>>>,
    /// The step that reads the root's group, if it has one, and the step that lists the owners of the releases' kept
    /// directories.
    pub(super) group: Option<Handle<MayFail<Option<Group>>>>,
    pub(super) kept: Option<Handle<MayFail<Listing>>>,
    /// The step that inspects a directory just created, whose owner tells the UID if no other step does.
    pub(super) made: Option<Handle<Option<Entry>>>,
    /// The step that reads the number of the newest bad mark, if requested.
    pub(super) marks: Option<Handle<MayFail<Content>>>,
    /// The steps that check whether the ledgers are readable.
    pub(super) ledgers: Option<[Handle<MayFail<Content>>; 2]>,
    /// The step that reads the clock, if no other step does.
    pub(super) clock: Option<Handle<Timestamp>>,
}

/// A name that no release can have, to check whether names can be looked up at all.
const NO_RELEASE: &str = "-";

impl Query {
    /// Adds the steps that read a whole root.
    pub(super) fn add_to(batch: &mut Batch, layout: &Layout) -> Self {
        let mut query = Self::add_short(batch, layout);
        query.read_files(batch, layout, &[File::STAGED, File::ADOPTED]);
        query.staging = Some(batch.push_lenient(Op::list(layout.in_state(&["staging"]))));
        query.read_files(batch, layout, &[File::LOCK_OWNERS, File::LOCK_INTENTS]);
        query.identity = Some(batch.push(Op::identify()));
        query.read_files(batch, layout, &[File::PINS]);
        // If the path cannot be inspected, everything else must still be readable.
        let way = Op::inspect_way(vec![layout.releases().clone(), layout.state().clone()]);
        query.way = Some(batch.push_lenient(way));
        query.locks = Some(batch.push_lenient(Op::list(layout.lock())));
        query.pruned = Some(batch.push_lenient(Op::inspect(layout.in_state(&["pruned", NO_RELEASE]))));
        let mut check =
            |names: &'static [&'static str]| (names, batch.push_lenient(Op::read(layout.in_state(names), 0)));
        let ledgers = LEDGERS.map(&mut check);
        query.checked = ledgers.into_iter().chain(CHECKED.map(&mut check)).collect();
        query.ledgers = Some(ledgers.map(|(_, step)| step));
        query.read_files(batch, layout, &[File::LISTINGS, File::MANIFESTS, File::TOUCHED]);
        query.live = Some(batch.push_lenient(Op::list(layout.in_state(&["live"]))));
        // A user who may not enter the state directory at all gets an error here.
        batch.push(Op::Inspect { path: layout.in_state(&["format"]) });
        query
    }

    /// Adds the steps that determine where `current` may lead, for a command that has just taken the lock.
    ///
    /// Each of them is a process on the host that a rollback waits for.
    pub(super) fn add_short(batch: &mut Batch, layout: &Layout) -> Self {
        let mut query = Self::add_current(batch, layout);
        let listing = batch.push(Op::list(layout.releases().clone()));
        query.releases = Some((listing, batch.push(each(layout.releases().clone(), RECORD_FILE, limits::RECORD))));
        query.read_files(batch, layout, &[File::BAD, File::COMMANDS, File::DATA]);
        query.read_journal(batch, layout);
        query.read_files(batch, layout, &[File::OWNERS, File::UNSEALED, File::LINKS]);
        query.read_uploads(batch, layout);
        query
    }

    /// Adds the steps that read `current`.
    fn add_current(batch: &mut Batch, layout: &Layout) -> Self {
        let current = layout.current().clone();
        Self {
            current_entry: Some(batch.push(Op::inspect(current.clone()))),
            // `current` may not be a symlink; the inspection reports what it is.
            current_link: Some(batch.push_lenient(Op::read_link(current.clone()))),
            current_target: Some(batch.push(Op::resolve(current.as_str()))),
            ..Self::default()
        }
    }

    /// Adds the steps that read these files. Only some commands need each, so an unreadable one is no failure here.
    fn read_files(&mut self, batch: &mut Batch, layout: &Layout, files: &[File]) {
        for file in files {
            let step = batch.push_lenient(each(layout.in_state(&[file.above]), file.name, file.limit));
            self.files.push((*file, step));
        }
    }

    /// Adds the steps that read the journal, the debts, and the owner of the state directory.
    fn read_journal(&mut self, batch: &mut Batch, layout: &Layout) {
        self.read_files(batch, layout, &[File::JOURNAL_OWNERS, File::JOURNAL_INTENTS, File::DEBTS]);
        self.state = Some(batch.push(Op::inspect(layout.state().clone())));
    }

    /// Adds the steps that read the owners of uploads and of the ledger.
    fn read_uploads(&mut self, batch: &mut Batch, layout: &Layout) {
        self.read_files(batch, layout, &[File::UPLOAD_OWNERS]);
        self.ledger_entry = Some(batch.push_lenient(Op::inspect(layout.in_state(&["ledger"]))));
    }

    /// Interprets the replies to a batch with these steps.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] when `current` cannot be read.
    pub(super) fn read(
        &self,
        replies: &Replies,
        store: &DirStore,
        team: Option<TeamState>,
    ) -> Result<QueryResult, StoreError> {
        let mut reader = Reader::new(self, replies, &store.steps.root, store.layout())?;
        reader.team.clone_from(&team);
        let given = reader.given(replies.get_some(self.kept)?);
        let marks = replies.get_some(self.marks)?.and_then(Result::ok);
        let ledger_entry = replies.get_some(self.ledger_entry)?.and_then(Result::ok).copied().flatten();
        let (releases, strangers) = reader.releases();
        let spelled = releases.iter().filter_map(|release| reader.spelled(&release.name)).collect();
        let adopting = reader.adopting(&releases);
        let current = reader.current(&releases);
        let state = RootState {
            clock: reader.identity.map(|identity| identity.clock).or(replies.get_some(self.clock)?.copied()),
            identity: reader.identity.cloned(),
            user: reader.user(),
            keeper: replies.get_some(self.state)?.copied().flatten(),
            current: current.map_err(|what| StoreError::Damaged { host: store.to_string(), what })?,
            gone: reader.gone(&releases),
            last: None,
            releases,
            strangers,
            lock: reader.lock(),
            intent: reader.intent(),
            journal: reader.directory(File::JOURNAL_OWNERS),
            interrupted: reader.interrupted(),
            debts: reader.debts(),
            way: replies.get_some(self.way)?.and_then(Result::ok).cloned().unwrap_or_default(),
            users: None,
            staging: tokens_in(listed(reader.staging)).collect(),
            uploads: reader.uploads(),
            record_owners: reader.record_owners(ledger_entry),
            shared: Vec::new(),
            adopting,
            team: team.map(|team| TeamState { given, ..team }),
            checked: None,
            pruned: reader.pruned(replies.get_some(self.pruned)?),
            ledger: self.ledger(replies)?,
            unreadable: Vec::new(),
            marks: marks.and_then(|found| Kept::json(found.as_ref()).record().copied()),
            extent: reader.chain.as_ref().map(|names| Extent::of(names.clone())).unwrap_or_default(),
        };
        reader.note_contents();
        let live = reader.live_of_others();
        Ok(QueryResult { state, spelled, live, unreadable: reader.unreadable.into_inner() })
    }
}

/// Returns the tokens among the names of a listing.
pub(super) fn tokens_in(listed: &[Listed]) -> impl Iterator<Item = Token> {
    listed.iter().filter_map(|listed| token_of(&listed.name))
}

/// Returns the entries of a directory; none if it could not be listed.
fn listed<'r>(listing: Option<Result<&'r Listing, &StepFailure>>) -> &'r [Listed] {
    listing.and_then(Result::ok).and_then(Option::as_deref).unwrap_or_default()
}

/// Returns the step that reads `file` in every directory of `path`.
pub(super) fn each(path: InnerPath, file: &str, limit: u64) -> Ask<Contents> {
    Op::read_each(path, inner(file), limit)
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
pub(super) struct QueryResult {
    /// The state of the root, without its unreadable files.
    pub(super) state: RootState,
    /// The records in an unusual spelling, which only the host can resolve.
    pub(super) spelled: Vec<Spelled>,
    /// The marks of other users' live processes, which may not be readable by everybody.
    pub(super) live: Vec<InnerPath>,
    /// The tool's own unreadable files, each with the reason.
    pub(super) unreadable: Vec<(InnerPath, String)>,
}

/// The listing of a directory: its files of one name, or the reason why they could not be read.
type FilesRead<'r> = Result<Vec<(&'r [u8], &'r OwnedFile)>, &'r StepFailure>;

/// Interprets the replies.
struct Reader<'r> {
    root: &'r HostPath,
    layout: &'r Layout,
    current_entry: Option<Entry>,
    current_link: Option<Result<&'r LinkText, &'r StepFailure>>,
    current_target: Option<Entry>,
    /// The names and entries in the releases directory.
    listed: Vec<(&'r [u8], Entry)>,
    /// The releases that were looked up along chains, if not all were read.
    chain: Option<Vec<ReleaseName>>,
    records: HashMap<&'r [u8], &'r Found>,
    files: HashMap<File, FilesRead<'r>>,
    /// The files by directory name.
    contents: HashMap<File, HashMap<&'r [u8], &'r Found>>,
    /// The files that are only checked for readability.
    checked: Vec<(&'static [&'static str], Result<&'r Content, &'r StepFailure>)>,
    staging: Option<Result<&'r Listing, &'r StepFailure>>,
    locks: Option<Result<&'r Listing, &'r StepFailure>>,
    live: Option<Result<&'r Listing, &'r StepFailure>>,
    identity: Option<&'r HostIdentity>,
    /// The directory just created.
    made: Option<Entry>,
    /// The unreadable files. Reading a record through this type notes them, so that no caller can forget to.
    unreadable: RefCell<Vec<(InnerPath, String)>>,
    team: Option<TeamState>,
}

impl<'r> Reader<'r> {
    fn new(
        query: &Query,
        replies: &'r Replies,
        root: &'r HostPath,
        layout: &'r Layout,
    ) -> Result<Self, TransportError> {
        let entry =
            |step: Option<Handle<Option<Entry>>>| Ok::<_, TransportError>(replies.get_some(step)?.copied().flatten());
        let ReleasesRead { listed, records, mut files, chain } = query.read_releases(replies, layout)?;
        for (file, step) in &query.files {
            let read = replies.get(*step)?;
            files.insert(*file, read.map(|read| read.iter().map(|(name, file)| (&name[..], file)).collect()));
        }
        let by_directory = |read: &FilesRead<'r>| {
            read.iter().flatten().map(|(name, file)| (*name, &file.found)).collect::<HashMap<_, _>>()
        };
        let checked = query.checked.iter().map(|(names, step)| Ok((*names, replies.get(*step)?)));
        Ok(Self {
            root,
            layout,
            current_entry: entry(query.current_entry)?,
            current_link: replies.get_some(query.current_link)?,
            current_target: entry(query.current_target)?,
            listed,
            chain,
            records,
            contents: files.iter().map(|(file, read)| (*file, by_directory(read))).collect(),
            files,
            checked: checked.collect::<Result<_, TransportError>>()?,
            staging: replies.get_some(query.staging)?,
            locks: replies.get_some(query.locks)?,
            live: replies.get_some(query.live)?,
            identity: replies.get_some(query.identity)?,
            made: entry(query.made)?,
            unreadable: RefCell::default(),
            team: None,
        })
    }

    /// Returns the UID that the tool runs as.
    fn user(&self) -> Option<u32> {
        self.identity.map(|identity| identity.uid).or(self.made.map(|made| made.owner))
    }

    /// Returns the owner of a release, if untrusted.
    ///
    /// Trusted are the owners of trusted files, and the user that the release was given to before it was sealed.
    fn foreign(&self, name: &ReleaseName, owner: u32) -> Option<u32> {
        let given_to = sealed_owner(self.found(File::OWNERS, name.as_str()));
        let owners = Owners::new(self.user()?).with(self.team.as_ref());
        (!owners.trust(owner) && given_to != Some(owner)).then_some(owner)
    }

    /// Returns the group members to whom releases were given before they were sealed, by another user who keeps the
    /// records.
    fn given(&self, kept: Option<Result<&Listing, &StepFailure>>) -> Vec<u32> {
        let given = listed(kept).iter().filter_map(|kept| {
            let name = std::str::from_utf8(&kept.name).ok()?;
            let owner = sealed_owner(self.found(File::OWNERS, name))?;
            let is_given = owner != 0 && owner != kept.entry.owner && self.team.as_ref()?.has(owner);
            is_given.then_some(owner)
        });
        let mut given: Vec<u32> = given.collect();
        given.sort_unstable();
        given.dedup();
        given
    }

    fn current(&self, releases: &[HostedRelease]) -> Result<Current, String> {
        let Some(entry) = self.current_entry else { return Ok(Current::Absent) };
        if entry.kind != EntryKind::Link {
            return Ok(Current::NotALink(entry.kind));
        }
        let link = match self.current_link {
            Some(Ok(Some(link))) => link.clone(),
            Some(Err(failure)) => return Err(format!("`current` cannot be read ({failure})")),
            // It was removed since the inspection.
            _ => return Ok(Current::Absent),
        };
        Ok(match self.current_target {
            None => Current::Dangling { name: self.name_in(&link), link },
            Some(target) => match releases.iter().find(|release| release.id == target.id) {
                Some(release) => Current::Release { name: release.name.clone(), link },
                None => Current::Outside { link },
            },
        })
    }

    /// Checks that the names of pruned releases can be looked up.
    fn pruned(&self, looked_up: Option<Result<&Option<Entry>, &StepFailure>>) -> Kept<()> {
        match looked_up {
            Some(Err(failure)) => {
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
        for (name, entry) in &self.listed {
            let Some(name) = self.layout.release_name(name) else { continue };
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
        let names = self.names(File::DATA).filter_map(|name| self.layout.release_name(name));
        let gone = names.filter(|name| releases.binary_search_by(|release| release.name.cmp(name)).is_err());
        let kept = |name: ReleaseName| GoneRelease {
            commands: self.kept(File::COMMANDS, name.as_str()),
            data: self.kept(File::DATA, name.as_str()),
            name,
        };
        gone.map(kept).collect()
    }

    /// Returns the names of the directories in which a file was read.
    fn names(&self, file: File) -> impl Iterator<Item = &'r [u8]> {
        self.files.get(&file).into_iter().flatten().flatten().map(|(name, _)| *name)
    }

    fn hosted(&self, name: ReleaseName, entry: &Entry) -> HostedRelease {
        HostedRelease {
            previous: self.previous(&name),
            bad: self.kept(File::BAD, name.as_str()),
            pinned: self.kept(File::PINS, name.as_str()),
            over: None,
            staged: self.kept(File::STAGED, name.as_str()),
            commands: self.kept(File::COMMANDS, name.as_str()),
            data: self.kept(File::DATA, name.as_str()),
            links: self.kept(File::LINKS, name.as_str()),
            broken: Vec::new(),
            adopted: self.kept(File::ADOPTED, name.as_str()),
            id: entry.id,
            foreign: self.foreign(&name, entry.owner),
            unsealed: self.mark(File::UNSEALED, name.as_str()),
            touched: self.noted(File::TOUCHED, name.as_str(), self.beyond(File::TOUCHED, name.as_str())),
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
        match self.records.get(name.as_str().as_bytes()).copied() {
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

    fn found(&self, file: File, directory: &str) -> Option<&'r Found> {
        self.contents.get(&file)?.get(directory.as_bytes()).copied()
    }

    /// Reads a record; keeps unreadable and missing apart.
    fn kept<T: DeserializeOwned>(&self, file: File, directory: &str) -> Kept<T> {
        self.noted(file, directory, Kept::json(self.found(file, directory)))
    }

    /// Checks a file that matters only by its existence.
    fn mark(&self, file: File, directory: &str) -> Kept<()> {
        self.noted(file, directory, Kept::bytes(self.found(file, directory)).mark())
    }
}
