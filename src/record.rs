//! The `previousVersion` record: the release that was current before a release became current.
//!
//! It is one plain line that a person can read and act on with nothing but a shell: the absolute path of the previous
//! release, or the word `none`. Reading also accepts a path relative to the directory of the link and a bare release
//! name, so that a tree made by hand can be rolled back. Everything else is rejected: an empty file is what a crash
//! leaves, and never means `none`.

use thiserror::Error;

use crate::{
    limits,
    name::ReleaseName,
    path::{HostPath, InnerPath},
};

/// The file in a release directory that holds the record.
pub(crate) const RECORD_FILE: &str = "previousVersion";

/// The release that was current before another became current.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PreviousVersion {
    /// None: the release was the first.
    None,
    /// This release.
    Release(ReleaseName),
}

/// A parsed record, before the host is asked about its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reading {
    /// A release of this root, or `none`.
    Certain(PreviousVersion),
    /// An absolute path in another spelling; only the host can tell whether it is one of our releases.
    Spelled(HostPath),
}

impl PreviousVersion {
    /// Parses the record of the release `own`, in the releases directory `releases` of `root`.
    ///
    /// # Errors
    ///
    /// [`BadRecord`] gives the reason why the content is invalid, and shows it escaped.
    pub(crate) fn read(
        content: &[u8],
        own: &ReleaseName,
        root: &HostPath,
        releases: &InnerPath,
    ) -> Result<Reading, BadRecord> {
        let text = one_line(content)?;
        if text == "none" {
            return Ok(Reading::Certain(Self::None));
        }
        if text.split('/').any(|part| part == "..") {
            return Err(BadRecord::Outside { text: text.to_owned() });
        }
        let outside = |_| BadRecord::Outside { text: text.to_owned() };
        let name = if text.starts_with('/') {
            let path = HostPath::new(text).map_err(|_| BadRecord::Outside { text: text.to_owned() })?;
            let Some(name) = child_of(&path, &root.join(releases)) else {
                return Ok(Reading::Spelled(path));
            };
            ReleaseName::new(name).map_err(outside)?
        } else {
            let relative =
                HostPath::new(&format!("/{text}")).map_err(|_| BadRecord::Outside { text: text.to_owned() })?;
            let inside = child_of(&relative, &HostPath::root().join(releases));
            let bare = child_of(&relative, &HostPath::root());
            let name = inside.or(bare).ok_or_else(|| BadRecord::Outside { text: text.to_owned() })?;
            ReleaseName::new(name).map_err(outside)?
        };
        if name == *own {
            return Err(BadRecord::Itself);
        }
        Ok(Reading::Certain(Self::Release(name)))
    }

    /// Formats the record as one line, with its line end.
    ///
    /// A root whose path contains control characters (a line break, say) does not fit into one line, so the record then
    /// holds the bare name, which reading accepts as well.
    #[must_use]
    pub(crate) fn line(&self, root: &HostPath, releases: &InnerPath) -> String {
        match self {
            Self::None => "none\n".to_owned(),
            Self::Release(name) if root.as_str().contains(char::is_control) => format!("{name}\n"),
            Self::Release(name) => format!("{}\n", root.join(releases).join(&name.into()).as_str()),
        }
    }

    /// Returns the release it names; `None` if the release was the first.
    #[must_use]
    pub fn release(&self) -> Option<&ReleaseName> {
        match self {
            Self::None => None,
            Self::Release(name) => Some(name),
        }
    }
}

/// Returns the single line of `content`, without its line end.
fn one_line(content: &[u8]) -> Result<&str, BadRecord> {
    let shown = || content.escape_ascii().to_string();
    if content.is_empty() {
        return Err(BadRecord::Empty);
    }
    if content.len() as u64 > limits::RECORD {
        return Err(BadRecord::TooLong);
    }
    let line = content.strip_suffix(b"\n").unwrap_or(content);
    if line.contains(&b'\n') {
        return Err(BadRecord::Lines { shown: shown() });
    }
    let text = std::str::from_utf8(line).map_err(|_| BadRecord::Characters { shown: shown() })?;
    if text.chars().any(|c| c.is_control() || c == '\u{feff}') || text.trim() != text || text.is_empty() {
        return Err(BadRecord::Characters { shown: shown() });
    }
    Ok(text)
}

/// Returns the name of `path` if it lies directly in `directory`.
fn child_of<'p>(path: &'p HostPath, directory: &HostPath) -> Option<&'p str> {
    let parent = path.as_path().parent()?;
    (parent == directory.as_path()).then(|| path.as_path().file_name()).flatten()
}

/// The reason why a record is invalid. Its release can only be rolled back from with `--to`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BadRecord {
    /// There is no such file.
    #[error("previousVersion is missing")]
    Missing,
    /// The file is empty, as after a crash; that never means `none`.
    #[error("previousVersion is empty, probably from a crash; that does not mean `none`")]
    Empty,
    /// The file is longer than 4096 bytes.
    #[error("previousVersion is longer than {} bytes", limits::RECORD)]
    TooLong,
    /// The file has more than one line.
    #[error("previousVersion has more than one line: \"{shown}\"")]
    Lines {
        /// The content, escaped.
        shown: String,
    },
    /// The line contains control characters, a carriage return, a byte order mark or invalid UTF-8, or has spaces at
    /// an end.
    #[error("previousVersion has characters that no path has: \"{shown}\"")]
    Characters {
        /// The content, escaped.
        shown: String,
    },
    /// The path is outside the releases directory, or its name is not a release name.
    #[error("previousVersion names {text:?}, which is not a release in the releases directory")]
    Outside {
        /// The text of the record.
        text: String,
    },
    /// The record names its own release.
    #[error("previousVersion names its own release")]
    Itself,
    /// A symlink, directory, device or fifo has the name of the file.
    #[error("previousVersion is {kind}, not a plain file")]
    NotAFile {
        /// The kind of file.
        kind: String,
    },
    /// The file could not be read.
    #[error("previousVersion cannot be read: {reason}")]
    Unreadable {
        /// The host's error.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &[u8]) -> Result<Reading, BadRecord> {
        read_in("releases", content)
    }

    fn read_in(releases: &str, content: &[u8]) -> Result<Reading, BadRecord> {
        let own = "own".parse().expect("a name");
        let root = "/srv/shop".parse().expect("a path");
        PreviousVersion::read(content, &own, &root, &releases.parse().expect("an inner path"))
    }

    fn release(name: &str) -> Reading {
        Reading::Certain(PreviousVersion::Release(name.parse().expect("a name")))
    }

    /// Parses every valid form of a record. FAULTS.md V03, V04, V08.
    #[test]
    fn every_reading_is_understood() {
        assert_eq!(read(b"none\n"), Ok(Reading::Certain(PreviousVersion::None)));
        assert_eq!(read(b"none"), Ok(Reading::Certain(PreviousVersion::None)));
        for text in [
            "/srv/shop/releases/a\n",
            "/srv/shop/releases/a",
            "/srv//shop/releases/./a/\n",
            "releases/a",
            "./releases/a\n",
            "a\n",
            "a",
        ] {
            assert_eq!(read(text.as_bytes()), Ok(release("a")), "{text:?}");
        }
        for text in ["/srv/shop/a\n", "a", "./a"] {
            assert_eq!(read_in(".", text.as_bytes()), Ok(release("a")), "{text:?}");
        }
        assert_eq!(
            read(b"/data/shop/releases/a\n"),
            Ok(Reading::Spelled("/data/shop/releases/a".parse().expect("a path")))
        );
    }

    /// Rejects every other content. FAULTS.md V02, V05, V06, V07, V09, V11, V16, V17.
    #[test]
    fn everything_else_is_refused() {
        assert_eq!(read(b""), Err(BadRecord::Empty));
        assert_eq!(read(b"own\n"), Err(BadRecord::Itself));
        assert_eq!(read(b"/srv/shop/releases/own"), Err(BadRecord::Itself));
        assert_eq!(read(&vec![b'a'; 4097]), Err(BadRecord::TooLong));
        for lines in ["a\nb\n", "a\n\n", "\n\n", "\na\n"] {
            assert!(matches!(read(lines.as_bytes()), Err(BadRecord::Lines { .. })), "{lines:?}");
        }
        for bad in
            [&b"\n"[..], b"a\r\n", b" a\n", b"a \n", b"\xef\xbb\xbfa\n", b"a\0\n", b"\xff\n", b"\x1b[31ma\n", b"a\tb"]
        {
            assert!(matches!(read(bad), Err(BadRecord::Characters { .. })), "{}", bad.escape_ascii());
        }
        for outside in [
            "..",
            ".",
            "../../etc",
            "x/../../y",
            "/srv/shop/releases/../x",
            "a/b",
            "releases/a/b",
            "/srv/shop/releases/-rf",
            "-rf",
            "releases",
        ] {
            assert!(
                matches!(read(outside.as_bytes()), Err(BadRecord::Outside { .. })),
                "{outside:?}: {:?}",
                read(outside.as_bytes())
            );
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for (root, releases) in [("/srv/shop", "releases"), ("/home", "."), ("/srv/two\nlines", "releases")] {
            let (root, releases) = (root.parse().expect("a path"), releases.parse().expect("an inner path"));
            let own = "own".parse().expect("a name");
            for record in [PreviousVersion::None, PreviousVersion::Release("a".parse().expect("a name"))] {
                let line = record.line(&root, &releases);
                assert_eq!(
                    PreviousVersion::read(line.as_bytes(), &own, &root, &releases),
                    Ok(Reading::Certain(record)),
                    "{line:?}"
                );
            }
        }
    }

    #[test]
    fn messages_show_the_content_escaped() {
        let message = read(b"a\x1b[31m\n").expect_err("an escape is no path").to_string();
        assert!(!message.contains('\x1b') && message.contains("\\x1b"), "{message}");
    }
}
