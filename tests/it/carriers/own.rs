//! Transports of others: over a command, and older than the operations that they get.

use std::{path::Path, time::Duration};

use switchback::{
    BoxFuture, DirStore, ExitCode, Fleet, Host, HostPath, Layout,
    event::Silent,
    fleet::DeployOptions,
    release::NewRelease,
    testing::WholeReport as _,
    transport::{
        Effect, HookExit, LineSink, LocalTransport, Progress, ShellTransport, Transport, TransportError, Uploaded,
        raw::{Batch, HookCall, Op, Reply, Upload},
        shell::CommandShell,
    },
};
use tempfile::TempDir;

use super::root_of;

/// A local transport that does not know how to mark a process.
#[derive(Debug)]
struct Older(LocalTransport);

impl std::fmt::Display for Older {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Transport for Older {
    fn execute<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Vec<Reply>, TransportError>> {
        Box::pin(async move {
            batch.expect_known(self, |op| !matches!(op, Op::MarkProcess { .. }))?;
            self.0.execute(batch).await
        })
    }

    fn upload<'a>(
        &'a self,
        upload: &'a Upload,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<Uploaded, TransportError>> {
        self.0.upload(upload, progress)
    }

    fn run<'a>(
        &'a self,
        call: &'a HookCall,
        output: &'a dyn LineSink,
    ) -> BoxFuture<'a, Result<HookExit, TransportError>> {
        self.0.run(call, output)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.0.close()
    }
}

fn fleet(transport: impl Transport, root: HostPath) -> Fleet {
    Fleet::new(vec![Host::new("web1", DirStore::new(transport, root, Layout::default()))]).expect("a fleet")
}

fn site() -> NewRelease {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/site/v1");
    let source = source.to_str().expect("a plain path").into();
    NewRelease::open("v1".parse().expect("a name"), source).expect("a release")
}

#[tokio::test]
async fn a_batch_with_an_unknown_operation_runs_not_in_part() {
    let directory = TempDir::new().expect("a directory");
    let mut batch = Batch::new(root_of(&directory));
    batch.push(Op::MakeDir { path: "d".parse().expect("a path"), mode: 0o755, existing_is_fine: false });
    batch.push(Op::MarkProcess { path: "mark".parse().expect("a path") });
    let error = Older(LocalTransport::new()).execute(&batch).await.expect_err("it is not known");
    assert_eq!(error.effect(), Effect::Nothing);
    assert_eq!(error.to_string(), "local is not suitable: its transport does not know the operation MarkProcess");
    assert!(!directory.path().join("d").exists());
}

#[tokio::test]
async fn a_command_that_needs_an_unknown_operation_is_refused() {
    let directory = TempDir::new().expect("a directory");
    let fleet = fleet(Older(LocalTransport::new()), root_of(&directory));
    let report = fleet.deploy(std::sync::Arc::new(site()), &DeployOptions::default(), Silent).report().await;
    assert_eq!(report.exit_code(), ExitCode::REFUSED, "{report:?}");
    assert!(format!("{report:?}").contains("does not know the operation MarkProcess"), "{report:?}");
    assert_eq!(std::fs::read_dir(directory.path()).expect("the root").count(), 0);
}

/// Returns the error of an empty batch over a command.
async fn failure_over(shell: CommandShell) -> TransportError {
    let transport = ShellTransport::new(shell, Duration::from_secs(60));
    let error = transport.execute(&Batch::new("/".parse().expect("a path"))).await.expect_err("no shell");
    transport.close().await;
    error
}

#[tokio::test]
async fn a_command_that_gives_no_shell_is_named_with_its_message() {
    let missing = failure_over(CommandShell::new("no-such-command", ["exec"])).await;
    assert!(matches!(missing, TransportError::Unreachable { .. }), "{missing:?}");
    assert_eq!(missing.to_string(), "cannot reach no-such-command exec");

    let script = "echo 'no such container: web' >&2; exit 1";
    let refused = failure_over(CommandShell::new("sh", ["-c", script]).named("web")).await;
    let why = "web is not suitable: it has no POSIX shell, after printing: no such container: web";
    assert_eq!((refused.to_string().as_str(), refused.effect()), (why, Effect::Nothing));

    let killed = failure_over(CommandShell::new("sh", ["-c", "kill -KILL $$"])).await;
    assert!(matches!(killed, TransportError::Unknown { .. }), "{killed:?}");
}
