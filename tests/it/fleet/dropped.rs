//! Futures that are dropped, observers and hooks that panic, runtimes that end. FAULTS.md K22 to K25.
//!
//! A command runs in a task of its fleet. Whatever becomes of its caller, no lock stays, every host is on the same whole
//! release, and the next command works at once.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use switchback::{
    BoxFuture, DirStore, Error, ErrorKind, Event, ExitCode, Fleet, Host, Layout, Report, RunError, Transport,
    data::{DataMigration, DataVersion},
    event::{Phase, Silent},
    fleet::{Cancel, Code, Direction, RecoverOptions, RollbackOptions, RollbackTarget, RunOptions},
    hook::{Hook, HookShell, Occasion},
    report::Outcome,
    testing::{Cut, Faults, WholeReport as _},
    transport::{
        HookExit, LineSink, Progress, TransportError, Uploaded,
        raw::{Batch, HookCall, Reply, Upload},
    },
};
use tokio::{runtime::Builder, sync::Notify};

use super::{
    fixture::{Hosts, assert_code, deploying, going_back, name, release, wait},
    world::{Local, Memory, World},
};

/// A point of a run, counted in calls to the hosts, at which a test does something.
#[derive(Debug, Clone)]
struct Point(Arc<State>);

#[derive(Debug)]
struct State {
    calls: AtomicUsize,
    /// The call to wait at, counted from 1; 0 for none.
    at: usize,
    /// Whether to wait before the call is made, and not after it.
    before: bool,
    reached: Notify,
    go_on: Notify,
}

impl Point {
    fn new(at: usize, before: bool) -> Self {
        let (calls, reached, go_on) = (AtomicUsize::new(0), Notify::new(), Notify::new());
        Self(Arc::new(State { calls, at, before, reached, go_on }))
    }

    fn calls(&self) -> usize {
        self.0.calls.load(Ordering::Relaxed)
    }

    async fn pass<T>(&self, call: impl Future<Output = T>) -> T {
        let is_here = self.0.calls.fetch_add(1, Ordering::Relaxed) + 1 == self.0.at;
        if is_here && self.0.before {
            self.wait().await;
        }
        let answer = call.await;
        if is_here && !self.0.before {
            self.wait().await;
        }
        answer
    }

    async fn wait(&self) {
        self.0.reached.notify_one();
        self.0.go_on.notified().await;
    }
}

/// A transport that waits at the point.
#[derive(Debug)]
struct Waiting(Arc<dyn Transport>, Point);

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Transport for Waiting {
    fn execute<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Vec<Reply>, TransportError>> {
        Box::pin(self.1.pass(self.0.execute(batch)))
    }

    fn upload<'a>(
        &'a self,
        upload: &'a Upload,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<Uploaded, TransportError>> {
        Box::pin(self.1.pass(self.0.upload(upload, progress)))
    }

    fn run<'a>(
        &'a self,
        call: &'a HookCall,
        output: &'a dyn LineSink,
    ) -> BoxFuture<'a, Result<HookExit, TransportError>> {
        Box::pin(self.1.pass(self.0.run(call, output)))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.0.close()
    }
}

fn fleet<W: World>(world: &W, point: &Point) -> Fleet {
    let host = |at: usize| {
        let transport = Waiting(world.transport(at), point.clone());
        Host::new(format!("web{}", at + 1), DirStore::new(transport, world.root(at), Layout::default()))
    };
    Fleet::new((0..world.hosts()).map(host).collect()).expect("a fleet")
}

/// A command that is dropped, and the releases on which it may leave the hosts.
struct Case {
    what: &'static str,
    run: fn(Fleet) -> BoxFuture<'static, Result<Report, RunError>>,
    /// How the command before it is cut off, if there is one to recover.
    cut: Option<usize>,
    may_end_on: [&'static str; 2],
}

const CASES: [Case; 3] = [
    Case {
        what: "deploy",
        run: |fleet| Box::pin(async move { fleet.deploy(release("new"), &deploying(), Silent).await }),
        cut: None,
        may_end_on: ["b", "new"],
    },
    Case {
        what: "rollback",
        run: |fleet| Box::pin(async move { fleet.rollback(&going_back(RollbackTarget::Steps(1)), Silent).await }),
        cut: None,
        may_end_on: ["b", "a"],
    },
    Case {
        what: "recover",
        run: |fleet| {
            let options = RecoverOptions::new().direction(Direction::Back).run(RunOptions::new().by("jane@laptop"));
            Box::pin(async move { fleet.recover(&options, Silent).await })
        },
        // Between the switch of the two hosts, or near it.
        cut: Some(3),
        may_end_on: ["b", "x"],
    },
];

/// Makes empty hosts.
type Make<'m, W> = &'m dyn Fn() -> W;

impl Case {
    fn prepare<W: World>(&self, make: Make<'_, W>) -> W {
        let world = make();
        for text in ["a", "b"] {
            assert_code(
                &wait(world.fleet(&Cut::never()).deploy(release(text), &deploying(), Silent).report()),
                ExitCode::DONE,
            );
        }
        if let Some(from_end) = self.cut {
            let counting = Cut::never();
            let whole = Self { cut: None, ..*self }.prepare(make);
            assert!(wait(whole.fleet(&counting).deploy(release("x"), &deploying(), Silent)).is_ok());
            let cut = Cut::after(counting.steps() - from_end * 10);
            assert!(wait(world.fleet(&cut).deploy(release("x"), &deploying(), Silent)).is_err());
            world.controller_is_gone();
        }
        world
    }

    /// Drops the command at the point, and checks what it leaves. Returns `false` if it ended before the point.
    fn drop_at<W: World>(&self, make: Make<'_, W>, point: &Point) -> bool {
        let world = self.prepare(make);
        let at = format!("{}, {} call {}", self.what, if point.0.before { "before" } else { "after" }, point.0.at);
        let reached = run(async {
            let fleet = fleet(&world, point);
            let command = (self.run)(fleet.clone());
            let reached = tokio::select! {
                biased;
                () = point.0.reached.notified() => true,
                _ = command => false,
            };
            point.0.go_on.notify_one();
            fleet.close().await;
            reached
        });
        if reached {
            self.check(&world, &at);
        }
        reached
    }

    fn check<W: World>(&self, world: &W, at: &str) {
        let on =
            |host: usize| world.link(host, "current").and_then(|link| Some(link.strip_prefix("releases/")?.to_owned()));
        let current = on(0).unwrap_or_default();
        assert!(self.may_end_on.contains(&current.as_str()), "{at}: it is on {current}");
        for host in 0..world.hosts() {
            assert_eq!(on(host).as_ref(), Some(&current), "{at}: web{}", host + 1);
            let page = world.file(host, &format!("releases/{current}/index.html"));
            assert_eq!(page.as_deref(), Some(current.as_bytes()), "{at}: web{}", host + 1);
            assert!(!world.names(host, ".switchback").contains(&"lock".to_owned()), "{at}: web{} is locked", host + 1);
        }
        let next = run(world.fleet(&Cut::never()).deploy(release("next"), &deploying(), Silent).report());
        assert_code(&next, ExitCode::DONE);
        for host in 0..world.hosts() {
            assert_eq!(on(host).as_deref(), Some("next"), "{at}: web{}", host + 1);
        }
    }

    /// Drops the command at every `step`th point. Returns the number of points.
    fn drop_everywhere<W: World>(&self, make: Make<'_, W>, step: usize) -> usize {
        let counting = Point::new(0, true);
        let world = self.prepare(make);
        assert!(run((self.run)(fleet(&world, &counting))).is_ok(), "{}", self.what);
        let points = (1..=counting.calls()).flat_map(|call| [Point::new(call, true), Point::new(call, false)]);
        points.step_by(step).filter(|point| self.drop_at(make, point)).count()
    }
}

/// Runs a future to its end, with all that SSH needs.
fn run<F: Future>(future: F) -> F::Output {
    Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// Commands dropped before and after each call to a host. FAULTS.md K22.
#[test]
fn a_dropped_future_leaves_no_lock_and_one_whole_release() {
    let points: usize = CASES.iter().map(|case| case.drop_everywhere(&|| Memory::new(2), 1)).sum();
    assert!(points >= 50, "only {points} points");
    let points: usize = CASES.iter().map(|case| case.drop_everywhere(&|| Local::new(2), 1)).sum();
    assert!(points >= 50, "only {points} points");
}

/// The same over SSH, at some of the points. FAULTS.md K22.
#[cfg(feature = "ssh")]
#[test]
fn a_dropped_future_leaves_no_lock_over_ssh() {
    drop_over_ssh(9);
}

#[cfg(feature = "ssh")]
#[test]
#[ignore = "long: every point, over SSH"]
fn a_dropped_future_leaves_no_lock_anywhere_over_ssh() {
    drop_over_ssh(1);
}

#[cfg(feature = "ssh")]
fn drop_over_ssh(step: usize) {
    let Some(sshd) = crate::support::sshd::Sshd::start("").map(Arc::new) else { return };
    let make = || super::world::OverSsh::through(Arc::clone(&sshd), 2);
    let points: usize = CASES.iter().map(|case| case.drop_everywhere(&make, step)).sum();
    assert!(points >= 50 / step, "only {points} points");
}

/// A deploy whose caller gave up after a time, and whose hook sees that. FAULTS.md K22.
#[test]
fn a_timeout_reverts_a_deploy() {
    let hosts = Hosts::new(2).deployed(&["a"]);
    let options = deploying().code(Code::new().after_switch(Arc::new(Patient)));
    super::fixture::wait_paused(async {
        let fleet = hosts.fleet();
        let deploy = fleet.deploy(release("b"), &options, Silent);
        assert!(tokio::time::timeout(Duration::from_secs(1), deploy).await.is_err());
        fleet.close().await;
    });
    hosts.all_on("a");
    hosts.clean();
    assert_code(&hosts.deploy("c"), ExitCode::DONE);
}

/// A hook that waits until the command is stopped. In an undo it would wait for ever if the stop were shown there.
#[derive(Debug)]
struct Patient;

impl Hook for Patient {
    fn run<'a>(&'a self, at: &'a Occasion, _: &'a mut dyn HookShell) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async {
            if at.release != name("b") {
                return if at.cancel.is_requested() { Err(stopped()) } else { Ok(()) };
            }
            at.cancel.requested().await;
            Err(stopped())
        })
    }
}

fn stopped() -> Error {
    Error::new(ErrorKind::HookFailed, "it was asked to stop")
}

/// A task aborted after the switch. FAULTS.md K22.
#[test]
fn an_aborted_task_reverts_its_command() {
    let hosts = Hosts::new(2).deployed(&["a"]);
    let options = deploying().code(Code::new().after_switch(Arc::new(Patient)));
    run(async {
        let fleet = hosts.fleet();
        let switched = Arc::new(Notify::new());
        let (own, seen) = (fleet.clone(), Arc::clone(&switched));
        let task = tokio::spawn(async move {
            let observer = move |event: &Event| {
                if matches!(event, Event::Phase { phase: Phase::AfterSwitch, .. }) {
                    seen.notify_one();
                }
            };
            own.deploy(release("b"), &options, observer).await
        });
        switched.notified().await;
        task.abort();
        assert!(task.await.is_err_and(|ended| ended.is_cancelled()));
        fleet.close().await;
    });
    hosts.all_on("a");
    hosts.clean();
}

/// Two commands with the same handle, one of them dropped. FAULTS.md K22.
#[test]
fn a_dropped_future_stops_no_other_command() {
    let (hosts, others) = (Hosts::new(1).deployed(&["a"]), Hosts::new(1).deployed(&["a"]));
    let cancel = Cancel::new();
    let call = switchback::fleet::Call::new().cancel(&cancel);
    run(async {
        let fleet = hosts.fleet();
        drop(fleet.deploy(release("b"), &deploying(), call.clone()).now_or_never());
        fleet.close().await;
        assert!(!cancel.is_requested());
        assert!(others.fleet().deploy(release("b"), &deploying(), call).await.is_ok());
    });
    others.all_on("b");
}

/// A panic in each phase. FAULTS.md K23.
#[test]
fn a_panic_of_an_observer_reverts_and_goes_on_in_the_caller() {
    for phase in [Phase::Ask, Phase::Stage, Phase::Lock, Phase::Prepare, Phase::Switch, Phase::Finish] {
        let hosts = Hosts::new(2).deployed(&["a"]);
        let observer = move |event: &Event| {
            assert!(!matches!(event, Event::Phase { phase: begun, .. } if *begun == phase), "on purpose");
        };
        let deployed =
            catch_unwind(AssertUnwindSafe(|| wait(hosts.fleet().deploy(release("b"), &deploying(), observer))));
        let panic = deployed.expect_err("the observer panicked");
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"on purpose"), "{phase:?}");
        hosts.all_on(if phase == Phase::Finish { "b" } else { "a" });
        assert!(hosts.0.iter().all(|host| !host.exists(&super::fixture::at(".switchback/lock"))), "{phase:?}");
        assert_code(&hosts.deploy("c"), ExitCode::DONE);
        hosts.clean();
    }
}

/// A hook and a migration that panic for `b`.
#[derive(Debug)]
struct Panicking;

impl Hook for Panicking {
    fn run<'a>(&'a self, at: &'a Occasion, _: &'a mut dyn HookShell) -> BoxFuture<'a, Result<(), Error>> {
        assert!(at.release != name("b"), "out of cheese");
        Box::pin(async { Ok(()) })
    }
}

impl DataMigration for Panicking {
    fn version<'a>(&'a self, _: &'a Occasion, _: &'a mut dyn HookShell) -> BoxFuture<'a, Result<DataVersion, Error>> {
        Box::pin(async { Ok(DataVersion::new("1").expect("a version")) })
    }

    fn apply<'a>(&'a self, _: &'a Occasion, _: &'a mut dyn HookShell) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async { panic!("out of cheese") })
    }

    fn revert<'a>(
        &'a self,
        _: &'a Occasion,
        _: &'a DataVersion,
        _: &'a mut dyn HookShell,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }
}

/// A panic in each piece of the caller's own code. FAULTS.md K23.
#[test]
fn a_panic_of_a_hook_or_a_migration_is_its_failure() {
    type Add = fn(Code) -> Code;
    let changes: [(Add, &str, ErrorKind, Outcome); 4] = [
        (
            |code| code.prepare(Arc::new(Panicking)),
            "the hook `prepare` on web1",
            ErrorKind::HookFailed,
            Outcome::Failed,
        ),
        (
            |code| code.after_switch(Arc::new(Panicking)),
            "the hook `after_switch` on web1",
            ErrorKind::HookFailed,
            Outcome::PutBack,
        ),
        (
            |code| code.validate(Arc::new(Panicking)),
            "the hook `validate` on web1",
            ErrorKind::HookFailed,
            Outcome::PutBack,
        ),
        (
            |code| code.migration(Arc::new(Panicking)),
            "the migration of the data",
            ErrorKind::DataFailed,
            Outcome::Failed,
        ),
    ];
    for (add, what, kind, outcome) in changes {
        let hosts = Hosts::new(2).deployed(&["a"]);
        let options = deploying().code(add(Code::new()));
        let error = wait(hosts.fleet().deploy(release("b"), &options, Silent)).expect_err("it panicked");
        let found = error.report().error.as_ref().map(|error| error.message.clone()).unwrap_or_default();
        assert!(found.contains("panicked: out of cheese") && found.contains(what), "{found}");
        assert_eq!((error.kind(), error.outcome()), (kind, outcome), "{found}");
        hosts.all_on("a");
        assert_code(&hosts.deploy("c"), ExitCode::DONE);
    }
}

/// A runtime dropped after each call to a host, in a process that lives on. FAULTS.md K24.
#[test]
fn a_runtime_that_ends_leaves_locks_that_are_taken_over() {
    let make = || Local::new(2);
    let counting = Point::new(0, true);
    let world = CASES[0].prepare(&make);
    assert!(run((CASES[0].run)(fleet(&world, &counting))).is_ok());
    for call in 1..=counting.calls() {
        let world = CASES[0].prepare(&make);
        let point = Point::new(call, false);
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let command = runtime.spawn((CASES[0].run)(fleet(&world, &point)));
        runtime.block_on(point.0.reached.notified());
        drop(runtime);
        assert!(run(command).is_err_and(|ended| ended.is_cancelled()));
        let options = RecoverOptions::new().direction(Direction::Safest).run(RunOptions::new().by("jane@laptop"));
        let at = format!("after call {call}");
        let recovered = run(world.fleet(&Cut::never()).recover(&options, Silent).report());
        assert_code(&recovered, ExitCode::DONE);
        CASES[0].check(&world, &at);
        for place in ["live", "tmp", "staging", "journal", "trash"] {
            let left = world.names(0, &format!(".switchback/{place}"));
            assert!(left.is_empty(), "{at}: {left:?} in {place}");
        }
    }
}

/// A command polled by something else than Tokio. FAULTS.md K25.
#[test]
fn without_a_runtime_a_command_is_refused() {
    let hosts = Hosts::new(1).deployed(&["a"]);
    let fleet = hosts.fleet();
    let options = RollbackOptions::default();
    let refused = [
        fleet.deploy(release("b"), &deploying(), Silent).now_or_never(),
        fleet.rollback(&options, Silent).now_or_never(),
        fleet.status(Silent).now_or_never(),
    ];
    for refused in refused {
        let error = refused.expect("at once").expect_err("there is no runtime");
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Internal, Outcome::Error));
        assert!(error.to_string().contains("need a Tokio runtime; nothing was touched"), "{error}");
    }
    hosts.all_on("a");
}

/// The error of a command has its whole report, and its reasons as values.
#[test]
fn an_error_has_the_report_and_the_chain_of_reasons() {
    let world = Memory::new(2);
    let host = |at: usize, cut: Cut| {
        let transport = Faults::new(world.transport(at), cut);
        Host::new(format!("web{}", at + 1), DirStore::new(transport, world.root(at), Layout::default()))
    };
    let fleet = Fleet::new(vec![host(0, Cut::never()), host(1, Cut::after(0))]).expect("a fleet");
    let error = wait(fleet.deploy(release("b"), &deploying(), Silent)).expect_err("web2 is away");
    assert_eq!((error.kind(), error.report().hosts.len()), (ErrorKind::Unreachable, 2));
    let message = error.report().error.as_ref().map(ToString::to_string).expect("it says why");
    let mut told = error.to_string();
    let mut reason = std::error::Error::source(&error);
    assert!(reason.is_some(), "{told}");
    while let Some(why) = reason {
        told = format!("{told}: {why}");
        reason = why.source();
    }
    assert_eq!(told, message);
    let status = wait(fleet.status(Silent)).expect_err("web2 is away");
    assert!(status.report().hosts[0].status.is_some() && status.report().hosts[1].status.is_none());
    assert_eq!(Report::from(status).exit_code(), ExitCode::REFUSED);
}
