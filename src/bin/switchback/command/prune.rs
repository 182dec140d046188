//! `switchback prune`.

use clap::Args;
use futures_util::future::LocalBoxFuture;
use switchback::report::Command as Reported;

use super::{Called, OnFleet, Why};
use crate::{
    args::{Hosts, whole_number},
    call::Call,
};

/// Remove old releases that nothing needs any more
///
/// Keeps N good releases, the nearest previous ones first. The current release, the target of the next rollback, pinned
/// releases, releases in use by a process, and anything that switchback did not create always stay. If `keep` is
/// configured, deploy and activate prune at their end in the same way.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback prune --dry-run"
    "switchback prune --keep 3"
    "switchback --root /srv/shop prune --keep 5 -m 'the disk is full'"
))]
pub(crate) struct Prune {
    /// Number of good releases to keep besides the current one [default: `keep` in the configuration]
    #[arg(long, value_name = "N", value_parser = whole_number::<0>)]
    keep: Option<u32>,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    hosts: Hosts,
}

impl OnFleet for Prune {
    fn reported(&self) -> Reported {
        Reported::Prune
    }

    fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    fn call<'a>(&'a self, call: &'a Call<'_>) -> LocalBoxFuture<'a, Called> {
        Box::pin(async move { Ok(call.fleet.prune(self.keep, &call.options(&self.why), call.watched()).await) })
    }
}
