//! `switchback check`.

use clap::Args;

use crate::args::Hosts;

/// Asks every host everything a deploy would need, and changes nothing
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback check"
    "switchback -e staging check --host web1"
))]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) hosts: Hosts,
}
