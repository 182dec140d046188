//! `switchback activate`.

use clap::Args;
use switchback::{ReleaseName, TargetCheck};

use super::{Request, Why};
use crate::args::Hosts;

/// Switches every host to a release that is there already
///
/// A release on the recorded way back is refused: going there is a rollback. One that is not what it was when it was staged
/// is refused before any host is touched. Where `current` was removed and led to NAME last, it is only linked again.
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
    /// Accepts and records the data version that is found, where another was last known, or none is found any more
    #[arg(long)]
    accept_data: bool,
    /// Looks first whether the release is what it was: its types, modes and sizes, or every content too, or not at all
    /// [default: quick]
    #[arg(long, value_name = "quick|full|none")]
    verify: Option<TargetCheck>,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    pub(crate) hosts: Hosts,
}

impl Activate {
    pub(crate) fn request(&self) -> Request {
        let Self { name, allow_split, accept_data, verify, why, .. } = self;
        let (allow_split, accept_data) = (*allow_split, *accept_data);
        Request::Activate { name: name.clone(), allow_split, accept_data, verify: *verify, why: why.clone() }
    }
}
