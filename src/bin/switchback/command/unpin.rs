//! `switchback unpin`.

use clap::Args;
use switchback::ReleaseName;

use super::{Request, Why};
use crate::args::Hosts;

/// Unpin a release, so that it can be pruned again
///
/// The release is not removed now: the next `switchback prune`, or the next deploy, decides.
#[derive(Debug, Args)]
#[command(after_help = examples!("switchback unpin build-17"))]
pub(crate) struct Unpin {
    /// Release to unpin; `switchback releases` lists them
    #[arg(value_name = "NAME")]
    name: ReleaseName,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    pub(crate) hosts: Hosts,
}

impl Unpin {
    pub(crate) fn request(&self) -> Request {
        Request::Unpin { name: self.name.clone(), why: self.why.clone() }
    }
}
