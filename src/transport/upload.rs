//! [`Upload`]: a tree to copy to a host.

use std::sync::Arc;

use crate::{
    manifest::{Form, Manifest},
    path::{HostPath, InnerPath},
    tree::{Tree, TreeError},
};

use super::Base;
#[cfg(doc)]
use super::FailureKind;

/// A tree to upload to a host.
#[derive(Debug, Clone)]
pub struct Upload {
    /// The deploy root.
    pub root: HostPath,
    /// The directory to copy the tree into: existing, empty, private, inside the root.
    pub into: InnerPath,
    /// The tree to copy.
    pub tree: Arc<Tree>,
    /// New files, outside of `into`, for the tree's [manifest](Tree::manifest), each in its form.
    ///
    /// They are written after the content has arrived, for the user alone (mode 0600). The manifest is computed while
    /// the content is sent.
    pub lists: Vec<(InnerPath, Form)>,
    /// Paths in the tree that the lists omit, with all below them.
    pub unlisted: Vec<InnerPath>,
    /// The files to copy on the host instead of sending them.
    ///
    /// The copies are verified against [`Base::files`] before the upload ends. It fails with [`FailureKind::Mismatch`]
    /// when one is missing, has another kind or other content, or when the host has no means to copy: the same tree may
    /// then be uploaded without a base, into another directory.
    pub base: Option<Base>,
}

impl Upload {
    /// Whether the file at `path` of the tree is copied on the host.
    pub(crate) fn is_copied(&self, path: &[u8]) -> bool {
        self.base.as_ref().is_some_and(|base| base.file(path).is_some())
    }

    /// Returns the content of a list of this form. Reads the tree unless it was read before. Blocks.
    ///
    /// # Errors
    ///
    /// As [`Tree::manifest`].
    pub fn list(&self, form: Form) -> Result<Vec<u8>, TreeError> {
        self.listed().map(|manifest| manifest.in_form(form))
    }

    /// Returns the tree's manifest without the [`unlisted`](Self::unlisted) paths.
    ///
    /// Reads the tree unless it was read before. Blocks.
    ///
    /// # Errors
    ///
    /// As [`Tree::manifest`].
    pub fn listed(&self) -> Result<Manifest, TreeError> {
        let unlisted: Vec<&[u8]> = self.unlisted.iter().map(|path| path.as_str().as_bytes()).collect();
        self.tree.manifest().map(|manifest| manifest.without(&unlisted))
    }
}
