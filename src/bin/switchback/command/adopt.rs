//! `switchback adopt`.

use clap::Args;
use futures_util::future::LocalBoxFuture;
use switchback::{ErrorKind, Report, adoption::Tool, report::Command as Reported};

use super::{Called, OnFleet, Question, Why};
use crate::{args::Hosts, call::Call};

/// Adopt a release tree that another tool or a person made
///
/// The tools are Capistrano, Deployer, Ansistrano, Mina, Hapistrano and Trellis. The order of the releases is inferred
/// from the tool's log, or without a log from the releases' names, and recorded in the releases; those that the tool
/// marked as failed are marked bad. Nothing that belongs to the other tool is changed, and it still works afterwards. If
/// `current` is a plain directory, it becomes a release, and a symlink takes its place.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback adopt --dry-run"
    "switchback adopt"
    "switchback --root /srv/shop adopt --from capistrano -m 'we move'"
))]
pub(crate) struct Adopt {
    /// Tool that made the tree, if it cannot be detected: capistrano, deployer, ansistrano, mina, hapistrano, trellis, recipe (by hand) or directory
    #[arg(long, value_name = "TOOL")]
    from: Option<Tool>,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    hosts: Hosts,
}

impl OnFleet for Adopt {
    fn reported(&self) -> Reported {
        Reported::Adopt
    }

    fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    fn question(&self) -> Option<Question> {
        Some(question)
    }

    fn call<'a>(&'a self, call: &'a Call<'_>) -> LocalBoxFuture<'a, Called> {
        Box::pin(async move { Ok(call.fleet.adopt(self.from, &call.options(&self.why), call.watched()).await) })
    }
}

/// Returns the question to ask before moving a directory; `None` if `current` is a symlink on every host.
fn question(status: &Report) -> Option<String> {
    let is_no_link = |error: &switchback::report::Failure| error.kind == ErrorKind::NotOurs;
    let hosts: Vec<&str> = status
        .hosts
        .iter()
        .filter(|host| host.error.as_ref().is_some_and(is_no_link))
        .map(|host| host.host.as_str())
        .collect();
    (!hosts.is_empty()).then(|| {
        format!(
            "`current` is not a symlink on {}. The adoption moves the directory to a release and puts a symlink in its \
             place; where the two cannot be exchanged in one step, `current` is missing for an instant.",
            hosts.join(", ")
        )
    })
}
