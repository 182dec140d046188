//! The check of releases' symlinks to shared paths.

use crate::{
    name::ReleaseName,
    path::InnerPath,
    shared::{BrokenLink, LinkFault, SharedRecord},
    transport::{Batch, Entry, EntryKind, Handle, MayFail, Op, Replies, StepFailure, TransportError},
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
    place: Option<(InnerPath, Look)>,
    /// The step that inspects the link itself.
    link: Look,
    /// The step that follows it.
    end: Look,
}

/// A step that inspects a file.
type Look = Handle<MayFail<Option<Entry>>>;

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
                let asked = || batch.push_lenient(Op::resolve(place.as_str()));
                (place.clone(), step.unwrap_or_else(asked))
            });
            let link = batch.push_lenient(Op::inspect(stands.clone()));
            let end = batch.push_lenient(Op::resolve(stands.as_str()));
            look.links.push(LookedAt { release: release.clone(), path: path.clone(), place, link, end });
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
    pub(super) async fn broken_links(&self, releases: &[HostedRelease]) -> Result<BrokenLinks, StoreError> {
        let mut batch = self.steps.empty();
        let look = self.look_at_links(&mut batch, recorded(releases));
        if look.links.is_empty() {
            return Ok(Vec::new());
        }
        let replies = self.execute(&batch).await?;
        Ok(look.read(&replies)?)
    }

    /// Checks the links of all releases and stores the faults in `state`, for pruning.
    pub(super) async fn find_broken_links(&self, state: &mut RootState) -> Result<(), StoreError> {
        for (name, broken) in self.broken_links(&state.releases).await? {
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
    /// Returns the broken links by release.
    pub(super) fn read(&self, replies: &Replies) -> Result<BrokenLinks, TransportError> {
        let mut broken = BrokenLinks::new();
        for link in &self.links {
            let Some(fault) = link.fault(replies)? else { continue };
            let found = BrokenLink { path: link.path.clone(), fault };
            match broken.iter_mut().find(|(name, _)| *name == link.release) {
                Some((_, all)) => all.push(found),
                None => broken.push((link.release.clone(), vec![found])),
            }
        }
        Ok(broken)
    }
}

impl LookedAt {
    fn fault(&self, replies: &Replies) -> Result<Option<LinkFault>, TransportError> {
        let unreadable = |why: &StepFailure| LinkFault::Unreadable { why: why.to_string() };
        let place = self.place.as_ref().map(|(place, _)| place.clone());
        let fault = match (replies.get(self.link)?, replies.get(self.end)?) {
            (Ok(None), _) => LinkFault::Missing,
            (Ok(Some(entry)), _) if entry.kind != EntryKind::Link => LinkFault::Replaced { found: entry.kind },
            (Ok(Some(_)), Ok(None)) => LinkFault::Dangling { place },
            (Ok(Some(_)), Ok(Some(end))) => {
                let Some((place, step)) = &self.place else { return Ok(None) };
                match replies.get(*step)? {
                    Ok(Some(there)) if there.id == end.id => return Ok(None),
                    Ok(_) => LinkFault::Elsewhere { place: place.clone() },
                    Err(why) => unreadable(why),
                }
            }
            (Err(why), _) | (_, Err(why)) => unreadable(why),
        };
        Ok(Some(fault))
    }
}
