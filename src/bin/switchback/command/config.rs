//! `switchback config`.

use std::io;

use clap::Args;

use crate::{args::Hosts, render, target::Target};

/// Print the effective configuration
///
/// The environment and the command line are applied to it.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback -e staging config"
    "switchback config --json"
))]
pub(crate) struct Config {
    #[command(flatten)]
    pub(crate) hosts: Hosts,
}

/// Prints the configuration as TOML that switchback can read again, or as one JSON object.
pub(crate) fn print(target: &Target, json: bool) -> io::Result<()> {
    if json {
        render::json::line(&serde_json::json!({ "type": "config", "config": target.config }))
    } else {
        render::result(&target.config.to_toml())
    }
}
