//! [`SharedPath`]: a file or directory that outlives releases, and stands in each as a link.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeStruct};
use thiserror::Error;

use crate::{
    path::{InnerPath, PathError},
    record::RECORD_FILE,
    transport::EntryKind,
};

/// A file or directory that outlives releases: it lies in the layout's shared directory, and stands in every release, at
/// the same place, as a relative link.
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

/// A text that names nothing that could be shared, or two that get in each other's way.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SharedPathError {
    /// It is no path inside a release.
    #[error(transparent)]
    Path(#[from] PathError),
    /// It is the whole release, or one of the tool's own names.
    #[error("{path:?} cannot be shared: it is the tool's own, or the whole release")]
    Own {
        /// The path.
        path: String,
    },
    /// Two are the same, or one lies inside the other.
    #[error("`{path}` and `{other}` cannot both be shared: one would lie behind the link of the other")]
    Overlap {
        /// The one.
        path: String,
        /// The other.
        other: String,
    },
}

impl SharedPath {
    /// The place that `text` names, relative to a release; a directory when it ends with a slash. Not seeded.
    ///
    /// # Errors
    ///
    /// [`SharedPathError`] when it is no path inside a release, or one of the tool's own.
    pub fn new(text: &str) -> Result<Self, SharedPathError> {
        let stripped = text.strip_suffix('/').filter(|rest| !rest.is_empty());
        let path = InnerPath::new(stripped.unwrap_or(text))?;
        let top = path.names().next();
        if top.is_none_or(|name| matches!(name, RECORD_FILE | ".switchback" | ".switchback-irreversible")) {
            return Err(SharedPathError::Own { path: text.to_owned() });
        }
        Ok(Self { path, directory: stripped.is_some(), seed: false })
    }

    /// The same, seeded or not.
    #[must_use]
    pub fn with_seed(self, seed: bool) -> Self {
        Self { seed, ..self }
    }

    /// The place, relative to a release and to the shared directory.
    #[must_use]
    pub fn path(&self) -> &InnerPath {
        &self.path
    }

    /// Whether it is a directory, and not a file.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        self.directory
    }

    /// Whether what a release ships at this place is its first content, used while the shared directory lacks it.
    #[must_use]
    pub fn seed(&self) -> bool {
        self.seed
    }

    /// Whether these can be shared together.
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

/// A shared file or directory of a root, and what was found in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharedPlace {
    /// What is shared.
    pub path: SharedPath,
    /// Where it lies, relative to the root.
    pub place: InnerPath,
    /// What stands there, links followed; `None` when nothing does.
    pub found: Option<EntryKind>,
}

/// How a new release comes by a link to what is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharedLink {
    /// What is shared.
    pub path: SharedPath,
    /// Where its content comes from.
    pub supply: Supply,
    /// Whether the release itself ships something there, which gives way to the link.
    pub replaces: bool,
}

/// Where the content of something shared comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Supply {
    /// It is there already.
    There,
    /// What the release ships is moved to the shared directory.
    FromRelease,
    /// An empty directory is made.
    Empty,
}

/// Which links of a release the tool made: no part of what was brought, and so of no manifest. Kept beside the tool's
/// other records of the release, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SharedRecord {
    /// The version of this format: 1.
    pub format: u32,
    /// The links, relative to the release.
    pub links: Vec<InnerPath>,
    /// Where each of them leads, relative to the root; empty as an older version wrote it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<InnerPath>,
}

impl SharedRecord {
    /// The name of the file that holds it, in the tool's directory of the release.
    pub const FILE: &'static str = "shared";

    /// The record of these links and the places that they lead to.
    #[must_use]
    pub fn new(links: impl IntoIterator<Item = (InnerPath, InnerPath)>) -> Self {
        let (links, places) = links.into_iter().unzip();
        Self { format: 1, links, places }
    }

    /// Each link, and the place that it leads to, where that is recorded.
    pub fn each(&self) -> impl Iterator<Item = (&InnerPath, Option<&InnerPath>)> {
        self.links.iter().enumerate().map(|(at, link)| (link, self.places.get(at)))
    }
}

/// A link to something shared that is not what it was made as: what the release keeps there is its own now, and goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokenLink {
    /// The link, relative to the release.
    pub path: InnerPath,
    /// What is wrong with it.
    pub fault: LinkFault,
}

/// What is wrong with a link to something shared.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LinkFault {
    /// Nothing is there.
    #[error("is missing, and was a link to what is shared")]
    Missing,
    /// Something else is there.
    #[error("is {}, and was a link to what is shared", found.with_article())]
    Replaced {
        /// What it is.
        found: EntryKind,
    },
    /// It leads somewhere else.
    #[error("leads somewhere else than to {place}")]
    Elsewhere {
        /// Where it led when it was made, relative to the root.
        place: InnerPath,
    },
    /// It leads nowhere.
    #[error("leads to what is gone{}", place.as_ref().map(|place| format!(", {place}")).unwrap_or_default())]
    Dangling {
        /// Where it led when it was made, relative to the root, where that is recorded.
        place: Option<InnerPath>,
    },
    /// It could not be looked at.
    #[error("could not be looked at ({why})")]
    Unreadable {
        /// Why.
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
    path: String,
    #[serde(default)]
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
