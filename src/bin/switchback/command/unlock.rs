//! `switchback unlock`.

use clap::Args;
use futures_util::future::LocalBoxFuture;
use switchback::report::Command as Reported;

use super::{Called, OnFleet, Why};
use crate::{args::Hosts, call::Call};

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
    force: bool,
    #[command(flatten)]
    hosts: Hosts,
}

impl OnFleet for Unlock {
    fn reported(&self) -> Reported {
        Reported::Unlock
    }

    fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    fn call<'a>(&'a self, call: &'a Call<'_>) -> LocalBoxFuture<'a, Called> {
        Box::pin(async move { Ok(call.fleet.unlock(self.force, &call.options(&Why::default()), call.watched()).await) })
    }
}
