//! Upload channels opened while hosts are asked, and never in their place.

use std::{
    fmt,
    future::pending,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use switchback::{
    BoxFuture, DirStore, ExitCode, Fleet, Host, Layout, Report, Transport,
    event::Silent,
    fleet::DeployOptions,
    testing::WholeReport as _,
    transport::{
        MemoryTransport, TransportError,
        raw::{Batch, Reply},
    },
};

use super::{
    fixture::{Hosts, ROOT, assert_code, deploying, release, wait},
    left_to::left_to,
};

/// A host that is asked first, or that is unreachable and therefore never reaches an upload.
#[derive(Debug)]
struct Asked {
    host: MemoryTransport,
    is_away: bool,
    exchanges: AtomicUsize,
    expected: Arc<AtomicUsize>,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.host.fmt(f)
    }
}

impl Transport for Asked {
    fn execute<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Vec<Reply>, TransportError>> {
        self.exchanges.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            // Like any exchange, it takes some time.
            tokio::task::yield_now().await;
            if self.is_away {
                let source = io::Error::from(io::ErrorKind::ConnectionRefused).into();
                return Err(TransportError::Unreachable { host: self.to_string(), source });
            }
            self.host.execute(batch).await
        })
    }

    fn expect_upload(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            assert!(self.exchanges.load(Ordering::SeqCst) > 0, "the question goes first");
            self.expected.fetch_add(1, Ordering::SeqCst);
            if self.is_away {
                pending::<()>().await;
            }
        })
    }

    left_to!(host);
}

/// Deploys to two hosts, and returns how often each was told to expect an upload.
fn deploy(hosts: &Hosts, second_is_away: bool, options: &DeployOptions) -> (Report, [usize; 2]) {
    let expected: [Arc<AtomicUsize>; 2] = Default::default();
    let host = |(place, host): (usize, &switchback::transport::MemoryHost)| {
        let transport = Asked {
            host: host.connect(format!("web{place}")),
            is_away: second_is_away && place == 1,
            exchanges: AtomicUsize::default(),
            expected: Arc::clone(&expected[place]),
        };
        Host::new(format!("web{place}"), DirStore::new(transport, ROOT.parse().expect("a path"), Layout::default()))
    };
    let fleet = Fleet::new(hosts.0.iter().enumerate().map(host).collect()).expect("a fleet");
    let deployed = async {
        // Only a limit: without it, a failure would hang.
        tokio::time::timeout(Duration::from_secs(60), fleet.deploy(release("c"), options, Silent).report()).await
    };
    let report = wait(deployed).expect("nobody waits for an upload that cannot come");
    (report, expected.map(|count| count.load(Ordering::SeqCst)))
}

#[test]
fn an_upload_is_expected_while_hosts_are_asked() {
    let hosts = Hosts::new(2).deployed(&["a", "b"]);
    let (report, expected) = deploy(&hosts, false, &deploying());
    assert_code(&report, ExitCode::DONE);
    // Once while the host is asked, and once more by the stage, which cannot know.
    assert_eq!(expected, [2, 2]);
    hosts.all_on("c");
}

#[test]
fn a_host_that_does_not_answer_is_not_waited_for_twice() {
    let hosts = Hosts::new(2).deployed(&["a", "b"]);
    let (report, _) = deploy(&hosts, true, &deploying());
    assert_code(&report, ExitCode::REFUSED);
    hosts.all_on("b");
}

#[test]
fn a_dry_run_opens_nothing() {
    let hosts = Hosts::new(2).deployed(&["a", "b"]);
    let options = deploying().dry_run(true);
    let (report, expected) = deploy(&hosts, false, &options);
    assert_code(&report, ExitCode::DONE);
    assert_eq!(expected, [0, 0]);
}
