//! A `current` that somebody removed: it is linked again to the release that it led to last, and nothing else
//! happens.

use std::sync::{Arc, Mutex};

use switchback::{
    ErrorKind, ExitCode, Hint, Report,
    commands::{Commands, DataCommands, DataPlace},
    event::Silent,
    fleet::{ActivateOptions, RecoverOptions, RollbackTarget},
    report::{HostOutcome, Outcome},
    testing::{Cut, WholeReport as _},
    transport::{HookEnd, HookExit},
};

use super::{
    fixture::{Hosts, assert_code, at, deploying, going_back, name, release, wait},
    world::{Local, Memory, World},
};

fn recover(hosts: &Hosts) -> Report {
    wait(hosts.fleet().recover(&RecoverOptions::default(), Silent).report())
}

fn remove_current(hosts: &Hosts) {
    for host in &hosts.0 {
        host.remove(&at("current"));
    }
}

/// Hosts with hooks, data and a validation, on c after a and b, and the log of commands from then on.
fn with_commands() -> (Hosts, Arc<Mutex<Vec<String>>>) {
    let (hosts, ran) = (Hosts::new(2), Arc::new(Mutex::new(Vec::new())));
    for host in &hosts.0 {
        let ran = Arc::clone(&ran);
        host.on_hook(move |call| {
            ran.lock().expect("no panic").push(call.script.clone());
            HookExit::new(HookEnd::Exited(0), "7\n", "")
        });
    }
    let mut commands = Commands::default();
    commands.prepare = Some("prepare".to_owned());
    commands.after_switch = Some("reload".to_owned());
    commands.validation = Some(switchback::commands::Validation::new("validate"));
    let mut data = DataCommands::new(DataPlace::Host("web1".to_owned()), "version", "apply");
    data.revert = Some("revert".to_owned());
    commands.data = Some(data);
    let options = deploying().commands(commands);
    for text in ["a", "b", "c"] {
        assert_code(&wait(hosts.fleet().deploy(release(text), &options, Silent).report()), ExitCode::DONE);
    }
    ran.lock().expect("no panic").clear();
    (hosts, ran)
}

#[test]
fn it_is_linked_again_with_nothing_run_and_no_record_written() {
    let relinks: [fn(&Hosts) -> Report; 3] =
        [recover, |hosts| hosts.activate("c"), |hosts| hosts.rollback_to(RollbackTarget::Release(name("c")))];
    for relink in relinks {
        let (hosts, ran) = with_commands();
        remove_current(&hosts);
        let report = relink(&hosts);
        assert_code(&report, ExitCode::DONE);
        assert_eq!((report.outcome, &report.release, &report.data), (Outcome::Done, &Some(name("c")), &None));
        assert!(report.hosts.iter().all(|host| host.outcome == HostOutcome::Switched && host.before.is_none()));
        hosts.all_on("c");
        assert_eq!(hosts.record("c").as_deref(), Some("/srv/shop/releases/b\n"), "{:?}", report.command);
        assert_eq!(*ran.lock().expect("no panic"), [""; 0], "{:?}", report.command);
        hosts.clean();
        // After it is linked again, it may be removed again, and the rollback chain is unchanged.
        remove_current(&hosts);
        assert_code(&recover(&hosts), ExitCode::DONE);
        assert_code(&hosts.rollback(), ExitCode::DONE);
        hosts.all_on("b");
    }
}

#[test]
fn it_is_linked_to_what_it_led_to_last_and_not_to_the_newest() {
    let hosts = Hosts::new(1).deployed(&["a", "b"]);
    assert_code(&hosts.rollback(), ExitCode::DONE);
    remove_current(&hosts);
    for report in [hosts.rollback(), hosts.deploy("c"), hosts.activate("b"), hosts.status()] {
        let error = report.error.or(report.hosts[0].error.clone()).expect("it says so");
        assert_eq!(error.kind, ErrorKind::NoCurrent);
        assert_eq!(error.hints, [Hint::Relink(name("a"))], "{:?}", report.command);
    }
    assert_code(&recover(&hosts), ExitCode::DONE);
    hosts.all_on("a");
}

#[test]
fn each_host_is_linked_as_its_own_history_says_and_the_others_stay() {
    let hosts = Hosts::new(3).deployed(&["a", "b"]);
    let second = Hosts(vec![hosts.0[1].clone()]);
    assert_code(&second.rollback(), ExitCode::DONE);
    remove_current(&Hosts(hosts.0[..2].to_vec()));
    let report = recover(&hosts);
    assert_code(&report, ExitCode::DONE);
    let links = ["b", "a", "b"].map(|text| Some(format!("releases/{text}")));
    assert_eq!(hosts.links(), links);
    assert_eq!(report.hosts[2].outcome, HostOutcome::Unchanged);
    hosts.clean();
}

#[test]
fn a_history_that_does_not_say_names_the_candidates() {
    let cases =
        [(".switchback/history", "the history does not name"), ("releases/b", "its last target, b, does not exist")];
    for (removed, why) in cases {
        let hosts = Hosts::new(1).deployed(&["a", "b"]);
        hosts.0[0].remove(&at(removed));
        remove_current(&hosts);
        let report = recover(&hosts);
        assert_code(&report, ExitCode::REFUSED);
        let error = report.error.expect("a refusal has an error");
        assert_eq!(error.kind, ErrorKind::NoCurrent);
        assert!(error.message.contains(why) && error.message.contains("current here: a"), "{}", error.message);
        assert!(format!("{:?}", error.hints).contains("ln -s"));
        assert_eq!(hosts.links(), [None]);
    }
}

#[test]
fn a_release_that_was_marked_bad_is_linked_only_by_name() {
    let hosts = Hosts::new(1).deployed(&["a", "b", "c"]);
    let first = hosts.0[0].clone();
    assert_code(&hosts.rollback(), ExitCode::DONE);
    let mark = first.read(&at(".switchback/releases/c/bad")).expect("c was left");
    first.write(&at(".switchback/releases/b/bad"), &mark);
    remove_current(&hosts);
    let report = recover(&hosts);
    assert_code(&report, ExitCode::REFUSED);
    assert!(report.error.is_some_and(|error| error.message.contains("is bad")));
    assert_code(&hosts.activate("b"), ExitCode::DONE);
    hosts.all_on("b");
    assert!(!first.exists(&at(".switchback/releases/b/bad")));
}

/// Hosts on b after a, from which somebody removed `current`.
fn lost<W: World>() -> W {
    let world = W::new(2);
    for text in ["a", "b"] {
        assert_code(
            &wait(world.fleet(&Cut::never()).deploy(release(text), &deploying(), Silent).report()),
            ExitCode::DONE,
        );
    }
    (0..2).for_each(|host| world.remove(host, "current"));
    world
}

fn activate<W: World>(world: &W, cut: &Cut) -> Report {
    wait(world.fleet(cut).activate(&name("b"), &ActivateOptions::default(), Silent).report())
}

/// A killed run that only links `current` again has begun nothing to undo.
fn is_done_again_wherever_it_is_cut<W: World>() {
    let counting = Cut::never();
    assert_code(&activate(&lost::<W>(), &counting), ExitCode::DONE);
    for steps in 0..counting.steps() {
        let at = format!("cut after step {steps}");
        let world: W = lost();
        let _ = activate(&world, &Cut::after(steps));
        world.controller_is_gone();
        let is_linked = (0..2).all(|host| world.link(host, "current").is_some());
        let report = wait(world.fleet(&Cut::never()).rollback(&going_back(RollbackTarget::Steps(1)), Silent).report());
        // If all locks were released, the run was complete, and the rollback is a new one.
        let on = if is_linked && report.outcome == Outcome::Done { "a" } else { "b" };
        if on == "b" {
            let expected = if is_linked { ExitCode::DONE } else { ExitCode::REFUSED };
            assert_eq!(report.exit_code(), expected, "{at}: {:?}", report.error);
            let recovered = wait(world.fleet(&Cut::never()).recover(&RecoverOptions::default(), Silent).report());
            assert_eq!(recovered.exit_code(), ExitCode::DONE, "{at}: {:?}", recovered.error);
        }
        for host in 0..2 {
            assert_eq!(world.link(host, "current"), Some(format!("releases/{on}")), "{at}");
            let record = world.file(host, "releases/b/previousVersion").expect("a record");
            assert!(record.ends_with(b"/releases/a\n"), "{at}");
        }
    }
}

#[test]
fn a_relinking_that_is_cut_off_is_done_again() {
    is_done_again_wherever_it_is_cut::<Memory>();
    is_done_again_wherever_it_is_cut::<Local>();
}

/// The release of the interrupted run is undone, and `current` is linked to the release before it.
#[test]
fn it_is_linked_again_after_an_interrupted_deploy_too() {
    let counting = Cut::never();
    let deploy = |world: &Memory, cut: &Cut| wait(world.fleet(cut).deploy(release("c"), &deploying(), Silent).report());
    let deployed = || {
        let world: Memory = lost();
        assert_code(
            &wait(world.fleet(&Cut::never()).recover(&RecoverOptions::default(), Silent).report()),
            ExitCode::DONE,
        );
        world
    };
    assert_code(&deploy(&deployed(), &counting), ExitCode::DONE);
    for steps in 0..counting.steps() {
        let at = format!("cut after step {steps}");
        let world = deployed();
        deploy(&world, &Cut::after(steps));
        let arrived = (0..2).all(|host| {
            world
                .file(host, ".switchback/history")
                .is_some_and(|text| String::from_utf8_lossy(&text).contains("\"to\":\"c\""))
        });
        (0..2).for_each(|host| world.remove(host, "current"));
        let report = wait(world.fleet(&Cut::never()).recover(&RecoverOptions::default(), Silent).report());
        let links: Vec<_> = (0..2).filter_map(|host| world.link(host, "current")).collect();
        let named = ["releases/b", "releases/c"].map(ToOwned::to_owned);
        assert!(
            links.len() == 2 && links.iter().all(|link| named.contains(link)),
            "{at}: {links:?} {:?}",
            report.error
        );
        assert!(!arrived || links.iter().all(|link| link.ends_with('c')), "{at}: {links:?}");
        let record = world.file(0, "releases/b/previousVersion").expect("a record");
        assert!(record.ends_with(b"/releases/a\n"), "{at}");
    }
}
