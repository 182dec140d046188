//! Deploys that apply data, and revert it when anything fails.

use switchback::{
    ErrorKind, Event, ExitCode, Hint, Observer as _,
    event::Phase,
    fleet::{Direction, RollbackTarget},
    report::Outcome,
    testing::{Collected, Cut, WholeReport as _},
};

use crate::data::{
    fixture::{assert_code, at, going_back, wait},
    model::World,
};

#[test]
fn a_deploy_applies_once_before_the_switch_and_tells_both_versions() {
    let world = World::new().deployed(1);
    let report = world.deploy("r2");
    assert_code(&report, ExitCode::DONE);
    let data = report.data.expect("the data was looked at");
    assert_eq!(
        (data.before.as_str(), data.after.as_ref().map(switchback::data::DataVersion::as_str)),
        ("1", Some("2"))
    );
    world.is_at("r2", 2, "deploy");
    world.is_clean("deploy");
    let took = world.took();
    let order: Vec<&str> = took.iter().map(|line| line.split(' ').nth(1).expect("a hook")).collect();
    assert_eq!(
        order,
        [
            "prepare",
            "prepare",
            "version",
            "fingerprint",
            "apply",
            "version",
            "after_switch",
            "after_switch",
            "validate",
            "validate"
        ]
    );
    assert_eq!(took.iter().filter(|line| line.contains(" apply ")).count(), 1);
    assert!(took.contains(&"web2 apply r2".to_owned()), "{took:?}");
}

/// A host is done with a phase once, after the last hook that runs in it.
#[test]
fn a_host_finishes_a_phase_once() {
    let world = World::reverting_first();
    let observer = Collected::new(|event| match event {
        Event::HostDone { host, phase } => Some(format!("{host} {} done", phase.as_str())),
        Event::HookEnded { host, hook, .. } => Some(format!("{host} {hook} ended")),
        _ => None,
    });
    let watched = observer.clone();
    let forward = world.deploy_observed("r1", move |event: &Event| watched.event(event));
    assert_code(&forward, ExitCode::DONE);
    let told = observer.take();
    for host in ["web1", "web2"] {
        for phase in ["prepare", "after-switch", "validate"] {
            let at = |what: &str| told.iter().position(|line| *line == format!("{host} {phase} {what}"));
            assert!(at("ended") < at("done"), "{told:?}");
        }
    }
    assert_code(&world.deploy("r2"), ExitCode::DONE);
    let back =
        wait(world.fleet(&Cut::never()).rollback(&going_back(RollbackTarget::Steps(1)), observer.clone()).report());
    assert_code(&back, ExitCode::DONE);
    for told in [told, observer.take()] {
        let mut done: Vec<&String> = told.iter().filter(|line| line.ends_with(" done")).collect();
        let all = done.len();
        done.sort();
        done.dedup();
        assert_eq!(done.len(), all, "{told:?}");
    }
}

/// Switches nothing, and frees the name. FAULTS.md H01.
#[test]
fn a_failure_before_the_switch_takes_everything_back() {
    for (failing, kind) in [("web1 prepare r2", ErrorKind::HookFailed), ("web2 apply r2", ErrorKind::DataFailed)] {
        let world = World::new().deployed(1);
        world.data().failing.push(failing.to_owned());
        let report = world.deploy("r2");
        assert_eq!((report.outcome, report.exit_code()), (Outcome::Failed, ExitCode::REFUSED), "{failing}");
        assert_eq!(report.error.as_ref().map(|error| error.kind), Some(kind), "{failing}");
        world.is_at("r1", 1, failing);
        world.is_clean(failing);
        world.data().failing.clear();
        assert_code(&world.deploy("r2"), ExitCode::DONE);
        world.is_at("r2", 2, failing);
    }
}

#[test]
fn a_half_applied_release_is_reverted_and_its_name_is_free() {
    let world = World::new().deployed(1);
    world.data().half.push("web2 apply r2".to_owned());
    let report = world.deploy("r2");
    assert_eq!((report.outcome, report.exit_code()), (Outcome::Failed, ExitCode::REFUSED));
    world.is_at("r1", 1, "half applied");
    world.is_clean("half applied");
    assert!(world.took().contains(&"web2 revert r2".to_owned()));
    world.data().half.clear();
    assert_code(&world.deploy("r2"), ExitCode::DONE);
}

#[test]
fn data_that_cannot_be_put_back_is_named_and_mended_by_what_is_typed_next() {
    let world = World::new().deployed(1);
    world.data().half.push("web2 apply r2".to_owned());
    world.data().failing.push("web2 revert r2".to_owned());
    let report = world.deploy("r2");
    assert_code(&report, ExitCode::INCONSISTENT);
    let error = report.error.as_ref().expect("it says why");
    assert!(error.message.contains("version is 20"), "{}", error.message);
    assert!(error.hints.contains(&Hint::RecoverBack), "{error:?}");
    world.is_at("r1", 20, "not put back");
    // The data is still broken: still reported, and nothing is lost.
    assert_code(&world.recover(Direction::Back), ExitCode::INCONSISTENT);
    world.data().failing.clear();
    world.data().half.clear();
    assert_code(&world.recover(Direction::Back), ExitCode::DONE);
    world.is_at("r1", 1, "mended");
    world.is_clean("mended");
}

#[test]
fn a_failure_after_the_switch_puts_code_and_data_back_and_tells_the_services() {
    for failing in ["web1 after_switch r2", "web2 validate r2"] {
        let world = World::new().deployed(1);
        world.data().failing.push(failing.to_owned());
        let report = world.deploy("r2");
        assert_code(&report, ExitCode::PUT_BACK);
        world.is_at("r1", 1, failing);
        world.is_clean(failing);
        let took = world.took();
        assert_eq!(took.iter().filter(|line| line.as_str() == "web2 revert r2").count(), 1, "{failing}");
        for host in ["web1", "web2"] {
            let at =
                |line: &str| took.iter().position(|took| took == line).unwrap_or_else(|| panic!("{failing}: {took:?}"));
            assert!(at("web2 revert r2") < at(&format!("{host} after_switch r1")), "{failing}: {took:?}");
        }
    }
}

/// A host that could not be switched back still runs the new code, on the new data. FAULTS.md D19.
#[test]
fn data_stays_where_a_host_stays_on_the_new_release() {
    let world = World::new().deployed(1);
    world.data().failing.push("web2 validate r2".to_owned());
    let (host, current) = (world.hosts[0].clone(), at("current"));
    let report = world.deploy_observed("r2", move |event: &Event| {
        if matches!(event, Event::Phase { phase: Phase::PutBack, .. }) {
            host.remove(&current);
            host.link(&current, "releases/r1");
        }
    });
    assert_code(&report, ExitCode::INCONSISTENT);
    assert_eq!(world.data().version, 2, "{}", world.described());
    assert!(world.took().iter().all(|line| !line.contains(" revert ")), "nothing was reverted");
}

#[test]
fn equal_versions_mean_that_nothing_is_reverted() {
    let world = World::new().deployed(1);
    world.data().lying.push("web2 apply r2".to_owned());
    assert_code(&world.deploy("r2"), ExitCode::DONE);
    world.took();
    assert_code(&world.rollback(), ExitCode::DONE);
    world.is_at("r1", 1, "nothing to revert");
    assert!(world.took().iter().all(|line| !line.contains(" revert ")));
}
