//! `switchback activate`.

use clap::Args;
use switchback::ReleaseName;

use super::{Request, Why};
use crate::args::Hosts;

/// Switches every host to a release that is there already
///
/// A release on the recorded way back is refused: going there is a rollback.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback activate build-17 -m 'the load test is over'"
))]
pub(crate) struct Activate {
    /// The release; `switchback releases` shows what there is
    #[arg(value_name = "NAME")]
    name: ReleaseName,
    /// Goes on although the hosts are on different releases
    #[arg(long)]
    allow_split: bool,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    pub(crate) hosts: Hosts,
}

impl Activate {
    /// What it asks of the fleet.
    pub(crate) fn request(&self) -> Request {
        Request::Activate { name: self.name.clone(), allow_split: self.allow_split, why: self.why.clone() }
    }
}
