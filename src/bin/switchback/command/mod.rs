//! The commands, one file each: arguments, and the one library function to call.
//!
//! A new command is a file here, with its arguments and its `OnFleet` or `OnMachine`, and two lines below.

mod activate;
mod adopt;
mod check;
mod completions;
mod config;
mod deploy;
mod diff;
mod drill;
mod history;
mod init;
mod log;
mod man;
mod pin;
mod prune;
mod recover;
mod releases;
mod rollback;
mod stage;
mod status;
mod unlock;
mod unpin;
mod verify;

use std::{process::ExitCode, time::Duration};

use clap::{Args, Subcommand};
use futures_util::future::LocalBoxFuture;
use switchback::{Error, Report, RunError, config::parse_duration, report::Command as Reported};

use crate::{
    args::{Global, Hosts},
    call::Call,
};

/// The result of a command, or the error of this machine that kept it from beginning.
pub(crate) type Called = Result<Result<Report, RunError>, Error>;

/// A command on the hosts: its arguments, and the library function that it calls.
pub(crate) trait OnFleet {
    /// Returns the command, as reports name it.
    fn reported(&self) -> Reported;

    /// Returns the hosts selected after the command's name.
    fn hosts(&self) -> &Hosts;

    /// Whether it changes the hosts, unless in a dry run. A signal ends any other command at once.
    fn changes(&self) -> bool {
        true
    }

    /// Returns the question to ask a person first, given the status of the hosts; `None` if there is nothing to ask.
    fn question(&self) -> Option<Question> {
        None
    }

    /// Calls the library.
    fn call<'a>(&'a self, call: &'a Call<'_>) -> LocalBoxFuture<'a, Called>;

    /// Settles the outcome from what the hosts reported.
    fn settle(&self, report: Report) -> Report {
        report
    }

    /// Refuses, before anything is done, a file that could not be written at the end. Makes none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`](switchback::ErrorKind::Usage) with the reason.
    fn check_files(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Writes the files that were asked for, after the report was printed. A dry run writes none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`](switchback::ErrorKind::Internal) if a file cannot be written.
    fn write_files(&self, _: &Report) -> Result<(), Error> {
        Ok(())
    }
}

/// Returns the question that the status of the hosts raises.
pub(crate) type Question = fn(&Report) -> Option<String>;

/// A command on this machine alone.
pub(crate) trait OnMachine {
    /// Does the work, and prints its result.
    fn run(&self, name: &str, global: &Global, hosts: &Hosts) -> Result<ExitCode, Error>;
}

/// Where a command works.
pub(crate) enum Place<'a> {
    Fleet(&'a dyn OnFleet),
    Machine(&'a dyn OnMachine),
}

/// Defines the commands, in the order of the help; each is named after its module.
macro_rules! commands {
    ($($place:ident: $module:ident::$Command:ident,)+) => {
        /// The command to run
        #[derive(Debug, Subcommand)]
        pub(crate) enum Command {
            $($Command($module::$Command),)+
        }

        impl Command {
            /// Returns the command's name on the command line.
            pub(crate) fn name(&self) -> &'static str {
                match self {
                    $(Self::$Command(_) => stringify!($module),)+
                }
            }

            /// Returns the place where the command works.
            pub(crate) fn place(&self) -> Place<'_> {
                match self {
                    $(Self::$Command(command) => Place::$place(command),)+
                }
            }
        }
    };
}

commands! {
    Fleet: deploy::Deploy,
    Fleet: stage::Stage,
    Fleet: drill::Drill,
    Fleet: activate::Activate,
    Fleet: rollback::Rollback,
    Fleet: adopt::Adopt,
    Fleet: recover::Recover,
    Fleet: unlock::Unlock,
    Fleet: prune::Prune,
    Fleet: pin::Pin,
    Fleet: unpin::Unpin,
    Fleet: status::Status,
    Fleet: releases::Releases,
    Fleet: history::History,
    Fleet: log::Log,
    Fleet: check::Check,
    Fleet: verify::Verify,
    Fleet: diff::Diff,
    Machine: config::Config,
    Machine: init::Init,
    Machine: completions::Completions,
    Machine: man::Man,
}

/// Options of commands that change releases
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub(crate) struct Why {
    /// Reason to record in the hosts' history
    #[arg(short = 'm', long = "reason", value_name = "REASON")]
    pub(crate) reason: Option<String>,
    /// Wait up to DURATION, such as 30s or 5m, for a lock
    ///
    /// Without it, a lock held by someone else ends the command at once with exit code 6.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) wait: Option<Duration>,
    /// Skip hosts that cannot be reached
    ///
    /// After a switch, the other hosts record the release that a skipped host misses, and `switchback status` shows it.
    /// The next deploy or activation includes that host; `switchback recover` names the command that updates it.
    #[arg(long)]
    pub(crate) skip_unreachable: bool,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::args::Cli;

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for line in [
            "switchback rollback --to a --steps 2",
            "switchback rollback --keep-data --data-to 7",
            "switchback rollback --steps 0",
            "switchback deploy",
            "switchback deploy . --name ../x",
            "switchback deploy . --wait 30",
            "switchback --root srv/shop status",
            "switchback --host -oProxyCommand=x status",
            "switchback activate none",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line} was accepted");
        }
    }
}
