//! `switchback history`.

use clap::Args;

use crate::args::Hosts;

/// Shows what was done on every host, newest first: when, by whom, from what to what
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback history"
    "switchback -e staging history --host web1"
))]
pub(crate) struct History {
    #[command(flatten)]
    pub(crate) hosts: Hosts,
}
