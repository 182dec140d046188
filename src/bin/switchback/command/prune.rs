//! `switchback prune`.

use clap::Args;

use super::{Request, Why};
use crate::args::Hosts;

/// Remove old releases that nothing needs any more
///
/// Keeps N good releases, the nearest previous ones first. The current release, the target of the next rollback, pinned
/// releases, releases in use by a process, and anything that switchback did not create always stay. If `keep` is
/// configured, deploy and activate prune at their end in the same way.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback prune --dry-run"
    "switchback prune --keep 3"
    "switchback --root /srv/shop prune --keep 5 -m 'the disk is full'"
))]
pub(crate) struct Prune {
    /// Number of good releases to keep besides the current one [default: `keep` in the configuration]
    #[arg(long, value_name = "N")]
    keep: Option<u32>,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    pub(crate) hosts: Hosts,
}

impl Prune {
    pub(crate) fn request(&self) -> Request {
        Request::Prune { keep: self.keep, why: self.why.clone() }
    }
}
