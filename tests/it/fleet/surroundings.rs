//! Clocks that jump, hosts that come and go, and one host of a hundred that is away.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
};

use switchback::{
    BoxFuture, DirStore, ErrorKind, ExitCode, Fleet, Host, Layout, Timestamp, Transport,
    event::Silent,
    fleet::RollbackTarget,
    report::HostOutcome,
    testing::WholeReport as _,
    transport::{
        MemoryHost, MemoryTransport, TransportError,
        raw::{Batch, Op, Reply},
    },
};

use super::{
    fixture::{Hosts, ROOT, assert_code, at, deploying, going_back, release, wait},
    left_to::left_to,
};

/// Ten years, in seconds.
const TEN_YEARS: i64 = 10 * 365 * 24 * 60 * 60;

fn set_clocks(hosts: &Hosts, first: i64, second: i64) {
    for (host, seconds) in hosts.0.iter().zip([first, second]) {
        host.set_clock(Timestamp::from_unix(seconds, 0).expect("a time"));
    }
}

/// Records decide the order, whatever the clocks show. FAULTS.md X09.
#[test]
fn clocks_that_jump_decide_nothing() {
    let hosts = Hosts::new(2);
    let now = 1_800_000_000;
    for (name, first, second) in
        [("a", now, now - TEN_YEARS), ("b", now - TEN_YEARS, now + TEN_YEARS), ("c", now + TEN_YEARS, 1), ("d", 2, now)]
    {
        set_clocks(&hosts, first, second);
        assert_code(&hosts.deploy(name), ExitCode::DONE);
    }
    for (name, first, second) in [("c", 1, now + TEN_YEARS), ("b", now, 1), ("a", now + TEN_YEARS, now)] {
        set_clocks(&hosts, first, second);
        assert_code(&hosts.rollback(), ExitCode::DONE);
        hosts.all_on(name);
    }
    assert_code(&hosts.rollback(), ExitCode::NOTHING_TO_ROLL_BACK_TO);
    let history = hosts.history();
    let lines = history.hosts[0].status.as_ref().and_then(|status| status.history.as_ref()).expect("a history");
    let order: Vec<&str> =
        lines.iter().filter_map(|line| line.to.as_ref()).map(switchback::ReleaseName::as_str).collect();
    assert_eq!(order, ["a", "b", "c", "d", "c", "b", "a"], "the newest first, in the order in which it was done");
    hosts.clean();
}

/// A rollback refuses, and no host moves. FAULTS.md X11.
#[test]
fn one_of_a_hundred_that_is_away_keeps_all_where_they_are() {
    let hosts = Hosts::new(100).deployed(&["a", "b"]);
    let fleet = super::debts::last_away(&hosts);
    let report = wait(fleet.rollback(&going_back(RollbackTarget::Steps(1)), Silent).report());
    assert_code(&report, ExitCode::REFUSED);
    let away = report.hosts.iter().filter(|host| host.outcome == HostOutcome::Unreachable).count();
    assert_eq!((report.hosts.len(), away), (100, 1));
    hosts.all_on("b");
    hosts.clean();
}

/// A new host has nothing to roll back to, and a host that is no longer listed is not touched. FAULTS.md X13.
#[test]
fn hosts_that_come_and_go_between_a_deploy_and_a_rollback() {
    let mut hosts = Hosts::new(2).deployed(&["a", "b"]);
    hosts.0.push(MemoryHost::new());
    let report = hosts.rollback();
    assert_code(&report, ExitCode::REFUSED);
    assert_eq!(report.hosts[2].error.as_ref().map(|error| error.kind), Some(ErrorKind::NotDeployed));
    let links = hosts.links();
    assert_eq!(links[..2], [Some("releases/b".to_owned()), Some("releases/b".to_owned())]);
    let gone = hosts.0.split_off(1);
    assert_code(&hosts.rollback(), ExitCode::DONE);
    hosts.all_on("a");
    assert_eq!(Hosts(gone).links(), [Some("releases/b".to_owned()), None]);
}

/// A host that is restored to an earlier state just before its lock is taken for the first time.
#[derive(Debug)]
struct Restored {
    host: MemoryHost,
    inner: MemoryTransport,
    done: AtomicBool,
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl Transport for Restored {
    fn execute<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Vec<Reply>, TransportError>> {
        let locks = |op: &Op| matches!(op, Op::MarkProcess { path } if path.as_str().contains("/lock/"));
        if batch.steps.iter().any(|step| locks(&step.op)) && !self.done.swap(true, Ordering::SeqCst) {
            // Neither the staged upload nor the last release existed then.
            for place in ["releases/b", ".switchback/releases/b", ".switchback/staging", ".switchback/live", "current"]
            {
                self.host.remove(&at(place));
            }
            self.host.make_dir(&at(".switchback/staging"));
            self.host.make_dir(&at(".switchback/live"));
            self.host.link(&at("current"), "releases/a");
        }
        self.inner.execute(batch)
    }

    left_to!(inner);
}

/// A host restored from a snapshot between the upload and the switch is detected, and no host switches.
/// FAULTS.md S15.
#[test]
fn a_host_that_is_put_back_to_yesterday_meanwhile() {
    for count in [1, 3] {
        let hosts = Hosts::new(count).deployed(&["a", "b"]);
        let host = |(place, host): (usize, &MemoryHost)| {
            let (name, root) = (format!("web{}", place + 1), ROOT.parse().expect("a path"));
            let inner = host.connect(&name);
            if place + 1 < count {
                return Host::new(&name, DirStore::new(inner, root, Layout::default()));
            }
            let restored = Restored { host: host.clone(), inner, done: AtomicBool::new(false) };
            Host::new(&name, DirStore::new(restored, root, Layout::default()))
        };
        let fleet = Fleet::new(hosts.0.iter().enumerate().map(host).collect()).expect("a fleet");
        let report = wait(fleet.deploy(release("c"), &deploying(), Silent).report());
        assert_code(&report, ExitCode::REFUSED);
        let links: Vec<_> = hosts.links().into_iter().flatten().collect();
        let (last, others) = links.split_last().expect("a host");
        assert_eq!(last, "releases/a", "what it was put back to");
        assert!(others.iter().all(|link| link == "releases/b"), "{links:?}");
        assert!(hosts.0.iter().all(|host| !host.exists(&at("releases/c"))), "nothing of it is left");
        let last = report.hosts.last().expect("a host");
        assert_eq!(last.after.as_ref().map(ToString::to_string).as_deref(), Some("a"), "what is told of it is so");
        // A release that was staged before, and is missing now, is not switched to either.
        assert_code(&hosts.activate("c"), ExitCode::REFUSED);
    }
}
