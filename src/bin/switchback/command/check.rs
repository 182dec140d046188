//! `switchback check`.

use clap::Args;

use crate::args::Hosts;

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
    pub(crate) hosts: Hosts,
}
