//! The examples, run as they stand in `examples/`.

#[path = "../../examples/custom_release.rs"]
mod custom_release;
#[path = "../../examples/custom_transport.rs"]
mod custom_transport;
#[path = "../../examples/embed.rs"]
mod embed;
#[path = "../../examples/migration.rs"]
mod migration;

#[test]
fn embedding_deploys_and_goes_back() {
    embed::main().expect("it deploys and goes back");
}

#[test]
fn a_release_of_ones_own_is_deployed() {
    custom_release::main().expect("its program runs");
}

#[test]
fn data_goes_forward_and_back_by_code_of_ones_own() {
    migration::main().expect("it goes forward and back");
}

#[test]
fn a_transport_of_ones_own_conforms() {
    custom_transport::main();
}
