//! `switchback config`.

use std::process::ExitCode;

use clap::Args;
use switchback::{Error, config::SCHEMA};

use super::OnMachine;
use crate::{
    args::{Global, Hosts, excluding},
    render,
    run::printed,
    target,
};

/// Print the effective configuration
///
/// The environment and the command line are applied to it.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback -e staging config"
    "switchback config --schema > .switchback.schema.json"
    "switchback config --json"
))]
pub(crate) struct Config {
    #[command(flatten)]
    hosts: Hosts,
    /// Print the JSON Schema of switchback.toml instead, and read no configuration
    ///
    /// Editors with taplo, such as Even Better TOML, complete the keys of a file whose first line names it:
    /// `#:schema ./.switchback.schema.json`.
    #[arg(long)]
    schema: bool,
}

impl OnMachine for Config {
    /// Prints the configuration as TOML that switchback can read again, or as one JSON object.
    fn run(&self, name: &str, global: &Global, hosts: &Hosts) -> Result<ExitCode, Error> {
        if self.schema && global.json {
            return Err(excluding("--schema", "--json"));
        }
        if self.schema {
            return printed(render::result(SCHEMA)).map(|()| ExitCode::SUCCESS);
        }
        let config = target::find(global, &hosts.clone().and(&self.hosts))?.config;
        let shown = if global.json {
            render::json::line(&serde_json::json!({ "type": "config", "config": config }))
        } else {
            render::result(&config.to_toml())
        };
        printed(shown)?;
        render::done(name, global, None)
    }
}
