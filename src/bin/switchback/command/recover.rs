//! `switchback recover`.

use clap::Args;
use switchback::plan::Direction;

use super::{Request, Why};
use crate::args::Hosts;

/// Finishes or undoes what an interrupted run left
///
/// By default a deploy goes forward only when every host had switched, else back; a rollback goes forward. A `current` that
/// somebody removed is linked to the release that it led to last again. Where nothing was left, there is nothing to do.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback recover --dry-run"
    "switchback recover"
    "switchback recover --back -m 'the build machine died'"
))]
pub(crate) struct Recover {
    /// To where the interrupted run was going
    #[arg(long, conflicts_with = "back")]
    forward: bool,
    /// To where every host was before it
    #[arg(long)]
    back: bool,
    /// Leaves the data as it is, and recovers the code alone
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
