//! The steps that link shared paths into a new release while it is still private.

use crate::{
    path::InnerPath,
    shared::{SharedLink, SharedPath, SharedPlace, SharedRecord, Supply},
    store::{Layout, Staged, layout::inner},
    transport::{Batch, Entry, EntryKind, Handle, Op, SyncReach},
};

use super::{PRIVATE_FILE, PUBLIC, Steps, json};

impl Steps {
    /// Asks which kind of file stands at each shared path, following symlinks: it may well be on another disk.
    pub(in crate::store) fn add_shared(&self, batch: &mut Batch) -> Vec<Handle<Option<Entry>>> {
        let places = self.shared.iter().map(|shared| self.layout.shared_place(shared));
        places.map(|place| batch.push(Op::resolve(place.as_str()))).collect()
    }

    /// Returns the shared paths, each with the kind of file that `found` lists for it, in the same order.
    pub(in crate::store) fn shared_places(
        &self,
        found: impl IntoIterator<Item = Option<EntryKind>>,
    ) -> Vec<SharedPlace> {
        let place = |(path, found): (&SharedPath, Option<EntryKind>)| SharedPlace {
            place: self.layout.shared_place(path),
            path: path.clone(),
            found,
        };
        self.shared.iter().zip(found).map(place).collect()
    }

    /// Creates the symlinks in the staged release, and makes them durable.
    ///
    /// Content that the release ships in their place becomes the first content of the shared directory, or is removed.
    /// The record of the links is written into `kept`. Returns the steps that move first content, each with its
    /// destination.
    pub(super) fn share(
        &self,
        batch: &mut Batch,
        staged: &Staged,
        kept: &InnerPath,
        links: &[SharedLink],
    ) -> Vec<(Handle<()>, InnerPath)> {
        let content = self.staged_content(staged);
        let (mut touched, mut seeds) = (Vec::new(), Vec::new());
        for link in links {
            let stands = content.join(link.path.path());
            let moved = self.supply(batch, link, &stands, &mut touched);
            seeds.extend(moved.map(|step| (step, self.layout.shared_place(&link.path))));
            make_parents(batch, &content, &stands, &mut touched);
            batch.push(Op::MakeLink { path: stands, text: self.layout.link_to_shared(&link.path) });
        }
        let record = kept.join(&inner(SharedRecord::FILE));
        let content = json(&self.shared_record(links));
        batch.push(Op::WriteNew { path: record.clone(), content, mode: PRIVATE_FILE });
        touched.push(record);
        batch.push(Op::Sync { paths: touched, reach: SyncReach::Entries });
        seeds
    }

    /// Returns the record of these links.
    pub(in crate::store) fn shared_record(&self, links: &[SharedLink]) -> SharedRecord {
        SharedRecord::new(links.iter().map(|link| (link.path.path().clone(), self.layout.shared_place(&link.path))))
    }

    /// Makes sure that the shared path exists, and that nothing stands where the symlink goes.
    ///
    /// Returns the step that moves the shipped content to the shared path, if there is one.
    fn supply(
        &self,
        batch: &mut Batch,
        link: &SharedLink,
        stands: &InnerPath,
        touched: &mut Vec<InnerPath>,
    ) -> Option<Handle<()>> {
        let place = self.layout.shared_place(&link.path);
        let above = place.parent().unwrap_or_else(InnerPath::root);
        match link.supply {
            Supply::There if link.replaces => {
                batch.push(Op::RemoveTree { path: stands.clone() });
            }
            Supply::There => {}
            Supply::FromRelease => {
                make_parents(batch, &InnerPath::root(), &place, touched);
                // Somebody may have created it since the check, and no existing content may be replaced.
                batch.push(Op::ExpectAbsent { path: place });
                return Some(batch.push(Op::MoveInto { from: stands.clone(), into: above }));
            }
            Supply::Empty => {
                make_parents(batch, &InnerPath::root(), &place, touched);
                batch.push(Op::MakeDir { path: place.clone(), mode: PUBLIC, existing_is_fine: false });
                touch(touched, place);
            }
        }
        None
    }
}

/// Creates the directories between `top`, which exists, and `path`, and adds them all to the list to sync.
fn make_parents(batch: &mut Batch, top: &InnerPath, path: &InnerPath, touched: &mut Vec<InnerPath>) {
    let above: Vec<InnerPath> =
        std::iter::successors(path.parent(), InnerPath::parent).take_while(|above| above != top).collect();
    for directory in above.into_iter().rev() {
        batch.push(Op::MakeDir { path: directory.clone(), mode: PUBLIC, existing_is_fine: true });
        touch(touched, directory);
    }
    touch(touched, top.clone());
}

fn touch(touched: &mut Vec<InnerPath>, path: InnerPath) {
    if !touched.contains(&path) {
        touched.push(path);
    }
}

impl Layout {
    /// Returns the path of a shared file or directory.
    #[must_use]
    pub(crate) fn shared_place(&self, shared: &SharedPath) -> InnerPath {
        self.shared().join(shared.path())
    }

    /// Returns the target of the symlink in a release: relative, so that the root may be moved or mounted elsewhere.
    #[must_use]
    pub(crate) fn link_to_shared(&self, shared: &SharedPath) -> Vec<u8> {
        let up = self.releases().names().count() + shared.path().names().count();
        format!("{}{}", "../".repeat(up), self.shared_place(shared).as_str()).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_relative_to_where_they_stand() {
        let link = |layout: &Layout, text: &str| {
            let shared: SharedPath = text.parse().expect("a shared path");
            String::from_utf8(layout.link_to_shared(&shared)).expect("UTF-8")
        };
        let usual = Layout::default();
        assert_eq!(link(&usual, ".env"), "../../shared/.env");
        assert_eq!(link(&usual, "app/storage/"), "../../../shared/app/storage");
        let siblings = Layout::new("onebip", ".", "var/data", ".switchback").expect("a layout");
        assert_eq!(link(&siblings, ".env"), "../var/data/.env");
    }
}
