//! `switchback releases`.

use clap::Args;

use crate::args::Hosts;

/// List every host's releases: state, size, age, who staged them
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback releases"
    "switchback -e staging releases --host web1"
))]
pub(crate) struct Releases {
    #[command(flatten)]
    pub(crate) hosts: Hosts,
}
