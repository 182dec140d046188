//! A fleet of roots on this machine, reached over SSH, and the command that works on it.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use switchback::{
    DirStore, ExitCode, Fleet, Host, HostPath, Layout, ReleaseName, Report,
    event::Silent,
    fleet::{ActivateOptions, DeployOptions, RollbackOptions},
    release::NewRelease,
    testing::WholeReport as _,
    transport::LocalTransport,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{proxy::Proxy, sshd::Sshd};

/// The release before a rollback, and the one after it.
pub(crate) const NEW: &str = "v2";
pub(crate) const OLD: &str = "v1";

/// Creates a directory in memory, where there is such a filesystem and `TMPDIR` is not set.
fn ground() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made =
        if std::env::var_os("TMPDIR").is_none() && memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
    made.expect("a directory")
}

/// Roots on this machine, each with both releases.
pub(crate) struct Roots {
    dir: TempDir,
    count: u8,
    fleet: Fleet,
    runtime: Runtime,
}

impl Roots {
    pub(crate) fn new(count: u8) -> Self {
        let dir = ground();
        let host = |at: u8| {
            let root: HostPath = text(&dir.path().join(format!("root{at}"))).parse().expect("a plain path");
            let name = format!("web{at}");
            Host::new(&name, DirStore::new(LocalTransport::named(&name), root, Layout::default()))
        };
        let fleet = Fleet::new((1..=count).map(host).collect()).expect("a fleet");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let roots = Self { dir, count, fleet, runtime };
        for version in [OLD, NEW] {
            let source = format!("{}/examples/site/{version}", env!("CARGO_MANIFEST_DIR"));
            let release = NewRelease::open(name(version), source.as_ref()).expect("the example site");
            done(
                &roots
                    .runtime
                    .block_on(roots.fleet.deploy(Arc::new(release), &DeployOptions::default(), Silent).report()),
            );
        }
        roots
    }

    /// Returns the directory that holds the roots.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Returns the root of a host, counted from 1.
    pub(crate) fn root(&self, host: u8) -> PathBuf {
        self.dir.path().join(format!("root{host}"))
    }

    /// Makes the new release current again, with the record of its previous release.
    pub(crate) fn forward(&self) {
        done(&self.runtime.block_on(self.fleet.activate(&name(NEW), &ActivateOptions::default(), Silent).report()));
        self.all_on(NEW);
    }

    /// Rolls back with the library, on this machine.
    pub(crate) fn back(&self) {
        done(&self.runtime.block_on(self.fleet.rollback(&RollbackOptions::default(), Silent).report()));
    }

    /// Panics unless every host is on this release.
    pub(crate) fn all_on(&self, version: &str) {
        for host in 1..=self.count {
            let link = fs::read_link(self.root(host).join("current")).expect("a link");
            assert_eq!(link, PathBuf::from(format!("releases/{version}")), "web{host}");
        }
    }
}

/// One sshd, which serves every root at a loopback address of its own, as if they were machines.
pub(crate) struct Site {
    pub(crate) roots: Roots,
    pub(crate) proxies: Vec<Proxy>,
    sshd: Sshd,
    addresses: Vec<SocketAddr>,
}

impl Site {
    /// Creates `count` hosts (at most 16, since an sshd listens on no more addresses), with a wire of `delay` each
    /// way, if any.
    ///
    /// `None` without an sshd on this machine.
    pub(crate) fn new(count: u8, delay: Option<Duration>) -> Option<Self> {
        // The sshd listens on 127.0.0.1 already. Ours treats each address as a host with its own limit on connections.
        let listen: Vec<_> = (2..=count).map(|host| format!("ListenAddress 127.0.0.{host}")).collect();
        let sshd = Sshd::start(&listen.join("\n"))?;
        let direct: Vec<_> = (1..=count).map(|host| SocketAddr::from(([127, 0, 0, host], sshd.port()))).collect();
        let behind = |delay| (1..).zip(&direct).map(|(host, to)| Proxy::start(host, *to, delay)).collect();
        let proxies: Vec<Proxy> = delay.map_or_else(Vec::new, behind);
        let addresses = if proxies.is_empty() { direct } else { proxies.iter().map(Proxy::address).collect() };
        let site = Self { roots: Roots::new(count), proxies, sshd, addresses };
        site.write_files();
        Some(site)
    }

    fn write_files(&self) {
        let key = fs::read_to_string(self.sshd.path("host.pub")).expect("the host's key");
        fs::write(self.sshd.path("known hosts"), format!("* {key}")).expect("known hosts");
        let (config, known) = (self.sshd.path("config file"), self.sshd.path("known hosts"));
        let mut toml = format!("[ssh]\nconfig = {:?}\nknown_hosts_file = {:?}\n", text(&config), text(&known));
        for (host, address) in (1..).zip(&self.addresses) {
            let root = self.roots.root(host);
            let root = text(&root);
            let block = format!("[[host]]\nname = \"web{host}\"\naddress = \"root@{address}\"\nroot = {root:?}\n");
            toml.push_str(&block);
        }
        fs::write(self.roots.dir().join("switchback.toml"), toml).expect("a configuration");
    }

    /// Returns `switchback` with these arguments, not started yet.
    pub(crate) fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
        command.current_dir(self.roots.dir()).args(line).stdin(Stdio::null());
        command.env("XDG_CACHE_HOME", self.roots.dir().join(".cache"));
        command
    }

    /// Rolls back with the command, as released.
    pub(crate) fn back(&self) {
        let output = self.command(&["rollback"]).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs a bare `ssh host true` on every host, all at once, with the options that ours uses.
    pub(crate) fn bare(&self) {
        let started: Vec<Child> = self.addresses.iter().map(|address| self.ssh(*address)).collect();
        for mut child in started {
            assert!(child.wait().expect("it is ours").success(), "a bare ssh failed");
        }
    }

    fn ssh(&self, address: SocketAddr) -> Child {
        let mut ssh = Command::new("ssh");
        ssh.args(self.ssh_options(address)).arg(format!("root@{}", address.ip())).arg("true").stdin(Stdio::null());
        ssh.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("ssh runs")
    }

    /// Returns the options that ours uses.
    fn ssh_options(&self, address: SocketAddr) -> Vec<String> {
        let known = format!("UserKnownHostsFile=\"{}\"", text(&self.sshd.path("known hosts")));
        let (config, port) = (self.sshd.path("config file"), address.port().to_string());
        let options = ["-F", text(&config), "-o", &known, "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes"];
        options.into_iter().chain(["-p", &port]).map(str::to_owned).collect()
    }

    /// Creates a program that is `ssh` with the options that ours uses for the first host; returns it with the
    /// host's name.
    pub(crate) fn ssh_program(&self) -> (PathBuf, String) {
        let (address, program) = (self.addresses[0], self.roots.dir().join("ssh"));
        let options: Vec<String> = self.ssh_options(address).iter().map(|word| format!("'{word}'")).collect();
        fs::write(&program, format!("#!/bin/sh\nexec ssh {} \"$@\"\n", options.join(" "))).expect("a script");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
        (program, format!("root@{}", address.ip()))
    }

    pub(crate) fn turns(&self) -> Vec<u64> {
        self.proxies.iter().map(Proxy::turns).collect()
    }
}

fn name(text: &str) -> ReleaseName {
    text.parse().expect("a name")
}

fn done(report: &Report) {
    assert_eq!(report.exit_code(), ExitCode::DONE, "{report:?}");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}
