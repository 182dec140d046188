//! `switchback history`.

use clap::Args;

use super::Request;
use crate::args::Hosts;

/// Show every host's operations, newest first
///
/// Shows when, by whom, and from which release to which.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback history"
    "switchback history --limit 0 --json"
    "switchback -e staging history --host web1"
))]
pub(crate) struct History {
    /// Number of operations to show for each host; 0 shows all
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) hosts: Hosts,
}

impl History {
    pub(crate) fn request(&self) -> Request {
        Request::History { newest: (self.limit > 0).then_some(self.limit) }
    }
}
