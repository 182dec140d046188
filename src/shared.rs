//! [`SharedPath`]: a file or directory that outlives releases, and is a symlink in each.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeStruct};
use thiserror::Error;

use crate::{
    path::{InnerPath, PathError},
    record::RECORD_FILE,
    transport::EntryKind,
};

/// A file or directory that outlives releases: it lies in the layout's shared directory, and every release has a
/// relative symlink to it at the same path.
///
/// ```
/// use switchback::shared::SharedPath;
///
/// let storage: SharedPath = "storage/".parse()?;
/// assert!(storage.is_directory() && !storage.seed());
/// assert_eq!(storage.path().as_str(), "storage");
/// assert_eq!(storage.to_string(), "storage/");
/// # Ok::<(), switchback::shared::SharedPathError>(())
/// ```
///
/// In a configuration it is a text, `"storage/"`, or a table, `{ path = "storage/", seed = true }`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SharedPath {
    path: InnerPath,
    directory: bool,
    seed: bool,
}

/// A text that is not a valid shared path, or two shared paths in conflict.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SharedPathError {
    /// Not a path inside a release.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The whole release, or one of the tool's own names.
    #[error("{path:?} cannot be shared: it is the tool's own file, or the whole release")]
    Own {
        /// The path.
        path: String,
    },
    /// Two paths are the same, or one lies inside the other.
    #[error("`{path}` and `{other}` cannot both be shared: one is inside the other")]
    Overlap {
        /// The first path.
        path: String,
        /// The second path.
        other: String,
    },
}

impl SharedPath {
    /// Parses a path relative to a release; a directory if it ends with a slash. Not seeded.
    ///
    /// # Errors
    ///
    /// [`SharedPathError`] when it is not a path inside a release, or one of the tool's own.
    pub fn new(text: &str) -> Result<Self, SharedPathError> {
        let stripped = text.strip_suffix('/').filter(|rest| !rest.is_empty());
        let path = InnerPath::new(stripped.unwrap_or(text))?;
        let top = path.names().next();
        if top.is_none_or(|name| matches!(name, RECORD_FILE | ".switchback" | ".switchback-irreversible")) {
            return Err(SharedPathError::Own { path: text.to_owned() });
        }
        Ok(Self { path, directory: stripped.is_some(), seed: false })
    }

    /// Sets whether it is seeded.
    #[must_use]
    pub fn with_seed(self, seed: bool) -> Self {
        Self { seed, ..self }
    }

    /// Returns the path, relative to a release and to the shared directory.
    #[must_use]
    pub fn path(&self) -> &InnerPath {
        &self.path
    }

    /// Whether it is a directory rather than a file.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        self.directory
    }

    /// Whether the content that a release ships at this path becomes the first shared content, while there is none.
    #[must_use]
    pub fn seed(&self) -> bool {
        self.seed
    }

    /// Checks that these can be shared together.
    ///
    /// # Errors
    ///
    /// [`SharedPathError::Overlap`] when two are the same, or one lies inside the other.
    pub fn check_all<'p>(paths: impl IntoIterator<Item = &'p Self>) -> Result<(), SharedPathError> {
        let mut before: Vec<&Self> = Vec::new();
        for path in paths {
            if let Some(other) = before.iter().find(|other| path.lies_within(other) || other.lies_within(path)) {
                return Err(SharedPathError::Overlap { path: path.to_string(), other: other.to_string() });
            }
            before.push(path);
        }
        Ok(())
    }

    fn lies_within(&self, other: &Self) -> bool {
        std::iter::successors(Some(self.path.clone()), InnerPath::parent).any(|above| above == other.path)
    }
}

/// A shared file or directory of a root, and the entry found at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharedPlace {
    /// The shared path.
    pub path: SharedPath,
    /// Its place, relative to the root.
    pub place: InnerPath,
    /// The entry at that place, symlinks followed; `None` if there is none.
    pub found: Option<EntryKind>,
}

impl SharedPlace {
    /// The shared path `path`, whose content is at `place`, and the entry found there.
    #[must_use]
    pub const fn new(path: SharedPath, place: InnerPath, found: Option<EntryKind>) -> Self {
        Self { path, place, found }
    }
}

/// A symlink to create in a new release.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharedLink {
    /// The shared path.
    pub path: SharedPath,
    /// The source of the shared content.
    pub supply: Supply,
    /// Whether the release itself ships an entry there, which the symlink replaces.
    pub replaces: bool,
}

/// The source of shared content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Supply {
    /// It exists already.
    There,
    /// The release's own entry is moved to the shared directory.
    FromRelease,
    /// An empty directory is created.
    Empty,
}

/// The symlinks of a release that the tool made. They are not part of the uploaded content, and so of no
/// manifest. Stored as JSON beside the tool's other records of the release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SharedRecord {
    /// The version of this format: 1.
    #[serde(rename = "format")]
    pub format: u32,
    /// The symlinks, relative to the release.
    #[serde(rename = "links")]
    pub links: Vec<InnerPath>,
    /// The target of each, relative to the root; empty in a record of an older version.
    #[serde(rename = "places", default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<InnerPath>,
}

impl SharedRecord {
    /// The name of the file that holds the record, in the tool's directory of the release.
    pub const FILE: &'static str = "shared";

    /// A record of these symlinks and their targets.
    #[must_use]
    pub fn new(links: impl IntoIterator<Item = (InnerPath, InnerPath)>) -> Self {
        let (links, places) = links.into_iter().unzip();
        Self { format: 1, links, places }
    }

    /// Returns each symlink and its target, if recorded.
    pub fn each(&self) -> impl Iterator<Item = (&InnerPath, Option<&InnerPath>)> {
        self.links.iter().enumerate().map(|(at, link)| (link, self.places.get(at)))
    }
}

/// A symlink to shared content that is no longer as it was made. Content that the release keeps there now is its
/// own, and is removed with it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokenLink {
    /// The symlink, relative to the release.
    pub path: InnerPath,
    /// The fault.
    pub fault: LinkFault,
}

impl BrokenLink {
    /// The fault of the symlink at `path` in a release.
    #[must_use]
    pub const fn new(path: InnerPath, fault: LinkFault) -> Self {
        Self { path, fault }
    }
}

/// A fault of a symlink to shared content.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LinkFault {
    /// The symlink is missing.
    #[error("is missing, but should be a link to a shared path")]
    Missing,
    /// Another entry has replaced it.
    #[error("is {}, but should be a link to a shared path", found.with_article())]
    Replaced {
        /// The kind of the entry.
        found: EntryKind,
    },
    /// It points to another place.
    #[error("does not lead to {place}")]
    Elsewhere {
        /// Its target when it was made, relative to the root.
        place: InnerPath,
    },
    /// Its target does not exist.
    #[error("leads to a missing target{}", place.as_ref().map(|place| format!(", {place}")).unwrap_or_default())]
    Dangling {
        /// Its target when it was made, relative to the root, if recorded.
        place: Option<InnerPath>,
    },
    /// It could not be read.
    #[error("cannot be checked ({why})")]
    Unreadable {
        /// The error.
        why: String,
    },
}

impl fmt::Display for BrokenLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", crate::manifest::shown(self.path.as_str().as_bytes()), self.fault)
    }
}

impl fmt::Display for SharedPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.path, if self.directory { "/" } else { "" })
    }
}

impl FromStr for SharedPath {
    type Err = SharedPathError;

    fn from_str(text: &str) -> Result<Self, SharedPathError> {
        Self::new(text)
    }
}

impl Serialize for SharedPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let path = format!("{}{}", self.path.as_str(), if self.directory { "/" } else { "" });
        if !self.seed {
            return serializer.serialize_str(&path);
        }
        let mut table = serializer.serialize_struct("SharedPath", 2)?;
        table.serialize_field("path", &path)?;
        table.serialize_field("seed", &self.seed)?;
        table.end()
    }
}

impl<'de> Deserialize<'de> for SharedPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

/// The table form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(rename = "path")]
    path: String,
    #[serde(rename = "seed", default)]
    seed: bool,
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = SharedPath;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a path such as \"storage/\" or \".env\", or a table such as { path = \"storage/\", seed = true }")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<SharedPath, E> {
        SharedPath::new(text).map_err(E::custom)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<SharedPath, A::Error> {
        let table = Table::deserialize(de::value::MapAccessDeserializer::new(map))?;
        SharedPath::new(&table.path).map(|path| path.with_seed(table.seed)).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(text: &str) -> SharedPath {
        text.parse().expect("a shared path")
    }

    #[test]
    fn a_slash_at_the_end_makes_a_directory() {
        for (text, path, directory) in
            [(".env", ".env", false), ("storage/", "storage", true), ("config/db.yml", "config/db.yml", false)]
        {
            let read = shared(text);
            assert_eq!((read.path().as_str(), read.is_directory(), read.to_string()), (path, directory, text.into()));
        }
    }

    #[test]
    fn what_cannot_be_shared_is_refused() {
        for bad in [
            "",
            "/",
            ".",
            "./",
            "/etc/",
            "../x",
            "a/../b",
            "a//",
            "previousVersion",
            "previousVersion/x",
            ".switchback/",
            "a\0",
        ] {
            assert!(SharedPath::new(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn one_behind_the_other_is_refused() {
        for (one, other) in [("a/", "a"), ("a/", "a/b"), ("a/b/c", "a/"), (".env", ".env")] {
            assert!(SharedPath::check_all([&shared(one), &shared(other)]).is_err(), "{one} and {other}");
        }
        assert_eq!(SharedPath::check_all([&shared("a/b"), &shared("a/bc"), &shared("ab/")]), Ok(()));
    }

    #[test]
    fn a_text_and_a_table_are_read_and_written() {
        let json = r#"[".env",{"path":"storage/","seed":true}]"#;
        let read: Vec<SharedPath> = serde_json::from_str(json).expect("two shared paths");
        assert_eq!(read, [shared(".env"), shared("storage/").with_seed(true)]);
        assert_eq!(serde_json::to_string(&read).expect("JSON"), json);
        for bad in [r#"{"path":"a","sed":true}"#, r#"{"seed":true}"#, "7", r#""/etc""#] {
            assert!(serde_json::from_str::<SharedPath>(bad).is_err(), "{bad} was accepted");
        }
    }
}
