//! The directories on a path in the model, and the users of entries.

use crate::{
    path::InnerPath,
    transport::{FailureKind, Passed, Used, Users},
};

use super::{model::TOP, step::Host};

impl Host<'_> {
    /// Inspects the directories from `/` to the root, and from there to each of `paths`.
    pub(super) fn inspect_way(&self, paths: &[InnerPath]) -> Vec<Passed> {
        let (mut way, mut path) = (Vec::new(), String::new());
        for (above, inode) in std::iter::once(&TOP).chain(self.root).zip(self.root) {
            path.push_str(&self.name_of(*above, *inode).map(|name| format!("/{name}")).unwrap_or_default());
            let shown = if path.is_empty() { "/" } else { &path };
            way.push(Passed { path: shown.to_owned(), entry: self.model.entry(*inode) });
        }
        for below in paths {
            let down: Vec<InnerPath> = std::iter::successors(Some(below.clone()), InnerPath::parent).collect();
            for place in down.iter().rev().filter(|place| !place.is_root()) {
                if let Some(inode) = self.find(place).ok().flatten().filter(|inode| self.model.names(*inode).is_ok()) {
                    way.push(Passed { path: format!("{path}/{place}"), entry: self.model.entry(inode) });
                }
            }
        }
        way
    }

    /// Returns the name of `inode` in the directory `above`.
    fn name_of(&self, above: u64, inode: u64) -> Option<String> {
        let names = self.model.names(above).ok()?;
        let found = names.iter().find(|(_, child)| **child == inode)?;
        Some(String::from_utf8_lossy(found.0).into_owned())
    }

    /// Finds the processes that work in entries of the directory `path`.
    pub(super) fn find_users(&self, path: &InnerPath) -> Result<Users, FailureKind> {
        let Some(inode) = self.find(path)? else { return Ok(Users::none()) };
        let mut used = Vec::new();
        for (name, child) in self.model.names(inode)? {
            let works_there = |way: &Vec<u64>| way.contains(child);
            if let Some((process, _)) = self.model.workers().find(|(_, way)| works_there(way)) {
                used.push(Used { name: name.clone(), process });
            }
        }
        Ok(Users { used, all_seen: true })
    }
}
