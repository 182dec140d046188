//! [`Lane`]: a channel for a stream of an upload.

use std::{io, time::Duration};

use tokio::{io::AsyncWriteExt, time::timeout};

use crate::transport::TransportError;

use super::{
    channel::{Channel, Shell, ShellCommand, Streams},
    prelude, script,
    session::{Lost, Wire},
};

/// A channel whose shell was told how a stream is received, and does nothing before it is told which one: a shell reads what it
/// is told byte by byte where a stream follows, and that is better done while others are waited for.
pub(super) struct Lane {
    pub(super) channel: Channel,
    pub(super) wire: Wire,
    /// The bytes that it was told by now.
    pub(super) told: u64,
}

impl Lane {
    /// Opens one, which takes `stall` at most once `shell` has opened a channel.
    ///
    /// # Errors
    ///
    /// As [`Shell::open`], or when the channel takes nothing. Nothing was run.
    pub(super) async fn open<S: Shell>(shell: &S, stall: Duration) -> Result<Self, TransportError> {
        let mut channel = shell.open(ShellCommand::stream()).await?;
        let wire = Wire::new();
        let told = script::collected(&prelude::upload(&wire.nonce), wire.nonce.as_str());
        if let Streams { stdin: Some(stdin), .. } = channel.streams() {
            let tell = async {
                // A failure shows in the answer that does not come.
                let _: io::Result<()> = stdin.write_all(&told).await;
                let _: io::Result<()> = stdin.flush().await;
            };
            timeout(stall, tell).await.map_err(|_| TransportError::Unreachable {
                host: shell.to_string(),
                source: Lost::Late(stall, String::new()).into(),
            })?;
        }
        Ok(Self { channel, wire, told: told.len() as u64 })
    }

    /// The lane, when it still stands, as far as that shows without asking. What start-up files printed is no answer.
    pub(super) async fn standing(mut self) -> Option<Self> {
        let noise = self.channel.peek().await?;
        self.wire.frames.begin();
        self.wire.frames.push(&noise).ok()?;
        Some(self)
    }
}
