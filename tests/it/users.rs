//! Processes that use a release, as the local transport and every shell see them. FAULTS.md X03.
#![expect(clippy::print_stderr, reason = "a test says what it skipped")]

use crate::support;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use support::{local_shell::LocalShell, mounts};
use switchback::{
    HostPath, Transport,
    transport::{
        LocalTransport, Used, Users,
        raw::{Batch, Op, Reply},
    },
};
use tempfile::TempDir;

/// A process that is killed at the end of the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a process, and returns when it has become the command: `sleep`, which then only waits.
fn start(command: &mut Command) -> Running {
    let child = command.arg("600").stdin(Stdio::null()).spawn().expect("it starts");
    let running = Running(child);
    let comm = format!("/proc/{}/comm", running.0.id());
    while !fs::read_to_string(&comm).is_ok_and(|name| name.trim() == "sleep") {
        std::thread::yield_now();
    }
    running
}

async fn users(transport: &dyn Transport, root: &Path, path: &str) -> Users {
    let root: HostPath = root.to_str().expect("UTF-8").parse().expect("a path");
    let mut batch = Batch::new(root);
    batch.push(Op::FindUsers { path: path.parse().expect("a place") });
    match transport.execute(&batch).await.expect("an answer").pop() {
        Some(Reply::Users(users)) => users,
        other => panic!("{transport}: {other:?}"),
    }
}

/// Finds a `sleep` to copy: those of utility sets are one binary for all commands.
fn sleep_to_copy() -> Option<std::path::PathBuf> {
    ["/usr/bin/sleep", "/bin/sleep"].iter().map(Path::new).find_map(|path| path.canonicalize().ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_uses_a_release_is_found() {
    let dir = TempDir::new().expect("a directory");
    let root = dir.path().canonicalize().expect("a path").join("it's a $root");
    for name in ["works", "runs", "idle", "rooted with blank", "writes", "reads", "mounted"] {
        fs::create_dir_all(root.join("releases").join(name).join("bin")).expect("a directory");
    }
    let Some(sleep) = sleep_to_copy() else { return eprintln!("skipped: there is no sleep") };
    let own = root.join("releases/runs/bin/sleep");
    fs::copy(sleep, &own).expect("a copy");
    fs::set_permissions(&own, fs::Permissions::from_mode(0o755)).expect("a mode");
    let works = start(Command::new("sleep").current_dir(root.join("releases/works/bin")));
    let blank = start(Command::new("sleep").current_dir(root.join("releases/rooted with blank")));
    let runs = start(&mut Command::new(&own));
    let file = |name: &str, writes: bool| {
        let path = root.join("releases").join(name).join("bin/app.log");
        fs::write(&path, "x").expect("a file");
        fs::OpenOptions::new().read(!writes).append(writes).open(path).expect("it is there")
    };
    let writes = start(Command::new("sleep").stdout(file("writes", true)));
    let _reads = start(Command::new("sleep").stdout(Stdio::null()).stderr(file("reads", false)));
    let elsewhere = dir.path().join("elsewhere");
    fs::create_dir(&elsewhere).expect("a directory");
    let mounted = mounts::are_allowed().then(|| {
        let script = "mount --bind \"$0\" \"$1\" && cd \"$1\" && exec sleep \"$2\"";
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", script]).arg(root.join("releases/mounted")).arg(&elsewhere);
        start(&mut command)
    });
    let used = |name: &str, running: &Running| Used { name: name.into(), process: running.0.id() };
    let mut expected: Vec<Used> = mounted.iter().map(|mounted| used("mounted", mounted)).collect();
    expected.extend([used("rooted with blank", &blank), used("runs", &runs)]);
    expected.extend([used("works", &works), used("writes", &writes)]);
    let mut carriers: Vec<(String, Arc<dyn Transport>)> = vec![("local".into(), Arc::new(LocalTransport::new()))];
    carriers.extend(
        LocalShell::all().into_iter().map(|shell| (shell.to_string(), shell.transport() as Arc<dyn Transport>)),
    );
    for (what, carrier) in carriers {
        assert_eq!(users(&*carrier, &root, "releases").await.used, expected, "{what}");
        assert_eq!(users(&*carrier, &root, "releases/idle").await.used, [], "{what}");
        carrier.close().await;
    }
}
