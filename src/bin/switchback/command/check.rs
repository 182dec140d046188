//! `switchback check`.

use clap::Args;
use futures_util::future::LocalBoxFuture;
use switchback::report::Command as Reported;

use super::{Called, OnFleet, Why};
use crate::{args::Hosts, call::Call};

/// Check whether a host would refuse a deploy, and change nothing
///
/// Write permission, the variables of commands, shared paths and the data's host are checked by the code that a deploy
/// uses, with the same exit codes. `version` and the validation run in the current release; their results are shown,
/// but refuse nothing. A missing root is accepted: a deploy creates it.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback check"
    "switchback -e staging check --host web1"
))]
pub(crate) struct Check {
    #[command(flatten)]
    hosts: Hosts,
}

impl OnFleet for Check {
    fn reported(&self) -> Reported {
        Reported::Check
    }

    fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    fn changes(&self) -> bool {
        false
    }

    fn call<'a>(&'a self, call: &'a Call<'_>) -> LocalBoxFuture<'a, Called> {
        Box::pin(async move { Ok(call.fleet.check(&call.options(&Why::default()), call.watched()).await) })
    }
}
