//! Deploys two releases and rolls back, from Rust, on a temporary root of this machine.
//!
//! ```sh
//! cargo run --example embed
//! ```

use std::sync::Arc;

use switchback::{
    Config, Event, Fleet, HostPath,
    fleet::{DeployOptions, RollbackOptions},
    release::NewRelease,
    tree::Tree,
};

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]
pub(crate) async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let root: HostPath = directory.path().to_str().ok_or("the temporary directory is not UTF-8")?.parse()?;
    let fleet = Fleet::from_config(&Config::for_root(root, &[])?)?;
    let tell = |event: &Event| {
        if let Event::Switched { host, before, after, .. } = event {
            println!("{host}: {before:?} -> {after:?}");
        }
    };
    for (name, page) in [("v1", "apples"), ("v2", "apples and pears")] {
        let release = NewRelease::new(name.parse()?, Tree::from_memory([("index.html", page.as_bytes())])?);
        fleet.deploy(Arc::new(release), &DeployOptions::new(), tell).await?;
    }
    let report = fleet.rollback(&RollbackOptions::new(), tell).await?;
    println!("{}", serde_json::to_string(&report)?);
    assert_eq!(fs_err::read_to_string(directory.path().join("current/index.html"))?, "apples");
    fleet.close().await;
    Ok(())
}
