//! `switchback releases`.

use clap::Args;
use futures_util::future::LocalBoxFuture;
use switchback::report::Command as Reported;

use super::{Called, OnFleet};
use crate::{args::Hosts, call::Call};

/// List every host's releases: state, size, age, who staged them
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback releases"
    "switchback -e staging releases --host web1"
))]
pub(crate) struct Releases {
    #[command(flatten)]
    hosts: Hosts,
}

impl OnFleet for Releases {
    fn reported(&self) -> Reported {
        Reported::Releases
    }

    fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    fn changes(&self) -> bool {
        false
    }

    fn call<'a>(&'a self, call: &'a Call<'_>) -> LocalBoxFuture<'a, Called> {
        Box::pin(async move { Ok(call.fleet.releases(call.watched()).await) })
    }
}
