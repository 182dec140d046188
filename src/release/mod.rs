//! [`Release`]: one uniquely named version, and where its content comes from.

mod irreversible;

use std::{fmt, sync::Arc};

use camino::Utf8Path;

use crate::{
    name::ReleaseName,
    tree::{SourceOptions, Tree, TreeError},
};

/// One uniquely named version of what is deployed.
///
/// An embedder that makes its content in another way implements this, or hands a [`Tree`] to [`NewRelease`].
pub trait Release: fmt::Debug + Send + Sync + 'static {
    /// Its name, the same on all hosts.
    fn name(&self) -> &ReleaseName;

    /// Where its content is.
    fn content(&self) -> ReleaseContent;

    /// Why its data cannot go back once it is deployed; `None` when it can.
    fn irreversible(&self) -> Option<String>;
}

/// Where the content of a release is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ReleaseContent {
    /// Here, and it must be brought to the hosts.
    Tree(Arc<Tree>),
    /// On the hosts already, staged or current once.
    OnHosts,
}

/// A release whose content is here.
#[derive(Debug, Clone)]
pub struct NewRelease {
    name: ReleaseName,
    tree: Arc<Tree>,
}

impl NewRelease {
    /// The release `name` with the content of `tree`.
    #[must_use]
    pub fn new(name: ReleaseName, tree: Tree) -> Self {
        Self { name, tree: Arc::new(tree) }
    }

    /// The release `name` with the content of the directory or archive at `path`, as [`Tree::open`] takes it.
    ///
    /// ```
    /// use switchback::{Release, release::NewRelease};
    ///
    /// let release = NewRelease::open("build-17".parse()?, "examples/site/v1".into())?;
    /// assert_eq!(release.name().as_str(), "build-17");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`TreeError`] when it cannot be a release. No host was touched.
    pub fn open(name: ReleaseName, path: &Utf8Path) -> Result<Self, TreeError> {
        Tree::open(path).map(|tree| Self::new(name, tree))
    }

    /// The same as [`open`](Self::open), with other limits, or without all of it.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_with(name: ReleaseName, path: &Utf8Path, options: &SourceOptions) -> Result<Self, TreeError> {
        Tree::open_with(path, options).map(|tree| Self::new(name, tree))
    }

    /// Its content.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }
}

impl Release for NewRelease {
    fn name(&self) -> &ReleaseName {
        &self.name
    }

    fn content(&self) -> ReleaseContent {
        ReleaseContent::Tree(Arc::clone(&self.tree))
    }

    /// What a file `.switchback-irreversible` at the top of its content says.
    fn irreversible(&self) -> Option<String> {
        irreversible::reason(&self.tree)
    }
}

/// A release that is on the hosts already.
#[derive(Debug, Clone)]
pub struct HostRelease(ReleaseName);

impl HostRelease {
    /// The release `name`, which every host must have.
    #[must_use]
    pub fn new(name: ReleaseName) -> Self {
        Self(name)
    }
}

impl Release for HostRelease {
    fn name(&self) -> &ReleaseName {
        &self.0
    }

    fn content(&self) -> ReleaseContent {
        ReleaseContent::OnHosts
    }

    /// Never: what was said when it was brought to the hosts is kept there.
    fn irreversible(&self) -> Option<String> {
        None
    }
}
