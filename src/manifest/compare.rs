//! Comparison of a tree on a host with its manifest.

use std::{collections::BTreeMap, fmt};

use super::{Digest, Manifest, ManifestEntry, ManifestNode};

/// The maximum number of directories above an entry of a release. Entries that an application nests deeper on a
/// host are not inspected.
pub const MAX_DEPTH: usize = 256;

/// One entry of a tree, as surveyed on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surveyed {
    /// The path relative to the tree: any bytes but NUL.
    pub path: Vec<u8>,
    /// The permission bits, at most `0o7777`; without meaning for a symlink.
    pub mode: u32,
    /// The user ID of the owner. Manifests do not record owners.
    pub owner: u32,
    /// The kind of entry.
    pub node: Seen,
}

/// The kind of an entry of a tree on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// A directory.
    Directory,
    /// A regular file.
    File {
        /// The size in bytes.
        size: u64,
        /// The digest of the content; `None` if it was not requested, or the file could not be read.
        digest: Option<Digest>,
    },
    /// A symlink.
    Link {
        /// The target.
        target: Vec<u8>,
    },
    /// A device, a pipe or a socket.
    Other,
    /// A directory with entries beyond [`MAX_DEPTH`], which were not inspected.
    TooDeep,
}

/// One difference between a tree and its manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The path relative to the release.
    pub path: Vec<u8>,
    /// The kind of difference.
    pub kind: DifferenceKind,
}

/// The kind of difference at one path.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DifferenceKind {
    /// The entry is missing.
    Missing,
    /// The manifest does not list the entry: reported, never refused.
    Added,
    /// The entry is of another kind.
    Kind {
        /// The kind in the manifest, with its article.
        expected: &'static str,
        /// The kind found, with its article.
        found: &'static str,
    },
    /// The permission bits differ.
    Mode {
        /// Whether the entry is a directory rather than a file.
        directory: bool,
        /// The mode in the manifest.
        expected: u32,
        /// The mode found.
        found: u32,
    },
    /// The size of the file differs.
    Size {
        /// The size in the manifest, in bytes.
        expected: u64,
        /// The size found, in bytes.
        found: u64,
    },
    /// The target of the symlink differs.
    Target {
        /// The target in the manifest.
        expected: Vec<u8>,
        /// The target found.
        found: Vec<u8>,
    },
    /// The file has the same size and different content.
    Content,
    /// The content was to be compared, but the file could not be read.
    Unreadable,
    /// The directory has entries beyond [`MAX_DEPTH`], which were not inspected. No manifest lists anything there.
    TooDeep,
}

impl DifferenceKind {
    /// Whether the difference is damage to the release. Added entries are not, however deep; another mode is damage
    /// only if it lets others write, or act as the owner.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Added | Self::TooDeep => false,
            Self::Mode { directory, expected, found } => grants(*directory, *expected, *found),
            _ => true,
        }
    }
}

/// Whether the mode `found` lets others change an entry, or act as its owner, where `expected` does not. This is
/// the one place that judges a difference of modes. Any other difference is reported and not refused: applications make
/// their settings read-only, and people make files readable for themselves.
pub(crate) fn grants(directory: bool, expected: u32, found: u32) -> bool {
    // The sticky bit keeps others from removing files that are not theirs. Set-id bits of a directory run nothing.
    let lost_sticky = directory && expected & !found & 0o1000 != 0 && found & 0o022 != 0;
    let bits = if directory { 0o022 } else { 0o6022 };
    found & !expected & bits != 0 || lost_sticky
}

impl Difference {
    /// Formats the path for messages: no byte acts on a terminal, and no two paths look the same.
    #[must_use]
    pub fn shown_path(&self) -> String {
        if self.kind == DifferenceKind::TooDeep { shown_deep(&self.path) } else { shown(&self.path) }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.shown_path(), self.kind)
    }
}

impl fmt::Display for DifferenceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing"),
            Self::Added => f.write_str("was added"),
            Self::Kind { expected, found } => write!(f, "is {found}, not {expected}"),
            Self::Mode { expected, found, .. } => write!(f, "has mode {found:o}, not {expected:o}"),
            Self::Size { expected, found } => write!(f, "has {found} bytes, not {expected}"),
            Self::Target { expected, found } => {
                write!(f, "leads to {}, not to {}", shown(found), shown(expected))
            }
            Self::Content => f.write_str("has different content"),
            Self::Unreadable => f.write_str("cannot be read"),
            Self::TooDeep => f.write_str("was not checked"),
        }
    }
}

/// Formats a path for messages: no byte acts on a terminal, and no two paths look the same.
pub(crate) fn shown(path: &[u8]) -> String {
    match str::from_utf8(path) {
        Ok(text) => text.escape_debug().to_string(),
        Err(_) => path.escape_ascii().to_string(),
    }
}

/// Formats a path nested beyond [`MAX_DEPTH`] by its top: the whole path is too long for a message.
pub(crate) fn shown_deep(path: &[u8]) -> String {
    let names: Vec<&[u8]> = path.splitn(4, |byte| *byte == b'/').take(3).collect();
    format!("{}/... (nested more than {MAX_DEPTH} directories deep, not verifiable)", shown(&names.join(&b'/')))
}

impl Manifest {
    /// Compares `seen` with this manifest, and returns the differences in the order of their paths. With `contents`,
    /// a file without a digest counts as unreadable; otherwise contents are not compared. Ignores everything at or
    /// below the paths `except`.
    #[must_use]
    pub(crate) fn compare(&self, seen: &[Surveyed], contents: bool, except: &[&[u8]]) -> Vec<Difference> {
        let is_excepted = |path: &[u8]| except.iter().any(|other| is_within(path, other));
        let seen: BTreeMap<&[u8], &Surveyed> = seen.iter().map(|entry| (&entry.path[..], entry)).collect();
        let held = self.entries.iter().filter(|entry| !is_excepted(&entry.path)).filter_map(|entry| {
            let found = seen.get(&entry.path[..]);
            let kind = found.map_or(Some(DifferenceKind::Missing), |found| difference(&entry.node, found, contents))?;
            Some(Difference { path: entry.path.clone(), kind })
        });
        let added = seen.values().filter(|found| !is_excepted(&found.path) && self.entry(&found.path).is_none());
        let added = added.map(|found| {
            let is_deep = found.node == Seen::TooDeep;
            let kind = if is_deep { DifferenceKind::TooDeep } else { DifferenceKind::Added };
            Difference { path: found.path.clone(), kind }
        });
        let mut differences: Vec<Difference> = held.chain(added).collect();
        differences.sort_by(|one, other| one.path.cmp(&other.path));
        differences
    }

    /// Builds the manifest of a surveyed tree, contents included, without the entries at or below the paths
    /// `except`.
    ///
    /// # Errors
    ///
    /// The path of an entry that no manifest can list: a device, pipe or socket, or a file without a digest.
    pub(crate) fn of_survey(seen: &[Surveyed], except: &[&[u8]]) -> Result<Self, Vec<u8>> {
        let seen = seen.iter().filter(|entry| !except.iter().any(|other| is_within(&entry.path, other)));
        let entry = |entry: &Surveyed| {
            let node = match &entry.node {
                Seen::Directory => ManifestNode::Directory { mode: own_mode(entry.mode) },
                Seen::File { size, digest: Some(digest) } => {
                    ManifestNode::File { mode: entry.mode, size: *size, digest: *digest }
                }
                Seen::Link { target } => ManifestNode::Link { target: target.clone() },
                Seen::File { digest: None, .. } | Seen::Other | Seen::TooDeep => return Err(entry.path.clone()),
            };
            Ok(ManifestEntry { path: entry.path.clone(), node })
        };
        seen.map(entry).collect::<Result<Vec<_>, _>>().map(Self::new)
    }
}

fn difference(expected: &ManifestNode, found: &Surveyed, contents: bool) -> Option<DifferenceKind> {
    let modes = |directory: bool, expected: u32, found: u32| {
        (expected != found).then_some(DifferenceKind::Mode { directory, expected, found })
    };
    match (expected, &found.node) {
        (ManifestNode::Directory { mode }, Seen::Directory) => modes(true, own_mode(*mode), own_mode(found.mode)),
        (ManifestNode::Directory { .. }, Seen::TooDeep) => Some(DifferenceKind::TooDeep),
        (ManifestNode::File { size, .. }, Seen::File { size: other, .. }) if size != other => {
            Some(DifferenceKind::Size { expected: *size, found: *other })
        }
        (ManifestNode::File { mode, digest, .. }, Seen::File { digest: other, .. }) => match other {
            _ if !contents => modes(false, *mode, found.mode),
            None => Some(DifferenceKind::Unreadable),
            Some(other) if other != digest => Some(DifferenceKind::Content),
            Some(_) => modes(false, *mode, found.mode),
        },
        (ManifestNode::Link { target }, Seen::Link { target: other }) => {
            let target = || DifferenceKind::Target { expected: target.clone(), found: other.clone() };
            (target_differs(expected, other)).then(target)
        }
        (expected, found) => Some(DifferenceKind::Kind { expected: named(expected), found: found.with_article() }),
    }
}

/// Clears the setgid bit of a directory's mode. The bit is inherited from the parent directory, and is not part
/// of a release.
fn own_mode(mode: u32) -> u32 {
    mode & !0o2000
}

fn target_differs(expected: &ManifestNode, found: &[u8]) -> bool {
    !matches!(expected, ManifestNode::Link { target } if target == found)
}

fn named(node: &ManifestNode) -> &'static str {
    match node {
        ManifestNode::Directory { .. } => "a directory",
        ManifestNode::File { .. } => "a file",
        ManifestNode::Link { .. } => "a link",
    }
}

impl Seen {
    pub(crate) fn with_article(&self) -> &'static str {
        match self {
            Self::Directory | Self::TooDeep => "a directory",
            Self::File { .. } => "a file",
            Self::Link { .. } => "a link",
            Self::Other => "a device, pipe or socket",
        }
    }
}

/// Whether `path` is `other` or lies below it.
pub(crate) fn is_within(path: &[u8], other: &[u8]) -> bool {
    path.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, size: u64, content: Option<&[u8]>) -> Surveyed {
        Surveyed {
            path: path.into(),
            mode: 0o644,
            owner: 0,
            node: Seen::File { size, digest: content.map(Digest::of) },
        }
    }

    fn link(path: &str, target: &str) -> Surveyed {
        Surveyed { path: path.into(), mode: 0o777, owner: 0, node: Seen::Link { target: target.into() } }
    }

    fn directory(path: &str, mode: u32) -> Surveyed {
        Surveyed { path: path.into(), mode, owner: 0, node: Seen::Directory }
    }

    fn whole() -> Vec<Surveyed> {
        vec![directory("d", 0o755), file("d/a", 1, Some(b"a")), file("d/b", 1, Some(b"b")), link("l", "d/a")]
    }

    fn words(seen: &[Surveyed], contents: bool) -> Vec<String> {
        let manifest = Manifest::of_survey(&whole(), &[]).expect("all of it can be listed");
        manifest.compare(seen, contents, &[b"previousVersion"]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_difference_is_named() {
        assert_eq!(words(&whole(), true), Vec::<String>::new());
        let other = [
            directory("d", 0o700),
            file("d/a", 2, Some(b"aa")),
            file("d/b", 1, Some(b"c")),
            link("l", "d/b"),
            file("x\n", 1, Some(b"x")),
            file("previousVersion", 3, None),
        ];
        let found = words(&other, true);
        let expected = [
            "d has mode 700, not 755",
            "d/a has 2 bytes, not 1",
            "d/b has different content",
            "l leads to d/b, not to d/a",
            r"x\n was added",
        ];
        assert_eq!(found, expected);
        assert_eq!(words(&other, false).len(), 4, "contents are not looked at");
        let other = [file("d", 0, None), file("d/a", 1, None), directory("l", 0o755)];
        let found = words(&other, true);
        let expected =
            ["d is a file, not a directory", "d/a cannot be read", "d/b is missing", "l is a directory, not a link"];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_mode_is_damage_only_where_it_grants_something() {
        for (directory, expected, found, damage) in [
            (false, 0o644, 0o444, false),
            (false, 0o644, 0o755, false),
            (false, 0o640, 0o644, false),
            (true, 0o755, 0o555, false),
            (true, 0o755, 0o2755, false),
            (true, 0o1777, 0o1755, false),
            (false, 0o664, 0o664, false),
            (false, 0o644, 0o664, true),
            (false, 0o644, 0o646, true),
            (false, 0o755, 0o4755, true),
            (false, 0o755, 0o2755, true),
            (true, 0o755, 0o775, true),
            (true, 0o755, 0o777, true),
            (true, 0o1777, 0o777, true),
        ] {
            assert_eq!(grants(directory, expected, found), damage, "{expected:o} {found:o}");
        }
    }

    #[test]
    fn what_no_manifest_can_list_is_said() {
        let pipe = Surveyed { path: b"p".to_vec(), mode: 0o644, owner: 0, node: Seen::Other };
        assert_eq!(Manifest::of_survey(std::slice::from_ref(&pipe), &[]), Err(b"p".to_vec()));
        assert!(Manifest::of_survey(&[pipe], &[b"p"]).is_ok());
        assert_eq!(Manifest::of_survey(&[file("f", 1, None)], &[]), Err(b"f".to_vec()));
        assert!(is_within(b"a/b", b"a") && is_within(b"a", b"a") && !is_within(b"ab", b"a"));
    }
}
