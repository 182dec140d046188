//! `switchback verify`.

use clap::Args;
use futures_util::future::LocalBoxFuture;
use switchback::{ReleaseName, report::Command as Reported};

use super::{Called, OnFleet};
use crate::{args::Hosts, call::Call};

/// Compare a release with its manifest, and change nothing
///
/// Compares types, modes, sizes and symlinks; with --full the content of every file too. Exits with 8 if an entry is
/// missing or changed, and names it. Added entries are only reported.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback verify"
    "switchback verify build-16 --full"
))]
pub(crate) struct Verify {
    /// Release to verify [default: the current one of each host]
    #[arg(value_name = "NAME")]
    name: Option<ReleaseName>,
    /// Read every file and compare its digest
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    hosts: Hosts,
}

impl OnFleet for Verify {
    fn reported(&self) -> Reported {
        Reported::Verify
    }

    fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    fn changes(&self) -> bool {
        false
    }

    fn call<'a>(&'a self, call: &'a Call<'_>) -> LocalBoxFuture<'a, Called> {
        Box::pin(async move { Ok(call.fleet.verify(self.name.as_ref(), self.full, call.watched()).await) })
    }
}
