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
    warden::Warden,
};

/// How often a connection that the host dropped before it said anything is tried again. An sshd drops some of many
/// that come at once (`MaxStartups`).
const DROPPED_TRIES: u32 = 6;

/// What `ssh` says once it has proven who we are, before it asks for a channel.
const PROVEN: &[u8] = b"Authenticated to ";

/// The most that is kept of what `ssh` says before, in bytes.
const SAID_LIMIT: usize = 64 << 10;

/// How long `ssh` may take to tell what its configuration says, once connecting has failed.
const TELLING: Duration = Duration::from_secs(3);

/// Options of the user's that run something, or wait for somebody, and that nothing of ours overrides.
const MAY_HOLD_UP: [&str; 5] =
    ["ProxyCommand", "KnownHostsCommand", "PKCS11Provider", "SecurityKeyProvider", "IdentityAgent"];

/// How often, and how long each time, the socket of a new connection is waited for.
const SOCKET_TRIES: u32 = 200;
const SOCKET_PAUSE: Duration = Duration::from_millis(5);

/// One SSH connection, held by an `ssh` whose standard streams are its first channel, and the directory of the socket by
/// which it gives more of them. It ends by itself with the last of them, also when this process was killed; where the host
/// lets none end, its warden ends it.
#[derive(Debug)]
pub(super) struct Master {
    session: Arc<Session>,
    socket: PathBuf,
    /// Whether the socket was there once: `ssh` makes it a moment after it has proven who we are.
    listened: AtomicBool,
    _held: Arc<Held>,
}

/// What an `ssh` needs as long as it has channels, and may be opened any: without its directory it cannot make its socket,
/// and when its warden is dropped it has some seconds left.
#[derive(Debug)]
struct Held {
    _directory: ControlDirectory,
    _warden: Warden,
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
        // On the command line: in the configuration, which they read too, these would hold for the jump hosts as well.
        ssh.arg("-S").arg(&socket).args(["-M", "-o", "ControlPersist=no", "-o", "LogLevel=VERBOSE"]);
        ssh.args(["--", address.host(), &command.line()]);
        ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let warden = Warden::over(directory.path())?;
        let mut connecting = Connecting(Some(ssh.spawn().map_err(|error| SshFailure::spawn(&error))?));
        warden.watch(connecting.group()?)?;
        let hosts = u32::try_from(options.jump.len()).unwrap_or(u32::MAX).saturating_add(2);
        let allowed = options.connect_timeout.saturating_mul(hosts);
        let stderr = timeout(allowed, connecting.proven()).await.map_err(|_| SshFailure::late())??;
        let held = Arc::new(Held { _directory: directory, _warden: warden });
        let channel = channel(connecting.done()?, stderr, held.clone())?;
        let session = Arc::new(Session::resume_mux(socket.clone().into_boxed_path(), None));
        Ok((Self { session, socket, listened: AtomicBool::new(false), _held: held }, channel))
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

/// An `ssh` to `address` with its configuration, which is written to `directory`.
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
    // What is typed at our terminal to end us is not for it: we end it when the hosts are in order.
    ssh.process_group(0);
    Ok(ssh)
}

/// Options of ours that this machine's `ssh` does not know, as far as it was asked.
static UNKNOWN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn unknown() -> BTreeSet<String> {
    UNKNOWN.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Whether `ssh` said for the first time that it does not know options of ours, and all else in the configuration is fine:
/// then it is tried again without them.
fn learn_unknown(failure: &SshFailure) -> bool {
    let named: Vec<String> = failure.unknown_options().collect();
    let mut known = UNKNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let is_news = named.iter().any(|option| !known.contains(option));
    let ours = !named.is_empty() && named.iter().all(|option| config::may_be_unknown(option));
    known.extend(named.into_iter().filter(|_| ours));
    ours && is_news
}

/// The failure, with the user's options that may be its reason: they cannot be overridden, so they are named.
async fn explained(failure: SshFailure, address: &Address, options: &SshOptions) -> SshFailure {
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
        // A jump host of ours is a ProxyCommand to `ssh`; some defaults are told too.
        value.is_some_and(|value| !matches!(value, "none" | "internal" | "SSH_AUTH_SOCK"))
    };
    let set: Vec<&str> = MAY_HOLD_UP.into_iter().filter(is_set).collect();
    failure.with_options(&set)
}

/// An `ssh` that connects, and is killed when nobody waits for that any more.
struct Connecting(Option<Child>);

impl Connecting {
    /// Its process group: itself, and whatever it starts to get to the host.
    fn group(&self) -> Result<u32, SshFailure> {
        self.0.as_ref().and_then(Child::id).ok_or_else(SshFailure::late)
    }

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
            // No more of one line than is kept: a host may print an endless one.
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

    /// It is connected, and ends with its last channel.
    fn done(mut self) -> Result<Child, SshFailure> {
        self.0.take().ok_or_else(SshFailure::late)
    }
}

impl Drop for Connecting {
    fn drop(&mut self) {
        // It has nothing to lose; what remains of it is collected later. That it is there already is no failure.
        let group = self.0.as_ref().and_then(Child::id).and_then(|id| Pid::from_raw(id.try_into().ok()?));
        if let Some(group) = group {
            let _: rustix::io::Result<()> = kill_process_group(group, Signal::KILL);
        }
    }
}

/// The standard streams of `ssh` as a channel, which holds what it needs.
fn channel(mut child: Child, stderr: BufReader<ChildStderr>, held: Arc<Held>) -> Result<Channel, SshFailure> {
    let (stdin, stdout) = child.stdin.take().zip(child.stdout.take()).ok_or_else(SshFailure::late)?;
    let end = async move {
        // A status, also 127, is sent by the host after all output; 255 is what `ssh` says when the connection is lost.
        let ended = child.wait().await;
        drop(held);
        match ended.ok().and_then(|status| status.code()) {
            Some(0..=254) => ChannelEnd::Exited,
            _ => ChannelEnd::Lost,
        }
    };
    Ok(Channel::new(stdin, stdout, Said::new(stderr), end))
}
