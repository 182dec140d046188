//! `switchback history`.

use clap::Args;
use futures_util::future::LocalBoxFuture;
use switchback::report::Command as Reported;

use super::{Called, OnFleet};
use crate::{
    args::{Hosts, whole_number},
    call::Call,
};

/// Show every host's operations, newest first
///
/// Shows when, by whom, and from which release to which.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback history"
    "switchback history --limit 0 --json"
    "switchback -e staging history --host web1"
))]
pub(crate) struct History {
    /// Number of operations to show for each host; 0 shows all
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50, value_parser = whole_number::<0>)]
    limit: u32,
    #[command(flatten)]
    hosts: Hosts,
}

impl OnFleet for History {
    fn reported(&self) -> Reported {
        Reported::History
    }

    fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    fn changes(&self) -> bool {
        false
    }

    fn call<'a>(&'a self, call: &'a Call<'_>) -> LocalBoxFuture<'a, Called> {
        Box::pin(async move {
            Ok(match self.limit {
                0 => call.fleet.history(call.watched()).await,
                newest => call.fleet.recent_history(newest as usize, call.watched()).await,
            })
        })
    }
}
