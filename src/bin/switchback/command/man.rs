//! `switchback man`.

use std::{io, process::ExitCode};

use clap::Args;
use switchback::{Error, ErrorKind, config::did_you_mean};

use super::OnMachine;
use crate::{
    args::{Global, Hosts},
    help,
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

/// The variables that are no default of an option.
const VARIABLES: [(&str, &str); 4] = [
    (
        "SWITCHBACK_ROOT",
        "The default of --root, only where no configuration is given or found. Hooks see a variable of this name, with \
         the root of their host.",
    ),
    ("NO_COLOR", "If set, nothing is colored; --color always overrides it."),
    ("CLICOLOR_FORCE", "If set, colors are used where the output is no terminal, too."),
    ("XDG_CACHE_HOME", "The directory of the user's caches, instead of ~/.cache."),
];

/// The files of the program and of a root.
const FILES: [(&str, &str); 7] = [
    ("switchback.toml", "The configuration, here or in the nearest parent directory. `switchback init` writes one."),
    ("ROOT/current", "The symlink to the current release."),
    ("ROOT/releases/NAME/", "A release."),
    ("ROOT/releases/NAME/previousVersion", "The release that was current before it: one path, or the word none."),
    ("ROOT/shared/", "What outlives releases; each has symlinks to it."),
    ("ROOT/.switchback/", "The state of the program: the lock, the history, manifests, unfinished uploads."),
    ("~/.cache/switchback/", "Digests of sources, and names for completions. It can be removed at any time."),
];

/// Returns the manual page as roff.
fn page(man: &Man) -> Result<String, Error> {
    let all = help::command();
    let command = match &man.command {
        Some(name) => all.find_subcommand(name).cloned().ok_or_else(|| unknown(&all, name))?,
        None => all,
    };
    render(command).map_err(|error| Error::new(ErrorKind::Internal, "cannot render the manual page").because(error))
}

fn render(mut command: clap::Command) -> io::Result<String> {
    let help = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let environment = environment(&command);
    // Its text follows in sections with the customary names.
    command = command.after_help(None::<&str>).after_long_help(None::<&str>);
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    let files: String = FILES.iter().map(|(file, text)| entry("I", file, text)).collect();
    Ok(String::from_utf8_lossy(&page).into_owned() + &sections(&help) + &environment + ".SH FILES\n" + &files)
}

/// Returns the section on the variables of the environment.
fn environment(command: &clap::Command) -> String {
    let defaults = command.get_arguments().filter_map(|argument| {
        let (variable, option) = (argument.get_env()?.to_str()?, argument.get_long()?);
        Some(entry("B", variable, &format!("The default of --{option}.")))
    });
    let others = VARIABLES.iter().map(|(variable, text)| entry("B", variable, text));
    format!(".SH ENVIRONMENT\n{}", defaults.chain(others).collect::<String>())
}

/// Turns the end of a help text, paragraphs with a heading each, into sections.
fn sections(help: &str) -> String {
    let section = |paragraph: &str| {
        let (heading, lines) = paragraph.split_once(":\n")?;
        Some(match heading {
            "Exit codes" => format!(".SH \"EXIT STATUS\"\n{}", lines.lines().map(exit_code).collect::<String>()),
            _ => format!(".SH {}\n.nf\n{}\n.fi\n", heading.to_uppercase(), escaped(lines.trim_end())),
        })
    };
    help.split("\n\n").filter_map(section).collect()
}

fn exit_code(line: &str) -> String {
    let (code, meaning) = line.trim().split_once(' ').unwrap_or((line, ""));
    entry("B", code, meaning.trim())
}

/// Returns a term in a font and its explanation.
fn entry(font: &str, term: &str, text: &str) -> String {
    format!(".TP\n\\f{font}{}\\fR\n{}\n", escaped(term), escaped(text))
}

/// Escapes text for roff. No line of ours begins with a dot or a quote, which would be a request.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq").replace('~', "\\(ti").replace('`', "\\(ga")
}

fn unknown(all: &clap::Command, name: &str) -> Error {
    let error = Error::new(ErrorKind::Usage, format!("there is no command {name:?}"));
    match did_you_mean(name, all.get_subcommands().map(clap::Command::get_name)) {
        Some(meant) => error.hint(format!("did you mean {meant}?")),
        None => error.hint("`switchback --help` lists them"),
    }
}
