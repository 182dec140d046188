//! `switchback prune`.

use clap::Args;

use super::{Request, Why};
use crate::args::Hosts;

/// Removes old releases that nothing needs any more
///
/// Good releases are counted, the nearest on the way back first. The current one, the one that the next rollback goes to,
/// pinned ones, those that a process works in, and what the tool did not bring always stay. A deploy does the same at its
/// end when `keep` is configured.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback prune --dry-run"
    "switchback prune --keep 3"
    "switchback --root /srv/shop prune --keep 5 -m 'the disk is full'"
))]
pub(crate) struct Prune {
    /// How many good releases stay beside the current one [default: `keep` of the configuration]
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
