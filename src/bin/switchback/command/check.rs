//! `switchback check`.

use clap::Args;

use crate::args::Hosts;

/// Asks every host everything that could refuse a deploy, and changes nothing
///
/// The right to write, the variables of the commands, what is shared and the data's host are asked by the code that a deploy asks
/// with, and refuse with the same exit code. `version` and the validation run in the current release, and their answers are shown;
/// neither refuses. A root that is not there yet would be made.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback check"
    "switchback -e staging check --host web1"
))]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) hosts: Hosts,
}
