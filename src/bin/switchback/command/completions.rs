//! `switchback completions`.

use std::process::ExitCode;

use clap::Args;
use switchback::{Error, ErrorKind};

use super::OnMachine;
use crate::{
    args::{Global, Hosts},
    complete, render,
    run::printed,
};

/// Print the completions for a shell
///
/// They complete commands, flags, hosts, environments, files, and the releases and operations that the last commands
/// listed. The script asks the program itself, which never connects to a host for it, so it need not be printed again
/// for a new version.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback completions bash > ~/.local/share/bash-completion/completions/switchback"
    "switchback completions zsh > ~/.zfunc/_switchback      # with fpath+=~/.zfunc before compinit"
    "switchback completions fish > ~/.config/fish/completions/switchback.fish"
))]
pub(crate) struct Completions {
    /// Shell to print completions for
    #[arg(value_name = "SHELL")]
    shell: clap_complete::Shell,
}

impl OnMachine for Completions {
    fn run(&self, _: &str, _: &Global, _: &Hosts) -> Result<ExitCode, Error> {
        let text = complete::script(self.shell)
            .map_err(|error| Error::new(ErrorKind::Internal, "cannot write the completions").because(error))?;
        printed(render::result(&text)).map(|()| ExitCode::SUCCESS)
    }
}
