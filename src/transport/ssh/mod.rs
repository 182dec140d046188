//! Hosts over SSH, through the system's own `ssh`, with its configuration, agents, keys and jump hosts.
//!
//! Each host has one connection. The first call opens it with an `ssh` that runs the first channel itself, so that the
//! first batch is sent along with its command. Batches share one channel; each upload and each command has others, over
//! the same connection. No person is ever prompted: a missing password or passphrase is a failure.

mod config;
mod control;
mod failure;
mod gate;
mod keyless;
mod master;
mod said;
mod stderr;
mod warden;

pub use failure::{SshFailure, SshFailureKind};

use std::{fmt, sync::Arc};

use openssh::Stdio;
use tokio::{sync::Mutex, time::timeout};

use crate::{address::Address, future::BoxFuture};

use super::{
    ShellTransport, SshOptions, TransportError,
    shell::{Channel, ChannelEnd, Shell, ShellCommand},
};
use master::Master;

/// A transport over SSH.
pub type SshTransport = ShellTransport<SshShell>;

impl SshTransport {
    /// Creates a transport for the host at `address`. Sends nothing before the first call.
    #[must_use]
    pub fn over_ssh(address: Address, options: SshOptions) -> Self {
        let exchange_timeout = options.exchange_timeout;
        Self::new(SshShell { address, options, master: Mutex::new(None) }, exchange_timeout)
    }
}

/// Opens channels over one SSH connection, which it makes when first needed.
#[derive(Debug)]
pub struct SshShell {
    address: Address,
    options: SshOptions,
    master: Mutex<Option<Arc<Master>>>,
}

impl SshShell {
    async fn channel(&self, command: ShellCommand) -> Result<Channel, TransportError> {
        let mut kept = self.master.lock().await;
        if let Some(master) = &*kept
            && let Ok(channel) = self.spawn(master, command).await
        {
            return Ok(channel);
        }
        // There is no connection yet, it has ended, or the host allows no more sessions on it. In all cases nothing
        // was sent.
        let connected = Master::connect(&self.address, &self.options, command).await;
        let (master, channel) = connected.map_err(|why| self.unreachable(why))?;
        // Keep a connection that merely has no free session: it serves the next channel once there is room again.
        let stands = match &*kept {
            Some(before) => before.stands(self.options.exchange_timeout).await,
            None => false,
        };
        if !stands {
            *kept = Some(Arc::new(master));
        }
        Ok(channel)
    }

    async fn spawn(&self, master: &Arc<Master>, command: ShellCommand) -> Result<Channel, SshFailure> {
        let mut remote = master.session().await.arc_raw_command(command.line());
        remote.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let spawned = timeout(self.options.exchange_timeout, remote.spawn()).await;
        let mut child = spawned.map_err(|_| SshFailure::late())?.map_err(|error| SshFailure::from_error(&error))?;
        let (stdin, stdout, stderr) = (child.stdin().take(), child.stdout().take(), child.stderr().take());
        let (Some(stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
            return Err(SshFailure::late());
        };
        // The channel keeps the directory of its connection, and the watch over it, until it ends.
        let master = master.clone();
        let end = async move {
            let ended = child.wait().await;
            drop(master);
            match ended {
                // The host sends a status, even 127, after all output.
                Ok(_) | Err(openssh::Error::Remote(_)) => ChannelEnd::Exited,
                Err(_) => ChannelEnd::Lost,
            }
        };
        Ok(Channel::new(stdin, stdout, stderr, end))
    }

    fn unreachable(&self, why: SshFailure) -> TransportError {
        TransportError::Unreachable { host: self.to_string(), source: why.into() }
    }
}

impl fmt::Display for SshShell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

impl Shell for SshShell {
    fn open(&self, command: ShellCommand) -> BoxFuture<'_, Result<Channel, TransportError>> {
        Box::pin(self.channel(command))
    }

    fn is_far(&self) -> bool {
        true
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            // The connection ends with its last channel; nobody waits for that.
            self.master.lock().await.take();
        })
    }
}
