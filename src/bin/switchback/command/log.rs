//! `switchback log`.

use clap::Args;
use futures_util::future::LocalBoxFuture;
use switchback::report::Command as Reported;

use super::{Called, OnFleet};
use crate::{args::Hosts, call::Call};

/// Show what the commands of an operation printed
///
/// Each host keeps the output of the commands that ran there in its last 50 operations, up to 8 MiB for an operation.
/// Commands on the controller are not kept.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback log"
    "switchback log 4f3daded --host web2"
    "switchback log --json | jq 'select(.type==\"report\").hosts[].log.commands'"
))]
pub(crate) struct Log {
    /// Operation, or its first digits; `switchback history` lists them [default: the newest that ran commands]
    #[arg(value_name = "OPERATION")]
    operation: Option<String>,
    #[command(flatten)]
    hosts: Hosts,
}

impl OnFleet for Log {
    fn reported(&self) -> Reported {
        Reported::Log
    }

    fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    fn changes(&self) -> bool {
        false
    }

    fn call<'a>(&'a self, call: &'a Call<'_>) -> LocalBoxFuture<'a, Called> {
        Box::pin(async move { Ok(call.fleet.log(self.operation.as_deref(), call.watched()).await) })
    }
}
