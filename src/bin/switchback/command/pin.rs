//! `switchback pin`.

use clap::Args;
use futures_util::future::LocalBoxFuture;
use switchback::{ReleaseName, report::Command as Reported};

use super::{Called, OnFleet, Why};
use crate::{args::Hosts, call::Call};

/// Pin a release: exempt it from pruning on every host
///
/// `switchback releases` shows who pinned what. No pin is needed to keep the release that a rollback goes to.
#[derive(Debug, Args)]
#[command(after_help = examples!("switchback pin build-17 -m 'the last one with the old prices'"))]
pub(crate) struct Pin {
    /// Release to pin; `switchback releases` lists them
    #[arg(value_name = "NAME")]
    name: ReleaseName,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    hosts: Hosts,
}

impl OnFleet for Pin {
    fn reported(&self) -> Reported {
        Reported::Pin
    }

    fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    fn call<'a>(&'a self, call: &'a Call<'_>) -> LocalBoxFuture<'a, Called> {
        Box::pin(async move { Ok(call.fleet.pin(&self.name, &call.options(&self.why), call.watched()).await) })
    }
}
