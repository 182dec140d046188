//! Rollbacks with `--keep-data`: the kept change is recorded, and reverted when its turn comes.

use switchback::{
    ExitCode, Report,
    fleet::{Direction, RollbackOptions, RollbackTarget},
    testing::Cut,
};

use crate::data::{fixture::assert_code, model::World};

fn alone(options: RollbackOptions) -> RollbackOptions {
    options.keep_data(true)
}

fn back(world: &World, steps: u32) -> Report {
    world.rollback_with(RollbackTarget::Steps(steps), &|options| options, &Cut::never())
}

fn back_alone(world: &World, steps: u32) {
    assert_code(&world.rollback_with(RollbackTarget::Steps(steps), &alone, &Cut::never()), ExitCode::DONE);
}

#[track_caller]
fn deploys_quietly(world: &World, text: &str) {
    let (report, warnings) = world.deploy_told(text, &|options| options);
    assert_code(&report, ExitCode::DONE);
    assert_eq!(warnings, [""; 0], "{text}");
}

fn reverts(world: &World) -> Vec<String> {
    world.took().into_iter().filter(|line| line.contains(" revert ")).collect()
}

#[test]
fn the_next_deploy_knows_what_was_kept_and_goes_back_to_it() {
    let world = World::new().deployed(3);
    back_alone(&world, 1);
    world.is_at("r2", 3, "with the code alone");
    assert_eq!(reverts(&world), [""; 0]);
    deploys_quietly(&world, "r4");
    assert_code(&back(&world, 1), ExitCode::DONE);
    world.is_at("r2", 3, "where it was");
}

#[test]
fn further_back_each_change_is_reverted_by_the_release_that_made_it() {
    for deployed_over in [false, true] {
        let world = World::new().deployed(3);
        back_alone(&world, 1);
        if deployed_over {
            deploys_quietly(&world, "r4");
        }
        world.took();
        assert_code(&back(&world, 1 + u32::from(deployed_over)), ExitCode::DONE);
        world.is_at("r1", 1, "further back");
        let expected = ["web2 revert r4", "web2 revert r3", "web2 revert r2"];
        assert_eq!(reverts(&world), expected[usize::from(!deployed_over)..]);
        deploys_quietly(&world, "r5");
    }
}

#[test]
fn a_release_that_is_current_again_takes_its_change_back() {
    let world = World::new().deployed(3);
    back_alone(&world, 2);
    world.is_at("r1", 3, "two back with the code alone");
    assert_code(&world.activate("r3"), ExitCode::DONE);
    assert_code(&back(&world, 1), ExitCode::DONE);
    world.is_at("r1", 2, "the change of r2 is still there");
    deploys_quietly(&world, "r4");
    assert_code(&back(&world, 1), ExitCode::DONE);
    world.is_at("r1", 2, "once more");
}

#[test]
fn an_activation_that_is_undone_leaves_what_was_kept() {
    for cut in [None, Some(40), Some(50), Some(60)] {
        let world = World::new().deployed(2);
        back_alone(&world, 1);
        if let Some(steps) = cut {
            world.activate_cut("r2", &Cut::after(steps));
            assert_code(&world.recover(Direction::Back), ExitCode::DONE);
        } else {
            world.data().failing.push("web1 validate r2".to_owned());
            assert_code(&world.activate("r2"), ExitCode::PUT_BACK);
        }
        world.is_at("r1", 2, "where it was");
        deploys_quietly(&world, "r3");
        assert_code(&back(&world, 1), ExitCode::DONE);
        world.is_at("r1", 2, "back to what was kept");
    }
}

#[test]
fn a_rollback_with_the_code_alone_that_is_cut_off_keeps_the_data_when_it_is_finished() {
    let (counting, before) = (Cut::never(), World::new().deployed(3));
    let going = |world: &World, cut: &Cut| world.rollback_with(RollbackTarget::Steps(2), &alone, cut);
    assert_code(&going(&before.copy(), &counting), ExitCode::DONE);
    for steps in 0..counting.steps() {
        for recovers in [false, true] {
            let world = before.copy();
            let what = format!("cut after step {steps}, recovers: {recovers}");
            going(&world, &Cut::after(steps));
            // Two steps back: the record of a host without an intent leads elsewhere, so a recovery names the host and
            // leaves it.
            let names_a_host = recovers && world.is_begun() && !world.is_known_everywhere();
            let report = if recovers {
                world.recover(Direction::Safest)
            } else if world.is_begun() {
                back(&world, 2)
            } else {
                going(&world, &Cut::never())
            };
            let settled = [ExitCode::DONE, ExitCode::NOTHING_TO_ROLL_BACK_TO];
            let settled = if names_a_host { &[ExitCode::INCONSISTENT][..] } else { &settled };
            assert!(settled.contains(&report.exit_code()), "{what}: {report:?}");
            assert_eq!(world.data().version, 3, "{what}");
        }
    }
}

#[test]
fn what_was_reverted_before_the_rest_was_kept_is_not_recorded_as_kept() {
    let world = World::new().deployed(3);
    world.data().failing.push("web2 revert r2".to_owned());
    assert_code(&back(&world, 2), ExitCode::INCONSISTENT);
    world.is_at("r1", 2, "stopped");
    world.data().failing.clear();
    back_alone(&world, 2);
    world.is_at("r1", 2, "kept");
    deploys_quietly(&world, "r4");
    assert_code(&back(&world, 1), ExitCode::DONE);
    world.is_at("r1", 2, "back to what was kept");
}

#[test]
fn what_an_older_program_kept_is_no_reason_to_refuse() {
    // The older program kept the data, and deployed on top of it.
    let world = World::new().deployed(3);
    back_alone(&world, 1);
    assert_code(&world.deploy("r4"), ExitCode::DONE);
    world.forget_what_older_programs_lack();
    assert_code(&back(&world, 1), ExitCode::DONE);
    world.is_at("r2", 3, "what was kept");
    deploys_quietly(&world, "r5");
    world.took();
    assert_code(&back(&world, 2), ExitCode::DONE);
    world.is_at("r1", 1, "further back");
    assert_eq!(reverts(&world), ["web2 revert r5", "web2 revert r3", "web2 revert r2"]);
    // The older program kept the data, and this one deploys on top of it.
    let world = World::new().deployed(3);
    back_alone(&world, 1);
    world.forget_what_older_programs_lack();
    deploys_quietly(&world, "r4");
    assert_code(&back(&world, 2), ExitCode::DONE);
    world.is_at("r1", 1, "further back");
}
