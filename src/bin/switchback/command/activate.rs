//! `switchback activate`.

use clap::Args;
use futures_util::future::LocalBoxFuture;
use switchback::{ReleaseName, TargetCheck, fleet::ActivateOptions, report::Command as Reported};

use super::{Called, OnFleet, Why};
use crate::{args::Hosts, call::Call};

/// Switch every host to a release that it already has
///
/// A release that is a recorded previous one is refused: use `switchback rollback`. A release that fails verification
/// is refused before any host is changed. If `current` was removed and last led to NAME, only the symlink is made
/// again.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback activate build-17 -m 'the load test is over'"
    "switchback activate build-17 --from build-16"
))]
pub(crate) struct Activate {
    /// Release to switch to; `switchback releases` lists them
    #[arg(value_name = "NAME")]
    name: ReleaseName,
    /// Refuse to activate unless this release is current on every host
    ///
    /// Hosts that are already on NAME are accepted too. Keeps an older pipeline from overtaking a newer one.
    #[arg(long, value_name = "NAME")]
    from: Option<ReleaseName>,
    /// Proceed even if the hosts are on different releases
    #[arg(long)]
    allow_split: bool,
    /// Accept and record the data version that is found
    ///
    /// Without it, a version other than the last known one is a warning, and a missing version where one was known is
    /// refused.
    #[arg(long)]
    accept_data: bool,
    /// Verify the release before the switch: quick, full or none [default: as configured, else quick]
    ///
    /// `quick` compares types, modes, sizes and symlinks with the manifest, `full` also the content of every file;
    /// `none` compares nothing.
    #[arg(long, value_name = "LEVEL")]
    verify: Option<TargetCheck>,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    hosts: Hosts,
}

impl OnFleet for Activate {
    fn reported(&self) -> Reported {
        Reported::Activate
    }

    fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    fn call<'a>(&'a self, call: &'a Call<'_>) -> LocalBoxFuture<'a, Called> {
        Box::pin(async move {
            let options = ActivateOptions::new()
                .run(call.options(&self.why))
                .allow_split(self.allow_split)
                .from(self.from.clone())
                .accept_data(self.accept_data)
                .verify(self.verify);
            Ok(call.fleet.activate(&self.name, &options, call.watched()).await)
        })
    }
}
