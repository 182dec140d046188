//! Locks: their holders, alive, dead and unknown, and what every command does about them. FAULTS.md X04, X05,
//! X07, X12.

use std::sync::Arc;

use switchback::{
    DirStore, ErrorKind, Event, ExitCode, Fleet, Host, HostPath, Layout, Timestamp,
    event::Silent,
    fleet::{DeployOptions, Direction, RecoverOptions, RollbackTarget, RunOptions},
    lock::LockOwner,
    record::PreviousVersion,
    report::Command,
    status::BadMark,
    store::{Current, Finish, Preparation, ReleaseStore, StoreError, StoreGuard},
    testing::{Collected, Recording, WholeReport as _},
    transport::{
        Liveness,
        raw::{Batch, Op},
    },
};

use super::fixture::{Hosts, ROOT, assert_code, at, deploying, going_back, name, release, wait, wait_paused};

/// A store on a connection of its own, for the lock of another run.
fn store(hosts: &Hosts, host: usize) -> DirStore {
    let root: HostPath = ROOT.parse().expect("a path");
    DirStore::new(hosts.0[host].connect("another"), root, Layout::default())
}

/// The lock owner of another controller.
fn another() -> LockOwner {
    LockOwner::new(Command::Deploy, "bob@desktop")
}

fn hold(store: &DirStore) -> Box<dyn StoreGuard> {
    wait(store.lock(&another(), None)).expect("the lock is free")
}

/// A lock on one host of many. FAULTS.md X12.
#[test]
fn one_locked_host_refuses_for_all_and_no_lock_is_kept() {
    let hosts = Hosts::new(5).deployed(&["a", "b"]);
    let other = store(&hosts, 3);
    let _guard = hold(&other);
    for report in [hosts.rollback(), hosts.deploy("c"), hosts.activate("b")] {
        assert_code(&report, ExitCode::LOCKED);
        let error = report.error.expect("a refusal has an error");
        assert_eq!(error.kind, ErrorKind::Locked);
        assert!(error.message.contains("bob@desktop") && error.message.contains(", alive)"), "{}", error.message);
    }
    hosts.all_on("b");
    for (place, host) in hosts.0.iter().enumerate() {
        assert_eq!(host.exists(&at(".switchback/lock")), place == 3, "host {place}");
        assert_eq!(host.list(&at(".switchback/staging")).unwrap_or_default(), [""; 0], "host {place}");
    }
}

/// `check` and every dry run end as the run would. One that may wait is only warned. FAULTS.md X12.
#[test]
fn check_and_the_dry_runs_find_a_held_lock() {
    let hosts = Hosts::new(2).deployed(&["a", "b"]);
    let other = store(&hosts, 1);
    let guard = hold(&other);
    let fleet = hosts.fleet();
    let run = &RunOptions::new().by("jane@laptop").dry_run(true);
    let deploy = DeployOptions::new().run(run.clone());
    let mut back = going_back(RollbackTarget::Steps(1)).dry_run(true);
    let recover = RecoverOptions::new().direction(Direction::Safest).run(run.clone());
    let reports = [
        wait(fleet.check(&RunOptions::default(), Silent).report()),
        wait(fleet.deploy(release("c"), &deploy, Silent).report()),
        wait(fleet.stage(release("c"), run, Silent).report()),
        wait(fleet.rollback(&back, Silent).report()),
        wait(fleet.recover(&recover, Silent).report()),
        wait(fleet.prune(0, run, Silent).report()),
        wait(fleet.pin(&name("a"), run, Silent).report()),
        wait(fleet.unlock(false, run, Silent).report()),
    ];
    for report in reports {
        assert_code(&report, ExitCode::LOCKED);
        let error = report.error.expect("a refusal has an error");
        assert!(error.message.contains("bob@desktop"), "{:?}: {}", report.command, error.message);
    }
    assert_code(&wait(fleet.unpin(&name("a"), run, Silent).report()), ExitCode::DONE);
    assert_code(&wait(fleet.unlock(true, run, Silent).report()), ExitCode::DONE);
    assert!(hosts.0[1].exists(&at(".switchback/lock")), "a dry run took the lock away");

    let told = Collected::warnings();
    back = back.wait(std::time::Duration::from_secs(30));
    assert_code(&wait(fleet.rollback(&back, told.clone()).report()), ExitCode::DONE);
    assert!(told.take().iter().any(|what| what.contains("would wait up to 30s")));

    drop((guard, other));
    assert_ne!(
        wait(fleet.check(&RunOptions::default(), Silent).report()).exit_code(),
        ExitCode::LOCKED,
        "its holder is dead"
    );
}

#[test]
fn the_holder_is_shown_by_status() {
    let hosts = Hosts::new(1).deployed(&["a"]);
    let other = store(&hosts, 0);
    let guard = hold(&other);
    let lock = || hosts.status().hosts[0].status.as_ref().and_then(|status| status.lock.clone());
    let holder = lock().expect("it is locked");
    assert_eq!(holder.owner.map(|owner| owner.by), Some("bob@desktop".to_owned()));
    assert_eq!(holder.holder, Liveness::Alive);
    drop((guard, other));
    assert_eq!(lock().map(|holder| holder.holder), Some(Liveness::Gone));
}

/// Any command takes over the lock of a holder that is proven dead. FAULTS.md X04.
#[test]
fn the_lock_of_a_dead_holder_is_taken_over() {
    let hosts = Hosts::new(2).deployed(&["a", "b"]);
    let other = store(&hosts, 1);
    let guard = hold(&other);
    drop((guard, other));
    // The lock was a deploy's, which is undone: it had moved nothing.
    assert_code(&hosts.rollback(), ExitCode::DONE);
    hosts.all_on("b");
    hosts.clean();
    assert_code(&hosts.rollback(), ExitCode::DONE);
    hosts.all_on("a");
}

/// The host has booted since. FAULTS.md X04.
#[test]
fn the_lock_from_before_a_boot_is_taken_over() {
    let hosts = Hosts::new(1).deployed(&["a"]);
    let other = store(&hosts, 0);
    let _guard = hold(&other);
    hosts.0[0].reboot();
    assert_code(&hosts.deploy("b"), ExitCode::DONE);
    hosts.all_on("b");
}

/// A run that was considered dead wakes up. None of its steps takes effect. FAULTS.md X05.
#[test]
fn a_holder_whose_lock_was_taken_over_can_switch_nothing() {
    let hosts = Hosts::new(1).deployed(&["a", "b"]);
    let other = store(&hosts, 0);
    let mut guard = hold(&other);
    let ready = guard.ready(&name("a")).expect("a is there");
    let expected = guard.state().current.clone();
    hosts.0[0].rename(&at(".switchback/lock"), &at(".switchback/journal/stolen"));
    assert_code(&hosts.deploy("c"), ExitCode::DONE);
    let failed = wait(guard.activate(&expected, &ready)).expect_err("the lock is another's");
    assert!(matches!(failed.error, StoreError::LockLost { .. }), "{failed:?}");
    hosts.all_on("c");
    let preparation = Preparation::new(name("a"));
    assert!(wait(guard.prepare(&preparation)).is_err());
    assert!(wait(guard.fence()).is_err());
    hosts.all_on("c");
}

/// It cannot revert, mark or forget either: another run may have built on its preparations. FAULTS.md X05.
#[test]
fn a_holder_whose_lock_was_taken_over_takes_nothing_back() {
    let hosts = Hosts::new(1).deployed(&["a"]);
    assert_code(&hosts.stage("b"), ExitCode::DONE);
    let other = store(&hosts, 0);
    let mut guard = hold(&other);
    let preparation = Preparation::new(name("b")).record(PreviousVersion::Release(name("a")));
    wait(guard.prepare(&preparation)).expect("b is there");
    hosts.0[0].rename(&at(".switchback/lock"), &at(".switchback/journal/stolen"));
    assert_code(&hosts.activate("b"), ExitCode::DONE);

    let failed = wait(guard.unprepare(&preparation)).expect_err("it is current by now");
    assert!(matches!(failed, StoreError::Conflict { .. }), "{failed:?}");
    assert_code(&hosts.deploy("c"), ExitCode::DONE);
    // Whether or not another run holds the lock by now.
    let failed = wait(guard.unprepare(&preparation)).expect_err("the lock was taken over");
    assert!(matches!(failed, StoreError::LockLost { .. }), "{failed:?}");
    let holder = hold(&other);
    let failed = wait(guard.unprepare(&preparation)).expect_err("the lock is another's");
    assert!(matches!(failed, StoreError::LockLost { .. }), "{failed:?}");
    assert_eq!(hosts.record("b").as_deref(), Some("/srv/shop/releases/a\n"));
    let mark = BadMark { at: Timestamp::UNIX_EPOCH, by: "bob@desktop".into(), reason: None, number: 0 };
    let mut finish = Finish::default();
    (finish.bad, finish.settles) = (Some((name("b"), mark)), true);
    let failed = wait(guard.finish(&finish)).expect_err("the lock is another's");
    assert!(matches!(failed.error, StoreError::LockLost { .. }), "{failed:?}");
    assert!(!hosts.0[0].exists(&at(".switchback/releases/b/bad")));
    wait(holder.finish(&Finish::default())).expect("it holds the lock");
    assert_code(&hosts.rollback(), ExitCode::DONE);
    hosts.all_on("b");
}

/// Nor can it remove a release that it had published.
#[test]
fn a_holder_whose_lock_was_taken_over_does_not_remove_what_it_published() {
    let hosts = Hosts::new(1).deployed(&["a"]);
    let other = store(&hosts, 0);
    let staged = wait(other.stage(release("b").as_ref(), &another(), &[], &|_, _| {})).expect("it arrives");
    let mut guard = hold(&other);
    let preparation = Preparation::of(staged).record(PreviousVersion::Release(name("a")));
    wait(guard.prepare(&preparation)).expect("the name is free");
    hosts.0[0].rename(&at(".switchback/lock"), &at(".switchback/journal/stolen"));
    assert_code(&hosts.activate("b"), ExitCode::DONE);
    assert_code(&hosts.deploy("c"), ExitCode::DONE);
    let failed = wait(guard.unprepare(&preparation)).expect_err("the lock is another's");
    assert!(matches!(failed, StoreError::LockLost { .. }), "{failed:?}");
    assert_code(&hosts.rollback(), ExitCode::DONE);
    hosts.all_on("b");
}

/// A lock that is empty, or that contains files of somebody else. FAULTS.md X07.
#[test]
fn an_empty_lock_is_taken_and_a_strange_one_is_named() {
    let hosts = Hosts::new(1).deployed(&["a"]);
    hosts.0[0].make_dir(&at(".switchback/lock"));
    assert_code(&hosts.deploy("b"), ExitCode::DONE);
    hosts.0[0].write(&at(".switchback/lock/what"), "is this");
    let report = hosts.rollback();
    assert_code(&report, ExitCode::REFUSED);
    assert_eq!(report.error.map(|error| error.kind), Some(ErrorKind::DamagedState));
    hosts.all_on("b");
}

/// Two names for one root. FAULTS.md S14.
#[test]
fn one_root_listed_twice_is_found() {
    let hosts = Hosts::new(1).deployed(&["a", "b"]);
    let twice = |name: &str| {
        let root: HostPath = ROOT.parse().expect("a path");
        Host::new(name, DirStore::new(hosts.0[0].connect(name), root, Layout::default()))
    };
    let fleet = Fleet::new(vec![twice("web1"), twice("alias")]).expect("two names");
    let report = wait(fleet.rollback(&going_back(RollbackTarget::Steps(1)), Silent).report());
    assert_code(&report, ExitCode::USAGE);
    hosts.all_on("b");
    assert!(!hosts.0[0].exists(&at(".switchback/lock")), "the lock was left");
}

/// `current` changes between the read under the lock and the switch. FAULTS.md C15.
#[test]
fn a_current_that_moved_is_a_conflict() {
    let hosts = Hosts::new(1).deployed(&["a", "b", "c"]);
    let other = store(&hosts, 0);
    let mut guard = hold(&other);
    let (expected, ready) = (guard.state().current.clone(), guard.ready(&name("a")).expect("a is there"));
    hosts.0[0].remove(&at("current"));
    hosts.0[0].link(&at("current"), "releases/b");
    let failed = wait(guard.activate(&expected, &ready)).expect_err("it moved");
    assert!(matches!(failed.error, StoreError::Conflict { .. }), "{failed:?}");
    hosts.all_on("b");
    assert!(wait(guard.activate(&Current::Absent, &ready)).is_err());
    hosts.all_on("b");
}

/// The holder ends while the other run waits: at the moment that it reports the wait.
#[test]
fn a_run_that_waits_gets_the_lock_when_its_holder_is_gone() {
    let hosts = Hosts::new(1).deployed(&["a", "b"]);
    let other = store(&hosts, 0);
    let held = Arc::new(std::sync::Mutex::new(Some((hold(&other), other))));
    let holder = Arc::clone(&held);
    let options = deploying().wait(std::time::Duration::from_secs(30));
    let observer = move |event: &Event| {
        if matches!(event, Event::Waiting { lock, .. } if lock.describe().contains("bob@desktop")) {
            holder.lock().expect("one thread").take();
        }
    };
    assert_code(&wait(hosts.fleet().deploy(release("c"), &options, observer).report()), ExitCode::DONE);
    assert!(held.lock().expect("one thread").is_none(), "nobody waited");
    hosts.all_on("c");
}

/// Many attempts are one event; the host fails once, at the end. FAULTS.md X14.
#[test]
fn a_wait_is_told_once() {
    let hosts = Hosts::new(2).deployed(&["a", "b"]);
    let other = store(&hosts, 1);
    let _guard = hold(&other);
    let of_locks = |event: &Event| match event {
        Event::Waiting { host, lock, seconds } => Some(format!("{host} waits {seconds} for {}", lock.describe())),
        Event::HostDone { host, .. } => Some(format!("{host} is locked")),
        Event::HostFailed { host, error, .. } => Some(format!("{host} failed: {}", error.kind.as_str())),
        _ => None,
    };
    let events = Collected::new(of_locks);
    let options = going_back(RollbackTarget::Steps(1)).wait(std::time::Duration::from_secs(30));
    let report = wait_paused(hosts.fleet().rollback(&options, events.clone()).report());
    assert_code(&report, ExitCode::LOCKED);
    let events = events.take();
    assert_eq!(events.len(), 3, "{events:?}");
    assert_eq!(events[0], "web1 is locked");
    assert!(events[1].starts_with("web2 waits 30 for bob@desktop (deploy, "), "{events:?}");
    assert_eq!(events[2], "web2 failed: locked");
    hosts.all_on("b");
}

#[test]
fn a_newer_format_is_refused_before_anything_is_written() {
    let hosts = Hosts::new(1).deployed(&["a", "b"]);
    hosts.0[0].remove(&at(".switchback/format"));
    hosts.0[0].link(&at(".switchback/format"), "2");
    let before = hosts.0[0].list(&at(".switchback")).expect("a state directory");
    for report in [
        hosts.rollback(),
        hosts.deploy("c"),
        wait(hosts.fleet().stage(release("c"), &RunOptions::default(), Silent).report()),
    ] {
        assert_code(&report, ExitCode::REFUSED);
        assert_eq!(report.error.map(|error| error.kind), Some(ErrorKind::NewerFormat), "{:?}", report.command);
    }
    assert_eq!(hosts.0[0].list(&at(".switchback")).expect("a state directory"), before);
    assert_code(&hosts.status(), ExitCode::DONE);
    hosts.all_on("b");
}

/// A power cut can leave a lock with unsynced, empty files: such an unnamed holder locks nobody out.
#[test]
fn the_lock_whose_content_was_lost_with_the_power_is_taken_over() {
    for content in ["", "\0\0\0\0\0\0\0\0"] {
        let hosts = Hosts::new(2).deployed(&["a", "b"]);
        tear(&hosts, content, content);
        let status = hosts.status();
        let lock = status.hosts[0].status.as_ref().and_then(|status| status.lock.clone()).expect("it is locked");
        assert_eq!((lock.holder, lock.owner), (Liveness::Gone, None));
        assert_code(
            &wait(
                hosts
                    .fleet()
                    .recover(
                        &RecoverOptions::new().direction(Direction::Safest).run(RunOptions::new().by("jane@laptop")),
                        Silent,
                    )
                    .report(),
            ),
            ExitCode::DONE,
        );
        hosts.all_on("b");
        hosts.clean();
        tear(&hosts, content, content);
        assert_code(&hosts.rollback(), ExitCode::DONE);
        hosts.all_on("a");
        hosts.clean();
    }
}

/// Any other invalid mark proves nothing: not even `recover` reports success then.
#[test]
fn a_lock_with_a_strange_mark_is_held() {
    let hosts = Hosts::new(1).deployed(&["a", "b"]);
    tear(&hosts, "", "what is this");
    for report in [
        hosts.rollback(),
        hosts.deploy("c"),
        wait(
            hosts
                .fleet()
                .recover(
                    &RecoverOptions::new().direction(Direction::Safest).run(RunOptions::new().by("jane@laptop")),
                    Silent,
                )
                .report(),
        ),
    ] {
        assert_code(&report, ExitCode::LOCKED);
    }
    hosts.all_on("b");
}

fn tear(hosts: &Hosts, owner: &str, process: &str) {
    let held = ".switchback/lock/0123456789abcdef0123456789abcdef";
    for (file, content) in [("owner", owner), ("process", process)] {
        hosts.0[0].write(&at(&format!("{held}/{file}")), content);
    }
}

/// The mark of a lock and the name of its owner are synced before the lock gets its name.
#[test]
fn what_a_lock_says_is_synced_before_it_is_taken() {
    let hosts = Hosts::new(1).deployed(&["a", "b"]);
    let recorded = Arc::new(Recording::new(hosts.0[0].connect("web1")));
    let root = ROOT.parse().expect("a path");
    let store = DirStore::new(Arc::clone(&recorded), root, Layout::default());
    let fleet = Fleet::new(vec![Host::new("web1", store)]).expect("a fleet");
    assert_code(&wait(fleet.deploy(release("c"), &deploying(), Silent).report()), ExitCode::DONE);
    let batches = recorded.batches();
    let position = |batch: &Batch, wanted: &dyn Fn(&Op) -> bool| batch.steps.iter().position(|step| wanted(&step.op));
    let (mut locks, mut marks) = (0, 0);
    for batch in &batches {
        let syncs = |end: &'static str| move |op: &Op| matches!(op, Op::Sync { paths, .. } if paths.iter().any(|path| path.as_str().ends_with(end)));
        let take = |op: &Op| matches!(op, Op::MoveInto { from, into } if from.as_str().ends_with("/lock") && into.as_str() == ".switchback");
        if let Some(taken) = position(batch, &take) {
            locks += 1;
            for file in ["/owner", "/process"] {
                assert!(position(batch, &syncs(file)).is_some_and(|at| at < taken), "{file} is synced before");
            }
        }
        let private = |op: &Op| matches!(op, Op::MakeDir { path, .. } if path.as_str().contains("staging/"));
        if let Some(made) = position(batch, &private) {
            marks += 1;
            let live = |op: &Op| matches!(op, Op::Sync { paths, .. } if paths.iter().any(|path| path.as_str().contains("/live/")));
            assert!(position(batch, &live).is_some_and(|at| at < made), "the mark of an upload is synced before it");
        }
    }
    assert_eq!((locks, marks), (1, 1));
}
