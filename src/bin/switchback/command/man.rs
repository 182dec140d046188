//! `switchback man`.

use std::process::ExitCode;

use clap::{Args, CommandFactory};
use switchback::{Error, ErrorKind, config::did_you_mean};

use super::OnMachine;
use crate::{
    args::{Cli, Global, Hosts},
    render,
    run::printed,
};

/// Print the manual page of switchback or of one of its commands
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback man | man -l -"
    "switchback man deploy > /usr/local/share/man/man1/switchback-deploy.1"
))]
pub(crate) struct Man {
    /// Command to print the page of [default: switchback itself]
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

impl OnMachine for Man {
    fn run(&self, _: &str, _: &Global, _: &Hosts) -> Result<ExitCode, Error> {
        printed(render::result(&page(self)?)).map(|()| ExitCode::SUCCESS)
    }
}

/// Returns the manual page as roff.
fn page(man: &Man) -> Result<String, Error> {
    let mut all = Cli::command();
    all.build();
    let command = match &man.command {
        Some(name) => all.find_subcommand(name).cloned().ok_or_else(|| unknown(&all, name))?,
        None => all,
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut text)
        .map_err(|error| Error::new(ErrorKind::Internal, "cannot render the manual page").because(error))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn unknown(all: &clap::Command, name: &str) -> Error {
    let error = Error::new(ErrorKind::Usage, format!("there is no command {name:?}"));
    match did_you_mean(name, all.get_subcommands().map(clap::Command::get_name)) {
        Some(meant) => error.hint(format!("did you mean {meant}?")),
        None => error.hint("`switchback --help` lists them"),
    }
}
