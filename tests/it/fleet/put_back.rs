//! Failures on one host: the others are reverted, or the report says which are not.

use switchback::{
    ErrorKind, Event, ExitCode, Hint, Report,
    event::Phase,
    fleet::{ActivateOptions, Call, Cancel, RollbackTarget},
    report::{HostOutcome, Outcome},
    testing::WholeReport as _,
    transport::MemoryHost,
};

use super::fixture::{Hosts, assert_code, at, deploying, going_back, name, release, wait};

/// Calls `deed` when the phase begins.
fn when(phase: Phase, deed: impl Fn() + Send + Sync + 'static) -> impl Fn(&Event) + Send + Sync {
    move |event| {
        if matches!(event, Event::Phase { phase: begun, .. } if *begun == phase) {
            deed();
        }
    }
}

/// A call that is stopped when the phase begins.
fn stop_in(phase: Phase) -> Call {
    let cancel = Cancel::new();
    let stop = cancel.clone();
    Call::new().observer(when(phase, move || stop.request())).cancel(&cancel)
}

/// Changes `current` by hand.
fn meddle(host: &MemoryHost, text: &str) {
    host.remove(&at("current"));
    host.link(&at("current"), text);
}

fn outcomes(report: &Report) -> Vec<HostOutcome> {
    report.hosts.iter().map(|host| host.outcome).collect()
}

#[test]
fn a_failed_switch_on_one_host_puts_the_others_back() {
    let hosts = Hosts::new(3).deployed(&["a", "b"]);
    let web2 = hosts.0[1].clone();
    let observer = when(Phase::Switch, move || meddle(&web2, "releases/a"));
    let report = wait(hosts.fleet().deploy(release("c"), &deploying(), observer).report());
    assert_code(&report, ExitCode::PUT_BACK);
    assert_eq!(report.outcome, Outcome::PutBack);
    assert_eq!(outcomes(&report), [HostOutcome::Reverted, HostOutcome::Failed, HostOutcome::Reverted]);
    assert_eq!(report.hosts[1].error.as_ref().map(|error| error.kind), Some(ErrorKind::Conflict));
    let on = |text: &str| Some(format!("releases/{text}"));
    assert_eq!(hosts.links(), [on("b"), on("a"), on("b")]);
    hosts.clean();
    let status = hosts.status();
    for host in &status.hosts {
        let releases = &host.status.as_ref().expect("it was read").releases;
        assert!(releases.iter().any(|release| release.name.as_str() == "c" && release.bad.is_some()), "{}", host.host);
    }
}

#[test]
fn a_failed_rollback_on_one_host_puts_the_others_back_and_marks_nothing() {
    let hosts = Hosts::new(2).deployed(&["a", "b", "c"]);
    let web1 = hosts.0[0].clone();
    let observer = when(Phase::Switch, move || meddle(&web1, "releases/a"));
    let report = wait(hosts.fleet().rollback(&going_back(RollbackTarget::Steps(1)), observer).report());
    assert_code(&report, ExitCode::PUT_BACK);
    assert_eq!(hosts.links(), [Some("releases/a".into()), Some("releases/c".into())]);
    let status = hosts.status();
    assert!(status.hosts.iter().all(|host| {
        host.status.as_ref().is_some_and(|status| status.releases.iter().all(|release| release.bad.is_none()))
    }));
    hosts.clean();
}

#[test]
fn an_undo_that_fails_is_told_beside_its_cause() {
    let hosts = Hosts::new(3).deployed(&["a", "b"]);
    let (first, second) = (hosts.0[0].clone(), hosts.0[1].clone());
    let observer = move |event: &Event| match event {
        Event::Phase { phase: Phase::Switch, .. } => meddle(&second, "releases/a"),
        Event::Phase { phase: Phase::PutBack, .. } => meddle(&first, "releases/a"),
        _ => {}
    };
    let report = wait(hosts.fleet().deploy(release("c"), &deploying(), observer).report());
    assert_code(&report, ExitCode::INCONSISTENT);
    assert_eq!(outcomes(&report), [HostOutcome::Failed, HostOutcome::Failed, HostOutcome::Reverted]);
    let error = report.error.expect("a failure has an error");
    assert!(error.hints.contains(&Hint::Rollback));
    assert!(report.hosts[0].error.as_ref().is_some_and(|error| error.message.contains("reverting it failed")));
    assert_eq!(hosts.links()[2], Some("releases/b".into()));
}

#[test]
fn a_first_deploy_that_is_put_back_leaves_no_current() {
    let hosts = Hosts::new(2);
    let web2 = hosts.0[1].clone();
    let observer = when(Phase::Switch, move || web2.link(&at("current"), "releases/c"));
    let report = wait(hosts.fleet().deploy(release("c"), &deploying(), observer).report());
    assert_code(&report, ExitCode::PUT_BACK);
    assert_eq!(hosts.links()[0], None);
    assert_eq!((report.hosts[0].outcome, report.hosts[0].after.clone()), (HostOutcome::Reverted, None));
    hosts.0[1].remove(&at("current"));
    assert_code(&hosts.deploy("d"), ExitCode::DONE);
    hosts.all_on("d");
}

#[test]
fn a_failed_preparation_frees_the_name_and_touches_no_current() {
    let hosts = Hosts::new(3).deployed(&["a"]);
    let web3 = hosts.0[2].clone();
    let observer = when(Phase::Prepare, move || web3.write(&at("releases/b"), "in the way"));
    let report = wait(hosts.fleet().deploy(release("b"), &deploying(), observer).report());
    assert_code(&report, ExitCode::REFUSED);
    assert_eq!(report.outcome, Outcome::Failed);
    hosts.all_on("a");
    hosts.clean();
    assert!(!hosts.0[0].exists(&at("releases/b")) && hosts.0[2].read(&at("releases/b")).is_some());
    hosts.0[2].remove(&at("releases/b"));
    assert_code(&hosts.deploy("b"), ExitCode::DONE);
    hosts.all_on("b");
}

/// A release that was current before has a record, which an activation rewrites: undone, it is as it was. FAULTS.md I15.
#[test]
fn an_activation_that_fails_before_its_switch_restores_the_record() {
    let hosts = Hosts::new(2).deployed(&["a", "b", "c"]);
    assert_code(&hosts.rollback_to(RollbackTarget::Steps(2)), ExitCode::DONE);
    let web2 = hosts.0[1].clone();
    let observer = when(Phase::Prepare, move || web2.rename(&at("releases/c"), "/srv/gone"));
    let report = wait(hosts.fleet().activate(&name("c"), &ActivateOptions::default(), observer).report());
    assert_code(&report, ExitCode::REFUSED);
    hosts.all_on("a");
    hosts.clean();
    assert_eq!(hosts.record("c").as_deref(), Some("/srv/shop/releases/b\n"));
}

/// A host that takes no upload leaves none on the others. FAULTS.md U05.
#[test]
fn an_upload_that_fails_on_one_host_is_removed_from_the_others() {
    let hosts = Hosts::new(2).deployed(&["a"]);
    let web2 = hosts.0[1].clone();
    let observer = when(Phase::Stage, move || {
        web2.remove(&at(".switchback/staging"));
        web2.write(&at(".switchback/staging"), "in the way");
    });
    let report = wait(hosts.fleet().deploy(release("b"), &deploying(), observer).report());
    assert_code(&report, ExitCode::REFUSED);
    hosts.all_on("a");
    for place in ["staging", "live"] {
        let left = hosts.0[0].list(&at(&format!(".switchback/{place}"))).unwrap_or_default();
        assert!(left.is_empty(), "{place} holds {left:?}");
    }
}

/// Somebody switches by hand, in the middle of a deploy, to the very release that it uploads.
#[test]
fn nothing_is_removed_from_under_a_current_that_was_changed_by_hand() {
    let hosts = Hosts::new(1).deployed(&["a"]);
    let web1 = hosts.0[0].clone();
    let observer = when(Phase::Switch, move || meddle(&web1, "releases/b"));
    let report = wait(hosts.fleet().deploy(release("b"), &deploying(), observer).report());
    assert_code(&report, ExitCode::REFUSED);
    assert_eq!(report.error.map(|error| error.kind), Some(ErrorKind::Conflict));
    assert_eq!(report.hosts[0].after.as_ref().map(switchback::ReleaseName::as_str), Some("b"));
    hosts.all_on("b");
    hosts.clean();
}

#[test]
fn a_run_that_is_stopped_before_it_is_done_leaves_everything_as_it_was() {
    for phase in [Phase::Ask, Phase::Stage, Phase::Lock, Phase::Prepare, Phase::Switch] {
        let hosts = Hosts::new(2).deployed(&["a"]);
        let report = wait(hosts.fleet().deploy(release("b"), &deploying(), stop_in(phase)).report());
        assert_code(&report, ExitCode::INTERRUPTED);
        assert_eq!(report.outcome, Outcome::Interrupted, "{phase:?}");
        hosts.all_on("a");
        assert!(hosts.0.iter().all(|host| !host.exists(&at(".switchback/lock"))), "{phase:?}: a lock was left");
        let next = deploying().by("bob@desktop");
        assert_code(
            &wait(hosts.fleet().deploy(release("c"), &next, switchback::event::Silent).report()),
            ExitCode::DONE,
        );
        hosts.all_on("c");
        hosts.clean();
    }
}

#[test]
fn a_rollback_is_stopped_before_its_switch_and_never_after() {
    for (phase, code, on) in [
        (Phase::Lock, ExitCode::INTERRUPTED, "b"),
        (Phase::Prepare, ExitCode::INTERRUPTED, "b"),
        (Phase::Switch, ExitCode::DONE, "a"),
        (Phase::Finish, ExitCode::DONE, "a"),
    ] {
        let hosts = Hosts::new(2).deployed(&["a", "b"]);
        let options = going_back(RollbackTarget::Steps(1));
        let report = wait(hosts.fleet().rollback(&options, stop_in(phase)).report());
        assert_code(&report, code);
        hosts.all_on(on);
        hosts.clean();
    }
}
