//! The history: bounded, complete at its newest end, and readable with torn lines.

use std::sync::Arc;

use switchback::{
    DirStore, ExitCode, Layout, Report,
    commands::Commands,
    engine::DeployOptions,
    event::Silent,
    history::HistoryEntry,
    report::{Command, Outcome},
    store::ReleaseStore,
    testing::{Cut, Recording},
    transport::{HookEnd, HookExit, Op},
};

use super::{
    fixture::{Hosts, ROOT, assert_code, at, deploying, name, release, wait},
    world::{Memory, World},
};

fn told(hosts: &Hosts) -> (Vec<HistoryEntry>, Vec<String>) {
    let report = hosts.history();
    let host = &report.hosts[0];
    let entries = host.status.as_ref().and_then(|has| has.history.clone()).expect("a history");
    (entries, host.warnings.clone())
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
    // The one that was moved before goes, and no other.
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

/// What became of the newest operation of each host.
fn newest(report: &Report) -> Vec<(Command, Outcome, Option<String>)> {
    let newest = report.hosts.iter().filter_map(|host| host.status.as_ref()?.history.as_ref()?.first());
    newest.map(|entry| (entry.command, entry.outcome, entry.to.as_ref().map(ToString::to_string))).collect()
}

fn preparing() -> DeployOptions {
    let mut options = deploying();
    let mut commands = Commands::default();
    commands.prepare = Some("prepare".to_owned());
    options.run.commands = Some(commands);
    options
}

#[test]
fn what_failed_before_the_switch_is_told() {
    let hosts = Hosts::new(2).deployed(&["a"]);
    hosts.0[1].on_hook(|_| HookExit { end: HookEnd::Exited(1), stdout: Vec::new(), stderr: Vec::new() });
    let report = wait(hosts.fleet().deploy(release("b"), &preparing(), &Silent));
    assert_eq!(report.outcome, Outcome::Failed);
    let failed = (Command::Deploy, Outcome::Failed, Some("b".to_owned()));
    assert_eq!(newest(&hosts.history()), [failed.clone(), failed]);
    hosts.clean();
}

#[test]
fn what_was_interrupted_before_any_lock_was_taken_is_told() {
    let hosts = Hosts::new(2).deployed(&["a"]);
    let options = deploying();
    options.run.cancel.request();
    let report = wait(hosts.fleet().deploy(release("b"), &options, &Silent));
    assert_code(&report, ExitCode::INTERRUPTED);
    let interrupted = (Command::Deploy, Outcome::Interrupted, Some("b".to_owned()));
    assert_eq!(newest(&hosts.history()), [interrupted.clone(), interrupted]);
    hosts.all_on("a");
}

/// A killed run is told of while it is not settled, and after that.
#[test]
fn what_was_killed_is_told() {
    let run =
        |world: &Memory, cut: &Cut, text: &str| wait(world.fleet(cut).deploy(release(text), &preparing(), &Silent));
    let counting = Cut::never();
    assert_code(&run(&Memory::new(2), &counting, "a"), ExitCode::DONE);
    let mut told = 0;
    for k in 0..counting.steps() {
        let world = Memory::new(2);
        let _ = run(&world, &Cut::after(k), "a");
        world.controller_is_gone();
        let open = newest(&wait(world.fleet(&Cut::never()).history(&Silent)));
        let killed = (Command::Deploy, Outcome::Interrupted, Some("a".to_owned()));
        assert!(open.iter().all(|newest| *newest == killed || newest.1 == Outcome::Done), "{k}: {open:?}");
        if !open.contains(&killed) {
            continue;
        }
        told += 1;
        assert_code(&run(&world, &Cut::never(), "b"), ExitCode::DONE);
        let report = wait(world.fleet(&Cut::never()).history(&Silent));
        let all = report
            .hosts
            .iter()
            .flat_map(|host| host.status.as_ref().and_then(|has| has.history.clone()).expect("a history"));
        let ended: Vec<Outcome> = all.map(|entry| entry.outcome).collect();
        assert!(ended.contains(&Outcome::Interrupted), "{k}: {ended:?}");
    }
    assert!(told > 5, "{told} kills were told of");
}

#[test]
fn what_a_release_was_built_from_is_kept_and_told() {
    let hosts = Hosts::new(1);
    let mut options = deploying();
    options.run.revision = Some("v1.4.2".to_owned());
    assert_code(&wait(hosts.fleet().deploy(release("a"), &options, &Silent)), ExitCode::DONE);
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

/// What `history -n` reads does not grow with the history: only as much of its end as the newest entries take.
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
    let report = wait(hosts.fleet().recent_history(3, &Silent));
    let entries = report.hosts[0].status.as_ref().and_then(|status| status.history.as_ref()).map(Vec::len);
    assert_eq!(entries, Some(3));
}
