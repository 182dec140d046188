//! Drills with data: each leg is proven, and a proof that fails is named.

use switchback::{ErrorKind, ExitCode, report::Outcome};

use crate::data::{fixture::assert_code, model::World};

#[test]
fn a_drill_that_holds_ends_on_the_new_release_with_its_data() {
    let world = World::new().deployed(1);
    let report = world.drill("r2");
    assert_code(&report, ExitCode::DONE);
    let drill = report.drill.expect("it was a drill");
    assert!(drill.passed && drill.time_to_restore.is_some() && drill.baseline.is_none());
    assert_eq!(
        drill.legs.iter().map(|leg| leg.name.as_str()).collect::<Vec<_>>(),
        ["deploy", "rollback", "deploy again"]
    );
    assert!(drill.legs.iter().all(|leg| leg.proofs.len() >= 2 && leg.proofs.iter().all(|proof| proof.held)));
    let versions: Vec<_> =
        drill.legs.iter().filter_map(|leg| leg.data.as_ref()).map(|v| v.as_str().to_owned()).collect();
    assert_eq!(versions, ["2", "1", "2"]);
    world.is_at("r2", 2, "drilled");
    world.is_clean("drilled");
    let took = world.took();
    assert_eq!(took.iter().filter(|line| line.contains(" revert ")).count(), 1);
    assert_eq!(took.iter().filter(|line| line.contains(" apply ")).count(), 2);
}

#[test]
fn with_nothing_to_go_back_to_the_source_is_the_baseline() {
    let world = World::new();
    world.data().lying.push("web2 apply r2".to_owned());
    let report = world.drill("r2");
    assert_code(&report, ExitCode::DONE);
    let baseline = report.drill.and_then(|drill| drill.baseline).expect("there was none before");
    assert_ne!(baseline.as_str(), "r2");
}

#[test]
fn a_way_back_that_does_nothing_fails_the_drill() {
    let world = World::new().deployed(1);
    world.data().lying.push("web2 revert r2".to_owned());
    let report = world.drill("r2");
    assert_eq!((report.outcome, report.exit_code()), (Outcome::Differs, ExitCode::DIFFERS));
    assert_eq!(report.error.as_ref().map(|error| error.kind), Some(ErrorKind::DrillFailed));
    let drill = report.drill.expect("it was a drill");
    assert!(!drill.passed);
    assert_eq!(drill.broken().map(|(leg, _)| leg.name.as_str()).collect::<Vec<_>>(), ["rollback"]);
}

/// The version is what it was, and the data is not. FAULTS.md D15.
#[test]
fn a_way_back_that_leaves_something_behind_fails_the_drill() {
    let world = World::new().deployed(1);
    world.data().littering.push("web2 revert r2".to_owned());
    let report = world.drill("r2");
    assert_code(&report, ExitCode::DIFFERS);
    let drill = report.drill.expect("it was a drill");
    let broken: Vec<&str> = drill.broken().map(|(_, proof)| proof.name.as_str()).collect();
    assert_eq!(broken, ["the data fingerprint is the same as before"]);
}

#[test]
fn an_old_version_that_is_not_valid_fails_the_drill() {
    let world = World::new().deployed(1);
    world.data().failing.push("web1 validate r1".to_owned());
    assert_code(&world.drill("r2"), ExitCode::DIFFERS);
    world.is_at("r1", 1, "it stays where that leg left it");
}

#[test]
fn a_first_leg_that_fails_is_no_rehearsal_and_says_why_itself() {
    let world = World::new().deployed(1);
    world.data().failing.push("web1 prepare r2".to_owned());
    let report = world.drill("r2");
    assert_code(&report, ExitCode::REFUSED);
    assert_eq!(report.error.as_ref().map(|error| error.kind), Some(ErrorKind::HookFailed));
    world.is_at("r1", 1, "put back");
}
