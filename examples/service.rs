//! A service with several fleets: deploys that can be cancelled, and their events over one channel.
//!
//! ```sh
//! cargo run --example service
//! ```

use std::{error::Error, sync::Arc, time::Duration};

use switchback::{
    Config, Event, Fleet, HostPath, RunError,
    event::{self, Silent},
    fleet::{Call, Cancel, DeployOptions},
    release::NewRelease,
    report::Outcome,
    tree::Tree,
};

fn release(name: &str) -> Result<Arc<NewRelease>, Box<dyn Error>> {
    Ok(Arc::new(NewRelease::new(name.parse()?, Tree::from_memory([("index.html", name.as_bytes())])?)))
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let fleet = |name: &str| -> Result<Fleet, Box<dyn Error>> {
        let root: HostPath = directory.path().join(name).to_str().ok_or("not UTF-8")?.parse()?;
        Ok(Fleet::from_config(&Config::for_root(root, &[])?)?)
    };
    let (shop, blog) = (fleet("shop")?, fleet("blog")?);
    let (sender, mut events) = event::channel("shop");
    let options = DeployOptions::new().by("service");

    // Two fleets at once, each with its own events. One of the deploys is cancelled before it began.
    let cancel = Cancel::new();
    cancel.request();
    let stopped = Call::new().observer(sender.of("blog")).cancel(&cancel);
    let deploys =
        tokio::join!(shop.deploy(release("v1")?, &options, sender), blog.deploy(release("v1")?, &options, stopped),);
    assert_eq!(deploys.0?.outcome, Outcome::Done);
    assert_eq!(deploys.1.expect_err("it was cancelled").outcome(), Outcome::Interrupted);
    while let Some(record) = events.recv().await {
        if let Event::Switched { host, after, .. } = record.event {
            println!("{} {}: {host} is on {after:?}", record.at, record.fleet);
        }
    }

    // A caller who stops waiting stops the deploy, and `close` waits until it is reverted.
    let deploy = shop.deploy(release("v2")?, &options, Silent);
    let in_time = tokio::time::timeout(Duration::ZERO, deploy).await;
    shop.close().await;
    let status = shop.status(Silent).await.unwrap_or_else(RunError::into_report);
    println!("in time: {}; {:?}", in_time.is_ok(), status.hosts[0].after);
    Ok(())
}
