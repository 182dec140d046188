//! `switchback completions`.

use std::process::ExitCode;

use clap::{Args, CommandFactory};
use switchback::Error;

use super::OnMachine;
use crate::{
    args::{Cli, Global, Hosts},
    render,
    run::printed,
};

/// Print the completions for a shell
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback completions bash > ~/.local/share/bash-completion/completions/switchback"
    "switchback completions fish > ~/.config/fish/completions/switchback.fish"
))]
pub(crate) struct Completions {
    /// Shell to print completions for
    #[arg(value_name = "SHELL")]
    shell: clap_complete::Shell,
}

impl OnMachine for Completions {
    fn run(&self, _: &str, _: &Global, _: &Hosts) -> Result<ExitCode, Error> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "switchback", &mut text);
        printed(render::result(&String::from_utf8_lossy(&text))).map(|()| ExitCode::SUCCESS)
    }
}
