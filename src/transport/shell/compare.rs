//! Parses a host's comparison of a tree with its manifest.

use std::collections::HashMap;

use crate::{
    manifest::{Difference, DifferenceKind, Form, Manifest, ManifestNode, Seen, Surveyed},
    path::InnerPath,
    transport::{
        Compared, DifferentEntries, FailureKind, ForeignEntry, Found, StepFailure,
        compare::{Expected, above},
    },
};

use super::{reply, reply::Misfit, survey};

/// Returns the commands of `sed` that drop the lines of these paths and of entries below them.
pub(super) fn passes_over(except: &[InnerPath]) -> String {
    let both = |path: String| [format!("/^[mt] {path}\t/d"), format!("/^[mt] {path}\\//d")];
    let lines: Vec<String> = except.iter().filter_map(in_pattern).flat_map(both).collect();
    lines.join("\n")
}

/// Returns the commands of `sed` that drop directories added above these paths.
pub(super) fn passes_above(except: &[InnerPath]) -> String {
    let lines: Vec<String> =
        above(except).iter().filter_map(in_pattern).map(|path| format!("/^a\t{path}\t/d")).collect();
    lines.join("\n")
}

/// Returns a path as a pattern of `sed`; `None` for a path that no line contains.
fn in_pattern(path: &InnerPath) -> Option<String> {
    let escaped = |c: char| ['.', '[', '*', '^', '$', '/'].contains(&c).then_some('\\').into_iter().chain([c]);
    let is_in_lines = !path.as_str().contains(|c: char| c == '\\' || c.is_ascii_control());
    is_in_lines.then(|| path.as_str().chars().flat_map(escaped).collect())
}

/// Parses the result of a comparison.
///
/// `values` are the entries that differ, the unchanged lines of the manifest that concern names that no line can hold,
/// and the three parts of a survey of such entries.
pub(super) fn read(expected: &Expected<'_>, words: &[&str], values: &[Vec<u8>]) -> Result<Compared, Misfit> {
    match (words, values) {
        (["no-tree"], []) => Ok(Compared::NoTree),
        (["no-list"], []) => Ok(Compared::NoManifest),
        (["equal"], []) => Ok(Compared::Entries(Box::default())),
        (["unreadable", kind], []) => Ok(Compared::Unreadable(match reply::not_read(kind)? {
            Found::Unreadable(failure) => failure,
            Found::NotAFile(kind) => StepFailure::new(FailureKind::WrongType, kind.with_article()),
            Found::Content(_) | Found::TooLarge => return Err(Misfit),
        })),
        (["entries"], [told, listed, all, links, sums]) => {
            // The host tests for the same sequence.
            let only_ascii = listed.windows(3).any(|bytes| matches!(bytes, [b'\\', b'x', b'8' | b'9' | b'a'..=b'f']));
            let odd = [Form::Manifest.header().as_bytes(), listed].concat();
            let told: Vec<Told<'_>> = told.split(|byte| *byte == b'\n').map(Told::read).collect::<Result<_, _>>()?;
            let end = told.iter().find(|told| told.kind == "!").ok_or(Misfit)?;
            let means_something = end.says(b"mh").is_some() && end.says(b"mb").is_none();
            let Some(odd) = Manifest::parse(&odd).ok().filter(|_| means_something) else {
                let why = "a line of the manifest is not valid";
                return Ok(Compared::Unreadable(StepFailure::new(FailureKind::Io, why)));
            };
            let seen = survey::read(all, links, expected.contents.then_some(&sums[..]))?.ok_or(Misfit)?;
            let found = different(expected, &told, &Odd::new(odd, seen, only_ascii)).ok_or(Misfit)?;
            Ok(Compared::Entries(Box::new(found)))
        }
        _ => Err(Misfit),
    }
}

/// Collects all differences.
fn different(expected: &Expected<'_>, told: &[Told<'_>], odd: &Odd) -> Option<DifferentEntries> {
    let (mut differences, mut foreign) = (Vec::new(), expected.foreign(&odd.manifest, &odd.seen));
    let is_odd = |found: &Difference| matches!(found.kind, DifferenceKind::Target { .. }) || odd.names(&found.path);
    differences.extend(expected.differences(&odd.manifest, &odd.seen).into_iter().filter(is_odd));
    foreign.retain(|entry| odd.names(&entry.path));
    let shown = told.iter().filter(|told| told.kind != "!");
    for told in shown.clone().filter(|told| told.path.is_some()) {
        if told.others {
            foreign.push(told.foreign()?);
        }
        if told.kind != "u" {
            differences.push(told.difference(odd)?);
        }
    }
    let mut found = DifferentEntries::of(differences, foreign);
    for told in shown.filter(|told| told.path.is_none()) {
        if told.others {
            found.foreign.count += told.count;
        }
        match told.kind.strip_prefix("g ").unwrap_or(told.kind) {
            "a" | "x" => found.added.count += told.count,
            "b" => found.damage.count += told.count,
            "u" => {}
            modes if mode(modes)?.is_damage() => found.damage.count += told.count,
            _ => found.modes.count += told.count,
        }
    }
    Some(found)
}

/// Parses a change such as `d 755 775`.
fn mode(words: &str) -> Option<DifferenceKind> {
    let mut words = words.split(' ');
    let directory = words.next()? == "d";
    let mut mode = || u32::from_str_radix(words.next()?, 8).ok();
    Some(DifferenceKind::Mode { directory, expected: mode()?, found: mode()? })
}

/// A line of the reply: the number of entries that differ in one way, and one of them or none.
struct Told<'t> {
    count: u64,
    kind: &'t str,
    /// Whether the manifest lists the entry and another user owns it.
    others: bool,
    path: Option<&'t [u8]>,
    /// The entry's state on each side: `m` for the manifest, `t` for the tree.
    said: Vec<&'t [u8]>,
}

impl<'t> Told<'t> {
    fn read(line: &'t [u8]) -> Result<Self, Misfit> {
        let text = |bytes| std::str::from_utf8(bytes).map_err(|_| Misfit);
        let mut fields = line.trim_ascii_start().split(|byte| *byte == b'\t');
        let (count, kind) = text(fields.next().ok_or(Misfit)?)?.split_once(' ').ok_or(Misfit)?;
        let (kind, others) = kind.strip_suffix(" u").map_or((kind, kind == "u"), |kind| (kind, true));
        let count = count.parse().map_err(|_| Misfit)?;
        Ok(Self { count, kind, others, path: fields.next(), said: fields.collect() })
    }

    fn says(&self, what: &[u8]) -> Option<&'t [u8]> {
        self.said.iter().find_map(|said| said.strip_prefix(what))
    }

    fn foreign(&self) -> Option<ForeignEntry> {
        let owner = std::str::from_utf8(self.says(b"tu ")?).ok()?.parse().ok()?;
        Some(ForeignEntry { path: self.path?.to_vec(), owner })
    }

    /// Returns the difference at the path.
    fn difference(&self, odd: &Odd) -> Option<Difference> {
        let path = self.path?.to_vec();
        let node = |side: &[u8]| {
            let is_node = |said: &&&[u8]| said.strip_prefix(side).is_some_and(|said| b"dflo".contains(&said[0]));
            self.said.iter().find(is_node).and_then(|said| Node::read(&said[1..]))
        };
        let kind = match (node(b"m"), node(b"t")) {
            _ if self.says(b"tx").is_some() => DifferenceKind::TooDeep,
            (None, Some(_)) if self.says(b"ms").is_none() => DifferenceKind::Added,
            (None, _) => self.content()?,
            (Some(_), None) => DifferenceKind::Missing,
            (Some(Node::Directory(expected)), Some(Node::Directory(found))) => {
                DifferenceKind::Mode { directory: true, expected, found }
            }
            (Some(Node::File(_, expected)), Some(Node::File(_, found))) if expected != found => {
                DifferenceKind::Size { expected, found }
            }
            (Some(Node::File(expected, _)), Some(Node::File(found, _))) => {
                self.content().unwrap_or(DifferenceKind::Mode { directory: false, expected, found })
            }
            (Some(Node::Link(expected)), Some(Node::Link(found))) => DifferenceKind::Target {
                expected: if expected.is_empty() { odd.listed_text(&path)? } else { expected },
                found: if found.is_empty() { odd.text(&path)? } else { found },
            },
            (Some(expected), Some(found)) => {
                DifferenceKind::Kind { expected: expected.with_article(), found: found.with_article() }
            }
        };
        Some(Difference { path, kind })
    }

    /// Returns the difference in content; `None` where there is none.
    fn content(&self) -> Option<DifferenceKind> {
        self.says(b"ms")?;
        Some(if self.says(b"ts").is_some() { DifferenceKind::Content } else { DifferenceKind::Unreadable })
    }
}

/// An entry's state on one side: its mode, its size, and the text of a symlink if the line holds it.
enum Node {
    Directory(u32),
    File(u32, u64),
    Link(Vec<u8>),
    Other,
}

impl Node {
    fn read(said: &[u8]) -> Option<Self> {
        let (kind, rest) = said.split_at_checked(2)?;
        let mode = |text: &str| u32::from_str_radix(text, 8).ok();
        let text = || std::str::from_utf8(rest).ok();
        Some(match kind {
            b"d " => Self::Directory(mode(text()?)?),
            b"f " => {
                let (bits, size) = text()?.split_once(' ')?;
                Self::File(mode(bits)?, size.parse().ok()?)
            }
            b"l " => Self::Link(rest.to_vec()),
            _ => Self::Other,
        })
    }

    fn with_article(&self) -> &'static str {
        match self {
            Self::Directory(_) => Seen::Directory.with_article(),
            Self::File(..) => Seen::File { size: 0, digest: None }.with_article(),
            Self::Link(_) => Seen::Link { target: Vec::new() }.with_article(),
            Self::Other => Seen::Other.with_article(),
        }
    }
}

/// The parts of the manifest and of the tree that no line can hold.
struct Odd {
    manifest: Manifest,
    seen: Vec<Surveyed>,
    texts: HashMap<Vec<u8>, Vec<u8>>,
    /// Whether lines hold only ASCII.
    only_ascii: bool,
}

impl Odd {
    fn new(manifest: Manifest, seen: Vec<Surveyed>, only_ascii: bool) -> Self {
        let text = |entry: &Surveyed| match &entry.node {
            Seen::Link { target } => Some((entry.path.clone(), target.clone())),
            _ => None,
        };
        Self { texts: seen.iter().filter_map(text).collect(), manifest, seen, only_ascii }
    }

    /// Whether no line can hold this path.
    fn names(&self, path: &[u8]) -> bool {
        path.iter().any(|byte| byte.is_ascii_control() || *byte == b'\\' || (self.only_ascii && !byte.is_ascii()))
    }

    fn listed_text(&self, path: &[u8]) -> Option<Vec<u8>> {
        match &self.manifest.entry(path)?.node {
            ManifestNode::Link { target } => Some(target.clone()),
            _ => None,
        }
    }

    fn text(&self, path: &[u8]) -> Option<Vec<u8>> {
        self.texts.get(path).cloned()
    }
}
