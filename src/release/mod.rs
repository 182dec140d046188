//! [`Release`]: one uniquely named version, and the source of its content.

mod irreversible;

use std::{fmt, sync::Arc};

use camino::Utf8Path;

use crate::{
    name::ReleaseName,
    tree::{SourceOptions, Tree, TreeError},
};

/// One uniquely named version of the deployed content.
///
/// An embedder that generates its content passes a [`Tree`] to [`NewRelease`], or implements this.
pub trait Release: fmt::Debug + Send + Sync + 'static {
    /// Returns the name, the same on all hosts.
    fn name(&self) -> &ReleaseName;

    /// Returns the content, the same at every call.
    fn content(&self) -> Arc<Tree>;

    /// Returns the reason why its data cannot be reverted after a deploy; `None` if it can.
    fn irreversible(&self) -> Option<String>;
}

/// A release with the content of a directory, an archive or a tree that was built.
#[derive(Debug, Clone)]
pub struct NewRelease {
    name: ReleaseName,
    tree: Arc<Tree>,
}

impl NewRelease {
    /// A release `name` with the content of `tree`.
    #[must_use]
    pub fn new(name: ReleaseName, tree: Tree) -> Self {
        Self { name, tree: Arc::new(tree) }
    }

    /// Opens the directory or archive at `path` as the release `name`, with the default options; see [`Tree::open`].
    ///
    /// The options of a configuration need [`open_with`](Self::open_with) and
    /// [`Config::source_options`](crate::Config::source_options).
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
    /// [`TreeError`] when it cannot become a release. No host was touched.
    pub fn open(name: ReleaseName, path: &Utf8Path) -> Result<Self, TreeError> {
        Tree::open(path).map(|tree| Self::new(name, tree))
    }

    /// Opens like [`open`](Self::open), with other limits or with exclude patterns.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_with(name: ReleaseName, path: &Utf8Path, options: &SourceOptions) -> Result<Self, TreeError> {
        Tree::open_with(path, options).map(|tree| Self::new(name, tree))
    }

    /// Returns the content.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }
}

impl Release for NewRelease {
    fn name(&self) -> &ReleaseName {
        &self.name
    }

    fn content(&self) -> Arc<Tree> {
        Arc::clone(&self.tree)
    }

    /// Reads the reason from the file `.switchback-irreversible` at the top of the content.
    fn irreversible(&self) -> Option<String> {
        irreversible::reason(&self.tree)
    }
}
