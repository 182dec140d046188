//! `switchback verify`.

use clap::Args;
use switchback::ReleaseName;

use super::Request;
use crate::args::Hosts;

/// Compares a release with its manifest, and changes nothing
///
/// Types, modes, sizes and links are compared; with --full the content of every file too. Ends with 8 when something is
/// missing or changed, and names it. What was added is only told of.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback verify"
    "switchback verify build-16 --full"
))]
pub(crate) struct Verify {
    /// The release [default: the one that is current, on each host]
    #[arg(value_name = "NAME")]
    name: Option<ReleaseName>,
    /// Reads every file and compares its digest
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    pub(crate) hosts: Hosts,
}

impl Verify {
    pub(crate) fn request(&self) -> Request {
        Request::Verify { name: self.name.clone(), full: self.full }
    }
}
