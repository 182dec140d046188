//! Deploys and rollbacks over data that is not what was last known: a person decides.

use switchback::{
    ErrorKind, ExitCode, Hint, Report,
    data::DataVersion,
    fleet::{Direction, RollbackOptions, RollbackTarget},
    report::{Fingerprint, Outcome},
    testing::Cut,
};

use crate::data::{
    fixture::{assert_code, name},
    model::{Change, World},
};

fn version(text: &str) -> DataVersion {
    DataVersion::new(text).expect("a version")
}

fn to(text: &str) -> impl Fn(RollbackOptions) -> RollbackOptions + '_ {
    move |options| options.data_to(version(text))
}

fn back(world: &World, steps: u32, change: Change<'_, RollbackOptions>) -> Report {
    world.rollback_with(RollbackTarget::Steps(steps), change, &Cut::never())
}

#[track_caller]
fn refused(report: &Report, words: &[&str]) {
    assert_code(report, ExitCode::REFUSED);
    let error = report.error.as_ref().expect("it says why");
    assert_eq!(error.kind, ErrorKind::DataDiffers, "{error:?}");
    for word in words {
        assert!(error.message.contains(word), "{word}: {}", error.message);
    }
}

/// Returns how often a hook ran since the last call.
fn ran(world: &World, what: &str) -> usize {
    world.took().iter().filter(|line| line.contains(what)).count()
}

#[track_caller]
fn deploys_quietly(world: &World, text: &str) {
    let (report, warnings) = world.deploy_told(text, &|options| options);
    assert_code(&report, ExitCode::DONE);
    assert_eq!(warnings, [""; 0], "{text}");
}

#[test]
fn a_migration_by_hand_is_noticed_and_its_rollback_needs_a_decision() {
    for decision in ["2", "20"] {
        let world = World::new().deployed(2);
        world.data().version = 20;
        let (report, warnings) = world.deploy_told("r3", &|options| options);
        assert_code(&report, ExitCode::DONE);
        assert_eq!(report.hints, [], "a plain rollback will be refused");
        let warning = warnings.iter().find(|warning| warning.ends_with(" [DataToLater]")).expect("a warning");
        assert!(warning.contains("version on web2 is 20, but 2 was last known, with r2"), "{warning}");
        for steps in [1, 2] {
            let report = back(&world, steps, &|options| options);
            refused(&report, &["before r3", "version was 20", "2 was last known, with r2"]);
            assert!(report.error.is_some_and(|error| error.hints.contains(&Hint::DataTo)));
            assert_eq!(report.outcome, Outcome::Refused);
            refused(&back(&world, steps, &|options| options.dry_run(true)), &["20", "2"]);
        }
        world.is_at("r3", 3, "refused");
        world.took();
        assert_code(&back(&world, 1, &to(decision)), ExitCode::DONE);
        world.is_at("r2", decision.parse().expect("a number"), "decided");
        assert_eq!(ran(&world, " revert r3"), 1);
        deploys_quietly(&world, "r4");
        assert_code(&world.rollback(), ExitCode::DONE);
        world.is_at("r2", decision.parse().expect("a number"), "back once more");
    }
}

#[test]
fn what_is_accepted_is_what_is_known_from_then_on() {
    let world = World::new().deployed(2);
    world.data().version = 20;
    let (report, warnings) = world.deploy_told("r3", &|options| options.accept_data(true));
    assert_code(&report, ExitCode::DONE);
    assert_eq!(report.hints, [Hint::RollbackReverts]);
    assert_eq!(warnings, [""; 0]);
    assert_code(&world.rollback(), ExitCode::DONE);
    world.is_at("r2", 20, "as it was accepted");
    deploys_quietly(&world, "r4");
    assert_code(&back(&world, 2, &|options| options), ExitCode::DONE);
    world.is_at("r1", 1, "further back");
    deploys_quietly(&world, "r5");
}

#[test]
fn data_that_is_not_found_any_more_is_refused_unless_it_is_accepted() {
    let world = World::new().deployed(2);
    world.data().lost = true;
    world.took();
    refused(&world.deploy("r3"), &["no data on web2", "2 was last known, with r2"]);
    world.is_at("r2", 2, "refused");
    world.is_clean("refused");
    assert_eq!(ran(&world, " apply "), 0);
    assert_code(&world.rollback(), ExitCode::REFUSED);
    let report = world.deploy_with("r3", &|options| options.accept_data(true), &Cut::never());
    assert_code(&report, ExitCode::DONE);
}

#[test]
fn an_activation_compares_like_a_deploy() {
    let world = World::new().deployed(2);
    assert_code(&world.rollback(), ExitCode::DONE);
    world.data().lost = true;
    refused(&world.activate("r2"), &["no data on web2", "1 was last known, with r1"]);
    world.data().lost = false;
    world.data().version = 10;
    assert_code(&world.activate_with("r2", &|options| options.accept_data(true)), ExitCode::DONE);
    assert_code(&world.rollback(), ExitCode::DONE);
    world.is_at("r1", 10, "as it was accepted");
}

#[test]
fn a_version_that_changes_by_itself_is_refused_before_anything_is_applied() {
    let world = World::new();
    world.data().noisy = true;
    let report = world.deploy("r1");
    refused(&report, &["printed 0 after ", ", and then 0 after "]);
    assert_eq!(ran(&world, " apply "), 0);
    world.data().noisy = false;
    assert_code(&world.deploy("r1"), ExitCode::DONE);
    // No version was recorded: read twice before, and once after.
    assert_eq!(ran(&world, " version "), 3);
    assert_code(&world.deploy("r2"), ExitCode::DONE);
    assert_eq!(ran(&world, " version "), 2, "what is as it was last known is asked once");
    world.data().noisy = true;
    refused(&world.deploy("r3"), &["although nothing had changed"]);
    world.is_at("r2", 2, "refused");
}

#[test]
fn data_that_is_first_configured_is_compared_with_nothing() {
    let mut world = World::new();
    let data = world.commands.data.take();
    assert_code(&world.deploy("r1"), ExitCode::DONE);
    world.commands.data = data;
    world.data().version = 7;
    deploys_quietly(&world, "r2");
    assert_code(&world.rollback(), ExitCode::DONE);
    world.is_at("r1", 7, "back to before there was data");
    deploys_quietly(&world, "r3");
    let data = world.commands.data.take();
    assert_code(&world.deploy("r4"), ExitCode::DONE);
    world.commands.data = data;
    // Above a release without data, the version is compared with the nearest earlier record.
    world.data().version = 30;
    let (_, warnings) = world.deploy_told("r5", &|options| options);
    assert!(warnings.iter().any(|warning| warning.contains("is 30, but 3 was last known, with r3")), "{warnings:?}");
    refused(&world.rollback(), &["30", "3 was last known, with r3"]);
    assert_code(&back(&world, 2, &to("3")), ExitCode::DONE);
    world.is_at("r3", 3, "decided");
}

#[test]
fn releases_of_an_older_program_go_back_as_they_did() {
    let world = World::new().deployed(3);
    world.forget_what_older_programs_lack();
    assert_code(&back(&world, 2, &|options| options), ExitCode::DONE);
    world.is_at("r1", 1, "two back");
    deploys_quietly(&world, "r4");
    assert_code(&world.rollback(), ExitCode::DONE);
    world.is_at("r1", 1, "one back");
}

/// An older program recorded the version of an empty or wrong database, and a rollback reverted everything.
#[test]
fn a_record_of_a_wrong_database_is_found_before_anything_is_reverted() {
    let world = World::new().deployed(3);
    world.rewrite("r3", |record| record["change"]["before"] = "".into());
    world.forget_what_older_programs_lack();
    refused(&world.rollback(), &["version was (nothing applied)", "2 was last known, with r2"]);
    world.is_at("r3", 3, "refused");
    assert_code(&back(&world, 1, &to("2")), ExitCode::DONE);
    world.is_at("r2", 2, "decided");
    assert_code(&world.rollback(), ExitCode::DONE);
    world.is_at("r1", 1, "and further back as recorded");
}

#[test]
fn a_decision_ends_the_walk_where_a_record_leads_to_it() {
    let world = World::new().deployed(3);
    world.took();
    assert_code(&back(&world, 2, &to("2")), ExitCode::DONE);
    world.is_at("r1", 2, "only r3 is reverted");
    assert_eq!(ran(&world, " revert "), 1);
    deploys_quietly(&world, "r4");
    assert_code(&world.rollback(), ExitCode::DONE);
    world.is_at("r1", 2, "where it was");
}

#[test]
fn below_the_release_whose_record_disagrees_nothing_is_reverted() {
    let world = World::new().deployed(2);
    world.data().version = 20;
    assert_code(&world.deploy("r3"), ExitCode::DONE);
    assert_code(&world.deploy("r4"), ExitCode::DONE);
    world.took();
    assert_code(&back(&world, 3, &to("1")), ExitCode::DONE);
    world.is_at("r1", 1, "decided");
    let took = world.took();
    let reverts: Vec<&String> = took.iter().filter(|line| line.contains(" revert ")).collect();
    assert_eq!(reverts, ["web2 revert r4", "web2 revert r3"], "r4 to its record, r3 to the decision");
}

#[test]
fn data_that_is_not_what_the_newest_release_left_is_reverted_by_it() {
    let world = World::new().deployed(3);
    world.data().version = 9;
    refused(&back(&world, 2, &|options| options), &[" 9,", " 3 "]);
    world.took();
    assert_code(&back(&world, 2, &to("1")), ExitCode::DONE);
    world.is_at("r1", 1, "decided");
    let took = world.took();
    assert_eq!(took.iter().filter(|line| line.contains(" revert ")).collect::<Vec<_>>(), ["web2 revert r3"]);
    // If the data is at the version already, nothing is reverted.
    let world = World::new().deployed(2);
    world.data().version = 1;
    assert_code(&back(&world, 1, &to("1")), ExitCode::DONE);
    assert_eq!(ran(&world, " revert "), 0);
    deploys_quietly(&world, "r3");
}

#[test]
fn a_decision_that_the_revert_does_not_reach_is_no_success() {
    let world = World::new().deployed(2);
    world.data().lying.push("web2 revert r2".to_owned());
    let report = back(&world, 1, &to("5"));
    assert_code(&report, ExitCode::INCONSISTENT);
    world.data().lying.clear();
    // The next rollback resumes the decision, and so does a recovery.
    let resumed = world.recover(Direction::Safest);
    assert_code(&resumed, ExitCode::DONE);
    world.is_at("r1", 5, "taken up");
    deploys_quietly(&world, "r3");
}

#[test]
fn without_a_data_record_nothing_leads_to_a_decision() {
    let mut world = World::new();
    let data = world.commands.data.take();
    let world = world.deployed(2);
    refused(&back(&world, 1, &to("5")), &["nothing can revert the data to 5"]);
    drop(data);
    let mut world = World::new().deployed(1);
    world.commands.data.as_mut().expect("data").revert = None;
    world.data().lying.push("web2 apply r2".to_owned());
    assert_code(&world.deploy("r2"), ExitCode::DONE);
    let report = back(&world, 1, &to("0"));
    assert_eq!(report.error.map(|error| error.kind), Some(ErrorKind::Irreversible));
}

fn decided(world: &World, cut: &Cut) -> Report {
    world.rollback_with(RollbackTarget::Steps(2), &to("5"), cut)
}

#[test]
fn a_decision_is_kept_wherever_the_rollback_is_cut_off() {
    let (counting, before) = (Cut::never(), World::new().deployed(3));
    assert_code(&decided(&before.copy(), &counting), ExitCode::DONE);
    for steps in 0..counting.steps() {
        let world = before.copy();
        let what = format!("cut after step {steps}");
        decided(&world, &Cut::after(steps));
        // A begun rollback is finished without repeating the option; otherwise the option is required again.
        let report =
            if world.is_begun() { back(&world, 2, &|options| options) } else { decided(&world, &Cut::never()) };
        let settled = [ExitCode::DONE, ExitCode::NOTHING_TO_ROLL_BACK_TO];
        assert!(settled.contains(&report.exit_code()), "{what}: {report:?}\n{}", world.described());
        world.is_at("r1", 5, &what);
    }
}

#[test]
fn a_failed_apply_reports_the_version_that_was_found_and_the_fingerprint() {
    for (debris, fingerprint) in [("", Fingerprint::Same), (" and a column", Fingerprint::Changed)] {
        let world = World::new().deployed(1);
        world.data().half.push("web2 apply r2".to_owned());
        world.data().debris_of_failures = debris.to_owned();
        let report = world.deploy("r2");
        assert_code(&report, ExitCode::REFUSED);
        let data = report.data.as_ref().expect("the data was looked at");
        assert_eq!((data.found.as_ref(), data.after.as_ref()), (Some(&version("20")), Some(&version("1"))));
        assert_eq!(data.fingerprint, Some(fingerprint));
        let error = report.error.as_ref().expect("it says why");
        assert_eq!(error.hints, [Hint::Log]);
        let message = &error.message;
        assert!(message.contains("version on web2 was 20 after it, and was reverted to 1"), "{message}");
        assert_eq!(message.contains("is NOT the same as before"), fingerprint == Fingerprint::Changed, "{message}");
    }
}

#[test]
fn a_failed_revert_reports_the_version_that_was_found_and_the_fingerprint() {
    let world = World::new().deployed(2);
    world.data().half.push("web2 revert r2".to_owned());
    let report = world.rollback();
    assert_code(&report, ExitCode::INCONSISTENT);
    let data = report.data.expect("the data was looked at");
    assert_eq!((data.found, data.fingerprint), (Some(version("20")), Some(Fingerprint::Changed)));
    let message = report.error.expect("it says why").message;
    assert!(message.contains("version on web2 is now 20"), "{message}");
    // Without a failure, neither is reported.
    let world = World::new().deployed(2);
    let data = world.rollback().data.expect("the data was looked at");
    assert_eq!((data.found, data.fingerprint), (None, None));
}

#[test]
fn a_drill_and_what_is_put_back_or_recovered_cause_no_warning() {
    let world = World::new().deployed(1);
    let (report, warnings) = world.drill_told("r2");
    assert_code(&report, ExitCode::DONE);
    assert_eq!(warnings, [""; 0]);
    deploys_quietly(&world, "r3");
    world.data().failing.push("web1 validate r4".to_owned());
    assert_code(&world.deploy("r4"), ExitCode::PUT_BACK);
    deploys_quietly(&world, "r5");
    world.deploy_with("r6", &|options| options, &Cut::after(60));
    assert_code(&world.recover(Direction::Back), ExitCode::DONE);
    deploys_quietly(&world, "r7");
    assert_code(
        &world.rollback_with(RollbackTarget::Release(name("r3")), &|options| options, &Cut::never()),
        ExitCode::DONE,
    );
    world.is_at("r3", 3, "all the way back");
}
