//! A private PostgreSQL: a cluster in a temporary directory, reached by a socket only.
#![expect(clippy::print_stderr, reason = "a test that is skipped says so in words")]

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// The password of its only user, which exists only in the environment of hooks.
pub(crate) const PASSWORD: &str = "open-sesame-of-the-shop";

/// PostgreSQL refuses to run as root; every Debian has `nobody`.
const NOBODY: u32 = 65534;

/// A server that ends, and whose files are removed, when it is dropped.
pub(crate) struct Cluster {
    dir: TempDir,
    server: Child,
}

impl Cluster {
    /// Starts a cluster; `None` if PostgreSQL is not installed.
    pub(crate) fn start() -> Option<Self> {
        let programs = programs()?;
        let dir = TempDir::new().expect("a temporary directory");
        let data = dir.path().join("data");
        let password = dir.path().join("password");
        fs::write(&password, PASSWORD).expect("a file");
        if is_root() {
            for path in [dir.path(), &password] {
                chown(path, Some(NOBODY), Some(NOBODY)).expect("root may");
            }
        }
        let made = unprivileged(&programs.join("initdb"))
            .args(["-U", "shop", "-A", "scram-sha-256", "-E", "UTF8", "--no-locale", "--no-sync", "--pwfile"])
            .args([&password, Path::new("-D"), &data])
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let log = fs::File::create(dir.path().join("log")).expect("a file");
        let server = unprivileged(&programs.join("postgres"))
            .args([Path::new("-D"), &data, Path::new("-k"), dir.path()])
            .args(["-c", "listen_addresses=", "-c", "fsync=off"])
            .stderr(log)
            .spawn()
            .expect("postgres starts");
        let started = Self { dir, server };
        started.wait();
        Some(started)
    }

    fn wait(&self) {
        let until = Instant::now() + Duration::from_secs(60);
        let ready = || self.command("psql").args(["-XAtc", "select 1"]).output().expect("psql runs").status.success();
        while !ready() {
            let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < until, "the server does not answer: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Returns the variables that clients need to reach it, without the password.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let socket = self.dir.path().to_str().expect("a plain path").to_owned();
        vec![("PGHOST", socket), ("PGUSER", "shop".into()), ("PGDATABASE", "postgres".into())]
    }

    /// Returns the variables with the password, as the text of an `env_file`.
    pub(crate) fn secrets(&self) -> String {
        let line = |(name, value): (&str, String)| format!("{name}={value}");
        let lines: Vec<String> = self.environment().into_iter().map(line).collect();
        format!("{}\nPGPASSWORD={PASSWORD}\n", lines.join("\n"))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.envs(self.environment()).env("PGPASSWORD", PASSWORD);
        command
    }

    /// Dumps schema and rows, without the log of the migration scripts.
    pub(crate) fn dump(&self) -> String {
        let output = self.command("pg_dump").arg("--exclude-table=took_effect").output().expect("pg_dump runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        // Each dump has a random key of its own.
        text.lines().filter(|line| !line.contains("restrict ")).fold(String::new(), |all, line| all + line + "\n")
    }

    /// Returns the answer to one query.
    pub(crate) fn ask(&self, query: &str) -> String {
        let output = self.command("psql").args(["-XAtc", query]).output().expect("psql runs");
        assert!(output.status.success(), "{query}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SIGINT: it ends its sessions and its children, and then itself.
        let pid = self.server.id().to_string();
        let told = Command::new("kill").args(["-INT", &pid]).status();
        if !told.is_ok_and(|status| status.success()) || self.server.wait().is_err() {
            eprintln!("the server {pid} could not be ended");
        }
    }
}

/// Finds the server's programs: Debian keeps them off the `PATH`.
fn programs() -> Option<PathBuf> {
    let beside =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = beside.chain(std::env::split_paths(&path)).find(|path| path.join("initdb").exists());
    let clients = ["psql", "pg_dump"].iter().all(|name| Command::new(name).arg("--version").output().is_ok());
    if found.is_none() || !clients {
        eprintln!("skipped: there is no PostgreSQL on this machine");
        return None;
    }
    found
}

fn is_root() -> bool {
    fs::metadata("/proc/self").expect("proc").uid() == 0
}

fn unprivileged(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).current_dir("/");
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}
