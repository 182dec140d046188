//! `switchback verify`.

use clap::Args;
use switchback::ReleaseName;

use super::Request;
use crate::args::Hosts;

/// Compare a release with its manifest, and change nothing
///
/// Compares types, modes, sizes and symlinks; with --full the content of every file too. Exits with 8 if an entry is
/// missing or changed, and names it. Added entries are only reported.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback verify"
    "switchback verify build-16 --full"
))]
pub(crate) struct Verify {
    /// Release to verify [default: the current one of each host]
    #[arg(value_name = "NAME")]
    name: Option<ReleaseName>,
    /// Read every file and compare its digest
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
