//! `switchback man`.

use std::{io, process::ExitCode};

use clap::{Args, CommandFactory};
use switchback::{Error, ErrorKind, config::did_you_mean};

use super::OnMachine;
use crate::{
    args::{Cli, Global, Hosts},
    render::result,
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
        printed(result(&page(self)?)).map(|()| ExitCode::SUCCESS)
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
    render(command).map_err(|error| Error::new(ErrorKind::Internal, "cannot render the manual page").because(error))
}

fn render(mut command: clap::Command) -> io::Result<String> {
    let help = command.get_after_long_help().or(command.get_after_help()).map(ToString::to_string).unwrap_or_default();
    let environment = environment(&command);
    // Its text follows in sections with the customary names.
    command = command.after_help(None::<&str>).after_long_help(None::<&str>);
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned() + &environment + &sections(&help))
}

/// Returns the section on the environment variables that stand for options.
fn environment(command: &clap::Command) -> String {
    let variables = command.get_arguments().filter_map(|argument| {
        let (variable, option) = (argument.get_env()?.to_str()?, argument.get_long()?);
        Some(format!(".TP\n\\fB{variable}\\fR\n{}\n", escaped(&format!("The default of --{option}."))))
    });
    let variables: String = variables.collect();
    if variables.is_empty() { variables } else { format!(".SH ENVIRONMENT\n{variables}") }
}

/// Turns the end of a help text, paragraphs with a heading each, into sections.
fn sections(help: &str) -> String {
    let section = |paragraph: &str| {
        let (heading, lines) = paragraph.split_once(":\n")?;
        Some(match heading {
            "Exit codes" => format!(".SH \"EXIT STATUS\"\n{}", lines.lines().map(exit_code).collect::<String>()),
            _ => format!(".SH \"{}\"\n.nf\n{}\n.fi\n", heading.to_uppercase(), escaped(lines)),
        })
    };
    help.split("\n\n").filter_map(section).collect()
}

fn exit_code(line: &str) -> String {
    let (code, meaning) = line.trim().split_once(' ').unwrap_or((line, ""));
    format!(".TP\n\\fB{code}\\fR\n{}\n", escaped(meaning.trim()))
}

/// Escapes text for roff. No line of ours begins with a dot or a quote, which would be a request.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq")
}

fn unknown(all: &clap::Command, name: &str) -> Error {
    let error = Error::new(ErrorKind::Usage, format!("there is no command {name:?}"));
    match did_you_mean(name, all.get_subcommands().map(clap::Command::get_name)) {
        Some(meant) => error.hint(format!("did you mean {meant}?")),
        None => error.hint("`switchback --help` lists them"),
    }
}
