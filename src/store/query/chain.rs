//! Steps that read a root only along the chain behind the current release, so that their cost does not depend on
//! the number of releases.

use std::collections::{HashMap, HashSet};

use crate::{
    limits,
    name::ReleaseName,
    record::RECORD_FILE,
    transport::{Ask, Batch, BoundedFile, ChainLink, Entry, Found, Op, Replies, TransportError, TreeName},
};

use super::{File, FilesRead, Layout, Query, inner};

/// The number of releases read at first: few chains are longer, and it is little to read.
pub(in crate::store) const FIRST_LINKS: u32 = 8;

/// The files kept for a release that are read along a chain.
const FILES: [File; 6] = [File::BAD, File::COMMANDS, File::DATA, File::OWNERS, File::UNSEALED, File::LINKS];

/// The releases of a root, read in full or along chains.
#[derive(Default)]
pub(super) struct ReleasesRead<'r> {
    /// The names and entries in the releases directory.
    pub(super) listed: Vec<(&'r [u8], Entry)>,
    pub(super) records: HashMap<&'r [u8], &'r Found>,
    /// The files that were read along chains.
    pub(super) files: HashMap<File, FilesRead<'r>>,
    /// The releases that were read; `None` if all were.
    pub(super) chain: Option<Vec<ReleaseName>>,
}

impl Query {
    /// Adds the steps that read the chains behind the current release and `also`.
    pub(in crate::store) fn add_chain(batch: &mut Batch, layout: &Layout, also: Option<&ReleaseName>) -> Self {
        let mut query = Self::add_current(batch, layout);
        let given = also.map(|name| TreeName::Given(name.into()));
        for from in std::iter::once(TreeName::Linked(layout.current().clone())).chain(given) {
            query.chains.push(batch.push(chain(layout, from, FIRST_LINKS)));
        }
        query.read_journal(batch, layout);
        query.read_uploads(batch, layout);
        query
    }

    /// Adds the steps that read these releases, and at most `most` links of the chain behind each.
    pub(in crate::store) fn add_links(batch: &mut Batch, layout: &Layout, names: &[ReleaseName], most: u32) -> Self {
        let chains = names.iter().map(|name| batch.push(chain(layout, TreeName::Given(name.into()), most)));
        Self { chains: chains.collect(), ..Self::default() }
    }

    /// Reads the releases.
    pub(super) fn read_releases<'r>(
        &self,
        replies: &'r Replies,
        layout: &Layout,
    ) -> Result<ReleasesRead<'r>, TransportError> {
        let Some((listing, records)) = self.releases else { return self.read_chains(replies, layout) };
        let listed = replies.get(listing)?.iter().flatten();
        let records = replies.get(records)?.iter();
        Ok(ReleasesRead {
            listed: listed.map(|listed| (&listed.name[..], listed.entry)).collect(),
            records: records.map(|(name, file)| (&name[..], &file.found)).collect(),
            ..ReleasesRead::default()
        })
    }

    fn read_chains<'r>(&self, replies: &'r Replies, layout: &Layout) -> Result<ReleasesRead<'r>, TransportError> {
        let mut links: Vec<&ChainLink> = Vec::new();
        for chain in &self.chains {
            links.extend(replies.get(*chain)?);
        }
        let mut known = HashSet::new();
        links.retain(|link| known.insert(&link.name));
        let name = |link: &&'r ChainLink| link.name.as_bytes();
        let file = |place: usize| {
            let read = links.iter().filter_map(|link| Some((name(link), link.files.get(place)?.as_ref()?)));
            Ok(read.collect())
        };
        Ok(ReleasesRead {
            listed: links.iter().filter_map(|link| Some((name(link), link.entry?))).collect(),
            records: links.iter().filter_map(|link| Some((name(link), link.record.as_ref()?))).collect(),
            files: FILES.into_iter().enumerate().map(|(place, kept)| (kept, file(place))).collect(),
            chain: Some(links.iter().filter_map(|link| layout.release_name(name(link))).collect()),
        })
    }
}

fn chain(layout: &Layout, from: TreeName, most: u32) -> Ask<Vec<ChainLink>> {
    let file = |name: &str, limit| BoundedFile { name: inner(name), limit };
    let trees = (layout.releases().clone(), file(RECORD_FILE, limits::RECORD));
    let lists = (layout.in_state(&["releases"]), FILES.iter().map(|kept| file(kept.name, kept.limit)).collect());
    Op::read_chain(from, trees, lists, most)
}
