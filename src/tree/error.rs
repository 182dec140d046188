//! [`TreeError`]: why a source cannot be a release.

use std::io;

use thiserror::Error;

/// Why a source cannot be released, or can no longer be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TreeError {
    /// The visitor itself failed.
    #[error("the content could not be passed on")]
    Visit(#[source] io::Error),
}
