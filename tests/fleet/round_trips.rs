//! What must be fast is counted: exchanges with each host, not seconds.

use std::{fmt, sync::Arc, time::Duration};

use switchback::{
    BoxFuture, DirStore, ExitCode, Fleet, Host, HostPath, Layout, Report, Transport,
    engine::RunOptions,
    event::Silent,
    plan::RollbackTarget,
    testing::Recording,
    transport::{Batch, MemoryTransport, Op, Reply, TransportError},
};
use tokio::sync::Barrier;

use super::{
    fixture::{Hosts, ROOT, assert_code, deploying, going_back, release, wait},
    left_to::left_to,
};

type Recorded = Arc<Recording<MemoryTransport>>;

/// Runs a command on recorded connections, and returns what went over each.
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
    wait(fleet.rollback(&going_back(RollbackTarget::Steps(1)), &Silent))
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

/// A host that answers a connection only when all others are being connected to.
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

/// Connecting takes longer than the rest; nobody waits for the arbiter's.
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
        tokio::time::timeout(Duration::from_secs(30), fleet.rollback(&rollback, &Silent)).await
    };
    assert_code(&wait(together).expect("nobody waits for a host that is connected to later"), ExitCode::DONE);
    hosts.all_on("a");
}

/// What there is, and then whether it is what it was.
#[test]
fn status_is_two_exchanges_and_changes_nothing() {
    let hosts = Hosts::new(3).deployed(&["a", "b", "c"]);
    for host in recorded(&hosts, |fleet| wait(fleet.status(&Silent))) {
        assert_eq!(host.exchanges(), 2);
        assert!(host.batches().iter().all(|batch| !batch.changes()));
    }
    for host in recorded(&hosts, |fleet| wait(fleet.releases(&Silent))) {
        assert_eq!(host.exchanges(), 1);
    }
}

#[test]
fn reading_commands_send_no_change() {
    let hosts = Hosts::new(2).deployed(&["a", "b"]);
    let commands: [fn(&Fleet) -> Report; 4] = [
        |fleet| wait(fleet.releases(&Silent)),
        |fleet| wait(fleet.history(&Silent)),
        |fleet| wait(fleet.check(&RunOptions::default(), &Silent)),
        |fleet| {
            let mut options = going_back(RollbackTarget::Steps(1));
            options.run.dry_run = true;
            wait(fleet.rollback(&options, &Silent))
        },
    ];
    for command in commands {
        for host in recorded(&hosts, command) {
            assert!(host.batches().iter().all(|batch| !batch.changes()));
        }
    }
}

/// Ask; make a place, upload, sync; lock and look; prepare; switch; unlock.
#[test]
fn a_deploy_is_seven_exchanges_and_one_upload() {
    let hosts = Hosts::new(2).deployed(&["a"]);
    for host in recorded(&hosts, |fleet| wait(fleet.deploy(release("b"), &deploying(), &Silent))) {
        assert_eq!((host.exchanges(), host.uploads()), (7, 1));
    }
}

/// The switch is sent to a host only when all are prepared.
#[test]
fn a_dry_run_of_a_deploy_only_asks() {
    let hosts = Hosts::new(2).deployed(&["a"]);
    let dry = |fleet: &Fleet| {
        let mut options = deploying();
        options.run.dry_run = true;
        wait(fleet.deploy(release("b"), &options, &Silent))
    };
    for host in recorded(&hosts, dry) {
        assert_eq!((host.exchanges(), host.uploads()), (2, 0));
    }
    hosts.all_on("a");
}
