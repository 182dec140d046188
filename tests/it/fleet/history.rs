//! The history: bounded, complete at its newest end, and readable with torn lines.

use std::sync::Arc;

use switchback::{
    BoxFuture, DirStore, ExitCode, Fleet, Host, Layout, Report,
    commands::Commands,
    event::{Phase, Silent},
    fleet::{Call, Cancel, DeployOptions, Direction, RecoverOptions, RollbackTarget, RunOptions},
    history::HistoryEntry,
    lock::LockOwner,
    report::{Command, HostOutcome, Outcome, PhaseTime},
    store::ReleaseStore,
    testing::{Cut, Faults, Recording, WholeReport as _},
    transport::{
        HookEnd, HookExit, LineSink, MemoryHost, MemoryTransport, Progress, Transport, TransportError, Uploaded,
        raw::{Batch, HookCall, Op, Reply, Upload},
    },
};

use super::{
    fixture::{Hosts, ROOT, assert_code, at, deploying, going_back, name, release, wait},
    world::{Local, Memory, World},
};

fn told(hosts: &Hosts) -> (Vec<HistoryEntry>, Vec<String>) {
    let report = hosts.history();
    let host = &report.hosts[0];
    let entries = host.status.as_ref().and_then(|has| has.history.clone()).expect("a history");
    (entries, host.warnings.iter().map(ToString::to_string).collect())
}

/// The report and the history have the time of each phase.
#[test]
fn the_phases_of_an_operation_have_their_times() {
    let hosts = Hosts::new(1).deployed(&["a"]);
    let report = hosts.deploy("b");
    let phases = |times: &[PhaseTime]| times.iter().map(|time| time.phase).collect::<Vec<_>>();
    let expected = [Phase::Ask, Phase::Stage, Phase::Lock, Phase::Prepare, Phase::Switch, Phase::Finish];
    assert_eq!(phases(&report.phases), expected);
    assert_eq!(phases(&told(&hosts).0[0].phases), expected);
}

#[test]
fn a_long_history_is_moved_aside_and_still_told() {
    let hosts = Hosts::new(1).deployed(&["a"]);
    let line = hosts.0[0].read(&at(".switchback/history")).expect("a history");
    let many = (1 << 20) / line.len() + 1;
    hosts.0[0].write(&at(".switchback/history"), line.repeat(many));
    let hosts = hosts.deployed(&["b"]);
    assert_eq!(hosts.0[0].read(&at(".switchback/older/history")).map(|older| older.len()), Some(line.len() * many));
    let (entries, warnings) = told(&hosts);
    assert_eq!((entries.len(), warnings.len()), (many + 1, 0));
    assert_eq!(entries[0].to.as_ref().map(ToString::to_string).as_deref(), Some("b"), "the newest comes first");
    // Only the history that was moved before is removed.
    hosts.0[0].write(&at(".switchback/history"), line.repeat(many));
    let hosts = hosts.deployed(&["c", "d"]);
    assert_eq!(told(&hosts).0.len(), many + 2);
    hosts.clean();
}

#[test]
fn a_torn_line_is_counted_and_loses_no_other() {
    let hosts = Hosts::new(1).deployed(&["a"]);
    let mut content = hosts.0[0].read(&at(".switchback/history")).expect("a history");
    content.extend_from_slice(br#"{"format":1,"oper"#);
    hosts.0[0].write(&at(".switchback/history"), content);
    assert_code(&hosts.deploy("b"), ExitCode::DONE);
    let (entries, warnings) = told(&hosts);
    assert_eq!(entries.len(), 2);
    assert_eq!(warnings, ["1 torn or unreadable lines in the history"]);
}

/// Returns the outcome of the newest operation of each host.
fn newest(report: &Report) -> Vec<(Command, Outcome, Option<String>)> {
    let newest = report.hosts.iter().filter_map(|host| host.status.as_ref()?.history.as_ref()?.first());
    newest.map(|entry| (entry.command, entry.outcome, entry.to.as_ref().map(ToString::to_string))).collect()
}

fn preparing() -> DeployOptions {
    let mut options = deploying();
    let mut commands = Commands::default();
    commands.prepare = Some("prepare".to_owned());
    options = options.commands(commands);
    options
}

#[test]
fn what_failed_before_the_switch_is_told() {
    let hosts = Hosts::new(2).deployed(&["a"]);
    hosts.0[1].on_hook(|_| HookExit::new(HookEnd::Exited(1), "", ""));
    let report = wait(hosts.fleet().deploy(release("b"), &preparing(), Silent).report());
    assert_eq!(report.outcome, Outcome::Failed);
    let failed = (Command::Deploy, Outcome::Failed, Some("b".to_owned()));
    assert_eq!(newest(&hosts.history()), [failed.clone(), failed]);
    hosts.clean();
}

#[test]
fn what_was_interrupted_before_any_lock_was_taken_is_told() {
    let hosts = Hosts::new(2).deployed(&["a"]);
    let cancel = Cancel::new();
    cancel.request();
    let call = Call::new().cancel(&cancel);
    let report = wait(hosts.fleet().deploy(release("b"), &deploying(), call).report());
    assert_code(&report, ExitCode::INTERRUPTED);
    let interrupted = (Command::Deploy, Outcome::Interrupted, Some("b".to_owned()));
    assert_eq!(newest(&hosts.history()), [interrupted.clone(), interrupted]);
    hosts.all_on("a");
}

/// Deploys `text`, up to `cut`.
fn killed<W: World>(world: &W, cut: &Cut, text: &str) -> Report {
    let options = deploying().allow_split(true);
    wait(world.fleet(cut).deploy(release(text), &options, Silent).report())
}

fn recover(fleet: &Fleet) -> Report {
    wait(
        fleet
            .recover(
                &RecoverOptions::new().direction(Direction::Safest).run(RunOptions::new().by("jane@laptop")),
                Silent,
            )
            .report(),
    )
}

/// Returns the owner files of the uploads on a host.
fn owners<W: World>(world: &W, host: usize) -> Vec<String> {
    let uploads = world.names(host, ".switchback/staging").into_iter();
    uploads
        .map(|upload| format!(".switchback/staging/{upload}/owner"))
        .filter(|owner| world.file(host, owner).is_some())
        .collect()
}

/// Whether a host has traces of a killed deploy that tell its target: its upload, or its intent.
fn has_begun<W: World>(world: &W, host: usize) -> bool {
    let mut held = world.names(host, ".switchback/lock").into_iter();
    let intent = |token: String| world.file(host, &format!(".switchback/lock/{token}/intent"));
    !owners(world, host).is_empty() || held.any(|token| intent(token).is_some())
}

/// Returns the deploys of `text` in the history file of a host.
fn lines<W: World>(world: &W, host: usize, text: &str) -> Vec<(Outcome, HostOutcome, Option<String>)> {
    let content = world.file(host, ".switchback/history").unwrap_or_default();
    let entry = |line: &[u8]| serde_json::from_slice::<HistoryEntry>(line).expect("a line");
    let entries = content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(entry);
    let is_it = |entry: &HistoryEntry| entry.command == Command::Deploy && entry.to == Some(name(text));
    let said = |entry: HistoryEntry| (entry.outcome, entry.host, entry.from.map(|from| from.to_string()));
    entries.filter(is_it).map(said).collect()
}

/// A killed run is reported until it is settled, and recorded exactly once by the run that settles it. Tests the
/// kill after every `stride`th step.
fn is_told<W: World>(hosts: usize, stride: usize, next: impl Fn(&Fleet) -> Report) {
    let prepared = || {
        let world = W::new(hosts);
        assert_code(&killed(&world, &Cut::never(), "o"), ExitCode::DONE);
        world
    };
    let counting = Cut::never();
    assert_code(&killed(&prepared(), &counting, "a"), ExitCode::DONE);
    let (mut told, mut of_uploads) = (0, 0);
    for k in (0..counting.steps()).step_by(stride) {
        let world = prepared();
        let _ = killed(&world, &Cut::after(k), "a");
        world.controller_is_gone();
        let begun: Vec<bool> = (0..hosts).map(|host| has_begun(&world, host)).collect();
        let is_upload = !(0..hosts).any(|host| world.names(host, ".switchback").contains(&"lock".to_owned()));
        let open = wait(world.fleet(&Cut::never()).history(Silent).report());
        for (host, begun) in begun.iter().enumerate() {
            let history = open.hosts[host].status.as_ref().and_then(|has| has.history.as_ref());
            let newest = history.and_then(|entries| entries.first()).expect("an entry");
            let is_open = newest.outcome == Outcome::Interrupted && newest.to == Some(name("a"));
            assert_eq!(is_open, *begun && lines(&world, host, "a").is_empty(), "{k}: {newest:?}");
        }
        let report = next(&world.fleet(&Cut::never()));
        // Without a killed run, there may be nothing to roll back to.
        let expected = [ExitCode::DONE, ExitCode::NOTHING_TO_ROLL_BACK_TO];
        assert!(expected[..if begun.contains(&true) { 1 } else { 2 }].contains(&report.exit_code()), "{k}: {report:?}");
        let settled: Vec<_> = (0..hosts).map(|host| lines(&world, host, "a")).collect();
        for (host, begun) in begun.into_iter().enumerate() {
            assert!(settled[host].len() == 1 || (!begun && settled[host].is_empty()), "{k}: {:?}", settled[host]);
            if begun && is_upload {
                let line = (Outcome::Interrupted, HostOutcome::Unchanged, Some("o".to_owned()));
                assert_eq!(settled[host], [line], "{k}");
            }
            (told, of_uploads) = (told + usize::from(begun), of_uploads + usize::from(begun && is_upload));
        }
        assert_code(&killed(&world, &Cut::never(), "c"), ExitCode::DONE);
        let again: Vec<_> = (0..hosts).map(|host| lines(&world, host, "a")).collect();
        assert_eq!(again, settled, "{k}: told once");
        assert!((0..hosts).all(|host| world.names(host, ".switchback/staging").is_empty()), "{k}");
    }
    assert!(told > 2 && of_uploads > 0, "{told} kills were told of, {of_uploads} of them in the upload");
}

fn deploy_next(fleet: &Fleet) -> Report {
    let options = deploying().allow_split(true);
    wait(fleet.deploy(release("b"), &options, Silent).report())
}

fn roll_back_next(fleet: &Fleet) -> Report {
    wait(fleet.rollback(&going_back(RollbackTarget::Steps(1)), Silent).report())
}

#[test]
fn what_was_killed_is_told() {
    for next in [deploy_next, roll_back_next, recover] {
        is_told::<Memory>(1, 11, next);
    }
}

#[test]
#[ignore = "it kills a deploy after each of its steps, on hosts of each kind"]
fn what_was_killed_anywhere_is_told() {
    for next in [deploy_next, roll_back_next, recover] {
        is_told::<Memory>(2, 1, next);
        is_told::<Local>(1, 1, next);
    }
}

/// Returns the step after which a deploy has uploaded, and holds no lock.
fn in_its_upload() -> usize {
    let is_uploaded = |k: &usize| {
        let world = Memory::new(1);
        assert_code(&killed(&world, &Cut::never(), "o"), ExitCode::DONE);
        let _ = killed(&world, &Cut::after(*k), "a");
        let content = owners(&world, 0).into_iter().map(|owner| owner.replace("/owner", "/.new/a/index.html"));
        content.filter(|file| world.file(0, file).is_some()).count() == 1
    };
    (0..1_000).find(is_uploaded).expect("it uploads")
}

#[test]
fn each_of_many_killed_uploads_is_told_and_gives_its_space_back_before_the_next() {
    let step = in_its_upload();
    let world = Memory::new(1);
    assert_code(&killed(&world, &Cut::never(), "o"), ExitCode::DONE);
    // The next one inspects the leftovers in two more steps, and empties them in three.
    for (text, step) in [("a", step), ("b", step + 5)] {
        let _ = killed(&world, &Cut::after(step), text);
    }
    assert_eq!(owners(&world, 0).len(), 2, "what says who they were stays");
    let content = owners(&world, 0).into_iter().map(|owner| world.names(0, &owner.replace("/owner", "/.new")));
    assert_eq!(content.map(|names| names.len()).sum::<usize>(), 1, "what the first had brought is gone");
    assert_code(&killed(&world, &Cut::never(), "c"), ExitCode::DONE);
    let line = (Outcome::Interrupted, HostOutcome::Unchanged, Some("o".to_owned()));
    assert_eq!((lines(&world, 0, "a"), lines(&world, 0, "b")), (vec![line.clone()], vec![line]));
}

/// A deploy that fails settles it too: the killed run had left nothing but its own traces.
#[test]
fn a_killed_upload_is_told_by_a_deploy_that_comes_to_nothing() {
    let hosts = Hosts::new(1).deployed(&["o"]);
    let fleet = |cut: &Cut| {
        let store = DirStore::new(
            Faults::new(hosts.0[0].connect("web1"), cut.clone()),
            ROOT.parse().expect("a path"),
            Layout::default(),
        );
        Fleet::new(vec![Host::new("web1", store)]).expect("a fleet")
    };
    let _ = wait(fleet(&Cut::after(in_its_upload())).deploy(release("a"), &deploying(), Silent).report());
    hosts.0[0].on_hook(|_| HookExit::new(HookEnd::Exited(1), "", ""));
    let report = wait(hosts.fleet().deploy(release("b"), &preparing(), Silent).report());
    assert_eq!(report.outcome, Outcome::Failed);
    let outcomes: Vec<Outcome> = told(&hosts).0.iter().map(|entry| entry.outcome).collect();
    assert_eq!(outcomes, [Outcome::Failed, Outcome::Interrupted, Outcome::Done]);
    hosts.clean();
}

/// An upload whose process is alive is not an interrupted one, whoever else deploys meanwhile.
#[test]
fn an_upload_that_goes_on_is_not_told_of() {
    let hosts = Hosts::new(1).deployed(&["o"]);
    let store = DirStore::new(hosts.0[0].connect("web1"), ROOT.parse().expect("a path"), Layout::default());
    let mut owner = LockOwner::new(Command::Deploy, "bob@desktop");
    owner.upload = serde_json::from_str(r#"{"from":"o","to":"a"}"#).expect("what is uploaded");
    let uploaded = wait(store.stage(&*release("a"), &owner, &[], &|_, _| ())).expect("it goes over");
    assert_code(&hosts.deploy("b"), ExitCode::DONE);
    assert_code(&hosts.rollback(), ExitCode::DONE);
    assert_eq!(hosts.0[0].list(&at(".switchback/staging")).map(|uploads| uploads.len()), Some(1));
    let status = hosts.status().hosts.remove(0).status.expect("it was read");
    assert_eq!(status.leftovers, [], "nor is it left over");
    assert!(told(&hosts).0.iter().all(|entry| entry.outcome == Outcome::Done), "{:?}", told(&hosts).0);
    wait(store.discard(uploaded)).expect("it is taken away");
    hosts.clean();
}

/// Asks a run to stop once it has uploaded, and never ends the upload.
#[derive(Debug)]
struct Stopping {
    host: MemoryTransport,
    cancel: Cancel,
    /// Runs on the host before the stop is requested.
    meanwhile: Option<(MemoryHost, fn(MemoryHost))>,
}

impl std::fmt::Display for Stopping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.host.fmt(f)
    }
}

impl Transport for Stopping {
    fn execute<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Vec<Reply>, TransportError>> {
        self.host.execute(batch)
    }

    fn upload<'a>(
        &'a self,
        upload: &'a Upload,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<Uploaded, TransportError>> {
        Box::pin(async {
            self.host.upload(upload, progress).await?;
            if let Some((host, meanwhile)) = self.meanwhile.clone() {
                std::thread::spawn(move || meanwhile(host)).join().expect("it works");
            }
            self.cancel.request();
            std::future::pending().await
        })
    }

    fn run<'a>(
        &'a self,
        call: &'a HookCall,
        output: &'a dyn LineSink,
    ) -> BoxFuture<'a, Result<HookExit, TransportError>> {
        self.host.run(call, output)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.host.close()
    }
}

/// A run that was stopped in its upload reports that itself, and leaves the upload, which is settled without
/// another line.
#[test]
fn an_upload_that_was_stopped_is_told_once() {
    let hosts = Hosts::new(1).deployed(&["o"]);
    let cancel = Cancel::new();
    let transport = Stopping { host: hosts.0[0].connect("web1"), cancel: cancel.clone(), meanwhile: None };
    let store = DirStore::new(transport, ROOT.parse().expect("a path"), Layout::default());
    let fleet = Fleet::new(vec![Host::new("web1", store)]).expect("a fleet");
    let call = Call::new().cancel(&cancel);
    assert_code(&wait(fleet.deploy(release("a"), &deploying(), call).report()), ExitCode::INTERRUPTED);
    drop(fleet);
    let outcomes = || told(&hosts).0.iter().map(|entry| entry.outcome).collect::<Vec<_>>();
    assert_eq!(outcomes(), [Outcome::Interrupted, Outcome::Done]);
    assert_eq!(hosts.0[0].list(&at(".switchback/staging")).map(|uploads| uploads.len()), Some(1));
    assert_code(&hosts.deploy("b"), ExitCode::DONE);
    assert_eq!(outcomes(), [Outcome::Done, Outcome::Interrupted, Outcome::Done]);
    hosts.clean();
}

/// Another run deployed during an upload that was stopped, and a third one holds the lock: the report shows the release
/// that is current now.
#[test]
fn a_stopped_upload_reports_the_release_that_replaced_the_old_one() {
    fn overtake(host: MemoryHost) {
        let hosts = Hosts(vec![host]);
        assert_code(&hosts.deploy("x"), ExitCode::DONE);
        let store = DirStore::new(hosts.0[0].connect("web1"), ROOT.parse().expect("a path"), Layout::default());
        // Its process lives on, and with it the lock.
        std::mem::forget(wait(store.lock(&LockOwner::new(Command::Prune, "bob@desktop"), None)).expect("it is free"));
    }
    let hosts = Hosts::new(1).deployed(&["o"]);
    let cancel = Cancel::new();
    let meanwhile = Some((hosts.0[0].clone(), overtake as fn(MemoryHost)));
    let transport = Stopping { host: hosts.0[0].connect("web1"), cancel: cancel.clone(), meanwhile };
    let store = DirStore::new(transport, ROOT.parse().expect("a path"), Layout::default());
    let fleet = Fleet::new(vec![Host::new("web1", store)]).expect("a fleet");
    let call = Call::new().cancel(&cancel);
    let report = wait(fleet.deploy(release("a"), &deploying(), call).report());
    assert_code(&report, ExitCode::INTERRUPTED);
    assert_eq!((&report.hosts[0].before, &report.hosts[0].after), (&Some(name("x")), &Some(name("x"))));
}

#[test]
fn what_a_release_was_built_from_is_kept_and_told() {
    let hosts = Hosts::new(1);
    let options = deploying().revision("v1.4.2");
    assert_code(&wait(hosts.fleet().deploy(release("a"), &options, Silent).report()), ExitCode::DONE);
    assert_code(&hosts.deploy("b"), ExitCode::DONE);
    assert_code(&hosts.rollback(), ExitCode::DONE);
    let status = hosts.status();
    let has = status.hosts[0].status.as_ref().expect("it was read");
    let of = |text: &str| {
        has.releases.iter().find(|release| release.name == name(text)).and_then(|release| release.revision.clone())
    };
    assert_eq!((has.revision.as_deref(), of("a").as_deref(), of("b")), (Some("v1.4.2"), Some("v1.4.2"), None));
    let (entries, _) = told(&hosts);
    assert_eq!(entries.iter().map(|entry| entry.revision.as_deref()).collect::<Vec<_>>(), [None, None, Some("v1.4.2")]);
}

/// The cost of `history -n` does not grow with the history: it reads only the end with the newest entries.
#[test]
fn the_newest_entries_are_read_from_the_end() {
    let hosts = Hosts::new(1).deployed(&["a", "b"]);
    let path = at(".switchback/history");
    let line = hosts.0[0].read(&path).expect("a history");
    let last = line.split_inclusive(|byte| *byte == b'\n').next_back().expect("a line").to_vec();
    hosts.0[0].write(&path, [&last.repeat(4_000)[..], b"{\"torn", &last[..]].concat());
    hosts.0[0].write(&at(".switchback/older/history"), last.repeat(50));
    let read = |newest: Option<usize>| {
        let recorded = Arc::new(Recording::new(hosts.0[0].connect("web1")));
        let store = DirStore::new(Arc::clone(&recorded), ROOT.parse().expect("a path"), Layout::default());
        let (entries, torn) = wait(store.history(newest)).expect("it is read");
        let batches = recorded.batches();
        let reach = batches.iter().flat_map(|batch| &batch.steps).map(|step| match &step.op {
            Op::ReadEnd { limit, .. } => *limit,
            other => panic!("{other:?}"),
        });
        (entries.len(), torn, reach.max().expect("a step"))
    };
    let (entries, torn, reach) = read(Some(50));
    assert!((50..1_000).contains(&entries) && torn == 1 && reach < 1 << 18, "{entries} {torn} {reach}");
    assert_eq!(read(None).0, 4_051);
    assert_eq!(read(Some(4_020)).0, 4_051);
    let report = wait(hosts.fleet().recent_history(3, Silent).report());
    let entries = report.hosts[0].status.as_ref().and_then(|status| status.history.as_ref()).map(Vec::len);
    assert_eq!(entries, Some(3));
}
