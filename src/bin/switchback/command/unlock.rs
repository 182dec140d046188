//! `switchback unlock`.

use clap::Args;

use super::Request;
use crate::args::Hosts;

/// Shows who holds the lock, and takes it away when the holder is gone
///
/// A lock whose holder is proven gone is taken over by any command by itself. What the holder had begun is kept for
/// `switchback recover`.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback unlock"
    "switchback unlock --force --host web3"
))]
pub(crate) struct Unlock {
    /// Takes the lock away also from a holder who may still run: it can change nothing any more then
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
