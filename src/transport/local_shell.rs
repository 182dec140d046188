//! [`LocalShell`]: the `sh` of this machine, for commands.

use std::{fmt, io, process::Stdio, sync::Arc, time::Duration};

use tokio::process::Command;

use crate::{
    future::BoxFuture,
    transport::{
        HookCall, HookExit, LineSink, TransportError,
        shell::{Channel, ChannelEnd, Shell, ShellCommand, hook},
    },
};

/// The time limit for starting a command.
const HOOK_START: Duration = Duration::from_secs(60);

/// Starts shells on this machine.
#[derive(Debug)]
pub(crate) struct LocalShell(Arc<str>);

impl LocalShell {
    /// Creates a shell with this name for messages.
    pub(crate) fn named(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// Runs a command on this machine, as [`Transport::run`](crate::Transport::run) does.
    ///
    /// Anywhere: a system without `setsid` or `/proc` gets an error that names what it lacks.
    pub(crate) async fn run(self, call: &HookCall, output: &dyn LineSink) -> Result<HookExit, TransportError> {
        hook::run(&self, HOOK_START, call, output).await
    }
}

impl fmt::Display for LocalShell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Starts a shell in its own process group: an interrupt from the terminal is meant for this tool, not for the
/// shell.
fn start(command: ShellCommand) -> io::Result<Channel> {
    let [program, arguments @ ..] = command.arguments() else { return Err(io::ErrorKind::InvalidInput.into()) };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    let end = async move {
        let exited = child.wait().await.is_ok_and(|status| status.code().is_some());
        if exited { ChannelEnd::Exited } else { ChannelEnd::Lost }
    };
    Ok(Channel::new(stdin, stdout, stderr, end))
}

impl Shell for LocalShell {
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
