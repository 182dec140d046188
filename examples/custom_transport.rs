//! A transport of your own, from any command that opens a shell on a host, and the suite that checks its
//! contract.
//!
//! The words after `--` come before `sh`. Without any, it is a shell of this machine.
//!
//! ```sh
//! cargo run --example custom_transport --features testing
//! cargo run --example custom_transport --features testing -- docker exec -i NAME
//! ```
//!
//! The command must carry its three streams unchanged and pass its arguments to the host unchanged: `docker exec -i`
//! and `kubectl exec -i POD --` do. For a command that passes one line to a login shell, as `ssh` does, use
//! [`ShellCommand::line`] instead of [`ShellCommand::arguments`].

use std::{fmt, io, process, process::Stdio, time::Duration};

use switchback::{
    BoxFuture, HostPath,
    testing::conformance::{CASES, Fixture},
    transport::{
        ShellTransport, TransportError,
        shell::{Channel, ChannelEnd, Shell, ShellCommand},
    },
};

/// Opens shells through a command.
#[derive(Debug, Clone)]
pub(crate) struct Through(pub(crate) Vec<String>);

impl Through {
    /// Returns the command that runs these words on the host.
    fn command(&self, words: &[&str]) -> process::Command {
        let mut all = self.0.iter().map(String::as_str).chain(words.iter().copied());
        let mut command = process::Command::new(all.next().unwrap_or_default());
        command.args(all);
        command
    }

    fn start(&self, command: ShellCommand) -> io::Result<Channel> {
        let mut child = tokio::process::Command::from(self.command(command.arguments()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let missing = || io::Error::other("a stream is missing");
        let stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let stderr = child.stderr.take().ok_or_else(missing)?;
        let end = async move {
            // It was killed by a signal: nobody knows what the host did meanwhile.
            match child.wait().await {
                Ok(status) if status.code().is_some() => ChannelEnd::Exited,
                _ => ChannelEnd::Lost,
            }
        };
        Ok(Channel::new(stdin, stdout, stderr, end))
    }
}

impl fmt::Display for Through {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("this machine") } else { f.write_str(&self.0.join(" ")) }
    }
}

impl Shell for Through {
    fn open(&self, command: ShellCommand) -> BoxFuture<'_, Result<Channel, TransportError>> {
        let unreachable = |why: io::Error| TransportError::Unreachable { host: self.to_string(), source: why.into() };
        Box::pin(async move { self.start(command).map_err(unreachable) })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        // Nothing is kept between two channels.
        Box::pin(async {})
    }
}

/// A temporary directory on the host, removed at the end of its case.
struct Directory {
    shell: Through,
    path: String,
}

impl Directory {
    fn make(shell: &Through) -> io::Result<Self> {
        let made = shell.command(&["mktemp", "-d"]).stderr(Stdio::inherit()).output()?;
        let path = String::from_utf8_lossy(&made.stdout).trim().to_owned();
        if made.status.success() && path.starts_with('/') {
            return Ok(Self { shell: shell.clone(), path });
        }
        Err(io::Error::other(format!("{shell} made no temporary directory")))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Cases leave directories without permissions behind.
        let script = "chmod -R u+rwx \"$1\"; rm -rf \"$1\"";
        let _: io::Result<_> = self.shell.command(&["sh", "-c", script, "sh", &self.path]).output();
    }
}

/// Runs every case of the suite on the shells of `shell`. Returns the number of cases, and the failed ones.
pub(crate) async fn conformance(shell: &Through) -> Result<(usize, Vec<String>), Box<dyn std::error::Error>> {
    let mut broken = Vec::new();
    for case in CASES {
        let directory = Directory::make(shell)?;
        let root: HostPath = directory.path.parse()?;
        let transport = ShellTransport::new(shell.clone(), Duration::from_secs(60));
        broken.extend(case.run(Fixture::new(transport, root).keeping(directory)).await.err());
    }
    Ok((CASES.len(), broken))
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]
pub(crate) async fn main() -> Result<process::ExitCode, Box<dyn std::error::Error>> {
    let shell = Through(std::env::args().skip(1).collect());
    let (tried, broken) = conformance(&shell).await?;
    for what in &broken {
        println!("does not hold: {what}");
    }
    println!("{shell}: {} of {tried} cases passed", tried - broken.len());
    Ok(if broken.is_empty() { process::ExitCode::SUCCESS } else { process::ExitCode::FAILURE })
}
