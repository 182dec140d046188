//! Reads the traces of other tools in a root. Only this module knows their names on disk.

use crate::{
    adoption::Traces,
    future::BoxFuture,
    limits,
    path::InnerPath,
    transport::{
        Batch, Content, Contents, Entry, EntryKind, Found, Handle, LinkText, Listed, Listing, MayFail, Op, Replies,
        TransportError,
    },
};

use super::{AdoptStore, DirStore, Layout, StoreError, layout::inner, query::each};

/// Capistrano's log.
const REVISIONS_LOG: &str = "revisions.log";
/// Deployer's directory.
const DEPLOYER: &str = ".dep";
/// Deployer's log in its directory.
const RELEASES_LOG: &str = "releases_log";
/// Deployer's symlink to the release that it is about to switch to.
const UNFINISHED: &str = "release";
/// Deployer's mark of a bad release.
const BAD_RELEASE: &str = "BAD_RELEASE";
/// Hapistrano's record in each release: `Success` or `Fail`.
const DEPLOY_STATE: &str = ".hapistrano_deploy_state";
/// The mark of a release that Trellis did not finish, or rolled back from. Ansible's `deploy_helper` makes it.
const DEPLOY_UNFINISHED: &str = "DEPLOY_UNFINISHED";
/// Trellis's clone of the source, in the shared directory.
const TRELLIS: [&str; 2] = ["source", ".git"];
/// The lock of Deployer, in its directory, and of Mina, in the root.
const LOCK: &str = "deploy.lock";
/// Mina's clone of the source, and the release counter of older versions.
const MINA: [&str; 2] = ["scm", "last_version"];

/// The steps that read other tools' traces.
#[derive(Debug)]
struct Asked {
    revisions_log: Handle<MayFail<Content>>,
    releases_log: Handle<MayFail<Content>>,
    deployer: Look,
    unfinished: Handle<MayFail<LinkText>>,
    /// The steps that inspect the tools' locks, each with its path.
    locks: [(InnerPath, Look); 2],
    mina: [Look; 2],
    trellis: Look,
    bad: Handle<MayFail<Contents>>,
    states: Handle<MayFail<Contents>>,
    unfinished_deploys: Handle<MayFail<Contents>>,
    releases: Handle<MayFail<Listing>>,
}

/// A step that inspects a file.
type Look = Handle<MayFail<Option<Entry>>>;

impl AdoptStore for DirStore {
    fn traces(&self) -> BoxFuture<'_, Result<Traces, StoreError>> {
        Box::pin(async {
            let mut batch = self.steps.empty();
            let asked = ask(&mut batch, self.layout());
            match self.execute(&batch).await {
                Err(error) if error.is_missing_root() => Ok(Traces::default()),
                replies => asked.read(&replies?, self),
            }
        })
    }
}

/// Adds the steps that read other tools' traces.
///
/// All may fail: a file of another kind than the tool creates is not that tool's.
fn ask(batch: &mut Batch, layout: &Layout) -> Asked {
    let deployer = inner(DEPLOYER);
    Asked {
        revisions_log: batch.push_lenient(Op::read(inner(REVISIONS_LOG), limits::FOREIGN_LOG)),
        releases_log: batch.push_lenient(Op::read(deployer.join(&inner(RELEASES_LOG)), limits::FOREIGN_LOG)),
        deployer: batch.push_lenient(Op::inspect(deployer.clone())),
        unfinished: batch.push_lenient(Op::read_link(inner(UNFINISHED))),
        locks: [deployer.join(&inner(LOCK)), inner(LOCK)]
            .map(|path| (path.clone(), batch.push_lenient(Op::inspect(path)))),
        mina: MINA.map(|name| batch.push_lenient(Op::inspect(inner(name)))),
        trellis: batch.push_lenient(Op::inspect(layout.shared().join(&inner(TRELLIS[0])).join(&inner(TRELLIS[1])))),
        bad: batch.push_lenient(each(layout.releases().clone(), BAD_RELEASE, 0)),
        states: batch.push_lenient(each(layout.releases().clone(), DEPLOY_STATE, limits::RECORD)),
        unfinished_deploys: batch.push_lenient(each(layout.releases().clone(), DEPLOY_UNFINISHED, 0)),
        releases: batch.push_lenient(Op::list(layout.releases().clone())),
    }
}

impl Asked {
    /// Reads the replies to these steps.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] when a log exists and could not be read.
    fn read(&self, replies: &Replies, store: &DirStore) -> Result<Traces, StoreError> {
        let log = |step: Handle<MayFail<Content>>, name| {
            let read = replies.get(step)?;
            log(read.ok().and_then(Option::as_ref), name)
                .map_err(|what| StoreError::Damaged { host: store.to_string(), what })
        };
        let is_there = |step: Look| Ok::<_, TransportError>(matches!(replies.get(step)?, Ok(Some(_))));
        let mut locked = None;
        for (path, step) in &self.locks {
            locked = locked.or(is_there(*step)?.then(|| path.clone()));
        }
        let release = |name: &[u8]| store.layout().release_name(name);
        let unfinished = replies.get(self.unfinished)?.ok().and_then(Option::as_deref);
        let states = replies.get(self.states)?.into_iter().flatten();
        let failed = states.clone().filter(|(_, state)| has_failed(&state.found));
        let marked = replies.get(self.bad)?.into_iter().flatten();
        let unfinished_deploys = replies.get(self.unfinished_deploys)?.into_iter().flatten();
        let is_trellis = is_there(self.trellis)? || unfinished_deploys.clone().next().is_some();
        let directory = |Listed { name, entry }: &Listed| {
            (entry.kind == EntryKind::Directory).then_some(())?;
            Some((release(name)?, entry.modified))
        };
        Ok(Traces {
            revisions_log: log(self.revisions_log, REVISIONS_LOG)?,
            releases_log: log(self.releases_log, ".dep/releases_log")?,
            deployer: is_there(self.deployer)?,
            unfinished: unfinished.and_then(|link| release(link.split(|byte| *byte == b'/').next_back()?)),
            mina: is_there(self.mina[0])? || is_there(self.mina[1])?,
            locked,
            hapistrano: states.clone().next().is_some(),
            trellis: is_trellis,
            bad: marked.chain(failed).chain(unfinished_deploys).filter_map(|(name, _)| release(name)).collect(),
            times: replies.get(self.releases)?.into_iter().flatten().flatten().filter_map(directory).collect(),
        })
    }
}

/// Whether Hapistrano's record says anything but success. One that cannot be read does: nobody rolls back there unasked.
fn has_failed(state: &Found) -> bool {
    !matches!(state, Found::Content(state) if state.trim_ascii() == b"Success")
}

/// Reads a log. One that exists and cannot be read must not count as missing.
fn log(found: Option<&Found>, name: &str) -> Result<Option<String>, String> {
    match found {
        Some(Found::Content(content)) => Ok(Some(String::from_utf8_lossy(content).into_owned())),
        Some(Found::TooLarge) => Err(format!("{name} is longer than {} bytes", limits::FOREIGN_LOG)),
        Some(Found::Unreadable(failure)) => Err(format!("{name} cannot be read: {failure}")),
        Some(Found::NotAFile(_)) | None => Ok(None),
    }
}
