//! `switchback pin`.

use clap::Args;
use switchback::ReleaseName;

use super::{Request, Why};
use crate::args::Hosts;

/// Keeps a release on every host, however many newer ones there are
///
/// `switchback releases` shows who pinned what. Deploying does not need it: what a rollback goes to always stays.
#[derive(Debug, Args)]
#[command(after_help = examples!("switchback pin build-17 -m 'the last one with the old prices'"))]
pub(crate) struct Pin {
    /// The release; `switchback releases` shows what there is
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
