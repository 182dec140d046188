//! [`Master`]: one SSH connection.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use openssh::{ControlPersist, KnownHosts as HostKeys, Session, SessionBuilder};
use tokio::time::{sleep, timeout};

use crate::{
    address::Address,
    transport::{KnownHosts, SshOptions},
};

use super::{config, control::ControlDirectory, failure::SshFailure, gate};

/// How long a connection outlives its last channel, in seconds, when nobody ends it: our process was killed. Longer
/// than any pause within a run, while other hosts are still at work.
const LINGER: NonZeroUsize = NonZeroUsize::new(300).expect("not zero");

/// How often a connection that the host dropped before it said anything is tried again. An sshd drops some of many
/// that come at once (`MaxStartups`).
const DROPPED_TRIES: u32 = 6;

/// One SSH connection, held by an `ssh` of its own in the background, and the directory of its socket.
#[derive(Debug)]
pub(super) struct Master {
    // Ends first: its socket stands in the directory.
    session: Arc<Session>,
    directory: ControlDirectory,
}

impl Master {
    /// Connects, which takes as often as there are hosts on the way the time that [`SshOptions`] allow, and as much
    /// again for proving who we are.
    pub(super) async fn connect(address: &Address, options: &SshOptions) -> Result<Self, SshFailure> {
        let _turn = gate::turn(address, options).await;
        let mut tries = 0;
        loop {
            match Self::connect_once(address, options).await {
                Err(failure) if failure.was_dropped() && tries + 1 < DROPPED_TRIES => {
                    sleep(gate::pause(tries)).await;
                    tries += 1;
                }
                done => return done,
            }
        }
    }

    async fn connect_once(address: &Address, options: &SshOptions) -> Result<Self, SshFailure> {
        let directory = ControlDirectory::new()?;
        let file = directory.path().join("config");
        let text = config::text(address, options)?;
        fs_err::write(&file, text).map_err(|error| SshFailure::local(&error))?;
        let mut builder = SessionBuilder::default();
        builder
            .config_file(&file)
            .control_directory(directory.path())
            .control_persist(ControlPersist::IdleFor(LINGER))
            .known_hosts_check(match options.known_hosts {
                KnownHosts::Strict => HostKeys::Strict,
                KnownHosts::AcceptNew => HostKeys::Add,
            });
        if let Some(user) = address.user() {
            builder.user(user.to_owned());
        }
        if let Some(port) = address.port() {
            builder.port(port);
        }
        // On the command line: in the configuration, which they read too, they would hold for the jump hosts as well.
        builder.jump_hosts(options.jump.iter().map(ToString::to_string));
        let hosts = u32::try_from(options.jump.len()).unwrap_or(u32::MAX).saturating_add(2);
        let allowed = options.connect_timeout.saturating_mul(hosts);
        let connected = timeout(allowed, builder.connect_mux(address.host())).await;
        let session = connected.map_err(|_| SshFailure::late())?.map_err(|error| SshFailure::from_error(&error))?;
        Ok(Self { session: Arc::new(session), directory })
    }

    /// The session, to open channels with.
    pub(super) fn session(&self) -> Arc<Session> {
        self.session.clone()
    }

    /// Ends the connection. When a channel still uses it, it ends with that.
    pub(super) async fn close(self) {
        if let Some(session) = Arc::into_inner(self.session) {
            // That it failed to end means that it has ended, or will, when it has been idle for long enough.
            let _: Result<_, _> = timeout(Duration::from_secs(5), session.close()).await;
        }
        drop(self.directory);
    }
}
