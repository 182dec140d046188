//! [`CommandShell`]: the shells that a command of this machine starts on a host.

use std::{ffi::OsString, fmt, process::Command, sync::Arc, time::Duration};

use crate::{
    future::BoxFuture,
    transport::{HookCall, HookExit, LineSink, TransportError},
};

use super::{
    channel::{Channel, Shell, ShellCommand},
    hook,
};

/// The time limit for starting a command on this machine.
const HOOK_START: Duration = Duration::from_secs(60);

/// Opens shells on a host through a command of this machine, such as `docker exec -i`.
///
/// The command gets the shell's words as its last arguments and must pass them on unchanged, as `docker exec -i`,
/// `kubectl exec -i POD --`, `lxc exec`, `nsenter` and `chroot` do. It must carry the three streams unchanged: no
/// terminal (`-t`). Its standard error is part of the message when it ends without a reply.
///
/// Each channel is a process of its own, in a process group of its own. Dropping a channel ends the standard input of
/// its command and kills nothing, since a batch that has begun runs to its end.
///
/// ```no_run
/// use std::time::Duration;
///
/// use switchback::{
///     DirStore, Fleet, Host, Layout,
///     transport::{ShellTransport, shell::CommandShell},
/// };
///
/// let shell = CommandShell::new("docker", ["exec", "-i", "web"]);
/// let transport = ShellTransport::new(shell, Duration::from_secs(60));
/// let store = DirStore::new(transport, "/srv/shop".parse()?, Layout::default());
/// let fleet = Fleet::new(vec![Host::new("web", store)])?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct CommandShell {
    name: Arc<str>,
    /// The program and its arguments; none on this machine itself.
    words: Vec<OsString>,
    takes_a_line: bool,
    is_far: bool,
}

impl CommandShell {
    /// Creates a shell that runs `program` with `arguments`, and is called by these words in messages.
    pub fn new<A: Into<OsString>>(program: impl Into<OsString>, arguments: impl IntoIterator<Item = A>) -> Self {
        let mut words = vec![program.into()];
        words.extend(arguments.into_iter().map(Into::into));
        let name = words.join(" ".as_ref()).to_string_lossy().into_owned();
        Self { words, ..Self::local(name) }
    }

    /// Creates a shell of this machine itself, with this name for messages.
    pub(crate) fn local(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), words: Vec::new(), takes_a_line: false, is_far: false }
    }

    /// Sets the name of the host in messages.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Passes the shell's words as one argument, quoted for any login shell, as `ssh HOST` and `su USER -c` need it.
    #[must_use]
    pub const fn taking_a_line(mut self) -> Self {
        self.takes_a_line = true;
        self
    }

    /// Declares that the host is across a network, so that uploads are compressed if the host can decompress them.
    #[must_use]
    pub const fn far(mut self) -> Self {
        self.is_far = true;
        self
    }

    /// Runs a command on the host, as [`Transport::run`](crate::Transport::run) does.
    ///
    /// Anywhere: a system without `setsid` or `/proc` gets an error that names what it lacks.
    pub(crate) async fn run(self, call: &HookCall, output: &dyn LineSink) -> Result<HookExit, TransportError> {
        hook::run(&self, HOOK_START, call, output).await
    }

    fn command(&self, shell: ShellCommand) -> Command {
        let line = self.takes_a_line.then(|| shell.line());
        let shell: Vec<&str> = line.as_deref().map_or_else(|| shell.arguments().to_vec(), |line| vec![line]);
        let mut words = self.words.iter().map(OsString::as_os_str).chain(shell.into_iter().map(AsRef::as_ref));
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words);
        command
    }
}

impl fmt::Display for CommandShell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

impl Shell for CommandShell {
    fn open(&self, command: ShellCommand) -> BoxFuture<'_, Result<Channel, TransportError>> {
        Box::pin(async move {
            Channel::start(self.command(command))
                .map_err(|source| TransportError::Unreachable { host: self.to_string(), source: source.into() })
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        // Nothing is kept between two channels.
        Box::pin(async {})
    }

    fn is_far(&self) -> bool {
        self.is_far
    }
}
