//! Every command with data, cut after each of its steps and with each of its answers lost. The next rollback or
//! recovery ends with code and data together, and each revert took effect once. FAULTS.md D01.

use switchback::{
    ExitCode, Report,
    fleet::{Direction, RollbackTarget},
    report::{Command, Outcome},
    testing::{AfterLoss, Cut},
};

use crate::data::{fixture::name, model::World};

fn two_back(world: &World, cut: &Cut) -> Report {
    world.rollback_with(RollbackTarget::Steps(2), &|options| options, cut)
}

fn forward(world: &World, cut: &Cut) -> Report {
    world.deploy_with("r4", &|options| options, cut)
}

/// Checks that each release was reverted exactly once. A revert that finds the data at its target already has no
/// effect.
fn asserts_once(world: &World, what: &str) {
    for release in ["r2", "r3"] {
        let line = format!("web2 revert {release}");
        let times = world.data().log.iter().filter(|own| **own == line).count();
        assert_eq!(times, 1, "{what}: {release} was reverted {times} times\n{}", world.described());
    }
}

#[test]
fn a_rollback_of_data_that_is_cut_anywhere_is_finished_by_the_next_one() {
    for make in [World::new as fn() -> World, World::reverting_first] {
        let (counting, before) = (Cut::never(), make().deployed(3));
        assert_eq!(two_back(&before.copy(), &counting).exit_code(), ExitCode::DONE);
        for steps in 0..counting.steps() {
            let world = before.copy();
            let what = format!("cut after step {steps}");
            two_back(&world, &Cut::after(steps));
            let report = two_back(&world, &Cut::never());
            // A run that was cut off at its very end is complete, and there is nothing before r1.
            let settled = [ExitCode::DONE, ExitCode::NOTHING_TO_ROLL_BACK_TO];
            assert!(settled.contains(&report.exit_code()), "{what}: {report:?}\n{}", world.described());
            world.is_at("r1", 1, &what);
            world.is_settled(&what);
            asserts_once(&world, &what);
        }
    }
}

#[test]
fn an_answer_that_is_lost_in_a_rollback_of_data_is_found_again() {
    let (counting, before) = (Cut::never(), World::new().deployed(3));
    assert_eq!(two_back(&before.copy(), &counting).exit_code(), ExitCode::DONE);
    for answer in 0..counting.exchanges() {
        let world = before.copy();
        let what = format!("answer {answer} lost");
        two_back(&world, &Cut::losing_answer(answer, AfterLoss::Answers));
        let report = two_back(&world, &Cut::never());
        let settled = [ExitCode::DONE, ExitCode::NOTHING_TO_ROLL_BACK_TO];
        assert!(settled.contains(&report.exit_code()), "{what}: {report:?}");
        world.is_at("r1", 1, &what);
        asserts_once(&world, &what);
    }
}

#[test]
fn a_deploy_of_data_that_is_cut_anywhere_is_recovered_both_ways() {
    let (counting, before) = (Cut::never(), World::new().deployed(3));
    assert_eq!(forward(&before.copy(), &counting).exit_code(), ExitCode::DONE);
    for steps in 0..counting.steps() {
        for direction in [Direction::Safest, Direction::Back] {
            let world = before.copy();
            let what = format!("cut after step {steps}, {direction:?}");
            forward(&world, &Cut::after(steps));
            let report = world.recover(direction);
            assert_eq!(report.exit_code(), ExitCode::DONE, "{what}: {report:?}\n{}", world.described());
            let arrived = world.hosts[0].read_link(&crate::data::fixture::at("current")) == Some("releases/r4".into());
            let version = if arrived { 4 } else { 3 };
            let was_over = report.outcome == Outcome::Unchanged;
            assert!(was_over || !(arrived && direction == Direction::Back), "{what}");
            if let Some(undone) = &report.undone {
                assert_eq!((undone.command, &undone.release), (Command::Deploy, &Some(name("r4"))), "{what}");
                assert_eq!(report.release, Some(name("r3")), "{what}");
                assert_eq!(world.last_went_to(), Some(name("r3")), "{what}");
            }
            world.is_at(if arrived { "r4" } else { "r3" }, version, &what);
            let times = |line: &str| world.data().log.iter().filter(|own| *own == line).count();
            assert!(times("web2 apply r4") <= 1 && times("web2 revert r4") <= 1, "{what}\n{}", world.described());
        }
    }
}
