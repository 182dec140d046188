//! [`SourceOptions`]: how a source is read.

use super::Limits;

/// How a source is read. By default nothing is left out: `vendor` and `node_modules` are often the point.
///
/// ```
/// use switchback::tree::{SourceOptions, Tree};
///
/// let mut options = SourceOptions::default();
/// options.exclude = vec!["*.css".to_owned()];
/// let tree = Tree::open_with("examples/site/v1".into(), &options)?;
/// assert!(tree.entries().iter().all(|entry| !entry.path.ends_with(b".css")));
/// # Ok::<(), switchback::tree::TreeError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceOptions {
    /// How much it may hold.
    pub limits: Limits,
    /// What is left out: patterns in the syntax of `.gitignore`, relative to the top of the source; the last one that
    /// matches decides, and below a directory that is left out nothing can be taken in again. What is left out is not
    /// looked at any further: a socket there is no reason to refuse the source.
    pub exclude: Vec<String>,
}

impl From<Limits> for SourceOptions {
    fn from(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }
}
