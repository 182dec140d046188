//! Reads a chain of directories of the model.

use crate::{
    path::InnerPath,
    transport::{BoundedFile, ChainLink, FailureKind, Found, OwnedFile, Reply, StepFailure, TreeName, chain},
};

use super::{model::Body, step::Host};

impl Host<'_> {
    pub(super) fn read_chain(
        &self,
        (trees, record): (&InnerPath, &BoundedFile),
        from: &TreeName,
        (lists, files): (&InnerPath, &[BoundedFile]),
        most: u32,
    ) -> Result<Reply, FailureKind> {
        let Some(directory) = self.find(trees)? else { return Ok(Reply::Chain(Vec::new())) };
        self.model.names(directory)?;
        let read = |name: &str| {
            let path = InnerPath::new(name).map_err(|_| FailureKind::Io)?;
            let there = self.find(&trees.join(&path))?;
            let names = there.and_then(|inode| self.model.names(inode).ok());
            let own = names.and_then(|names| names.get(record.name.as_str().as_bytes()));
            let kept = lists.join(&path);
            Ok(ChainLink {
                name: name.to_owned(),
                entry: there.map(|inode| self.model.entry(inode)),
                record: own.map(|inode| self.read(*inode, record.limit)),
                files: files.iter().map(|file| self.read_kept(&kept.join(&file.name), file.limit)).collect(),
            })
        };
        chain::follow(self.tree_name(from), most, read).map(Reply::Chain)
    }

    fn read_kept(&self, path: &InnerPath, limit: u64) -> Option<OwnedFile> {
        let unreadable = |kind| Found::Unreadable(StepFailure::new(kind, format!("{path}: {kind}")));
        match self.find(path) {
            Ok(inode) => inode.map(|inode| self.read_owned(inode, limit)),
            Err(kind) => Some(OwnedFile::unowned(unreadable(kind))),
        }
    }

    /// Returns the tree's name; `None` when the record or symlink that should name it does not.
    pub(super) fn tree_name(&self, tree: &TreeName) -> Option<String> {
        match tree {
            TreeName::Given(name) => Some(name.as_str().to_owned()),
            TreeName::Recorded(record) => {
                let way = self.model.follow(self.root, record.as_str().as_bytes()).ok()?;
                match self.model.body(*way.last()?) {
                    Body::File(content) => TreeName::in_record(content),
                    _ => None,
                }
            }
            TreeName::Linked(link) => TreeName::in_record(&self.read_link(link).ok()??),
        }
    }
}
