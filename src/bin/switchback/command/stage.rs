//! `switchback stage`.

use std::time::Duration;

use camino::Utf8PathBuf;
use clap::Args;
use futures_util::future::LocalBoxFuture;
use switchback::{ReleaseName, config::parse_duration, report::Command as Reported};

use super::{Called, OnFleet, Why};
use crate::{
    args::Hosts,
    call::{self, Call, Digests},
};

/// Upload a release to every host, without switching to it
///
/// Prints the release's name. A host that has the release with the same content keeps it as it is.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "name=$(switchback stage ./dist) && switchback activate \"$name\""
))]
pub(crate) struct Stage {
    /// Directory or archive (.tar, .tar.gz or .tar.zst) to upload
    #[arg(value_name = "SOURCE")]
    source: Utf8PathBuf,
    /// Name of the release: 1 to 128 letters, digits, `.`, `_`, `+`, `-` [default: UTC time and a random part]
    #[arg(long, value_name = "NAME")]
    name: Option<ReleaseName>,
    /// Proceed even if SOURCE contains no files
    #[arg(long)]
    allow_empty: bool,
    /// Wait up to DURATION, such as 30s or 5m, for a lock
    ///
    /// Without it, a lock held by someone else ends the command at once with exit code 6.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    wait: Option<Duration>,
    /// Skip hosts that cannot be reached
    #[arg(long)]
    skip_unreachable: bool,
    #[command(flatten)]
    hosts: Hosts,
}

impl OnFleet for Stage {
    fn reported(&self) -> Reported {
        Reported::Stage
    }

    fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    fn call<'a>(&'a self, call: &'a Call<'_>) -> LocalBoxFuture<'a, Called> {
        Box::pin(async move {
            let why = Why { reason: None, wait: self.wait, skip_unreachable: self.skip_unreachable };
            let mut options = call.options(&why).allow_empty(self.allow_empty);
            if let Some(revision) = call::built_from(&self.source) {
                options = options.revision(revision);
            }
            let release = call.release(&self.source, self.name.as_ref(), Digests::Cached).await?;
            Ok(call.fleet.stage(release, &options, call.watched()).await)
        })
    }
}
