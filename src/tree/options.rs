//! [`SourceOptions`]: how a source is read.

use camino::Utf8PathBuf;

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
    /// How many leading directories are taken off each path of an archive: 1 for one that holds all in a directory of its name.
    /// The directories themselves are passed over; a file or link that stands in fewer is refused. Nothing is taken off the
    /// paths of a directory. With `None` nothing is taken off either, and an archive that holds all in one directory is warned
    /// about when it is deployed.
    pub strip: Option<usize>,
    /// A directory in which the digests of a source directory's files are kept from one run to the next, so that those that
    /// did not change need not be read to know them. Nothing is kept by default, nor of an archive.
    ///
    /// A file is recognised by path, size, times of modification and of change, device and inode. One that is not older by
    /// two seconds than the scan is not kept: a later change might not show. What is sent is read and held against its
    /// digest all the same, but what a host has by that digest is not: leave it out where the content itself must be proven.
    ///
    /// It is made with mode 0700, its files with 0600, for the 32 sources whose digests were written last. One that cannot be used is passed over.
    pub digest_cache: Option<Utf8PathBuf>,
}

impl From<Limits> for SourceOptions {
    fn from(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }
}
