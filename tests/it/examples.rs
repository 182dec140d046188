//! The examples, run as they stand in `examples/`.

#[cfg(feature = "blocking")]
#[path = "../../examples/blocking.rs"]
mod blocking;
#[path = "../../examples/custom_release.rs"]
mod custom_release;
#[path = "../../examples/custom_store.rs"]
mod custom_store;
#[path = "../../examples/custom_transport.rs"]
mod custom_transport;
#[path = "../../examples/embed.rs"]
mod embed;
#[expect(dead_code, reason = "the test has hosts of its own")]
#[path = "../../examples/fleet_ssh.rs"]
mod fleet_ssh;
#[path = "../../examples/migration.rs"]
mod migration;
#[path = "../../examples/service.rs"]
mod service;
#[expect(dead_code, reason = "the test has a subscriber of its own")]
#[path = "../../examples/trace.rs"]
mod trace;

use std::{fs, sync::Arc};

use switchback::{
    Config, ErrorKind, Fleet, Host, HostPath, config::HostConfig, event::Silent, fleet::RunOptions, report::Outcome,
};
use tempfile::TempDir;

use crate::support::sshd::{Sshd, text};

#[cfg(feature = "blocking")]
#[test]
fn a_program_without_a_runtime_deploys_and_goes_back() {
    blocking::main().expect("it deploys and goes back");
}

#[test]
fn a_service_has_several_fleets_and_one_channel() {
    service::main().expect("it deploys, cancels and gives up");
}

#[test]
fn embedding_deploys_and_goes_back() {
    embed::main().expect("it deploys and goes back");
}

#[test]
fn a_release_of_ones_own_is_deployed() {
    custom_release::main().expect("its program runs");
}

#[test]
fn a_store_of_ones_own_conforms_and_is_deployed_to() {
    custom_store::main().expect("it conforms, and goes back");
}

/// It cannot adopt a tree, and is refused before anything is asked.
#[tokio::test]
async fn a_store_without_adoption_is_refused() {
    let store = custom_store::InMemory::new("/shop".parse().expect("a root"));
    let fleet = Fleet::new(vec![Host::new("memory", store)]).expect("a fleet");
    let error = fleet.adopt(None, &RunOptions::new().by("jane@laptop"), Silent).await.expect_err("a refusal");
    assert_eq!((error.report().outcome, error.kind()), (Outcome::Refused, ErrorKind::Unsuitable));
    assert!(error.to_string().contains("its store cannot adopt trees of other tools"), "{error}");
    let history = fleet.history(Silent).await.expect("it is read");
    assert_eq!(history.hosts[0].status.as_ref().and_then(|status| status.history.clone()), Some(Vec::new()));
}

#[test]
fn data_goes_forward_and_back_by_code_of_ones_own() {
    migration::main().expect("it goes forward and back");
}

#[tokio::test]
async fn hosts_over_ssh_with_roots_of_their_own_are_deployed_to() {
    let Some(sshd) = Sshd::start("") else { return };
    let directory = TempDir::new().expect("a directory");
    let host = |name: &str| {
        let root: HostPath = text(&directory.path().join(name)).parse().expect("a path");
        HostConfig::ssh(sshd.address("root"), root).named(name)
    };
    let mut config = Config::new(vec![host("web1"), host("db")]).expect("a configuration");
    config.ssh = sshd.options();
    fleet_ssh::ship(&config).await.expect("it deploys and goes back");
    for name in ["web1", "db"] {
        let current = directory.path().join(name).join("current/index.html");
        assert_eq!(fs::read_to_string(current).expect("a page"), "v1");
    }
}

#[tokio::test]
async fn tracing_is_fed_with_events() {
    let directory = TempDir::new().expect("a directory");
    let log = directory.path().join("log");
    let file = Arc::new(fs::File::create(&log).expect("a file"));
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(file).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    trace::deploy().await.expect("it deploys");
    drop(guard);
    let written = fs::read_to_string(&log).expect("a log");
    assert!(written.contains("switched host=\"local\" before=None after=Some(\"v1\")"), "{written}");
}

#[test]
fn a_transport_of_ones_own_conforms() {
    custom_transport::main();
}
