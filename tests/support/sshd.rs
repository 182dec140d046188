//! A private sshd on loopback, with its own keys, users and client configuration.
#![expect(clippy::print_stderr, reason = "a test that is skipped says so in words")]

use std::{
    fs, io,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use switchback::{
    Address,
    transport::{SshOptions, SshTransport},
};
use tempfile::TempDir;

/// An sshd that ends, with all its sessions, when it is dropped.
pub(crate) struct Sshd {
    dir: TempDir,
    port: u16,
    child: Child,
}

/// Skips root's own start-up files: they take time, and some take locks that a killed session leaves behind. A
/// configuration with its own `SetEnv` sets `HOME` itself, since only one of two settings counts.
const AS_ROOT: &str = "Match User root\nSetEnv HOME=/nonexistent\n";

const PROGRAM: &str = "/usr/sbin/sshd";

/// Whether an sshd is available. If not, prints that the test is skipped, or fails where an sshd is required.
pub(crate) fn available() -> bool {
    if Path::new(PROGRAM).exists() {
        return true;
    }
    assert!(std::env::var_os("SWITCHBACK_REQUIRE_SSHD").is_none_or(|value| value != "1"), "{PROGRAM} is required");
    eprintln!("skipped: there is no {PROGRAM} on this machine");
    false
}

impl Sshd {
    /// Starts an sshd with `extra` lines of configuration; `None` if none is available.
    pub(crate) fn start(extra: &str) -> Option<Self> {
        available().then(|| Self::started(extra))
    }

    fn started(extra: &str) -> Self {
        // sshd refuses to run without it: Debian creates it when the service starts.
        let _: io::Result<()> = fs::create_dir_all("/run/sshd");
        let dir = TempDir::new().expect("a temporary directory");
        // Logins of other users read their keys here.
        run("chmod", &["755", text(dir.path())]);
        for key in ["host", "user", "other"] {
            let path = dir.path().join(key);
            run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", text(&path)]);
        }
        fs::copy(dir.path().join("user.pub"), dir.path().join("authorized_keys")).expect("keys");
        run("chmod", &["644", text(&dir.path().join("authorized_keys"))]);
        let (port, child) = (0..20).find_map(|_| listening(dir.path(), extra)).expect("sshd listens on some port");
        let started = Self { dir, port, child };
        started.write_client_files();
        started
    }

    fn write_client_files(&self) {
        let host = fs::read_to_string(self.path("host.pub")).expect("the host's key");
        let known = format!("[127.0.0.1]:{port},[localhost]:{port} {host}", port = self.port);
        fs::write(self.path("known hosts"), known).expect("known hosts");
        let config = format!("Host *\nIdentityFile {}\nIdentitiesOnly yes\n", self.path("user").display());
        fs::write(self.path("config file"), config).expect("a configuration");
    }

    /// Returns the path of a file of this sshd or its clients: `known hosts`, `config file`, `user`, `log`.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn address(&self, user: &str) -> Address {
        format!("{user}@127.0.0.1:{}", self.port).parse().expect("an address")
    }

    /// Returns all options that a client needs, independent of the configuration of the user who runs the tests.
    pub(crate) fn options(&self) -> SshOptions {
        let mut options = SshOptions::default();
        options.config = Some(text(&self.path("config file")).into());
        options.known_hosts_file = Some(text(&self.path("known hosts")).into());
        options
    }

    pub(crate) fn transport(&self, user: &str) -> SshTransport {
        SshTransport::over_ssh(self.address(user), self.options())
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        for pid in descendants(self.child.id()) {
            run("kill", &["-KILL", &pid.to_string()]);
        }
        let _: io::Result<()> = self.child.kill();
        let _: io::Result<_> = self.child.wait();
    }
}

/// Returns the processes below `pid`: the sessions of an sshd would outlive it otherwise.
pub(crate) fn descendants(pid: u32) -> Vec<u32> {
    let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children: Vec<u32> = listed.split_whitespace().filter_map(|child| child.parse().ok()).collect();
    children.iter().copied().chain(children.iter().flat_map(|child| descendants(*child))).collect()
}

fn listening(dir: &Path, extra: &str) -> Option<(u16, Child)> {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
    let file = |name: &str| dir.join(name).display().to_string();
    let as_root = if extra.contains("SetEnv") { "" } else { AS_ROOT };
    let config = format!(
        "ListenAddress 127.0.0.1\nPort {port}\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\n\
         PasswordAuthentication no\nMaxStartups 200:30:300\nPidFile none\nPermitRootLogin yes\nLogLevel VERBOSE\n\
         PermitUserEnvironment yes\n{extra}\n{as_root}",
        file("host"),
        file("authorized_keys")
    );
    fs::write(file("sshd_config"), config).expect("a configuration");
    let mut child = Command::new(PROGRAM)
        .args(["-D", "-f", &file("sshd_config"), "-E", &file("log")])
        .stdin(Stdio::null())
        .spawn()
        .expect("sshd starts");
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until && child.try_wait().expect("sshd is ours").is_none() {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Some((port, child));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let _: io::Result<()> = child.kill();
    let _: io::Result<_> = child.wait();
    None
}

/// A user of this machine, removed when dropped. Needs root.
pub(crate) struct User {
    name: String,
    home: TempDir,
}

impl User {
    /// Creates a user with this login shell; `None` if that is impossible here.
    pub(crate) fn new(shell: &str) -> Option<Self> {
        let root = own_uid() == 0;
        if !root || !Path::new(shell).exists() {
            eprintln!("skipped: no user with {shell} (root: {root})");
            return None;
        }
        let home = TempDir::new().expect("a home");
        let short = Path::new(shell).file_name().and_then(|name| name.to_str()).unwrap_or("sh");
        let random: String = switchback::Token::random().as_str().chars().take(8).collect();
        let name = format!("sb-{short}-{random}");
        run("useradd", &["-M", "-N", "-d", text(home.path()), "-s", shell, &name]);
        // An account without a password is locked; with an impossible password, keys still work.
        run("usermod", &["-p", "*", &name]);
        run("chown", &[&name, text(home.path())]);
        Some(Self { name, home })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }
}

impl Drop for User {
    fn drop(&mut self) {
        // By force: a session of the user may be about to end. Other tests may hold the lock on the list of users.
        let removed =
            || Command::new("userdel").args(["-f", &self.name]).output().is_ok_and(|done| done.status.success());
        let gone = (0..100).any(|_| {
            let done = removed();
            if !done {
                std::thread::sleep(Duration::from_millis(50));
            }
            done
        });
        if !gone {
            eprintln!("the user {} could not be removed", self.name);
        }
    }
}

fn own_uid() -> u32 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").expect("proc").uid()
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let harmless = program == "kill";
    assert!(
        output.status.success() || harmless,
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}
