//! `switchback status`.

use clap::Args;
use futures_util::future::LocalBoxFuture;
use switchback::{Report, report::Command as Reported, report::Outcome, status::HostStatus};

use super::{Called, OnFleet};
use crate::{args::Hosts, call::Call};

/// Show every host's state: current release, lock, leftovers
///
/// Shows the current and the previous release, the holder of the lock, and leftovers of interrupted runs, and marks
/// hosts that differ.
#[derive(Debug, Args)]
#[command(after_help = examples!(
    "switchback status"
    "switchback -e production status --check"
    "switchback status --check --json | jq -r 'select(.type==\"report\").outcome'"
))]
pub(crate) struct Status {
    /// Exit with 8 if the hosts differ or one needs attention
    ///
    /// That is, if hosts are on different releases, or a host has no root, leftovers of an interrupted run, unreadable
    /// state files, or a damaged current release or rollback target.
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    hosts: Hosts,
}

impl OnFleet for Status {
    fn reported(&self) -> Reported {
        Reported::Status
    }

    fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    fn changes(&self) -> bool {
        false
    }

    fn settle(&self, report: Report) -> Report {
        settled(report, self.check)
    }

    fn call<'a>(&'a self, call: &'a Call<'_>) -> LocalBoxFuture<'a, Called> {
        Box::pin(async move { Ok(call.fleet.status(call.watched()).await) })
    }
}

/// Turns the outcome `done` into `differs` if `check` and something is wrong with the fleet.
///
/// Wrong are: hosts on different releases, leftovers, unreadable state files, a damaged release, a missing root, or an
/// error of a host. Every other outcome stays.
fn settled(mut report: Report, check: bool) -> Report {
    let mut has = report.hosts.iter().filter_map(|host| host.status.as_ref());
    let is_unwell = |status: &HostStatus| {
        let left = !status.leftovers.is_empty() || !status.unreadable.is_empty();
        left || !status.damaged.is_empty() || status.root_missing
    };
    let leftovers = has.clone().any(is_unwell);
    let first = has.next().map(|status| &status.current);
    let unwell = report.hosts.iter().any(|host| host.error.is_some());
    let differ = has.any(|status| Some(&status.current) != first);
    report.outcome = match report.outcome {
        Outcome::Done if check && (differ || leftovers || unwell) => Outcome::Differs,
        other => other,
    };
    report
}

#[cfg(test)]
mod tests {
    use switchback::{
        Error, ErrorKind,
        report::{Command, HostOutcome, HostReport},
        status::{DamagedRelease, HostStatus},
    };

    use super::*;

    fn report(hosts: &[(&str, &[&str])]) -> Report {
        let mut report = Report::new(Command::Status, Outcome::Done);
        for (current, leftovers) in hosts {
            let mut has = HostStatus::default();
            has.current = current.parse().ok();
            has.leftovers = leftovers.iter().map(|text| (*text).into()).collect();
            let mut host = HostReport::new("web", HostOutcome::Unchanged);
            host.status = Some(has);
            report.hosts.push(host);
        }
        report
    }

    #[test]
    fn differs_when_a_host_does_or_something_was_left() {
        assert_eq!(settled(report(&[("a", &[]), ("a", &[])]), true).outcome, Outcome::Done);
        assert_eq!(settled(report(&[("a", &[]), ("b", &[])]), true).outcome, Outcome::Differs);
        assert_eq!(settled(report(&[("a", &[]), ("", &[])]), true).outcome, Outcome::Differs);
        assert_eq!(settled(report(&[("a", &["a stale lock"])]), true).outcome, Outcome::Differs);
        assert_eq!(settled(report(&[]), true).outcome, Outcome::Done);
        assert_eq!(settled(report(&[("a", &[]), ("b", &[])]), false).outcome, Outcome::Done);
        let mut missing = report(&[("", &[])]);
        missing.hosts[0].status.as_mut().expect("it was read").root_missing = true;
        assert_eq!(settled(missing.clone(), false).outcome, Outcome::Done);
        assert_eq!(settled(missing, true).outcome, Outcome::Differs);
        let mut damaged = report(&[("a", &[])]);
        let release = "a".parse().expect("a name");
        let found = DamagedRelease { release, damaged: 1, some: vec!["index.html is missing".to_owned()] };
        damaged.hosts[0].status.as_mut().expect("it was read").damaged.push(found);
        assert_eq!(settled(damaged, true).outcome, Outcome::Differs);
        let mut unwell = report(&[("a", &[])]);
        unwell.hosts[0].error = Some(Error::new(ErrorKind::Dangling, "`current` leads nowhere").into());
        assert_eq!(settled(unwell, true).outcome, Outcome::Differs);
    }
}
