//! Steps that read a root only along the chain behind the current release, so that their cost does not depend on
//! the number of releases.

use crate::{
    name::ReleaseName,
    record::{RECORD_FILE, RECORD_LIMIT},
    shared::SharedRecord,
    transport::{Batch, BoundedFile, ChainLink, Listed, Op, OwnedFile, Reply, TreeName},
};

use super::{At, COMMANDS, DATA, KEPT_LIMIT, Layout, Query, Reach, SEALED_USER, STATE_LIMIT, UNSEALED, each, inner};

/// The number of releases read at first: few chains are longer, and it is little to read.
pub(in crate::store) const FIRST_LINKS: u32 = 8;

/// The files kept for a release, each with the step of a full query that reads it.
const FILES: [(At, &str, u64); 6] = [
    (At::Bad, "bad", STATE_LIMIT),
    (At::Commands, COMMANDS, KEPT_LIMIT),
    (At::Data, DATA, STATE_LIMIT),
    (At::Owners, SEALED_USER, STATE_LIMIT),
    (At::Unsealed, UNSEALED, STATE_LIMIT),
    (At::Links, SharedRecord::FILE, KEPT_LIMIT),
];

/// The number of steps before the chains: those that read `current`.
const HEAD: usize = 3;

impl Query {
    /// Adds the steps that read the chains behind the current release and `also`.
    pub(in crate::store) fn add_chain(batch: &mut Batch, layout: &Layout, also: Option<&ReleaseName>) -> Self {
        let current = layout.current().clone();
        let first = batch.push(Op::Inspect { path: current.clone() });
        // `current` may not be a symlink; the inspection reports what it is.
        batch.push_lenient(Op::ReadLink { path: current.clone() });
        batch.push(Op::Resolve { link: current.as_str().into() });
        batch.push(chain(layout, TreeName::Linked(current), FIRST_LINKS));
        if let Some(name) = also {
            batch.push(chain(layout, TreeName::Given(name.into()), FIRST_LINKS));
        }
        batch.push_lenient(each(layout.in_state(&["journal"]), "owner", STATE_LIMIT));
        batch.push_lenient(each(layout.in_state(&["journal"]), "intent", STATE_LIMIT));
        batch.push_lenient(each(layout.in_state(&["debts"]), "debt", STATE_LIMIT));
        batch.push(Op::Inspect { path: layout.state().clone() });
        batch.push_lenient(each(layout.in_state(&["staging"]), "owner", STATE_LIMIT));
        batch.push_lenient(Op::Inspect { path: layout.in_state(&["ledger"]) });
        Self { reach: Reach::Chains(1 + usize::from(also.is_some())), ..Self::at(first, batch) }
    }

    /// Adds the steps that read these releases, and at most `most` links of the chain behind each.
    pub(in crate::store) fn add_links(batch: &mut Batch, layout: &Layout, names: &[ReleaseName], most: u32) -> Self {
        let first = batch.steps.len();
        for name in names {
            batch.push(chain(layout, TreeName::Given(name.into()), most));
        }
        Self { reach: Reach::Links(names.len()), ..Self::at(first, batch) }
    }

    /// Converts the replies to those of a full query; also returns the names that were looked up.
    pub(super) fn widened(self, replies: &[Reply], layout: &Layout) -> (Vec<Reply>, Option<Vec<ReleaseName>>) {
        let (head, count) = match self.reach {
            Reach::All => return (replies.to_vec(), None),
            Reach::Chains(count) => (HEAD, count),
            Reach::Links(count) => (0, count),
        };
        let (told, rest) = replies.split_at(head.min(replies.len()));
        let (chains, tail) = rest.split_at(count.min(rest.len()));
        let mut links: Vec<&ChainLink> = Vec::new();
        for link in chains.iter().filter_map(|reply| if let Reply::Chain(links) = reply { Some(links) } else { None }) {
            let new = |link: &&ChainLink| links.iter().all(|known| known.name != link.name);
            let new: Vec<&ChainLink> = link.iter().filter(new).collect();
            links.extend(new);
        }
        let none = || vec![Reply::Entry(None), Reply::Link(None), Reply::Entry(None)];
        let mut all = if head == 0 { none() } else { told.to_vec() };
        let listed = |link: &&ChainLink| Some(Listed { name: link.name.clone().into_bytes(), entry: link.entry? });
        all.push(Reply::Listing(Some(links.iter().filter_map(listed).collect())));
        all.push(contents(&links, |link| link.record.clone().map(OwnedFile::unowned)));
        let kept = |at: At| {
            let place = FILES.iter().position(|(file, ..)| *file as usize == at as usize);
            contents(&links, |link| link.files.get(place?)?.clone())
        };
        all.extend([At::Bad, At::Commands, At::Data].map(kept));
        let mut tail = tail.iter().cloned();
        let mut told = || tail.next().unwrap_or(Reply::Entry(None));
        all.extend((0..4).map(|_| told()));
        all.extend([At::Owners, At::Unsealed, At::Links].map(kept));
        all.extend((0..2).map(|_| told()));
        let names = links.iter().filter_map(|link| layout.release_name(link.name.as_bytes())).collect();
        (all, Some(names))
    }
}

fn chain(layout: &Layout, from: TreeName, most: u32) -> Op {
    let file = |name: &str, limit| BoundedFile { name: inner(name), limit };
    Op::ReadChain {
        trees: layout.releases().clone(),
        from,
        record: file(RECORD_FILE, RECORD_LIMIT),
        lists: layout.in_state(&["releases"]),
        files: FILES.iter().map(|(_, name, limit)| file(name, *limit)).collect(),
        most,
    }
}

/// Builds the contents of one file for each release.
fn contents(links: &[&ChainLink], file: impl Fn(&ChainLink) -> Option<OwnedFile>) -> Reply {
    let content = |link: &&ChainLink| Some((link.name.clone().into_bytes(), file(link)?));
    Reply::Contents(links.iter().filter_map(content).collect())
}
