//! The processes that a rollback starts on a host reached through a shell, counted.
#![expect(clippy::print_stderr, reason = "a test that is skipped says so in words")]

use crate::support;

use std::{fs, path::Path, sync::Arc};

use support::local_shell::LocalShell;
use switchback::{
    DirStore, ExitCode, Fleet, Host, HostPath, Layout, Report, Transport,
    event::Silent,
    fleet::{DeployOptions, RollbackOptions},
    release::NewRelease,
    testing::WholeReport as _,
    transport::LocalTransport,
};
use tempfile::TempDir;

fn fleet(root: &Path, transport: impl Transport) -> Fleet {
    let root: HostPath = root.to_str().and_then(|path| path.parse().ok()).expect("a plain path");
    Fleet::new(vec![Host::new("web1", DirStore::new(transport, root, Layout::default()))]).expect("a fleet")
}

fn done(report: &Report) {
    assert_eq!(report.exit_code(), ExitCode::DONE, "{report:?}");
}

/// Returns the `strace` log of a rollback on its host.
async fn rollback_through(shell: LocalShell) -> String {
    let dir = TempDir::new().expect("a directory");
    let (root, log) = (dir.path().join("root"), dir.path().join("log"));
    for version in ["v1", "v2"] {
        let source = format!("{}/examples/site/{version}", env!("CARGO_MANIFEST_DIR"));
        let release = NewRelease::open(version.parse().expect("a name"), source.as_ref()).expect("a release");
        let local = fleet(&root, LocalTransport::new());
        done(&local.deploy(Arc::new(release), &DeployOptions::default(), Silent).report().await);
    }
    let calls = "trace=clone,clone3,fork,vfork,execve";
    let file = log.to_str().expect("a plain path");
    let shell = shell.wrapped(&["/usr/bin/strace", "-f", "-qq", "-s", "4096", "-e", calls, "-o", file]);
    let through = fleet(&root, shell.transport());
    done(&through.rollback(&RollbackOptions::default(), Silent).report().await);
    through.close().await;
    assert_eq!(fs::read_link(root.join("current")).expect("a link"), Path::new("releases/v1"));
    fs::read_to_string(&log).expect("what strace saw")
}

/// Processes dominate the time of a rollback on a near network: some 1 to 4 ms each.
#[tokio::test]
async fn a_rollback_starts_few_processes() {
    if !Path::new("/usr/bin/strace").exists() {
        eprintln!("skipped: there is no strace on this machine");
        return;
    }
    for shell in LocalShell::some() {
        let name = shell.to_string();
        let log = rollback_through(shell).await;
        // The first is the shell itself.
        let programs = log.lines().filter(|line| line.contains("execve(\"") && !line.contains("ENOENT")).count() - 1;
        let made = |line: &&str| ["clone", "fork"].iter().any(|call| line.contains(call)) && !line.contains("resumed");
        let forks = log.lines().filter(made).count();
        eprintln!("{name}: {programs} programs, {forks} processes");
        // A `find` that cannot print takes more.
        let (most_programs, most) = match &*name {
            _ if name.ends_with("busybox") => (41, 58),
            _ if name.starts_with("bash") => (34, 61),
            _ => (34, 44),
        };
        assert!(programs <= most_programs, "{name}: {programs} programs:\n{log}");
        assert!(forks <= most, "{name}: {forks} processes:\n{log}");
    }
}
