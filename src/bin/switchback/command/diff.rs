//! `switchback diff`.

use clap::Args;
use futures_util::future::LocalBoxFuture;
use switchback::{ReleaseName, Report, report::Command as Reported};

use super::{Called, OnFleet};
use crate::{args::Hosts, call::Call};

/// List the files that differ between two releases
///
/// Compares their manifests: added and removed entries, and those with another content, mode, type or target. Hosts
/// that agree share a list. Uploads nothing and takes no lock.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback diff build-16 build-17"
    "switchback diff build-16 build-17 --stat"
))]
pub(crate) struct Diff {
    /// First release; `switchback releases` lists them
    #[arg(value_name = "A")]
    from: ReleaseName,
    /// Second release
    #[arg(value_name = "B")]
    to: ReleaseName,
    /// Print only how many entries differ, and the sizes
    #[arg(long)]
    stat: bool,
    #[command(flatten)]
    hosts: Hosts,
}

impl OnFleet for Diff {
    fn reported(&self) -> Reported {
        Reported::Diff
    }

    fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    fn changes(&self) -> bool {
        false
    }

    fn settle(&self, mut report: Report) -> Report {
        if self.stat {
            report.hosts.iter_mut().filter_map(|host| host.diff.as_mut()).for_each(|diff| diff.entries.clear());
        }
        report
    }

    fn call<'a>(&'a self, call: &'a Call<'_>) -> LocalBoxFuture<'a, Called> {
        Box::pin(async move { Ok(call.fleet.diff(&self.from, &self.to, call.watched()).await) })
    }
}
