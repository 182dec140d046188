//! Deploys of a name that exists: a pipeline that runs again, a host that missed a release, an old job that
//! rolls back, other content.

use std::sync::{Arc, Mutex};

use switchback::{
    DirStore, ErrorKind, ExitCode, Fleet, Hint, Host, HostPath, Layout, Report,
    commands::{Commands, DataCommands, DataPlace},
    event::Silent,
    fleet::{ActivateOptions, DeployOptions, RecoverOptions, RunOptions},
    release::NewRelease,
    report::{HostOutcome, Outcome},
    testing::{Cut, Recording, WholeReport as _},
    transport::{HookEnd, HookExit, MemoryHost},
    tree::Tree,
};

use super::{
    fixture::{Hosts, ROOT, assert_code, at, deploying, name, release, wait},
    world::{Memory, World},
};

fn returning() -> DeployOptions {
    deploying().or_return(true)
}

fn from(text: &str) -> DeployOptions {
    deploying().from(name(text))
}

fn deploy(hosts: &Hosts, text: &str, options: &DeployOptions) -> Report {
    wait(hosts.fleet().deploy(release(text), options, Silent).report())
}

#[track_caller]
fn refused(report: &Report, kind: ErrorKind, hint: &Hint) {
    assert_code(report, ExitCode::REFUSED);
    let error = report.error.as_ref().expect("a refusal has an error");
    assert_eq!(error.kind, kind, "{}", error.message);
    assert!(error.hints.contains(hint), "{hint:?} is not in {:?}", error.hints);
}

#[test]
fn a_deploy_that_is_done_again_only_asks() {
    let hosts = Hosts::new(2).deployed(&["a", "b"]);
    let root: HostPath = ROOT.parse().expect("a path");
    let recorded: Vec<Arc<_>> = hosts
        .0
        .iter()
        .enumerate()
        .map(|(at, host)| Arc::new(Recording::new(host.connect(format!("web{at}")))))
        .collect();
    let host = |(at, host): (usize, &Arc<Recording<_>>)| {
        Host::new(format!("web{at}"), DirStore::new(Arc::clone(host), root.clone(), Layout::default()))
    };
    let fleet = Fleet::new(recorded.iter().enumerate().map(host).collect()).expect("a fleet");
    let report = wait(fleet.deploy(release("b"), &deploying(), Silent).report());
    assert_code(&report, ExitCode::DONE);
    assert_eq!((report.outcome, report.release), (Outcome::Unchanged, Some(name("b"))));
    assert!(report.hosts.iter().all(|host| host.outcome == HostOutcome::Unchanged && host.after == Some(name("b"))));
    for host in recorded {
        assert_eq!((host.exchanges(), host.uploads()), (1, 0));
        assert!(host.batches().iter().all(|batch| !batch.changes()));
    }
    hosts.clean();
}

#[test]
fn another_content_is_never_put_in_its_place() {
    let hosts = Hosts::new(1).deployed(&["a"]);
    let other = Tree::from_memory([("index.html", &b"other"[..])]).expect("a tree");
    let other = Arc::new(NewRelease::new(name("a"), other));
    refused(
        &wait(hosts.fleet().deploy(other, &returning(), Silent).report()),
        ErrorKind::NameTaken,
        &Hint::AnotherName,
    );
    // If nothing records the staged content, it is not known to be the same.
    hosts.0[0].remove(&at(".switchback/releases/a/staged"));
    refused(&hosts.deploy("a"), ErrorKind::NameTaken, &Hint::AnotherName);
    hosts.all_on("a");
}

/// Hosts that log which command ran on which of them.
fn noting(hosts: &Hosts) -> Arc<Mutex<Vec<String>>> {
    let noted = Arc::new(Mutex::new(Vec::new()));
    for (at, host) in hosts.0.iter().enumerate() {
        let noted = Arc::clone(&noted);
        host.on_hook(move |call| {
            noted.lock().expect("no panic").push(format!("web{}: {}", at + 1, call.script));
            HookExit::new(HookEnd::Exited(0), "7\n", "")
        });
    }
    noted
}

fn with_commands() -> DeployOptions {
    deploying().commands(commands())
}

fn commands() -> Commands {
    let mut commands = Commands::default();
    commands.prepare = Some("prepare".to_owned());
    commands.after_switch = Some("reload".to_owned());
    commands.validation = Some(switchback::commands::Validation::new("validate"));
    commands.data = Some(DataCommands::new(DataPlace::Host("web1".to_owned()), "version", "apply"));
    commands
}

#[test]
fn a_host_that_lacks_it_is_brought_along_and_no_data_is_applied() {
    let mut hosts = Hosts::new(2);
    let noted = noting(&hosts);
    assert_code(&deploy(&hosts, "a", &with_commands()), ExitCode::DONE);
    assert!(noted.lock().expect("no panic").iter().any(|ran| ran == "web1: apply"));
    hosts.0.push(MemoryHost::new());
    let noted = noting(&hosts);
    let report = deploy(&hosts, "a", &with_commands());
    assert_code(&report, ExitCode::DONE);
    let outcomes: Vec<HostOutcome> = report.hosts.iter().map(|host| host.outcome).collect();
    assert_eq!(outcomes, [HostOutcome::Unchanged, HostOutcome::Unchanged, HostOutcome::Switched]);
    assert_eq!(*noted.lock().expect("no panic"), ["web3: prepare", "web3: reload", "web3: validate"]);
    hosts.all_on("a");
    hosts.clean();
}

#[test]
fn a_host_that_missed_it_catches_up_and_owes_nothing() {
    let hosts = Hosts::new(3).deployed(&["a"]);
    let options = deploying().skip_unreachable(true);
    assert_code(&wait(super::debts::last_away(&hosts).deploy(release("b"), &options, Silent).report()), ExitCode::DONE);
    assert_code(&hosts.deploy("b"), ExitCode::DONE);
    hosts.all_on("b");
    let status = hosts.status();
    assert!(status.hosts.iter().all(|host| host.status.as_ref().is_some_and(|has| has.leftovers.is_empty())));
    assert_eq!(hosts.deploy("b").outcome, Outcome::Unchanged);
    hosts.clean();
}

#[test]
fn what_is_remembered_of_a_host_is_forgotten_once_it_has_caught_up_by_itself() {
    let hosts = Hosts::new(2).deployed(&["a"]);
    let options = deploying().skip_unreachable(true);
    assert_code(&wait(super::debts::last_away(&hosts).deploy(release("b"), &options, Silent).report()), ExitCode::DONE);
    // For instance by the host's own pipeline, which knows no other host.
    assert_code(&Hosts(vec![hosts.0[1].clone()]).deploy("b"), ExitCode::DONE);
    assert_eq!(hosts.deploy("b").outcome, Outcome::Unchanged);
    let status = hosts.status();
    assert!(status.hosts.iter().all(|host| host.status.as_ref().is_some_and(|has| has.leftovers.is_empty())));
}

#[test]
fn a_host_that_is_brought_along_in_vain_spoils_it_nowhere_else() {
    let mut hosts = Hosts::new(1).deployed(&["a", "b"]);
    hosts.0.push(MemoryHost::new());
    hosts.0[1].on_hook(|_| HookExit::new(HookEnd::Exited(1), "", ""));
    let mut commands = commands();
    commands.prepare = None;
    let options = deploying().commands(commands);
    assert_code(&deploy(&hosts, "b", &options), ExitCode::PUT_BACK);
    let status = hosts.status();
    let bad = |at: usize| {
        let has = status.hosts[at].status.as_ref().expect("it was read");
        has.releases
            .iter()
            .filter(|release| release.bad.is_some())
            .map(|release| release.name.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!((bad(0), bad(1)), (vec![], vec!["b".to_owned()]));
    assert_eq!(hosts.links(), [Some("releases/b".to_owned()), None]);
}

#[test]
fn a_staged_release_is_refused_or_activated() {
    let hosts = Hosts::new(2).deployed(&["a"]);
    assert_code(&hosts.stage("b"), ExitCode::DONE);
    refused(&hosts.deploy("b"), ErrorKind::NameTaken, &Hint::Activate(name("b")));
    hosts.all_on("a");
    assert_code(&deploy(&hosts, "b", &returning()), ExitCode::DONE);
    hosts.all_on("b");
    hosts.clean();
}

#[test]
fn a_release_on_the_way_back_is_refused_or_gone_back_to() {
    let hosts = Hosts::new(2).deployed(&["a", "b", "c"]);
    refused(&hosts.deploy("a"), ErrorKind::OnTheWayBack, &Hint::RollbackTo(name("a")));
    let report = deploy(&hosts, "a", &returning());
    assert_code(&report, ExitCode::DONE);
    assert_eq!(report.command.as_str(), "rollback");
    hosts.all_on("a");
    // A release that was rolled back from is not deployed again by a job that runs again.
    refused(&deploy(&hosts, "c", &returning()), ErrorKind::NameTaken, &Hint::Activate(name("c")));
    hosts.all_on("a");
    hosts.clean();
}

#[test]
fn hosts_that_need_different_commands_are_refused() {
    let hosts = Hosts::new(2).deployed(&["a"]);
    assert_code(&hosts.stage("b"), ExitCode::DONE);
    let first = Hosts(vec![hosts.0[0].clone()]);
    assert_code(&first.activate("b"), ExitCode::DONE);
    assert_code(&first.deploy("c"), ExitCode::DONE);
    let report = deploy(&hosts, "b", &returning());
    assert_code(&report, ExitCode::REFUSED);
    assert_eq!(hosts.links(), [Some("releases/c".to_owned()), Some("releases/a".to_owned())]);
}

#[test]
fn an_older_pipeline_does_not_overtake_a_newer_one() {
    let hosts = Hosts::new(2).deployed(&["b40", "b42"]);
    refused(&deploy(&hosts, "b41", &from("b40")), ErrorKind::Conflict, &Hint::History);
    assert_code(&deploy(&hosts, "b43", &from("b42")), ExitCode::DONE);
    // A repeated deploy has nothing to do, and on half of the fleet it is finished.
    assert_eq!(deploy(&hosts, "b43", &from("b42")).outcome, Outcome::Unchanged);
    let mut more = Hosts(hosts.0.clone());
    more.0.push(MemoryHost::new());
    assert_code(&Hosts(vec![more.0[2].clone()]).deploy("b42"), ExitCode::DONE);
    assert_code(&deploy(&more, "b43", &from("b42")), ExitCode::DONE);
    more.all_on("b43");
    // The release that it comes from is checked before the return.
    let mut options = from("b42").or_return(true);
    refused(&deploy(&hosts, "b40", &options), ErrorKind::Conflict, &Hint::History);
    options = options.from(name("b43"));
    assert_code(&deploy(&hosts, "b40", &options), ExitCode::DONE);
    hosts.all_on("b40");
    refused(&deploy(&Hosts::new(1), "b1", &from("b0")), ErrorKind::Conflict, &Hint::History);
}

#[test]
fn an_activation_does_not_overtake_a_newer_deploy() {
    let hosts = Hosts::new(2).deployed(&["b40", "b42"]);
    for staged in ["b41", "b43"] {
        assert_code(&wait(hosts.fleet().stage(release(staged), &RunOptions::new(), Silent).report()), ExitCode::DONE);
    }
    let activate = |text: &str, from: &str| {
        let options = ActivateOptions::new().from(name(from));
        wait(hosts.fleet().activate(&name(text), &options, Silent).report())
    };
    refused(&activate("b41", "b40"), ErrorKind::Conflict, &Hint::History);
    hosts.all_on("b42");
    assert_code(&activate("b43", "b42"), ExitCode::DONE);
    hosts.all_on("b43");
    assert_eq!(activate("b43", "b42").outcome, Outcome::Unchanged);
}

/// A deploy that was cut off after its release was published is sent to `recover` when it runs again, and works
/// afterwards; so is an activation of that release where it is current.
#[test]
fn a_deploy_or_activation_whose_own_run_was_interrupted_is_sent_to_recover() {
    let counting = Cut::never();
    let world = Memory::new(2);
    let run = |world: &Memory, cut: &Cut| {
        let mut options = deploying();
        let mut commands = Commands::default();
        commands.after_switch = Some("reload".to_owned());
        options = options.commands(commands);
        wait(world.fleet(cut).deploy(release("a"), &options, Silent).report())
    };
    assert_code(&run(&world, &counting), ExitCode::DONE);
    let (mut sent, mut activations) = (0, 0);
    for k in 0..counting.steps() {
        let world = Memory::new(2);
        let cut = Cut::after(k);
        let _ = run(&world, &cut);
        world.controller_is_gone();
        let named = (0..2).any(|host| world.names(host, "releases").contains(&"a".to_owned()));
        let report = run(&world, &Cut::never());
        if report.exit_code() == ExitCode::REFUSED {
            assert!(named, "{k}");
            refused(&report, ErrorKind::NameTaken, &Hint::Recover);
            sent += 1;
            if (0..2).any(|host| world.link(host, "current").is_some()) {
                let again = world.fleet(&Cut::never());
                let report = wait(again.activate(&name("a"), &ActivateOptions::default(), Silent).report());
                refused(&report, ErrorKind::NameTaken, &Hint::Recover);
                activations += 1;
            }
            let recovered = wait(world.fleet(&Cut::never()).recover(&RecoverOptions::default(), Silent).report());
            assert_code(&recovered, ExitCode::DONE);
        } else {
            assert_code(&report, ExitCode::DONE);
        }
    }
    assert!(sent > 5 && activations > 1, "it was sent to recover {sent} times, and the activation {activations} times");
}
