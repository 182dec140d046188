//! `switchback unlock`.

use clap::Args;

use super::Request;
use crate::args::Hosts;

/// Show who holds the lock, and remove the lock of a dead holder
///
/// Every command that needs the lock takes it over from a holder that is proven dead. What the holder had begun is kept
/// for `switchback recover`.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback unlock"
    "switchback unlock --force --host web3"
))]
pub(crate) struct Unlock {
    /// Remove the lock even if its holder may be alive; the holder can then change nothing more
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) hosts: Hosts,
}

impl Unlock {
    pub(crate) fn request(&self) -> Request {
        Request::Unlock { force: self.force }
    }
}
