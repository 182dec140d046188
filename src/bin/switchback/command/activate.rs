//! `switchback activate`.

use clap::Args;
use switchback::{ReleaseName, TargetCheck};

use super::{Request, Why};
use crate::args::Hosts;

/// Switch every host to a release that it already has
///
/// A release that is a recorded previous one is refused: use `switchback rollback`. A release that fails verification
/// is refused before any host is changed. If `current` was removed and last led to NAME, only the symlink is made
/// again.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback activate build-17 -m 'the load test is over'"
))]
pub(crate) struct Activate {
    /// Release to switch to; `switchback releases` lists them
    #[arg(value_name = "NAME")]
    name: ReleaseName,
    /// Proceed even if the hosts are on different releases
    #[arg(long)]
    allow_split: bool,
    /// Accept and record the data version that is found
    ///
    /// Without it, a version other than the last known one is a warning, and a missing version where one was known is
    /// refused.
    #[arg(long)]
    accept_data: bool,
    /// Verification of the release before the switch [default: as configured, else quick]
    ///
    /// `quick` compares types, modes, sizes and symlinks with the manifest, `full` also the content of every file;
    /// `none` compares nothing.
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
