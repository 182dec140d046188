//! Retention: which releases prune removes, why it keeps the others, and what stays of the removed ones.
//! FAULTS.md I33.

use switchback::{
    ExitCode, Report, Timestamp,
    event::Silent,
    fleet::{Direction, RecoverOptions, RollbackTarget, RunOptions},
    report::Outcome,
    testing::{Collected, Cut, WholeReport as _},
};

use super::{
    fixture::{Hosts, assert_code, at, deploying, name, release, wait},
    world::{Memory, World},
};

impl Hosts {
    fn prune(&self, keep: u32) -> Report {
        wait(self.fleet().prune(keep, &RunOptions::new().by("jane@laptop"), Silent).report())
    }

    fn pin(&self, text: &str) -> Report {
        let options = RunOptions::new().by("jane@laptop").reason("the old prices");
        wait(self.fleet().pin(&name(text), &options, Silent).report())
    }

    fn unpin(&self, text: &str) -> Report {
        wait(self.fleet().unpin(&name(text), &RunOptions::default(), Silent).report())
    }

    /// Returns the releases of the first host.
    fn names(&self) -> Vec<String> {
        self.0[0].list(&at("releases")).unwrap_or_default()
    }

    /// Returns the plan in words.
    fn plan(&self, keep: u32) -> Vec<String> {
        let lines = Collected::plans();
        let options = RunOptions::default().dry_run(true);
        let report = wait(self.fleet().prune(keep, &options, lines.clone()).report());
        assert!(report.dry_run, "{:?}", report.error);
        lines.take()
    }
}

fn deployed() -> Hosts {
    Hosts::new(2).deployed(&["a", "b", "c", "d", "e"])
}

#[test]
fn so_many_good_ones_stay_beside_the_current_one() {
    let hosts = deployed();
    let report = hosts.prune(2);
    assert_code(&report, ExitCode::DONE);
    assert_eq!(report.hosts[0].pruned, [name("a"), name("b")]);
    assert_eq!(hosts.names(), ["c", "d", "e"]);
    hosts.all_on("e");
    hosts.clean();
    let again = hosts.prune(2);
    assert_eq!((again.exit_code(), again.outcome), (ExitCode::DONE, Outcome::Unchanged));
    // Regardless of the retention, the next rollback goes to the same release.
    assert_code(&hosts.prune(0), ExitCode::DONE);
    assert_eq!(hosts.names(), ["d", "e"]);
    assert_code(&hosts.rollback(), ExitCode::DONE);
    hosts.all_on("d");
}

/// Every release between the current one and the next target is bad, and nothing is kept by count. FAULTS.md R01.
#[test]
fn the_next_target_stays_behind_bad_releases() {
    let hosts = Hosts::new(1).deployed(&["a", "b", "c", "d"]);
    for _ in 0..2 {
        assert_code(&hosts.rollback(), ExitCode::DONE);
    }
    assert_code(&hosts.rollback_to(RollbackTarget::Release(name("d"))), ExitCode::DONE);
    assert_code(&hosts.prune(0), ExitCode::DONE);
    assert_code(&hosts.rollback(), ExitCode::DONE);
    hosts.all_on("a");
}

/// Other tools count failed releases, and remove the only good one.
#[test]
fn bad_ones_are_not_counted_and_the_good_ones_stay() {
    let hosts = Hosts::new(1).deployed(&["a", "b"]);
    for text in ["x1", "x2", "x3"] {
        assert_code(&hosts.deploy(text), ExitCode::DONE);
        assert_code(&hosts.rollback(), ExitCode::DONE);
    }
    assert_code(&hosts.prune(1), ExitCode::DONE);
    // The newest bad release stays, for whoever investigates it.
    assert_eq!(hosts.names(), ["a", "b", "x3"]);
    assert_code(&hosts.deploy("c"), ExitCode::DONE);
    assert_code(&hosts.deploy("d"), ExitCode::DONE);
    assert_code(&hosts.prune(1), ExitCode::DONE);
    // The release that it was deployed over is removed, so it is older than all kept ones.
    assert_eq!(hosts.names(), ["c", "d"]);
}

#[test]
fn what_was_never_current_goes_when_what_it_was_staged_beside_does() {
    let hosts = Hosts::new(1).deployed(&["a", "b"]);
    assert_code(&hosts.stage("next"), ExitCode::DONE);
    assert_code(&hosts.prune(1), ExitCode::DONE);
    assert_eq!(hosts.names(), ["a", "b", "next"]);
    let hosts = hosts.deployed(&["c", "d"]);
    assert_code(&hosts.prune(1), ExitCode::DONE);
    assert_eq!(hosts.names(), ["c", "d"]);
    // It was never current, so its name is free again; the names of the others are not.
    assert_code(&hosts.stage("next"), ExitCode::DONE);
    let taken = hosts.stage("a");
    assert_code(&taken, ExitCode::REFUSED);
    let error = taken.error.expect("why");
    assert!(error.message.contains("the name of a release that was once current is never reused"), "{error}");
    hosts.clean();
}

/// FAULTS.md X09.
#[test]
fn a_pin_is_dated_by_the_clock_of_its_host() {
    let hosts = deployed();
    let now = Timestamp::from_unix(1_700_000_000, 0).expect("a time");
    hosts.0[0].set_clock(now);
    assert_code(&hosts.pin("a"), ExitCode::DONE);
    let history = hosts.history();
    let lines = history.hosts[0].status.as_ref().and_then(|status| status.history.as_ref()).expect("a history");
    assert_eq!(lines.first().map(|line| line.at), Some(now));
}

#[test]
fn a_pinned_release_stays_until_it_is_freed() {
    let hosts = deployed();
    assert_code(&hosts.pin("a"), ExitCode::DONE);
    assert_eq!(hosts.pin("a").outcome, Outcome::Unchanged);
    assert_code(&hosts.pin("missing"), ExitCode::REFUSED);
    let status = wait(hosts.fleet().releases(Silent).report());
    let has = status.hosts[1].status.as_ref().expect("a status");
    let pin = has.releases.iter().find(|release| release.name == name("a")).and_then(|a| a.pinned.clone());
    assert_eq!(pin.map(|pin| (pin.by, pin.reason)), Some(("jane@laptop".into(), Some("the old prices".into()))));
    assert_code(&hosts.prune(1), ExitCode::DONE);
    assert_eq!(hosts.names(), ["a", "d", "e"]);
    assert_code(&hosts.unpin("a"), ExitCode::DONE);
    assert_eq!(hosts.unpin("a").outcome, Outcome::Unchanged);
    assert_code(&hosts.prune(1), ExitCode::DONE);
    assert_eq!(hosts.names(), ["d", "e"]);
}

/// A process has its working directory in the release. FAULTS.md X03.
#[test]
fn a_release_that_a_process_works_in_stays() {
    let hosts = deployed();
    let process = hosts.0[0].start_in(&at("releases/a/assets"));
    let report = hosts.prune(1);
    assert_code(&report, ExitCode::DONE);
    assert_eq!(hosts.names(), ["a", "d", "e"]);
    assert_eq!(report.hosts[1].pruned, [name("a"), name("b"), name("c")], "on the other host nobody does");
    hosts.0[0].end_process(process);
    assert_code(&hosts.prune(1), ExitCode::DONE);
    assert_eq!(hosts.names(), ["d", "e"]);
}

#[test]
fn strangers_stay_and_what_our_records_name_may_go() {
    let hosts = Hosts::new(1);
    let host = &hosts.0[0];
    // Made by hand: the first is current before the tool is used, the second never was.
    host.write(&at("releases/by-hand/index.html"), "by-hand");
    host.write(&at("releases/nobodys/index.html"), "x");
    host.write(&at("releases/notes.txt"), "x");
    host.link(&at("current"), "releases/by-hand");
    let hosts = hosts.deployed(&["a", "b", "c"]);
    assert_code(&hosts.prune(1), ExitCode::DONE);
    assert_eq!(hosts.names(), ["b", "c", "nobodys", "notes.txt"]);
}

#[test]
fn the_plan_says_why_each_stays() {
    let hosts = deployed();
    assert_code(&hosts.pin("b"), ExitCode::DONE);
    assert_eq!(
        hosts.plan(2),
        [
            "web1, web2: remove a: good, and beyond the kept ones",
            "web1, web2: keep b: pinned by jane@laptop: the old prices",
            "web1, web2: keep c: one of the kept good releases",
            "web1, web2: keep d: the next rollback goes there",
            "web1, web2: keep e: current",
        ]
    );
    assert_eq!(hosts.names().len(), 5);
}

/// A rollback may go past bad releases: the chain must not be cut before the good one that is kept.
#[test]
fn the_way_to_a_kept_release_stays_whole() {
    let hosts = Hosts::new(1).deployed(&["a", "b", "c", "d", "e"]);
    // By hand, as somebody who investigates a fault marks it.
    for text in ["c", "d"] {
        let mark = "{\"at\":\"1970-01-01T00:00:00Z\",\"by\":\"jane\",\"reason\":null}\n";
        hosts.0[0].write(&at(&format!(".switchback/releases/{text}/bad")), mark);
    }
    assert_code(&hosts.prune(1), ExitCode::DONE);
    assert_eq!(hosts.names(), ["b", "c", "d", "e"]);
    assert_code(&hosts.rollback(), ExitCode::DONE);
    hosts.all_on("b");
}

#[test]
fn a_broken_way_back_keeps_every_good_release() {
    let hosts = deployed();
    hosts.0[0].write(&at("releases/e/previousVersion"), "");
    let report = hosts.prune(1);
    assert_code(&report, ExitCode::DONE);
    assert!(report.hosts[0].pruned.is_empty(), "{:?}", report.hosts[0].pruned);
    assert_eq!(hosts.names(), ["a", "b", "c", "d", "e"]);
}

#[test]
fn a_current_that_is_not_ours_refuses() {
    for broken in ["releases/none", "/etc"] {
        let hosts = deployed();
        hosts.0[1].remove(&at("current"));
        hosts.0[1].link(&at("current"), broken);
        assert_code(&hosts.prune(1), ExitCode::REFUSED);
        assert_eq!(hosts.names().len(), 5, "the other host is not touched either");
    }
}

#[test]
fn a_deploy_prunes_at_its_end() {
    let hosts = deployed();
    let options = deploying().keep(2);
    let report = wait(hosts.fleet().deploy(release("f"), &options, Silent).report());
    assert_code(&report, ExitCode::DONE);
    assert_eq!(report.hosts[1].pruned, [name("a"), name("b"), name("c")]);
    assert_eq!(hosts.names(), ["d", "e", "f"]);
    hosts.clean();
    let history = hosts.history();
    let entries = history.hosts[0].status.as_ref().and_then(|has| has.history.clone()).expect("a history");
    assert_eq!(entries.len(), 6, "what was done with pruned releases stays");
    assert_eq!(entries[0].pruned, [name("a"), name("b"), name("c")]);
}

#[test]
fn the_history_tells_the_same_of_every_host() {
    let hosts = deployed();
    assert_code(&hosts.prune(1), ExitCode::DONE);
    let history = hosts.history();
    let told =
        |host: usize| history.hosts[host].status.as_ref().and_then(|has| has.history.clone()).expect("a history");
    for (one, other) in told(0).iter().zip(told(1)) {
        assert_eq!(
            (&one.operation, &one.by, &one.from, &one.to),
            (&other.operation, &other.by, &other.from, &other.to)
        );
        assert_eq!((&one.reason, one.outcome, &one.pruned), (&other.reason, other.outcome, &other.pruned));
    }
    assert_eq!(told(0).len(), 6);
}

/// Releases that an interrupted run names stay, whoever prunes.
#[test]
fn what_an_interrupted_operation_names_stays() {
    let world = Memory::new(1);
    let deploy = |text: &str, cut: &Cut| wait(world.fleet(cut).deploy(release(text), &deploying(), Silent).report());
    for text in ["a", "b", "c"] {
        assert_eq!(deploy(text, &Cut::never()).exit_code(), ExitCode::DONE);
    }
    let going = super::fixture::going_back(RollbackTarget::Release(name("a")));
    let cut = Cut::losing_answer(2, switchback::testing::AfterLoss::Dead);
    let _ = wait(world.fleet(&cut).rollback(&going, Silent).report());
    world.controller_is_gone();
    let report = wait(world.fleet(&Cut::never()).prune(0, &RunOptions::default(), Silent).report());
    assert_eq!(report.exit_code(), ExitCode::DONE, "{:?}", report.error);
    let names = world.names(0, "releases");
    assert!(names.contains(&"a".to_owned()) && names.contains(&"c".to_owned()), "{names:?}");
    let recovered = wait(
        world
            .fleet(&Cut::never())
            .recover(&RecoverOptions::new().direction(Direction::Back).run(RunOptions::default()), Silent)
            .report(),
    );
    assert_eq!(recovered.exit_code(), ExitCode::DONE, "{:?}", recovered.error);
    assert_eq!(world.link(0, "current").as_deref(), Some("releases/c"));
}

/// Cut off after each step, a prune leaves complete releases under their names, `current` unchanged, and no
/// leftovers that the next deploy does not clean up.
fn cut_everywhere<W: World>() -> usize {
    let prepare = || {
        let world = W::new(2);
        for text in ["a", "b", "c", "d"] {
            let report = wait(world.fleet(&Cut::never()).deploy(release(text), &deploying(), Silent).report());
            assert_eq!(report.exit_code(), ExitCode::DONE);
        }
        world
    };
    let prepared = prepare();
    let prune = |world: &W, cut: &Cut| wait(world.fleet(cut).prune(1, &RunOptions::default(), Silent).report());
    let counting = Cut::never();
    assert_eq!(prune(&prepared.copy_or(prepare), &counting).exit_code(), ExitCode::DONE);
    for steps in 0..counting.steps() {
        let world = prepared.copy_or(prepare);
        let report = prune(&world, &Cut::after(steps));
        assert_ne!(report.exit_code(), ExitCode::UNEXPECTED, "after step {steps}: {:?}", report.error);
        world.controller_is_gone();
        whole(&world, steps);
        let next = prune(&world, &Cut::never());
        assert_eq!(next.exit_code(), ExitCode::DONE, "after step {steps}: {:?}", next.error);
        let deploy = wait(world.fleet(&Cut::never()).deploy(release("next"), &deploying(), Silent).report());
        assert_eq!(deploy.exit_code(), ExitCode::DONE, "after step {steps}: {:?}", deploy.error);
        for host in 0..2 {
            assert_eq!(world.names(host, "releases").len(), 3, "after step {steps}");
            for place in ["live", "tmp", "staging", "journal", "trash"] {
                let left = world.names(host, &format!(".switchback/{place}"));
                assert!(left.is_empty(), "after step {steps}: host {host} has {left:?} in {place}");
            }
        }
    }
    counting.steps()
}

fn whole<W: World>(world: &W, steps: usize) {
    for host in 0..2 {
        assert_eq!(world.link(host, "current").as_deref(), Some("releases/d"), "after step {steps}");
        let names = world.names(host, "releases");
        assert!(["c", "d"].iter().all(|text| names.iter().any(|name| name == text)), "after step {steps}: {names:?}");
        for text in names {
            let page = world.file(host, &format!("releases/{text}/index.html"));
            assert_eq!(page.as_deref(), Some(text.as_bytes()), "after step {steps}: half of {text}");
            assert!(world.file(host, &format!("releases/{text}/assets/style.css")).is_some(), "after step {steps}");
        }
    }
}

#[test]
fn every_crash_point_in_memory_leaves_whole_releases() {
    assert!(cut_everywhere::<Memory>() > 80);
}

#[test]
fn every_crash_point_on_disk_leaves_whole_releases() {
    assert!(cut_everywhere::<super::world::Local>() > 80);
}

/// Only the name and the record of a pruned release stay, also of those that older versions pruned.
#[test]
fn no_lists_are_kept_of_what_was_pruned() {
    let hosts = Hosts::new(1).deployed(&["a", "b", "c", "d"]);
    hosts.0[0].write(&at(".switchback/pruned/older/manifest"), "switchback manifest 1\n");
    hosts.0[0].write(&at(".switchback/pruned/older/staged"), "{}\n");
    assert_code(&hosts.prune(0), ExitCode::DONE);
    assert_eq!(hosts.names(), ["c", "d"]);
    let kept = |name: &str| hosts.0[0].list(&at(&format!(".switchback/pruned/{name}")));
    for name in ["a", "b", "older"] {
        let kept = kept(name).expect("the name is kept");
        assert!(kept.iter().any(|file| file == "staged"), "{name}: {kept:?}");
        assert!(
            !kept.iter().any(|file| ["manifest", "listing", "sha256sums"].contains(&file.as_str())),
            "{name}: {kept:?}"
        );
    }
}
