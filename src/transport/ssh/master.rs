//! [`Master`]: one SSH connection.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use openssh::Session;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
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

use super::{
    config,
    control::ControlDirectory,
    failure::{SshFailure, SshFailureKind},
    gate,
    said::Said,
    warden::Watch,
};

/// The attempts at a connection that the host drops before the login.
///
/// An sshd drops some of many that arrive at once (`MaxStartups`).
const DROPPED_TRIES: u32 = 6;

/// The message of `ssh` after the login, before it opens a channel.
const PROVEN: &[u8] = b"Authenticated to ";

/// The limit on the output of `ssh` kept before that, in bytes.
const SAID_LIMIT: usize = 64 << 10;

/// The time limit for `ssh` to print its configuration, once connecting has failed.
const TELLING: Duration = Duration::from_secs(3);

/// Options of the user that run a program or wait for a person, and that nothing of ours overrides.
const MAY_HOLD_UP: [&str; 5] =
    ["ProxyCommand", "KnownHostsCommand", "PKCS11Provider", "SecurityKeyProvider", "IdentityAgent"];

/// The attempts, and the pause between them, while waiting for the socket of a new connection.
const SOCKET_TRIES: u32 = 200;
const SOCKET_PAUSE: Duration = Duration::from_millis(5);

/// One SSH connection.
///
/// An `ssh` holds it, whose standard streams are the first channel. Its socket, in a private directory, opens more
/// channels. It ends by itself with the last channel, even when this process was killed; where the host ends none, the
/// warden ends it.
#[derive(Debug)]
pub(super) struct Master {
    session: Arc<Session>,
    socket: PathBuf,
    /// Whether the socket has existed: `ssh` creates it a moment after the login.
    listened: AtomicBool,
    _held: Arc<Held>,
}

/// The resources that an `ssh` needs while it has channels or may open some.
///
/// Without its directory it cannot create its socket, and once it is no longer watched, the warden ends it after some seconds.
#[derive(Debug)]
struct Held {
    _directory: ControlDirectory,
    _watch: Watch,
}

impl Master {
    /// Connects and runs `command`.
    ///
    /// Each host on the path has the time limit of [`SshOptions`], and the login has it once more. Input written to the
    /// channel is sent along with the command.
    ///
    /// # Errors
    ///
    /// [`SshFailure`]: nothing ran.
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
                Err(failure) if learn_unknown(&failure) => {}
                Err(failure) => return Err(explained(failure, address, options).await),
                Ok(done) => return Ok(done),
            }
        }
    }

    async fn connect_once(
        address: &Address,
        options: &SshOptions,
        command: ShellCommand,
    ) -> Result<(Self, Channel), SshFailure> {
        let directory = ControlDirectory::new()?;
        let socket = directory.path().join("master");
        let mut ssh = ssh(address, options, directory.path())?;
        // On the command line, since the jump hosts read the configuration too, and these options must not apply to
        // them.
        ssh.arg("-S").arg(&socket).args(["-M", "-o", "ControlPersist=no", "-o", "LogLevel=VERBOSE"]);
        ssh.args(["--", address.host(), &command.line()]);
        ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut watch = Watch::prepare(directory.path())?;
        let mut connecting = Connecting(Some(ssh.spawn().map_err(|error| SshFailure::spawn(&error))?));
        watch.begin(connecting.group()?)?;
        let hosts = u32::try_from(options.jump.len()).unwrap_or(u32::MAX).saturating_add(2);
        let allowed = options.connect_timeout.saturating_mul(hosts);
        let stderr = timeout(allowed, connecting.proven()).await.map_err(|_| SshFailure::late())??;
        let held = Arc::new(Held { _directory: directory, _watch: watch });
        let channel = channel(connecting.done()?, stderr, held.clone())?;
        let session = Arc::new(Session::resume_mux(socket.clone().into_boxed_path(), None));
        Ok((Self { session, socket, listened: AtomicBool::new(false), _held: held }, channel))
    }

    /// Whether the connection is still open; `false` if the check exceeds `limit`.
    pub(super) async fn stands(&self, limit: Duration) -> bool {
        timeout(limit, self.session.check()).await.is_ok_and(|checked| checked.is_ok())
    }

    /// Returns the session, to open more channels with, once its socket exists.
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

/// Returns an `ssh` to `address` with its configuration, which it writes to `directory`.
fn ssh(address: &Address, options: &SshOptions, directory: &Path) -> Result<Command, SshFailure> {
    let file = directory.join("config");
    let text = config::text(address, options, &unknown(), directory)?;
    fs_err::write(&file, text).map_err(|error| SshFailure::local(&error))?;
    let mut ssh = Command::new("ssh");
    ssh.arg("-F").arg(&file);
    if let Some(user) = address.user() {
        ssh.args(["-l", user]);
    }
    if let Some(port) = address.port() {
        ssh.args(["-p", &port.to_string()]);
    }
    if !options.jump.is_empty() {
        ssh.args(["-J", &options.jump.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")]);
    }
    // An interrupt from our terminal is not for `ssh`: this process ends it once the hosts are in order.
    ssh.process_group(0);
    Ok(ssh)
}

/// Options of ours that this machine's `ssh` has reported as unknown.
static UNKNOWN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn unknown() -> BTreeSet<String> {
    UNKNOWN.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Whether `ssh` reported options of ours as unknown for the first time, and nothing else: then a retry without
/// them is due.
fn learn_unknown(failure: &SshFailure) -> bool {
    let named: Vec<String> = failure.unknown_options().collect();
    let mut known = UNKNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let is_news = named.iter().any(|option| !known.contains(option));
    let ours = !named.is_empty() && named.iter().all(|option| config::may_be_unknown(option));
    known.extend(named.into_iter().filter(|_| ours));
    ours && is_news
}

/// Adds what only the settings tell: options of the user that may be the cause, which cannot be overridden, and where
/// `ssh` looks for an unknown key.
async fn explained(failure: SshFailure, address: &Address, options: &SshOptions) -> SshFailure {
    if failure.kind() == SshFailureKind::UnknownHostKey {
        let ssh = config::by_hand(address, options);
        let accept = format!("if it is right, connect once with `{ssh}`, or set `known_hosts = \"accept-new\"`");
        return failure.advise(accept);
    }
    if !matches!(failure.kind(), SshFailureKind::Late | SshFailureKind::Dropped | SshFailureKind::Other) {
        return failure;
    }
    let Ok(directory) = ControlDirectory::new() else { return failure };
    let Ok(mut ssh) = ssh(address, options, directory.path()) else { return failure };
    ssh.args(["-G", "--", address.host()]).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let Ok(Ok(told)) = timeout(TELLING, ssh.output()).await else { return failure };
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let is_set = |option: &&str| {
        let value = told.lines().find_map(|line| {
            let (name, value) = line.split_once(' ')?;
            name.eq_ignore_ascii_case(option).then_some(value)
        });
        // A jump host of ours is a ProxyCommand to `ssh`, and `ssh` prints some defaults too.
        value.is_some_and(|value| !matches!(value, "none" | "internal" | "SSH_AUTH_SOCK"))
    };
    let set: Vec<&str> = MAY_HOLD_UP.into_iter().filter(is_set).collect();
    failure.with_options(&set)
}

/// An `ssh` that is connecting, killed when dropped.
struct Connecting(Option<Child>);

impl Connecting {
    /// Returns its process group: itself, and every program that it starts to reach the host.
    fn group(&self) -> Result<u32, SshFailure> {
        self.0.as_ref().and_then(Child::id).ok_or_else(SshFailure::late)
    }

    fn child(&mut self) -> Result<&mut Child, SshFailure> {
        self.0.as_mut().ok_or_else(SshFailure::late)
    }

    /// Waits for the login, and returns the rest of the standard error of `ssh`.
    async fn proven(&mut self) -> Result<BufReader<ChildStderr>, SshFailure> {
        let child = self.child()?;
        let mut stderr = BufReader::new(child.stderr.take().ok_or_else(SshFailure::late)?);
        let mut said = Vec::new();
        loop {
            let begin = said.len();
            // Limit a line too: a host may print an endless one.
            let mut line = (&mut stderr).take(SAID_LIMIT as u64);
            let length = line.read_until(b'\n', &mut said).await.map_err(|error| SshFailure::local(&error))?;
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

    /// Returns the connected `ssh`, which ends with its last channel.
    fn done(mut self) -> Result<Child, SshFailure> {
        self.0.take().ok_or_else(SshFailure::late)
    }
}

impl Drop for Connecting {
    fn drop(&mut self) {
        // Nothing is lost with it. The runtime reaps it later. A failure means that it has already ended.
        let group = self.0.as_ref().and_then(Child::id).and_then(|id| Pid::from_raw(id.try_into().ok()?));
        if let Some(group) = group {
            let _: rustix::io::Result<()> = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Returns the standard streams of `ssh` as a channel, which holds the resources that `ssh` needs.
fn channel(mut child: Child, stderr: BufReader<ChildStderr>, held: Arc<Held>) -> Result<Channel, SshFailure> {
    let (stdin, stdout) = child.stdin.take().zip(child.stdout.take()).ok_or_else(SshFailure::late)?;
    let end = async move {
        // The host sends a status, even 127, after all output; `ssh` itself exits with 255 when the connection is
        // lost.
        let ended = child.wait().await;
        drop(held);
        match ended.ok().and_then(|status| status.code()) {
            Some(0..=254) => ChannelEnd::Exited,
            _ => ChannelEnd::Lost,
        }
    };
    Ok(Channel::new(stdin, stdout, Said::new(stderr), end))
}
