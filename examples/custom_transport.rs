//! A transport of your own: anything that can start a shell on a host and carry its standard streams. Here it is a
//! plain local `sh`; for a container it would be `docker exec -i NAME`, before the same arguments.
//!
//! ```sh
//! cargo run --example custom_transport -- /tmp/some-directory
//! ```

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::{fmt, io, process::Stdio, time::Duration};

use switchback::{
    BoxFuture, HostPath, Transport,
    transport::{
        Batch, Op, Reply, ShellTransport, TransportError,
        shell::{Channel, ChannelEnd, Shell, ShellCommand},
    },
};

/// Shells on this very machine.
#[derive(Debug)]
struct Here;

impl fmt::Display for Here {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("here")
    }
}

impl Shell for Here {
    fn open(&self, command: ShellCommand) -> BoxFuture<'_, Result<Channel, TransportError>> {
        Box::pin(async move {
            start(command)
                .map_err(|source| TransportError::Unreachable { host: self.to_string(), source: source.into() })
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

fn start(command: ShellCommand) -> io::Result<Channel> {
    let arguments = command.arguments();
    let mut child = tokio::process::Command::new(arguments[0])
        .args(&arguments[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let piped = || io::Error::other("a stream is missing");
    let stdin = child.stdin.take().ok_or_else(piped)?;
    let stdout = child.stdout.take().ok_or_else(piped)?;
    let stderr = child.stderr.take().ok_or_else(piped)?;
    let end = async move {
        match child.wait().await {
            Ok(status) if status.code().is_some() => ChannelEnd::Exited,
            _ => ChannelEnd::Lost,
        }
    };
    Ok(Channel::new(stdin, stdout, stderr, end))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root: HostPath = std::env::args().nth(1).as_deref().unwrap_or("/tmp").parse()?;
    let transport = ShellTransport::new(Here, Duration::from_secs(10));
    let mut batch = Batch::new(root);
    batch.push(Op::Identify);
    if let [Reply::Identity(who)] = &transport.execute(&batch).await?[..] {
        println!("{} on {} answers, at {}", who.user, who.hostname, who.clock);
    }
    transport.close().await;
    Ok(())
}
