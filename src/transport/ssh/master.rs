//! [`Master`]: one SSH connection.

use std::{
    path::PathBuf,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use openssh::Session;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStderr, Command},
    time::{sleep, timeout},
};

use crate::{
    address::Address,
    transport::{
        SshOptions,
        shell::{Channel, ChannelEnd, ShellCommand},
    },
};

use super::{config, control::ControlDirectory, failure::SshFailure, gate, said::Said};

/// How often a connection that the host dropped before it said anything is tried again. An sshd drops some of many
/// that come at once (`MaxStartups`).
const DROPPED_TRIES: u32 = 6;

/// What `ssh` says once it has proven who we are, before it asks for a channel.
const PROVEN: &[u8] = b"Authenticated to ";

/// The most that is kept of what `ssh` says before, in bytes.
const SAID_LIMIT: usize = 64 << 10;

/// How often, and how long each time, the socket of a new connection is waited for.
const SOCKET_TRIES: u32 = 200;
const SOCKET_PAUSE: Duration = Duration::from_millis(5);

/// One SSH connection, held by an `ssh` whose standard streams are its first channel, and the directory of the socket by
/// which it gives more of them. It ends by itself with the last of them, also when this process was killed.
#[derive(Debug)]
pub(super) struct Master {
    session: Arc<Session>,
    socket: PathBuf,
    /// Whether the socket was there once: `ssh` makes it a moment after it has proven who we are.
    listened: AtomicBool,
    // Holds the socket as long as channels are opened by it.
    _directory: Arc<ControlDirectory>,
}

impl Master {
    /// Connects and runs `command`, which takes as often as there are hosts on the way the time that [`SshOptions`]
    /// allow, and as much again for proving who we are. What is written to the channel is sent along with the command.
    ///
    /// # Errors
    ///
    /// [`SshFailure`]: nothing was run.
    pub(super) async fn connect(
        address: &Address,
        options: &SshOptions,
        command: ShellCommand,
    ) -> Result<(Self, Channel), SshFailure> {
        let _turn = gate::turn(address, options).await;
        let mut tries = 0;
        loop {
            match Self::connect_once(address, options, command).await {
                Err(failure) if failure.was_dropped() && tries + 1 < DROPPED_TRIES => {
                    sleep(gate::pause(tries)).await;
                    tries += 1;
                }
                done => return done,
            }
        }
    }

    async fn connect_once(
        address: &Address,
        options: &SshOptions,
        command: ShellCommand,
    ) -> Result<(Self, Channel), SshFailure> {
        let directory = ControlDirectory::new()?;
        let file = directory.path().join("config");
        let text = config::text(address, options)?;
        fs_err::write(&file, text).map_err(|error| SshFailure::local(&error))?;
        let socket = directory.path().join("master");
        let mut ssh = Command::new("ssh");
        // On the command line: in the configuration, which they read too, these would hold for the jump hosts as well.
        ssh.arg("-F").arg(&file).arg("-S").arg(&socket).args([
            "-M",
            "-o",
            "ControlPersist=no",
            "-o",
            "LogLevel=VERBOSE",
        ]);
        if let Some(user) = address.user() {
            ssh.args(["-l", user]);
        }
        if let Some(port) = address.port() {
            ssh.args(["-p", &port.to_string()]);
        }
        if !options.jump.is_empty() {
            ssh.args(["-J", &options.jump.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")]);
        }
        ssh.args(["--", address.host(), &command.line()]);
        ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // What is typed at our terminal to end us is not for it: we end it when the hosts are in order.
        ssh.process_group(0);
        let mut connecting = Connecting(Some(ssh.spawn().map_err(|error| SshFailure::spawn(&error))?));
        let hosts = u32::try_from(options.jump.len()).unwrap_or(u32::MAX).saturating_add(2);
        let allowed = options.connect_timeout.saturating_mul(hosts);
        let stderr = timeout(allowed, connecting.proven()).await.map_err(|_| SshFailure::late())??;
        let directory = Arc::new(directory);
        let channel = channel(connecting.done()?, stderr, directory.clone())?;
        let session = Arc::new(Session::resume_mux(socket.clone().into_boxed_path(), None));
        Ok((Self { session, socket, listened: AtomicBool::new(false), _directory: directory }, channel))
    }

    /// Whether the connection stands; one that does not say so within `limit` does not.
    pub(super) async fn stands(&self, limit: Duration) -> bool {
        timeout(limit, self.session.check()).await.is_ok_and(|checked| checked.is_ok())
    }

    /// The session, to open more channels with, once it can.
    pub(super) async fn session(&self) -> Arc<Session> {
        for _ in 0..SOCKET_TRIES {
            if self.listened.load(Ordering::Relaxed) || self.socket.exists() {
                self.listened.store(true, Ordering::Relaxed);
                break;
            }
            sleep(SOCKET_PAUSE).await;
        }
        self.session.clone()
    }
}

/// An `ssh` that connects, and is killed when nobody waits for that any more.
struct Connecting(Option<Child>);

impl Connecting {
    fn child(&mut self) -> Result<&mut Child, SshFailure> {
        self.0.as_mut().ok_or_else(SshFailure::late)
    }

    /// Waits until it is proven who we are, and gives what `ssh` says from then on.
    async fn proven(&mut self) -> Result<BufReader<ChildStderr>, SshFailure> {
        let child = self.child()?;
        let mut stderr = BufReader::new(child.stderr.take().ok_or_else(SshFailure::late)?);
        let mut said = Vec::new();
        loop {
            let begin = said.len();
            let length = stderr.read_until(b'\n', &mut said).await.map_err(|error| SshFailure::local(&error))?;
            if length == 0 {
                let _: std::io::Result<_> = child.wait().await;
                return Err(SshFailure::from_words(&String::from_utf8_lossy(&said)));
            }
            if said[begin..].starts_with(PROVEN) {
                return Ok(stderr);
            }
            said.drain(..said.len().saturating_sub(SAID_LIMIT));
        }
    }

    /// It is connected, and ends with its last channel.
    fn done(mut self) -> Result<Child, SshFailure> {
        self.0.take().ok_or_else(SshFailure::late)
    }
}

impl Drop for Connecting {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // It has nothing to lose; what remains of it is collected later.
            let _: std::io::Result<()> = child.start_kill();
        }
    }
}

/// The standard streams of `ssh` as a channel, which keeps the directory: an `ssh` that cannot make its socket there ends.
fn channel(
    mut child: Child,
    stderr: BufReader<ChildStderr>,
    directory: Arc<ControlDirectory>,
) -> Result<Channel, SshFailure> {
    let (stdin, stdout) = child.stdin.take().zip(child.stdout.take()).ok_or_else(SshFailure::late)?;
    let end = async move {
        // A status, also 127, is sent by the host after all output; 255 is what `ssh` says when the connection is lost.
        let ended = child.wait().await;
        drop(directory);
        match ended.ok().and_then(|status| status.code()) {
            Some(0..=254) => ChannelEnd::Exited,
            _ => ChannelEnd::Lost,
        }
    };
    Ok(Channel::new(stdin, stdout, Said::new(stderr), end))
}
