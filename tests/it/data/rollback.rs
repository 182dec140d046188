//! Rollbacks that revert data release by release, or refuse before anything is touched.

use switchback::{
    ErrorKind, ExitCode,
    fleet::{Direction, RollbackTarget},
    report::Outcome,
    testing::{Collected, Cut, WholeReport as _},
};

use crate::data::{
    fixture::{assert_code, name},
    model::World,
};

#[test]
fn each_release_is_reverted_newest_first_by_its_own_commands() {
    for world in [World::new(), World::reverting_first()] {
        let world = world.deployed(4);
        let report = world.rollback_with(RollbackTarget::Steps(3), &|options| options, &Cut::never());
        assert_code(&report, ExitCode::DONE);
        world.is_at("r1", 1, "three back");
        world.is_clean("three back");
        let took = world.took();
        let reverts: Vec<&str> = took.iter().filter(|line| line.contains(" revert ")).map(String::as_str).collect();
        assert_eq!(reverts, ["web2 revert r4", "web2 revert r3", "web2 revert r2"]);
        assert!(took.contains(&"web1 validate r1".to_owned()), "{took:?}");
    }
}

#[test]
fn data_is_reverted_after_the_services_were_told_or_before_the_switch() {
    let place = |world: &World, what: &str| {
        let took = world.took();
        (took.iter().position(|line| line.contains(what)), took.iter().position(|line| line.contains(" revert ")))
    };
    let world = World::new().deployed(2);
    assert_code(&world.rollback(), ExitCode::DONE);
    let (told, reverted) = place(&world, "after_switch");
    assert!(told < reverted);
    let world = World::reverting_first().deployed(2);
    assert_code(&world.rollback(), ExitCode::DONE);
    let (told, reverted) = place(&world, "after_switch");
    assert!(reverted < told);
}

#[test]
fn a_plan_shows_the_chain_and_changes_nothing() {
    let world = World::new().deployed(3);
    let plan = Collected::plans();
    let options = crate::data::fixture::going_back(RollbackTarget::Steps(2)).dry_run(true);
    let report = crate::data::fixture::wait(world.fleet(&Cut::never()).rollback(&options, plan.clone()).report());
    assert_code(&report, ExitCode::DONE);
    let text = plan.take().join("\n");
    assert!(text.contains("revert r3 from 3 to 2") && text.contains("revert r2 from 2 to 1"), "{text}");
    world.is_at("r3", 3, "dry run");
    assert!(world.took().is_empty(), "a dry run runs nothing");
}

#[test]
fn a_version_that_was_not_recorded_is_refused_naming_both() {
    let world = World::new().deployed(2);
    world.data().version = 9;
    let report = world.rollback();
    assert_code(&report, ExitCode::REFUSED);
    let error = report.error.expect("it says why");
    assert_eq!(error.kind, ErrorKind::DataDiffers);
    assert!(error.message.contains(" 9,") && error.message.contains(" 2 "), "{}", error.message);
    assert_eq!(report.outcome, Outcome::Refused);
    world.is_at("r2", 9, "refused");
    world.is_clean("refused");
    let report = world.rollback_with(RollbackTarget::Steps(1), &|options| options.keep_data(true), &Cut::never());
    assert_code(&report, ExitCode::DONE);
    world.is_at("r1", 9, "with the code alone");
}

#[test]
fn what_cannot_go_back_is_refused_with_its_reason() {
    let world = World::new().deployed(1);
    let why = "it drops a table";
    let report = world.deploy_with("r2", &|options| options.irreversible(why), &Cut::never());
    assert_code(&report, ExitCode::DONE);
    assert_code(&world.deploy("r3"), ExitCode::DONE);
    for steps in [1, 2] {
        let report = world.rollback_with(RollbackTarget::Steps(steps), &|options| options, &Cut::never());
        if steps == 1 {
            assert_code(&report, ExitCode::DONE);
            assert_code(&world.activate("r3"), ExitCode::DONE);
            continue;
        }
        assert_code(&report, ExitCode::REFUSED);
        let error = report.error.expect("it says why");
        assert_eq!(error.kind, ErrorKind::Irreversible);
        assert!(error.message.contains(why), "{}", error.message);
        world.is_at("r3", 3, "refused");
    }
}

#[test]
fn without_a_revert_it_is_refused() {
    let mut world = World::new().deployed(1);
    world.commands.data.as_mut().expect("data").revert = None;
    assert_code(&world.deploy("r2"), ExitCode::DONE);
    let report = world.rollback();
    assert_code(&report, ExitCode::REFUSED);
    assert_eq!(report.error.expect("it says why").kind, ErrorKind::Irreversible);
    world.is_at("r2", 2, "refused");
}

#[test]
fn a_target_that_no_record_leads_to_is_refused_when_its_data_is_another() {
    let world = World::new().deployed(2);
    assert_code(&world.rollback(), ExitCode::DONE);
    let report = world.rollback_with(RollbackTarget::Release(name("r2")), &|options| options, &Cut::never());
    assert_code(&report, ExitCode::REFUSED);
    assert_eq!(report.error.expect("it says why").kind, ErrorKind::DataDiffers);
    world.is_at("r1", 1, "refused");
    assert_code(&world.activate("r2"), ExitCode::DONE);
    world.is_at("r2", 2, "forward again");
}

/// The fleet stays on the target, and the next rollback resumes the revert. FAULTS.md H11.
#[test]
fn a_revert_that_fails_is_taken_up_again_by_the_next_rollback() {
    for half in [false, true] {
        let world = World::new().deployed(3);
        let line = "web2 revert r2".to_owned();
        if half {
            world.data().half.push(line);
        } else {
            world.data().failing.push(line);
        }
        let report = world.rollback_with(RollbackTarget::Steps(2), &|options| options, &Cut::never());
        assert_code(&report, ExitCode::INCONSISTENT);
        let error = report.error.expect("it says why");
        assert!(error.message.contains("every host is on r1"), "{}", error.message);
        world.is_at("r1", if half { 20 } else { 2 }, "stopped");
        world.data().failing.clear();
        world.data().half.clear();
        world.took();
        let report = world.rollback();
        assert_code(&report, ExitCode::DONE);
        world.is_at("r1", 1, "taken up");
        world.is_clean("taken up");
        let took = world.took();
        let reverts: Vec<&String> = took.iter().filter(|line| line.contains(" revert ")).collect();
        assert_eq!(reverts, ["web2 revert r2"], "r3 is not reverted twice");
        // No code moved further: a rollback finds nothing to roll back to now.
        assert_code(&world.rollback(), ExitCode::NOTHING_TO_ROLL_BACK_TO);
    }
}

#[test]
fn what_was_reverted_before_the_switch_is_applied_again_when_the_next_revert_fails() {
    for half in [false, true] {
        let world = World::reverting_first().deployed(3);
        let line = "web2 revert r2".to_owned();
        if half {
            world.data().half.push(line);
        } else {
            world.data().failing.push(line);
        }
        let report = world.rollback_with(RollbackTarget::Steps(2), &|options| options, &Cut::never());
        assert_code(&report, ExitCode::REFUSED);
        world.is_at("r3", 3, "taken back");
        world.is_clean("taken back");
        world.data().failing.clear();
        world.data().half.clear();
        // The `before` version of each release stands: one step back is one migration.
        assert_code(&world.rollback(), ExitCode::DONE);
        world.is_at("r2", 2, "one back");
    }
}

#[test]
fn a_revert_that_does_nothing_is_found_out() {
    let world = World::new().deployed(2);
    world.data().lying.push("web2 revert r2".to_owned());
    assert_code(&world.rollback(), ExitCode::INCONSISTENT);
    world.is_at("r1", 2, "nothing was reverted");
    world.data().lying.clear();
    assert_code(&world.rollback(), ExitCode::DONE);
    world.is_at("r1", 1, "taken up");
}

#[test]
fn a_rollback_that_arrived_stays_though_a_hook_or_the_validation_fails() {
    for failing in ["web1 after_switch r1", "web2 validate r1"] {
        let world = World::new().deployed(2);
        world.data().failing.push(failing.to_owned());
        let report = world.rollback();
        assert_code(&report, ExitCode::INCONSISTENT);
        world.is_at("r1", 1, failing);
        world.is_clean(failing);
        let bad = crate::data::fixture::at(".switchback/releases/r2/bad");
        assert!(world.hosts.iter().all(|host| host.exists(&bad)), "{failing}: what was left is not marked bad");
    }
}

#[test]
fn recovery_takes_an_interrupted_revert_up_too() {
    let world = World::new().deployed(2);
    world.data().failing.push("web2 revert r2".to_owned());
    assert_code(&world.rollback(), ExitCode::INCONSISTENT);
    world.data().failing.clear();
    assert_code(&world.recover(Direction::Safest), ExitCode::DONE);
    world.is_at("r1", 1, "recovered");
    world.is_clean("recovered");
}

#[test]
fn a_release_that_was_removed_by_hand_is_reverted_from_what_was_saved_of_it() {
    for saved in [true, false] {
        let mut world = World::new();
        if saved {
            world.commands.data.as_mut().expect("data").save = vec!["db".parse().expect("a path")];
        }
        let world = world.deployed(3);
        for host in &world.hosts {
            host.remove(&crate::data::fixture::at("releases/r2"));
            // The model's shell copies nothing.
            host.make_dir(&crate::data::fixture::at(".switchback/saved/r2"));
        }
        let report = world.rollback_with(RollbackTarget::Release(name("r1")), &|options| options, &Cut::never());
        if saved {
            assert_code(&report, ExitCode::DONE);
            world.is_at("r1", 1, "over a gap");
        } else {
            assert_code(&report, ExitCode::REFUSED);
            world.is_at("r3", 3, "refused");
        }
    }
}

#[test]
fn a_release_whose_data_stayed_is_still_reverted_once_it_is_current_again() {
    let world = World::new().deployed(2);
    let report = world.rollback_with(RollbackTarget::Steps(1), &|options| options.keep_data(true), &Cut::never());
    assert_code(&report, ExitCode::DONE);
    world.is_at("r1", 2, "with the code alone");
    assert_code(&world.activate("r2"), ExitCode::DONE);
    world.is_at("r2", 2, "the data was there already");
    assert_code(&world.rollback(), ExitCode::DONE);
    world.is_at("r1", 1, "code and data");
}

#[test]
fn data_that_stayed_is_left_where_it_was_when_going_forward_again_fails() {
    let world = World::new().deployed(2);
    let report = world.rollback_with(RollbackTarget::Steps(1), &|options| options.keep_data(true), &Cut::never());
    assert_code(&report, ExitCode::DONE);
    world.data().failing.push("web1 validate r2".to_owned());
    assert_code(&world.activate("r2"), ExitCode::PUT_BACK);
    world.is_at("r1", 2, "where it was before");
}
