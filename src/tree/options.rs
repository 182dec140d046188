//! [`SourceOptions`]: options for reading a source.

use camino::Utf8PathBuf;

use super::Limits;

/// Options for reading a source. By default nothing is excluded: `vendor` and `node_modules` are often the
/// point.
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
    /// The limits of the source.
    pub limits: Limits,
    /// The exclude patterns, in the syntax of `.gitignore`, relative to the top of the source. The last one that
    /// matches decides, and nothing below an excluded directory can be included again. Excluded entries are not
    /// inspected: a socket among them is no reason to refuse the source. Without the feature `config`, patterns are
    /// refused.
    pub exclude: Vec<String>,
    /// The number of leading directories to strip from each path of an archive: 1 for an archive with everything in
    /// a directory of its name. The directories themselves are skipped; a file or symlink with fewer is refused. Paths
    /// of a source directory are never stripped. With `None` nothing is stripped either, and deploying an archive with
    /// everything in one directory gives a warning.
    pub strip: Option<usize>,
    /// A directory that keeps the digests of a source directory's files between runs, so that unchanged files need
    /// not be read to compute them. By default nothing is kept, and never for an archive.
    ///
    /// A file is recognised by path, size, modification time, change time, device and inode. A file less than two
    /// seconds older than the scan is not kept: a later change might not show. Content that is sent is always read and
    /// checked against its digest, but content that a host already has under that digest is not: do not set this where
    /// the content itself must be proven.
    ///
    /// It is created with mode 0700, its files with 0600, for the 32 sources whose digests were written last. A cache
    /// that cannot be used is ignored.
    pub digest_cache: Option<Utf8PathBuf>,
}

impl From<Limits> for SourceOptions {
    fn from(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }
}
