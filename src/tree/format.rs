//! [`Format`]: the supported archive formats.

use std::io::{self, BufRead};

use camino::Utf8Path;

/// An archive format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// `.tar`.
    Tar,
    /// `.tar.gz` and `.tgz`, of one or several members.
    Gzip,
    /// `.tar.zst`, of one or several frames.
    Zstandard,
}

impl Format {
    /// Returns the format by the name of an archive.
    pub(super) fn of_name(path: &Utf8Path) -> Option<Self> {
        const ENDS: &[(&str, Format)] = &[
            (".tar", Format::Tar),
            (".tar.gz", Format::Gzip),
            (".tgz", Format::Gzip),
            (".tar.zst", Format::Zstandard),
        ];
        let name = path.file_name()?.to_ascii_lowercase();
        ENDS.iter().find(|(end, _)| name.ends_with(end)).map(|(_, format)| *format)
    }

    /// Returns the format by the first bytes of an archive; `None` for a tar archive, which has no magic number
    /// there.
    pub(super) fn of_start(start: &[u8]) -> Option<Self> {
        match start {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            // A frame or a skippable frame.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstandard),
            _ => None,
        }
    }

    /// Returns the format in words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Tar => "plain tar",
            Self::Gzip => "gzip",
            Self::Zstandard => "Zstandard",
        }
    }

    /// Whether this build can read it.
    pub(super) fn is_built(self) -> bool {
        self == Self::Tar || cfg!(feature = "compression")
    }

    /// Returns the tar stream in `packed`.
    pub(super) fn unpack<'r>(self, packed: impl BufRead + 'r) -> io::Result<Box<dyn io::Read + 'r>> {
        Ok(match self {
            Self::Tar => Box::new(packed),
            #[cfg(feature = "compression")]
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
            #[cfg(feature = "compression")]
            Self::Zstandard => Box::new(zstd::Decoder::with_buffer(packed)?),
            #[cfg(not(feature = "compression"))]
            Self::Gzip | Self::Zstandard => return Err(io::ErrorKind::Unsupported.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_format() {
        for (name, format) in [
            ("a.tar", Some(Format::Tar)),
            ("/x.d/a.tar.gz", Some(Format::Gzip)),
            ("A.TGZ", Some(Format::Gzip)),
            ("a.tar.zst", Some(Format::Zstandard)),
            ("a.zip", None),
            ("a.gz", None),
            ("a.tar/b", None),
            ("tar", None),
        ] {
            assert_eq!(Format::of_name(name.into()), format, "{name}");
        }
    }

    #[test]
    fn first_bytes_tell_the_format() {
        assert_eq!(Format::of_start(&[0x1f, 0x8b, 8, 0]), Some(Format::Gzip));
        assert_eq!(Format::of_start(&[0x28, 0xb5, 0x2f, 0xfd]), Some(Format::Zstandard));
        assert_eq!(Format::of_start(&[0x5a, 0x2a, 0x4d, 0x18]), Some(Format::Zstandard));
        assert_eq!((Format::of_start(b"./a\0"), Format::of_start(b"")), (None, None));
    }
}
