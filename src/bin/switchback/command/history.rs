//! `switchback history`.

use clap::Args;

use super::Request;
use crate::args::Hosts;

/// Shows what was done on every host, newest first: when, by whom, from what to what
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback history"
    "switchback history --limit 0 --json"
    "switchback -e staging history --host web1"
))]
pub(crate) struct History {
    /// Shows so many operations of each host, the newest first; 0: all of them
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
