//! `switchback releases`.

use clap::Args;

use crate::args::Hosts;

/// Shows the releases of every host: state, age, size, who staged them
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback releases"
    "switchback -e staging releases --host web1"
))]
pub(crate) struct Releases {
    #[command(flatten)]
    pub(crate) hosts: Hosts,
}
