//! Feeds `tracing` with the events of a deploy.
//!
//! ```sh
//! cargo run --example trace
//! ```

use std::sync::Arc;

use switchback::{Config, Event, Fleet, HostPath, Observer, fleet::DeployOptions, release::NewRelease, tree::Tree};
use tracing::{debug, error, info, warn};

/// Sends events to `tracing`: what changes a host as information, progress for those who debug.
struct Trace;

impl Observer for Trace {
    fn event(&self, event: &Event) {
        match event {
            Event::Started { command, hosts, .. } => info!(%command, hosts, "started"),
            Event::Phase { phase, hosts } => debug!(phase = phase.as_str(), hosts, "phase"),
            Event::Switched { host, before, after, .. } => info!(host, ?before, ?after, "switched"),
            Event::HostFailed { host, phase, error } => {
                error!(host, phase = phase.as_str(), kind = %error.kind, "{error}");
            }
            Event::Warning { host, message } => warn!(host, "{message}"),
            Event::HookOutput { host, hook, line, .. } => info!(host, %hook, "{line}"),
            // Later versions add events.
            other => debug!(event = ?other),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).init();
    deploy().await
}

pub(crate) async fn deploy() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let root: HostPath = directory.path().to_str().ok_or("the temporary directory is not UTF-8")?.parse()?;
    let fleet = Fleet::from_config(&Config::for_root(root, &[])?)?;
    let release = NewRelease::new("v1".parse()?, Tree::from_memory([("index.html", "apples".as_bytes())])?);
    fleet.deploy(Arc::new(release), &DeployOptions::new(), Trace).await?;
    fleet.close().await;
    Ok(())
}
