//! `switchback recover`.

use clap::Args;
use futures_util::future::LocalBoxFuture;
use switchback::{
    fleet::{Direction, RecoverOptions},
    report::Command as Reported,
};

use super::{Called, OnFleet, Why};
use crate::{args::Hosts, call::Call};

/// Finish or revert an interrupted run
///
/// By default a deploy is finished only if every host had switched, and reverted otherwise; a rollback is finished. A
/// `current` that somebody removed is linked again to the release that it last led to. Without an interrupted run or a
/// removed `current`, there is nothing to do.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback recover --dry-run"
    "switchback recover"
    "switchback recover --back -m 'the build machine died'"
))]
pub(crate) struct Recover {
    /// Finish the interrupted run on every host
    #[arg(long, conflicts_with = "back")]
    forward: bool,
    /// Revert the interrupted run: return every host to where it was before
    #[arg(long)]
    back: bool,
    /// Recover only the code; leave the data as it is
    #[arg(long)]
    keep_data: bool,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    hosts: Hosts,
}

impl OnFleet for Recover {
    fn reported(&self) -> Reported {
        Reported::Recover
    }

    fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    fn call<'a>(&'a self, call: &'a Call<'_>) -> LocalBoxFuture<'a, Called> {
        Box::pin(async move {
            let direction = match (self.forward, self.back) {
                (true, _) => Direction::Forward,
                (_, true) => Direction::Back,
                _ => Direction::Safest,
            };
            let options =
                RecoverOptions::new().direction(direction).run(call.options(&self.why)).keep_data(self.keep_data);
            Ok(call.fleet.recover(&options, call.watched()).await)
        })
    }
}
