//! Deploys to two hosts over SSH, each with a root of its own, and rolls back.
//!
//! Needs what `ssh deploy@web1` needs: keys, known hosts, a jump host.
//!
//! ```sh
//! cargo run --example fleet_ssh --features ssh
//! ```

use std::{error::Error, sync::Arc};

use switchback::{
    Config, Fleet,
    config::HostConfig,
    event::Silent,
    fleet::{DeployOptions, RollbackOptions},
    release::NewRelease,
    tree::Tree,
};

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let web = HostConfig::ssh("deploy@web1".parse()?, "/srv/shop".parse()?);
    let data = HostConfig::ssh("deploy@10.0.0.7:2222".parse()?, "/data/shop".parse()?).named("db");
    ship(&Config::new(vec![web, data])?).await
}

/// Deploys two releases to all hosts, and goes back to the first.
#[expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]
pub(crate) async fn ship(config: &Config) -> Result<(), Box<dyn Error>> {
    let fleet = Fleet::from_config(config)?;
    for name in ["v1", "v2"] {
        let release = NewRelease::new(name.parse()?, Tree::from_memory([("index.html", name.as_bytes())])?);
        fleet.deploy(Arc::new(release), &DeployOptions::new().by("ci").keep(5), Silent).await?;
    }

    let result = fleet.rollback(&RollbackOptions::new().by("ci").reason("v2 is slow"), Silent).await;
    // A failure says where each host is, too.
    let report = result.as_ref().unwrap_or_else(|error| error.report());
    for host in &report.hosts {
        println!("{}: {:?}, {:?} -> {:?}", host.host, host.outcome, host.before, host.after);
    }
    fleet.close().await;
    result?;
    Ok(())
}
