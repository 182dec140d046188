//! `switchback rollback`.

use clap::{Args, ValueEnum};
use futures_util::future::LocalBoxFuture;
use switchback::{
    ReleaseName, Report, TargetCheck,
    data::{DataVersion, DataVersionError},
    fleet::{CommandsFrom, RollbackOptions},
    report::Command as Reported,
    status::{HostStatus, ReleaseState},
};

use super::{Called, OnFleet, Question, Why};
use crate::{
    args::{Hosts, whole_number},
    call::Call,
};

/// Roll every host back to the recorded previous release
///
/// The release that was current is marked bad, and later rollbacks skip it. A second rollback goes one release further
/// back; it does not toggle.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback rollback"
    "switchback rollback --from build-17 -m 'checkout is broken'"
    "switchback rollback --to build-12 --except web3"
))]
pub(crate) struct Rollback {
    /// Roll back to this release instead
    #[arg(long, value_name = "NAME", conflicts_with = "steps")]
    to: Option<ReleaseName>,
    /// Roll back by N good releases [default: 1]
    #[arg(long, value_name = "N", value_parser = whole_number::<1>)]
    steps: Option<u32>,
    /// Roll back only hosts that are on this release; if there are none, there is nothing to do
    #[arg(long, value_name = "NAME")]
    from: Option<ReleaseName>,
    /// Roll back only the code; leave the data as it is
    #[arg(long)]
    keep_data: bool,
    /// Run no hooks and no validation; with --keep-data, run no recorded command at all
    #[arg(long)]
    no_hooks: bool,
    /// Revert the data to this version, whatever the records say
    ///
    /// Meant for records that disagree, where a person must decide.
    #[arg(long, value_name = "VERSION", conflicts_with = "keep_data", value_parser = data_version)]
    data_to: Option<DataVersion>,
    /// Run the commands recorded with the releases, or the configured ones
    #[arg(long, value_name = "WHICH", value_enum, default_value_t = Which::Recorded)]
    commands: Which,
    /// Verify the release before the switch: quick, full or none [default: as configured, else quick]
    ///
    /// `quick` compares types, modes, sizes and symlinks with the manifest, `full` also the content of every file;
    /// `none` compares nothing.
    #[arg(long, value_name = "LEVEL")]
    verify: Option<TargetCheck>,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    hosts: Hosts,
}

fn data_version(text: &str) -> Result<DataVersion, DataVersionError> {
    DataVersion::new(text)
}

/// Source of the commands that a rollback runs
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    /// Commands recorded with the releases
    Recorded,
    /// Commands of the configuration
    Config,
}

impl OnFleet for Rollback {
    fn reported(&self) -> Reported {
        Reported::Rollback
    }

    fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    fn question(&self) -> Option<Question> {
        // A plain rollback after a rollback may be meant as a toggle.
        let is_plain = self.to.is_none() && self.steps.is_none() && self.from.is_none();
        is_plain.then_some(question)
    }

    fn call<'a>(&'a self, call: &'a Call<'_>) -> LocalBoxFuture<'a, Called> {
        Box::pin(async move {
            let options = RollbackOptions::new()
                .run(call.options(&self.why))
                .from(self.from.clone())
                .keep_data(self.keep_data)
                .no_hooks(self.no_hooks)
                .data_to(self.data_to.clone())
                .commands_from(match self.commands {
                    Which::Recorded => CommandsFrom::Recorded,
                    Which::Config => CommandsFrom::Configuration,
                })
                .verify(self.verify);
            let options = match &self.to {
                Some(name) => options.to(name.clone()),
                None => options.steps(self.steps.unwrap_or(1)),
            };
            Ok(call.fleet.rollback(&options, call.watched()).await)
        })
    }
}

/// Returns the question to ask if a rollback led to the current release; `None` if there is nothing to ask.
fn question(status: &Report) -> Option<String> {
    let host = status.hosts.iter().find(|host| host.status.as_ref().is_some_and(was_reached_by_going_back))?;
    let has = host.status.as_ref()?;
    let (current, previous) = (has.current.as_ref()?, has.previous.as_ref()?);
    Some(format!("{}: a rollback led to {current} already. Another goes further back, to {previous}.", host.host))
}

/// Whether the records of a bad release lead to the current one, so that a rollback made it current.
fn was_reached_by_going_back(has: &HostStatus) -> bool {
    let Some(current) = &has.current else { return false };
    let left = has.releases.iter().filter(|release| release.state == ReleaseState::Bad);
    left.into_iter().any(|bad| {
        let mut at = bad.previous.as_ref();
        // A chain is at most as long as the list of releases; the bound also ends a cycle.
        for _ in 0..has.releases.len() {
            let Some(name) = at else { return false };
            if name == current {
                return true;
            }
            at = has.releases.iter().find(|release| release.name == *name).and_then(|found| found.previous.as_ref());
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use switchback::{
        report::{Command, HostOutcome, HostReport, Outcome},
        status::ReleaseStatus,
    };

    use super::*;

    fn release(name: &str, state: ReleaseState, previous: Option<&str>) -> ReleaseStatus {
        let mut release = ReleaseStatus::new(name.parse().expect("a name"), state);
        release.previous = previous.map(|name| name.parse().expect("a name"));
        release
    }

    fn status(current: &str, releases: Vec<ReleaseStatus>) -> Report {
        let mut has = HostStatus::default();
        has.current = Some(current.parse().expect("a name"));
        has.previous = Some("a".parse().expect("a name"));
        has.releases = releases;
        let mut host = HostReport::new("web1", HostOutcome::Unchanged);
        host.status = Some(has);
        let mut report = Report::new(Command::Status, Outcome::Done);
        report.hosts.push(host);
        report
    }

    #[test]
    fn asks_only_when_the_way_led_back_already() {
        let back = vec![
            release("c", ReleaseState::Bad, Some("b")),
            release("b", ReleaseState::Current, Some("a")),
            release("a", ReleaseState::Good, None),
        ];
        assert!(question(&status("b", back)).is_some_and(|text| text.contains("further back, to a")));
        let forward = vec![
            release("d", ReleaseState::Current, Some("b")),
            release("c", ReleaseState::Bad, Some("b")),
            release("b", ReleaseState::Good, Some("a")),
            release("a", ReleaseState::Good, None),
        ];
        assert_eq!(question(&status("d", forward)), None);
        let circle = vec![release("c", ReleaseState::Bad, Some("c")), release("b", ReleaseState::Current, None)];
        assert_eq!(question(&status("b", circle)), None);
    }
}
