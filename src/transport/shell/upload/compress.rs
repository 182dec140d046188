//! [`Compression`]: the choice of how an upload's stream is compressed.

use tokio::sync::mpsc::Receiver;

use crate::transport::{Base, Upload};

use super::chunk::NextChunk;

/// The compression of an upload's stream. Without the feature `compression` there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::transport::shell) enum Compression {
    /// No compression.
    #[default]
    Plain,
    /// The format of `gzip`.
    #[cfg(feature = "compression")]
    Gzip,
    /// The format of `zstd`.
    #[cfg(feature = "compression")]
    Zstd,
}

/// The size in bytes below which a stream is sent plain: sending it takes less time than starting a program.
const WORTH: u64 = 64 << 10;

/// The approximate bytes that an entry or a line of a list takes in a stream, and that a copied file takes in
/// the edits of the lists.
const ENTRY: u64 = 512;
const COPIED: u64 = 16;

impl Compression {
    /// Returns the best compression that this build and a host with these programs support.
    #[cfg(feature = "compression")]
    pub(in crate::transport::shell) fn best(programs: &[String]) -> Self {
        let has = |name: &str| programs.iter().any(|program| program == name);
        if has("zstd") {
            Self::Zstd
        } else if has("gzip") || has("gunzip") {
            Self::Gzip
        } else {
            Self::Plain
        }
    }

    #[cfg(not(feature = "compression"))]
    pub(in crate::transport::shell) fn best(_: &[String]) -> Self {
        Self::Plain
    }

    /// Returns the same compression, or none where there is little to send.
    pub(super) fn of(self, upload: &Upload) -> Self {
        let (files, bytes) = upload.base.as_ref().map_or((0, 0), Base::size);
        let entries = (upload.tree.entries().len() as u64).saturating_sub(files) * ENTRY + files * COPIED;
        if upload.tree.bytes().saturating_sub(bytes) + entries < WORTH { Self::Plain } else { self }
    }

    /// Returns its word in the script.
    pub(in crate::transport::shell) fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            #[cfg(feature = "compression")]
            Self::Gzip => "gzip",
            #[cfg(feature = "compression")]
            Self::Zstd => "zstd",
        }
    }

    /// Compresses the stream of `chunks` as fast as it is taken.
    pub(super) fn apply(self, chunks: Receiver<NextChunk>) -> Receiver<NextChunk> {
        match self {
            Self::Plain => chunks,
            #[cfg(feature = "compression")]
            Self::Gzip => super::encode::apply(super::encode::gzip, chunks),
            #[cfg(feature = "compression")]
            Self::Zstd => super::encode::apply(super::encode::zstd, chunks),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_asked_only_for_what_it_and_this_build_have() {
        let best = |programs: &[&str]| Compression::best(&programs.iter().map(ToString::to_string).collect::<Vec<_>>());
        let built = |word| if cfg!(feature = "compression") { word } else { "plain" };
        assert_eq!(best(&["gzip", "zstd"]).word(), built("zstd"));
        assert_eq!(best(&["gunzip"]).word(), built("gzip"));
        assert_eq!(best(&["cp"]).word(), "plain");
    }
}
