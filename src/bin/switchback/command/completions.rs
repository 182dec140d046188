//! `switchback completions`.

use std::io;

use clap::{Args, CommandFactory};

use crate::{args::Cli, render};

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

pub(crate) fn print(completions: &Completions) -> io::Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(completions.shell, &mut Cli::command(), "switchback", &mut text);
    render::result(&String::from_utf8_lossy(&text))
}
