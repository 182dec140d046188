//! `switchback pin`.

use clap::Args;
use switchback::ReleaseName;

use super::{Request, Why};
use crate::args::Hosts;

/// Pin a release: exempt it from pruning on every host
///
/// `switchback releases` shows who pinned what. No pin is needed to keep the release that a rollback goes to.
#[derive(Debug, Args)]
#[command(after_help = examples!("switchback pin build-17 -m 'the last one with the old prices'"))]
pub(crate) struct Pin {
    /// Release to pin; `switchback releases` lists them
    #[arg(value_name = "NAME")]
    name: ReleaseName,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    pub(crate) hosts: Hosts,
}

impl Pin {
    pub(crate) fn request(&self) -> Request {
        Request::Pin { name: self.name.clone(), why: self.why.clone() }
    }
}
