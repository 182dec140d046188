//! `switchback unpin`.

use clap::Args;
use futures_util::future::LocalBoxFuture;
use switchback::{ReleaseName, report::Command as Reported};

use super::{Called, OnFleet, Why};
use crate::{args::Hosts, call::Call};

/// Unpin a release, so that it can be pruned again
///
/// The release is not removed now: the next `switchback prune`, or the next deploy, decides.
#[derive(Debug, Args)]
#[command(after_help = examples!("switchback unpin build-17"))]
pub(crate) struct Unpin {
    /// Release to unpin; `switchback releases` lists them
    #[arg(value_name = "NAME")]
    name: ReleaseName,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    hosts: Hosts,
}

impl OnFleet for Unpin {
    fn reported(&self) -> Reported {
        Reported::Unpin
    }

    fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    fn call<'a>(&'a self, call: &'a Call<'_>) -> LocalBoxFuture<'a, Called> {
        Box::pin(async move { Ok(call.fleet.unpin(&self.name, &call.options(&self.why), call.watched()).await) })
    }
}
