//! `switchback recover`.

use clap::Args;
use switchback::plan::Direction;

use super::{Request, Why};
use crate::args::Hosts;

/// Finish or revert an interrupted run
///
/// By default a deploy is finished only if every host had switched, and reverted otherwise; a rollback is finished. A
/// `current` that somebody removed is linked again to the release that it last led to. Without an interrupted run or a
/// removed `current`, there is nothing to do.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback recover --dry-run"
    "switchback recover"
    "switchback recover --back -m 'the build machine died'"
))]
pub(crate) struct Recover {
    /// Finish the interrupted run on every host
    #[arg(long, conflicts_with = "back")]
    forward: bool,
    /// Revert the interrupted run: return every host to where it was before
    #[arg(long)]
    back: bool,
    /// Recover only the code; leave the data as it is
    #[arg(long)]
    keep_data: bool,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    pub(crate) hosts: Hosts,
}

impl Recover {
    pub(crate) fn request(&self) -> Request {
        let direction = match (self.forward, self.back) {
            (true, _) => Direction::Forward,
            (_, true) => Direction::Back,
            _ => Direction::Safest,
        };
        Request::Recover { direction, keep_data: self.keep_data, why: self.why.clone() }
    }
}
