//! Rollbacks on one host and on many: targets, steps, refusals.

use switchback::{
    ErrorKind, ExitCode, Hint,
    event::Silent,
    fleet::RollbackTarget,
    report::{HostOutcome, Outcome},
    status::ReleaseState,
    testing::{Collected, WholeReport as _},
};

use super::fixture::{Hosts, assert_code, at, deploying, going_back, name, release, wait};

fn to(text: &str) -> RollbackTarget {
    RollbackTarget::Release(name(text))
}

fn bad(hosts: &Hosts) -> Vec<String> {
    let status = hosts.status();
    let releases = &status.hosts[0].status.as_ref().expect("it was read").releases;
    let mut bad: Vec<String> =
        releases.iter().filter(|release| release.bad.is_some()).map(|release| release.name.to_string()).collect();
    bad.sort();
    bad
}

#[test]
fn a_second_rollback_goes_one_further_and_does_not_toggle() {
    let hosts = Hosts::new(3).deployed(&["a", "b", "c"]);
    let report = hosts.rollback();
    assert_code(&report, ExitCode::DONE);
    assert_eq!(report.release, Some(name("b")));
    assert!(report.hosts.iter().all(|host| host.outcome == HostOutcome::Switched
        && host.before == Some(name("c"))
        && host.after == Some(name("b"))));
    hosts.all_on("b");
    assert_code(&hosts.rollback(), ExitCode::DONE);
    hosts.all_on("a");
    assert_eq!(bad(&hosts), ["b", "c"]);
    let report = hosts.rollback();
    assert_code(&report, ExitCode::NOTHING_TO_ROLL_BACK_TO);
    assert_eq!(report.error.map(|error| error.kind), Some(ErrorKind::NothingBefore));
    hosts.all_on("a");
    hosts.clean();
}

/// The hints after a deploy, a first one, one onto a new host, and one that is irreversible.
#[test]
fn a_rollback_is_hinted_at_only_where_it_would_not_be_refused() {
    let hosts = Hosts::new(2);
    let first = hosts.deploy("a");
    assert_eq!(first.hints, [], "there is nothing before it");
    let refused = hosts.rollback().error.expect("it is refused");
    let says = "a is the first release, so there is nothing to roll back to (web1, web2)";
    assert_eq!(refused.message, format!("rollback refused, nothing was touched: {says}"));
    assert_eq!(refused.hints, [Hint::Releases]);
    assert_eq!(hosts.deploy("b").hints, [Hint::RollbackReverts]);
    let options = deploying().irreversible("it drops a table");
    assert_eq!(wait(hosts.fleet().deploy(release("c"), &options, Silent).report()).hints, []);
    let grown = Hosts([hosts.0, Hosts::new(1).0].concat());
    assert_eq!(grown.deploy("d").hints, [], "the new host has nothing to go back to");
}

/// A host is to be left out only if another one stays.
#[test]
fn no_hint_leaves_out_every_host() {
    let except = |hosts: &Hosts| {
        let error = hosts.rollback().error.expect("nothing was deployed");
        error.hints.into_iter().find(|hint| matches!(hint, Hint::Except(_)))
    };
    assert_eq!(except(&Hosts::new(1)), None);
    let one = Hosts([Hosts::new(1).deployed(&["a", "b"]).0, Hosts::new(1).0].concat());
    assert_eq!(except(&one), Some(Hint::Except(vec!["web2".to_owned()])));
}

/// `--from` that names another release than the current ones.
#[test]
fn a_rollback_from_a_release_that_is_not_current_says_what_is() {
    let hosts = Hosts::new(2).deployed(&["a", "b"]);
    let warnings = Collected::warnings();
    let options = going_back(RollbackTarget::Steps(1)).from(name("c"));
    assert!(wait(hosts.fleet().rollback(&options, warnings.clone())).is_ok());
    assert_eq!(warnings.take(), ["c is not current, so there is nothing to roll back: web1, web2: on b"]);
}

#[test]
fn steps_walk_good_releases_and_mark_only_what_is_left() {
    let hosts = Hosts::new(2).deployed(&["a", "b", "c"]);
    assert_code(&hosts.rollback_to(RollbackTarget::Steps(2)), ExitCode::DONE);
    hosts.all_on("a");
    assert_eq!(bad(&hosts), ["c"]);
    assert_code(&hosts.rollback_to(RollbackTarget::Steps(5)), ExitCode::NOTHING_TO_ROLL_BACK_TO);
}

#[test]
fn bad_releases_on_the_way_are_passed_over() {
    let hosts = Hosts::new(1).deployed(&["a", "b"]);
    assert_code(&hosts.rollback(), ExitCode::DONE);
    // By hand, as a person would: b becomes current again without the tool, then c on top of it.
    hosts.0[0].remove(&at("current"));
    hosts.0[0].link(&at("current"), "releases/b");
    let hosts = hosts.deployed(&["c"]);
    assert_eq!(hosts.record("c").as_deref(), Some("/srv/shop/releases/b\n"));
    assert_code(&hosts.rollback(), ExitCode::DONE);
    hosts.all_on("a");
}

#[test]
fn a_named_target_may_be_anything_that_is_there() {
    let hosts = Hosts::new(2).deployed(&["a", "b", "c"]);
    assert_code(&hosts.rollback_to(to("a")), ExitCode::DONE);
    hosts.all_on("a");
    assert_eq!(bad(&hosts), ["c"]);
    // Forward again, onto the bad one, which is then no longer bad.
    assert_code(&hosts.rollback_to(to("c")), ExitCode::DONE);
    hosts.all_on("c");
    assert_eq!(bad(&hosts), ["a"]);
    let report = hosts.rollback_to(to("zzz"));
    assert_code(&report, ExitCode::REFUSED);
    assert_eq!(report.error.map(|error| error.kind), Some(ErrorKind::NoSuchRelease));
    let report = hosts.rollback_to(to("c"));
    assert_code(&report, ExitCode::DONE);
    assert_eq!(report.outcome, Outcome::Unchanged);
}

#[test]
fn from_moves_only_what_is_on_it() {
    let hosts = Hosts::new(2).deployed(&["a", "b"]);
    let report = hosts.rollback_from("zzz");
    assert_code(&report, ExitCode::DONE);
    assert_eq!(report.outcome, Outcome::Unchanged);
    hosts.all_on("b");
    assert_code(&hosts.rollback_from("b"), ExitCode::DONE);
    hosts.all_on("a");
    let report = hosts.rollback_from("b");
    assert_eq!((report.exit_code(), report.outcome), (ExitCode::DONE, Outcome::Unchanged));
    hosts.all_on("a");
}

/// A half-done deploy: some hosts on the new release, some on the old one.
#[test]
fn a_rollback_mends_a_half_done_deploy() {
    let hosts = Hosts::new(3).deployed(&["a", "b"]);
    let one = Hosts(vec![hosts.0[1].clone()]);
    assert_code(&one.rollback(), ExitCode::DONE);
    let report = hosts.rollback();
    assert_code(&report, ExitCode::DONE);
    let outcomes: Vec<_> = report.hosts.iter().map(|host| host.outcome).collect();
    assert_eq!(outcomes, [HostOutcome::Switched, HostOutcome::Unchanged, HostOutcome::Switched]);
    hosts.all_on("a");
    assert_eq!(bad(&hosts), ["b"]);
}

/// Hosts whose records name different releases: the worst case of other tools. FAULTS.md V19.
#[test]
fn hosts_that_would_part_are_refused_with_a_table() {
    let hosts = Hosts::new(2).deployed(&["a", "b", "c"]);
    hosts.0[1].write(&at("releases/c/previousVersion"), "/srv/shop/releases/a\n");
    let report = hosts.rollback();
    assert_code(&report, ExitCode::REFUSED);
    let error = report.error.expect("a refusal has an error");
    assert_eq!(error.kind, ErrorKind::HostsDiffer);
    assert!(
        error.message.contains("web1: on c, would go to b") && error.message.contains("web2: on c, would go to a"),
        "{}",
        error.message
    );
    hosts.all_on("c");
    hosts.clean();
    assert_code(&hosts.rollback_to(to("a")), ExitCode::DONE);
    hosts.all_on("a");
}

#[test]
fn a_host_that_lacks_the_target_refuses_for_all() {
    let hosts = Hosts::new(3).deployed(&["a", "b"]);
    hosts.0[2].rename(&at("releases/a"), "/srv/gone");
    let report = hosts.rollback();
    assert_eq!(report.outcome, Outcome::Refused);
    assert_code(&report, ExitCode::REFUSED);
    hosts.all_on("b");
    hosts.clean();
}

#[test]
fn one_host_whose_target_is_gone_says_so_with_the_chain() {
    let hosts = Hosts::new(1).deployed(&["a", "b"]);
    hosts.0[0].rename(&at("releases/a"), "/srv/gone");
    let report = hosts.rollback();
    assert_code(&report, ExitCode::NOTHING_TO_ROLL_BACK_TO);
    let error = report.error.expect("a refusal has an error");
    assert_eq!(error.kind, ErrorKind::PreviousGone);
    assert!(error.message.contains("b <- a (missing)"), "{}", error.message);

    // A second host that could go there makes it a difference between hosts, which stands before that.
    let hosts = Hosts::new(2).deployed(&["a", "b"]);
    hosts.0[0].rename(&at("releases/a"), "/srv/gone");
    let report = hosts.rollback();
    assert_code(&report, ExitCode::REFUSED);
    assert_eq!(report.error.map(|error| error.kind), Some(ErrorKind::HostsDiffer));
    hosts.all_on("b");
}

#[test]
fn the_state_of_each_release_is_told() {
    let hosts = Hosts::new(1).deployed(&["a", "b", "c"]);
    assert_code(&hosts.rollback(), ExitCode::DONE);
    assert_code(&hosts.stage("d"), ExitCode::DONE);
    let status = hosts.status();
    let host = status.hosts[0].status.as_ref().expect("it was read");
    let mut told: Vec<_> = host.releases.iter().map(|release| (release.name.to_string(), release.state)).collect();
    told.sort_by(|one, other| one.0.cmp(&other.0));
    let expected = [
        ("a", ReleaseState::Good),
        ("b", ReleaseState::Current),
        ("c", ReleaseState::Bad),
        ("d", ReleaseState::Staged),
    ];
    assert_eq!(told, expected.map(|(name, state)| (name.to_owned(), state)));
    assert_eq!((host.current.clone(), host.previous.clone()), (Some(name("b")), Some(name("a"))));
}
