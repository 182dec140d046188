//! The examples, run as they stand in `examples/`.

// The tests do not call their `main`.
#[path = "../../examples/custom_transport.rs"]
#[expect(dead_code, reason = "`main` reads the arguments of the example")]
mod custom_transport;
#[path = "../../examples/embed.rs"]
mod embed;
#[path = "../../examples/migration.rs"]
mod migration;

use custom_transport::{Through, conformance};

#[test]
fn embedding_deploys_and_goes_back() {
    embed::main().expect("it deploys and goes back");
}

#[test]
fn data_goes_forward_and_back_by_code_of_ones_own() {
    migration::main().expect("it goes forward and back");
}

#[tokio::test]
async fn a_transport_of_ones_own_conforms() {
    // `env` as a command that starts shells, and no command at all.
    for words in [&["env"][..], &[]] {
        let shell = Through(words.iter().map(ToString::to_string).collect());
        let (tried, broken) = conformance(&shell).await.expect("every machine has a shell");
        assert!(tried > 0 && broken.is_empty(), "{shell}: {}", broken.join("\n"));
    }
}

#[tokio::test]
async fn a_command_that_gives_no_shell_does_not_conform() {
    let shell = Through(vec!["no-such-command-anywhere".to_owned()]);
    assert!(conformance(&shell).await.is_err());
}
