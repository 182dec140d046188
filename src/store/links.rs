//! The check of releases' symlinks to shared paths.

use crate::{
    name::ReleaseName,
    path::InnerPath,
    shared::{BrokenLink, LinkFault, SharedRecord},
    transport::{Batch, EntryKind, Op, Reply},
};

use super::{DirStore, HostedRelease, RootState, StoreError};

/// Broken symlinks to shared paths, by release.
pub type BrokenLinks = Vec<(ReleaseName, Vec<BrokenLink>)>;

/// The steps that check recorded links of releases, inside a larger batch.
#[derive(Debug)]
pub(super) struct LinkLook {
    links: Vec<LookedAt>,
}

/// One link and the steps that check it.
#[derive(Debug)]
struct LookedAt {
    release: ReleaseName,
    path: InnerPath,
    /// The recorded target and the step that resolves it, if a target is recorded.
    place: Option<(InnerPath, usize)>,
    /// The step that inspects the link itself; the next step follows it.
    step: usize,
}

impl DirStore {
    /// Adds the steps that check these links of `release`.
    fn add_links(&self, batch: &mut Batch, release: &ReleaseName, record: &SharedRecord, look: &mut LinkLook) {
        for (path, place) in record.each() {
            let stands = self.layout().release(release).join(path);
            let known = |place: &&InnerPath| {
                look.links.iter().filter_map(|link| link.place.clone()).find(|(known, _)| known == *place)
            };
            let place = place.map(|place| {
                let step = known(&place).map(|(_, step)| step);
                let asked = || batch.push_lenient(Op::Resolve { link: place.as_str().into() });
                (place.clone(), step.unwrap_or_else(asked))
            });
            let step = batch.push_lenient(Op::Inspect { path: stands.clone() });
            batch.push_lenient(Op::Resolve { link: stands.as_str().into() });
            look.links.push(LookedAt { release: release.clone(), path: path.clone(), place, step });
        }
    }

    /// Adds the steps that check the links of releases.
    pub(super) fn look_at_links<'r>(
        &self,
        batch: &mut Batch,
        releases: impl IntoIterator<Item = (&'r ReleaseName, &'r SharedRecord)>,
    ) -> LinkLook {
        let mut look = LinkLook { links: Vec::new() };
        for (name, record) in releases {
            self.add_links(batch, name, record, &mut look);
        }
        look
    }

    /// Checks the links of `releases`. Makes no request if none are recorded.
    pub(super) async fn broken_links_of(&self, releases: &[HostedRelease]) -> Result<BrokenLinks, StoreError> {
        let mut batch = self.steps.empty();
        let look = self.look_at_links(&mut batch, recorded(releases));
        if look.links.is_empty() {
            return Ok(Vec::new());
        }
        let replies = self.execute(&batch).await?;
        Ok(look.read(&replies))
    }

    /// Checks the links of all releases and stores the faults in `state`, for pruning.
    pub(super) async fn find_broken_links(&self, state: &mut RootState) -> Result<(), StoreError> {
        for (name, broken) in self.broken_links_of(&state.releases).await? {
            if let Some(release) = state.releases.iter_mut().find(|release| release.name == name) {
                release.broken = broken;
            }
        }
        Ok(())
    }
}

/// Returns the releases with recorded links.
pub(super) fn recorded(releases: &[HostedRelease]) -> impl Iterator<Item = (&ReleaseName, &SharedRecord)> {
    releases.iter().filter_map(|release| Some((&release.name, release.links.record()?)))
}

impl LinkLook {
    /// Returns the broken links by release; `replies` are those of the whole batch.
    pub(super) fn read(&self, replies: &[Reply]) -> BrokenLinks {
        let mut broken = BrokenLinks::new();
        for link in &self.links {
            let Some(fault) = link.fault(replies) else { continue };
            let found = BrokenLink { path: link.path.clone(), fault };
            match broken.iter_mut().find(|(name, _)| *name == link.release) {
                Some((_, all)) => all.push(found),
                None => broken.push((link.release.clone(), vec![found])),
            }
        }
        broken
    }
}

impl LookedAt {
    fn fault(&self, replies: &[Reply]) -> Option<LinkFault> {
        let unreadable = |reply: Option<&Reply>| match reply {
            Some(Reply::Failed(why)) => LinkFault::Unreadable { why: why.to_string() },
            _ => LinkFault::Unreadable { why: "nothing was answered".to_owned() },
        };
        let place = self.place.as_ref().map(|(place, _)| place.clone());
        match replies.get(self.step) {
            Some(Reply::Entry(None)) => return Some(LinkFault::Missing),
            Some(Reply::Entry(Some(entry))) if entry.kind == EntryKind::Link => {}
            Some(Reply::Entry(Some(entry))) => return Some(LinkFault::Replaced { found: entry.kind }),
            other => return Some(unreadable(other)),
        }
        let end = match replies.get(self.step + 1) {
            Some(Reply::Entry(Some(end))) => end,
            Some(Reply::Entry(None)) => return Some(LinkFault::Dangling { place }),
            other => return Some(unreadable(other)),
        };
        let (place, step) = self.place.as_ref()?;
        match replies.get(*step) {
            Some(Reply::Entry(Some(there))) if there.id == end.id => None,
            Some(Reply::Entry(_)) => Some(LinkFault::Elsewhere { place: place.clone() }),
            other => Some(unreadable(other)),
        }
    }
}
