//! Hosts made of a shell and a set of utilities, on this machine and without SSH.

use std::{
    fmt, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process,
    sync::{Arc, OnceLock},
    time::Duration,
};

use switchback::{
    BoxFuture,
    transport::{
        ShellTransport, TransportError,
        shell::{Channel, Shell, ShellCommand},
    },
};

/// A host with a given shell as `sh`, and the utilities of one directory.
#[derive(Debug, Clone)]
pub(crate) struct LocalShell {
    name: String,
    path: String,
    environment: Vec<(String, String)>,
    /// A command that runs `sh`, e.g. `strace -o FILE`.
    wrapper: Vec<String>,
    /// Whether it counts as a remote host, which is the default.
    is_far: bool,
}

/// Returns the directory of the link directories, which exists as long as the tests run.
fn bench() -> &'static Path {
    static BENCH: OnceLock<PathBuf> = OnceLock::new();
    BENCH.get_or_init(|| {
        sweep();
        let directory = std::env::temp_dir().join(format!("{PREFIX}{}", process::id()));
        std::fs::create_dir_all(&directory).expect("a temporary directory");
        directory
    })
}

/// The prefix of such a directory, before the process ID of the tests that made it.
const PREFIX: &str = "switchback-shells-";

/// Removes the directories of test processes that have ended, since nothing runs at the end of a test process.
fn sweep() {
    for entry in std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            // Another test process may remove it at the same time.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn found(program: &str) -> Option<PathBuf> {
    ["/bin", "/usr/bin"].iter().map(|dir| Path::new(dir).join(program)).find(|path| path.exists())
}

/// Returns a directory in which `sh` is `shell` (`busybox` is its `sh` applet).
fn shell_directory(shell: &str) -> Option<PathBuf> {
    let directory = bench().join(format!("sh-{shell}"));
    let program = found(shell)?;
    std::fs::create_dir_all(&directory).expect("a directory");
    already_fine(&symlink(program, directory.join("sh")));
    Some(directory)
}

/// Returns a directory of links to the applets of `busybox` or `toybox`.
fn tool_directory(box_name: &str) -> Option<PathBuf> {
    let directory = bench().join(box_name);
    let program = found(box_name)?;
    std::fs::create_dir_all(&directory).expect("a directory");
    let list = process::Command::new(&program).args((box_name == "busybox").then_some("--list")).output().ok()?;
    for applet in String::from_utf8_lossy(&list.stdout).split_whitespace().filter(|applet| *applet != "sh") {
        already_fine(&symlink(&program, directory.join(applet)));
    }
    Some(directory)
}

fn already_fine(made: &io::Result<()>) {
    assert!(made.as_ref().err().is_none_or(|error| error.kind() == io::ErrorKind::AlreadyExists), "{made:?}");
}

impl LocalShell {
    /// A host with `shell` as `sh` and `tools` (`gnu`, `busybox` or `toybox`); `None` if this machine lacks one of
    /// them.
    pub(crate) fn new(shell: &str, tools: &str) -> Option<Self> {
        let shell_directory = shell_directory(shell)?;
        let tool_directory = if tools == "gnu" { "/usr/bin:/bin".into() } else { tool_directory(tools)? };
        Some(Self {
            name: format!("{shell} with {tools}"),
            path: format!("{}:{}", shell_directory.display(), tool_directory.display()),
            environment: Vec::new(),
            wrapper: Vec::new(),
            is_far: true,
        })
    }

    /// Removes these programs from a GNU host.
    pub(crate) fn lacking(mut self, programs: &[&str]) -> Self {
        let directory = bench().join(format!("without-{}", programs.join("-")));
        std::fs::create_dir_all(&directory).expect("a directory");
        for entry in std::fs::read_dir("/usr/bin").into_iter().chain(std::fs::read_dir("/bin")).flatten().flatten() {
            if !programs.iter().any(|program| entry.file_name() == *program) {
                already_fine(&symlink(entry.path(), directory.join(entry.file_name())));
            }
        }
        let sh = self.path.split(':').next().expect("a shell's directory");
        self.path = format!("{sh}:{}", directory.display());
        self.name = format!("{} without {}", self.name, programs.join(" and "));
        self
    }

    /// Puts the programs in `directory` before all others.
    pub(crate) fn preferring(mut self, directory: &Path) -> Self {
        let (sh, tools) = self.path.split_once(':').expect("two directories at least");
        self.path = format!("{sh}:{}:{tools}", directory.display());
        self
    }

    /// Returns every combination that this machine has.
    pub(crate) fn all() -> Vec<Self> {
        let shells = ["dash", "bash", "busybox", "mksh", "zsh"];
        let combined = |shell| ["gnu", "busybox", "toybox"].map(|tools| Self::new(shell, tools));
        shells.into_iter().flat_map(combined).flatten().collect()
    }

    /// Returns combinations that cover every shell and every set of utilities at least once.
    pub(crate) fn some() -> Vec<Self> {
        let plain = |shell: &Self| shell.name.ends_with("gnu") || shell.name.starts_with("dash");
        Self::all().into_iter().filter(plain).collect()
    }

    /// Returns the search path of its `sh` and its utilities.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    pub(crate) fn wrapped(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    pub(crate) fn near(mut self) -> Self {
        self.is_far = false;
        self
    }

    pub(crate) fn transport(&self) -> Arc<ShellTransport<Self>> {
        self.transport_within(Duration::from_secs(60))
    }

    pub(crate) fn transport_within(&self, deadline: Duration) -> Arc<ShellTransport<Self>> {
        Arc::new(ShellTransport::new(self.clone(), deadline))
    }

    fn start(&self, command: ShellCommand) -> io::Result<Channel> {
        let words: Vec<String> =
            self.wrapper.iter().cloned().chain(command.arguments().iter().map(|word| (*word).to_owned())).collect();
        let program = if self.wrapper.is_empty() { self.sh() } else { PathBuf::from(&words[0]) };
        let mut sh = process::Command::new(program);
        sh.args(&words[1..]).env("PATH", &self.path).envs(self.environment.iter().cloned());
        Channel::start(sh)
    }

    fn sh(&self) -> PathBuf {
        Path::new(self.path.split(':').next().expect("a shell's directory")).join("sh")
    }
}

impl fmt::Display for LocalShell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Shell for LocalShell {
    fn open(&self, command: ShellCommand) -> BoxFuture<'_, Result<Channel, TransportError>> {
        Box::pin(async move {
            self.start(command)
                .map_err(|source| TransportError::Unreachable { host: self.to_string(), source: source.into() })
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    fn is_far(&self) -> bool {
        self.is_far
    }
}
