//! The command line: commands, flags and help texts.

use std::{fmt, process::ExitCode, str::FromStr};

use camino::Utf8PathBuf;
use clap::{ArgAction, Args, Parser, ValueEnum, error::ErrorKind as ClapKind};
use switchback::{
    Address, Error, ErrorKind, HostPath,
    config::{HostRange, HostRangeError},
};

use crate::{command::Command, exit, help, mistakes, render};

/// Deploy to one host or a fleet, locally or over SSH; roll back in seconds
#[derive(Debug, Parser)]
#[command(name = "switchback", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(flatten)]
    pub(crate) hosts: Hosts,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command, before or after its name
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Global {
    /// Read the configuration from FILE
    ///
    /// Without it: the file that the variable `SWITCHBACK_CONFIG` names, else switchback.toml here or in the nearest
    /// parent directory.
    #[arg(long, global = true, value_name = "FILE", env = "SWITCHBACK_CONFIG", hide_env = true)]
    pub(crate) config: Option<Utf8PathBuf>,
    /// Apply [env.ENV] of the configuration
    ///
    /// Its settings are laid over the others. Without it: the environment that the variable `SWITCHBACK_ENV` names.
    #[arg(short = 'e', long = "env", global = true, value_name = "ENV", env = "SWITCHBACK_ENV", hide_env = true)]
    pub(crate) environment: Option<String>,
    /// Use DIR as the deploy root on every host
    ///
    /// Without --config, no configuration file is read. The variable `SWITCHBACK_ROOT` stands for it only where no
    /// configuration is given or found.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) root: Option<HostPath>,
    /// List the hosts with COMMAND, not as configured
    ///
    /// Runs as `hosts_from` of the configuration does, and in its place: by `sh`, in the directory of the configuration,
    /// else in this one. It prints a host on each line, or JSON as `ansible-inventory --list` does.
    #[arg(long, global = true, value_name = "COMMAND", hide_short_help = true)]
    pub(crate) hosts_from: Option<String>,
    /// Print JSON Lines: events, then the report
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print what would be done, and change nothing
    ///
    /// The plan is computed by the code that a real run uses.
    #[arg(long, global = true)]
    pub(crate) dry_run: bool,
    /// Print only results and errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Print more: every host in every phase
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Accept directories and releases that untrusted users control
    ///
    /// Without it, deploy, stage, prune and check refuse a root if others may write to a directory on the path to it;
    /// rollback, activate and recover refuse a release that an untrusted user owns if commands would run in it. With
    /// it, both are warnings.
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) allow_writable: bool,
    /// Answer yes to every question
    #[arg(long, global = true)]
    pub(crate) yes: bool,
    /// Use colors: auto, always or never
    ///
    /// With auto, the default, colors are for terminals; the variables `NO_COLOR` and `CLICOLOR_FORCE` are obeyed.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_default_value = true)]
    #[arg(hide_possible_values = true)]
    pub(crate) color: Color,
}

impl Global {
    /// Refuses options that exclude each other. clap does not see those given on both sides of the command.
    pub(crate) fn expect_consistent(&self) -> Result<(), Error> {
        if self.quiet && self.verbose > 0 {
            return Err(excluding("--quiet", "--verbose"));
        }
        Ok(())
    }
}

/// The error of two options that exclude each other.
pub(crate) fn excluding(one: &str, other: &str) -> Error {
    Error::new(ErrorKind::Usage, format!("{one} and {other} cannot be used together"))
}

/// Parses a whole number of `LEAST` or more.
pub(crate) fn whole_number<const LEAST: u32>(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| *number >= LEAST);
    number.ok_or_else(|| format!("it must be a whole number from {LEAST} to {}", u32::MAX))
}

/// When to use colors
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On terminals
    #[default]
    Auto,
    /// Everywhere
    Always,
    /// Nowhere
    Never,
}

impl Color {
    /// Applies it to everything that is printed. The raw words count, since the parser prints errors and help, too.
    pub(crate) fn apply(words: impl Iterator<Item = String>) {
        let words: Vec<String> = words.take_while(|word| word != "--").collect();
        let joined = words.iter().filter_map(|word| word.strip_prefix("--color="));
        let apart = words.windows(2).filter(|pair| pair[0] == "--color").map(|pair| pair[1].as_str());
        let color = joined.chain(apart).last().and_then(|word| Self::from_str(word, false).ok()).unwrap_or_default();
        match color {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

/// Selection of hosts. Not clap's `global`: of a repeated flag given before and after the command, that keeps only one
/// side, and a host left out must stay out.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Host selection")]
pub(crate) struct Hosts {
    /// Run only on this host (repeatable)
    ///
    /// Given by name or address: [USER@]HOST[:PORT]. If the configuration lists hosts, it must be one of them; otherwise
    /// any address is accepted. `web[01-40]` stands for many, and so do `web[1-3,7]` and `web[0-10/2]`; quote it for
    /// your shell.
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Vec<HostArg>,
    /// Leave this host out (repeatable)
    ///
    /// The report shows it with the outcome `left`. Takes ranges as --host does.
    #[arg(long, value_name = "HOST", value_parser = no_list)]
    pub(crate) except: Vec<HostRange>,
}

/// The hosts of one `--host`: one, or those of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostArg {
    range: HostRange,
    addresses: Vec<Address>,
}

impl FromStr for HostArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let range: HostRange = text.parse().map_err(|error: HostRangeError| error.to_string())?;
        let addresses = range.addresses().map_err(|error| error.to_string())?;
        Ok(Self { range, addresses })
    }
}

impl fmt::Display for HostArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.range.fmt(f)
    }
}

/// Refuses a list: each host or range has a flag of its own.
fn no_list(text: &str) -> Result<HostRange, String> {
    let range: HostRange = text.parse().map_err(|error: HostRangeError| error.to_string())?;
    let is_list = range.hosts().iter().any(|host| host.contains(','));
    if is_list { Err("it is a list, and the option takes one host or range".to_owned()) } else { Ok(range) }
}

impl Hosts {
    /// Returns the addresses of the selected hosts, with those of ranges.
    pub(crate) fn addresses(&self) -> Vec<Address> {
        self.host.iter().flat_map(|host| host.addresses.iter().cloned()).collect()
    }

    /// Joins the hosts given before the command's name with those given after it.
    pub(crate) fn and(mut self, after: &Self) -> Self {
        self.host.extend_from_slice(&after.host);
        self.except.extend_from_slice(&after.except);
        self
    }
}

/// The examples of a command.
macro_rules! examples {
    ($($line:literal)+) => {
        concat!("Examples:\n", $("  ", $line, "\n",)+)
    };
}

/// Prints what is wrong with the command line, or the requested help or version, and returns the exit code.
pub(crate) fn refused(error: &clap::Error) -> ExitCode {
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    // Nothing was parsed, so `--json` is looked up in the raw arguments; after `--` it is no flag.
    let json = words.iter().take_while(|word| *word != "--").any(|word| word == "--json");
    if let Some(mistake) = mistakes::explain(error, &words) {
        render::error(None, &mistake, json);
        return exit::USAGE.into();
    }
    let help = matches!(error.kind(), ClapKind::DisplayHelp | ClapKind::DisplayHelpOnMissingArgumentOrSubcommand);
    let help = help.then(|| help::asked(std::env::args_os())).flatten();
    let error = help.as_ref().unwrap_or(error);
    if error.use_stderr() {
        render::message(&error.render().ansi().to_string());
    } else {
        // A reader that closes the pipe (`switchback --help | head`) has read enough: not an error.
        let _ = error.print();
    }
    if matches!(error.kind(), ClapKind::DisplayHelp | ClapKind::DisplayVersion) {
        return ExitCode::SUCCESS;
    }
    if json {
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

    /// With `--json` the events come first.
    #[test]
    fn examples_take_the_report_out_of_json_lines() {
        for command in Cli::command().get_subcommands() {
            let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in examples.lines().filter(|line| line.contains("jq ")) {
                assert!(line.contains("'select(.type==\"report\")"), "{line}");
            }
        }
    }

    #[test]
    fn hosts_before_and_after_the_command_are_joined() {
        let line = ["switchback", "--except", "a", "--host", "x", "status", "--except", "b", "--host", "y"];
        let cli = Cli::try_parse_from(line).expect("a command line");
        let crate::command::Place::Fleet(status) = cli.command.place() else { panic!("it is on hosts") };
        let hosts = cli.hosts.clone().and(status.hosts());
        assert_eq!(
            (hosts.except, hosts.host.len()),
            (vec!["a".parse().expect("a name"), "b".parse().expect("a name")], 2)
        );
    }
}
