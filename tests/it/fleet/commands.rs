//! The commands when nothing goes wrong, and their refusals.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use switchback::{
    ErrorKind, ExitCode, Hint, Notice,
    commands::{Commands, Validation},
    event::Silent,
    fleet::{ActivateOptions, DeployOptions, RollbackOptions, RunOptions},
    release::NewRelease,
    report::{HostOutcome, Outcome},
    status::ReleaseState,
    testing::{Collected, WholeReport as _},
    transport::{HookEnd, HookExit, MemoryHost},
    tree::Tree,
};

use super::fixture::{Hosts, assert_code, at, deploying, name, release, wait};

#[test]
fn a_first_deploy_makes_the_root_and_records_none() {
    let hosts = Hosts::new(2);
    let report = hosts.deploy("a");
    assert_code(&report, ExitCode::DONE);
    assert_eq!(report.hosts.len(), 2);
    assert!(report.hosts.iter().all(|host| host.outcome == HostOutcome::Switched && host.switched_at.is_some()));
    assert_eq!((report.hosts[0].before.clone(), report.hosts[0].after.clone()), (None, Some(name("a"))));
    hosts.all_on("a");
    hosts.clean();
    assert_eq!(hosts.record("a").as_deref(), Some("none\n"));
}

/// Deploys a and b, rolls back, deploys c. FAULTS.md I17.
#[test]
fn records_say_what_was_current_and_going_back_rewrites_none() {
    let hosts = Hosts::new(1).deployed(&["a", "b"]);
    assert_eq!(hosts.record("b").as_deref(), Some("/srv/shop/releases/a\n"));
    assert_code(&hosts.rollback(), ExitCode::DONE);
    hosts.all_on("a");
    assert_code(&hosts.deploy("c"), ExitCode::DONE);
    hosts.all_on("c");
    assert_eq!(hosts.record("c").as_deref(), Some("/srv/shop/releases/a\n"));
    assert_eq!(hosts.record("b").as_deref(), Some("/srv/shop/releases/a\n"));
    assert_eq!(hosts.record("a").as_deref(), Some("none\n"));
    hosts.clean();
}

#[test]
fn a_name_that_exists_is_refused_and_nothing_is_touched() {
    let hosts = Hosts::new(2).deployed(&["a", "b"]);
    let other = Tree::from_memory([("index.html", &b"other"[..])]).expect("a tree");
    let other = Arc::new(NewRelease::new(name("a"), other));
    let report = wait(hosts.fleet().stage(other, &RunOptions::new(), Silent).report());
    assert_code(&report, ExitCode::REFUSED);
    assert_eq!(report.error.as_ref().map(|error| error.kind), Some(ErrorKind::NameTaken));
    assert_eq!(report.outcome, Outcome::Refused);
    hosts.all_on("b");
    hosts.clean();
}

#[test]
fn a_stranger_under_the_name_is_never_overwritten() {
    let hosts = Hosts::new(1).deployed(&["a"]);
    hosts.0[0].write(&at("releases/b"), "mine");
    assert_code(&hosts.deploy("b"), ExitCode::REFUSED);
    assert_eq!(hosts.0[0].read(&at("releases/b")).as_deref(), Some(&b"mine"[..]));
}

#[test]
fn staging_makes_a_complete_release_that_is_not_current() {
    let hosts = Hosts::new(2).deployed(&["a"]);
    assert_code(&hosts.stage("b"), ExitCode::DONE);
    hosts.all_on("a");
    hosts.clean();
    let status = hosts.status();
    let host = status.hosts[0].status.as_ref().expect("it was read");
    let state = |of: &str| host.releases.iter().find(|release| release.name == name(of)).map(|release| release.state);
    assert_eq!((state("a"), state("b")), (Some(ReleaseState::Current), Some(ReleaseState::Staged)));
    assert_eq!(hosts.record("b"), None);
}

/// FAULTS.md F05.
#[test]
fn staging_again_reaches_only_the_hosts_that_lack_the_release() {
    let hosts = Hosts::new(2).deployed(&["a"]);
    assert_code(&Hosts(vec![hosts.0[0].clone()]).stage("b"), ExitCode::DONE);
    let report = hosts.stage("b");
    assert_code(&report, ExitCode::DONE);
    assert_eq!(report.outcome, Outcome::Done);
    let again = hosts.stage("b");
    assert_code(&again, ExitCode::DONE);
    assert_eq!((again.outcome, again.release), (Outcome::Unchanged, Some(name("b"))));
    hosts.all_on("a");
    assert_code(&hosts.activate("b"), ExitCode::DONE);
    assert_eq!(hosts.stage("a").outcome, Outcome::Unchanged);
    hosts.all_on("b");
    hosts.clean();
}

#[test]
fn a_staged_release_is_activated_and_gone_back_from() {
    let hosts = Hosts::new(2).deployed(&["a"]);
    assert_code(&hosts.stage("b"), ExitCode::DONE);
    assert_code(&hosts.activate("b"), ExitCode::DONE);
    hosts.all_on("b");
    assert_eq!(hosts.record("b").as_deref(), Some("/srv/shop/releases/a\n"));
    assert_code(&hosts.rollback(), ExitCode::DONE);
    hosts.all_on("a");
    hosts.clean();
}

#[test]
fn a_staged_release_can_be_the_first() {
    let hosts = Hosts::new(1);
    assert_code(&hosts.stage("a"), ExitCode::DONE);
    assert_eq!(hosts.links(), [None]);
    assert_code(&hosts.activate("a"), ExitCode::DONE);
    hosts.all_on("a");
    assert_eq!(hosts.record("a").as_deref(), Some("none\n"));
}

#[test]
fn activating_what_is_current_is_nothing_to_do() {
    let hosts = Hosts::new(2).deployed(&["a"]);
    let report = hosts.activate("a");
    assert_code(&report, ExitCode::DONE);
    assert_eq!(report.outcome, Outcome::Unchanged);
    hosts.clean();
}

#[test]
fn activating_what_lies_on_the_way_back_is_refused() {
    let hosts = Hosts::new(1).deployed(&["a", "b", "c"]);
    let report = hosts.activate("a");
    assert_code(&report, ExitCode::REFUSED);
    let error = report.error.expect("a refusal has an error");
    assert_eq!(error.kind, ErrorKind::OnTheWayBack);
    assert!(error.hints.contains(&Hint::RollbackTo(name("a"))));
    hosts.all_on("c");
    hosts.clean();
}

#[test]
fn activating_a_bad_release_clears_its_mark() {
    let hosts = Hosts::new(1).deployed(&["a", "b"]);
    assert_code(&hosts.rollback(), ExitCode::DONE);
    assert_code(&hosts.activate("b"), ExitCode::DONE);
    hosts.all_on("b");
    let status = hosts.status();
    let releases = &status.hosts[0].status.as_ref().expect("it was read").releases;
    assert!(releases.iter().all(|release| release.bad.is_none()));
}

#[test]
fn activating_what_a_host_lacks_is_refused() {
    let hosts = Hosts::new(1).deployed(&["a"]);
    let report = hosts.activate("b");
    assert_code(&report, ExitCode::REFUSED);
    assert_eq!(report.error.map(|error| error.kind), Some(ErrorKind::NoSuchRelease));
    hosts.clean();
}

#[test]
fn hosts_on_different_releases_are_refused_unless_allowed() {
    let hosts = Hosts::new(2).deployed(&["a", "b"]);
    let one = Hosts(vec![hosts.0[0].clone()]);
    assert_code(&one.rollback(), ExitCode::DONE);
    let report = hosts.deploy("c");
    assert_code(&report, ExitCode::REFUSED);
    assert_eq!(report.error.as_ref().map(|error| error.kind), Some(ErrorKind::HostsDiffer));
    assert_eq!(hosts.links(), [Some("releases/a".into()), Some("releases/b".into())]);
    hosts.clean();
    let options = deploying().allow_split(true);
    assert_code(&wait(hosts.fleet().deploy(release("c"), &options, Silent).report()), ExitCode::DONE);
    hosts.all_on("c");
    for (host, before) in hosts.0.iter().zip(["a", "b"]) {
        let record = host.read(&at("releases/c/previousVersion"));
        assert_eq!(record, Some(format!("/srv/shop/releases/{before}\n").into_bytes()), "each host has its own");
    }
}

#[test]
fn a_new_host_is_warned_about_and_deployed_to() {
    let hosts = Hosts::new(1).deployed(&["a"]);
    let two = Hosts(vec![hosts.0[0].clone(), MemoryHost::new()]);
    let warned = Collected::new(|event| match event {
        switchback::Event::Warning { message, .. } => Some(message.clone()),
        _ => None,
    });
    let what = "web2 could not roll back with the others: they go to a, and its target is none";
    let there = Hint::RollbackTo(name("a"));
    let behind = Notice::new(what).hint(Hint::StageOn(name("a"), "web2".into())).hint(there.clone());
    assert_code(&wait(two.fleet().deploy(release("b"), &deploying(), warned.clone()).report()), ExitCode::DONE);
    two.all_on("b");
    // `check` reports it before a rollback is needed, with the command that repairs it.
    assert_code(&wait(two.fleet().check(&RunOptions::default(), warned.clone()).report()), ExitCode::DONE);
    assert_eq!(warned.take().iter().filter(|warning| **warning == behind).count(), 2);
    assert_eq!(two.status().hosts[1].warnings, [behind]);
    // If one host has a previous release and the other has none, the hosts disagree. That is reported rather than
    // "nothing to go back to".
    let report = two.rollback();
    assert_code(&report, ExitCode::REFUSED);
    assert!(report.error.expect("a refusal has an error").message.contains("web2: on b, has no target"));
    two.all_on("b");
    assert_code(&Hosts(vec![two.0[1].clone()]).stage("a"), ExitCode::DONE);
    assert_eq!(two.status().hosts[1].warnings, [Notice::new(what).hint(there)]);
    assert_code(&two.rollback_to(switchback::fleet::RollbackTarget::Release(name("a"))), ExitCode::DONE);
    two.all_on("a");
}

#[test]
fn history_has_every_operation_newest_first() {
    let hosts = Hosts::new(2).deployed(&["a", "b"]);
    assert_code(&hosts.rollback(), ExitCode::DONE);
    let report = hosts.history();
    let history = report.hosts[1].status.as_ref().and_then(|status| status.history.as_ref()).expect("it was read");
    let told: Vec<_> = history
        .iter()
        .map(|entry| {
            (
                entry.command.as_str(),
                entry.from.as_ref().map(switchback::ReleaseName::as_str),
                entry.to.as_ref().map(switchback::ReleaseName::as_str),
            )
        })
        .collect();
    assert_eq!(
        told,
        [("rollback", Some("b"), Some("a")), ("deploy", Some("a"), Some("b")), ("deploy", None, Some("a"))]
    );
    assert!(history.iter().all(|entry| entry.by == "jane@laptop" && entry.outcome == Outcome::Done));
}

#[test]
fn a_missing_root_is_no_status_error_and_nothing_to_go_back_to() {
    let hosts = Hosts::new(1);
    let report = hosts.status();
    assert_code(&report, ExitCode::DONE);
    assert_eq!(report.hosts[0].status.as_ref().map(|status| status.current.clone()), Some(None));
    let report = hosts.rollback();
    assert_code(&report, ExitCode::REFUSED);
    assert_eq!(report.error.map(|error| error.kind), Some(ErrorKind::NotDeployed));
    assert!(!hosts.0[0].exists("/srv"), "asking made something");
}

/// An embedder runs commands on a multi-threaded runtime.
#[test]
fn every_command_can_be_spawned() {
    let hosts = Hosts::new(1);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build().expect("a runtime");
    let fleet = hosts.fleet();
    let all = runtime.spawn(async move {
        let (deploy, back) = (DeployOptions::default(), RollbackOptions::default());
        let deployed = fleet.deploy(release("a"), &deploy, Silent).report().await;
        let staged = fleet.stage(release("b"), &RunOptions::default(), Silent).report().await;
        let activated = fleet.activate(&name("b"), &ActivateOptions::default(), Silent).report().await;
        let rolled_back = fleet.rollback(&back, Silent).report().await;
        let (status, history) = (fleet.status(Silent).report().await, fleet.history(Silent).report().await);
        let check = fleet.check(&RunOptions::default(), Silent).report().await;
        [deployed, staged, activated, rolled_back, status, history, check]
    });
    for report in runtime.block_on(all).expect("it does not panic") {
        assert_code(&report, ExitCode::DONE);
    }
}

/// The current release first, then the recorded rollback chain, then the rest: no clock decides.
#[test]
fn releases_are_listed_along_the_recorded_way_back() {
    let hosts = Hosts::new(1).deployed(&["a", "b", "c"]);
    assert_code(&hosts.stage("z"), ExitCode::DONE);
    let order = |hosts: &Hosts| -> Vec<String> {
        let status = hosts.status();
        let releases = &status.hosts[0].status.as_ref().expect("it was read").releases;
        releases.iter().map(|release| release.name.to_string()).collect()
    };
    assert_eq!(order(&hosts), ["c", "b", "a", "z"]);
    assert_code(&hosts.rollback(), ExitCode::DONE);
    assert_eq!(order(&hosts), ["b", "a", "z", "c"]);
}

/// Each hook is started with the time limit that is configured. FAULTS.md H02.
#[test]
fn hooks_have_the_configured_time_limit() {
    let hosts = Hosts::new(1).deployed(&["a"]);
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&calls);
    hosts.0[0].on_hook(move |call| {
        seen.lock().expect("nobody panics with it").push((call.script.clone(), call.timeout));
        HookExit::new(HookEnd::Exited(0), "", "")
    });
    let limit = Duration::from_secs(7);
    let mut commands = Commands::default();
    (commands.prepare, commands.after_switch) = (Some("prepare".into()), Some("reload".into()));
    (commands.validation, commands.timeout) = (Some(Validation::new("check")), limit);
    let options = deploying().commands(commands);
    assert_code(&wait(hosts.fleet().deploy(release("b"), &options, Silent).report()), ExitCode::DONE);
    let expected = ["prepare", "reload", "check"].map(|script| (script.to_owned(), Some(limit)));
    assert_eq!(*calls.lock().expect("nobody panics with it"), expected);
}

/// A stage runs no command: nothing was switched, and the current release needs no reload. FAULTS.md F05.
#[test]
fn staging_runs_no_command() {
    let hosts = Hosts::new(1).deployed(&["a"]);
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&calls);
    hosts.0[0].on_hook(move |call| {
        seen.lock().expect("nobody panics with it").push(call.script.clone());
        HookExit::new(HookEnd::Exited(1), "", "")
    });
    let mut commands = Commands::default();
    (commands.prepare, commands.after_switch) = (Some("prepare".into()), Some("reload".into()));
    commands.validation = Some(Validation::new("check"));
    let options = RunOptions::new().commands(commands);
    assert_code(&wait(hosts.fleet().stage(release("b"), &options, Silent).report()), ExitCode::DONE);
    assert!(calls.lock().expect("nobody panics with it").is_empty());
    hosts.all_on("a");
}
