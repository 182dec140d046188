//! [`Layout`]: the only place that defines names on disk.

use thiserror::Error;

use crate::{
    manifest::Form,
    name::ReleaseName,
    path::{InnerPath, PathError},
    record::RECORD_FILE,
    token::Token,
};

/// The names of the tree under a deploy root.
///
/// ```
/// use switchback::Layout;
///
/// let layout = Layout::default();
/// assert_eq!(layout.release(&"build-17".parse()?).as_str(), "releases/build-17");
/// // Releases as siblings of the link: /home/onebip -> /home/onebip-build-17
/// let siblings = Layout::new("onebip", ".", "shared", ".switchback")?;
/// assert_eq!(siblings.release(&"onebip-build-17".parse()?).as_str(), "onebip-build-17");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    current: InnerPath,
    releases: InnerPath,
    shared: InnerPath,
    state: InnerPath,
}

/// An error in the configured names.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// A name is not a path inside the root.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A name that must be a single component has several, or is the root itself.
    #[error("`{key}` must be one name directly in the root, not {path:?}")]
    NotOneName {
        /// The key in the configuration.
        key: &'static str,
        /// The configured path.
        path: String,
    },
    /// Two names are equal, or one lies inside the other.
    #[error("`{key}` and `{other}` of the layout get in each other's way")]
    Overlap {
        /// The first key.
        key: &'static str,
        /// The second key.
        other: &'static str,
    },
    /// The name of `current` collides with a file of the lock, where the symlink is prepared.
    #[error("`current` cannot be called {name}: locks have a file of that name")]
    OfLocks {
        /// The configured name.
        name: String,
    },
}

impl Default for Layout {
    fn default() -> Self {
        Self::new("current", "releases", "shared", ".switchback").expect("the default names are a layout")
    }
}

impl Layout {
    /// Creates a layout with these names, each relative to the root.
    ///
    /// `current` and `state` are single names; `releases` may be `.`, which makes the releases siblings of the link.
    ///
    /// # Errors
    ///
    /// [`LayoutError`] when a name is not a path inside the root, or two of them overlap.
    pub fn new(current: &str, releases: &str, shared: &str, state: &str) -> Result<Self, LayoutError> {
        let layout = Self {
            current: InnerPath::new(current)?,
            releases: InnerPath::new(releases)?,
            shared: InnerPath::new(shared)?,
            state: InnerPath::new(state)?,
        };
        layout.check()?;
        Ok(layout)
    }

    fn check(&self) -> Result<(), LayoutError> {
        for (key, path) in [("current", &self.current), ("state", &self.state)] {
            if path.names().count() != 1 {
                return Err(LayoutError::NotOneName { key, path: path.to_string() });
            }
        }
        if OF_LOCKS.contains(&self.current.as_str()) {
            return Err(LayoutError::OfLocks { name: self.current.to_string() });
        }
        let named = [
            ("current", &self.current),
            ("releases", &self.releases),
            ("shared", &self.shared),
            ("state", &self.state),
        ];
        for (at, (key, path)) in named.iter().enumerate() {
            for (other, under) in &named[at + 1..] {
                let siblings = path.is_root() || under.is_root();
                if (!siblings && (is_within(path, under) || is_within(under, path)))
                    || *key == "shared" && path.is_root()
                {
                    return Err(LayoutError::Overlap { key, other });
                }
            }
        }
        if self.shared.is_root() {
            return Err(LayoutError::Overlap { key: "shared", other: "state" });
        }
        Ok(())
    }

    /// Returns the symlink that users point at.
    #[must_use]
    pub fn current(&self) -> &InnerPath {
        &self.current
    }

    /// Returns the directory of the releases; the root itself if they are siblings of the link.
    #[must_use]
    pub fn releases(&self) -> &InnerPath {
        &self.releases
    }

    /// Returns the directory of the shared paths.
    #[must_use]
    pub fn shared(&self) -> &InnerPath {
        &self.shared
    }

    /// Returns the directory of the tool's own state.
    #[must_use]
    pub fn state(&self) -> &InnerPath {
        &self.state
    }

    /// Parses a name in the releases directory. `None` if it is not a release name, or is one of the tree's own
    /// names.
    #[must_use]
    pub fn release_name(&self, name: &[u8]) -> Option<ReleaseName> {
        let name = std::str::from_utf8(name).ok().and_then(|name| ReleaseName::new(name).ok())?;
        let own = [&self.current, &self.shared, &self.state].into_iter().any(|path| *path == self.release(&name));
        (!own).then_some(name)
    }

    /// Returns the directory of a release.
    #[must_use]
    pub fn release(&self, name: &ReleaseName) -> InnerPath {
        self.releases.join(&name.into())
    }

    /// Returns the `previousVersion` record of a release.
    #[must_use]
    pub fn record(&self, name: &ReleaseName) -> InnerPath {
        self.release(name).join(&inner(RECORD_FILE))
    }

    /// Returns the target of a `current` link to a release: relative, so that the root may be moved or mounted
    /// elsewhere.
    #[must_use]
    pub(crate) fn link_to(&self, name: &ReleaseName) -> Vec<u8> {
        self.release(name).as_str().as_bytes().to_vec()
    }

    /// Returns the lock: a directory with one subdirectory named after the holder's token, or absent.
    #[must_use]
    pub fn lock(&self) -> InnerPath {
        self.in_state(&[LOCK])
    }

    /// Returns the directory of the lock's holder. Its name is the fencing token: a stolen lock has another.
    #[must_use]
    pub fn held(&self, token: &Token) -> InnerPath {
        self.in_state(&[LOCK, token.as_str()])
    }

    /// Returns the path where `file` is written before it moves to its place. A stolen lock takes it along.
    pub(crate) fn on_the_way(&self, token: &Token, file: &str) -> InnerPath {
        debug_assert!(!OF_LOCKS.contains(&file), "{file} is the lock's own");
        self.held(token).join(&inner(file))
    }

    /// Returns the directory for the saved files that a revert of a release needs.
    #[must_use]
    pub fn saved(&self, name: &ReleaseName) -> InnerPath {
        self.in_state(&["saved", name.as_str()])
    }

    /// Returns the path where a new release's directory is created empty, before it moves to the staging directory.
    ///
    /// No release can have this name.
    #[must_use]
    pub(crate) fn cradle(&self, token: &Token) -> InnerPath {
        self.releases.join(&inner(&format!(".switchback-{token}")))
    }

    /// Returns the tool's own directory for a release.
    #[must_use]
    pub(crate) fn kept(&self, name: &ReleaseName) -> InnerPath {
        self.in_state(&["releases", name.as_str()])
    }

    /// Returns a path in the state directory.
    #[must_use]
    pub(crate) fn in_state(&self, names: &[&str]) -> InnerPath {
        names.iter().fold(self.state.clone(), |path, name| path.join(&inner(name)))
    }
}

/// The lock directory in the state directory.
pub(crate) const LOCK: &str = "lock";

/// The file that names the release that was current when a never-activated release was published.
pub(crate) const OVER: &str = "over";

/// The files of a release's manifest and listing.
pub(crate) const MANIFEST: &str = "manifest";
pub(crate) const LISTING: &str = "listing";

/// The forms of a release's manifest, and the file of each.
///
/// The manifest, which a new seal starts from, is written last, so that an interrupted seal is repeated.
pub(crate) const LISTS: [(&str, Form); 3] =
    [("sha256sums", Form::Sums), (LISTING, Form::Listing), (MANIFEST, Form::Manifest)];

/// The names of a held lock's own files. Files that pass through the lock must have other names.
pub(crate) const OF_LOCKS: [&str; 3] = ["owner", "process", "intent"];

/// The file with the owner of a release when it was sealed.
pub(crate) const SEALED_USER: &str = "user";

/// The file that marks a release as not sealed yet.
pub(crate) const UNSEALED: &str = "unsealed";

/// The file that marks a release in which commands ran since it was sealed; holds a snapshot from before.
pub(crate) const TOUCHED: &str = "touched";

/// Converts a constant name to a path inside the root.
pub(crate) fn inner(name: &str) -> InnerPath {
    InnerPath::new(name).expect("the tree's own names are plain")
}

fn is_within(path: &InnerPath, above: &InnerPath) -> bool {
    path == above || path.as_str().strip_prefix(above.as_str()).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_that_get_in_their_own_way_are_refused() {
        for bad in [
            ("a/b", "releases", "shared", "state"),
            (".", "releases", "shared", "state"),
            ("current", "releases", "shared", "a/b"),
            ("current", "current", "shared", "state"),
            ("current", "releases", "releases", "state"),
            ("current", "releases", "releases/shared", "state"),
            ("current", "state/releases", "shared", "state"),
            ("current", "releases", ".", "state"),
            ("current", "../releases", "shared", "state"),
            ("current", "/releases", "shared", "state"),
            ("", "releases", "shared", "state"),
            ("owner", "releases", "shared", "state"),
        ] {
            assert!(Layout::new(bad.0, bad.1, bad.2, bad.3).is_err(), "{bad:?}");
        }
        assert!(Layout::new("onebip", ".", "shared", ".switchback").is_ok());
        assert!(Layout::new("public", "var/releases", "var/shared", ".deploy").is_ok());
    }

    #[test]
    fn siblings_of_the_link_are_releases_but_for_the_trees_own_names() {
        let layout = Layout::new("onebip", ".", "data", ".switchback").expect("a layout");
        assert!(layout.release_name(b"onebip-build-17").is_some());
        assert!(layout.release_name(b"onebip").is_none());
        assert!(layout.release_name(b"data").is_none());
        assert!(layout.release_name(b".switchback").is_none());
        assert!(layout.release_name(b"\xff").is_none());
        assert_eq!(layout.link_to(&"b".parse().expect("a name")), b"b");
    }
}
