//! [`UploadChannel`]: a channel for a stream of an upload.

use std::{io, time::Duration};

use tokio::{io::AsyncWriteExt, time::timeout};

use crate::transport::{
    TransportError,
    shell::{
        channel::{Channel, Shell, ShellCommand, Streams},
        prelude, script,
        wire::{Lost, Wire},
    },
};

/// A channel whose shell has received the functions of an upload, and waits to learn which stream it gets.
///
/// A shell reads the functions byte by byte where a stream follows. Sending them early hides that time behind other
/// waits.
pub(in crate::transport::shell) struct UploadChannel {
    pub(super) channel: Channel,
    pub(super) wire: Wire,
    /// The bytes sent so far.
    pub(super) sent: u64,
}

impl UploadChannel {
    /// Opens a channel. Once `shell` has opened it, sending takes at most `stall`.
    ///
    /// # Errors
    ///
    /// As [`Shell::open`], or when the channel accepts no input. Nothing ran.
    pub(in crate::transport::shell) async fn open<S: Shell>(
        shell: &S,
        stall: Duration,
    ) -> Result<Self, TransportError> {
        let mut channel = shell.open(ShellCommand::stream()).await?;
        let wire = Wire::new();
        let functions = script::collected(&prelude::upload(&wire.nonce), wire.nonce.as_str());
        if let Streams { stdin: Some(stdin), .. } = channel.streams() {
            let tell = async {
                // A failure shows as a missing reply.
                let _: io::Result<()> = stdin.write_all(&functions).await;
                let _: io::Result<()> = stdin.flush().await;
            };
            timeout(stall, tell).await.map_err(|_| TransportError::Unreachable {
                host: shell.to_string(),
                source: Lost::Late(stall, String::new()).into(),
            })?;
        }
        Ok(Self { channel, wire, sent: functions.len() as u64 })
    }

    /// Returns itself if it is still open, as far as that shows without a request.
    ///
    /// Treats the output of start-up files as noise.
    pub(super) async fn standing(mut self) -> Option<Self> {
        let noise = self.channel.peek().await?;
        self.wire.frames.begin();
        self.wire.frames.push(&noise).ok()?;
        Some(self)
    }
}
