//! The command line: commands, flags and help texts.

use std::{ffi::OsStr, process::ExitCode};

use camino::Utf8PathBuf;
use clap::{ArgAction, Args, Parser, Subcommand, error::ErrorKind as ClapKind};
use switchback::{Address, Error, ErrorKind, HostPath};

use crate::{command, exit, render};

/// Deploys into release directories and goes back, in seconds, surely: one host or a fleet, locally or over SSH.
#[derive(Debug, Parser)]
#[command(name = "switchback", version, propagate_version = true, max_term_width = 100, after_help = EXIT_CODES)]
#[command(after_long_help = LONG_HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(flatten)]
    pub(crate) hosts: Hosts,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes, before or after its name.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "For every command")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Global {
    /// The configuration [default: switchback.toml, looked for here and upward]
    #[arg(long, global = true, value_name = "FILE", env = "SWITCHBACK_CONFIG", hide_env_values = true)]
    pub(crate) config: Option<Utf8PathBuf>,
    /// Lays the environment [env.ENV] of the configuration over the rest of it
    #[arg(
        short = 'e',
        long = "env",
        global = true,
        value_name = "ENV",
        env = "SWITCHBACK_ENV",
        hide_env_values = true
    )]
    pub(crate) environment: Option<String>,
    /// The deploy root on every host, whatever the configuration says. Without --config no configuration is looked for
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) root: Option<HostPath>,
    /// Prints JSON Lines to standard output: events, and last the report
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Prints what would be done, computed by the same code, and changes nothing
    #[arg(long, global = true)]
    pub(crate) dry_run: bool,
    /// Says nothing but results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Says more: every host in every phase
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Goes on though others may write to a directory on the way to a root, where going back never asks, or own a release
    /// that commands would run in
    #[arg(long, global = true)]
    pub(crate) allow_writable: bool,
    /// Answers every question with yes
    #[arg(long, global = true)]
    pub(crate) yes: bool,
}

/// Which hosts. Not clap's `global`: of a repeated flag given before and after the command, that keeps only one side,
/// and a host left out must stay out.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Which hosts")]
pub(crate) struct Hosts {
    /// Only this host: the name of a configured one, or a new one. May be repeated
    #[arg(long, value_name = "[USER@]HOST[:PORT]")]
    pub(crate) host: Vec<Address>,
    /// Leaves this host out, by name; the report says `left`. May be repeated
    #[arg(long, value_name = "HOST")]
    pub(crate) except: Vec<String>,
}

impl Hosts {
    /// Joins the hosts given before the command's name with those given after it.
    pub(crate) fn and(mut self, after: &Self) -> Self {
        self.host.extend_from_slice(&after.host);
        self.except.extend_from_slice(&after.except);
        self
    }
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Deploy(command::Deploy),
    Stage(command::Stage),
    Drill(command::Drill),
    Activate(command::Activate),
    Rollback(command::Rollback),
    Adopt(command::Adopt),
    Recover(command::Recover),
    Unlock(command::Unlock),
    Prune(command::Prune),
    Pin(command::Pin),
    Unpin(command::Unpin),
    Status(command::Status),
    Releases(command::Releases),
    History(command::History),
    Check(command::Check),
    Verify(command::Verify),
    Config(command::Config),
    Init(command::Init),
    Completions(command::Completions),
    Man(command::Man),
}

macro_rules! exit_codes {
    () => {
        "\
Exit codes:
  0    done, or nothing to do
  1    unexpected: a bug or a local fault
  2    the command line or the configuration is wrong; nothing was touched
  3    refused, or failed before the switch; every host is on the version it was on
  4    failed after the switch began, and everything was put back
  5    mixed or unknown: a person is needed; the report says which host is where
  6    locked by somebody else; try again, or --wait
  7    nothing to roll back to
  8    `status --check` found a difference, a drill did not hold, or `verify` found a release damaged
  130  interrupted (143 by SIGTERM, 129 by SIGHUP); what had begun was put back"
    };
}

/// The end of a command's help: examples and exit codes.
macro_rules! examples {
    ($($line:literal)+) => {
        concat!("Examples:\n", $("  ", $line, "\n",)+ "\n", exit_codes!())
    };
}

/// The exit codes, at the end of the short help.
const EXIT_CODES: &str = exit_codes!();

/// The exit codes and the first commands to run, at the end of the long help.
const LONG_HELP: &str = concat!(
    exit_codes!(),
    "

To begin:
  switchback init            writes a commented switchback.toml
  switchback check           asks every host whether a deploy would work
  switchback deploy ./dist   deploys it
  switchback rollback        goes back to the version before"
);

impl Command {
    /// Returns the command's name on the command line.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Deploy(_) => "deploy",
            Self::Stage(_) => "stage",
            Self::Drill(_) => "drill",
            Self::Activate(_) => "activate",
            Self::Rollback(_) => "rollback",
            Self::Adopt(_) => "adopt",
            Self::Recover(_) => "recover",
            Self::Unlock(_) => "unlock",
            Self::Prune(_) => "prune",
            Self::Pin(_) => "pin",
            Self::Unpin(_) => "unpin",
            Self::Status(_) => "status",
            Self::Releases(_) => "releases",
            Self::History(_) => "history",
            Self::Check(_) => "check",
            Self::Verify(_) => "verify",
            Self::Config(_) => "config",
            Self::Init(_) => "init",
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
        }
    }
}

/// Prints clap's error, or the requested help or version, and returns the exit code.
pub(crate) fn refused(error: &clap::Error) -> ExitCode {
    // A reader that closes the pipe (`switchback --help | head`) has read enough: not an error.
    let _ = error.print();
    if matches!(error.kind(), ClapKind::DisplayHelp | ClapKind::DisplayVersion) {
        return ExitCode::SUCCESS;
    }
    // Nothing was parsed, so `--json` is looked up in the raw arguments; after `--` it is no flag.
    let mut given = std::env::args_os().skip(1).take_while(|argument| argument != "--");
    if given.any(|argument| argument == OsStr::new("--json")) {
        let text = error.render().to_string();
        let message = text.trim().strip_prefix("error: ").unwrap_or(&text).trim();
        render::json::error(None, &Error::new(ErrorKind::Usage, message));
    }
    exit::USAGE.into()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn hosts_before_and_after_the_command_are_joined() {
        let line = ["switchback", "--except", "a", "--host", "x", "status", "--except", "b", "--host", "y"];
        let cli = Cli::try_parse_from(line).expect("a command line");
        let Command::Status(status) = &cli.command else { panic!("it is status") };
        let hosts = cli.hosts.clone().and(&status.hosts);
        assert_eq!((hosts.except, hosts.host.len()), (vec!["a".to_owned(), "b".to_owned()], 2));
    }
}
