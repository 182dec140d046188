//! The commands, one file each: arguments, and the request to the fleet.

mod activate;
pub(crate) mod adopt;
mod check;
pub(crate) mod completions;
pub(crate) mod config;
mod deploy;
pub(crate) mod drill;
mod history;
pub(crate) mod init;
pub(crate) mod man;
mod pin;
mod prune;
mod recover;
mod releases;
pub(crate) mod rollback;
mod stage;
pub(crate) mod status;
mod unlock;
mod unpin;
mod verify;

use std::time::Duration;

use camino::Utf8PathBuf;
use clap::Args;
use switchback::{
    ReleaseName, TargetCheck, adoption::Tool, config::parse_duration, data::DataVersion, plan::Direction,
};

pub(crate) use self::{
    activate::Activate, adopt::Adopt, check::Check, completions::Completions, config::Config, deploy::Deploy,
    drill::Drill, history::History, init::Init, man::Man, pin::Pin, prune::Prune, recover::Recover, releases::Releases,
    rollback::Rollback, stage::Stage, status::Status, unlock::Unlock, unpin::Unpin, verify::Verify,
};

/// A request to the fleet: the parsed command line, without clap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    /// Uploads a release and switches to it.
    Deploy {
        source: Utf8PathBuf,
        name: Option<ReleaseName>,
        from: Option<ReleaseName>,
        revision: Option<String>,
        allow_split: bool,
        or_return: bool,
        irreversible: bool,
        empty: bool,
        accept_data: bool,
        why: Why,
    },
    /// Rehearses a rollback: deploys, rolls back, deploys again.
    Drill { source: Utf8PathBuf, name: Option<ReleaseName>, empty: bool, why: Why },
    /// Uploads a release without switching to it.
    Stage {
        source: Utf8PathBuf,
        name: Option<ReleaseName>,
        empty: bool,
        wait: Option<Duration>,
        skip_unreachable: bool,
    },
    /// Switches to a release that the hosts already have.
    Activate { name: ReleaseName, allow_split: bool, accept_data: bool, verify: Option<TargetCheck>, why: Why },
    /// Rolls back.
    Rollback {
        to: Option<ReleaseName>,
        steps: Option<u32>,
        from: Option<ReleaseName>,
        keep_data: bool,
        data_to: Option<DataVersion>,
        by_configuration: bool,
        no_hooks: bool,
        verify: Option<TargetCheck>,
        why: Why,
    },
    /// Adopts the tree of another tool.
    Adopt { from: Option<Tool>, why: Why },
    /// Finishes or reverts an interrupted run.
    Recover { direction: Direction, keep_data: bool, why: Why },
    /// Removes locks.
    Unlock { force: bool },
    /// Removes old releases; without `keep`, the configured number of good releases stays.
    Prune { keep: Option<u32>, why: Why },
    /// Exempts a release from pruning.
    Pin { name: ReleaseName, why: Why },
    /// Ends the exemption.
    Unpin { name: ReleaseName, why: Why },
    /// Reads the state of every host.
    Status,
    /// Reads the releases of every host.
    Releases,
    /// Reads the history; `newest` limits the entries per host.
    History { newest: Option<usize> },
    /// Checks for anything that would refuse a deploy.
    Check,
    /// Compares a release with its manifest.
    Verify { name: Option<ReleaseName>, full: bool },
}

impl Request {
    /// Whether the request changes the hosts.
    pub(crate) fn changes(&self) -> bool {
        !matches!(self, Self::Status | Self::Releases | Self::History { .. } | Self::Check | Self::Verify { .. })
    }
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

    use super::*;
    use crate::args::{Cli, Command};

    fn command(line: &str) -> Command {
        Cli::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{error}")).command
    }

    fn name(text: &str) -> ReleaseName {
        text.parse().expect("a name")
    }

    #[test]
    fn what_is_typed_is_what_is_asked() {
        let Command::Deploy(deploy) = command("switchback deploy ./dist --name b-1 -m why --allow-split --wait 1m30s")
        else {
            panic!("it is deploy")
        };
        let why = Why { reason: Some("why".into()), wait: Some(Duration::from_secs(90)), skip_unreachable: false };
        let asked = Request::Deploy {
            source: "./dist".into(),
            name: Some(name("b-1")),
            from: None,
            revision: None,
            allow_split: true,
            or_return: false,
            irreversible: false,
            empty: false,
            accept_data: false,
            why,
        };
        assert_eq!(deploy.request(), asked);

        let Command::Rollback(rollback) = command("switchback rollback --to b-1 --from b-3") else {
            panic!("it is rollback")
        };
        let why = Why { reason: None, wait: None, skip_unreachable: false };
        assert_eq!(
            rollback.request(),
            Request::Rollback {
                to: Some(name("b-1")),
                steps: None,
                from: Some(name("b-3")),
                keep_data: false,
                data_to: None,
                by_configuration: false,
                no_hooks: false,
                verify: None,
                why
            }
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for line in [
            "switchback rollback --to a --steps 2",
            "switchback rollback --keep-data --data-to 7",
            "switchback rollback --steps 0",
            "switchback deploy",
            "switchback deploy . --name ../x",
            "switchback deploy . --wait 30",
            "switchback deploy . -q -v",
            "switchback --root srv/shop status",
            "switchback --host -oProxyCommand=x status",
            "switchback activate none",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line} was accepted");
        }
    }
}
