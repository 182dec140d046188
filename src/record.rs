//! The `previousVersion` record: what was current before a release became current.
//!
//! It is one plain line that a person can read and act on with nothing but a shell: the absolute
//! path of the release that was current, or the word `none`. Reading also takes a path relative to
//! the link's directory and a bare release name, so that a tree made by hand can be rolled back.
//! Everything else is refused: an empty file is what a crash leaves, and never means `none`.

use thiserror::Error;

use crate::{
    name::ReleaseName,
    path::{HostPath, InnerPath},
};

/// The most that is ever read of a record, in bytes; a longer one is refused.
pub const RECORD_LIMIT: u64 = 4096;

/// The file in a release directory that holds the record.
pub const RECORD_FILE: &str = "previousVersion";

/// What was current before a release became current.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PreviousVersion {
    /// Nothing was: the release was the first.
    None,
    /// This release was.
    Release(ReleaseName),
}

/// What a record says, read without looking at the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// It names a release of this root, or says `none`.
    Certain(PreviousVersion),
    /// It is an absolute path in some other spelling; only the host can say whether it is one of our releases.
    Spelled(HostPath),
}

impl PreviousVersion {
    /// Reads the content of the record of the release `own`, whose root is `root` with its releases in `releases`.
    ///
    /// # Errors
    ///
    /// [`BadRecord`] says why the content means nothing, and shows it escaped.
    pub fn read(
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

    /// The record as it is written: one line, with its line end.
    ///
    /// A root that itself holds control characters (a line break, say) cannot stand in one line, so
    /// the record then holds the bare name, which is read back just as well.
    #[must_use]
    pub fn line(&self, root: &HostPath, releases: &InnerPath) -> String {
        match self {
            Self::None => "none\n".to_owned(),
            Self::Release(name) if root.as_str().contains(char::is_control) => format!("{name}\n"),
            Self::Release(name) => format!("{}\n", root.join(releases).join(&name.into()).as_str()),
        }
    }

    /// The release it names; `None` when nothing was current.
    #[must_use]
    pub fn release(&self) -> Option<&ReleaseName> {
        match self {
            Self::None => None,
            Self::Release(name) => Some(name),
        }
    }
}

/// The single line that `content` is, without its line end.
fn one_line(content: &[u8]) -> Result<&str, BadRecord> {
    let shown = || content.escape_ascii().to_string();
    if content.is_empty() {
        return Err(BadRecord::Empty);
    }
    if content.len() as u64 > RECORD_LIMIT {
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

/// The name of `path` when it lies directly in `directory`.
fn child_of<'p>(path: &'p HostPath, directory: &HostPath) -> Option<&'p str> {
    let parent = path.as_path().parent()?;
    (parent == directory.as_path()).then(|| path.as_path().file_name()).flatten()
}

/// Why a record means nothing. Its release cannot be rolled back from, but for `--to`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BadRecord {
    /// There is no such file.
    #[error("there is no previousVersion")]
    Missing,
    /// The file is empty, as a crash leaves it; that never means `none`.
    #[error("previousVersion is empty, as a crash leaves it; that does not mean `none`")]
    Empty,
    /// The file is longer than [`RECORD_LIMIT`].
    #[error("previousVersion is longer than {RECORD_LIMIT} bytes")]
    TooLong,
    /// More than one line.
    #[error("previousVersion holds more than one line: \"{shown}\"")]
    Lines {
        /// The content, escaped.
        shown: String,
    },
    /// Control characters, a carriage return, a byte order mark, spaces at an end, or no UTF-8.
    #[error("previousVersion holds characters that are in no path: \"{shown}\"")]
    Characters {
        /// The content, escaped.
        shown: String,
    },
    /// A path that leads out of the releases directory, or no release name.
    #[error("previousVersion names {text:?}, which is not a release in the releases directory")]
    Outside {
        /// What it names.
        text: String,
    },
    /// The release's own name.
    #[error("previousVersion names its own release")]
    Itself,
    /// A link, directory, device or fifo stands where the file should be.
    #[error("previousVersion is {kind}, not a plain file")]
    NotAFile {
        /// What stands there.
        kind: String,
    },
    /// The file could not be read.
    #[error("previousVersion cannot be read: {reason}")]
    Unreadable {
        /// What the host said.
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

    /// Every form that a record may have. FAULTS.md V03, V04, V08.
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

    /// Every content that is no record. FAULTS.md V02, V05, V06, V07, V09, V11, V16, V17.
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
