//! The help: with `-h` on one screen, with `--help` everything. The manual pages show the same.

use clap::{Arg, Command, CommandFactory};

use crate::args::Cli;

/// What each exit code means.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    done, or nothing to do
  1    unexpected: a bug or a fault of this machine
  2    wrong command line or configuration; nothing was changed
  3    refused, or failed before the switch; every `current` is as it was
  4    failed after the switch began; everything was reverted
  5    mixed or unknown, a person is needed; the report says which host is where
  6    locked by someone else; try again, or use --wait
  7    nothing to roll back to
  8    `status --check` or `verify` found a problem, or a drill's proof failed
  130  interrupted (SIGTERM: 143, SIGHUP: 129); what had begun was reverted";

/// The first commands to run.
const EXAMPLES: &str = "\
Examples:
  switchback init            write a commented switchback.toml
  switchback check           check on every host that a deploy would work
  switchback deploy ./dist   deploy the directory dist
  switchback rollback        roll back to the previous release
  switchback status          show which release each host is on";

/// The section of the options that every command has.
const GLOBAL: &str = "Global options";

/// Returns the command line with its help.
pub(crate) fn command() -> Command {
    let mut cli = Cli::command();
    // Gives every command the global options.
    cli.build();
    let global: Vec<String> = cli.get_arguments().filter(|arg| is_listed(arg)).map(shown).collect();
    let global = format!("Global options, see `switchback -h`: {}", global.join(", "));
    cli.mut_args(|arg| arg.help_heading(GLOBAL))
        .mut_subcommands(|command| of_command(command, &global))
        .mut_subcommand("help", |help| help.hide(true))
        .after_help("Examples, exit codes and more: `switchback --help`")
        .after_long_help(format!("{EXAMPLES}\n\n{EXIT_CODES}"))
}

/// Moves what every command has out of the short help of one.
fn of_command(command: Command, global: &str) -> Command {
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    command
        .mut_args(|arg| if arg.is_global_set() { arg.hide_short_help(true) } else { arg })
        .after_help(format!("{examples}\n{global}\nMore, and the exit codes: `--help`"))
        .after_long_help(format!("{examples}\n{EXIT_CODES}"))
}

/// Whether an option is one of every command, and in the short help.
fn is_listed(arg: &Arg) -> bool {
    arg.is_global_set() && !arg.is_hide_short_help_set()
}

/// Returns the shortest way to write an option.
fn shown(arg: &Arg) -> String {
    match (arg.get_short(), arg.get_long()) {
        (Some(short), _) => format!("-{short}"),
        (None, long) => format!("--{}", long.unwrap_or_default()),
    }
}

/// Returns the help that these words ask for, as an error of the parser; `None` if they ask for none.
pub(crate) fn asked(words: impl IntoIterator<Item = std::ffi::OsString>) -> Option<clap::Error> {
    command().try_get_matches_from(words).err()
}
