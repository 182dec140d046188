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
#[path = "../../examples/migration.rs"]
mod migration;
#[path = "../../examples/service.rs"]
mod service;

use switchback::{ErrorKind, Fleet, Host, event::Silent, fleet::RunOptions, report::Outcome};

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

#[test]
fn a_transport_of_ones_own_conforms() {
    custom_transport::main();
}
