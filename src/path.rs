//! Paths on hosts: [`HostPath`] names a deploy root, [`InnerPath`] a path inside it.

use std::{fmt, str::FromStr};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::name::{ReleaseName, shortened};

/// An absolute path on a host, kept byte for byte: nothing expands it, and no shell reads it.
///
/// Redundant slashes and `.` components are dropped, since they have no meaning; `..` is rejected, since its meaning
/// depends on symlinks.
///
/// ```
/// use switchback::HostPath;
///
/// let root: HostPath = "/srv//shop/".parse()?;
/// assert_eq!(root.as_str(), "/srv/shop");
/// assert!("srv/shop".parse::<HostPath>().is_err());
/// # Ok::<(), switchback::PathError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPath(Utf8PathBuf);

/// System directories that are never a deploy root, although a root may lie below them.
const SYSTEM: &[&str] = &["/", "/dev/shm", "/lost+found", "/run", "/usr/local", "/var"];

/// System directories that are never a deploy root, and below which no root may lie.
const SYSTEM_TREES: &[&str] =
    &["/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/sbin", "/sys", "/usr"];

/// Exceptions below those trees where a root may lie.
const OURS: &[&str] = &["/dev/shm", "/usr/local"];

impl HostPath {
    /// Parses `text` as an absolute path.
    ///
    /// # Errors
    ///
    /// [`PathError`] when it is empty or relative, or contains a NUL byte or a `..` component.
    pub fn new(text: &str) -> Result<Self, PathError> {
        let refuse = |rule| Err(PathError { text: text.to_owned(), rule });
        if text.is_empty() {
            return refuse(PathRule::Empty);
        }
        if text.contains('\0') {
            return refuse(PathRule::Nul);
        }
        if !text.starts_with('/') {
            return refuse(PathRule::Relative);
        }
        if text.split('/').any(|part| part == "..") {
            return refuse(PathRule::Parent);
        }
        let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        Ok(Self(format!("/{}", parts.join("/")).into()))
    }

    /// Returns `/`, which is never a deploy root, but the start of every path.
    #[must_use]
    pub fn root() -> Self {
        Self("/".into())
    }

    /// Returns the path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Returns the path as a [`Utf8Path`].
    #[must_use]
    pub fn as_path(&self) -> &Utf8Path {
        &self.0
    }

    /// Returns the parent directory; `None` for `/`.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.parent().map(|above| Self(above.to_owned()))
    }

    /// Appends `inner` to this path.
    #[must_use]
    pub fn join(&self, inner: &InnerPath) -> Self {
        if inner.is_root() { self.clone() } else { Self(self.0.join(inner.as_str())) }
    }

    /// Whether this is `/` or a system directory, which is never accepted as a deploy root.
    #[must_use]
    pub fn is_system(&self) -> bool {
        let is = |tree: &&str| self.as_str() == *tree;
        let below = |tree: &&str| self.as_str().strip_prefix(*tree).is_some_and(|rest| rest.starts_with('/'));
        let in_a_tree = SYSTEM_TREES.iter().any(|tree| is(tree) || below(tree)) && !OURS.iter().any(below);
        SYSTEM.iter().any(is) || in_a_tree
    }
}

/// A path inside a deploy root: one or more names, none of them `.` or `..`; or the root itself.
///
/// Every step of a [`Batch`](crate::transport::raw::Batch) names its paths this way, so no step can leave the root.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InnerPath(Box<str>);

impl InnerPath {
    /// Parses `text` as a path inside the root; `.` is the root itself.
    ///
    /// # Errors
    ///
    /// [`PathError`] when it is empty or absolute, or contains a NUL byte or an empty, `.` or `..` component.
    pub fn new(text: &str) -> Result<Self, PathError> {
        let refuse = |rule| Err(PathError { text: text.to_owned(), rule });
        if text == "." {
            return Ok(Self::root());
        }
        if text.is_empty() {
            return refuse(PathRule::Empty);
        }
        if text.contains('\0') {
            return refuse(PathRule::Nul);
        }
        if text.starts_with('/') {
            return refuse(PathRule::Absolute);
        }
        if text.split('/').any(|part| part == "..") {
            return refuse(PathRule::Parent);
        }
        if text.split('/').any(|part| part.is_empty() || part == ".") {
            return refuse(PathRule::Component);
        }
        Ok(Self(text.into()))
    }

    /// Returns the root itself.
    #[must_use]
    pub fn root() -> Self {
        Self(".".into())
    }

    /// Whether this is the root itself.
    #[must_use]
    pub fn is_root(&self) -> bool {
        &*self.0 == "."
    }

    /// Returns the path as text, relative to the root; `.` for the root itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the components, from the root down; none for the root itself.
    #[must_use = "an iterator does nothing by itself"]
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|name| *name != ".")
    }

    /// Returns the last component; `None` for the root itself.
    #[must_use]
    pub fn file_name(&self) -> Option<&str> {
        self.names().next_back()
    }

    /// Returns the parent directory; `None` for the root itself.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        Some(self.0.rsplit_once('/').map_or_else(Self::root, |(above, _)| Self(above.into())))
    }

    /// Appends `below` to this path.
    #[must_use]
    pub fn join(&self, below: &Self) -> Self {
        match (self.is_root(), below.is_root()) {
            (true, _) => below.clone(),
            (_, true) => self.clone(),
            _ => Self(format!("{}/{}", self.0, below.0).into()),
        }
    }
}

impl From<&ReleaseName> for InnerPath {
    fn from(name: &ReleaseName) -> Self {
        Self(name.as_str().into())
    }
}

macro_rules! path_text {
    ($path:ty) => {
        impl FromStr for $path {
            type Err = PathError;

            fn from_str(text: &str) -> Result<Self, PathError> {
                Self::new(text)
            }
        }

        impl fmt::Display for $path {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.as_str().chars().flat_map(printable).collect::<String>())
            }
        }

        impl fmt::Debug for $path {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl Serialize for $path {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $path {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

path_text!(HostPath);
path_text!(InnerPath);

/// Escapes a control character for a message; any other character stays as it is.
fn printable(c: char) -> impl Iterator<Item = char> {
    let escaped = c.is_control().then(|| c.escape_default());
    let plain = (!c.is_control()).then_some(c);
    escaped.into_iter().flatten().chain(plain)
}

/// A text that is not a valid path on a host, and the rule it breaks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{} is not a valid path: {rule}", shortened(text))]
pub struct PathError {
    text: String,
    rule: PathRule,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
enum PathRule {
    #[error("it is empty")]
    Empty,
    #[error("it contains a NUL byte")]
    Nul,
    #[error("it is not absolute; start it with / (~ and $HOME are not expanded)")]
    Relative,
    #[error("it is absolute, but must be inside the root")]
    Absolute,
    #[error("it contains `..`")]
    Parent,
    #[error("it contains an empty or `.` component")]
    Component,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps every byte of absolute paths, and rejects others. FAULTS.md N10.
    #[test]
    fn host_paths_are_absolute_and_exact() {
        for (given, kept) in [
            ("/srv/shop", "/srv/shop"),
            ("/srv//shop/./", "/srv/shop"),
            ("/srv/it's\nhere", "/srv/it's\nhere"),
            ("/srv/-x/$HOME/~", "/srv/-x/$HOME/~"),
            ("/", "/"),
        ] {
            assert_eq!(HostPath::new(given).map(|p| p.as_str().to_owned()), Ok(kept.to_owned()));
        }
        for bad in ["", "srv", "~/shop", "$HOME/shop", "/srv/../etc", "/srv/..", "/a\0b", "./x"] {
            assert!(HostPath::new(bad).is_err(), "{bad:?} was accepted");
        }
    }

    /// Recognises the root directory and the system's own directories. FAULTS.md N11.
    #[test]
    fn system_directories_are_known() {
        for system in [
            "/",
            "/etc",
            "/etc/shop",
            "/usr",
            "/usr/share/shop",
            "/usr/local",
            "/boot/x",
            "/dev/shm",
            "/proc/1",
            "/sys",
            "/run",
            "/var",
        ] {
            assert!(HostPath::new(system).is_ok_and(|p| p.is_system()), "{system}");
        }
        for ours in [
            "/srv/shop",
            "/home",
            "/home/x",
            "/usr/local/shop",
            "/dev/shm/x",
            "/etcetera",
            "/opt/shop",
            "/var/www/shop",
            "/tmp/x",
            "/userdata",
        ] {
            assert!(HostPath::new(ours).is_ok_and(|p| !p.is_system()), "{ours}");
        }
    }

    #[test]
    fn inner_paths_stay_inside() {
        for bad in ["", "/etc", "..", "a/..", "../a", "a//b", "a/", "./a", "a/./b", "a\0"] {
            assert!(InnerPath::new(bad).is_err(), "{bad:?} was accepted");
        }
        let path = InnerPath::new("a/b/c").expect("a plain inner path");
        assert_eq!(path.parent().map(|p| p.to_string()), Some("a/b".into()));
        assert_eq!(path.file_name(), Some("c"));
        assert_eq!(InnerPath::root().join(&path), path);
        assert_eq!(InnerPath::root().names().count(), 0);
    }

    #[test]
    fn messages_escape_what_a_terminal_would_act_on() {
        let path = HostPath::new("/srv/\x1b[31m\nred").expect("bytes are kept");
        assert_eq!(path.to_string(), "/srv/\\u{1b}[31m\\nred");
    }
}
