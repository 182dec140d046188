//! Exchanges of each command with each host, counted: the measure for speed that does not depend on the machine.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use switchback::{
    BoxFuture, DirStore, ExitCode, Fleet, Host, HostPath, Layout, Report, Transport,
    event::Silent,
    fleet::{RollbackTarget, RunOptions},
    testing::{Recording, WholeReport as _},
    transport::{
        MemoryTransport, TransportError,
        raw::{Batch, Op, Reply},
    },
};
use tokio::sync::Barrier;

use super::{
    fixture::{Hosts, ROOT, assert_code, deploying, going_back, release, wait},
    left_to::left_to,
};

type Recorded = Arc<Recording<MemoryTransport>>;

/// Runs a command on recorded connections, and returns the record of each.
fn recorded(hosts: &Hosts, run: impl Fn(&Fleet) -> Report) -> Vec<Recorded> {
    let root: HostPath = ROOT.parse().expect("a path");
    let connect = |(place, host): (usize, &switchback::transport::MemoryHost)| {
        Arc::new(Recording::new(host.connect(format!("web{}", place + 1))))
    };
    let recordings: Vec<Recorded> = hosts.0.iter().enumerate().map(connect).collect();
    let host = |recording: &Recorded| {
        Host::new(recording.to_string(), DirStore::new(Arc::clone(recording), root.clone(), Layout::default()))
    };
    let fleet = Fleet::new(recordings.iter().map(host).collect()).expect("a fleet");
    assert_code(&run(&fleet), ExitCode::DONE);
    recordings
}

fn rollback(fleet: &Fleet) -> Report {
    wait(fleet.rollback(&going_back(RollbackTarget::Steps(1)), Silent).report())
}

fn is_the_switch(batch: &Batch) -> bool {
    batch.steps.iter().any(|step| matches!(&step.op, Op::MoveInto { into, .. } if into.is_root()))
}

#[test]
fn a_rollback_switches_in_the_second_exchange_and_unlocks_in_the_third() {
    for count in [1, 3, 16] {
        let hosts = Hosts::new(count).deployed(&["a", "b"]);
        for host in recorded(&hosts, rollback) {
            let switches: Vec<bool> = host.batches().iter().map(is_the_switch).collect();
            assert_eq!(switches, [false, true, false], "{host}");
            assert_eq!(host.uploads(), 0);
        }
        hosts.all_on("a");
    }
}

/// A host that answers a connection only when all others are connecting.
#[derive(Debug)]
struct Together {
    host: MemoryTransport,
    all: Arc<Barrier>,
}

impl fmt::Display for Together {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.host.fmt(f)
    }
}

impl Transport for Together {
    fn connect(&self) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async {
            self.all.wait().await;
            self.host.connect().await
        })
    }

    fn execute<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Vec<Reply>, TransportError>> {
        self.host.execute(batch)
    }

    left_to!(host);
}

/// Connecting takes longer than the rest; no host waits for the arbiter's connection.
#[test]
fn a_rollback_connects_to_all_hosts_at_the_same_time() {
    let hosts = Hosts::new(16).deployed(&["a", "b"]);
    let all = Arc::new(Barrier::new(hosts.0.len()));
    let host = |(place, host): (usize, &switchback::transport::MemoryHost)| {
        let transport = Together { host: host.connect(format!("web{place}")), all: Arc::clone(&all) };
        Host::new(format!("web{place}"), DirStore::new(transport, ROOT.parse().expect("a path"), Layout::default()))
    };
    let fleet = Fleet::new(hosts.0.iter().enumerate().map(host).collect()).expect("a fleet");
    let together = async {
        let rollback = going_back(RollbackTarget::Steps(1));
        tokio::time::timeout(Duration::from_secs(30), fleet.rollback(&rollback, Silent).report()).await
    };
    assert_code(&wait(together).expect("nobody waits for a host that is connected to later"), ExitCode::DONE);
    hosts.all_on("a");
}

/// Counts the bytes of all requests to a host and of its answers, in their debug form.
#[derive(Debug)]
struct Weighed {
    host: MemoryTransport,
    weight: Arc<AtomicUsize>,
    exchanges: Arc<AtomicUsize>,
}

impl fmt::Display for Weighed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.host.fmt(f)
    }
}

impl Transport for Weighed {
    fn execute<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Vec<Reply>, TransportError>> {
        Box::pin(async move {
            let replies = self.host.execute(batch).await?;
            self.weight.fetch_add(format!("{batch:?}{replies:?}").len(), Ordering::Relaxed);
            self.exchanges.fetch_add(1, Ordering::Relaxed);
            Ok(replies)
        })
    }

    left_to!(host);
}

/// Returns the bytes and exchanges of a rollback on this root.
fn weight_of(hosts: &Hosts, target: RollbackTarget) -> (usize, usize) {
    let (weight, exchanges) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let host = hosts.0[0].connect("web1");
    let transport = Weighed { host, weight: Arc::clone(&weight), exchanges: Arc::clone(&exchanges) };
    let store = DirStore::new(transport, ROOT.parse().expect("a path"), Layout::default());
    let fleet = Fleet::new(vec![Host::new("web1", store)]).expect("a fleet");
    assert_code(&wait(fleet.rollback(&going_back(target), Silent).report()), ExitCode::DONE);
    (weight.load(Ordering::Relaxed), exchanges.load(Ordering::Relaxed))
}

/// A root with this many releases, a few of which were rolled back from.
fn aged(releases: usize) -> Hosts {
    let hosts = Hosts::new(1);
    for number in 0..releases {
        assert_code(&hosts.deploy(&format!("r{number:03}")), ExitCode::DONE);
        if number % 20 == 19 {
            assert_code(&rollback(&hosts.fleet()), ExitCode::DONE);
        }
    }
    hosts
}

#[test]
fn a_rollback_weighs_the_same_however_many_releases_there_are() {
    let (young, old) = (aged(10), aged(150));
    let (first, exchanges) = weight_of(&young, RollbackTarget::Steps(1));
    let (second, same) = weight_of(&old, RollbackTarget::Steps(1));
    assert_eq!((exchanges, same), (3, 3));
    assert!(second < first + first / 10, "{first} with 10 releases, {second} with 150");
    old.all_on("r148");
    // To a named release, in the same three exchanges.
    let (there, exchanges) = weight_of(&old, RollbackTarget::Release("r145".parse().expect("a name")));
    assert_eq!(exchanges, 3);
    assert!(there < 2 * first, "{first} for one step, {there} to a release");
    old.all_on("r145");
}

/// Releases further back than the first read are read when needed.
#[test]
fn a_rollback_reads_as_far_back_as_it_goes() {
    let hosts = aged(60);
    let (_, exchanges) = weight_of(&hosts, RollbackTarget::Steps(40));
    assert_eq!(exchanges, 4 + 3, "up to 16, 32 and 64 releases, and the target is compared with its manifest");
    // r059, r039 and r019 were rolled back from.
    hosts.all_on("r016");
    let report = rollback_by(&hosts, RollbackTarget::Steps(20));
    assert_code(&report, ExitCode::NOTHING_TO_ROLL_BACK_TO);
    let message = report.error.as_ref().map(|error| error.message.clone()).unwrap_or_default();
    assert!(message.contains("r000 <- none"), "{message}");
}

fn rollback_by(hosts: &Hosts, target: RollbackTarget) -> Report {
    wait(hosts.fleet().rollback(&going_back(target), Silent).report())
}

/// Bad marks are numbered in the order of the rollbacks, also those of releases that are not on the rollback
/// chain.
#[test]
fn marks_are_counted_however_little_is_read() {
    let hosts = aged(60);
    let report = wait(hosts.fleet().releases(Silent).report());
    let status = report.hosts[0].status.as_ref().expect("it was looked at");
    let mut marks: Vec<(u64, String)> = status
        .releases
        .iter()
        .filter_map(|release| Some((release.bad.as_ref()?.number, release.name.to_string())))
        .collect();
    marks.sort();
    assert_eq!(marks, [(1, "r019".to_owned()), (2, "r039".to_owned()), (3, "r059".to_owned())]);
}

/// One exchange reads the state, one verifies the releases.
#[test]
fn status_is_two_exchanges_and_changes_nothing() {
    let hosts = Hosts::new(3).deployed(&["a", "b", "c"]);
    for host in recorded(&hosts, |fleet| wait(fleet.status(Silent).report())) {
        assert_eq!(host.exchanges(), 2);
        assert!(host.batches().iter().all(|batch| !batch.changes()));
    }
    for host in recorded(&hosts, |fleet| wait(fleet.releases(Silent).report())) {
        assert_eq!(host.exchanges(), 1);
    }
}

#[test]
fn reading_commands_send_no_change() {
    let hosts = Hosts::new(2).deployed(&["a", "b"]);
    let commands: [fn(&Fleet) -> Report; 4] = [
        |fleet| wait(fleet.releases(Silent).report()),
        |fleet| wait(fleet.history(Silent).report()),
        |fleet| wait(fleet.check(&RunOptions::default(), Silent).report()),
        |fleet| {
            let options = going_back(RollbackTarget::Steps(1)).dry_run(true);
            wait(fleet.rollback(&options, Silent).report())
        },
    ];
    for command in commands {
        for host in recorded(&hosts, command) {
            assert!(host.batches().iter().all(|batch| !batch.changes()));
        }
    }
}

/// Ask; create a directory, upload, sync; lock and read; prepare; switch; unlock.
#[test]
fn a_deploy_is_seven_exchanges_and_one_upload() {
    let hosts = Hosts::new(2).deployed(&["a"]);
    for host in recorded(&hosts, |fleet| wait(fleet.deploy(release("b"), &deploying(), Silent).report())) {
        assert_eq!((host.exchanges(), host.uploads()), (7, 1));
    }
}

/// A host gets the switch only when all are prepared.
#[test]
fn a_dry_run_of_a_deploy_only_asks() {
    let hosts = Hosts::new(2).deployed(&["a"]);
    let dry = |fleet: &Fleet| {
        let options = deploying().dry_run(true);
        wait(fleet.deploy(release("b"), &options, Silent).report())
    };
    for host in recorded(&hosts, dry) {
        assert_eq!((host.exchanges(), host.uploads()), (2, 0));
    }
    hosts.all_on("a");
}
